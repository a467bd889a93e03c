//! The key that lets requests pass.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// The API key of the demo account; it opens nothing but this simulator.
pub const API_KEY: &str = "activecampaign-demo-00000000000000000000000000000000";

/// Only the key passes; without it the vendor speaks of a missing permission.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<Response> {
    if headers.get("api-token").is_some_and(|key| key == API_KEY) {
        return None;
    }
    Some(ApiError::forbidden("You do not have permission to access this resource").into_response())
}
