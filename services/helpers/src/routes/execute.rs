//! `POST /helpers/{helper_id}/execute`: a member runs a helper (`api-automation` §4.1).

use axum::extract;
use axum::response::Response;
use mfh_http::{ApiError, Envelope, ErrorBody, ExecuteHelpers, May, Path};
use mfh_pipeline::Trigger;
use mfh_types::TriggerType;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::helpers::find;
use crate::State;
use crate::body::TriggerBody;
use crate::outcome::{Queued, RunRefusals, queued, refused};
use crate::request::IdempotencyKey;

/// What to run on.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read more forgivingly")]
pub(crate) struct RunRequest {
    /// The contact, as text or number.
    contact_id: Option<String>,
    /// Data of the run; other keys of the body join it.
    #[schema(value_type = Option<Object>)]
    input: Option<Value>,
}

/// Runs a helper: the run is stored and happens soon after.
#[utoipa::path(
    post,
    path = "/helpers/{helper_id}/execute",
    tag = "helpers",
    params(
        ("helper_id" = String, Path, description = "Full id, bare uuid or short key"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat with the same key is the same execution"),
    ),
    security(("bearer" = [])),
    request_body = RunRequest,
    responses(
        (status = 202, body = Envelope<Queued>),
        (status = 413, body = ErrorBody),
        RunRefusals,
    )
)]
pub(crate) async fn execute(
    extract::State(state): extract::State<State>,
    member: May<ExecuteHelpers>,
    Path(identifier): Path<String>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    body: TriggerBody,
) -> Result<Response, ApiError> {
    let helper = find(&state.core, member.account_id(), &identifier).await?;
    let body = body.of_web_app()?;
    let trigger = Trigger {
        user_id: Some(member.user_id().clone()),
        contact_id: body.contact_id,
        input: body.input,
        idempotency_key,
        ..Trigger::new(TriggerType::Manual)
    };
    let account = &member.account;
    let accepted = state.accept.accept(account, &helper, trigger).await;
    accepted
        .map(queued)
        .map_err(|refusal| refused(refusal, account, &state.core.config.app_url))
}
