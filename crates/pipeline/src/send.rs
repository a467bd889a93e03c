//! Putting execution messages into the queues of their types.

use std::collections::{HashMap, HashSet, VecDeque};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures::future::join_all;
use mfh_aws::Queues;
use mfh_types::{ExecutionId, ExecutionMessage, HelperType};

/// SQS takes at most this many messages a call.
const BATCH: usize = 10;

/// Sends messages to their queues.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: Client,
    queues: Queues,
}

impl Sender {
    pub(crate) fn new(client: Client, queues: Queues) -> Self {
        Self { client, queues }
    }

    /// Sends all messages, those of a group in order, and gives back the executions whose messages were not sent.
    ///
    /// A message is never sent before an earlier one of its group: after a failure the rest of the group fails too.
    pub(crate) async fn send(&self, messages: Vec<ExecutionMessage>) -> HashSet<ExecutionId> {
        let mut by_type: HashMap<HelperType, VecDeque<ExecutionMessage>> = HashMap::new();
        for message in messages {
            by_type
                .entry(message.helper_type.clone())
                .or_default()
                .push_back(message);
        }
        let sent = by_type
            .into_iter()
            .map(|(helper_type, messages)| self.send_to(helper_type, messages));
        join_all(sent).await.into_iter().flatten().collect()
    }

    async fn send_to(&self, helper_type: HelperType, mut messages: VecDeque<ExecutionMessage>) -> Vec<ExecutionId> {
        let url = match self.queues.url(&helper_type).await {
            Ok(url) => url,
            Err(error) => {
                tracing::error!(%helper_type, %error, "executions stay pending");
                return messages.into_iter().map(|message| message.execution_id).collect();
            }
        };
        let mut failed = Vec::new();
        let mut stopped: HashSet<String> = HashSet::new();
        while !messages.is_empty() {
            let (batch, rest) = next_batch(messages);
            messages = rest;
            let (stay, go): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .partition(|message| stopped.contains(&message.group_id()));
            failed.extend(stay.into_iter().map(|message| message.execution_id));
            for message in self.send_batch(&url, go).await {
                stopped.insert(message.group_id());
                failed.push(message.execution_id);
            }
        }
        failed
    }

    /// Sends up to ten messages and gives back those that were refused.
    async fn send_batch(&self, url: &str, batch: Vec<ExecutionMessage>) -> Vec<ExecutionMessage> {
        let entries: Option<Vec<_>> = batch
            .iter()
            .enumerate()
            .map(|(at, message)| entry(at, message))
            .collect();
        let Some(entries) = entries.filter(|entries| !entries.is_empty()) else {
            return batch;
        };
        let answer = self
            .client
            .send_message_batch()
            .queue_url(url)
            .set_entries(Some(entries))
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let refused: HashSet<&str> = answer.failed().iter().map(|failure| failure.id()).collect();
                for failure in answer.failed() {
                    tracing::warn!(code = failure.code(), "SQS refused a message");
                }
                let is_refused = |at: usize| refused.contains(at.to_string().as_str());
                batch
                    .into_iter()
                    .enumerate()
                    .filter(|(at, _)| is_refused(*at))
                    .map(|(_, message)| message)
                    .collect()
            }
            Err(error) => {
                tracing::warn!(error = %DisplayErrorContext(&error), "messages could not be sent");
                batch
            }
        }
    }
}

/// Up to ten messages, no two of one group, and the rest in order.
fn next_batch(messages: VecDeque<ExecutionMessage>) -> (Vec<ExecutionMessage>, VecDeque<ExecutionMessage>) {
    let mut batch = Vec::new();
    let mut rest = VecDeque::new();
    let mut groups = HashSet::new();
    for message in messages {
        let first_of_group = groups.insert(message.group_id());
        if first_of_group && batch.len() < BATCH {
            batch.push(message);
        } else {
            rest.push_back(message);
        }
    }
    (batch, rest)
}

fn entry(at: usize, message: &ExecutionMessage) -> Option<SendMessageBatchRequestEntry> {
    let attribute = |text: &str| {
        MessageAttributeValue::builder()
            .data_type("String")
            .string_value(text)
            .build()
            .ok()
    };
    SendMessageBatchRequestEntry::builder()
        .id(at.to_string())
        .message_body(serde_json::to_string(message).ok()?)
        .message_group_id(message.group_id())
        .message_deduplication_id(message.deduplication_id())
        .message_attributes("execution_id", attribute(message.execution_id.as_str())?)
        .message_attributes("helper_type", attribute(message.helper_type.as_str())?)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(id: &str, contact: &str) -> ExecutionMessage {
        serde_json::from_value(json!({
            "execution_id": id, "helper_type": "tag_it", "helper_id": "helper:1", "account_id": "account:1",
            "contact_id": contact, "trigger_type": "api",
        }))
        .unwrap()
    }

    #[test]
    fn a_batch_holds_one_message_a_group_and_the_rest_keeps_its_order() {
        let messages = [("1", "a"), ("2", "a"), ("3", "b"), ("4", "a"), ("5", "b")];
        let queue = messages.into_iter().map(|(id, contact)| message(id, contact)).collect();
        let ids = |messages: &[ExecutionMessage]| {
            messages
                .iter()
                .map(|message| message.execution_id.body().to_owned())
                .collect::<Vec<_>>()
        };
        let (batch, rest) = next_batch(queue);
        assert_eq!(ids(&batch), ["1", "3"]);
        let (batch, rest) = next_batch(rest);
        assert_eq!(ids(&batch), ["2", "5"]);
        let (batch, rest) = next_batch(rest);
        assert_eq!(ids(&batch), ["4"]);
        assert!(rest.is_empty());
    }
}
