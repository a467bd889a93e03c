//! `clear_it`: empties fields.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{Distinct, FieldKey};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register};

/// Empties the fields you choose on a contact.
///
/// A run writes an empty value into each field, one after the other, whatever it holds; numbers, dates and choices are
/// emptied too. A field that you list twice is emptied once, and one that is empty already stays so.
///
/// Every field is tried: when one cannot be emptied, the others still are, and the run fails and names it. The result
/// lists the fields that were emptied. The old values are not kept; run Snapshot It first if you may need them.
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
