//! `POST /executions/{execution_id}/cancel`.

use axum::extract;
use mfh_database::Cancellation;
use mfh_http::{ApiError, Envelope, ErrorBody, ErrorCode, ExecuteHelpers, May, Path, Reply, ok};
use mfh_types::Timestamp;

use super::{not_found, parse_id};
use crate::State;
use crate::views::ExecutionDetail;

/// Cancels an execution that has not begun; it no longer counts against the plan.
#[utoipa::path(
    post,
    path = "/executions/{execution_id}/cancel",
    tag = "executions",
    params(("execution_id" = String, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<ExecutionDetail>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "It runs or has ended", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn cancel(
    extract::State(state): extract::State<State>,
    member: May<ExecuteHelpers>,
    Path(id): Path<String>,
) -> Result<Reply<ExecutionDetail>, ApiError> {
    let id = parse_id(&id)?;
    let now = Timestamp::now(&*state.core.clock);
    let executions = state.core.database.executions();
    match executions.cancel(member.account_id(), &id, now).await? {
        Cancellation::Cancelled(execution) => Ok(ok("Execution cancelled", ExecutionDetail::from(*execution))),
        Cancellation::NotCancellable(status) => Err(ApiError::conflict(
            ErrorCode::Conflict,
            format!(
                "Execution is {}: only a pending or waiting one can be cancelled",
                status.as_str()
            ),
        )),
        Cancellation::Missing => Err(not_found()),
    }
}
