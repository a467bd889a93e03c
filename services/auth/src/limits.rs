//! How often strangers may call the public routes (`api-identity` S20).

use aws_lc_rs::digest::{SHA256, digest};
use mfh_http::{ApiError, Core};
use mfh_types::Timestamp;

/// At most `count` calls in each window of `window_secs` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls that pass.
    pub count: u32,
    /// Length of the window in seconds.
    pub window_secs: i64,
}

impl Limit {
    const fn new(count: u32, window_secs: i64) -> Self {
        Self { count, window_secs }
    }
}

/// The limits of the public routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sign-ins for one e-mail address from one sender, answers to challenges included.
    pub login: Limit,
    /// Sign-ins from one sender, whatever the e-mail address.
    pub login_sender: Limit,
    /// Registrations from one sender.
    pub register: Limit,
    /// Reset codes for one e-mail address.
    pub forgot: Limit,
    /// Tries of a reset code for one e-mail address.
    pub reset: Limit,
    /// Refreshes from one sender.
    pub refresh: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login: Limit::new(10, 15 * 60),
            login_sender: Limit::new(50, 15 * 60),
            register: Limit::new(5, 60 * 60),
            forgot: Limit::new(3, 60 * 60),
            reset: Limit::new(10, 60 * 60),
            refresh: Limit::new(60, 60),
        }
    }
}

/// Counts one call of `caller` under `rule`.
///
/// A counter that cannot be reached stops nobody: the user pool has its own brakes.
///
/// # Errors
/// 429 with the seconds until the window ends.
pub(crate) async fn throttle(core: &Core, rule: &str, limit: Limit, caller: &[&str]) -> Result<(), ApiError> {
    let now = core.clock.unix();
    let window = now.div_euclid(limit.window_secs);
    let ends_at = (window + 1) * limit.window_secs;
    // Hashed, so that the table holds neither addresses nor e-mail.
    let caller = hex::encode(digest(&SHA256, caller.join("\n").as_bytes()));
    let key = format!("auth:{rule}:{caller}:{window}");
    let counters = core.database.rate_limits();
    match counters.hit(&key, ends_at + 60, Timestamp::now(&*core.clock)).await {
        Ok(used) if used > limit.count => {
            let wait = u64::try_from(ends_at - now).unwrap_or(1).max(1);
            Err(ApiError::rate_limited(wait))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, rule, "a call was not counted");
            Ok(())
        }
    }
}
