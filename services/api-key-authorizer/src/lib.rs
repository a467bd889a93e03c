//! The gateway's authorizer of API keys (`api-identity` §5, S2; DECISIONS 19).
//!
//! It authenticates the key and nothing else: which helper is meant, and whether the key may run it, is for the
//! handler. So its answer may be remembered by the key alone.

mod event;

use mfh_database::{Database, DatabaseError};
use mfh_types::{AccountStatus, ApiKey, ApiKeyPermission, ApiKeySecret, Clock, Timestamp};

pub use event::{Context, Decision, Request};

/// Decides whether the request carries a key that counts: active, not expired, of an active account.
///
/// # Errors
/// When a table cannot be asked: that is no verdict on the key, and must not be remembered as a denial.
pub async fn authorize(database: &Database, clock: &dyn Clock, request: &Request) -> Result<Decision, DatabaseError> {
    match identify(database, clock, request).await {
        Ok(Ok(key)) => Ok(Decision::allowed(&key)),
        Ok(Err(reason)) => {
            tracing::info!(reason, "an API key was refused");
            Ok(Decision::denied())
        }
        Err(error) if error.is_retryable() => Err(error),
        Err(error) => {
            tracing::error!(%error, "an API key was refused because of a record that cannot be read");
            Ok(Decision::denied())
        }
    }
}

/// The key that the request carries, or why it does not count.
async fn identify(
    database: &Database,
    clock: &dyn Clock,
    request: &Request,
) -> Result<Result<ApiKey, &'static str>, DatabaseError> {
    let Some(presented) = request.key() else {
        return Ok(Err("no key"));
    };
    let Some(secret) = ApiKeySecret::parse(presented) else {
        return Ok(Err("not a key"));
    };
    let keys = database.api_keys();
    let Some(key) = keys.by_hash_patiently(&secret.hash()).await? else {
        return Ok(Err("unknown key"));
    };
    let now = Timestamp::now(clock);
    if !key.is_usable(now) {
        return Ok(Err("revoked or expired key"));
    }
    let account = database.accounts().get(&key.account_id).await?;
    if !account.is_some_and(|account| account.status == AccountStatus::Active) {
        return Ok(Err("account not active"));
    }
    // Before the answer, since Lambda freezes the process after it. A failure refuses nobody.
    if let Err(error) = keys.touch(&key, now).await {
        tracing::warn!(%error, "the use of an API key was not noted");
    }
    Ok(Ok(key))
}

fn permission_name(permission: ApiKeyPermission) -> &'static str {
    match permission {
        ApiKeyPermission::ExecuteHelpers => "execute_helpers",
    }
}
