//! The sign-in services of Zoom, Google, GoTo and Dropbox: consent, tokens, revocation and who the user is.
//!
//! Where vendors leave a choice, this takes the one that finds mistakes in clients: the wrong way to prove the client
//! is refused, a code is good once and for its own redirect address, a PKCE challenge must be answered, and a refresh
//! token that is used again after its rotation ends the whole sign-in.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use chrono::Duration;
use mfh_types::{Clock, Random, TimestampMs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access_log::{self, AccessLog};
use crate::faults::{self, Faults};
use crate::journal::{Journal, Row};
use crate::params::bearer;
use crate::server::Server;
use crate::tokens::{back_to_app, challenge_of, client_in_header};

/// In what the sign-in services differ.
#[derive(Debug)]
pub struct Profile {
    /// The slug of the platform.
    pub slug: &'static str,
    authorize_path: &'static str,
    token_path: &'static str,
    revoke_path: Option<&'static str>,
    user_info_path: &'static str,
    /// Whether the client is proven by HTTP Basic, and not in the form.
    basic: bool,
    rotates: bool,
    /// The parameter without which no refresh token is given, and its value.
    offline: Option<(&'static str, &'static str)>,
    access_secs: i64,
    /// What the token endpoint says of the user.
    claims: fn(&str) -> Value,
    /// What the user-info address says.
    user_info: fn(&str) -> Value,
}

/// The services that are simulated.
pub const PROFILES: [Profile; 4] = [
    Profile {
        slug: "zoom",
        authorize_path: "/oauth/authorize",
        token_path: "/oauth/token",
        revoke_path: Some("/oauth/revoke"),
        user_info_path: "/v2/users/me",
        basic: true,
        rotates: true,
        offline: None,
        access_secs: 3_600,
        claims: |_| json!({}),
        user_info: |user| json!({ "id": format!("zoom-{user}"), "account_id": "zoom-account", "email": format!("{user}@example.com") }),
    },
    Profile {
        slug: "google_sheets",
        authorize_path: "/o/oauth2/v2/auth",
        token_path: "/token",
        revoke_path: Some("/revoke"),
        user_info_path: "/oauth2/v1/userinfo",
        basic: false,
        rotates: false,
        offline: Some(("access_type", "offline")),
        access_secs: 3_599,
        claims: |_| json!({}),
        user_info: |user| json!({ "id": format!("google-{user}"), "email": format!("{user}@example.com") }),
    },
    Profile {
        slug: "gotowebinar",
        authorize_path: "/oauth/authorize",
        token_path: "/oauth/token",
        revoke_path: None,
        user_info_path: "/admin/rest/v1/me",
        basic: true,
        rotates: false,
        offline: None,
        access_secs: 3_600,
        claims: |user| json!({ "organizer_key": format!("goto-{user}"), "account_key": "goto-account", "email": format!("{user}@example.com") }),
        user_info: |user| json!({ "key": format!("goto-{user}"), "email": format!("{user}@example.com"), "accounts": [{ "key": "goto-account" }] }),
    },
    Profile {
        slug: "dropbox",
        authorize_path: "/oauth2/authorize",
        token_path: "/oauth2/token",
        revoke_path: Some("/2/auth/token/revoke"),
        user_info_path: "/2/users/get_current_account",
        basic: false,
        rotates: false,
        offline: Some(("token_access_type", "offline")),
        access_secs: 14_400,
        claims: |user| json!({ "account_id": format!("dbid:{user}"), "uid": "1" }),
        user_info: |user| json!({ "account_id": format!("dbid:{user}"), "email": format!("{user}@example.com") }),
    },
];

const REFRESH_DAYS: i64 = 90;
const CODE_MINUTES: i64 = 10;

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    Code {
        redirect_uri: String,
        challenge: Option<String>,
        offline: bool,
    },
    Access,
    Refresh,
    /// A code or refresh token that was used.
    Spent,
}

#[derive(Clone, Deserialize, Serialize)]
struct Token {
    value: String,
    /// The consent that it comes from.
    grant: String,
    user: String,
    expires: TimestampMs,
    #[serde(flatten)]
    kind: Kind,
}

struct Account {
    tokens: BTreeMap<String, Token>,
    journal: Option<Journal>,
    /// Who consents.
    user: String,
    denies: bool,
    refreshes: usize,
    reuses: usize,
    revocations: usize,
}

struct Shared {
    profile: &'static Profile,
    account: Mutex<Account>,
    faults: Faults,
    log: AccessLog,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A sign-in service behind an HTTP interface; clones share it.
#[derive(Clone)]
pub struct OAuthProvider(Arc<Shared>);

impl fmt::Debug for OAuthProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OAuthProvider").field(&self.0.profile.slug).finish()
    }
}

/// What was asked of a service, for tests that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Refreshes that gave tokens.
    pub refreshes: usize,
    /// Refresh tokens that were used after their rotation.
    pub reuses: usize,
    /// Sign-ins that were given back.
    pub revocations: usize,
}

/// A refusal of the token endpoint.
struct Refusal(StatusCode, &'static str, &'static str);

impl Refusal {
    const CLIENT: Self = Self(
        StatusCode::UNAUTHORIZED,
        "invalid_client",
        "Invalid client id or secret",
    );
    const GRANT: Self = Self(
        StatusCode::BAD_REQUEST,
        "invalid_grant",
        "The token or code is invalid, expired or was used before",
    );

    fn request(text: &'static str) -> Self {
        Self(StatusCode::BAD_REQUEST, "invalid_request", text)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.1, "error_description": self.2 });
        (self.0, Json(body)).into_response()
    }
}

type Form = BTreeMap<String, String>;

fn form(text: &[u8]) -> Form {
    url::form_urlencoded::parse(text).into_owned().collect()
}

impl OAuthProvider {
    /// Opens the service whose tokens are kept in `dir`; without a folder they live in memory only. Fails when the
    /// folder cannot be used or holds something unreadable.
    pub fn open(
        profile: &'static Profile,
        dir: Option<&Path>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> anyhow::Result<Self> {
        let journal = dir.map(|dir| Journal::open(dir, profile.slug)).transpose()?;
        let mut tokens = BTreeMap::new();
        if let Some(journal) = &journal {
            for (kind, json) in journal.records()? {
                let token: Token =
                    serde_json::from_str(&json).with_context(|| format!("the stored {kind} cannot be read"))?;
                tokens.insert(token.value.clone(), token);
            }
        }
        let account = Account {
            tokens,
            journal,
            user: "ada".to_owned(),
            denies: false,
            refreshes: 0,
            reuses: 0,
            revocations: 0,
        };
        Ok(Self(Arc::new(Shared {
            profile,
            account: Mutex::new(account),
            faults: Faults::new(|status| json!({ "error": "server_error", "status": status })),
            log: AccessLog::new(clock.clone()),
            clock,
            random,
        })))
    }

    /// The profile of this slug.
    pub fn profile(slug: &str) -> Option<&'static Profile> {
        PROFILES.iter().find(|profile| profile.slug == slug)
    }

    /// The id of the demo app; `client_secret` is its secret, which opens nothing but this simulator.
    pub fn client_id(&self) -> String {
        format!("{}-demo-client", self.0.profile.slug)
    }

    /// The secret of the demo app.
    pub fn client_secret(&self) -> String {
        format!("{}-demo-secret", self.0.profile.slug)
    }

    /// The slug of the platform.
    pub fn slug(&self) -> &'static str {
        self.0.profile.slug
    }

    /// From now on this user consents.
    pub fn sign_in_as(&self, user: &str) {
        self.account().user = user.to_owned();
    }

    /// From now on the user refuses (or consents again).
    pub fn deny(&self, denies: bool) {
        self.account().denies = denies;
    }

    /// What was asked so far.
    pub fn tally(&self) -> Tally {
        let account = self.account();
        Tally {
            refreshes: account.refreshes,
            reuses: account.reuses,
            revocations: account.revocations,
        }
    }

    /// Ends every sign-in, as a user does at the vendor.
    pub fn revoke_all(&self) -> anyhow::Result<()> {
        let mut account = self.account();
        let values: Vec<String> = account.tokens.keys().cloned().collect();
        self.forget(&mut account, &values)
    }

    /// The rules for what goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// What was received.
    pub fn log(&self) -> &AccessLog {
        &self.0.log
    }

    /// The vendor's paths and the simulator's own.
    pub fn router(&self) -> Router {
        let profile = self.0.profile;
        let mut vendor = Router::new()
            .route(profile.authorize_path, get(authorize))
            .route(profile.token_path, post(token))
            .route(profile.user_info_path, any(user_info));
        if let Some(path) = profile.revoke_path {
            vendor = vendor.route(path, post(revoke));
        }
        vendor
            .layer(from_fn_with_state(self.0.faults.clone(), faults::spoil))
            .layer(from_fn_with_state(self.0.log.clone(), access_log::record))
            .route(
                "/_state",
                get(async |State(provider): State<Self>| Json(provider.tally())),
            )
            .with_state(self.clone())
            .merge(self.0.faults.routes())
            .merge(self.0.log.routes())
    }

    /// Serves the router on a free local port.
    pub async fn start(&self) -> anyhow::Result<Server> {
        Server::start(self.router(), "").await
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> TimestampMs {
        TimestampMs::now(&*self.0.clock)
    }

    fn put(&self, account: &mut Account, token: Token) -> anyhow::Result<()> {
        if let Some(journal) = &mut account.journal {
            let row = Row {
                kind: "token",
                id: token.value.clone(),
                json: Some(serde_json::to_string(&token)?),
            };
            journal.commit(&[row], &[])?;
        }
        account.tokens.insert(token.value.clone(), token);
        Ok(())
    }

    fn forget(&self, account: &mut Account, values: &[String]) -> anyhow::Result<()> {
        if let Some(journal) = &mut account.journal {
            let rows = values.iter().map(|value| Row {
                kind: "token",
                id: value.clone(),
                json: None,
            });
            journal.commit(&rows.collect::<Vec<_>>(), &[])?;
        }
        account.tokens.retain(|value, _| !values.contains(value));
        Ok(())
    }

    fn forget_grant(&self, account: &mut Account, grant: &str) -> anyhow::Result<()> {
        let of_grant = account.tokens.values().filter(|token| token.grant == grant);
        let values: Vec<String> = of_grant.map(|token| token.value.clone()).collect();
        self.forget(account, &values)
    }

    fn issue(&self, account: &mut Account, from: &Token, kind: Kind, life: Duration) -> anyhow::Result<String> {
        let value = self.0.random.hex(24);
        let token = Token {
            value: value.clone(),
            grant: from.grant.clone(),
            user: from.user.clone(),
            expires: TimestampMs(self.now().0 + life),
            kind,
        };
        self.put(account, token)?;
        Ok(value)
    }

    fn client_is_proven(&self, headers: &HeaderMap, form: &Form) -> bool {
        let (id, secret) = (self.client_id(), self.client_secret());
        let basic = client_in_header(headers, (&id, &secret));
        let body = form.get("client_id") == Some(&id) && form.get("client_secret") == Some(&secret);
        if self.0.profile.basic {
            basic && !body
        } else {
            body && !basic
        }
    }

    fn grant(&self, headers: &HeaderMap, form: &Form) -> anyhow::Result<Result<Value, Refusal>> {
        if !self.client_is_proven(headers, form) {
            return Ok(Err(Refusal::CLIENT));
        }
        match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => self.exchange(form),
            Some("refresh_token") => self.refresh(form),
            _ => Ok(Err(Refusal(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "Use authorization_code or refresh_token",
            ))),
        }
    }

    fn exchange(&self, form: &Form) -> anyhow::Result<Result<Value, Refusal>> {
        let (Some(code), Some(redirect)) = (form.get("code"), form.get("redirect_uri")) else {
            return Ok(Err(Refusal::request("code and redirect_uri are required")));
        };
        let account = &mut *self.account();
        let Some(known) = account
            .tokens
            .get(code)
            .cloned()
            .filter(|known| self.now() < known.expires)
        else {
            return Ok(Err(Refusal::GRANT));
        };
        let Kind::Code {
            redirect_uri,
            challenge,
            offline,
        } = &known.kind
        else {
            // A code that comes twice was stolen: what it gave ends.
            self.forget_grant(account, &known.grant)?;
            return Ok(Err(Refusal::GRANT));
        };
        let verified = match (challenge, form.get("code_verifier")) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => challenge_of(verifier) == *challenge,
            _ => false,
        };
        if redirect_uri != redirect || !verified {
            return Ok(Err(Refusal::GRANT));
        }
        self.put(
            account,
            Token {
                kind: Kind::Spent,
                ..known.clone()
            },
        )?;
        let mut answer = self.pair(account, &known, *offline)?;
        if let (Value::Object(answer), Value::Object(claims)) = (&mut answer, (self.0.profile.claims)(&known.user)) {
            answer.extend(claims);
        }
        Ok(Ok(answer))
    }

    fn refresh(&self, form: &Form) -> anyhow::Result<Result<Value, Refusal>> {
        let Some(value) = form.get("refresh_token") else {
            return Ok(Err(Refusal::request("refresh_token is required")));
        };
        let account = &mut *self.account();
        let Some(known) = account
            .tokens
            .get(value)
            .cloned()
            .filter(|known| self.now() < known.expires)
        else {
            return Ok(Err(Refusal::GRANT));
        };
        match known.kind {
            Kind::Refresh => {}
            Kind::Spent => {
                account.reuses += 1;
                self.forget_grant(account, &known.grant)?;
                return Ok(Err(Refusal::GRANT));
            }
            Kind::Code { .. } | Kind::Access => return Ok(Err(Refusal::GRANT)),
        }
        account.refreshes += 1;
        let rotates = self.0.profile.rotates;
        if rotates {
            let spent = Token {
                kind: Kind::Spent,
                ..known.clone()
            };
            self.put(account, spent)?;
        }
        Ok(Ok(self.pair(account, &known, rotates)?))
    }

    /// An access token, with a refresh token where `refreshable`.
    fn pair(&self, account: &mut Account, from: &Token, refreshable: bool) -> anyhow::Result<Value> {
        let secs = self.0.profile.access_secs;
        let access = self.issue(account, from, Kind::Access, Duration::seconds(secs))?;
        let mut answer = json!({ "access_token": access, "token_type": "bearer", "expires_in": secs });
        if refreshable {
            let refresh = self.issue(account, from, Kind::Refresh, Duration::days(REFRESH_DAYS))?;
            answer["refresh_token"] = refresh.into();
        }
        Ok(answer)
    }

    fn bearer(&self, headers: &HeaderMap) -> Option<Token> {
        let known = self.account().tokens.get(bearer(headers)?).cloned()?;
        let is_good = known.kind == Kind::Access && self.now() < known.expires;
        is_good.then_some(known)
    }
}

fn broken(error: &anyhow::Error) -> Response {
    tracing::error!(%error, "the simulator could not store a change");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// A user who decides at once, so that the whole flow runs on one machine.
async fn authorize(State(provider): State<OAuthProvider>, request: Request) -> Response {
    let query = form(request.uri().query().unwrap_or_default().as_bytes());
    let value = |name: &str| query.get(name).map(String::as_str);
    let is_challenge = value("code_challenge").is_none() || value("code_challenge_method") == Some("S256");
    if value("client_id") != Some(&provider.client_id()) || value("response_type") != Some("code") || !is_challenge {
        return Refusal::request("client_id, response_type or code_challenge_method is wrong").into_response();
    }
    let Some(Ok(target)) = value("redirect_uri").map(url::Url::parse) else {
        return Refusal::request("redirect_uri must be a full URL").into_response();
    };
    let account = &mut *provider.account();
    if account.denies {
        return back_to_app(target, ("error", "access_denied"), value("state"));
    }
    let offline = provider.0.profile.offline;
    let consent = Token {
        value: String::new(),
        grant: provider.0.random.hex(8),
        user: account.user.clone(),
        expires: provider.now(),
        kind: Kind::Spent,
    };
    let kind = Kind::Code {
        redirect_uri: value("redirect_uri").unwrap_or_default().to_owned(),
        challenge: value("code_challenge").map(str::to_owned),
        offline: offline.is_none_or(|(name, wanted)| value(name) == Some(wanted)),
    };
    match provider.issue(account, &consent, kind, Duration::minutes(CODE_MINUTES)) {
        Ok(code) => back_to_app(target, ("code", &code), value("state")),
        Err(error) => broken(&error),
    }
}

async fn token(State(provider): State<OAuthProvider>, headers: HeaderMap, body: Bytes) -> Response {
    match provider.grant(&headers, &form(&body)) {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(error) => broken(&error),
    }
}

/// Ends the sign-in of a token, which stands in the form or, at Dropbox, signs in itself.
async fn revoke(State(provider): State<OAuthProvider>, headers: HeaderMap, body: Bytes) -> Response {
    let form = form(&body);
    let grant = match form.get("token") {
        Some(value) => provider.account().tokens.get(value).map(|token| token.grant.clone()),
        None => provider.bearer(&headers).map(|token| token.grant),
    };
    let Some(grant) = grant else {
        return Refusal::request("there is no such token").into_response();
    };
    let account = &mut *provider.account();
    account.revocations += 1;
    match provider.forget_grant(account, &grant) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => broken(&error),
    }
}

async fn user_info(State(provider): State<OAuthProvider>, headers: HeaderMap) -> Response {
    match provider.bearer(&headers) {
        Some(token) => Json((provider.0.profile.user_info)(&token.user)).into_response(),
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_token" }))).into_response(),
    }
}
