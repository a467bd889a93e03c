//! What token endpoints answer, and what their refusals mean.

use std::time::Duration;

use mfh_types::{JsonObject, Secret};
use serde::Deserialize;
use serde_json::Value;

use crate::mask::{cut, mask};

/// An access token is taken for expired this long before its vendor does, in seconds.
const MARGIN_SECS: i64 = 30;

/// The longest life that we believe, in seconds; a larger number is taken for unknown.
const LONGEST_LIFE_SECS: i64 = 10 * 365 * 86_400;

/// Codes with which vendors say that a code or refresh token does not count: RFC 6749's, and HubSpot's of old.
const REFUSED: [&str; 2] = ["invalid_grant", "bad_refresh_token"];

/// Codes with which vendors say that it is our client that does not count.
const CLIENT: [&str; 2] = ["invalid_client", "unauthorized_client"];

/// Zoom's text for a spent refresh token, which comes with the code of a malformed request.
const ZOOM_SPENT: &str = "invalid token!";

/// Tokens as a token endpoint hands them out.
#[derive(Debug, Clone)]
pub struct Grant {
    /// For the API.
    pub access_token: Secret,
    /// For the next refresh; absent when the stored one stays good.
    pub refresh_token: Option<Secret>,
    /// When the access token ends, Unix seconds; absent when the vendor does not say.
    pub expires_at: Option<i64>,
    /// What was granted.
    pub scope: Option<String>,
    /// `Bearer`, as a rule.
    pub token_type: Option<String>,
    /// Everything else that the answer says, without tokens.
    pub claims: JsonObject,
}

/// Why there are no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The code or refresh token does not count (any more); asking again is in vain.
    #[error("the vendor refused the code or refresh token ({0})")]
    Refused(String),
    /// The vendor does not know our client id and secret, or none are set up.
    #[error("the vendor does not accept our client id and secret ({0})")]
    Client(String),
    /// The vendor could not be asked or did not answer as it should; asking later may help.
    #[error("{reason}")]
    Unavailable {
        /// What happened, for the log and the record.
        reason: String,
        /// How long the vendor asked us to wait.
        retry_after: Option<Duration>,
    },
}

impl GrantError {
    /// A failure that may pass.
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            retry_after: None,
        }
    }
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<Value>,
    #[serde(default)]
    scope: Option<Value>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(flatten)]
    claims: JsonObject,
}

/// Reads the body of a 2xx answer that was received at `now` (Unix seconds).
pub(super) fn tokens(body: &[u8], now: i64) -> Result<Grant, GrantError> {
    let strange = || GrantError::unavailable("the answer of the token endpoint is not the expected JSON");
    let mut tokens: Tokens = serde_json::from_slice(body).map_err(|_| strange())?;
    if tokens.access_token.trim().is_empty() {
        return Err(strange());
    }
    tokens.claims.remove("id_token");
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let scope = match tokens.scope {
        Some(Value::String(scope)) => Some(scope),
        Some(Value::Array(scopes)) => Some(Vec::from_iter(scopes.iter().filter_map(Value::as_str)).join(" ")),
        _ => None,
    };
    Ok(Grant {
        access_token: Secret::new(tokens.access_token),
        refresh_token: filled(tokens.refresh_token).map(Secret::new),
        expires_at: tokens.expires_in.as_ref().and_then(|life| ends_at(life, now)),
        scope: filled(scope),
        token_type: filled(tokens.token_type),
        claims: tokens.claims,
    })
}

/// When a token of this life ends; lives come as numbers and as texts.
fn ends_at(life: &Value, now: i64) -> Option<i64> {
    let secs = match life {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (1..=LONGEST_LIFE_SECS)
        .contains(&secs)
        .then(|| now + (secs - MARGIN_SECS).max(1))
}

/// What a refusal means. Wrong client credentials must not look like a dead sign-in: they would ask every user of the
/// platform to connect again.
pub(super) fn refusal(status: u16, retry_after: Option<Duration>, body: &[u8]) -> GrantError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_ascii_lowercase);
    let codes = ["error", "status", "code"].map(text);
    let is = |known: &[&str]| codes.iter().flatten().any(|code| known.contains(&code.as_str()));
    let said = codes.iter().flatten().next().map_or_else(
        || format!("status {status}"),
        |code| format!("status {status}, {}", cut(&mask(code, &Secret::new("")), 60)),
    );
    if is(&CLIENT) {
        return GrantError::Client(said);
    }
    let spent = text("reason").is_some_and(|reason| reason == ZOOM_SPENT);
    if is(&REFUSED) || spent || (status == 401 && codes.iter().all(Option::is_none)) {
        return GrantError::Refused(said);
    }
    GrantError::Unavailable {
        reason: format!("the token endpoint refused: {said}"),
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Grant, GrantError> {
        tokens(body.to_string().as_bytes(), 1_000)
    }

    #[test]
    fn tokens_are_read_in_the_spellings_of_the_vendors() {
        let grant = read(json!({
            "access_token": "a", "refresh_token": "r", "expires_in": "3600", "token_type": "bearer",
            "scope": ["x", "y"], "locationId": "L1", "id_token": "secret",
        }))
        .unwrap();
        assert_eq!(grant.access_token.expose(), "a");
        assert_eq!(grant.refresh_token.unwrap().expose(), "r");
        assert_eq!(grant.expires_at, Some(4_570));
        assert_eq!(grant.scope.as_deref(), Some("x y"));
        assert_eq!(Value::Object(grant.claims), json!({"locationId": "L1"}));
        let bare = read(json!({"access_token": "a", "refresh_token": "", "expires_in": 0})).unwrap();
        assert_eq!((bare.refresh_token, bare.expires_at), (None, None));
    }

    #[test]
    fn a_life_shorter_than_the_margin_ends_at_once_and_not_in_the_past() {
        let grant = read(json!({"access_token": "a", "expires_in": 10})).unwrap();
        assert_eq!(grant.expires_at, Some(1_001));
    }

    #[test]
    fn an_answer_without_a_token_is_a_fault_of_the_vendor() {
        for body in [
            json!({}),
            json!({"access_token": " "}),
            json!([1]),
            json!({"access_token": 7}),
        ] {
            assert!(matches!(read(body), Err(GrantError::Unavailable { .. })));
        }
    }

    #[test]
    fn only_a_dead_grant_asks_for_a_new_sign_in() {
        let of = |status, body: Value| refusal(status, None, body.to_string().as_bytes());
        for (status, body) in [
            (400, json!({"error": "invalid_grant"})),
            (401, json!({"error": "invalid_grant", "error_description": "expired"})),
            (400, json!({"status": "BAD_REFRESH_TOKEN", "message": "no"})),
            (400, json!({"reason": "Invalid Token!", "error": "invalid_request"})),
            (401, json!({"message": "no"})),
        ] {
            assert!(matches!(of(status, body.clone()), GrantError::Refused(_)), "{body}");
        }
        for (status, body) in [
            (401, json!({"error": "invalid_client"})),
            (400, json!({"error": "unauthorized_client"})),
        ] {
            assert!(matches!(of(status, body.clone()), GrantError::Client(_)), "{body}");
        }
        for (status, body) in [
            (400, json!({"error": "invalid_request"})),
            (429, json!({})),
            (503, json!("down")),
            (403, json!({"error": "access_denied"})),
        ] {
            assert!(
                matches!(of(status, body.clone()), GrantError::Unavailable { .. }),
                "{body}"
            );
        }
    }

    #[test]
    fn no_token_reaches_an_error_text() {
        let body = json!({"error": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "error_description": "abc"});
        let text = refusal(400, None, body.to_string().as_bytes()).to_string();
        assert!(!text.to_lowercase().contains("eyjhb"), "{text}");
    }
}
