//! Tokens: what the gateway accepts, and the token endpoint with rotating refresh tokens.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::Duration;
use mfh_types::TimestampMs;
use serde_json::json;

use super::Keap;
use super::error::{ApiError, gateway_body};
use super::params::Params;
use super::state::{Key, Record, Token, TokenKind, Transaction};

/// OAuth client id of the demo app.
pub const CLIENT_ID: &str = "keap-demo-client";
/// OAuth client secret of the demo app; it opens nothing but this simulator.
pub const CLIENT_SECRET: &str = "keap-demo-secret";
/// A personal access token that is always valid here.
pub const PERSONAL_ACCESS_TOKEN: &str = "KeapAK-demo0000000000000000000000000000000000000000";

/// Prefix of personal access tokens and service account keys.
pub(crate) const PERSONAL_PREFIX: &str = "KeapAK-";

const ACCESS_HOURS: i64 = 24;
const REFRESH_DAYS: i64 = 45;
const CODE_MINUTES: i64 = 10;

/// Tokens as the token endpoint hands them out.
#[derive(Clone)]
pub struct TokenPair {
    /// Bearer token for the API, valid for 24 hours.
    pub access_token: String,
    /// Token for one refresh.
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
    Grant(&'static str),
    GrantType,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::Client => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "Invalid client id or secret",
            ),
            Self::Request(text) => (StatusCode::BAD_REQUEST, "invalid_request", text),
            Self::Grant(text) => (StatusCode::BAD_REQUEST, "invalid_grant", text),
            Self::GrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "Use authorization_code or refresh_token",
            ),
        };
        let body = json!({ "error": error, "error_description": description });
        (status, Json(body)).into_response()
    }
}

impl Keap {
    /// Tokens as if a user had just consented.
    pub fn issue_tokens(&self) -> anyhow::Result<TokenPair> {
        self.change(|tx| self.new_pair(tx))
    }

    /// A code as the browser brings it back after consent; good for one exchange within 10 minutes.
    pub fn authorize_code(&self, redirect_uri: &str) -> anyhow::Result<String> {
        let kind = TokenKind::Code {
            redirect_uri: redirect_uri.to_owned(),
        };
        self.change(|tx| self.new_token(tx, kind, Duration::minutes(CODE_MINUTES)))
    }

    /// Lets all access tokens expire now; refresh tokens stay good.
    pub fn expire_tokens(&self) -> anyhow::Result<()> {
        self.change(|tx| {
            let tokens = tx.state.tokens.values();
            for token in tokens.filter(|token| token.kind == TokenKind::Access) {
                tx.changes.push(super::state::Change::Put(Record::Token(Token {
                    expires: tx.now,
                    ..token.clone()
                })));
            }
        })
    }

    fn new_token(&self, tx: &mut Transaction<'_>, kind: TokenKind, life: Duration) -> String {
        let value = self.random().hex(24);
        tx.put(Record::Token(Token {
            value: value.clone(),
            kind,
            expires: TimestampMs(tx.now.0 + life),
        }));
        value
    }

    fn new_pair(&self, tx: &mut Transaction<'_>) -> TokenPair {
        // Expired tokens are swept here, so that they do not pile up.
        let now = tx.now;
        for token in tx.state.tokens.values() {
            // An access token is remembered for a day longer, to be called expired and not unknown.
            if token.expires.0 + Duration::days(1) < now.0 {
                tx.changes
                    .push(super::state::Change::Delete(Key::Token(token.value.clone())));
            }
        }
        TokenPair {
            access_token: self.new_token(tx, TokenKind::Access, Duration::hours(ACCESS_HOURS)),
            refresh_token: self.new_token(tx, TokenKind::Refresh, Duration::days(REFRESH_DAYS)),
        }
    }

    /// Spends a code or refresh token; the outer result is about storing, the inner about the grant.
    fn spend(&self, value: &str, wanted: impl Fn(&TokenKind) -> bool) -> anyhow::Result<Result<TokenPair, Refusal>> {
        self.change(|tx| {
            let known = tx.state.tokens.get(value);
            let valid = known.filter(|token| wanted(&token.kind) && tx.now < token.expires);
            if valid.is_none() {
                return Err(Refusal::Grant(
                    "The token or code is invalid, expired or was used before",
                ));
            }
            tx.delete(Key::Token(value.to_owned()));
            Ok(self.new_pair(tx))
        })
    }
}

/// `POST /token`: a code for tokens (client in the form) or a refresh (client as HTTP Basic).
pub(crate) async fn token(State(keap): State<Keap>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Params::parse(std::str::from_utf8(&body).ok());
    match grant(&keap, &headers, &form) {
        Ok(Ok(pair)) => Json(json!({
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_type": "bearer",
            "expires_in": ACCESS_HOURS * 3600,
            "scope": "full",
        }))
        .into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

fn grant(keap: &Keap, headers: &HeaderMap, form: &Params) -> anyhow::Result<Result<TokenPair, Refusal>> {
    match form.get("grant_type") {
        Some("authorization_code") => {
            let client = (form.get("client_id"), form.get("client_secret"));
            if client != (Some(CLIENT_ID), Some(CLIENT_SECRET)) {
                return Ok(Err(Refusal::Client));
            }
            let (Some(code), Some(redirect)) = (form.get("code"), form.get("redirect_uri")) else {
                return Ok(Err(Refusal::Request("code and redirect_uri are required")));
            };
            keap.spend(
                code,
                |kind| matches!(kind, TokenKind::Code { redirect_uri } if redirect_uri == redirect),
            )
        }
        Some("refresh_token") => {
            if !basic_client(headers) {
                return Ok(Err(Refusal::Client));
            }
            let Some(token) = form.get("refresh_token") else {
                return Ok(Err(Refusal::Request("refresh_token is required")));
            };
            keap.spend(token, |kind| *kind == TokenKind::Refresh)
        }
        _ => Ok(Err(Refusal::GrantType)),
    }
}

fn basic_client(headers: &HeaderMap) -> bool {
    let expected = format!("{CLIENT_ID}:{CLIENT_SECRET}");
    authorization(headers, "Basic ")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .is_some_and(|sent| sent == expected.as_bytes())
}

fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (given, rest) = value.split_at_checked(scheme.len())?;
    given.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    authorization(headers, "Bearer ")
}

/// `GET /app/oauth/authorize`: a user who consents at once, so that the whole flow runs on one machine.
pub(crate) async fn authorize(State(keap): State<Keap>, request: Request) -> Response {
    let query = Params::parse(request.uri().query());
    if query.get("client_id") != Some(CLIENT_ID) || query.get("response_type") != Some("code") {
        return Refusal::Client.into_response();
    }
    let redirect = query.get("redirect_uri").unwrap_or_default();
    let Ok(mut target) = url::Url::parse(redirect) else {
        return Refusal::Request("redirect_uri must be a full URL").into_response();
    };
    let code = match keap.authorize_code(redirect) {
        Ok(code) => code,
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    target.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = query.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(target.as_str()).into_response()
}

/// The middleware that lets only valid tokens pass.
pub(crate) async fn require_token(State(keap): State<Keap>, request: Request, next: Next) -> Response {
    let refusal = match bearer(request.headers()) {
        None => Some(("Invalid access token", "oauth.v2.InvalidAccessToken")),
        Some(PERSONAL_ACCESS_TOKEN) => None,
        Some(token) => keap.read(|state| match state.tokens.get(token) {
            Some(known) if known.kind != TokenKind::Access => {
                Some(("Invalid Access Token", "keymanagement.service.invalid_access_token"))
            }
            Some(known) if known.expires.0 <= keap.clock().now() => {
                Some(("Access Token expired", "keymanagement.service.access_token_expired"))
            }
            Some(_) => None,
            None => Some(("Invalid Access Token", "keymanagement.service.invalid_access_token")),
        }),
    };
    match refusal {
        Some((fault, code)) => (StatusCode::UNAUTHORIZED, Json(gateway_body(fault, code))).into_response(),
        None => next.run(request).await,
    }
}
