//! `DELETE /api-keys/{key_id}`.

use axum::extract;
use mfh_database::Revocation;
use mfh_http::{ApiError, Envelope, ErrorBody, ManageApiKeys, May, Path, Reply, ok};
use mfh_types::{ApiKeyId, ApiKeyStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::State;

/// A key that no longer works.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revoked {
    key_id: ApiKeyId,
    /// Always `revoked`.
    status: ApiKeyStatus,
}

/// Revokes an API key for good; revoking it again changes nothing.
#[utoipa::path(
    delete,
    path = "/api-keys/{key_id}",
    tag = "api-keys",
    params(("key_id" = String, Path, description = "The id of the key's record, not the key")),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Revoked>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn revoke(
    extract::State(state): extract::State<State>,
    member: May<ManageApiKeys>,
    Path(id): Path<String>,
) -> Result<Reply<Revoked>, ApiError> {
    let not_found = || ApiError::not_found("API key not found");
    let key_id = ApiKeyId::parse(&id).map_err(|_| not_found())?;
    let now = Timestamp::now(&*state.core.clock);
    let keys = state.core.database.api_keys();
    match keys.revoke(member.account_id(), &key_id, member.user_id(), now).await? {
        Revocation::Revoked | Revocation::AlreadyRevoked => {
            let status = ApiKeyStatus::Revoked;
            Ok(ok("API key revoked successfully", Revoked { key_id, status }))
        }
        Revocation::Missing => Err(not_found()),
    }
}
