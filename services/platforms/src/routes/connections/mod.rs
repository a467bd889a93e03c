//! Connections of the account (`api-automation` §7). Members look at them; changing them takes `manage_connections`.

pub(crate) mod create;
pub(crate) mod crm;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod test;
pub(crate) mod update;

use std::sync::Arc;

use http::StatusCode;
use mfh_connectors::{ConnectorError, Site};
use mfh_http::{ApiError, ErrorBody, ErrorCode, FieldFault};
use mfh_types::{
    AccountId, AuthType, ConnectionId, ConnectionSettings, ConnectionStatus, Platform, PlatformConnection,
};
use serde::Deserialize;
use utoipa::{IntoParams, IntoResponses};

use super::platforms;
use crate::State;
use crate::credentials::Checked;
use crate::{opt_in, upstream};

/// The longest name.
pub(crate) const MAX_NAME_CHARS: usize = 100;

/// Where a connection lies in an address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct Address {
    /// Id or slug of the platform
    pub(crate) platform_id: String,
    /// Id of the connection
    pub(crate) connection_id: String,
}

/// How a request that asks the vendor may be refused.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes answers that `ApiError` writes")]
pub(crate) enum VendorRefusals {
    #[response(status = 401)]
    Unauthenticated(ErrorBody),
    #[response(status = 403)]
    Forbidden(ErrorBody),
    #[response(status = 404)]
    NotFound(ErrorBody),
    #[response(status = 409, description = "The connection is switched off")]
    SwitchedOff(ErrorBody),
    #[response(status = 422, description = "The vendor refused; `data` says why")]
    Refused(ErrorBody),
    #[response(status = 502)]
    BadGateway(ErrorBody),
    #[response(status = 503)]
    Unavailable(ErrorBody),
    #[response(status = 504)]
    TimedOut(ErrorBody),
}

/// All connections of an account that are not being deleted, the oldest first.
pub(crate) async fn of_account(state: &State, account: &AccountId) -> Result<Vec<PlatformConnection>, ApiError> {
    let mut connections = state.core.database.connections().list(account).await?;
    connections.retain(|connection| connection.status != ConnectionStatus::Deleting);
    Ok(connections)
}

/// The account's connection at this address, with its platform.
///
/// # Errors
/// 404 for one that is missing, foreign, being deleted or of another platform, all alike.
pub(crate) async fn find(
    state: &State,
    account: &AccountId,
    address: &Address,
) -> Result<(Platform, PlatformConnection), ApiError> {
    let platform = platforms::find(state, &address.platform_id).await?;
    let id = ConnectionId::parse(&address.connection_id).map_err(|_| not_found())?;
    let connection = state.core.database.connections().get(account, &id).await?;
    let connection = connection.filter(|connection| {
        connection.platform_id == platform.platform_id && connection.status != ConnectionStatus::Deleting
    });
    Ok((platform, connection.ok_or_else(not_found)?))
}

fn not_found() -> ApiError {
    ApiError::not_found("Connection not found")
}

/// Refuses a name that another of these connections to the platform has, in any case.
fn check_name_is_free(
    connections: &[PlatformConnection],
    platform: &Platform,
    name: &str,
    own: Option<&ConnectionId>,
) -> Result<(), ApiError> {
    let taken = connections.iter().any(|connection| {
        connection.platform_id == platform.platform_id
            && own != Some(&connection.connection_id)
            && connection.name.to_lowercase() == name.to_lowercase()
    });
    if taken { Err(name_is_taken(platform)) } else { Ok(()) }
}

fn name_is_taken(platform: &Platform) -> ApiError {
    let message = format!(
        "A connection to {} with this name exists; choose another name",
        platform.name
    );
    let fault = FieldFault::new("name", "is taken by another connection");
    ApiError::conflict(ErrorCode::Conflict, message).fields(vec![fault])
}

/// Tries credentials and settings at the vendor before anything is stored.
///
/// # Errors
/// 400 with the vendor's reason, or with what the settings may name.
async fn try_out(
    state: &State,
    platform: &Platform,
    (id, auth_type): (&ConnectionId, AuthType),
    checked: &Checked,
    settings: &ConnectionSettings,
) -> Result<(), ApiError> {
    let refusal = |error: ConnectorError| {
        let message = format!("Could not connect: {}", error.message);
        ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::UpstreamFailed, message).data(upstream::facts(&error))
    };
    if !upstream::is_crm(platform) {
        let platform = Arc::new(platform.clone());
        let service = state.loader.connect_service(&platform, &checked.credentials);
        return service.map_err(refusal)?.test().await.map_err(refusal);
    }
    let site = Site {
        connection_id: id,
        auth_type,
        base_url: checked.base_url.as_deref(),
        external_app_id: None,
        settings,
    };
    let crm = state.loader.connect(platform, site, &checked.credentials);
    let crm = crm.map_err(refusal)?;
    crm.test_connection().await.map_err(refusal)?;
    opt_in::check(&*crm, platform, settings).await
}
