//! What may have happened between acceptance and run: a deleted or disabled helper, a suspended account.

use mfh_database::{Database, DatabaseError};
use mfh_types::{AccountStatus, Execution, ExecutionError};

/// Why the run is cancelled, or nothing when it may go on.
///
/// # Errors
/// When the tables are out of reach.
pub(crate) async fn closed(
    database: &Database,
    execution: &Execution,
) -> Result<Option<ExecutionError>, DatabaseError> {
    let run = &execution.summary;
    let (helpers, accounts) = (database.helpers(), database.accounts());
    let (helper, account) = tokio::try_join!(
        helpers.get(&run.account_id, &run.helper_id),
        accounts.get(&run.account_id)
    )?;
    let reason = match (helper, account) {
        (None, _) => ("HELPER_DELETED", "The helper was deleted before this run started"),
        (Some(helper), _) if !helper.enabled => ("HELPER_DISABLED", "The helper was disabled before this run started"),
        (_, Some(account)) if account.status == AccountStatus::Active => return Ok(None),
        _ => ("ACCOUNT_INACTIVE", "The account was suspended before this run started"),
    };
    Ok(Some(ExecutionError::new(reason.0, reason.1)))
}
