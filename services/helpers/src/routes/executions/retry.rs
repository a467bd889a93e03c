//! `POST /executions/{execution_id}/retry`.

use axum::extract;
use axum::response::Response;
use mfh_http::{ApiError, Envelope, ErrorBody, ErrorCode, ExecuteHelpers, May, Path};

use super::find;
use crate::State;
use crate::outcome::{Queued, disabled, queued, refused};
use crate::routes::helpers::not_found;

/// Runs an ended execution again, with the settings and input that it had.
#[utoipa::path(
    post,
    path = "/executions/{execution_id}/retry",
    tag = "executions",
    params(("execution_id" = String, Path)),
    security(("bearer" = [])),
    responses(
        (status = 202, body = Envelope<Queued>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, description = "The execution or its helper does not exist", body = ErrorBody),
        (status = 409, description = "It has not ended, or its helper is disabled", body = ErrorBody),
        (status = 429, description = "Too many runs in this minute, or the free plan's month is used up", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn retry(
    extract::State(state): extract::State<State>,
    member: May<ExecuteHelpers>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let core = &state.core;
    let account = &member.account;
    let original = find(core, member.account_id(), &id).await?;
    let status = original.summary.status;
    if !status.is_terminal() {
        return Err(ApiError::conflict(
            ErrorCode::Conflict,
            format!(
                "Execution is {}: wait until it has ended, then retry it",
                status.as_str()
            ),
        ));
    }
    let helpers = core.database.helpers();
    let helper = helpers.get(member.account_id(), &original.summary.helper_id).await?;
    if !helper.ok_or_else(not_found)?.enabled {
        return Err(disabled());
    }
    let accepted = state.accept.repeat(account, &original, member.user_id()).await;
    accepted
        .map(queued)
        .map_err(|refusal| refused(refusal, account, &core.config.app_url))
}
