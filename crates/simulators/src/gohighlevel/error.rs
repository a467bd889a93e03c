//! The vendor's error bodies.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::account::Failure;

/// An error of the API: `{statusCode, message, …}`, whose further members depend on the status.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Value,
}

impl ApiError {
    /// 400: the request is wrong, or what it speaks of does not exist.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status: StatusCode::BAD_REQUEST,
            body: json!({ "statusCode": 400, "message": message }),
        }
    }

    /// 400: there is no such `what`. The vendor answers no 404 for records.
    pub(crate) fn missing(what: &str) -> Self {
        Self::bad(format!("{what} not found"))
    }

    /// 400: the location forbids a second contact with this address or number.
    pub(crate) fn duplicate(contact_id: &str, matching: &str) -> Self {
        let mut error = Self::bad("This location does not allow duplicated contacts.");
        error.body["meta"] = json!({ "contactId": contact_id, "matchingField": matching });
        error
    }

    /// 401: the token, the scope or the location is wrong.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            body: json!({ "statusCode": 401, "message": message, "error": "Unauthorized" }),
        }
    }

    /// 422: a property of the body has a value that is refused.
    pub(crate) fn property(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            body: json!({ "statusCode": 422, "message": [message], "error": "Unprocessable Entity" }),
        }
    }
}

impl Failure for ApiError {
    fn no_such_path() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            body: json!({ "statusCode": 404, "message": "Cannot find this path", "error": "Not Found" }),
        }
    }

    fn no_such_method() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            body: json!({ "statusCode": 405, "message": "Method not allowed" }),
        }
    }

    fn unreadable(error: &serde_json::Error) -> Self {
        Self::property(format!("The request body is not valid: {error}"))
    }

    fn internal() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            body: Self::usual_body(500),
        }
    }

    fn usual_body(status: u16) -> Value {
        match status {
            401 => json!({ "statusCode": 401, "message": "Invalid JWT", "error": "Unauthorized" }),
            422 => json!({ "statusCode": 422, "message": ["The request is refused"], "error": "Unprocessable Entity" }),
            429 => json!({ "statusCode": 429, "message": "Too Many Requests" }),
            500.. => json!({ "statusCode": status, "message": "Internal server error", "traceId": "demo-trace" }),
            _ => json!({ "statusCode": status, "message": "The request could not be handled" }),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
