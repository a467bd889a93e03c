//! The quota of a minute: its headers on every answer, and a real limit when one is set.

use std::sync::{Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Ontraport;
use super::error::ApiError;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in a minute that begins with the first of them.
    pub per_minute: Option<u64>,
}

/// The documented limit of an account, told when none is set.
const DOCUMENTED: u64 = 180;
const MINUTE: i64 = 60;

/// Counts the requests of the present minute.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    limits: Limits,
    /// When the minute began, and the requests let in since.
    minute: Option<(DateTime<Utc>, u64)>,
}

/// What the headers tell.
struct Quota {
    limit: u64,
    used: u64,
    /// Seconds until the minute is over.
    reset: i64,
}

impl Meter {
    pub(crate) fn set(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request if it is let in.
    fn admit(&self, now: DateTime<Utc>) -> (bool, Quota) {
        let mut counts = self.lock();
        let age = |start: DateTime<Utc>| (now - start).num_seconds();
        let (start, used) = counts
            .minute
            .filter(|(start, _)| (0..MINUTE).contains(&age(*start)))
            .unwrap_or((now, 0));
        let admitted = counts.limits.per_minute.is_none_or(|limit| used < limit);
        let used = used + u64::from(admitted);
        counts.minute = Some((start, used));
        let quota = Quota {
            limit: counts.limits.per_minute.unwrap_or(DOCUMENTED),
            used,
            reset: MINUTE - age(start),
        };
        (admitted, quota)
    }
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(ontraport): State<Ontraport>, request: Request, next: Next) -> Response {
    let (admitted, quota) = ontraport.meter().admit(ontraport.clock().now());
    let mut response = if admitted {
        next.run(request).await
    } else {
        ApiError::too_many().into_response()
    };
    add_headers(response.headers_mut(), &quota);
    response
}

fn add_headers(headers: &mut HeaderMap, quota: &Quota) {
    headers.insert("x-rate-limit-limit", quota.limit.into());
    headers.insert("x-rate-limit-remaining", quota.limit.saturating_sub(quota.used).into());
    headers.insert("x-rate-limit-reset", quota.reset.into());
}
