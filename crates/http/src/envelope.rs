//! The success envelope: `{"success":true,"message":…,"data":…}` (`api-identity` §1.2).

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every successful answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Envelope<T> {
    /// Always `true`.
    pub success: bool,
    /// A short text for people; no client may depend on it.
    pub message: String,
    /// What was asked for; absent when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<T>,
}

/// The `data` of answers that have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoData {}

/// A successful answer: a status and its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply<T> {
    /// The HTTP status, 2xx.
    pub status: StatusCode,
    /// The body.
    pub envelope: Envelope<T>,
}

impl<T> Reply<T> {
    /// An answer of this status, with data or without.
    pub fn new(status: StatusCode, message: impl Into<String>, data: Option<T>) -> Self {
        let envelope = Envelope {
            success: true,
            message: message.into(),
            data,
        };
        Self { status, envelope }
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        (self.status, axum::Json(self.envelope)).into_response()
    }
}

/// 200 with data.
pub fn ok<T>(message: impl Into<String>, data: T) -> Reply<T> {
    Reply::new(StatusCode::OK, message, Some(data))
}

/// 200 without data.
pub fn done(message: impl Into<String>) -> Reply<NoData> {
    Reply::new(StatusCode::OK, message, None)
}

/// 201 with what was made.
pub fn created<T>(message: impl Into<String>, data: T) -> Reply<T> {
    Reply::new(StatusCode::CREATED, message, Some(data))
}

/// 202 with what was accepted and happens later.
pub fn accepted<T>(message: impl Into<String>, data: T) -> Reply<T> {
    Reply::new(StatusCode::ACCEPTED, message, Some(data))
}
