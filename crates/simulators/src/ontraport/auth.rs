//! App id and key: one pair that opens the demo account.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// The app id of the demo account, sent as `Api-Appid`.
pub const APP_ID: &str = "2_187153_demo00000";
/// The key of the demo account, sent as `Api-Key`; it opens nothing but this simulator.
pub const API_KEY: &str = "ontraport-demo-key-0000000000";

/// Only this pair passes.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<Response> {
    let is_sent = |name: &str, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    if is_sent("api-appid", APP_ID) && is_sent("api-key", API_KEY) {
        return None;
    }
    Some(ApiError::unauthorized().into_response())
}
