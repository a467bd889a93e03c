//! Tokens: what the API accepts, and the token endpoint, whose refresh tokens stay good.

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use mfh_types::TimestampMs;
use serde_json::json;

use super::error::{ApiError, CORRELATION_ID, body};
use super::params::Params;
use super::state::{Change, Key, Record, Token, TokenKind, Transaction};
use super::{HUB_ID, HubSpot};

/// OAuth client id of the demo app.
pub const CLIENT_ID: &str = "hubspot-demo-client";
/// OAuth client secret of the demo app; it opens nothing but this simulator.
pub const CLIENT_SECRET: &str = "hubspot-demo-secret";
/// A private-app token that is always valid here.
pub const PRIVATE_APP_TOKEN: &str = "pat-na1-demo0000-0000-0000-0000-000000000000";

/// Prefix of private-app tokens.
pub(crate) const PRIVATE_PREFIX: &str = "pat-";

const ACCESS_MINUTES: i64 = 30;
const CODE_MINUTES: i64 = 10;
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

/// Tokens as the token endpoint hands them out.
#[derive(Clone)]
pub struct TokenPair {
    /// Bearer token for the API, valid for 30 minutes.
    pub access_token: String,
    /// Token for any number of refreshes, until the app is removed.
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
    Grant(&'static str, &'static str),
    GrantType,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (error, status, message) = match self {
            Self::Client => (
                "invalid_client",
                "BAD_CLIENT_ID",
                "missing or invalid client id or secret",
            ),
            Self::Request(text) => ("invalid_request", "BAD_REQUEST", text),
            Self::Grant(status, text) => ("invalid_grant", status, text),
            Self::GrantType => (
                "unsupported_grant_type",
                "BAD_GRANT_TYPE",
                "use authorization_code or refresh_token",
            ),
        };
        let body = json!({
            "error": error, "error_description": message, "status": status, "message": message,
            "correlationId": CORRELATION_ID,
        });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}

impl HubSpot {
    /// Tokens as if a user had just consented.
    pub fn issue_tokens(&self) -> anyhow::Result<TokenPair> {
        self.change(|tx| self.new_pair(tx))
    }

    /// A code as the browser brings it back after consent; good for one exchange within 10 minutes.
    pub fn authorize_code(&self, redirect_uri: &str) -> anyhow::Result<String> {
        self.new_code(redirect_uri, None)
    }

    /// Lets all access tokens expire now; refresh tokens stay good.
    pub fn expire_tokens(&self) -> anyhow::Result<()> {
        self.change(|tx| {
            let tokens = tx.state.tokens.values();
            for token in tokens.filter(|token| token.kind == TokenKind::Access) {
                tx.changes.push(Change::Put(Record::Token(Token {
                    expires: Some(tx.now),
                    ..token.clone()
                })));
            }
        })
    }

    /// A user removes the app: no token of it is good any longer.
    pub fn remove_app(&self) -> anyhow::Result<()> {
        self.change(|tx| {
            for value in tx.state.tokens.keys() {
                tx.changes.push(Change::Delete(Key::Token(value.clone())));
            }
        })
    }

    fn new_code(&self, redirect_uri: &str, challenge: Option<String>) -> anyhow::Result<String> {
        let kind = TokenKind::Code {
            redirect_uri: redirect_uri.to_owned(),
            challenge,
        };
        self.change(|tx| self.new_token(tx, kind, Some(Duration::minutes(CODE_MINUTES))))
    }

    fn new_token(&self, tx: &mut Transaction<'_>, kind: TokenKind, life: Option<Duration>) -> String {
        let value = self.random().hex(24);
        tx.put(Record::Token(Token {
            value: value.clone(),
            kind,
            expires: life.map(|life| TimestampMs(tx.now.0 + life)),
        }));
        value
    }

    fn new_access(&self, tx: &mut Transaction<'_>) -> String {
        // Expired tokens are swept here, so that they do not pile up; an access token is remembered for a day longer,
        // to be called expired and not unknown.
        let old = |token: &&Token| {
            let expires = token.expires.as_ref();
            expires.is_some_and(|expires| expires.0 + Duration::days(1) < tx.now.0)
        };
        for token in tx.state.tokens.values().filter(old) {
            tx.changes.push(Change::Delete(Key::Token(token.value.clone())));
        }
        self.new_token(tx, TokenKind::Access, Some(Duration::minutes(ACCESS_MINUTES)))
    }

    fn new_pair(&self, tx: &mut Transaction<'_>) -> TokenPair {
        TokenPair {
            access_token: self.new_access(tx),
            refresh_token: self.new_token(tx, TokenKind::Refresh, None),
        }
    }

    /// Trades a code for tokens; the outer result is about storing, the inner about the grant.
    fn spend_code(
        &self,
        code: &str,
        redirect: &str,
        verifier: Option<&str>,
    ) -> anyhow::Result<Result<TokenPair, Refusal>> {
        self.change(|tx| {
            let known = tx.state.tokens.get(code);
            let known = known.filter(|token| token.expires.is_some_and(|expires| tx.now < expires));
            let fits = known.is_some_and(|token| match &token.kind {
                TokenKind::Code {
                    redirect_uri,
                    challenge,
                } => redirect_uri == redirect && answers(challenge.as_ref(), verifier),
                _ => false,
            });
            if !fits {
                return Err(Refusal::Grant("BAD_AUTH_CODE", "missing or unknown auth code"));
            }
            tx.delete(Key::Token(code.to_owned()));
            Ok(self.new_pair(tx))
        })
    }

    fn refresh(&self, refresh_token: &str) -> anyhow::Result<Result<TokenPair, Refusal>> {
        self.change(|tx| {
            let known = tx.state.tokens.get(refresh_token);
            if known.is_none_or(|token| token.kind != TokenKind::Refresh) {
                return Err(Refusal::Grant("BAD_REFRESH_TOKEN", "missing or unknown refresh token"));
            }
            Ok(TokenPair {
                access_token: self.new_access(tx),
                refresh_token: refresh_token.to_owned(),
            })
        })
    }
}

/// Whether there is no challenge, or the verifier answers it.
fn answers(challenge: Option<&String>, verifier: Option<&str>) -> bool {
    let hash = |text: &str| URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    challenge.is_none_or(|challenge| verifier.map(hash).as_ref() == Some(challenge))
}

/// `POST /oauth/v3/token`: a code or a refresh token for an access token; everything stands in the form.
pub(crate) async fn token(State(hubspot): State<HubSpot>, request: Request) -> Response {
    if request.uri().query().is_some() {
        return Refusal::Request("parameters belong into the body").into_response();
    }
    let form = form(request).await;
    match grant(&hubspot, &form) {
        Ok(Ok(pair)) => Json(json!({
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_type": "bearer",
            "token_use": "access_token",
            "expires_in": ACCESS_MINUTES * 60,
            "hub_id": HUB_ID,
            "user_id": 9_000_001,
            "scopes": SCOPES,
        }))
        .into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// The fields of a form; none when it cannot be read.
async fn form(request: Request) -> Params {
    let form = axum::body::to_bytes(request.into_body(), 64 * 1024).await;
    Params::parse(std::str::from_utf8(&form.unwrap_or_default()).ok())
}

/// `POST /oauth/2026-03/token/revoke`: a token is good no longer; one that is unknown is none either.
pub(crate) async fn revoke(State(hubspot): State<HubSpot>, request: Request) -> Response {
    let form = form(request).await;
    if (form.get("client_id"), form.get("client_secret")) != (Some(CLIENT_ID), Some(CLIENT_SECRET)) {
        return Refusal::Client.into_response();
    }
    let Some(token) = form.get("token") else {
        return Refusal::Request("token is required").into_response();
    };
    match hubspot.change(|tx| tx.delete(Key::Token(token.to_owned()))) {
        Ok(_) => StatusCode::OK.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

fn grant(hubspot: &HubSpot, form: &Params) -> anyhow::Result<Result<TokenPair, Refusal>> {
    if (form.get("client_id"), form.get("client_secret")) != (Some(CLIENT_ID), Some(CLIENT_SECRET)) {
        return Ok(Err(Refusal::Client));
    }
    match form.get("grant_type") {
        Some("authorization_code") => {
            let (Some(code), Some(redirect)) = (form.get("code"), form.get("redirect_uri")) else {
                return Ok(Err(Refusal::Request("code and redirect_uri are required")));
            };
            hubspot.spend_code(code, redirect, form.get("code_verifier"))
        }
        Some("refresh_token") => match form.get("refresh_token") {
            Some(token) => hubspot.refresh(token),
            None => Ok(Err(Refusal::Request("refresh_token is required"))),
        },
        _ => Ok(Err(Refusal::GrantType)),
    }
}

/// `GET /oauth/authorize`: a user who consents at once, so that the whole flow runs on one machine.
pub(crate) async fn authorize(State(hubspot): State<HubSpot>, request: Request) -> Response {
    let query = Params::parse(request.uri().query());
    if query.get("client_id") != Some(CLIENT_ID) || query.get("response_type").is_some_and(|kind| kind != "code") {
        return Refusal::Client.into_response();
    }
    if query.get("scope").is_none() {
        return Refusal::Request("scope is required").into_response();
    }
    let redirect = query.get("redirect_uri").unwrap_or_default();
    let Ok(mut target) = url::Url::parse(redirect) else {
        return Refusal::Request("redirect_uri must be a full URL").into_response();
    };
    if query
        .get("code_challenge_method")
        .is_some_and(|method| method != "S256")
    {
        return Refusal::Request("code_challenge_method must be S256").into_response();
    }
    let challenge = query.get("code_challenge").map(str::to_owned);
    let code = match hubspot.new_code(redirect, challenge) {
        Ok(code) => code,
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    target.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = query.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(target.as_str()).into_response()
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The middleware that lets only valid tokens pass.
pub(crate) async fn require_token(State(hubspot): State<HubSpot>, request: Request, next: Next) -> Response {
    const UNKNOWN: (&str, &str) = (
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found or not valid.",
    );
    const EXPIRED: (&str, &str) = (
        "EXPIRED_AUTHENTICATION",
        "The OAuth token used to make this call expired.",
    );
    let refusal = match bearer(request.headers()) {
        None => Some(UNKNOWN),
        Some(PRIVATE_APP_TOKEN) => None,
        Some(token) => hubspot.read(|state| match state.tokens.get(token) {
            Some(known) if known.kind == TokenKind::Access => {
                let now = hubspot.clock().now();
                let expired = known.expires.is_some_and(|expires| expires.0 <= now);
                expired.then_some(EXPIRED)
            }
            _ => Some(UNKNOWN),
        }),
    };
    match refusal {
        Some((category, message)) => (StatusCode::UNAUTHORIZED, Json(body(category, message))).into_response(),
        None => next.run(request).await,
    }
}
