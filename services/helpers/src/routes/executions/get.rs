//! `GET /executions/{execution_id}`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, Member, Path, Reply, ok};

use super::find;
use crate::State;
use crate::views::ExecutionDetail;

/// Shows an execution with what went in and what came out.
#[utoipa::path(
    get,
    path = "/executions/{execution_id}",
    tag = "executions",
    params(("execution_id" = String, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<ExecutionDetail>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn get(
    extract::State(state): extract::State<State>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Reply<ExecutionDetail>, ApiError> {
    let execution = find(&state.core, member.account_id(), &id).await?;
    Ok(ok("Execution retrieved successfully", execution.into()))
}
