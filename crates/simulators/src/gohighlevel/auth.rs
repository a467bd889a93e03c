//! Tokens: what the API accepts, and the token endpoint with rotating refresh tokens.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use chrono::Duration;
use mfh_types::TimestampMs;
use serde_json::{Value, json};

use super::error::ApiError;
use super::state::{Record, Token, TokenKind, Transaction};
use super::{COMPANY_ID, GoHighLevel, LOCATION_ID, seed};

/// OAuth client id of the demo app.
pub const CLIENT_ID: &str = "ghl-demo-client";
/// OAuth client secret of the demo app; it opens nothing but this simulator.
pub const CLIENT_SECRET: &str = "ghl-demo-secret";
/// A private integration token of the location that is always valid here.
pub const PRIVATE_INTEGRATION_TOKEN: &str = "pit-demo0000-0000-0000-0000-000000000000";

/// The edition of the API that is served.
const EDITION: &str = "2021-07-28";
/// One second less than a day, as the vendor has it.
const ACCESS_SECS: i64 = 86_399;
const REFRESH_DAYS: i64 = 365;
const CODE_MINUTES: i64 = 10;
const SCOPE: &str = "contacts.readonly contacts.write workflows.readonly locations.readonly \
    locations/tags.readonly locations/tags.write locations/customFields.readonly users.readonly";

/// Tokens as the token endpoint hands them out.
#[derive(Clone)]
pub struct TokenPair {
    /// Bearer token for the API, valid for a day.
    pub access_token: String,
    /// Token for one refresh, valid for a year.
    pub refresh_token: String,
}

impl std::fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenPair").finish_non_exhaustive()
    }
}

/// An error of the token endpoint.
enum Refusal {
    Client,
    Request(&'static str),
    Grant,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::Client => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "Invalid client credentials!",
            ),
            Self::Request(text) => (StatusCode::BAD_REQUEST, "invalid_request", text),
            Self::Grant => (
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "This code or refresh token is invalid, expired or was used before",
            ),
        };
        let body = json!({ "error": error, "error_description": description });
        (status, Json(body)).into_response()
    }
}

impl GoHighLevel {
    /// Tokens as if a user had just chosen the location.
    pub fn issue_tokens(&self) -> anyhow::Result<TokenPair> {
        self.change(new_pair)
    }

    /// A code as the browser brings it back after consent; good for one exchange within 10 minutes.
    pub fn authorize_code(&self, redirect_uri: &str) -> anyhow::Result<String> {
        let kind = TokenKind::Code {
            redirect_uri: redirect_uri.to_owned(),
        };
        self.change(|tx| new_token(tx, kind, Duration::minutes(CODE_MINUTES)))
    }

    /// Lets all access tokens expire now; refresh tokens stay good.
    pub fn expire_tokens(&self) -> anyhow::Result<()> {
        self.change(|tx| {
            let tokens = tx.state.tokens.values();
            let access = tokens.filter(|token| token.kind == TokenKind::Access);
            for token in access {
                let expired = Token {
                    expires: tx.now,
                    ..token.clone()
                };
                tx.put(Record::Token(expired));
            }
        })
    }

    /// Spends a code or refresh token; the outer result is about storing, the inner about the grant.
    fn spend(&self, value: &str, wanted: impl Fn(&TokenKind) -> bool) -> anyhow::Result<Result<TokenPair, Refusal>> {
        self.change(|tx| {
            let known = tx.state.tokens.get(value);
            let valid = known.is_some_and(|token| wanted(&token.kind) && tx.now < token.expires);
            if !valid {
                return Err(Refusal::Grant);
            }
            tx.delete("token", value);
            Ok(new_pair(tx))
        })
    }
}

fn new_token(tx: &mut Transaction<'_>, kind: TokenKind, life: Duration) -> String {
    let value = tx.random.hex(24);
    tx.put(Record::Token(Token {
        value: value.clone(),
        kind,
        expires: TimestampMs(tx.now.0 + life),
    }));
    value
}

fn new_pair(tx: &mut Transaction<'_>) -> TokenPair {
    // Tokens that expired a day ago are swept here, so that they do not pile up.
    let now = tx.now;
    let old = tx.state.tokens.values();
    let old = old.filter(|token| token.expires.0 + Duration::days(1) < now.0);
    for token in old {
        tx.delete("token", &token.value);
    }
    TokenPair {
        access_token: new_token(tx, TokenKind::Access, Duration::seconds(ACCESS_SECS)),
        refresh_token: new_token(tx, TokenKind::Refresh, Duration::days(REFRESH_DAYS)),
    }
}

type Form = std::collections::BTreeMap<String, String>;

/// `POST /oauth/token`: a code or a refresh token for a new pair; the client signs in within the form.
pub(crate) async fn token(State(crm): State<GoHighLevel>, body: Bytes) -> Response {
    let form: Form = url::form_urlencoded::parse(&body).into_owned().collect();
    match grant(&crm, &form) {
        Ok(Ok(pair)) => Json(shown(&pair)).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

fn shown(pair: &TokenPair) -> Value {
    json!({
        "access_token": pair.access_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECS,
        "refresh_token": pair.refresh_token,
        "scope": SCOPE,
        "userType": "Location",
        "locationId": LOCATION_ID,
        "companyId": COMPANY_ID,
        "approvedLocations": [LOCATION_ID],
        "userId": seed::user_id(1),
    })
}

fn grant(crm: &GoHighLevel, form: &Form) -> anyhow::Result<Result<TokenPair, Refusal>> {
    let field = |name: &str| form.get(name).map(String::as_str).filter(|text| !text.is_empty());
    if (field("client_id"), field("client_secret")) != (Some(CLIENT_ID), Some(CLIENT_SECRET)) {
        return Ok(Err(Refusal::Client));
    }
    // A token of the agency would open nothing that this simulator serves.
    if field("user_type").is_some_and(|kind| kind != "Location") {
        return Ok(Err(Refusal::Request("user_type must be Location")));
    }
    match (field("grant_type"), field("code"), field("refresh_token")) {
        (Some("authorization_code"), Some(code), _) => {
            let redirect = field("redirect_uri");
            let fits = |kind: &TokenKind| match kind {
                TokenKind::Code { redirect_uri } => redirect.is_none_or(|uri| uri == redirect_uri),
                _ => false,
            };
            crm.spend(code, fits)
        }
        (Some("refresh_token"), _, Some(token)) => crm.spend(token, |kind| *kind == TokenKind::Refresh),
        (Some("authorization_code" | "refresh_token"), ..) => {
            Ok(Err(Refusal::Request("the code or refresh_token is missing")))
        }
        _ => Ok(Err(Refusal::Request(
            "grant_type must be authorization_code or refresh_token",
        ))),
    }
}

/// `GET /oauth/chooselocation`: a user who chooses the location at once, so that the whole flow runs on one machine.
pub(crate) async fn authorize(State(crm): State<GoHighLevel>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let query: Form = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let field = |name: &str| query.get(name).map(String::as_str);
    if field("client_id") != Some(CLIENT_ID) || field("response_type") != Some("code") {
        return Refusal::Client.into_response();
    }
    let redirect = field("redirect_uri").unwrap_or_default();
    let Ok(mut target) = url::Url::parse(redirect) else {
        return Refusal::Request("redirect_uri must be a full URL").into_response();
    };
    let code = match crm.authorize_code(redirect) {
        Ok(code) => code,
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    target.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = field("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(target.as_str()).into_response()
}

/// The middleware that lets only valid tokens pass, and only with the edition named.
pub(crate) async fn require_token(State(crm): State<GoHighLevel>, request: Request, next: Next) -> Response {
    match refusal(&crm, request.headers()) {
        Some(message) => ApiError::unauthorized(message).into_response(),
        None => next.run(request).await,
    }
}

/// Why a request is not let in.
fn refusal(crm: &GoHighLevel, headers: &HeaderMap) -> Option<&'static str> {
    let header = |name| headers.get(name)?.to_str().ok();
    let token = header(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let refusal = match token {
        None => Some("Missing authorization header"),
        Some(PRIVATE_INTEGRATION_TOKEN) => None,
        Some(token) => crm.read(|state| match state.tokens.get(token) {
            Some(known) if known.kind == TokenKind::Access && crm.clock().now() < known.expires.0 => None,
            Some(known) if known.kind == TokenKind::Access => Some("The access token expired"),
            _ => Some("Invalid JWT"),
        }),
    };
    refusal.or_else(|| (header("version") != Some(EDITION)).then_some("version header is invalid"))
}
