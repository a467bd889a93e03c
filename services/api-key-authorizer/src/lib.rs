//! The gateway's authorizer of API keys (`api-identity` §5, S2; DECISIONS 19).
//!
//! It authenticates the key and nothing else: which helper is meant, and whether the key may run it, is for the
//! handler. So its answer may be remembered by the key alone.

mod event;

use mfh_database::{Database, DatabaseError};
use mfh_types::{ApiKeyPermission, Clock, Timestamp};

pub use event::{Context, Decision, Request};

/// Decides whether the request carries a key that counts: active, not expired, of an active account.
///
/// # Errors
/// When a table cannot be asked: that is no verdict on the key, and must not be remembered as a denial.
pub async fn authorize(database: &Database, clock: &dyn Clock, request: &Request) -> Result<Decision, DatabaseError> {
    let presented = request.key().unwrap_or_default();
    match database.api_keys().identify(presented, Timestamp::now(clock)).await {
        Ok(Ok((key, _))) => Ok(Decision::allowed(&key)),
        Ok(Err(reason)) => {
            tracing::info!(%reason, "an API key was refused");
            Ok(Decision::denied())
        }
        Err(error) if error.is_retryable() => Err(error),
        Err(error) => {
            tracing::error!(%error, "an API key was refused because of a record that cannot be read");
            Ok(Decision::denied())
        }
    }
}

fn permission_name(permission: ApiKeyPermission) -> &'static str {
    match permission {
        ApiKeyPermission::ExecuteHelpers => "execute_helpers",
    }
}
