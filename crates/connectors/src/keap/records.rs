//! Questions about a contact's orders, subscriptions, opportunities, cards, payments and e-mails.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Keap, PAGE, map};
use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::http::Call;
use crate::question::{EmailEvent, End, Question, RecordKind};
use crate::translate::codec::rfc3339;
use crate::wire;

/// An e-mail is still clicked this long after it was sent.
const CLICKED_WITHIN_DAYS: i64 = 90;

/// Currencies whose smallest unit is the unit itself.
const WITHOUT_CENTS: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
];

impl Keap {
    /// The answer from Keap's records; null when there is none.
    pub(super) async fn answer(&self, contact_id: &str, question: &Question) -> Result<Value> {
        match question {
            Question::Related { record, end, column } => self.related(contact_id, *record, *end, column).await,
            Question::LastEmail { address, event } => self.last_email(address, *event).await,
            Question::ClicksInLast { days, until, .. } => self.clicks(contact_id, *days, *until).await,
        }
    }

    async fn related(&self, contact_id: &str, record: RecordKind, end: End, column: &str) -> Result<Value> {
        let value = match record {
            RecordKind::Invoice => {
                let list: Orders = self.records("/orders", "order_time", contact_id, end).await?;
                column_of(list.orders, |order| order.as_invoice(column))
            }
            RecordKind::Job => {
                let list: Orders = self.records("/orders", "order_time", contact_id, end).await?;
                column_of(list.orders, |order| order.as_job(column))
            }
            RecordKind::Subscription => {
                let list: Subscriptions = self.records("/subscriptions", "id", contact_id, end).await?;
                column_of(list.subscriptions, |subscription| subscription.column(column))
            }
            RecordKind::Lead => {
                let list: Opportunities = self.records("/opportunities", "created_time", contact_id, end).await?;
                column_of(list.opportunities, |opportunity| opportunity.column(column))
            }
            RecordKind::CreditCard => {
                let list: PaymentMethods = self.records("/paymentMethods", "created_time", contact_id, end).await?;
                column_of(list.payment_methods, |method| method.column(column))
            }
            RecordKind::Payment => {
                let path = "/sales/transactions";
                let list: Transactions = self.records(path, "transaction_time", contact_id, end).await?;
                column_of(list.transactions, |transaction| transaction.column(column))
            }
        };
        value.ok_or_else(|| {
            let what = format!("the column {column} of the record type {}", record.as_str());
            ConnectorError::unsupported(map::SLUG, &what)
        })
    }

    /// The first or last of the contact's records, as a list of at most one.
    async fn records<T: DeserializeOwned>(
        &self,
        path: &'static str,
        order: &str,
        contact_id: &str,
        end: End,
    ) -> Result<T> {
        let direction = match end {
            End::First => "asc",
            End::Last => "desc",
        };
        let call = Call::get(path, &[])
            .query("filter", format!("contact_id=={}", self.plain_id(contact_id)?))
            .query("order_by", format!("{order} {direction}"))
            .query("page_size", "1");
        self.http.fetch(&call).await
    }

    async fn last_email(&self, address: &str, event: EmailEvent) -> Result<Value> {
        let address = address.trim();
        if address.is_empty() || address.contains(['*', ';', ',']) {
            let message = "Keap has no statistics for this e-mail address. It must not be blank or hold * ; or ,";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        let call = Call::get("/emailAddresses", &[]).query("filter", format!("emails=={address}"));
        let list: EmailAddresses = self.http.fetch(&call).await?;
        let time = list.email_addresses.into_iter().next().and_then(|found| match event {
            EmailEvent::Click => found.last_click_time,
            EmailEvent::Open => found.last_open_time,
            EmailEvent::Send => found.last_sent_time,
        });
        Ok(json!(time))
    }

    async fn clicks(&self, contact_id: &str, days: u32, until: DateTime<Utc>) -> Result<Value> {
        let period = TimeDelta::days(i64::from(days));
        let Some(from) = until.checked_sub_signed(period) else {
            return Err(self.error(ErrorKind::InvalidInput, "The period of the analysis is too long"));
        };
        let sent_from = from
            .checked_sub_signed(TimeDelta::days(CLICKED_WITHIN_DAYS))
            .unwrap_or(from);
        let filter = format!(
            "contact_id=={};start_created_time=={}",
            self.plain_id(contact_id)?,
            rfc3339(sent_from, SecondsFormat::Millis)
        );
        let call = Call::get("/emails", &[])
            .query("filter", filter)
            .query("page_size", PAGE.to_string());
        let emails = self
            .all(call, |list: Emails| (list.emails, list.next_page_token))
            .await?;
        let clicked = emails
            .iter()
            .filter_map(|email| DateTime::parse_from_rfc3339(email.clicked_time.as_deref()?).ok())
            .filter(|time| *time >= from && *time <= until);
        Ok(json!(clicked.count()))
    }

    /// An id that cannot add a condition to a filter.
    fn plain_id<'a>(&self, contact_id: &'a str) -> Result<&'a str> {
        let id = contact_id.trim();
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(id);
        }
        Err(self.error(ErrorKind::InvalidInput, "A contact of Keap has a number as its id"))
    }
}

/// The column of the only record; null without one. `None` for a column that the records do not have, which is told
/// also when there is no record.
fn column_of<T: Default>(records: Vec<T>, column: impl Fn(&T) -> Option<Value>) -> Option<Value> {
    match records.first() {
        Some(record) => column(record),
        None => column(&T::default()).map(|_| Value::Null),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Money {
    amount: Option<i64>,
    #[serde(deserialize_with = "wire::text")]
    currency_code: Option<String>,
}

impl Money {
    /// The amount, which Keap gives in the smallest unit, in the unit that people use.
    fn text(&self) -> Value {
        let whole = self
            .currency_code
            .as_deref()
            .is_some_and(|code| WITHOUT_CENTS.contains(&code.to_ascii_uppercase().as_str()));
        let places = if whole { 0 } else { 2 };
        json!(self.amount.map(|amount| Decimal::new(amount, places).to_string()))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Orders {
    #[serde(deserialize_with = "wire::or_default")]
    orders: Vec<Order>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Order {
    #[serde(deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    invoice_id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    title: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    status: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    total: Money,
    #[serde(deserialize_with = "wire::or_default")]
    total_due: Money,
    #[serde(deserialize_with = "wire::or_default")]
    total_paid: Money,
    #[serde(deserialize_with = "wire::text")]
    creation_time: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    order_time: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    due_time: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    promo_code: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    refund_status: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    credit_status: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    order_items: Vec<OrderItem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OrderItem {
    #[serde(deserialize_with = "wire::or_default")]
    product: WithId,
}

/// An object of which only the id matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WithId {
    #[serde(deserialize_with = "wire::text")]
    id: Option<String>,
}

impl Order {
    fn as_invoice(&self, column: &str) -> Option<Value> {
        Some(match column {
            "Id" => json!(self.invoice_id),
            "InvoiceTotal" => self.total.text(),
            "TotalDue" => self.total_due.text(),
            "TotalPaid" => self.total_paid.text(),
            "DateCreated" => json!(self.creation_time),
            "PayStatus" => json!(i32::from(self.total_due.amount == Some(0))),
            "Description" => json!(self.title),
            "ProductSold" => {
                let products: Vec<&str> = self
                    .order_items
                    .iter()
                    .filter_map(|item| item.product.id.as_deref())
                    .collect();
                json!(products.join(","))
            }
            "PromoCode" => json!(self.promo_code),
            "RefundStatus" => json!(self.refund_status),
            "CreditStatus" => json!(self.credit_status),
            _ => return None,
        })
    }

    fn as_job(&self, column: &str) -> Option<Value> {
        Some(match column {
            "Id" => json!(self.id),
            "JobTitle" => json!(self.title),
            "JobStatus" => json!(self.status),
            "DueDate" => json!(self.due_time),
            "StartDate" => json!(self.order_time),
            "DateCreated" => json!(self.creation_time),
            "OrderTotal" => self.total.text(),
            _ => return None,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subscriptions {
    #[serde(deserialize_with = "wire::or_default")]
    subscriptions: Vec<Subscription>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subscription {
    #[serde(deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(deserialize_with = "wire::flag")]
    active: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    start_date: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    next_bill_date: Option<String>,
    billing_amount: Value,
}

impl Subscription {
    fn column(&self, column: &str) -> Option<Value> {
        Some(match column {
            "Id" => json!(self.id),
            "Status" => json!(self.active.map(|active| if active { "Active" } else { "Inactive" })),
            "StartDate" => json!(self.start_date),
            "NextBillDate" => json!(self.next_bill_date),
            "BillingAmount" => self.billing_amount.clone(),
            _ => return None,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Opportunities {
    #[serde(deserialize_with = "wire::or_default")]
    opportunities: Vec<Opportunity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Opportunity {
    #[serde(deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    opportunity_title: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    stage: WithId,
    #[serde(deserialize_with = "wire::text")]
    estimated_close_time: Option<String>,
    projected_revenue_high: Value,
    #[serde(deserialize_with = "wire::text")]
    created_time: Option<String>,
}

impl Opportunity {
    fn column(&self, column: &str) -> Option<Value> {
        Some(match column {
            "Id" => json!(self.id),
            "OpportunityTitle" => json!(self.opportunity_title),
            "StageID" => json!(self.stage.id),
            "EstimatedCloseDate" => json!(self.estimated_close_time),
            "ProjectedRevenueHigh" => self.projected_revenue_high.clone(),
            "DateCreated" => json!(self.created_time),
            _ => return None,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PaymentMethods {
    #[serde(deserialize_with = "wire::or_default")]
    payment_methods: Vec<PaymentMethod>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PaymentMethod {
    #[serde(deserialize_with = "wire::text")]
    credit_card_id: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    card_info: CardInfo,
    #[serde(deserialize_with = "wire::text")]
    status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CardInfo {
    #[serde(deserialize_with = "wire::text")]
    brand: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    last_four: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    expiration_month: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    expiration_year: Option<String>,
}

impl PaymentMethod {
    fn column(&self, column: &str) -> Option<Value> {
        Some(match column {
            "Id" => json!(self.credit_card_id),
            "CardType" => json!(self.card_info.brand),
            "Last4" => json!(self.card_info.last_four),
            "ExpirationMonth" => json!(self.card_info.expiration_month),
            "ExpirationYear" => json!(self.card_info.expiration_year),
            "Status" => json!(self.status),
            _ => return None,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Transactions {
    #[serde(deserialize_with = "wire::or_default")]
    transactions: Vec<Transaction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Transaction {
    #[serde(deserialize_with = "wire::text")]
    payment_id: Option<String>,
    amount: Value,
    #[serde(deserialize_with = "wire::text")]
    transaction_time: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    transaction_method: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    description: Option<String>,
    #[serde(deserialize_with = "wire::texts")]
    order_ids: Vec<String>,
}

impl Transaction {
    fn column(&self, column: &str) -> Option<Value> {
        Some(match column {
            "Id" => json!(self.payment_id),
            "PayAmt" => self.amount.clone(),
            "PayDate" => json!(self.transaction_time),
            "PayType" => json!(self.transaction_method),
            "PayNote" => json!(self.description),
            "InvoiceId" => json!(self.order_ids.first()),
            _ => return None,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EmailAddresses {
    #[serde(deserialize_with = "wire::or_default")]
    email_addresses: Vec<EmailAddress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EmailAddress {
    #[serde(deserialize_with = "wire::text")]
    last_click_time: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    last_open_time: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    last_sent_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Emails {
    #[serde(deserialize_with = "wire::or_default")]
    emails: Vec<Email>,
    #[serde(deserialize_with = "wire::text")]
    next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Email {
    #[serde(deserialize_with = "wire::text")]
    clicked_time: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_the_unit_that_people_use() {
        let money = |json: Value| serde_json::from_value::<Money>(json).unwrap().text();
        assert_eq!(money(json!({"amount": 14900, "currency_code": "USD"})), json!("149.00"));
        assert_eq!(money(json!({"amount": 5, "currency_code": "JPY"})), json!("5"));
        assert_eq!(money(json!({})), Value::Null);
    }

    #[test]
    fn an_unknown_column_is_told_apart_from_a_missing_record() {
        assert_eq!(
            column_of(Vec::<Subscription>::new(), |it| it.column("Status")),
            Some(Value::Null)
        );
        assert_eq!(
            column_of(Vec::<Subscription>::new(), |it| it.column("PaidThruDate")),
            None
        );
    }
}
