//! The limit per second, when one is set. Stripe tells no quota, only who went over it.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Stripe;
use super::error::ApiError;
use crate::limits::Window;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in one second of the clock.
    pub per_second: Option<u64>,
}

/// The middleware that refuses what is over the limit.
pub(crate) async fn meter(State(stripe): State<Stripe>, request: Request, next: Next) -> Response {
    let now = stripe.clock().now();
    let admitted = {
        let mut meter = stripe.meter();
        let limit = meter.limits.per_second;
        meter.admit(&[(Window::OfClock(1), limit)], now)
    };
    if admitted.is_ok() {
        return next.run(request).await;
    }
    let mut response = ApiError::too_many().into_response();
    let reason = HeaderValue::from_static("global-rate");
    response.headers_mut().insert("stripe-rate-limited-reason", reason);
    response
}
