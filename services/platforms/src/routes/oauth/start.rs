//! `POST /platforms/{platform_id}/oauth/start`.

use axum::extract;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE as COOKIE_HEADER, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use mfh_connectors::oauth::authorization_url;
use mfh_http::{ApiError, Envelope, ErrorBody, Json, ManageConnections, May, Path, check, ok};
use mfh_types::{AuthType, ConnectionId, OAuthState, Platform, PlatformId, PlatformStatus, Random, blank_as_none};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{COOKIE, Refusal, STATE_SECS, hash};
use crate::State;
use crate::routes::connections::{Address, MAX_NAME_CHARS, find};
use crate::routes::platforms;

/// How a sign-in is to end; everything may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct OAuthStart {
    /// The page of the web app that follows when it is done.
    #[serde(default, deserialize_with = "blank_as_none")]
    success_redirect: Option<String>,
    /// The page of the web app that follows when it failed.
    #[serde(default, deserialize_with = "blank_as_none")]
    failure_redirect: Option<String>,
    /// The connection that is to be signed in again.
    #[serde(default, deserialize_with = "blank_as_none")]
    connection_id: Option<String>,
    /// How a new connection is to be called.
    #[serde(default, deserialize_with = "blank_as_none")]
    name: Option<String>,
}

/// Where the user signs in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OAuthStarted {
    /// The vendor's page.
    url: String,
    /// The same.
    authorization_url: String,
    /// Comes back with the user; good once.
    state: String,
    platform_id: PlatformId,
    platform_name: String,
    /// Seconds until it has to be started again.
    expires_in: i64,
}

/// Begins a sign-in at the vendor; send the user to the address in the answer.
#[utoipa::path(
    post,
    path = "/platforms/{platform_id}/oauth/start",
    tag = "platforms",
    params(("platform_id" = String, Path, description = "Id or slug of the platform")),
    security(("bearer" = [])),
    request_body = Option<OAuthStart>,
    responses(
        (status = 200, body = Envelope<OAuthStarted>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 502, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn start(
    extract::State(state): extract::State<State>,
    member: May<ManageConnections>,
    Path(platform): Path<String>,
    headers: HeaderMap,
    request: Option<Json<OAuthStart>>,
) -> Result<Response, ApiError> {
    let core = &state.core;
    let request = request.map(|Json(request)| request).unwrap_or_default();
    let platform = platforms::find(&state, &platform).await?;
    let oauth = platform
        .oauth
        .as_ref()
        .filter(|_| platform.status == PlatformStatus::Active);
    let oauth = oauth.ok_or_else(|| {
        ApiError::bad_request(format!(
            "{} has no sign-in of its own: connect it with its credentials",
            platform.name
        ))
    })?;
    let redirect_uri = state.oauth.check("success_redirect", request.success_redirect)?;
    let failure_redirect = state.oauth.check("failure_redirect", request.failure_redirect)?;
    let name = request
        .name
        .map(|name| check::text("name", &name, MAX_NAME_CHARS))
        .transpose()
        .map_err(|fault| ApiError::invalid(vec![fault]))?;
    let connection_id = match request.connection_id {
        Some(id) => Some(renewable(&state, &member, &platform, id).await?),
        None => None,
    };
    let endpoint = state.loader.token_endpoint(&platform).await;
    let endpoint = endpoint.map_err(|error| Refusal::of_grant(&platform.name, &error))?;

    let secret = random_text(&*core.random);
    let nonce = nonce_of(&headers).unwrap_or_else(|| core.random.hex(32));
    let verifier = oauth.pkce.then(|| random_text(&*core.random));
    let callback = &state.oauth.redirect_uri;
    let url = authorization_url(oauth, endpoint.client_id(), callback, &secret, verifier.as_deref())
        .map_err(|error| ApiError::internal(error.to_string()))?;
    let now = core.clock.unix();
    let stored = OAuthState {
        state: hash(&secret),
        user_id: member.user_id().clone(),
        account_id: member.account_id().clone(),
        platform_id: platform.platform_id.clone(),
        connection_id,
        redirect_uri,
        failure_redirect,
        name,
        nonce_hash: Some(hash(&nonce)),
        code_verifier: verifier,
        created_at: now,
        expires_at: now + STATE_SECS,
        ttl: now + STATE_SECS,
    };
    core.database.oauth_states().put(&stored).await?;
    let data = OAuthStarted {
        url: url.to_string(),
        authorization_url: url.to_string(),
        state: secret,
        platform_id: platform.platform_id,
        platform_name: platform.name,
        expires_in: STATE_SECS,
    };
    let cookie = format!("{COOKIE}={nonce}; Path=/; Max-Age={STATE_SECS}; Secure; HttpOnly; SameSite=Lax");
    let cookie = HeaderValue::try_from(cookie).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(([(SET_COOKIE, cookie)], ok("OAuth flow initiated", data)).into_response())
}

/// The connection that a new sign-in may renew.
async fn renewable(
    state: &State,
    member: &May<ManageConnections>,
    platform: &Platform,
    id: String,
) -> Result<ConnectionId, ApiError> {
    let address = Address {
        platform_id: platform.slug.clone(),
        connection_id: id,
    };
    let (_, connection) = find(state, member.account_id(), &address).await?;
    if connection.auth_type == AuthType::OAuth2 {
        Ok(connection.connection_id)
    } else {
        let message = "signs in with pasted credentials: change those, or make a new connection";
        Err(ApiError::invalid_field("connection_id", message))
    }
}

/// 256 random bits that stand in an address as they are.
fn random_text(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The value of our cookie, where the browser sends one that we made: several sign-ins may be under way in it.
pub(super) fn nonce_of(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE_HEADER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
        .filter(|value| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
