//! Several writes that are made together or not at all.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use crate::DatabaseError;
use crate::retry::with_retries;
use crate::table::{Item, Refused};

/// Which writes of a transaction were refused by their conditions, in the order of the writes.
#[derive(Debug)]
pub(crate) struct Refusals(Vec<Option<Refused>>);

impl Refusals {
    /// The refusal of the write at this position.
    pub(crate) fn at(&self, position: usize) -> Option<&Refused> {
        self.0.get(position)?.as_ref()
    }

    /// Whether the write at this position was refused.
    pub(crate) fn refused(&self, position: usize) -> bool {
        self.at(position).is_some()
    }

    /// The item that refused the write at this position.
    pub(crate) fn item(&self, position: usize) -> Option<&Item> {
        self.at(position)?.0.as_ref()
    }

    /// The same, to keep.
    pub(crate) fn take_item(&mut self, position: usize) -> Option<Item> {
        self.0.get_mut(position)?.take()?.0
    }
}

/// Makes the writes together. Conflicts with other transactions are waited out.
pub(crate) async fn transact(
    client: &Client,
    writes: Vec<TransactWriteItem>,
) -> Result<Result<(), Refusals>, DatabaseError> {
    with_retries(|| async {
        let answer = client
            .transact_write_items()
            .set_transact_items(Some(writes.clone()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Ok(())),
            Err(SdkError::ServiceError(error)) => match error.into_err() {
                TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                    refusals(cancelled.cancellation_reasons.unwrap_or_default()).map(Err)
                }
                other => Err(DatabaseError::of_service("transaction", &other)),
            },
            Err(error) => Err(DatabaseError::of_call("transaction", &error)),
        }
    })
    .await
}

/// A refused condition decides, whatever else was wrong; else the first fault does.
fn refusals(reasons: Vec<CancellationReason>) -> Result<Refusals, DatabaseError> {
    let code = |reason: &CancellationReason| reason.code.clone().unwrap_or_default();
    if !reasons.iter().any(|reason| code(reason) == "ConditionalCheckFailed") {
        let fault = reasons
            .iter()
            .find(|reason| !matches!(code(reason).as_str(), "" | "None"));
        return Err(match fault {
            Some(reason) => DatabaseError::of_code(
                "transaction",
                &code(reason),
                reason.message.as_deref().unwrap_or_default(),
            ),
            None => DatabaseError::Unavailable("transaction cancelled without a reason".to_owned()),
        });
    }
    let refused = reasons
        .into_iter()
        .map(|reason| (code(&reason) == "ConditionalCheckFailed").then_some(Refused(reason.item)));
    Ok(Refusals(refused.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &str) -> CancellationReason {
        CancellationReason::builder().code(code).build()
    }

    #[test]
    fn a_refused_condition_decides_and_a_conflict_alone_is_repeated() {
        let found = refusals(vec![
            reason("None"),
            reason("ConditionalCheckFailed"),
            reason("TransactionConflict"),
        ]);
        let found = found.unwrap();
        assert!(!found.refused(0) && found.refused(1) && !found.refused(2));

        let conflict = refusals(vec![reason("None"), reason("TransactionConflict")]);
        assert_eq!(conflict.unwrap_err(), DatabaseError::Throttled);
        assert!(matches!(
            refusals(vec![reason("None"), reason("ValidationError")]).unwrap_err(),
            DatabaseError::Corrupt { .. }
        ));
    }
}
