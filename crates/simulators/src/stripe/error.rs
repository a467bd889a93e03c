//! The vendor's error bodies: `{"error": {type, code, message, param}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::account::Failure;

/// An error of the API.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
}

impl ApiError {
    fn new(status: StatusCode, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: "invalid_request_error",
            code,
            message: message.into(),
            param: None,
        }
    }

    fn on(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// 400: a parameter has a value that is refused.
    pub(crate) fn invalid(param: &str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message).on(param)
    }

    /// 400: there is no such parameter.
    pub(crate) fn unknown(param: &str) -> Self {
        let message = format!("Received unknown parameter: {param}");
        Self::invalid(param, Some("parameter_unknown"), message)
    }

    /// 404: there is no such customer, or not any more.
    pub(crate) fn no_such_customer(id: &str) -> Self {
        let message = format!("No such customer: '{id}'");
        Self::new(StatusCode::NOT_FOUND, Some("resource_missing"), message).on("id")
    }

    /// 401: no key, or one that is not valid.
    pub(crate) fn bad_key() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, None, "Invalid API Key provided")
    }

    /// 401: a key for browsers.
    pub(crate) fn publishable_key() -> Self {
        let message = "This API call cannot be made with a publishable API key. Please use a secret API key.";
        Self::new(StatusCode::UNAUTHORIZED, Some("secret_key_required"), message)
    }

    /// 400: an idempotency key was used for another request.
    pub(crate) fn other_request() -> Self {
        let message =
            "Keys for idempotent requests can only be used with the same parameters they were first used with.";
        Self {
            kind: "idempotency_error",
            ..Self::new(StatusCode::BAD_REQUEST, None, message)
        }
    }

    /// 429: too many requests.
    pub(crate) fn too_many() -> Self {
        let message = "Request rate limit exceeded.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, Some("rate_limit"), message)
    }

    fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = code.into();
        }
        if let Some(param) = &self.param {
            error["param"] = param.as_str().into();
        }
        json!({ "error": error })
    }
}

impl Failure for ApiError {
    fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, None, "Unrecognized request URL")
    }

    fn no_such_method() -> Self {
        Self::no_such_path()
    }

    fn unreadable(error: &serde_json::Error) -> Self {
        Self::invalid("limits", None, format!("The limits are not valid: {error}"))
    }

    fn internal() -> Self {
        Self {
            kind: "api_error",
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                None,
                "Something went wrong on our end.",
            )
        }
    }

    fn usual_body(status: u16) -> Value {
        match status {
            401 => ApiError::bad_key().body(),
            429 => ApiError::too_many().body(),
            400..=499 => json!({ "error": { "type": "invalid_request_error", "message": "The request was refused." } }),
            _ => json!({ "error": { "type": "api_error", "message": "Something went wrong on our end." } }),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
