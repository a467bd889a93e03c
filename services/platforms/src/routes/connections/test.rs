//! `POST /platforms/{platform_id}/connections/{connection_id}/test`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ManageConnections, May, Path, Reply, ok};
use mfh_types::{ConnectionId, PlatformId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Address, VendorRefusals, find};
use crate::State;
use crate::upstream;

/// A test that went well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tested {
    connection_id: ConnectionId,
    platform_id: PlatformId,
    /// Always `success`.
    status: &'static str,
    tested_at: Timestamp,
    result: TestResult,
}

/// What the vendor said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestResult {
    /// Always `valid`.
    status: &'static str,
}

/// Asks the vendor whether the connection works; only refused credentials mark it as broken.
#[utoipa::path(
    post,
    path = "/platforms/{platform_id}/connections/{connection_id}/test",
    tag = "platforms",
    params(Address),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Tested>),
        VendorRefusals,
    )
)]
pub(crate) async fn test(
    extract::State(state): extract::State<State>,
    member: May<ManageConnections>,
    Path(address): Path<Address>,
) -> Result<Reply<Tested>, ApiError> {
    let account = member.account_id();
    let (platform, connection) = find(&state, account, &address).await?;
    let id = connection.connection_id;
    upstream::test(&state, account, &id, &platform)
        .await
        .map_err(|error| upstream::refusal(&error, "Connection test failed"))?;
    state.loader.works(account, &id).await?;
    Ok(ok(
        "Connection test successful",
        Tested {
            connection_id: id,
            platform_id: platform.platform_id,
            status: "success",
            tested_at: Timestamp::now(&*state.core.clock),
            result: TestResult { status: "valid" },
        },
    ))
}
