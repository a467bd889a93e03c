//! `DELETE /helpers/{helper_id}`.

use axum::extract;
use mfh_database::Deletion;
use mfh_http::{ApiError, Envelope, ErrorBody, ManageHelpers, May, Path, Reply, ok};
use mfh_types::{HelperId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{find, not_found};
use crate::State;

/// The helper that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    helper_id: HelperId,
}

/// Deletes a helper; its executions stay until they expire.
#[utoipa::path(
    delete,
    path = "/helpers/{helper_id}",
    tag = "helpers",
    params(("helper_id" = String, Path, description = "Full id, bare uuid or short key")),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Deleted>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn delete(
    extract::State(state): extract::State<State>,
    member: May<ManageHelpers>,
    Path(identifier): Path<String>,
) -> Result<Reply<Deleted>, ApiError> {
    let core = &state.core;
    let helper_id = find(core, member.account_id(), &identifier).await?.helper_id;
    let now = Timestamp::now(&*core.clock);
    let helpers = core.database.helpers();
    match helpers.delete(member.account_id(), &helper_id, now).await? {
        Deletion::Deleted => Ok(ok("Helper deleted successfully", Deleted { helper_id })),
        Deletion::Missing => Err(not_found()),
    }
}
