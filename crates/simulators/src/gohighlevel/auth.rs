//! Tokens: what the API accepts, and the token endpoint with rotating refresh tokens.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Duration;
use serde_json::{Value, json};

use super::error::ApiError;
use super::{COMPANY_ID, GoHighLevel, GoHighLevelVendor, LOCATION_ID, seed};
use crate::params::Params;
use crate::tokens::{Refusal, SignIn, Standing, TokenKind, TokenPair, client_in_form};

/// OAuth client id of the demo app.
pub const CLIENT_ID: &str = "ghl-demo-client";
/// OAuth client secret of the demo app; it opens nothing but this simulator.
pub const CLIENT_SECRET: &str = "ghl-demo-secret";
/// A private integration token of the location that is always valid here.
pub const PRIVATE_INTEGRATION_TOKEN: &str = "pit-demo0000-0000-0000-0000-000000000000";

/// The edition of the API that is served.
const EDITION: &str = "2021-07-28";
const SCOPE: &str = "contacts.readonly contacts.write workflows.readonly locations.readonly \
    locations/tags.readonly locations/tags.write locations/customFields.readonly users.readonly";

impl SignIn for GoHighLevelVendor {
    /// One second less than a day, as the vendor has it.
    const ACCESS: Duration = Duration::seconds(86_399);
    const REFRESH: Option<Duration> = Some(Duration::days(365));

    /// The client proves itself in the form.
    fn grant(crm: &GoHighLevel, _headers: &HeaderMap, form: &Params) -> Result<TokenPair, Refusal> {
        if !client_in_form::<Self>(form) {
            return Err(Refusal::Client);
        }
        // A token of the agency would open nothing that this simulator serves.
        if form.get("user_type").is_some_and(|kind| kind != "Location") {
            return Err(Refusal::Request("user_type must be Location"));
        }
        match (form.get("grant_type"), form.get("code"), form.get("refresh_token")) {
            (Some("authorization_code"), Some(code), _) => {
                let redirect = form.get("redirect_uri");
                crm.exchange(code, |kind| match kind {
                    TokenKind::Code { redirect_uri, .. } => redirect.is_none_or(|uri| uri == redirect_uri),
                    _ => false,
                })
            }
            (Some("refresh_token"), _, Some(token)) => crm.refresh(token),
            (Some("authorization_code" | "refresh_token"), ..) => {
                Err(Refusal::Request("the code or refresh_token is missing"))
            }
            _ => Err(Refusal::GrantType),
        }
    }

    fn show_pair(pair: &TokenPair) -> Value {
        json!({
            "access_token": pair.access_token,
            "token_type": "Bearer",
            "expires_in": Self::ACCESS.num_seconds(),
            "refresh_token": pair.refresh_token,
            "scope": SCOPE,
            "userType": "Location",
            "locationId": LOCATION_ID,
            "companyId": COMPANY_ID,
            "approvedLocations": [LOCATION_ID],
            "userId": seed::user_id(1),
        })
    }

    fn refuse(refusal: &Refusal) -> Response {
        let (status, error, description) = match refusal {
            Refusal::Client => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "Invalid client credentials!",
            ),
            Refusal::Request(text) => (StatusCode::BAD_REQUEST, "invalid_request", *text),
            Refusal::GrantType => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "grant_type must be authorization_code or refresh_token",
            ),
            _ => (
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "This code or refresh token is invalid, expired or was used before",
            ),
        };
        let body = json!({ "error": error, "error_description": description });
        (status, Json(body)).into_response()
    }

    fn check_consent(query: &Params) -> Result<(), Refusal> {
        let is_ours = query.get("client_id") == Some(CLIENT_ID) && query.get("response_type") == Some("code");
        if is_ours { Ok(()) } else { Err(Refusal::Client) }
    }
}

/// Only valid tokens pass, and only with the edition named.
pub(crate) fn refusal(crm: &GoHighLevel, headers: &HeaderMap) -> Option<Response> {
    let header = |name| headers.get(name)?.to_str().ok();
    let token = header(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let standing = match token {
        None => return Some(ApiError::unauthorized("Missing authorization header").into_response()),
        Some(PRIVATE_INTEGRATION_TOKEN) => Standing::Good,
        Some(token) => crm.standing(token),
    };
    let message = match standing {
        Standing::Good if header("version") == Some(EDITION) => return None,
        Standing::Good => "version header is invalid",
        Standing::Expired => "The access token expired",
        Standing::Unknown => "Invalid JWT",
    };
    Some(ApiError::unauthorized(message).into_response())
}
