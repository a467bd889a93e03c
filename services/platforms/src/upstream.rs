//! What a failure at the vendor means to our caller (`api-automation` §7.7–7.9).
//!
//! Never 401: the web app would take it for the end of its own session, and sign the user out.

use std::sync::Arc;

use http::StatusCode;
use mfh_connectors::{Connector, ConnectorError, ErrorKind};
use mfh_http::{ApiError, ErrorCode};
use mfh_types::{AccountId, ConnectionId, Platform};
use serde_json::{Value, json};

use crate::State;

/// How long a client waits where the vendor does not say, in seconds.
const WAIT_SECS: u64 = 30;

/// Asks the vendor through a stored connection, and marks the connection by what came of it: as refused when its
/// credentials were, and as working again when it had been marked.
pub(crate) async fn ask<T, F>(
    state: &State,
    account: &AccountId,
    id: &ConnectionId,
    question: impl FnOnce(Arc<dyn Connector>) -> F,
) -> Result<T, ConnectorError>
where
    F: Future<Output = Result<T, ConnectorError>>,
{
    let (answer, marked) = match state.loader.load(account, id).await {
        Ok(loaded) => (question(loaded.connector).await, loaded.marked),
        Err(error) => (Err(error), false),
    };
    mark(state, account, id, answer.as_ref().err(), marked).await;
    answer
}

/// Asks the vendor whether a stored connection works, and marks it like [`ask`].
pub(crate) async fn test(
    state: &State,
    account: &AccountId,
    id: &ConnectionId,
    platform: &Platform,
) -> Result<(), ConnectorError> {
    if is_crm(platform) {
        return ask(state, account, id, |crm| async move { crm.test_connection().await }).await;
    }
    let (answer, marked) = match state.loader.load_service(account, id, None).await {
        Ok(service) => (service.test().await, service.marked()),
        Err(error) => (Err(error), false),
    };
    mark(state, account, id, answer.as_ref().err(), marked).await;
    answer
}

/// Whether a connector stands behind the platform.
pub(crate) fn is_crm(platform: &Platform) -> bool {
    mfh_connectors::PLATFORMS.contains(&platform.slug.as_str())
}

async fn mark(state: &State, account: &AccountId, id: &ConnectionId, error: Option<&ConnectorError>, marked: bool) {
    let noted = match error {
        None if marked => state.loader.works(account, id).await,
        Some(error) if needs_sign_in(error.kind) => {
            let kind = match error.kind {
                ErrorKind::ConnectionReauthRequired => error.kind,
                _ => ErrorKind::Unauthorized,
            };
            state.loader.mark(account, id, kind, &error.message).await
        }
        _ => Ok(()),
    };
    // The answer is worth more than the mark, which the next call sets.
    if let Err(error) = noted {
        tracing::warn!(connection_id = %id, %error, "a connection could not be marked");
    }
}

/// Whether only the user can mend this, with new credentials.
pub(crate) fn needs_sign_in(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::ConnectionReauthRequired
    )
}

/// Facts about a failure, for programs.
pub(crate) fn facts(error: &ConnectorError) -> Value {
    json!({
        "reason": error.kind.code(),
        "provider_status": error.status,
        "reauth_required": needs_sign_in(error.kind),
    })
}

/// The answer to a failure at the vendor; `intro` opens the text, as in "Connection test failed".
pub(crate) fn refusal(error: &ConnectorError, intro: &str) -> ApiError {
    let text = format!("{intro}: {}", error.message);
    let answer = |status, code| ApiError::new(status, code, text.clone()).data(facts(error));
    match error.kind {
        ErrorKind::ConnectionNotFound => ApiError::not_found("Connection not found"),
        ErrorKind::ConnectionDisabled => answer(StatusCode::CONFLICT, ErrorCode::Conflict),
        ErrorKind::RateLimited => {
            let wait = error.retry_after.map_or(WAIT_SECS, |wait| wait.as_secs().max(1));
            answer(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable).retry_after(wait)
        }
        // No vendor was asked: it is our own tables or keys that are out of reach.
        ErrorKind::Unavailable if error.status.is_none() => ApiError::unavailable(error.message.clone()),
        ErrorKind::Unavailable | ErrorKind::Network | ErrorKind::Protocol => {
            answer(StatusCode::BAD_GATEWAY, ErrorCode::UpstreamFailed)
        }
        ErrorKind::Timeout => answer(StatusCode::GATEWAY_TIMEOUT, ErrorCode::UpstreamFailed),
        ErrorKind::Unauthorized
        | ErrorKind::Forbidden
        | ErrorKind::ConnectionReauthRequired
        | ErrorKind::InvalidInput
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::Partial
        | ErrorKind::UnknownField
        | ErrorKind::Unsupported
        | ErrorKind::NotConfigured => answer(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::UpstreamFailed),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failed(kind: ErrorKind, status: Option<u16>) -> ConnectorError {
        let mut error = ConnectorError::new("keap", kind, "Keap said no");
        error.status = status;
        error
    }

    #[test]
    fn every_kind_of_failure_has_its_status_and_none_is_401() {
        for (kind, provider, status) in [
            (ErrorKind::InvalidInput, Some(400), 422),
            (ErrorKind::Unauthorized, Some(401), 422),
            (ErrorKind::Forbidden, Some(403), 422),
            (ErrorKind::NotFound, Some(404), 422),
            (ErrorKind::Conflict, Some(409), 422),
            (ErrorKind::RateLimited, Some(429), 503),
            (ErrorKind::Unavailable, Some(500), 502),
            (ErrorKind::Unavailable, None, 503),
            (ErrorKind::Network, None, 502),
            (ErrorKind::Timeout, None, 504),
            (ErrorKind::Protocol, Some(200), 502),
            (ErrorKind::Partial, None, 422),
            (ErrorKind::UnknownField, None, 422),
            (ErrorKind::Unsupported, None, 422),
            (ErrorKind::NotConfigured, None, 422),
            (ErrorKind::ConnectionNotFound, None, 404),
            (ErrorKind::ConnectionDisabled, None, 409),
            (ErrorKind::ConnectionReauthRequired, None, 422),
        ] {
            let answer = refusal(&failed(kind, provider), "Test failed");
            assert_eq!(answer.status().as_u16(), status, "{kind:?}");
        }
    }

    #[test]
    fn only_refused_credentials_ask_for_a_new_sign_in() {
        let facts = facts(&failed(ErrorKind::Forbidden, Some(403)));
        assert_eq!(
            facts,
            json!({"reason": "FORBIDDEN", "provider_status": 403, "reauth_required": true})
        );
        for kind in [ErrorKind::Timeout, ErrorKind::RateLimited, ErrorKind::NotConfigured] {
            assert!(!needs_sign_in(kind), "{kind:?}");
        }
    }

    #[test]
    fn the_wait_that_the_vendor_asks_for_is_passed_on() {
        let mut error = failed(ErrorKind::RateLimited, Some(429));
        error.retry_after = Some(Duration::from_secs(90));
        let answer = format!("{:?}", refusal(&error, "Test failed"));
        assert!(answer.contains("retry_after_secs: Some(90)"), "{answer}");
        assert!(answer.contains("Test failed: Keap said no"), "{answer}");
    }
}
