//! `GET /platform-connections` and `GET /platforms/{platform_id}/connections`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, Member, Path, Query, Reply, ok};
use mfh_types::PlatformId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::of_account;
use crate::State;
use crate::routes::platforms;
use crate::view::ConnectionView;

/// How the list is wrapped.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wrapping {
    /// `object` answers `{connections, total}`, anything else the list itself.
    #[serde(default)]
    shape: String,
}

/// The account's connections, wrapped as asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ConnectionList {
    /// The list itself.
    List(Vec<ConnectionView>),
    /// The list and how long it is.
    Object {
        /// The oldest first.
        connections: Vec<ConnectionView>,
        /// How many there are.
        total: usize,
    },
}

/// Lists the account's connections to all platforms, the oldest first.
#[utoipa::path(
    get,
    path = "/platform-connections",
    tag = "platforms",
    params(Wrapping),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<ConnectionList>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn all(
    extract::State(state): extract::State<State>,
    member: Member,
    Query(wrapping): Query<Wrapping>,
) -> Result<Reply<ConnectionList>, ApiError> {
    let connections = of_account(&state, member.account_id()).await?;
    let platforms = state.core.database.platforms().list().await?;
    let connections: Vec<ConnectionView> = connections
        .into_iter()
        .map(|connection| {
            let platform = platforms
                .iter()
                .find(|platform| platform.platform_id == connection.platform_id);
            ConnectionView::new(connection, platform)
        })
        .collect();
    let data = if wrapping.shape == "object" {
        let total = connections.len();
        ConnectionList::Object { connections, total }
    } else {
        ConnectionList::List(connections)
    };
    Ok(ok("Connections listed successfully", data))
}

/// The account's connections to one platform.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlatformConnections {
    /// The oldest first.
    connections: Vec<ConnectionView>,
    /// The platform, by its id however it was named.
    platform_id: PlatformId,
    total: usize,
}

/// Lists the account's connections to a platform, the oldest first.
#[utoipa::path(
    get,
    path = "/platforms/{platform_id}/connections",
    tag = "platforms",
    params(("platform_id" = String, Path, description = "Id or slug of the platform")),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<PlatformConnections>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn of_platform(
    extract::State(state): extract::State<State>,
    member: Member,
    Path(platform): Path<String>,
) -> Result<Reply<PlatformConnections>, ApiError> {
    let platform = platforms::find(&state, &platform).await?;
    let connections: Vec<ConnectionView> = of_account(&state, member.account_id())
        .await?
        .into_iter()
        .filter(|connection| connection.platform_id == platform.platform_id)
        .map(|connection| ConnectionView::new(connection, Some(&platform)))
        .collect();
    let data = PlatformConnections {
        total: connections.len(),
        connections,
        platform_id: platform.platform_id,
    };
    Ok(ok("Connections listed successfully", data))
}
