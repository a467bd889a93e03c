//! Tokens: what the API accepts, and the token endpoint, whose refresh tokens stay good.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::Duration;
use serde_json::{Value, json};

use super::error::{CORRELATION_ID, body};
use super::{HUB_ID, HubSpot, HubSpotVendor};
use crate::account::internal;
use crate::params::{Params, bearer};
use crate::tokens::{self, Refusal, SignIn, Standing, TokenKind, TokenPair, challenge_of, client_in_form};

/// OAuth client id of the demo app.
pub const CLIENT_ID: &str = "hubspot-demo-client";
/// OAuth client secret of the demo app; it opens nothing but this simulator.
pub const CLIENT_SECRET: &str = "hubspot-demo-secret";
/// A private-app token that is always valid here.
pub const PRIVATE_APP_TOKEN: &str = "pat-na1-demo0000-0000-0000-0000-000000000000";

/// Prefix of private-app tokens.
pub(crate) const PRIVATE_PREFIX: &str = "pat-";

const SCOPES: [&str; 8] = [
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.schemas.contacts.read",
    "crm.lists.read",
    "crm.lists.write",
    "automation",
    "communication_preferences.read_write",
];

impl SignIn for HubSpotVendor {
    const ACCESS: Duration = Duration::minutes(30);
    const REFRESH: Option<Duration> = None;

    /// Everything stands in the form.
    fn grant(hubspot: &HubSpot, _headers: &HeaderMap, form: &Params) -> Result<TokenPair, Refusal> {
        if !client_in_form::<Self>(form) {
            return Err(Refusal::Client);
        }
        match form.get("grant_type") {
            Some("authorization_code") => {
                let (Some(code), Some(redirect)) = (form.get("code"), form.get("redirect_uri")) else {
                    return Err(Refusal::Request("code and redirect_uri are required"));
                };
                let answer = form.get("code_verifier").map(challenge_of);
                hubspot.exchange(code, |kind| match kind {
                    TokenKind::Code {
                        redirect_uri,
                        challenge,
                    } => redirect_uri == redirect && (challenge.is_none() || *challenge == answer),
                    _ => false,
                })
            }
            Some("refresh_token") => {
                let token = form.get("refresh_token");
                hubspot.refresh(token.ok_or(Refusal::Request("refresh_token is required"))?)
            }
            _ => Err(Refusal::GrantType),
        }
    }

    fn show_pair(pair: &TokenPair) -> Value {
        json!({
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_type": "bearer",
            "token_use": "access_token",
            "expires_in": Self::ACCESS.num_seconds(),
            "hub_id": HUB_ID,
            "user_id": 9_000_001,
            "scopes": SCOPES,
        })
    }

    fn refuse(refusal: &Refusal) -> Response {
        let (error, status, message) = match refusal {
            Refusal::Client => (
                "invalid_client",
                "BAD_CLIENT_ID",
                "missing or invalid client id or secret",
            ),
            Refusal::Request(text) => ("invalid_request", "BAD_REQUEST", *text),
            Refusal::Code => ("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code"),
            Refusal::GrantType => (
                "unsupported_grant_type",
                "BAD_GRANT_TYPE",
                "use authorization_code or refresh_token",
            ),
            _ => ("invalid_grant", "BAD_REFRESH_TOKEN", "missing or unknown refresh token"),
        };
        let body = json!({
            "error": error, "error_description": message, "status": status, "message": message,
            "correlationId": CORRELATION_ID,
        });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }

    fn check_consent(query: &Params) -> Result<(), Refusal> {
        let is_code = query.get("response_type").is_none_or(|kind| kind == "code");
        if query.get("client_id") != Some(CLIENT_ID) || !is_code {
            return Err(Refusal::Client);
        }
        if query.get("scope").is_none() {
            return Err(Refusal::Request("scope is required"));
        }
        if query
            .get("code_challenge_method")
            .is_some_and(|method| method != "S256")
        {
            return Err(Refusal::Request("code_challenge_method must be S256"));
        }
        Ok(())
    }
}

impl HubSpot {
    /// A user removes the app: no token of it is good any longer.
    ///
    /// # Errors
    /// When that cannot be stored.
    pub fn remove_app(&self) -> anyhow::Result<()> {
        self.forget_tokens(|_| true)
    }
}

/// `POST /oauth/v3/token`: a code or a refresh token for an access token.
pub(crate) async fn token(
    hubspot: State<HubSpot>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    if query.is_some() {
        return HubSpotVendor::refuse(&Refusal::Request("parameters belong into the body"));
    }
    tokens::token(hubspot, headers, form).await
}

/// `POST /oauth/2026-03/token/revoke`: a token is good no longer; one that is unknown is none either.
pub(crate) async fn revoke(State(hubspot): State<HubSpot>, form: Bytes) -> Response {
    let form = Params::form(&form);
    if !client_in_form::<HubSpotVendor>(&form) {
        return HubSpotVendor::refuse(&Refusal::Client);
    }
    let Some(token) = form.get("token") else {
        return HubSpotVendor::refuse(&Refusal::Request("token is required"));
    };
    match hubspot.forget_tokens(|known| known.value == token) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => internal::<HubSpotVendor>(&error).into_response(),
    }
}

/// Only valid tokens pass.
pub(crate) fn refusal(hubspot: &HubSpot, headers: &HeaderMap) -> Option<Response> {
    let standing = match bearer(headers) {
        None => Standing::Unknown,
        Some(PRIVATE_APP_TOKEN) => Standing::Good,
        Some(token) => hubspot.standing(token),
    };
    let (category, message) = match standing {
        Standing::Good => return None,
        Standing::Expired => (
            "EXPIRED_AUTHENTICATION",
            "The OAuth token used to make this call expired.",
        ),
        Standing::Unknown => (
            "INVALID_AUTHENTICATION",
            "Authentication credentials not found or not valid.",
        ),
    };
    Some((StatusCode::UNAUTHORIZED, Json(body(category, message))).into_response())
}
