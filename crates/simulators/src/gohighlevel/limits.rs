//! Quotas: the headers on every answer, and a real limit when one is set.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::GoHighLevel;
use super::error::usual_body;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in ten seconds of the clock.
    pub per_ten_seconds: Option<u64>,
    /// Requests in one day of the clock.
    pub per_day: Option<u64>,
}

const WINDOW: i64 = 10;
const DAY: i64 = 86_400;
/// The documented limits of an app in one location.
const USUAL_WINDOW: u64 = 100;
const USUAL_DAY: u64 = 200_000;

/// Counts requests in windows of the clock.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    limits: Limits,
    /// Requests by window length in seconds: the window's number and how many were let in.
    windows: BTreeMap<i64, (i64, u64)>,
}

impl Counts {
    fn used(&self, length: i64, now: DateTime<Utc>) -> u64 {
        match self.windows.get(&length) {
            Some((window, count)) if *window == now.timestamp().div_euclid(length) => *count,
            _ => 0,
        }
    }

    /// Counts a request if it is let in.
    fn admit(&mut self, now: DateTime<Utc>) -> bool {
        let within = |limit: Option<u64>, length| limit.is_none_or(|max| self.used(length, now) < max);
        let admitted = within(self.limits.per_ten_seconds, WINDOW) && within(self.limits.per_day, DAY);
        if admitted {
            for length in [WINDOW, DAY] {
                let used = self.used(length, now) + 1;
                self.windows.insert(length, (now.timestamp().div_euclid(length), used));
            }
        }
        admitted
    }

    fn add_headers(&self, headers: &mut HeaderMap, now: DateTime<Utc>) {
        let window = self.limits.per_ten_seconds.unwrap_or(USUAL_WINDOW);
        let day = self.limits.per_day.unwrap_or(USUAL_DAY);
        for (name, value) in [
            ("x-ratelimit-max", window),
            ("x-ratelimit-remaining", window.saturating_sub(self.used(WINDOW, now))),
            ("x-ratelimit-interval-milliseconds", 10_000),
            ("x-ratelimit-limit-daily", day),
            ("x-ratelimit-daily-remaining", day.saturating_sub(self.used(DAY, now))),
        ] {
            headers.insert(HeaderName::from_static(name), value.into());
        }
    }
}

impl Meter {
    pub(crate) fn set(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(crm): State<GoHighLevel>, request: Request, next: Next) -> Response {
    let now = crm.clock().now();
    let admitted = crm.meter().lock().admit(now);
    let mut response = if admitted {
        next.run(request).await
    } else {
        (StatusCode::TOO_MANY_REQUESTS, Json(usual_body(429))).into_response()
    };
    crm.meter().lock().add_headers(response.headers_mut(), now);
    response
}
