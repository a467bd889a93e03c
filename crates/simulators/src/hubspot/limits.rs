//! Quotas: the headers on every answer but those of searches, and a real limit when one is set.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::limit_body;
use super::{HubSpot, auth};
use crate::limits::{DAY, Meter, Window};
use crate::params::bearer;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in ten seconds of the clock, searches left out.
    pub per_ten_seconds: Option<u64>,
    /// Requests in one day of the clock, searches left out.
    pub per_day: Option<u64>,
    /// Searches in one second of the clock.
    pub searches_per_second: Option<u64>,
}

const SEARCH: Window = Window::OfClock(1);
const TEN_SECONDS: Window = Window::OfClock(10);
const WHOLE_DAY: Window = Window::OfClock(DAY);

/// The name of the limit that was met.
fn policy(full: Window) -> &'static str {
    match full {
        SEARCH => "SECONDLY",
        TEN_SECONDS => "TEN_SECONDLY_ROLLING",
        _ => "DAILY",
    }
}

/// A private app has 190 requests in ten seconds and 650 000 a day, an OAuth app 110 in ten seconds; a limit that is
/// set takes their place.
fn add_headers(meter: &Meter<Limits>, headers: &mut HeaderMap, is_private: bool, now: DateTime<Utc>) {
    let mut set = |name: &'static str, value: u64| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    };
    let usual = if is_private { 190 } else { 110 };
    let max = meter.limits.per_ten_seconds.unwrap_or(usual);
    set("x-hubspot-ratelimit-max", max);
    set(
        "x-hubspot-ratelimit-remaining",
        max.saturating_sub(meter.used(TEN_SECONDS, now)),
    );
    set("x-hubspot-ratelimit-interval-milliseconds", 10_000);
    if is_private {
        let daily = meter.limits.per_day.unwrap_or(650_000);
        set("x-hubspot-ratelimit-daily", daily);
        set(
            "x-hubspot-ratelimit-daily-remaining",
            daily.saturating_sub(meter.used(WHOLE_DAY, now)),
        );
    }
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(hubspot): State<HubSpot>, request: Request, next: Next) -> Response {
    let is_private = bearer(request.headers()).is_some_and(|token| token.starts_with(auth::PRIVATE_PREFIX));
    let is_search = request.uri().path().ends_with("/contacts/search");
    let now = hubspot.clock().now();
    let admitted = {
        let mut meter = hubspot.meter();
        let limits = meter.limits;
        if is_search {
            meter.admit(&[(SEARCH, limits.searches_per_second)], now)
        } else {
            meter.admit(
                &[(TEN_SECONDS, limits.per_ten_seconds), (WHOLE_DAY, limits.per_day)],
                now,
            )
        }
    };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(full) => (StatusCode::TOO_MANY_REQUESTS, Json(limit_body(policy(full)))).into_response(),
    };
    if !is_search {
        add_headers(&hubspot.meter(), response.headers_mut(), is_private, now);
    }
    response
}
