//! `GET /platforms/{platform_id}/connections/{connection_id}`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, Member, Path, Reply, ok};

use super::{Address, find};
use crate::State;
use crate::view::ConnectionView;

/// Shows a connection.
#[utoipa::path(
    get,
    path = "/platforms/{platform_id}/connections/{connection_id}",
    tag = "platforms",
    params(Address),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<ConnectionView>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn get(
    extract::State(state): extract::State<State>,
    member: Member,
    Path(address): Path<Address>,
) -> Result<Reply<ConnectionView>, ApiError> {
    let (platform, connection) = find(&state, member.account_id(), &address).await?;
    let view = ConnectionView::new(connection, Some(&platform));
    Ok(ok("Connection retrieved successfully", view))
}
