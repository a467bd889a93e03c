//! The quota of a minute: its headers on every answer, and a real limit when one is set.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Ontraport;
use super::error::ApiError;
use crate::limits::Window;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in a minute that begins with the first of them.
    pub per_minute: Option<u64>,
}

/// The documented limit of an account, told when none is set.
const DOCUMENTED: u64 = 180;
const MINUTE: Window = Window::FromFirst(60);

/// What the headers tell.
struct Quota {
    limit: u64,
    used: u64,
    /// Seconds until the minute is over.
    reset: i64,
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(ontraport): State<Ontraport>, request: Request, next: Next) -> Response {
    let now = ontraport.clock().now();
    let (admitted, quota) = {
        let mut meter = ontraport.meter();
        let limit = meter.limits.per_minute;
        let admitted = meter.admit(&[(MINUTE, limit)], now).is_ok();
        let quota = Quota {
            limit: limit.unwrap_or(DOCUMENTED),
            used: meter.used(MINUTE, now),
            reset: meter.rest(MINUTE, now),
        };
        (admitted, quota)
    };
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
