//! `get_the_last`: copies one detail of a contact's newest record.

use mfh_connectors::End;
use schemars::JsonSchema;
use serde::Deserialize;

use super::related::{self, Record};
use crate::settings::{FieldKey, Text};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Copies one detail of a contact's newest invoice, order, subscription, opportunity, card or payment into a contact
/// field.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GetTheLast {
    /// The kind of record.
    r#type: Record,
    /// The detail to copy, such as InvoiceTotal of an invoice or Status of a subscription.
    from_field: Text,
    /// The contact field that receives it.
    to_field: FieldKey,
}

impl Helper for GetTheLast {
    const META: Meta = Meta::new(
        "get_the_last",
        "Get The Last",
        Category::Data,
        "Copies one detail of a contact's newest invoice, order, subscription, opportunity, card or payment into a \
         contact field.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str =
        r#"{"type": "invoice", "from_field": "InvoiceTotal", "to_field": "_LastInvoiceTotal"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        related::copy(cx, self.r#type, End::Last, &self.from_field, &self.to_field).await
    }
}

register!(GetTheLast);
