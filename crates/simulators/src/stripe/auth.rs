//! Which keys are accepted.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Stripe;
use super::error::ApiError;

/// The secret key that is valid here; it opens nothing but this simulator.
pub const SECRET_KEY: &str = "sk_test_demo0000000000000000";
/// A publishable key, which may not use this part of the API.
pub const PUBLISHABLE_KEY: &str = "pk_test_demo0000000000000000";

/// The middleware that lets only the secret key pass.
pub(crate) async fn require_key(State(_stripe): State<Stripe>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION);
    let key = sent.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match key {
        Some(SECRET_KEY) => next.run(request).await,
        Some(PUBLISHABLE_KEY) => ApiError::publishable_key().into_response(),
        _ => ApiError::bad_key().into_response(),
    }
}
