//! The stream router: new executions become messages in the queue of their type (`pipeline` §4.3).

use std::collections::HashMap;
use std::sync::Arc;

use mfh_aws::Queues;
use mfh_database::{Database, Finish};
use mfh_types::{
    Clock, ExecutionError, ExecutionId, ExecutionMessage, ExecutionStatus, MeterState, Timestamp, TimestampMs,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::send::Sender;

/// What Lambda hands over from the stream of the executions table.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct StreamEvent {
    /// The records in the order of the shard.
    #[serde(rename = "Records", default)]
    pub records: Vec<StreamRecord>,
}

/// One change of one item.
#[derive(Debug, Clone, Deserialize)]
pub struct StreamRecord {
    /// `INSERT`, `MODIFY` or `REMOVE`.
    #[serde(rename = "eventName")]
    pub event_name: String,
    /// The change.
    pub dynamodb: StreamImage,
}

/// The images of a change in DynamoDB JSON.
#[derive(Debug, Clone, Deserialize)]
pub struct StreamImage {
    /// The place in the shard.
    #[serde(rename = "SequenceNumber")]
    pub sequence_number: String,
    /// The item after the change.
    #[serde(rename = "NewImage", default)]
    pub new_image: Map<String, Value>,
}

/// Which records were not handled; Lambda repeats from the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StreamResponse {
    /// Sequence numbers.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<StreamFailure>,
}

/// A record that was not handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamFailure {
    /// Its sequence number.
    #[serde(rename = "itemIdentifier")]
    pub sequence_number: String,
}

/// Turns new executions into queue messages.
#[derive(Debug, Clone)]
pub struct Router {
    database: Database,
    sender: Sender,
    clock: Arc<dyn Clock>,
}

/// What a record asks for.
enum Route {
    Send(ExecutionMessage),
    /// The record names no type that this version has.
    UnknownType(ExecutionId, String),
    Skip,
}

impl Router {
    /// A router to these queues.
    pub fn new(database: Database, sqs: aws_sdk_sqs::Client, queues: Queues, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            sender: Sender::new(sqs, queues),
            clock,
        }
    }

    /// Routes a batch of records; those of one contact keep their order.
    pub async fn route(&self, event: StreamEvent) -> StreamResponse {
        let mut sequences: HashMap<ExecutionId, String> = HashMap::new();
        let mut messages = Vec::new();
        let mut response = StreamResponse::default();
        for record in event.records {
            let sequence = record.dynamodb.sequence_number.clone();
            match self.plan(&record) {
                Route::Skip => {}
                Route::Send(message) => {
                    sequences.insert(message.execution_id.clone(), sequence);
                    messages.push(message);
                }
                Route::UnknownType(id, helper_type) => {
                    if !self.end_unknown(&id, &helper_type).await {
                        response.failures.push(StreamFailure {
                            sequence_number: sequence,
                        });
                    }
                }
            }
        }
        for id in self.sender.send(messages).await {
            if let Some(sequence_number) = sequences.remove(&id) {
                response.failures.push(StreamFailure { sequence_number });
            }
        }
        response
    }

    fn plan(&self, record: &StreamRecord) -> Route {
        let image = &record.dynamodb.new_image;
        let is_new = record.event_name == "INSERT" && text(image, "status") == Some("pending");
        if !is_new {
            return Route::Skip;
        }
        let Some(id) = text(image, "execution_id").and_then(|id| ExecutionId::parse(id).ok()) else {
            tracing::error!("a stream record without an execution id is skipped");
            return Route::Skip;
        };
        let helper_type = text(image, "helper_type").unwrap_or_default();
        if mfh_helpers::find(helper_type).is_none() {
            return Route::UnknownType(id, helper_type.to_owned());
        }
        match message_of(image, self.clock.now().into()) {
            Ok(message) => Route::Send(message),
            Err(error) => {
                tracing::error!(execution_id = %id, %error, "a stream record that is no execution");
                Route::UnknownType(id, helper_type.to_owned())
            }
        }
    }

    /// Ends an execution that no worker can run; false when the table is out of reach.
    async fn end_unknown(&self, id: &ExecutionId, helper_type: &str) -> bool {
        let message = format!("Helper type \"{helper_type}\" is not known. Choose another helper");
        let finish = Finish {
            status: ExecutionStatus::Failed,
            output: None,
            error: Some(ExecutionError::new("UNKNOWN_HELPER_TYPE", message)),
            duration_ms: None,
            meter_state: MeterState::None,
            refund: true,
        };
        let now = Timestamp::now(&*self.clock);
        match self.database.executions().end_unclaimed(id, finish, now).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(execution_id = %id, %error, "an execution of unknown type could not be ended");
                false
            }
        }
    }
}

/// The message that a new item asks for.
fn message_of(image: &Map<String, Value>, now: TimestampMs) -> Result<ExecutionMessage, serde_json::Error> {
    let names = [
        "execution_id",
        "helper_type",
        "helper_id",
        "account_id",
        "connection_id",
        "contact_id",
        "user_id",
        "trigger_type",
    ];
    let mut message: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), json!(text(image, name)?))))
        .collect();
    let attempt = image
        .get("attempt")
        .and_then(|value| value["N"].as_str())
        .and_then(|number| number.parse::<u32>().ok());
    message.insert("attempt".to_owned(), json!(attempt.unwrap_or_default()));
    message.insert("enqueued_at".to_owned(), json!(now));
    serde_json::from_value(Value::Object(message))
}

fn text<'a>(image: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    image.get(name)?.get("S")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_becomes_an_envelope_without_config_and_input() {
        let image = json!({
            "execution_id": {"S": "exec:1"}, "helper_type": {"S": "tag_it"}, "helper_id": {"S": "helper:1"},
            "account_id": {"S": "account:1"}, "connection_id": {"NULL": true}, "contact_id": {"S": "12"},
            "trigger_type": {"S": "api"}, "attempt": {"N": "0"}, "config": {"M": {"api_key": {"S": "hidden"}}},
        });
        let Value::Object(image) = image else {
            panic!("an object")
        };
        let message = message_of(&image, TimestampMs(chrono::DateTime::UNIX_EPOCH)).unwrap();
        assert_eq!(message.connection_id, None);
        assert_eq!(message.deduplication_id(), "exec:1:0");
        assert!(!serde_json::to_string(&message).unwrap().contains("hidden"));
    }
}
