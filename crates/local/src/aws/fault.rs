//! Failures of the JSON services, and how a typed operation becomes an answer.

use std::fmt::Display;
use std::path::Path;

use bytes::Bytes;
use http::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A failure as AWS names it.
#[derive(Debug)]
pub(super) struct Fault {
    status: u16,
    code: &'static str,
    message: String,
}

impl Fault {
    /// The caller's mistake, or a refusal.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    /// Our own failure with this file; the reason goes to the log.
    pub(super) fn internal(path: &Path, error: &dyn Display) -> Self {
        tracing::error!(path = %path.display(), %error, "cannot save");
        Self {
            status: 500,
            code: "InternalErrorException",
            message: "The change could not be saved; see the log of mfh.".to_owned(),
        }
    }

    /// An operation that this service does not have.
    pub(super) fn unknown_operation() -> Self {
        Self::new(
            "UnknownOperationException",
            "this operation does not exist on this machine",
        )
    }
}

/// Reads a request body; `code` is what the service calls a bad one.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8], code: &'static str) -> Result<T, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        // Other messages of the parser quote the value, which may be a password.
        let text = error.to_string();
        let reason = if text.starts_with("missing field") {
            text
        } else {
            format!("a member has the wrong type at column {}", error.column())
        };
        Fault::new(code, format!("The request is not valid: {reason}"))
    })
}

/// The answer to a request of the JSON protocols.
pub(super) fn respond(result: Result<Value, Fault>) -> Response<Bytes> {
    match result {
        Ok(body) => super::json(200, &body),
        Err(fault) => super::json_error(fault.status, fault.code, &fault.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Request {
        #[serde(rename = "Password")]
        _password: String,
    }

    #[test]
    fn a_bad_request_is_explained_without_its_values() {
        let missing = parse::<Request>(b"", "Bad").unwrap_err();
        assert!(missing.message.contains("Password"));
        let wrong = parse::<Request>(br#"{"Password":4711}"#, "Bad").unwrap_err();
        assert!(!wrong.message.contains("4711"));
    }
}
