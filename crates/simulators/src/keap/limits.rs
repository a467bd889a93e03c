//! Quotas: the headers on every answer, and a real limit when one is set.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::quota_body;
use super::{Keap, auth};
use crate::limits::{DAY, Window};
use crate::params::bearer;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in one second of the clock.
    pub per_second: Option<u64>,
    /// Requests in one minute of the clock.
    pub per_minute: Option<u64>,
    /// Requests in one day of the clock.
    pub per_day: Option<u64>,
}

const SECOND: Window = Window::OfClock(1);
const MINUTE: Window = Window::OfClock(60);
const WHOLE_DAY: Window = Window::OfClock(DAY);

/// Requests used in the present minute and day.
struct Used {
    minute: u64,
    day: u64,
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(keap): State<Keap>, request: Request, next: Next) -> Response {
    let personal = bearer(request.headers()).is_some_and(|token| token.starts_with(auth::PERSONAL_PREFIX));
    let now = keap.clock().now();
    let (admitted, limits, used) = {
        let mut meter = keap.meter();
        let limits = meter.limits;
        let windows = [
            (SECOND, limits.per_second),
            (MINUTE, limits.per_minute),
            (WHOLE_DAY, limits.per_day),
        ];
        let admitted = meter.admit(&windows, now).is_ok();
        let used = Used {
            minute: meter.used(MINUTE, now),
            day: meter.used(WHOLE_DAY, now),
        };
        (admitted, limits, used)
    };
    let mut response = if admitted {
        next.run(request).await
    } else {
        (StatusCode::TOO_MANY_REQUESTS, Json(quota_body())).into_response()
    };
    add_headers(response.headers_mut(), personal, limits, &used, now);
    response
}

/// The documented limits: an OAuth app has 1500 a minute and 150 000 a day over all its tenants, a personal token
/// 240 and 30 000, a tenant 10 000 a minute. A limit that is set takes the place of the throttle or of the day, and
/// of the tenant's when it is higher.
fn add_headers(headers: &mut HeaderMap, personal: bool, limits: Limits, used: &Used, now: DateTime<Utc>) {
    let (minute, day) = if personal { (240, 30_000) } else { (1500, 150_000) };
    let midnight = (now.timestamp().div_euclid(DAY) + 1) * DAY;
    for (prefix, limit, unit, count) in [
        ("x-keap-product-quota", limits.per_day.unwrap_or(day), "day", used.day),
        (
            "x-keap-product-throttle",
            limits.per_minute.unwrap_or(minute),
            "minute",
            used.minute,
        ),
        (
            "x-keap-tenant-throttle",
            limits.per_minute.unwrap_or_default().max(10_000),
            "minute",
            used.minute,
        ),
    ] {
        let mut set = |name: &str, value: HeaderValue| {
            if let Ok(name) = HeaderName::try_from(format!("{prefix}-{name}")) {
                headers.insert(name, value);
            }
        };
        set("limit", limit.into());
        set("time-unit", HeaderValue::from_static(unit));
        set("interval", 1.into());
        set("available", limit.saturating_sub(count).into());
        set("used", count.into());
    }
    headers.insert("x-keap-product-quota-expiry-time", (midnight * 1000).into());
    headers.insert("x-keap-tenant-id", HeaderValue::from_static(super::TENANT_ID));
}
