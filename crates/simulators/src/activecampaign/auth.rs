//! The key that lets requests pass.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// The API key of the demo account; it opens nothing but this simulator.
pub const API_KEY: &str = "activecampaign-demo-00000000000000000000000000000000";

/// The middleware that lets only the key pass; without it the vendor speaks of a missing permission.
pub(crate) async fn require_key(request: Request, next: Next) -> Response {
    let sent = request.headers().get("api-token");
    if sent.is_some_and(|key| key.as_bytes() == API_KEY.as_bytes()) {
        return next.run(request).await;
    }
    ApiError::forbidden("You do not have permission to access this resource").into_response()
}
