//! The limit per second, when one is set. Stripe tells no quota, only who went over it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Stripe;
use super::error::ApiError;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in one second of the clock.
    pub per_second: Option<u64>,
}

/// Counts the requests of the present second.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    limits: Limits,
    second: i64,
    admitted: u64,
}

impl Meter {
    pub(crate) fn set(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    /// Counts a request if it is let in.
    fn admit(&self, second: i64) -> bool {
        let mut counts = self.lock();
        if counts.second != second {
            (counts.second, counts.admitted) = (second, 0);
        }
        let admitted = counts.limits.per_second.is_none_or(|most| counts.admitted < most);
        counts.admitted += u64::from(admitted);
        admitted
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The middleware that refuses what is over the limit.
pub(crate) async fn meter(State(stripe): State<Stripe>, request: Request, next: Next) -> Response {
    if stripe.meter().admit(stripe.clock().unix()) {
        return next.run(request).await;
    }
    let mut response = ApiError::too_many().into_response();
    let reason = HeaderValue::from_static("global-rate");
    response.headers_mut().insert("stripe-rate-limited-reason", reason);
    response
}
