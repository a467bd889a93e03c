//! Errors carry two independent facts: what is wrong, and whether a repeat may help (`connectors` §1.4).

use std::fmt;
use std::time::Duration;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorKind {
    /// The vendor refused the values (400, 422), or we did before asking.
    InvalidInput,
    /// The credentials are not accepted (401).
    Unauthorized,
    /// The credentials do not reach this (403).
    Forbidden,
    /// There is no such thing (404).
    NotFound,
    /// It exists already (409 and the vendors' duplicate codes).
    Conflict,
    /// Too many requests (429).
    RateLimited,
    /// The vendor is down (5xx, 408, 425).
    Unavailable,
    /// No connection, or it broke.
    Network,
    /// No answer in time.
    Timeout,
    /// An answer that is not what the vendor describes.
    Protocol,
    /// Some parts were done, others not.
    Partial,
    /// The CRM has no such field.
    UnknownField,
    /// The CRM cannot do this.
    Unsupported,
    /// A credential or setting is missing.
    NotConfigured,
    /// The connection does not exist, or is another account's.
    ConnectionNotFound,
    /// The connection is switched off or being deleted.
    ConnectionDisabled,
    /// The user has to sign in at the vendor again.
    ConnectionReauthRequired,
}

impl ErrorKind {
    /// The stable code in answers and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidInput => "INVALID_INPUT",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Network => "NETWORK",
            Self::Timeout => "TIMEOUT",
            Self::Protocol => "PROTOCOL",
            Self::Partial => "PARTIAL",
            Self::UnknownField => "UNKNOWN_FIELD",
            Self::Unsupported => "UNSUPPORTED",
            Self::NotConfigured => "NOT_CONFIGURED",
            Self::ConnectionNotFound => "CONNECTION_NOT_FOUND",
            Self::ConnectionDisabled => "CONNECTION_DISABLED",
            Self::ConnectionReauthRequired => "CONNECTION_REAUTH_REQUIRED",
        }
    }
}

/// Whether a write that failed may have been applied all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteOutcome {
    /// It was not applied.
    NotApplied,
    /// Nobody knows: the answer was lost or the vendor failed after it had the request.
    Unknown,
}

/// An operation of a connector failed.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// A sentence for the user, without secrets and contact data.
    pub message: String,
    /// The vendor's HTTP status, if it answered.
    pub status: Option<u16>,
    /// The slug of the platform.
    pub platform: &'static str,
    /// How long the vendor asked us to wait.
    pub retry_after: Option<Duration>,
    /// Nothing but a limit stood in the way: the vendor was not asked, or its quota of the day is used up. Waiting is
    /// all that it takes, so this does not count as a try.
    pub held_back: bool,
    /// Whether the write may have been applied.
    pub outcome: WriteOutcome,
    /// The vendor's own error code.
    pub vendor_code: Option<String>,
    /// The contact that exists already (`Conflict`) or was created before a part failed (`Partial`).
    pub contact_id: Option<String>,
}

impl ConnectorError {
    /// An error of this kind; nothing was applied.
    pub fn new(platform: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            platform,
            retry_after: None,
            held_back: false,
            outcome: WriteOutcome::NotApplied,
            vendor_code: None,
            contact_id: None,
        }
    }

    /// The CRM cannot do this.
    pub fn unsupported(platform: &'static str, what: &str) -> Self {
        Self::new(
            platform,
            ErrorKind::Unsupported,
            format!("{platform} does not support {what}"),
        )
    }

    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Network | ErrorKind::Timeout
        )
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectorError {}
