//! The SQS event of an event source mapping and its partial batch response, as far as the worker reads them.

use serde::{Deserialize, Serialize};

/// A batch of messages.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SqsEvent {
    /// The messages in the order of their groups.
    #[serde(rename = "Records", default)]
    pub records: Vec<Delivery>,
}

/// One delivery of a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The id of the message.
    pub message_id: String,
    /// The handle of this delivery.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// System attributes.
    #[serde(default)]
    pub attributes: DeliveryAttributes,
    /// The queue it came from.
    #[serde(rename = "eventSourceARN", default)]
    pub event_source_arn: String,
}

/// System attributes of a message.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeliveryAttributes {
    /// How often it was received, this time included; a number in text.
    #[serde(rename = "ApproximateReceiveCount", default)]
    pub receive_count: String,
    /// Its FIFO group.
    #[serde(rename = "MessageGroupId", default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
}

impl Delivery {
    /// The name of the queue it came from.
    pub fn queue(&self) -> &str {
        self.event_source_arn.rsplit(':').next().unwrap_or_default()
    }

    /// How often the message was received, this time included.
    pub fn receive_count(&self) -> u32 {
        self.attributes.receive_count.parse().unwrap_or(1)
    }
}

/// Which messages of a batch were not handled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// They stay in the queue.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A message that stays in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// The id of the message.
    pub item_identifier: String,
}

impl BatchResponse {
    /// Leaves a message in the queue.
    pub fn fail(&mut self, message_id: &str) {
        self.batch_item_failures.push(ItemFailure {
            item_identifier: message_id.to_owned(),
        });
    }
}
