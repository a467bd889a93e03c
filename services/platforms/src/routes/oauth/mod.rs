//! Signing in at a vendor by OAuth (`api-automation` §8.3; DECISIONS 31).

pub(crate) mod callback;
pub(crate) mod start;
mod upsert;

use aws_lc_rs::digest::{SHA256, digest};
use http::StatusCode;
use mfh_connectors::oauth::GrantError;
use mfh_database::DatabaseError;
use mfh_http::{ApiError, ErrorCode};

/// How long a sign-in may take, in seconds.
const STATE_SECS: i64 = 900;

/// The cookie that ties a sign-in to the browser that began it.
const COOKIE: &str = "__Host-mfh_oauth";

/// The name under which a random value is stored, so that the table does not tell it.
fn hash(value: &str) -> String {
    hex::encode(digest(&SHA256, value.as_bytes()))
}

/// Why a sign-in failed: shown as an error, or in the address that the user is sent to.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: ErrorCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, message)
    }

    fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message)
    }

    fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, ErrorCode::Conflict, message)
    }

    fn unavailable(detail: &dyn std::fmt::Display) -> Self {
        tracing::error!(%detail, "a sign-in could not be finished");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "The service is not available for a moment; start the sign-in again",
        )
    }

    /// What a refusal of the token endpoint means to the user.
    fn of_grant(platform: &str, error: &GrantError) -> Self {
        match error {
            GrantError::Refused(reason) => {
                tracing::warn!(platform, reason, "a code was refused");
                let message = format!("{platform} did not accept the sign-in. Start it again");
                Self::new(StatusCode::BAD_REQUEST, ErrorCode::UpstreamFailed, message)
            }
            GrantError::Client(reason) => {
                tracing::error!(platform, reason, "our OAuth client does not work");
                let message = format!("{platform} cannot be connected at the moment. Tell our support");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message)
            }
            GrantError::Unavailable { reason, .. } => {
                tracing::warn!(platform, reason, "the token endpoint failed");
                let message = format!("{platform} did not answer as it should. Start the sign-in again");
                Self::new(StatusCode::BAD_GATEWAY, ErrorCode::UpstreamFailed, message)
            }
        }
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.code, refusal.message)
    }
}
