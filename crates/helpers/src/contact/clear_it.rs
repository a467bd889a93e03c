//! `clear_it`: empties fields.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{Distinct, FieldKey};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register};

/// Empties the fields you choose on a contact.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ClearIt {
    /// The fields to empty, in this order.
    #[schemars(length(min = 1))]
    fields: Distinct<FieldKey>,
}

impl Helper for ClearIt {
    const META: Meta = Meta::new(
        "clear_it",
        "Clear It",
        Category::Contact,
        "Empties the fields you choose on a contact.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"fields": ["_Voucher", "fax"]}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let mut failures = Failures::new();
        for field in &self.fields {
            let cleared = cx.set_field(field, "").await;
            if failures.note("Not cleared", cleared) {
                cx.set_result(field.as_str(), "");
            }
        }
        failures.into_result()?;
        Ok(Outcome::done(format!("{} fields emptied", self.fields.len())))
    }
}

register!(ClearIt);
