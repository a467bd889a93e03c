//! What `get_the_first` and `get_the_last` share: one column of a contact's oldest or newest record.

use mfh_connectors::{End, Question, RecordKind};
use schemars::JsonSchema;
use serde::Deserialize;

use super::store;
use crate::settings::{FieldKey, Text};
use crate::{Context, HelperError, Outcome, values};

/// Kinds of records that belong to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Record {
    /// Invoices.
    Invoice,
    /// Orders.
    Job,
    /// Subscriptions.
    Subscription,
    /// Opportunities.
    Lead,
    /// Credit cards.
    CreditCard,
    /// Payments.
    Payment,
}

impl From<Record> for RecordKind {
    fn from(record: Record) -> Self {
        match record {
            Record::Invoice => Self::Invoice,
            Record::Job => Self::Job,
            Record::Subscription => Self::Subscription,
            Record::Lead => Self::Lead,
            Record::CreditCard => Self::CreditCard,
            Record::Payment => Self::Payment,
        }
    }
}

/// Copies a column of the record to a field of the contact; without one nothing is written.
pub(super) async fn copy(
    cx: &mut Context<'_>,
    record: Record,
    end: End,
    column: &Text,
    to: &FieldKey,
) -> Result<Outcome, HelperError> {
    let question = Question::Related {
        record: record.into(),
        end,
        column: column.as_str().to_owned(),
    };
    let answer = cx.ask(&question).await;
    let value = answer.map_err(|error| error.context(format!("{} of the record cannot be read", column.as_str())))?;
    let text = values::text(&value);
    if text.is_empty() {
        return Ok(Outcome::done(format!("There is no {} to copy", column.as_str())));
    }
    store(cx, to, text).await?;
    Ok(Outcome::done(format!("{} is copied to {to}", column.as_str())))
}
