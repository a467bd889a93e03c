//! `DELETE /platforms/{platform_id}/connections/{connection_id}`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, ErrorCode, ManageConnections, May, Path, Query, Reply, ok};
use mfh_types::{ConnectionId, Credentials, Helper, HelperId, Platform, PlatformConnection, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Address, find, not_found, of_account};
use crate::State;

/// How a connection is deleted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Mode {
    /// Deletes it even though helpers use it, which are disabled.
    #[serde(default)]
    force: bool,
}

/// A connection that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedConnection {
    connection_id: ConnectionId,
    deleted_at: Timestamp,
    /// Helpers that used it and are disabled now.
    disabled_helper_ids: Vec<HelperId>,
}

/// Deletes a connection with its credentials, and gives OAuth tokens back to the vendor.
#[utoipa::path(
    delete,
    path = "/platforms/{platform_id}/connections/{connection_id}",
    tag = "platforms",
    params(
        Address,
        Mode,
    ),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<DeletedConnection>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "Helpers that are switched on use it", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn delete(
    extract::State(state): extract::State<State>,
    member: May<ManageConnections>,
    Path(address): Path<Address>,
    Query(mode): Query<Mode>,
) -> Result<Reply<DeletedConnection>, ApiError> {
    let (account, database) = (member.account_id(), &state.core.database);
    let (platform, connection) = find(&state, account, &address).await?;
    let tokens = tokens_to_give_back(&state, &platform, &connection).await?;
    let connection_id = connection.connection_id;
    let helpers = database.helpers();
    let users = helpers.using_connection(account, &connection_id).await?;
    let active: Vec<&Helper> = users.iter().filter(|helper| helper.enabled).collect();
    if !mode.force && !active.is_empty() {
        return Err(in_use(&active));
    }
    // First the helpers: when the rest fails, a repeat finds nothing left to detach and deletes.
    let deleted_at = Timestamp::now(&*state.core.clock);
    let disabled_helper_ids = helpers.detach_connection(account, &connection_id, deleted_at).await?;
    if !database.connections().delete(account, &connection_id).await? {
        return Err(not_found());
    }
    state.loader.shared().caches().forget(&connection_id).await;
    if let Some(tokens) = tokens
        && let Err(error) = state.loader.give_back(&platform, &tokens).await
    {
        tracing::warn!(%connection_id, %error, "the tokens of a deleted connection could not be given back");
    }
    Ok(ok(
        "Connection deleted successfully",
        DeletedConnection {
            connection_id,
            deleted_at,
            disabled_helper_ids,
        },
    ))
}

/// The tokens that nobody needs when this connection is gone. Some vendors end all sign-ins of a person with one
/// token: another connection of the same person keeps them.
async fn tokens_to_give_back(
    state: &State,
    platform: &Platform,
    connection: &PlatformConnection,
) -> Result<Option<Credentials>, ApiError> {
    let Some(person) = &connection.external_user_id else {
        return Ok(state.loader.revocable(platform, connection).await);
    };
    let others = of_account(state, &connection.account_id).await?;
    let is_shared = others.iter().any(|other| {
        other.connection_id != connection.connection_id
            && other.platform_id == connection.platform_id
            && other.external_user_id.as_ref() == Some(person)
    });
    Ok(if is_shared {
        None
    } else {
        state.loader.revocable(platform, connection).await
    })
}

fn in_use(active: &[&Helper]) -> ApiError {
    let count = active.len();
    let noun = if count == 1 { "helper" } else { "helpers" };
    let message = format!("Connection is used by {count} {noun}; disable or change them, or delete with force=true");
    let helper_ids: Vec<&HelperId> = active.iter().map(|helper| &helper.helper_id).collect();
    ApiError::conflict(ErrorCode::Conflict, message).data(json!({"helper_ids": helper_ids}))
}
