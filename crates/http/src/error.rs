//! Errors as clients see them: a status, a stable code and a text that says what to do (`api-identity` §1.2, U1).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use mfh_database::DatabaseError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What went wrong, stable across versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The request could not be read.
    BadRequest,
    /// A value is missing or not allowed; `fields` names it.
    ValidationFailed,
    /// No valid token or key was sent.
    Unauthenticated,
    /// E-mail, password or code is wrong.
    InvalidCredentials,
    /// The caller may not do this.
    Forbidden,
    /// The user belongs to no account.
    NoAccount,
    /// There is no such thing, or it is another tenant's.
    NotFound,
    /// The address exists, but not for this method.
    MethodNotAllowed,
    /// The request contradicts the present state.
    Conflict,
    /// The e-mail address belongs to another user.
    EmailExists,
    /// The account and user exist now, but signing in failed.
    AccountCreatedLoginFailed,
    /// The user has to choose a new password first.
    NewPasswordRequired,
    /// A code of the second factor is needed.
    MfaRequired,
    /// The plan includes no more of this resource.
    PlanLimitReached,
    /// Too many requests; `Retry-After` says when to come back.
    RateLimited,
    /// The body is too large.
    PayloadTooLarge,
    /// Another service refused or failed.
    UpstreamFailed,
    /// A service we depend on cannot be reached; try again.
    Unavailable,
    /// Prices or keys of the payment service are not set.
    BillingNotConfigured,
    /// The account already has a subscription.
    SubscriptionExists,
    /// The helper is switched off.
    HelperDisabled,
    /// The helper's configuration is not complete.
    HelperIncomplete,
    /// A fault of ours.
    Internal,
}

/// One wrong value of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// The path of the value, for example `config.rules[0].points`.
    pub field: String,
    /// What is expected.
    pub message: String,
}

impl FieldFault {
    /// A fault of this field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// The body of every error; `error` is always a text (DECISIONS 4).
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Always `false`.
    pub success: bool,
    /// What went wrong and what to do, for people.
    #[schema(value_type = String)]
    pub error: Cow<'static, str>,
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// The request, as our logs know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The wrong values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldFault>,
    /// Facts that help to go on, for example the limit that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
}

/// An error answer.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    code: ErrorCode,
    message: Cow<'static, str>,
    fields: Vec<FieldFault>,
    data: Option<Value>,
    retry_after_secs: Option<u64>,
    detail: Option<String>,
}

impl ApiError {
    /// An error of this status and code; `message` tells the reader what to do.
    pub fn new(status: StatusCode, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
            data: None,
            retry_after_secs: None,
            detail: None,
        }))
    }

    /// 400: the request could not be read.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, message)
    }

    /// 400 that names every wrong value; the text is that of the first.
    pub fn invalid(fields: Vec<FieldFault>) -> Self {
        let message = fields.first().map_or_else(
            || "The request is not valid".to_owned(),
            |first| format!("{}: {}", first.field, first.message),
        );
        let mut error = Self::new(StatusCode::BAD_REQUEST, ErrorCode::ValidationFailed, message);
        error.0.fields = fields;
        error
    }

    /// 400 for one wrong value.
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldFault::new(field, message)])
    }

    /// 401: no valid token or key.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorCode::Unauthenticated,
            "Authentication required: sign in again",
        )
    }

    /// 403.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message)
    }

    /// 404; a foreign thing answers exactly like a missing one.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
    }

    /// 409.
    pub fn conflict(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 413.
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::PayloadTooLarge,
            "The request body is too large; send a smaller one",
        )
    }

    /// 429 with the seconds to wait.
    pub fn rate_limited(retry_after_secs: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::RateLimited,
            "Too many requests; wait a moment and try again",
        )
        .retry_after(retry_after_secs)
    }

    /// 503 for a dependency that fails; `detail` is logged and never sent (C6, S21).
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "The service is not available for a moment; try again",
        )
        .retry_after(2)
        .detail(detail)
    }

    /// 500 for a fault of ours; `detail` is logged and never sent.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Internal,
            "Something went wrong on our side; try again, and tell us the request id if it stays",
        )
        .detail(detail)
    }

    /// Adds facts that help to go on.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        self.0.data = Some(data);
        self
    }

    /// Adds wrong values.
    #[must_use]
    pub fn fields(mut self, fields: Vec<FieldFault>) -> Self {
        self.0.fields = fields;
        self
    }

    /// Tells the client how many seconds to wait.
    #[must_use]
    pub fn retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after_secs = Some(secs);
        self
    }

    /// Adds a text for our log.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    pub(crate) fn log_detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The answer, with the id of its request where that is known.
    pub(crate) fn render(&self, request_id: Option<&str>) -> Response {
        let parts = &self.0;
        let body = ErrorBody {
            success: false,
            error: parts.message.clone(),
            code: parts.code,
            request_id: request_id.map(str::to_owned),
            fields: parts.fields.clone(),
            data: parts.data.clone(),
        };
        let mut response = (parts.status, axum::Json(body)).into_response();
        if let Some(secs) = parts.retry_after_secs {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

impl IntoResponse for ApiError {
    /// Leaves the error in the response's extensions, from which the request layer adds the request id and logs.
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::TooLarge => Self::too_large(),
            error => Self::unavailable(error.to_string()),
        }
    }
}
