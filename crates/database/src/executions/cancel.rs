//! Cancelling an execution that has not begun.

use mfh_types::{AccountId, Execution, ExecutionId, ExecutionStatus, Timestamp};

use super::{Executions, OPEN_ONLY, PENDING_WORDS};
use crate::DatabaseError;
use crate::expression::Update;
use crate::transaction::transact;

/// How often a cancellation is tried while the execution changes.
const TRIES: u32 = 4;

/// What became of a cancellation.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancellation {
    /// It is cancelled; this is the execution now.
    Cancelled(Box<Execution>),
    /// It runs or has ended.
    NotCancellable(ExecutionStatus),
    /// The account has no such execution.
    Missing,
}

impl Executions<'_> {
    /// Cancels an execution that is pending or waiting; one that never began is given back to the month's usage, once
    /// and only while that month lasts (DECISIONS 12).
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn cancel(
        &self,
        account: &AccountId,
        id: &ExecutionId,
        now: Timestamp,
    ) -> Result<Cancellation, DatabaseError> {
        let mut refund = true;
        for _ in 0..TRIES {
            let Some(mut execution) = self.get(account, id).await? else {
                return Ok(Cancellation::Missing);
            };
            let status = execution.summary.status;
            if !matches!(status, ExecutionStatus::Pending | ExecutionStatus::Waiting) {
                return Ok(Cancellation::NotCancellable(status));
            }
            let mut writes = vec![self.cancel_action(account, &execution, now)?];
            let began = execution.summary.attempt > 0;
            if let Some(period) = execution.usage_period.as_deref().filter(|_| refund && !began) {
                writes.push(self.refund_action(account, period)?);
            }
            match transact(&self.0.client, writes).await? {
                Ok(()) => {
                    close(&mut execution, now);
                    return Ok(Cancellation::Cancelled(Box::new(execution)));
                }
                // The month is over: there is nothing to give back to.
                Err(refusals) if !refusals.refused(0) => refund = false,
                Err(_) => {}
            }
        }
        Err(DatabaseError::Conflict)
    }

    fn cancel_action(
        self,
        account: &AccountId,
        seen: &Execution,
        now: Timestamp,
    ) -> Result<aws_sdk_dynamodb::types::TransactWriteItem, DatabaseError> {
        let attempt = if seen.summary.attempt == 0 {
            "(attribute_not_exists(#attempt) OR #attempt = :attempt)"
        } else {
            "#attempt = :attempt"
        };
        let condition = self
            .table()
            .exists()
            .and("#account_id = :account AND #status IN (:pending, :queued, :waiting)")
            .and(attempt)
            .bind("account", account)
            .bind("pending", PENDING_WORDS[0])
            .bind("queued", PENDING_WORDS[1])
            .bind("waiting", ExecutionStatus::Waiting)
            .bind("attempt", seen.summary.attempt);
        let update = Update::when(condition)
            .set("status", ExecutionStatus::Cancelled)
            .set("completed_at", now)
            .remove(&OPEN_ONLY);
        self.table()
            .update_action(&[seen.summary.execution_id.as_str()], update)
    }
}

/// The record as the cancellation leaves it.
fn close(execution: &mut Execution, now: Timestamp) {
    execution.summary.status = ExecutionStatus::Cancelled;
    execution.summary.completed_at = Some(now);
    execution.pending_shard = None;
    execution.next_action_at = None;
    execution.next_attempt_at = None;
    execution.lease_owner = None;
    execution.lease_until = None;
    execution.journal.clear();
}
