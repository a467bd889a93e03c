//! A received message as Lambda hands it to a worker.

use mfh_local::aws::sqs::ReceivedMessage;
use mfh_worker::{Delivery, DeliveryAttributes};

pub fn delivery(message: &ReceivedMessage) -> Delivery {
    Delivery {
        message_id: message.message.message_id.clone(),
        receipt_handle: message.receipt.to_string(),
        body: message.message.body.clone(),
        attributes: DeliveryAttributes {
            receive_count: message.receive_count.to_string(),
            group_id: message.message.group.as_deref().map(str::to_owned),
        },
        event_source_arn: String::new(),
    }
}
