//! `/executions`: what ran, runs and waits (`api-automation` §5).

pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod retry;
pub(crate) mod stats;

use mfh_http::{ApiError, Core};
use mfh_types::{AccountId, Execution, ExecutionId};

/// The account's execution of this id, with or without its prefix.
///
/// # Errors
/// 404 for a missing or foreign one, or a text that is no id.
pub(crate) async fn find(core: &Core, account: &AccountId, id: &str) -> Result<Execution, ApiError> {
    let id = parse_id(id)?;
    let execution = core.database.executions().get(account, &id).await?;
    execution.ok_or_else(not_found)
}

fn parse_id(text: &str) -> Result<ExecutionId, ApiError> {
    ExecutionId::parse(text).map_err(|_| not_found())
}

fn not_found() -> ApiError {
    ApiError::not_found("Execution not found")
}
