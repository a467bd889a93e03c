//! `PUT /platforms/{platform_id}/connections/{connection_id}`.

use axum::extract;
use mfh_database::{ConnectionChange, NewSecrets, Renaming};
use mfh_http::{
    ApiError, Envelope, ErrorBody, ErrorCode, FieldFault, Json, ManageConnections, May, Path, Reply, check, ok,
};
use mfh_types::{AuthId, AuthType, ConnectionSettings, Platform, PlatformConnection, Timestamp, blank_as_default};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Address, MAX_NAME_CHARS, check_name_is_free, find, name_is_taken, not_found, of_account, try_out};
use crate::State;
use crate::credentials::{self, Checked, Sent};
use crate::view::ConnectionView;
use crate::{opt_in, upstream};

/// A change of a connection; what is not sent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ConnectionUpdate {
    /// Display name.
    #[serde(default)]
    name: Option<String>,
    /// New credentials, all of them; `********` alone leaves them as they are.
    #[serde(default, deserialize_with = "blank_as_default")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    credentials: Sent,
    /// What contacts opt in to where consent is given per list or subscription type: `default_list_id` for
    /// ActiveCampaign, `default_subscription_id` for HubSpot. One that is not sent stays;
    /// null or an empty text clears it. Checked at the vendor.
    #[serde(default, deserialize_with = "blank_as_default")]
    #[schema(value_type = ConnectionSettings)]
    settings: opt_in::Sent,
}

/// Renames a connection, or gives it new credentials or settings once the vendor accepts them.
#[utoipa::path(
    put,
    path = "/platforms/{platform_id}/connections/{connection_id}",
    tag = "platforms",
    params(Address),
    security(("bearer" = [])),
    request_body = ConnectionUpdate,
    responses(
        (status = 200, body = Envelope<ConnectionView>),
        (status = 400, description = "A value is wrong, or the vendor refused credentials or settings", body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The name is taken, or the credentials changed meanwhile", body = ErrorBody),
        (status = 422, description = "The vendor refused to tell what the settings may name", body = ErrorBody),
        (status = 502, body = ErrorBody),
        (status = 503, body = ErrorBody),
        (status = 504, body = ErrorBody),
    )
)]
pub(crate) async fn update(
    extract::State(state): extract::State<State>,
    member: May<ManageConnections>,
    Path(address): Path<Address>,
    Json(request): Json<ConnectionUpdate>,
) -> Result<Reply<ConnectionView>, ApiError> {
    let account = member.account_id();
    let (platform, connection) = find(&state, account, &address).await?;
    let name = name(&state, &platform, &connection, request.name).await?;
    let settings = opt_in::merged(&platform, &connection.settings, &request.settings)?;
    let replacement = if credentials::is_unchanged(&request.credentials) {
        None
    } else {
        Some(accepted(&state, &platform, &connection, &request.credentials, &settings).await?)
    };
    let set_alone = replacement.is_none() && settings != connection.settings;
    if set_alone {
        check_settings(&state, &platform, &connection, &settings).await?;
    }
    if let Some(name) = name {
        let now = Timestamp::now(&*state.core.clock);
        let connections = state.core.database.connections();
        match connections.rename(&connection, &name, now).await? {
            Renaming::Renamed => {}
            Renaming::Taken => return Err(name_is_taken(&platform)),
            Renaming::Changed => return Err(modified()),
        }
    }
    if let Some(replacement) = replacement {
        replace(&state, &connection, replacement, settings).await?;
    } else if set_alone {
        set(&state, &connection, settings).await?;
    }
    let (platform, connection) = find(&state, account, &address).await?;
    let view = ConnectionView::new(connection, Some(&platform));
    Ok(ok("Connection updated successfully", view))
}

/// The new name, where one is sent that differs.
async fn name(
    state: &State,
    platform: &Platform,
    connection: &PlatformConnection,
    sent: Option<String>,
) -> Result<Option<String>, ApiError> {
    let Some(sent) = sent else {
        return Ok(None);
    };
    let name = check::text("name", &sent, MAX_NAME_CHARS).map_err(|fault| ApiError::invalid(vec![fault]))?;
    if name == connection.name {
        return Ok(None);
    }
    let others = of_account(state, &connection.account_id).await?;
    check_name_is_free(&others, platform, &name, Some(&connection.connection_id))?;
    Ok(Some(name))
}

/// Asks the vendor, through the stored connection, whether it has what new settings name.
async fn check_settings(
    state: &State,
    platform: &Platform,
    connection: &PlatformConnection,
    settings: &ConnectionSettings,
) -> Result<(), ApiError> {
    if opt_in::wanted(platform, settings).is_none() {
        return Ok(());
    }
    let (account, id) = (&connection.account_id, &connection.connection_id);
    let targets = upstream::ask(state, account, id, |crm| async move { crm.opt_in_targets().await }).await;
    let targets = targets.map_err(|error| upstream::refusal(&error, "The settings could not be checked"))?;
    opt_in::fits(platform, settings, &targets)
}

/// Puts settings in the place of the stored ones.
async fn set(state: &State, connection: &PlatformConnection, settings: ConnectionSettings) -> Result<(), ApiError> {
    let change = ConnectionChange {
        settings: Some(settings),
        ..ConnectionChange::default()
    };
    let now = Timestamp::now(&*state.core.clock);
    let connections = state.core.database.connections();
    let (account, id) = (&connection.account_id, &connection.connection_id);
    let changed = connections.update(account, id, change, now).await?;
    changed.map(drop).ok_or_else(not_found)
}

/// Credentials that the vendor accepts, and those whose place they take.
struct Replacement {
    checked: Checked,
    auth_id: AuthId,
    version: u64,
}

/// Checks new credentials and tries them at the vendor; nothing is stored yet.
async fn accepted(
    state: &State,
    platform: &Platform,
    connection: &PlatformConnection,
    sent: &Sent,
    settings: &ConnectionSettings,
) -> Result<Replacement, ApiError> {
    if connection.auth_type == AuthType::OAuth2 {
        let fault = FieldFault::new("credentials", "cannot be set on a connection that signs in by OAuth");
        return Err(ApiError::bad_request("Connect it again by the OAuth flow of this platform").fields(vec![fault]));
    }
    let (account, id) = (&connection.account_id, &connection.connection_id);
    let checked = credentials::check(platform, sent)?;
    let gone = || {
        ApiError::conflict(
            ErrorCode::Conflict,
            "The stored credentials are gone: delete the connection and connect again",
        )
    };
    let auth_id = connection.auth_id.as_ref().ok_or_else(gone)?;
    let stored = state.core.database.auths().get(account, id, auth_id).await?;
    let (auth, _) = stored.ok_or_else(gone)?;
    try_out(state, platform, (id, connection.auth_type), &checked, settings).await?;
    Ok(Replacement {
        checked,
        auth_id: auth_id.clone(),
        version: auth.version,
    })
}

/// Puts accepted credentials in the place of the stored ones.
async fn replace(
    state: &State,
    connection: &PlatformConnection,
    new: Replacement,
    settings: ConnectionSettings,
) -> Result<(), ApiError> {
    let (account, id) = (&connection.account_id, &connection.connection_id);
    let sealed = state.loader.seal(account, id, &new.checked.credentials).await;
    let secrets = NewSecrets {
        sealed: sealed.map_err(|error| ApiError::unavailable(error.to_string()))?,
        expires_at: None,
        scope: None,
        token_type: None,
    };
    let change = ConnectionChange {
        external_app_id: Some(new.checked.external_app_id()),
        credentials_metadata: Some(Some(new.checked.metadata)),
        base_url: Some(new.checked.base_url),
        settings: Some(settings),
        ..ConnectionChange::default()
    };
    let now = Timestamp::now(&*state.core.clock);
    let connections = state.core.database.connections();
    let replaced = connections
        .replace_credentials(connection, &new.auth_id, secrets, new.version, change, now)
        .await?;
    if !replaced {
        let still_there = connections.get(account, id).await?.is_some();
        return Err(if still_there { modified() } else { not_found() });
    }
    // The new credentials may belong to another account at the vendor, with other tags and fields.
    state.loader.shared().caches().forget(id).await;
    Ok(())
}

fn modified() -> ApiError {
    ApiError::conflict(
        ErrorCode::Conflict,
        "The connection was changed at the same time: load the connection again, then repeat your change",
    )
}
