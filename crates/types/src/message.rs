//! The queue message of an execution (`pipeline` §4.3).

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ConnectionId, Execution, ExecutionId, HelperId, HelperType, TimestampMs, TriggerType, UserId,
    blank_as_default, blank_as_none,
};

/// What the router sends: a small envelope; the worker reads the record itself by key.
///
/// The full stream image that an earlier version sent is a superset of these keys and is read as well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionMessage {
    /// Version of the envelope, 1; absent in a full image.
    #[serde(default = "version")]
    pub v: u32,
    /// The execution to run.
    pub execution_id: ExecutionId,
    /// Its type.
    pub helper_type: HelperType,
    /// Its helper.
    pub helper_id: HelperId,
    /// Its account.
    pub account_id: AccountId,
    /// The connection it works on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub connection_id: Option<ConnectionId>,
    /// The contact it works on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub contact_id: Option<String>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub user_id: Option<UserId>,
    /// What started it.
    pub trigger_type: TriggerType,
    /// Attempts made before this message.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub attempt: u32,
    /// When it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub enqueued_at: Option<TimestampMs>,
}

fn version() -> u32 {
    1
}

impl ExecutionMessage {
    /// The message that asks for this execution; `None` when the record names no helper type.
    pub fn of(execution: &Execution, enqueued_at: TimestampMs) -> Option<Self> {
        let run = &execution.summary;
        Some(Self {
            v: version(),
            execution_id: run.execution_id.clone(),
            helper_type: run.helper_type.clone()?,
            helper_id: run.helper_id.clone(),
            account_id: run.account_id.clone(),
            connection_id: run.connection_id.clone(),
            contact_id: run.contact_id.clone(),
            user_id: run.user_id.clone(),
            trigger_type: run.trigger_type,
            attempt: run.attempt,
            enqueued_at: Some(enqueued_at),
        })
    }

    /// The FIFO group: runs for the same contact of the same connection keep their order, all others are free.
    pub fn group_id(&self) -> String {
        let Some(contact) = &self.contact_id else {
            return self.execution_id.body().to_owned();
        };
        let connection = self.connection_id.as_ref().map_or("", ConnectionId::as_str);
        let text = format!("{}|{connection}|{contact}", self.account_id);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        hex::encode(digest)[..32].to_owned()
    }

    /// The deduplication id: one message an attempt.
    pub fn deduplication_id(&self) -> String {
        format!("{}:{}", self.execution_id, self.attempt)
    }
}
