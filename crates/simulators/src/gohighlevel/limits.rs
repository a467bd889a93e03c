//! Quotas: the headers on every answer, and a real limit when one is set.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::GoHighLevel;
use super::error::ApiError;
use crate::account::Failure as _;
use crate::limits::{DAY, Meter, Window};

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in ten seconds of the clock.
    pub per_ten_seconds: Option<u64>,
    /// Requests in one day of the clock.
    pub per_day: Option<u64>,
}

const TEN_SECONDS: Window = Window::OfClock(10);
const WHOLE_DAY: Window = Window::OfClock(DAY);
/// The documented limits of an app in one location.
const USUAL_TEN_SECONDS: u64 = 100;
const USUAL_DAY: u64 = 200_000;

fn add_headers(meter: &Meter<Limits>, headers: &mut HeaderMap, now: DateTime<Utc>) {
    let max = meter.limits.per_ten_seconds.unwrap_or(USUAL_TEN_SECONDS);
    let daily = meter.limits.per_day.unwrap_or(USUAL_DAY);
    for (name, value) in [
        ("x-ratelimit-max", max),
        (
            "x-ratelimit-remaining",
            max.saturating_sub(meter.used(TEN_SECONDS, now)),
        ),
        ("x-ratelimit-interval-milliseconds", 10_000),
        ("x-ratelimit-limit-daily", daily),
        (
            "x-ratelimit-daily-remaining",
            daily.saturating_sub(meter.used(WHOLE_DAY, now)),
        ),
    ] {
        headers.insert(HeaderName::from_static(name), value.into());
    }
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(crm): State<GoHighLevel>, request: Request, next: Next) -> Response {
    let now = crm.clock().now();
    let admitted = {
        let mut meter = crm.meter();
        let Limits {
            per_ten_seconds,
            per_day,
        } = meter.limits;
        meter.admit(&[(TEN_SECONDS, per_ten_seconds), (WHOLE_DAY, per_day)], now)
    };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(_) => (StatusCode::TOO_MANY_REQUESTS, Json(ApiError::usual_body(429))).into_response(),
    };
    add_headers(&crm.meter(), response.headers_mut(), now);
    response
}
