//! The vendor's error bodies.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::account::Failure;

/// A refusal: `{message}`, or `{errors: […]}` for a body that is understood but not accepted.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Value,
}

impl ApiError {
    fn message(status: StatusCode, message: impl Into<String>) -> Self {
        let body = json!({ "message": message.into() });
        Self { status, body }
    }

    /// 400: the request is wrong as a whole.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::message(StatusCode::BAD_REQUEST, message)
    }

    /// 403: it may not be done.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::message(StatusCode::FORBIDDEN, message)
    }

    /// 404: there is no such record of `model`.
    pub(crate) fn missing(model: &str, id: &str) -> Self {
        let message = format!("No Result found for {model} with id {id}");
        Self::message(StatusCode::NOT_FOUND, message)
    }

    /// 422: the member `attribute` is not accepted.
    pub(crate) fn invalid(attribute: &str, code: &str, title: impl Into<String>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            body: json!({ "errors": [{
                "title": title.into(), "detail": "", "code": code,
                "source": { "pointer": format!("/data/attributes/{attribute}") },
            }] }),
        }
    }

    /// 422: the body names a record that does not exist.
    pub(crate) fn related_missing(attribute: &str) -> Self {
        let title = format!("The related {attribute} does not exist.");
        Self::invalid(attribute, "related_missing", title)
    }

    /// 422 for a name that is taken, as the database words it.
    pub(crate) fn duplicate_entry(entry: &str, key: &str) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            body: json!({
                "message": "Could not process request",
                "error": format!("Duplicate entry '{entry}' for key '{key}'"),
            }),
        }
    }
}

impl Failure for ApiError {
    fn no_such_path() -> Self {
        Self::message(StatusCode::NOT_FOUND, "No route found")
    }

    fn no_such_method() -> Self {
        Self::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    fn unreadable(error: &serde_json::Error) -> Self {
        Self::malformed(format!("The request body is not valid: {error}"))
    }

    fn internal() -> Self {
        Self::message(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }

    fn usual_body(status: u16) -> Value {
        match status {
            422 => ApiError::invalid("contact", "field_invalid", "The request could not be handled.").body,
            429 => json!({ "message": "API rate limit exceeded" }),
            403 => json!({ "message": "You do not have permission to access this resource" }),
            _ => json!({ "message": "The request could not be handled" }),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
