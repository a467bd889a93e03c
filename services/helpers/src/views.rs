//! Helpers and executions as clients see them.

use std::collections::BTreeMap;

use mfh_types::{
    AccountId, ApiKeyId, Attempt, ConfigFault, ConnectionId, Execution, ExecutionId, ExecutionOutput, ExecutionStatus,
    ExecutionSummary, Helper, HelperId, HelperStatus, HelperType, JsonObject, MeterState, ShortKey, Timestamp,
    TimestampMs, TriggerType, UserId,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::secrets;

/// A helper in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HelperItem {
    helper_id: HelperId,
    account_id: AccountId,
    created_by: UserId,
    short_key: ShortKey,
    name: String,
    description: String,
    helper_type: HelperType,
    category: String,
    status: HelperStatus,
    enabled: bool,
    connection_id: Option<ConnectionId>,
    execution_count: u64,
    last_executed_at: Option<Timestamp>,
    schedule_enabled: bool,
    cron_expression: Option<String>,
    last_scheduled_at: Option<Timestamp>,
    next_scheduled_at: Option<Timestamp>,
    /// What keeps a draft from running; empty for a complete helper.
    config_errors: Vec<ConfigFault>,
    /// Send it back as `version` or `If-Match` to change only what you have seen.
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A helper with its settings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HelperDetail {
    #[serde(flatten)]
    item: HelperItem,
    /// The settings; secrets are masked.
    #[schema(value_type = Object)]
    config: JsonObject,
    /// The form of the settings, as JSON Schema.
    #[schema(value_type = Object)]
    config_schema: Value,
}

impl From<Helper> for HelperItem {
    fn from(helper: Helper) -> Self {
        Self {
            helper_id: helper.helper_id,
            account_id: helper.account_id,
            created_by: helper.created_by,
            short_key: helper.short_key,
            name: helper.name,
            description: helper.description,
            helper_type: helper.helper_type,
            category: helper.category,
            status: helper.status,
            enabled: helper.enabled,
            connection_id: helper.connection_id,
            execution_count: helper.execution_count,
            last_executed_at: helper.last_executed_at,
            schedule_enabled: helper.schedule_enabled,
            cron_expression: helper.cron_expression,
            last_scheduled_at: helper.last_scheduled_at,
            next_scheduled_at: helper.next_scheduled_at,
            config_errors: helper.config_errors,
            version: helper.version,
            created_at: helper.created_at,
            updated_at: helper.updated_at,
        }
    }
}

impl From<Helper> for HelperDetail {
    fn from(mut helper: Helper) -> Self {
        let config_schema = schema_of(Some(&helper.helper_type));
        let config = std::mem::take(&mut helper.config);
        Self {
            config: secrets::masked(config, &config_schema),
            config_schema,
            item: helper.into(),
        }
    }
}

fn schema_of(helper_type: Option<&HelperType>) -> Value {
    helper_type
        .and_then(|name| mfh_helpers::find(name.as_str()))
        .map_or(Value::Null, mfh_helpers::Registration::config_schema)
}

/// An execution in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExecutionItem {
    execution_id: ExecutionId,
    helper_id: HelperId,
    helper_type: Option<HelperType>,
    /// The helper's name when the run was accepted.
    helper_name: Option<String>,
    account_id: AccountId,
    user_id: Option<UserId>,
    connection_id: Option<ConnectionId>,
    contact_id: Option<String>,
    status: ExecutionStatus,
    trigger_type: TriggerType,
    /// Why it failed.
    error_message: Option<String>,
    /// The same under the name that the reports page reads.
    error: Option<String>,
    /// Why it failed, for programs.
    error_code: Option<String>,
    duration_ms: Option<u64>,
    /// Attempts so far.
    attempt: u32,
    /// The execution that this one repeats or follows.
    parent_execution_id: Option<ExecutionId>,
    created_at: TimestampMs,
    /// When a worker first took it up.
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

impl From<ExecutionSummary> for ExecutionItem {
    fn from(summary: ExecutionSummary) -> Self {
        Self {
            execution_id: summary.execution_id,
            helper_id: summary.helper_id,
            helper_type: summary.helper_type,
            helper_name: summary.helper_name,
            account_id: summary.account_id,
            user_id: summary.user_id,
            connection_id: summary.connection_id,
            contact_id: summary.contact_id,
            status: summary.status,
            trigger_type: summary.trigger_type,
            error: summary.error_message.clone(),
            error_message: summary.error_message,
            error_code: summary.error_code,
            duration_ms: summary.duration_ms,
            attempt: summary.attempt,
            parent_execution_id: summary.parent_execution_id,
            created_at: summary.created_at,
            started_at: summary.started_at,
            completed_at: summary.completed_at,
        }
    }
}

/// An execution with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExecutionDetail {
    #[serde(flatten)]
    item: ExecutionItem,
    /// Data of the run.
    #[schema(value_type = Option<Object>)]
    input: Option<JsonObject>,
    /// What the run reported.
    output: Option<ExecutionOutput>,
    /// The query string of the trigger.
    query_params: Option<BTreeMap<String, String>>,
    /// The API key that started it.
    api_key_id: Option<ApiKeyId>,
    /// The helper's settings when the run was accepted; secrets are masked.
    #[schema(value_type = Object)]
    config: JsonObject,
    /// Attempts that did not end the run.
    attempts: Vec<Attempt>,
    /// Whether the run was reported for billing.
    stripe_reported: bool,
}

impl From<Execution> for ExecutionDetail {
    fn from(execution: Execution) -> Self {
        let schema = schema_of(execution.summary.helper_type.as_ref());
        Self {
            input: execution.input,
            output: execution.output,
            query_params: execution.query_params,
            api_key_id: execution.api_key_id,
            config: secrets::masked(execution.config, &schema),
            attempts: execution.attempts,
            stripe_reported: execution.meter_state == MeterState::Reported,
            item: execution.summary.into(),
        }
    }
}
