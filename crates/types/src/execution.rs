//! Executions: table `executions` (`pipeline` §2, `data-model` §4.6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AccountId, ApiKeyId, ConnectionId, ExecutionId, HelperId, HelperType, JsonObject, Timestamp, TimestampMs, UserId,
    blank_as_default, blank_as_none,
};

/// Where an execution stands (`pipeline` §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Accepted, not started.
    #[serde(alias = "queued")]
    Pending,
    /// Not due yet: a delay or a long wait before the next attempt.
    Waiting,
    /// A worker holds its lease.
    Running,
    /// Ended: everything asked for was done.
    Completed,
    /// Ended: `error_message` says why.
    Failed,
    /// Ended before it did anything.
    Cancelled,
}

impl ExecutionStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Waiting,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether it is never left again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads a name; `queued` is an old word for `pending` (DECISIONS 1).
    pub fn parse(text: &str) -> Option<Self> {
        if text == "queued" {
            return Some(Self::Pending);
        }
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What started an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TriggerType {
    /// A user in the web app.
    Manual,
    /// An API key.
    Api,
    /// A schedule.
    Scheduled,
    /// Another helper.
    Chain,
    /// A user repeated an ended execution.
    Retry,
    /// An outside service.
    Webhook,
}

impl TriggerType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Api => "api",
            Self::Scheduled => "scheduled",
            Self::Chain => "chain",
            Self::Retry => "retry",
            Self::Webhook => "webhook",
        }
    }
}

/// Whether a finished run of a paid plan was reported for billing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MeterState {
    /// Nothing to report.
    #[default]
    None,
    /// To be reported.
    Pending,
    /// Reported.
    Reported,
    /// Deliberately not reported.
    Skipped,
}

/// Something a helper did, in the order of execution (`helpers/COMMON` §10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Action {
    /// What: `tag_applied`, `field_updated`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// On what.
    pub target: String,
    /// With which value.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Option<Object>)]
    pub value: Value,
}

/// What a run reports.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExecutionOutput {
    /// Whether everything asked for was done.
    pub success: bool,
    /// One sentence for the user.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub message: String,
    /// Values the helper computed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    #[schema(value_type = Option<Object>)]
    pub modified_data: Option<JsonObject>,
    /// What was done, in order.
    #[serde(
        default,
        deserialize_with = "blank_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub actions: Vec<Action>,
    /// What happened on the way.
    #[serde(
        default,
        deserialize_with = "blank_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub logs: Vec<String>,
    /// Whether the rest lies in `s3_key`, being too large for the record.
    #[serde(
        default,
        deserialize_with = "blank_as_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub truncated: bool,
    /// Where the whole output lies in the data bucket.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub s3_key: Option<String>,
}

/// Why a run ended as `failed`, or why an attempt did not end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionError {
    /// A stable code.
    pub code: String,
    /// One sentence for the user.
    pub message: String,
}

impl ExecutionError {
    /// An error with this code and text.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// One attempt to run an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attempt {
    /// 1 for the first.
    pub n: u32,
    /// When a worker claimed it.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub ended_at: Option<Timestamp>,
    /// Why it did not end the run.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub error: Option<String>,
}

/// What lists show of an execution: the attributes that the indexes project (`data-model` §1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionSummary {
    /// The id.
    pub execution_id: ExecutionId,
    /// The account it belongs to.
    pub account_id: AccountId,
    /// The helper that runs.
    pub helper_id: HelperId,
    /// Its type; absent on records that lack it, which the router ends.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub helper_type: Option<HelperType>,
    /// Its name when the run was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub helper_name: Option<String>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub user_id: Option<UserId>,
    /// The connection it works on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub connection_id: Option<ConnectionId>,
    /// The contact it works on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub contact_id: Option<String>,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// What started it.
    pub trigger_type: TriggerType,
    /// Why it failed, for the user.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub error_message: Option<String>,
    /// Why it failed, a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub error_code: Option<String>,
    /// Wall time of the last attempt in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub duration_ms: Option<u64>,
    /// When it was accepted: the sort key of the indexes.
    pub created_at: TimestampMs,
    /// When a worker first claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub completed_at: Option<Timestamp>,
    /// Attempts so far.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub attempt: u32,
    /// The execution that this one repeats or follows.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub parent_execution_id: Option<ExecutionId>,
}

/// One run of a helper, from acceptance to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// What lists show.
    #[serde(flatten)]
    pub summary: ExecutionSummary,
    /// The API key that started it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub api_key_id: Option<ApiKeyId>,
    /// The helper's settings, frozen when the run was accepted.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub config: JsonObject,
    /// Data of this run.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub input: Option<JsonObject>,
    /// The query string of the trigger.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub query_params: Option<BTreeMap<String, String>>,
    /// What the run reported.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "output_map_or_text"
    )]
    pub output: Option<ExecutionOutput>,
    /// Attempts that did not end the run.
    #[serde(
        default,
        deserialize_with = "blank_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub attempts: Vec<Attempt>,
    /// Steps of the run that must not be sent twice, by number (`helpers/COMMON` §13).
    #[serde(
        default,
        deserialize_with = "blank_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[serde(rename = "journal")]
    pub journal: BTreeMap<String, Value>,
    /// The worker that holds the lease.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub lease_owner: Option<String>,
    /// Until when, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub lease_until: Option<i64>,
    /// Not before this time, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub next_attempt_at: Option<i64>,
    /// When the router or sweeper put it into its queue, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub routed_at: Option<i64>,
    /// Set while the execution is not ended: the hash key of the sparse index that the sweeper reads.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub pending_shard: Option<String>,
    /// When the sweeper has to look at it, Unix seconds: the range key of that index.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub next_action_at: Option<i64>,
    /// The first execution of a chain.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub root_execution_id: Option<ExecutionId>,
    /// Steps from the first execution of a chain.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub chain_depth: u32,
    /// The month (`YYYY-MM`) whose counter this run was reserved in.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub usage_period: Option<String>,
    /// Whether a finished run of a paid plan was reported for billing.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub meter_state: MeterState,
    /// When the table forgets it, Unix seconds.
    pub ttl: i64,
}

/// Reads `output` as a map, or as the JSON text that an earlier version wrote.
fn output_map_or_text<'de, D>(deserializer: D) -> Result<Option<ExecutionOutput>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    use serde::de::Error;
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => serde_json::from_str(&text).map(Some).map_err(Error::custom),
        Some(value) => serde_json::from_value(value).map(Some).map_err(Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_record_with_nulls_blanks_and_text_output_is_read() {
        let record: Execution = serde_json::from_value(serde_json::json!({
            "execution_id": "exec:1", "account_id": "account:1", "helper_id": "helper:1",
            "helper_type": "tag_it", "status": "queued", "trigger_type": "api", "connection_id": "",
            "contact_id": null, "config": null, "input": null, "created_at": "2026-01-01T00:00:00Z",
            "output": "{\"success\":true,\"message\":\"ok\"}", "ttl": 5,
        }))
        .unwrap();
        assert_eq!(record.summary.status, ExecutionStatus::Pending);
        assert_eq!(record.summary.connection_id, None);
        assert!(record.config.is_empty());
        assert!(record.output.unwrap().success);
    }

    #[test]
    fn the_old_word_for_pending_is_understood() {
        assert_eq!(ExecutionStatus::parse("queued"), Some(ExecutionStatus::Pending));
        assert_eq!(ExecutionStatus::parse("done"), None);
        for status in ExecutionStatus::ALL {
            assert_eq!(ExecutionStatus::parse(status.as_str()), Some(status));
        }
    }
}
