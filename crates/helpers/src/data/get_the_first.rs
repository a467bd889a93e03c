//! `get_the_first`: copies one detail of a contact's oldest record.

use mfh_connectors::End;
use schemars::JsonSchema;
use serde::Deserialize;

use super::related::{self, Record};
use crate::settings::{FieldKey, Text};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Copies one detail of a contact's oldest invoice, order, subscription, opportunity, card or payment into a contact
/// field.
///
/// Asks the CRM for the contact's oldest record of one kind and copies one of its details. Amounts, dates and numbers
/// arrive as the CRM gives them: 149.00 stays 149.00. Date Calc can write a date in another format afterwards.
///
/// When the contact has no such record, or the detail is empty, the field keeps what it holds; 0 is a value and is
/// copied. A CRM that cannot answer fails the run and says so: Keap knows all kinds except the paid-through date of a
/// subscription, HubSpot only opportunities, which it calls deals.
///
/// Details you can choose: of an invoice Id, InvoiceTotal, TotalDue, TotalPaid, DateCreated, PayStatus, Description,
/// ProductSold, PromoCode, RefundStatus, CreditStatus; of an order (`job`) Id, JobTitle, JobStatus, DueDate, StartDate,
/// DateCreated, OrderTotal; of a subscription Id, Status, StartDate, NextBillDate, BillingAmount; of an opportunity
/// (`lead`) Id, OpportunityTitle, StageID, EstimatedCloseDate, ProjectedRevenueHigh, DateCreated; of a card Id,
/// CardType, Last4, ExpirationMonth, ExpirationYear, Status; of a payment Id, PayAmt, PayDate, PayType, PayNote,
/// InvoiceId.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GetTheFirst {
    /// The kind of record; `job` is an order and `lead` an opportunity.
    r#type: Record,
    /// The detail to copy, such as InvoiceTotal of an invoice or Status of a subscription.
    from_field: Text,
    /// The contact field that receives the detail.
    to_field: FieldKey,
}

impl Helper for GetTheFirst {
    const META: Meta = Meta::new(
        "get_the_first",
        "Get The First",
        Category::Data,
        "Copies one detail of a contact's oldest invoice, order, subscription, opportunity, card or payment into a \
         contact field.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str =
        r#"{"type": "invoice", "from_field": "InvoiceTotal", "to_field": "_FirstInvoiceTotal"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        related::copy(cx, self.r#type, End::First, &self.from_field, &self.to_field).await
    }
}

register!(GetTheFirst);
