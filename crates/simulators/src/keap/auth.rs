//! Tokens: what the gateway accepts, and the token endpoint with rotating refresh tokens.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::Duration;
use serde_json::{Value, json};

use super::error::gateway_body;
use super::{Keap, KeapVendor};
use crate::params::{Params, bearer};
use crate::tokens::{Refusal, SignIn, Standing, TokenKind, TokenPair, client_in_form, client_in_header};

/// OAuth client id of the demo app.
pub const CLIENT_ID: &str = "keap-demo-client";
/// OAuth client secret of the demo app; it opens nothing but this simulator.
pub const CLIENT_SECRET: &str = "keap-demo-secret";
/// A personal access token that is always valid here.
pub const PERSONAL_ACCESS_TOKEN: &str = "KeapAK-demo0000000000000000000000000000000000000000";

/// Prefix of personal access tokens and service account keys.
pub(crate) const PERSONAL_PREFIX: &str = "KeapAK-";

impl SignIn for KeapVendor {
    const ACCESS: Duration = Duration::hours(24);
    const REFRESH: Option<Duration> = Some(Duration::days(45));

    /// The client proves itself in the form for a code, and as HTTP Basic for a refresh.
    fn grant(keap: &Keap, headers: &HeaderMap, form: &Params) -> Result<TokenPair, Refusal> {
        match form.get("grant_type") {
            Some("authorization_code") if client_in_form::<Self>(form) => {
                let (Some(code), Some(redirect)) = (form.get("code"), form.get("redirect_uri")) else {
                    return Err(Refusal::Request("code and redirect_uri are required"));
                };
                keap.exchange(
                    code,
                    |kind| matches!(kind, TokenKind::Code { redirect_uri, .. } if redirect_uri == redirect),
                )
            }
            Some("refresh_token") if client_in_header(headers, (CLIENT_ID, CLIENT_SECRET)) => {
                let token = form.get("refresh_token");
                keap.refresh(token.ok_or(Refusal::Request("refresh_token is required"))?)
            }
            Some("authorization_code" | "refresh_token") => Err(Refusal::Client),
            _ => Err(Refusal::GrantType),
        }
    }

    fn show_pair(pair: &TokenPair) -> Value {
        json!({
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_type": "bearer",
            "expires_in": Self::ACCESS.num_seconds(),
            "scope": "full",
        })
    }

    fn refuse(refusal: &Refusal) -> Response {
        let (error, description) = match refusal {
            Refusal::Client => ("invalid_client", "Invalid client id or secret"),
            Refusal::Request(text) => ("invalid_request", *text),
            Refusal::GrantType => ("unsupported_grant_type", "Use authorization_code or refresh_token"),
            _ => (
                "invalid_grant",
                "The token or code is invalid, expired or was used before",
            ),
        };
        let status = match refusal {
            Refusal::Client => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        (
            status,
            Json(json!({ "error": error, "error_description": description })),
        )
            .into_response()
    }

    fn check_consent(query: &Params) -> Result<(), Refusal> {
        let is_ours = query.get("client_id") == Some(CLIENT_ID) && query.get("response_type") == Some("code");
        if is_ours { Ok(()) } else { Err(Refusal::Client) }
    }
}

/// Only valid tokens pass.
pub(crate) fn refusal(keap: &Keap, headers: &HeaderMap) -> Option<Response> {
    let (fault, code) = match bearer(headers) {
        None => ("Invalid access token", "oauth.v2.InvalidAccessToken"),
        Some(PERSONAL_ACCESS_TOKEN) => return None,
        Some(token) => match keap.standing(token) {
            Standing::Good => return None,
            Standing::Expired => ("Access Token expired", "keymanagement.service.access_token_expired"),
            Standing::Unknown => ("Invalid Access Token", "keymanagement.service.invalid_access_token"),
        },
    };
    Some((StatusCode::UNAUTHORIZED, Json(gateway_body(fault, code))).into_response())
}
