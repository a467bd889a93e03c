//! `GET /platforms/oauth/callback`: where vendors send the browser back to.

use axum::extract;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mfh_connectors::oauth::Identity;
use mfh_http::{ApiError, BearerToken, Envelope, ErrorBody, Query, ok};
use mfh_types::{
    Account, AccountStatus, ConnectionId, OAuthState, Permission, PlatformStatus, Timestamp, UserId, UserStatus,
    blank_as_none,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::start::nonce_of;
use super::upsert::{SignIn, upsert};
use super::{Refusal, hash};
use crate::State;
use crate::settings::with_parameters;
use crate::upstream;

/// The longest code or state that is looked at, in bytes.
const LONGEST: usize = 4_096;

/// What the vendor sends with the browser.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackQuery {
    /// Stands for the consent; good once.
    #[serde(default, deserialize_with = "blank_as_none")]
    code: Option<String>,
    /// As it was given to the vendor.
    #[serde(default, deserialize_with = "blank_as_none")]
    state: Option<String>,
    /// Why there is no code.
    #[serde(default, deserialize_with = "blank_as_none")]
    error: Option<String>,
}

/// A connection that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedInConnection {
    connection_id: ConnectionId,
}

/// Ends a sign-in and sends the user back to the web app; with `Accept: application/json` it answers instead.
#[utoipa::path(
    get,
    path = "/platforms/oauth/callback",
    tag = "platforms",
    params(CallbackQuery),
    responses(
        (status = 200, description = "Done, for callers that accept JSON", body = Envelope<SignedInConnection>),
        (status = 302, description = "Back to the web app, with the outcome in the address"),
        (status = 400, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody),
        (status = 502, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn callback(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    BearerToken(token): BearerToken,
    Query(query): Query<CallbackQuery>,
) -> Response {
    // A token that does not count makes a stranger of the caller; that is no reason to refuse the vendor's answer.
    let caller = match token {
        Some(token) => state.core.verifier.verify(&token).await.ok(),
        None => None,
    };
    let caller = caller.and_then(|claims| UserId::parse(&claims.sub).ok());
    let started = begin(&state, &query).await;
    let outcome = match &started {
        Ok(started) => finish(&state, started, &headers, caller.as_ref(), query).await,
        Err(_) => Err(Refusal::bad_request(
            "This sign-in was used already or took longer than 15 minutes. Start it again",
        )),
    };
    let started = match started {
        Ok(started) => Some(started),
        Err(Some(refusal)) => return answer(&state, &headers, None, Err(refusal)),
        Err(None) => None,
    };
    answer(&state, &headers, started.as_ref(), outcome)
}

/// Takes the stored state out of the table, whatever comes of the sign-in. `Err(None)` when there is none.
async fn begin(state: &State, query: &CallbackQuery) -> Result<OAuthState, Option<Refusal>> {
    let secret = query
        .state
        .as_deref()
        .filter(|text| text.len() <= LONGEST)
        .ok_or(None)?;
    let now = Timestamp::now(&*state.core.clock);
    let taken = state.core.database.oauth_states().consume(&hash(secret), now).await;
    taken.map_err(|error| Some(error.into()))?.ok_or(None)
}

async fn finish(
    state: &State,
    started: &OAuthState,
    headers: &HeaderMap,
    caller: Option<&UserId>,
    query: CallbackQuery,
) -> Result<ConnectionId, Refusal> {
    let is_other_browser = match (nonce_of(headers), &started.nonce_hash) {
        (Some(nonce), Some(expected)) => hash(&nonce) != *expected,
        _ => false,
    };
    if is_other_browser || caller.is_some_and(|caller| *caller != started.user_id) {
        return Err(Refusal::forbidden(
            "This sign-in was started by somebody else. Start your own",
        ));
    }
    if let Some(error) = query.error {
        return Err(denied(&error));
    }
    let code = query.code.filter(|code| code.len() <= LONGEST);
    let code = code.ok_or_else(|| Refusal::bad_request("The vendor sent no code back. Start the sign-in again"))?;
    let account = standing(state, started).await?;
    connect(state, started, &account, &code).await
}

/// Why the vendor sent no code. Its own words are not repeated: anybody can write them into the address.
fn denied(error: &str) -> Refusal {
    tracing::info!(
        error = error.chars().take(40).collect::<String>(),
        "a vendor refused a sign-in"
    );
    match error {
        "access_denied" => Refusal::bad_request("You did not allow the access. Start again and allow it"),
        _ => Refusal::bad_request("The vendor refused the sign-in. Start it again"),
    }
}

/// The account, if the user who started still works in it and may manage its connections.
async fn standing(state: &State, started: &OAuthState) -> Result<Account, Refusal> {
    let database = &state.core.database;
    let user = database.users().get(&started.user_id).await?;
    let membership = database
        .user_accounts()
        .get(&started.user_id, &started.account_id)
        .await?;
    let account = database.accounts().get(&started.account_id).await?;
    let user_works = user.is_some_and(|user| user.status != UserStatus::Disabled);
    let may = membership.is_some_and(|membership| {
        membership.status.is_active() && membership.permissions().allows(Permission::ManageConnections)
    });
    account
        .filter(|account| user_works && may && account.status == AccountStatus::Active)
        .ok_or_else(|| Refusal::forbidden("Permission denied: ask an admin of the account"))
}

async fn connect(state: &State, started: &OAuthState, account: &Account, code: &str) -> Result<ConnectionId, Refusal> {
    let platform = state.core.database.platforms().get(&started.platform_id).await?;
    let platform = platform.filter(|platform| platform.status == PlatformStatus::Active);
    let platform = platform.ok_or_else(|| Refusal::bad_request("This platform is no longer offered"))?;
    let Some(oauth) = &platform.oauth else {
        return Err(Refusal::bad_request("This platform no longer signs in by OAuth"));
    };
    let refused = |error| Refusal::of_grant(&platform.name, &error);
    let endpoint = state.loader.token_endpoint(&platform).await.map_err(refused)?;
    let verifier = started.code_verifier.as_deref();
    let grant = endpoint
        .exchange(code, &state.oauth.redirect_uri, verifier)
        .await
        .map_err(refused)?;
    let info = match endpoint.user_info(&grant.access_token).await {
        Ok(info) => info,
        Err(error) => {
            tracing::warn!(platform = platform.slug, %error, "the user info could not be read");
            None
        }
    };
    let identity = Identity::read(oauth, &grant.claims, info.as_ref()).map_err(Refusal::bad_request)?;
    let is_told = !oauth.identity.user_id.is_empty() || !oauth.identity.app_id.is_empty();
    if is_told && identity.user_id.is_none() && identity.app_id.is_none() {
        let message = format!("{} did not say who signed in. Start the sign-in again", platform.name);
        return Err(Refusal::new(
            StatusCode::BAD_GATEWAY,
            mfh_http::ErrorCode::UpstreamFailed,
            message,
        ));
    }
    let sign_in = SignIn {
        started,
        account,
        platform: &platform,
        grant: &grant,
        identity: &identity,
    };
    let id = upsert(state, &sign_in).await?;
    state.loader.shared().caches().forget(&id).await;
    match upstream::test(state, &account.account_id, &id, &platform).await {
        Err(error) if upstream::needs_sign_in(error.kind) => {
            let message = format!("The sign-in does not work: {}", error.message);
            Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                mfh_http::ErrorCode::UpstreamFailed,
                message,
            ))
        }
        Err(error) => {
            tracing::warn!(connection_id = %id, %error, "a new connection could not be tested yet");
            Ok(id)
        }
        Ok(()) => Ok(id),
    }
}

/// The outcome as JSON, or in the address of the page that follows.
fn answer(
    state: &State,
    headers: &HeaderMap,
    started: Option<&OAuthState>,
    outcome: Result<ConnectionId, Refusal>,
) -> Response {
    let accepts_json = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("application/json"));
    if accepts_json {
        return match outcome {
            Ok(connection_id) => ok("Connected", SignedInConnection { connection_id }).into_response(),
            Err(refusal) => ApiError::from(refusal).into_response(),
        };
    }
    let target = match outcome {
        Ok(id) => {
            let page = started.and_then(|started| started.redirect_uri.as_deref());
            let parameters = [("oauth", "success"), ("connection_id", id.as_str())];
            with_parameters(page.unwrap_or(&state.oauth.success_url), &parameters)
        }
        Err(refusal) => {
            let page = started.and_then(|started| started.failure_redirect.as_deref());
            let parameters = [("oauth", "error"), ("error", refusal.message.as_str())];
            with_parameters(page.unwrap_or(&state.oauth.failure_url), &parameters)
        }
    };
    let Ok(location) = HeaderValue::try_from(target) else {
        return ApiError::internal("the address to go back to is no header value").into_response();
    };
    let headers: [(HeaderName, HeaderValue); 3] = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::FOUND, headers).into_response()
}
