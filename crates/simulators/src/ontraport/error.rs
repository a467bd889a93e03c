//! The vendor's failures: plain text beside a status.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::account::Failure;

/// A failure of the API.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// 400: the request is wrong as a whole.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: app id and key do not belong together.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Your App ID and API key do not authenticate.")
    }

    /// 404: there is no such record.
    pub(crate) fn missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object not found")
    }

    /// 422: `property` cannot be written so.
    pub(crate) fn property(property: &str, expected: &str) -> Self {
        let message = format!("Invalid value for {property}: {expected}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 429: the minute's requests are used up.
    pub(crate) fn too_many() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded")
    }
}

impl Failure for ApiError {
    fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Endpoint not found")
    }

    fn no_such_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    fn unreadable(error: &serde_json::Error) -> Self {
        Self::invalid(format!("The body is not valid: {error}"))
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }

    fn usual_body(status: u16) -> Value {
        let text = match status {
            401 => "Your App ID and API key do not authenticate.",
            403 => "You do not have permission to do this.",
            404 => "Object not found",
            429 => "Rate limit exceeded",
            400 | 422 => "Invalid request",
            _ => "Internal server error",
        };
        Value::from(text)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, self.message).into_response()
    }
}
