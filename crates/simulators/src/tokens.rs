//! Signing in by OAuth: the tokens of an account, and the endpoints that hand them out.
#![allow(
    private_bounds,
    reason = "accounts are known outside by the vendors' names, and only this crate has vendors"
)]

use std::fmt;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::Duration;
use mfh_types::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::account::{Account, Vendor, internal};
use crate::params::{Params, authorization};
use crate::records::{Records, Transaction};

const CODE_MINUTES: i64 = 10;

/// A secret that the token endpoint handed out.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) kind: TokenKind,
    /// Absent for one that stays good until the app is removed.
    pub(crate) expires: Option<TimestampMs>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("kind", &self.kind)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// Whether it is good at this time.
    fn lives(&self, now: TimestampMs) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenKind {
    Access,
    Refresh,
    Code {
        redirect_uri: String,
        /// SHA-256 of the verifier, where the authorize page was given it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        challenge: Option<String>,
    },
}

/// Tokens as the token endpoint hands them out.
#[derive(Clone)]
pub struct TokenPair {
    /// Bearer token for the API.
    pub access_token: String,
    /// Token for a refresh.
    pub refresh_token: String,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPair").finish_non_exhaustive()
    }
}

/// Why the token endpoint or the authorize page refuses.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The client id or secret is wrong.
    Client,
    /// The request lacks something.
    Request(&'static str),
    /// The code is not good, or not for this request.
    Code,
    /// The refresh token is not good.
    RefreshToken,
    /// There is no such grant type.
    GrantType,
    /// The change could not be stored.
    Internal(anyhow::Error),
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// What the API makes of a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Expired,
    Unknown,
}

/// A vendor at which users sign in by OAuth.
pub(crate) trait SignIn: Vendor {
    /// How long access tokens are good.
    const ACCESS: Duration;
    /// How long refresh tokens are good, each for one refresh; absent where they stay good for any number of them.
    const REFRESH: Option<Duration>;

    /// Checks the form of the token endpoint, and trades the code or refresh token in it for tokens.
    fn grant(account: &Account<Self>, headers: &HeaderMap, form: &Params) -> Result<TokenPair, Refusal>;

    /// The vendor's answer with tokens.
    fn show_pair(pair: &TokenPair) -> Value;

    /// The vendor's answer to what is refused, except for what could not be stored.
    fn refuse(refusal: &Refusal) -> Response;

    /// Checks the query of the authorize page, but for the address that it leads back to.
    fn check_consent(query: &Params) -> Result<(), Refusal>;
}

impl<V: SignIn> Account<V> {
    /// Tokens as if a user had just consented.
    ///
    /// # Errors
    /// When they cannot be stored.
    pub fn issue_tokens(&self) -> anyhow::Result<TokenPair> {
        self.change(|tx| new_pair::<V>(tx))
    }

    /// A code as the browser brings it back after consent; good for one exchange within 10 minutes.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn authorize_code(&self, redirect_uri: &str) -> anyhow::Result<String> {
        self.new_code(redirect_uri, None)
    }

    fn new_code(&self, redirect_uri: &str, challenge: Option<String>) -> anyhow::Result<String> {
        let kind = TokenKind::Code {
            redirect_uri: redirect_uri.to_owned(),
            challenge,
        };
        self.change(|tx| new_token(tx, kind, Some(Duration::minutes(CODE_MINUTES))))
    }

    /// Trades a code for tokens, if `fits` says that it is for this request; it is good no longer.
    pub(crate) fn exchange(&self, code: &str, fits: impl Fn(&TokenKind) -> bool) -> Result<TokenPair, Refusal> {
        self.change(|tx| {
            let code = spend(tx, code, fits).ok_or(Refusal::Code)?;
            tx.delete_token(code);
            Ok(new_pair::<V>(tx))
        })?
    }

    /// Trades a refresh token for new tokens; where those are for one refresh, it is good no longer.
    pub(crate) fn refresh(&self, refresh_token: &str) -> Result<TokenPair, Refusal> {
        self.change(|tx| {
            let is_refresh = |kind: &TokenKind| *kind == TokenKind::Refresh;
            let known = spend(tx, refresh_token, is_refresh).ok_or(Refusal::RefreshToken)?;
            if V::REFRESH.is_some() {
                tx.delete_token(known);
                return Ok(new_pair::<V>(tx));
            }
            Ok(TokenPair {
                access_token: new_access::<V>(tx),
                refresh_token: refresh_token.to_owned(),
            })
        })?
    }

    /// Whether a request with this token may pass.
    pub(crate) fn standing(&self, token: &str) -> Standing {
        let now = TimestampMs::now(self.clock());
        self.holdings(|holdings| match holdings.tokens.get(token) {
            Some(known) if known.kind != TokenKind::Access => Standing::Unknown,
            Some(known) if known.lives(now) => Standing::Good,
            Some(_) => Standing::Expired,
            None => Standing::Unknown,
        })
    }

    /// Makes tokens good no longer.
    pub(crate) fn forget_tokens(&self, which: impl Fn(&Token) -> bool) -> anyhow::Result<()> {
        self.change(|tx| {
            let tokens = tx.tokens.values();
            tokens
                .filter(|token| which(token))
                .for_each(|token| tx.delete_token(token));
        })
    }
}

impl<V: Vendor> Account<V> {
    /// Lets all access tokens of sign-ins expire now; refresh tokens stay good.
    ///
    /// # Errors
    /// When that cannot be stored.
    pub fn expire_tokens(&self) -> anyhow::Result<()> {
        self.change(|tx| {
            let tokens = tx.tokens.values();
            for token in tokens.filter(|token| token.kind == TokenKind::Access) {
                tx.put_token(Token {
                    expires: Some(tx.now),
                    ..token.clone()
                });
            }
        })
    }
}

/// A token of this value that is good and fits.
fn spend<'a, S: Records>(tx: &Transaction<'a, S>, value: &str, fits: impl Fn(&TokenKind) -> bool) -> Option<&'a Token> {
    let known = tx.tokens.get(value);
    known.filter(|token| token.lives(tx.now) && fits(&token.kind))
}

fn new_token<S: Records>(tx: &mut Transaction<'_, S>, kind: TokenKind, life: Option<Duration>) -> String {
    let value = tx.random.hex(24);
    tx.put_token(Token {
        value: value.clone(),
        kind,
        expires: life.map(|life| TimestampMs(tx.now.0 + life)),
    });
    value
}

/// Tokens that expired are swept here, so that they do not pile up; an access token is remembered for a day longer, to
/// be called expired and not unknown.
fn new_access<V: SignIn>(tx: &mut Transaction<'_, V::State>) -> String {
    let yesterday = TimestampMs(tx.now.0 - Duration::days(1));
    let old = |token: &&Token| token.expires.is_some_and(|expires| expires < yesterday);
    for token in tx.tokens.values().filter(old) {
        tx.delete_token(token);
    }
    new_token(tx, TokenKind::Access, Some(V::ACCESS))
}

fn new_pair<V: SignIn>(tx: &mut Transaction<'_, V::State>) -> TokenPair {
    TokenPair {
        access_token: new_access::<V>(tx),
        refresh_token: new_token(tx, TokenKind::Refresh, V::REFRESH),
    }
}

fn refuse<V: SignIn>(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Internal(error) => internal::<V>(error).into_response(),
        refusal => V::refuse(refusal),
    }
}

/// The token endpoint: a code or a refresh token for new tokens.
pub(crate) async fn token<V: SignIn>(State(account): State<Account<V>>, headers: HeaderMap, body: Bytes) -> Response {
    match V::grant(&account, &headers, &Params::form(&body)) {
        Ok(pair) => Json(V::show_pair(&pair)).into_response(),
        Err(refusal) => refuse::<V>(&refusal),
    }
}

/// The authorize page: a user who consents at once, so that the whole flow runs on one machine.
pub(crate) async fn authorize<V: SignIn>(State(account): State<Account<V>>, RawQuery(query): RawQuery) -> Response {
    let query = Params::parse(query.as_deref());
    consent(&account, &query).unwrap_or_else(|refusal| refuse::<V>(&refusal))
}

fn consent<V: SignIn>(account: &Account<V>, query: &Params) -> Result<Response, Refusal> {
    V::check_consent(query)?;
    let redirect = query.get("redirect_uri").unwrap_or_default();
    let Ok(target) = Url::parse(redirect) else {
        return Err(Refusal::Request("redirect_uri must be a full URL"));
    };
    let challenge = query.get("code_challenge").map(str::to_owned);
    let code = account.new_code(redirect, challenge)?;
    Ok(back_to_app(target, ("code", &code), query.get("state")))
}

/// Sends the browser back to the app with an answer and the state that the app gave.
pub(crate) fn back_to_app(mut target: Url, answer: (&str, &str), state: Option<&str>) -> Response {
    target.query_pairs_mut().append_pair(answer.0, answer.1);
    if let Some(state) = state {
        target.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(target.as_str()).into_response()
}

/// Whether a form carries the id and secret of the vendor's demo app, and no others beside them.
pub(crate) fn client_in_form<V: SignIn>(form: &Params) -> bool {
    V::OAUTH_CLIENT.is_some_and(|(id, secret)| {
        form.list("client_id") == Some(vec![id]) && form.list("client_secret") == Some(vec![secret])
    })
}

/// Whether a request carries this client id and secret as HTTP Basic.
pub(crate) fn client_in_header(headers: &HeaderMap, (id, secret): (&str, &str)) -> bool {
    let sent = authorization(headers, "Basic").and_then(|encoded| STANDARD.decode(encoded).ok());
    sent.is_some_and(|sent| sent == format!("{id}:{secret}").as_bytes())
}

/// What the verifier of a code hashes to.
pub(crate) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}
