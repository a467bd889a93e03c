//! The sweeper brings every execution that got stuck on its way (`pipeline` §4.4).

use std::sync::Arc;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use mfh_aws::Queues;
use mfh_database::{Database, DatabaseError, DueExecution, Finish, PENDING_SHARDS, Stalled};
use mfh_types::{Attempt, Clock, ExecutionError, ExecutionMessage, ExecutionStatus, MeterState, Timestamp};

use crate::send::Sender;

/// A lease is dead for good this long after its end.
const DEAD_LEASE_SECS: i64 = 120;

/// When to look again at an execution that was sent or still waits in a long queue.
const LOOK_AGAIN_SECS: i64 = 300;

/// An execution that pends longer than this is sent again even when its queue is not empty.
const LOST_AFTER_SECS: i64 = 3_600;

/// Runs whose leases died this often are given up.
const MAX_ATTEMPTS: u32 = 5;

/// Executions read from one shard at a time.
const PAGE: u32 = 100;

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Messages sent.
    pub sent: usize,
    /// Executions ended because their workers died too often.
    pub ended: usize,
    /// Executions that stay as they are.
    pub left: usize,
}

/// Looks once a minute at executions that are overdue.
#[derive(Debug, Clone)]
pub struct Sweeper {
    database: Database,
    sqs: aws_sdk_sqs::Client,
    queues: Queues,
    sender: Sender,
    clock: Arc<dyn Clock>,
}

impl Sweeper {
    /// A sweeper over these tables and queues.
    pub fn new(database: Database, sqs: aws_sdk_sqs::Client, queues: Queues, clock: Arc<dyn Clock>) -> Self {
        let sender = Sender::new(sqs.clone(), queues.clone());
        Self {
            database,
            sqs,
            queues,
            sender,
            clock,
        }
    }

    /// Handles everything that is due now.
    ///
    /// # Errors
    /// When the table is out of reach; what was handled until then stays handled.
    pub async fn sweep(&self) -> Result<Sweep, DatabaseError> {
        let mut sweep = Sweep::default();
        for shard in PENDING_SHARDS {
            loop {
                let now = self.clock.unix();
                let due = self.database.executions().due(shard, now, PAGE).await?;
                let last_page = due.len() < PAGE as usize;
                for item in due {
                    self.handle(item, now, &mut sweep).await?;
                }
                // Each handled execution leaves the page, being ended or due later.
                if last_page {
                    break;
                }
            }
        }
        Ok(sweep)
    }

    async fn handle(&self, due: DueExecution, now: i64, sweep: &mut Sweep) -> Result<(), DatabaseError> {
        match due.summary.status {
            ExecutionStatus::Waiting => self.send_again(&due, Stalled::Waiting, sweep).await,
            ExecutionStatus::Running if is_alive(&due, now) => self.leave(&due, sweep).await,
            ExecutionStatus::Running if due.summary.attempt >= MAX_ATTEMPTS => self.give_up(&due, sweep).await,
            ExecutionStatus::Running => {
                let died = Stalled::Running(Some(dead_attempt(&due, Timestamp::now(&*self.clock))));
                self.send_again(&due, died, sweep).await
            }
            _ => self.send_if_lost(&due, now, sweep).await,
        }
    }

    /// Opens the execution again and sends its message.
    async fn send_again(&self, due: &DueExecution, stalled: Stalled, sweep: &mut Sweep) -> Result<(), DatabaseError> {
        let now = Timestamp::now(&*self.clock);
        let next_look = now.0.timestamp() + LOOK_AGAIN_SECS;
        let executions = self.database.executions();
        let reopened = executions
            .reopen(&due.summary.execution_id, stalled, now, next_look)
            .await?;
        if let Some(message) = reopened.and_then(|execution| ExecutionMessage::of(&execution, now.0.into())) {
            sweep.sent += usize::from(self.sender.send(vec![message]).await.is_empty());
        }
        Ok(())
    }

    /// Sends the message of a pending execution again when its queue holds nothing, so that it must have been lost.
    async fn send_if_lost(&self, due: &DueExecution, now: i64, sweep: &mut Sweep) -> Result<(), DatabaseError> {
        let lost = now - due.summary.created_at.0.timestamp() > LOST_AFTER_SECS || self.queue_is_empty(due).await;
        if !lost {
            return self.leave(due, sweep).await;
        }
        let id = &due.summary.execution_id;
        let Some(execution) = self.database.executions().get_any(id).await? else {
            return Ok(());
        };
        if let Some(message) = ExecutionMessage::of(&execution, self.clock.now().into()) {
            sweep.sent += usize::from(self.sender.send(vec![message]).await.is_empty());
        }
        self.look_again(due).await
    }

    async fn leave(&self, due: &DueExecution, sweep: &mut Sweep) -> Result<(), DatabaseError> {
        sweep.left += 1;
        self.look_again(due).await
    }

    async fn look_again(&self, due: &DueExecution) -> Result<(), DatabaseError> {
        let executions = self.database.executions();
        executions
            .look_again(&due.summary.execution_id, self.clock.unix() + LOOK_AGAIN_SECS)
            .await
            .map(drop)
    }

    async fn give_up(&self, due: &DueExecution, sweep: &mut Sweep) -> Result<(), DatabaseError> {
        let message = "The run was interrupted several times and given up. Check what it did and run it again";
        let finish = Finish {
            status: ExecutionStatus::Failed,
            output: None,
            error: Some(ExecutionError::new("LEASE_EXPIRED", message)),
            duration_ms: None,
            meter_state: MeterState::None,
            refund: false,
        };
        let now = Timestamp::now(&*self.clock);
        let ended = self
            .database
            .executions()
            .end_unclaimed(&due.summary.execution_id, finish, now)
            .await?;
        sweep.ended += usize::from(ended);
        Ok(())
    }

    /// Whether the queue of the execution's type holds nothing, so that the message must have been lost. A queue that
    /// cannot be asked counts as not empty.
    async fn queue_is_empty(&self, due: &DueExecution) -> bool {
        let Some(helper_type) = &due.summary.helper_type else {
            return true;
        };
        let url = match self.queues.url(helper_type).await {
            Ok(url) => url,
            Err(error) => {
                tracing::warn!(%helper_type, %error, "the queue of a helper type cannot be found");
                return false;
            }
        };
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(counts.to_vec()))
            .send()
            .await;
        let attributes = match answer {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%helper_type, error = %DisplayErrorContext(&error), "the queue of a helper type cannot be asked");
                return false;
            }
        };
        counts
            .iter()
            .all(|name| attributes.get(name).is_none_or(|count| count == "0"))
    }
}

/// Whether the worker may still be at work.
fn is_alive(due: &DueExecution, now: i64) -> bool {
    due.lease_until.is_some_and(|until| until + DEAD_LEASE_SECS > now)
}

/// The attempt that ended with its worker.
fn dead_attempt(due: &DueExecution, now: Timestamp) -> Attempt {
    Attempt {
        n: due.summary.attempt,
        started_at: due.summary.started_at.unwrap_or(now),
        ended_at: Some(now),
        error: Some("The worker was interrupted".to_owned()),
    }
}
