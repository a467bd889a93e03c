//! The consumer of all dead-letter queues: every execution comes to an end (`pipeline` §5).

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use mfh_database::{Database, Finish};
use mfh_types::{Clock, ExecutionError, ExecutionId, ExecutionStatus, MeterState, Timestamp};
use serde_json::Value;

/// A message that came into a dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetter<'a> {
    /// The queue's name.
    pub queue: &'a str,
    /// The message's id.
    pub message_id: &'a str,
    /// The message's body.
    pub body: &'a str,
}

/// Ends the executions of dead letters and keeps the letters for a replay.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    database: Database,
    s3: Client,
    bucket: String,
    clock: Arc<dyn Clock>,
}

impl DeadLetters {
    /// Letters are kept in `bucket` under `dlq/{queue}/`.
    pub fn new(database: Database, s3: Client, bucket: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            s3,
            bucket: bucket.into(),
            clock,
        }
    }

    /// Handles one letter; false when it has to come again.
    pub async fn handle(&self, letter: &DeadLetter<'_>) -> bool {
        tracing::error!(
            queue = letter.queue,
            message_id = letter.message_id,
            "a message came into a dead-letter queue"
        );
        if let Err(error) = self.keep(letter).await {
            tracing::error!(error, "the dead letter could not be kept");
            return false;
        }
        match execution_id(letter.body) {
            Some(id) => self.end(&id).await,
            None => true,
        }
    }

    async fn keep(&self, letter: &DeadLetter<'_>) -> Result<(), String> {
        self.s3
            .put_object()
            .bucket(&self.bucket)
            .key(format!("dlq/{}/{}.json", letter.queue, letter.message_id))
            .content_type("application/json")
            .body(ByteStream::from(letter.body.as_bytes().to_vec()))
            .send()
            .await
            .map(drop)
            .map_err(|error| DisplayErrorContext(&error).to_string())
    }

    async fn end(&self, id: &ExecutionId) -> bool {
        let message = "The run failed several times without an answer. Check what it did and run it again";
        let finish = Finish {
            status: ExecutionStatus::Failed,
            output: None,
            error: Some(ExecutionError::new("DEAD_LETTER", message)),
            duration_ms: None,
            meter_state: MeterState::None,
            refund: false,
        };
        let executions = self.database.executions();
        let now = Timestamp::now(&*self.clock);
        match executions.end_unclaimed(id, finish, now).await {
            Ok(true) => true,
            // Ended already, or gone: nothing to do. Under a live lease: the letter has to wait for its end.
            Ok(false) => match executions.get_any(id).await {
                Ok(found) => found.is_none_or(|execution| execution.summary.status.is_terminal()),
                Err(error) => {
                    tracing::warn!(execution_id = %id, %error, "the execution of a dead letter cannot be read");
                    false
                }
            },
            Err(error) => {
                tracing::error!(execution_id = %id, %error, "the execution of a dead letter could not be ended");
                false
            }
        }
    }
}

/// The execution that a body names, if it can be read at all.
fn execution_id(body: &str) -> Option<ExecutionId> {
    let body: Value = serde_json::from_str(body).ok()?;
    ExecutionId::parse(body.get("execution_id")?.as_str()?).ok()
}
