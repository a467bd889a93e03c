//! The vendor's error bodies.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::account::Failure;

/// An error of the API itself: `{code, message, status, details}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: StatusCode,
    message: String,
    details: Vec<Value>,
}

impl ApiError {
    fn new(code: StatusCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// 400: the request is wrong as a whole.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400: `property` has a value that is refused.
    pub(crate) fn property(property: &str, message: impl std::fmt::Display) -> Self {
        let mut error = Self::invalid(format!("{property}: {message}"));
        error
            .details
            .push(json!({ "domain": "validation", "resource": property }));
        error
    }

    /// 404: there is no such `what`.
    pub(crate) fn missing(what: &str, id: impl std::fmt::Display) -> Self {
        let mut error = Self::new(StatusCode::NOT_FOUND, format!("{what} {id} was not found"));
        error
            .details
            .push(json!({ "domain": what, "resource": id.to_string() }));
        error
    }

    /// 409: there is one already.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }
}

impl Failure for ApiError {
    fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The requested resource was not found")
    }

    fn no_such_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    fn unreadable(error: &serde_json::Error) -> Self {
        Self::invalid(format!("The request body is not valid: {error}"))
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }

    fn usual_body(status: u16) -> Value {
        match status {
            401 => gateway_body("Invalid Access Token", "keymanagement.service.invalid_access_token"),
            429 => quota_body(),
            502..=504 => gateway_body(
                "The Service is temporarily unavailable",
                "messaging.adaptors.http.flow.ServiceUnavailable",
            ),
            other => api_body(other, "The request could not be handled", Vec::new()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = api_body(self.code.as_u16(), &self.message, self.details);
        (self.code, Json(body)).into_response()
    }
}

fn api_body(code: u16, message: &str, details: Vec<Value>) -> Value {
    let status = match code {
        400 | 422 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        405 | 501 => "UNIMPLEMENTED",
        409 => "ALREADY_EXISTS",
        _ => "INTERNAL",
    };
    json!({ "code": code, "message": message, "status": status, "details": details })
}

/// The body that the gateway in front of the API sends.
pub(crate) fn gateway_body(fault: &str, code: &str) -> Value {
    json!({ "fault": { "faultstring": fault, "detail": { "errorcode": code } } })
}

/// The body for a used-up quota; here `code` is text.
pub(crate) fn quota_body() -> Value {
    json!({ "code": "429", "message": "Quota Exceeded", "status": "Request Throttled" })
}
