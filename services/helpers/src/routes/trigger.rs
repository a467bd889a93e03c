//! `/helper/…`: an API key runs a helper, mostly from a step of a CRM campaign (`api-automation` §4.3).

use axum::extract::{self, FromRequest, FromRequestParts};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use mfh_http::{ApiError, Envelope, ErrorBody, KeyHolder, Path};
use mfh_pipeline::Trigger;
use mfh_types::{ApiKeyPermission, TriggerType};

use super::execute::RunRequest;
use super::helpers::find;
use crate::State;
use crate::body::TriggerBody;
use crate::outcome::{Queued, RunRefusals, queued, refused};
use crate::request::{IdempotencyKey, QueryParams};

/// What a trigger sends besides the key and the helper.
pub(crate) struct Sent {
    query: QueryParams,
    idempotency_key: IdempotencyKey,
    body: TriggerBody,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = ApiError;

    async fn from_request(request: extract::Request, _: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        Ok(Self {
            query: QueryParams::from_request_parts(&mut parts, &()).await?,
            idempotency_key: IdempotencyKey::from_request_parts(&mut parts, &()).await?,
            body: TriggerBody::from_request(extract::Request::from_parts(parts, body), &()).await?,
        })
    }
}

/// Runs a helper with the API key in the `x-api-key` header.
#[utoipa::path(
    post,
    path = "/helper/{identifier}/execute",
    tag = "triggers",
    params(
        ("identifier" = String, Path, description = "Short key, bare uuid or full id of the helper"),
        ("contact_id" = Option<String>, Query, description = "The contact, where the body names none"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key is the same execution"),
    ),
    security(("api_key" = [])),
    request_body(content(
        (RunRequest = "application/json"),
        (RunRequest = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 202, body = Envelope<Queued>),
        (status = 413, body = ErrorBody),
        RunRefusals,
    )
)]
pub(crate) async fn by_header(
    extract::State(state): extract::State<State>,
    holder: KeyHolder,
    Path(identifier): Path<String>,
    sent: Sent,
) -> Result<Response, ApiError> {
    run(&state, holder, &identifier, sent).await
}

/// Runs a helper with the API key in the path, for CRMs that cannot send headers.
#[utoipa::path(
    post,
    path = "/helper/{api_key}/{identifier}",
    tag = "triggers",
    params(
        ("api_key" = String, Path, description = "The API key"),
        ("identifier" = String, Path, description = "Short key, bare uuid or full id of the helper"),
        ("contact_id" = Option<String>, Query, description = "The contact, where the body names none"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key is the same execution"),
    ),
    security(("api_key" = [])),
    request_body(content(
        (RunRequest = "application/json"),
        (RunRequest = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 202, body = Envelope<Queued>),
        (status = 413, body = ErrorBody),
        RunRefusals,
    )
)]
pub(crate) async fn by_path(
    extract::State(state): extract::State<State>,
    Path((api_key, identifier)): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, ApiError> {
    let holder = KeyHolder::authenticate(&state.core, &api_key).await?;
    run(&state, holder, &identifier, sent).await
}

/// Runs a helper by a plain link; a browser that only looks ahead gets 204 and starts nothing.
#[utoipa::path(
    get,
    path = "/helper/{api_key}/{identifier}",
    tag = "triggers",
    params(
        ("api_key" = String, Path, description = "The API key"),
        ("identifier" = String, Path, description = "Short key, bare uuid or full id of the helper"),
        ("contact_id" = Option<String>, Query, description = "The contact"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key is the same execution"),
    ),
    security(("api_key" = [])),
    responses(
        (status = 202, body = Envelope<Queued>),
        (status = 204, description = "A prefetch; nothing was started"),
        RunRefusals,
    )
)]
pub(crate) async fn by_link(
    extract::State(state): extract::State<State>,
    Path((api_key, identifier)): Path<(String, String)>,
    query: QueryParams,
    idempotency_key: IdempotencyKey,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if is_prefetch(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let holder = KeyHolder::authenticate(&state.core, &api_key).await?;
    let sent = Sent {
        query,
        idempotency_key,
        body: TriggerBody::default(),
    };
    run(&state, holder, &identifier, sent).await
}

/// Browsers and mail programs that load links ahead say so in one of these headers.
fn is_prefetch(headers: &HeaderMap) -> bool {
    ["purpose", "sec-purpose"].into_iter().any(|name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("prefetch"))
    })
}

async fn run(state: &State, holder: KeyHolder, identifier: &str, sent: Sent) -> Result<Response, ApiError> {
    holder.require(ApiKeyPermission::ExecuteHelpers)?;
    let core = &state.core;
    let (account, helper) =
        futures::future::try_join(holder.account(core), find(core, &holder.account_id, identifier)).await?;
    let body = sent.body.or_query(&sent.query)?;
    let trigger = Trigger {
        api_key_id: Some(holder.key_id),
        contact_id: body.contact_id,
        input: body.input,
        query_params: sent.query.into_option(),
        idempotency_key: sent.idempotency_key.0,
        ..Trigger::new(TriggerType::Api)
    };
    let accepted = state.accept.accept(&account, &helper, trigger).await;
    accepted
        .map(queued)
        .map_err(|refusal| refused(refusal, &account, &core.config.app_url))
}
