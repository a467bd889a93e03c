//! Which keys are accepted.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// The secret key that is valid here; it opens nothing but this simulator.
pub const SECRET_KEY: &str = "sk_test_demo0000000000000000";
/// A publishable key, which may not use this part of the API.
pub const PUBLISHABLE_KEY: &str = "pk_test_demo0000000000000000";

/// Only the secret key passes.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<Response> {
    let sent = headers.get(header::AUTHORIZATION);
    let key = sent.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match key {
        Some(SECRET_KEY) => None,
        Some(PUBLISHABLE_KEY) => Some(ApiError::publishable_key().into_response()),
        _ => Some(ApiError::bad_key().into_response()),
    }
}
