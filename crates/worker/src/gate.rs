//! What may have happened between acceptance and run: a deleted or disabled helper, a suspended account, a deleted
//! connection.

use mfh_connectors::ErrorKind;
use mfh_database::Surroundings;
use mfh_types::{Account, AccountStatus, ExecutionError, ExecutionSummary};

/// What a run says whose connection cannot be used any more.
pub(crate) const CONNECTION_GONE: &str = "The connection was deleted or switched off before this run started";

/// Why the run is cancelled, or nothing when it may go on.
pub(crate) fn closed(run: &ExecutionSummary, found: &Surroundings) -> Option<ExecutionError> {
    let active = |account: &Account| account.status == AccountStatus::Active;
    let (code, message) = match &found.helper {
        None => ("HELPER_DELETED", "The helper was deleted before this run started"),
        Some(helper) if !helper.enabled => ("HELPER_DISABLED", "The helper was disabled before this run started"),
        Some(_) if !found.account.as_ref().is_some_and(active) => {
            ("ACCOUNT_INACTIVE", "The account was suspended before this run started")
        }
        Some(_) if run.connection_id.is_some() && found.connection.is_none() => {
            (ErrorKind::ConnectionNotFound.code(), CONNECTION_GONE)
        }
        Some(_) => return None,
    };
    Some(ExecutionError::new(code, message))
}
