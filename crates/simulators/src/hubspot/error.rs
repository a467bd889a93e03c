//! The vendor's error bodies.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::account::Failure;

/// The vendor names each request; here all have the same name.
pub(crate) const CORRELATION_ID: &str = "5f1d1f5a-0c3e-4b7d-9a51-6d1f0e7c2b48";

/// An error of the API: `{status, message, correlationId, category, subCategory?, errors?}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: StatusCode,
    message: String,
    category: &'static str,
    sub_category: Option<&'static str>,
}

impl ApiError {
    fn new(code: StatusCode, category: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            category,
            sub_category: None,
        }
    }

    /// 400: the request is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
    }

    /// 400: `property` has a value that is refused.
    pub(crate) fn property(property: &str, error: &str, message: impl std::fmt::Display) -> Self {
        let detail = json!([{ "isValid": false, "message": message.to_string(), "error": error, "name": property }]);
        Self::invalid(format!("Property values were not valid: {detail}"))
    }

    /// 400 with the vendor's finer category.
    pub(crate) fn in_detail(sub_category: &'static str, message: impl Into<String>) -> Self {
        Self {
            sub_category: Some(sub_category),
            ..Self::invalid(message)
        }
    }

    /// 404: there is no such `what`.
    pub(crate) fn missing(what: &str, id: impl std::fmt::Display) -> Self {
        let message = format!("{what} {id} was not found");
        Self::new(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", message)
    }

    /// 409: another contact has the address.
    pub(crate) fn exists(id: u64) -> Self {
        let message = format!("Contact already exists. Existing ID: {id}");
        Self::new(StatusCode::CONFLICT, "CONFLICT", message)
    }
}

impl Failure for ApiError {
    fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", "resource not found")
    }

    fn no_such_method() -> Self {
        let code = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(code, "METHOD_NOT_ALLOWED", "Method not allowed")
    }

    fn unreadable(error: &serde_json::Error) -> Self {
        Self::invalid(format!("Invalid input JSON: {error}"))
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal error")
    }

    fn usual_body(status: u16) -> Value {
        match status {
            401 => body(
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found or not valid.",
            ),
            403 => body(
                "MISSING_SCOPES",
                "This app hasn't been granted all required scopes to make this call.",
            ),
            404 => body("OBJECT_NOT_FOUND", "resource not found"),
            409 => body("CONFLICT", "The request conflicts with what is stored"),
            429 => limit_body("TEN_SECONDLY_ROLLING"),
            400 | 422 => body("VALIDATION_ERROR", "The request is not valid"),
            _ => body("INTERNAL_ERROR", "internal error"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = body(self.category, &self.message);
        if let Some(sub_category) = self.sub_category {
            body["subCategory"] = sub_category.into();
        }
        (self.code, Json(body)).into_response()
    }
}

/// An error body of this category.
pub(crate) fn body(category: &str, message: &str) -> Value {
    json!({ "status": "error", "message": message, "correlationId": CORRELATION_ID, "category": category })
}

/// The body for a used-up limit.
pub(crate) fn limit_body(policy: &str) -> Value {
    let mut body = body("RATE_LIMITS", "You have reached your limit.");
    body["errorType"] = "RATE_LIMIT".into();
    body["policyName"] = policy.into();
    body
}
