//! The limit of requests a second, when one is set.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::ActiveCampaign;
use super::error::usual_body;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in one second of the clock; the vendor allows five.
    pub per_second: Option<u64>,
}

/// Counts the requests of the present second.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    limits: Limits,
    second: i64,
    used: u64,
}

impl Meter {
    pub(crate) fn set(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request is let in, and the limit with what is left of it; none when there is no limit.
    fn admit(&self, second: i64) -> Option<(bool, u64, u64)> {
        let mut counts = self.lock();
        let limit = counts.limits.per_second?;
        if counts.second != second {
            (counts.second, counts.used) = (second, 0);
        }
        let admitted = counts.used < limit;
        counts.used += u64::from(admitted);
        Some((admitted, limit, limit - counts.used.min(limit)))
    }
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(crm): State<ActiveCampaign>, request: Request, next: Next) -> Response {
    let Some((admitted, limit, left)) = crm.meter().admit(crm.clock().now().timestamp()) else {
        return next.run(request).await;
    };
    let mut response = if admitted {
        next.run(request).await
    } else {
        let mut refusal = (StatusCode::TOO_MANY_REQUESTS, Json(usual_body(429))).into_response();
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
        refusal
    };
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", limit.into());
    headers.insert("ratelimit-remaining", left.into());
    response
}
