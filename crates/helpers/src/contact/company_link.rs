//! `company_link`: links the contact to a company.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::FieldKey;
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register, values};

/// Links the contact to the company named in one of its fields and creates the company if it does not exist yet.
///
/// The name is looked up among the companies of your CRM without regard to upper and lower case, so that no second
/// company of the same name appears. Stray blanks are removed first.
///
/// The contact leaves the company it was linked to. When the field is empty, nothing happens and the old company
/// stays.
///
/// The result shows the name of the company. If the company can be neither found nor created, the run fails. It works
/// with Keap only.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CompanyLink {
    /// The field that holds the company's name.
    company_field: FieldKey,
}

impl Helper for CompanyLink {
    const META: Meta = Meta::new(
        "company_link",
        "Company Link",
        Category::Contact,
        "Links the contact to the company named in one of its fields and creates the company if it does not exist yet.",
    )
    .needs_crm()
    .only_on(&["keap"])
    .repeatable();

    const EXAMPLE: &'static str = r#"{"company_field": "_Employer"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let value = cx.get_field(&self.company_field).await?;
        let name = tidy(&values::text(&value));
        if values::is_empty(&value) || name.is_empty() {
            return Ok(Outcome::done(format!(
                "{} is empty: the company stays as it is",
                self.company_field
            )));
        }
        cx.link_company(&name).await?;
        cx.set_result("company", name.as_str());
        Ok(Outcome::done(format!("The contact is linked to \"{name}\"")))
    }
}

/// Stray blanks would make a second company of the same name.
fn tidy(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

register!(CompanyLink);
