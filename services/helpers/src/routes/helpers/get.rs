//! `GET /helpers/{helper_id}`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, Member, Path, Reply, ok};

use super::find;
use crate::State;
use crate::views::HelperDetail;

/// Shows a helper with its settings and their form.
#[utoipa::path(
    get,
    path = "/helpers/{helper_id}",
    tag = "helpers",
    params(("helper_id" = String, Path, description = "Full id, bare uuid or short key")),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<HelperDetail>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn get(
    extract::State(state): extract::State<State>,
    member: Member,
    Path(identifier): Path<String>,
) -> Result<Reply<HelperDetail>, ApiError> {
    let helper = find(&state.core, member.account_id(), &identifier).await?;
    Ok(ok("Helper retrieved successfully", helper.into()))
}
