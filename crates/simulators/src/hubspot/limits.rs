//! Quotas: the headers on every answer but those of searches, and a real limit when one is set.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::limit_body;
use super::{HubSpot, auth};

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

/// Counts requests in windows of the clock.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    limits: Limits,
    /// By kind: the number of the window and how many were let in.
    windows: BTreeMap<Kind, (i64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Search,
    TenSeconds,
    Day,
}

impl Kind {
    fn seconds(self) -> i64 {
        match self {
            Self::Search => 1,
            Self::TenSeconds => 10,
            Self::Day => 86_400,
        }
    }

    fn policy(self) -> &'static str {
        match self {
            Self::Search => "SECONDLY",
            Self::TenSeconds => "TEN_SECONDLY_ROLLING",
            Self::Day => "DAILY",
        }
    }
}

impl Counts {
    fn used(&self, kind: Kind, now: DateTime<Utc>) -> u64 {
        let window = now.timestamp().div_euclid(kind.seconds());
        let counted = self.windows.get(&kind).filter(|(counted, _)| *counted == window);
        counted.map_or(0, |(_, count)| *count)
    }

    fn limit(&self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Search => self.limits.searches_per_second,
            Kind::TenSeconds => self.limits.per_ten_seconds,
            Kind::Day => self.limits.per_day,
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

    /// Counts a request if it is let in, else tells the limit that it met.
    fn admit(&self, kinds: &[Kind], now: DateTime<Utc>) -> Result<(), Kind> {
        let mut counts = self.lock();
        let full = |kind: &&Kind| counts.limit(**kind).is_some_and(|max| counts.used(**kind, now) >= max);
        if let Some(kind) = kinds.iter().find(full) {
            return Err(*kind);
        }
        for kind in kinds {
            let used = counts.used(*kind, now) + 1;
            let window = now.timestamp().div_euclid(kind.seconds());
            counts.windows.insert(*kind, (window, used));
        }
        Ok(())
    }

    /// A private app has 190 requests in ten seconds and 650 000 a day, an OAuth app 110 in ten seconds; a limit that
    /// is set takes their place.
    fn add_headers(&self, headers: &mut HeaderMap, is_private: bool, now: DateTime<Utc>) {
        let counts = self.lock();
        let mut set = |name: &'static str, value: u64| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        };
        let max = counts
            .limit(Kind::TenSeconds)
            .unwrap_or(if is_private { 190 } else { 110 });
        set("x-hubspot-ratelimit-max", max);
        set(
            "x-hubspot-ratelimit-remaining",
            max.saturating_sub(counts.used(Kind::TenSeconds, now)),
        );
        set("x-hubspot-ratelimit-interval-milliseconds", 10_000);
        if is_private {
            let daily = counts.limit(Kind::Day).unwrap_or(650_000);
            set("x-hubspot-ratelimit-daily", daily);
            set(
                "x-hubspot-ratelimit-daily-remaining",
                daily.saturating_sub(counts.used(Kind::Day, now)),
            );
        }
    }
}

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(hubspot): State<HubSpot>, request: Request, next: Next) -> Response {
    let is_private = auth::bearer(request.headers()).is_some_and(|token| token.starts_with(auth::PRIVATE_PREFIX));
    let is_search = request.uri().path().ends_with("/contacts/search");
    let now = hubspot.clock().now();
    let kinds: &[Kind] = if is_search {
        &[Kind::Search]
    } else {
        &[Kind::TenSeconds, Kind::Day]
    };
    let mut response = match hubspot.meter().admit(kinds, now) {
        Ok(()) => next.run(request).await,
        Err(kind) => (StatusCode::TOO_MANY_REQUESTS, Json(limit_body(kind.policy()))).into_response(),
    };
    if !is_search {
        hubspot.meter().add_headers(response.headers_mut(), is_private, now);
    }
    response
}
