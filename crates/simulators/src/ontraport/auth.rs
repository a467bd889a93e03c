//! App id and key: one pair that opens the demo account.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// The app id of the demo account, sent as `Api-Appid`.
pub const APP_ID: &str = "2_187153_demo00000";
/// The key of the demo account, sent as `Api-Key`; it opens nothing but this simulator.
pub const API_KEY: &str = "ontraport-demo-key-0000000000";

/// The middleware that lets only this pair pass.
pub(crate) async fn require_key(request: Request, next: Next) -> Response {
    let sent = |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.as_bytes().to_vec());
    let app_id = sent(request.headers(), "api-appid");
    let key = sent(request.headers(), "api-key");
    if app_id.as_deref() == Some(APP_ID.as_bytes()) && key.as_deref() == Some(API_KEY.as_bytes()) {
        next.run(request).await
    } else {
        ApiError::unauthorized().into_response()
    }
}
