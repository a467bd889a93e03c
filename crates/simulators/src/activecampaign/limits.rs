//! The limit of requests a second, when one is set.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::ActiveCampaign;
use super::error::ApiError;
use crate::account::Failure as _;
use crate::limits::Window;

/// Limits to enforce; absent means that nothing is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in one second of the clock; the vendor allows five.
    pub per_second: Option<u64>,
}

const SECOND: Window = Window::OfClock(1);

/// The middleware that counts, refuses what is over the limit, and adds the headers.
pub(crate) async fn meter(State(crm): State<ActiveCampaign>, request: Request, next: Next) -> Response {
    let now = crm.clock().now();
    let quota = {
        let mut meter = crm.meter();
        let limit = meter.limits.per_second;
        limit.map(|limit| {
            let admitted = meter.admit(&[(SECOND, Some(limit))], now).is_ok();
            (admitted, limit, limit.saturating_sub(meter.used(SECOND, now)))
        })
    };
    let Some((admitted, limit, left)) = quota else {
        return next.run(request).await;
    };
    let mut response = if admitted {
        next.run(request).await
    } else {
        let mut refusal = (StatusCode::TOO_MANY_REQUESTS, Json(ApiError::usual_body(429))).into_response();
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
        refusal
    };
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", limit.into());
    headers.insert("ratelimit-remaining", left.into());
    response
}
