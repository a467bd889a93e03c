//! `POST /platforms/{platform_id}/connections`.

use axum::extract;
use http::StatusCode;
use mfh_database::{Connecting, NewConnection};
use mfh_http::{
    ApiError, Core, Envelope, ErrorBody, ErrorCode, Json, ManageConnections, May, Member, Path, Query, Reply, check,
    created,
};
use mfh_types::{
    ConnectionError, ConnectionId, ConnectionSettings, ConnectionStatus, PlatformConnection, PlatformStatus,
    blank_as_default,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{MAX_NAME_CHARS, check_name_is_free, name_is_taken, of_account, try_out};
use crate::State;
use crate::credentials::{self, Sent};
use crate::opt_in;
use crate::records::{self, Maker};
use crate::routes::platforms;
use crate::view::ConnectionView;

/// A new connection by pasted credentials.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewConnectionRequest {
    /// Display name, not yet used for this platform.
    #[serde(default, deserialize_with = "blank_as_default")]
    name: String,
    /// `api_key`, or `oauth2`, which has a flow of its own. The platform's own when it is not given.
    #[serde(default)]
    auth_type: Option<String>,
    /// The platform's `credential_fields` by their keys.
    #[serde(default, deserialize_with = "blank_as_default")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    credentials: Sent,
    /// What contacts opt in to where consent is given per list or subscription type: `default_list_id` for
    /// ActiveCampaign, `default_subscription_id` for HubSpot. Checked at the vendor.
    #[serde(default, deserialize_with = "blank_as_default")]
    #[schema(value_type = ConnectionSettings)]
    settings: opt_in::Sent,
}

/// How a connection is made.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Mode {
    /// Stores the connection without asking the vendor, marked as not tested.
    #[serde(default)]
    skip_test: bool,
}

/// Connects a platform by pasted credentials, once the vendor accepts them.
#[utoipa::path(
    post,
    path = "/platforms/{platform_id}/connections",
    tag = "platforms",
    params(("platform_id" = String, Path, description = "Id or slug of the platform"), Mode),
    security(("bearer" = [])),
    request_body = NewConnectionRequest,
    responses(
        (status = 201, body = Envelope<ConnectionView>),
        (status = 400, description = "A value is wrong, or the vendor refused credentials or settings", body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, description = "Not permitted, or the plan includes no more connections", body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The name is taken", body = ErrorBody),
        (status = 422, description = "The vendor refused to tell what the settings may name", body = ErrorBody),
        (status = 502, body = ErrorBody),
        (status = 503, body = ErrorBody),
        (status = 504, body = ErrorBody),
    )
)]
pub(crate) async fn create(
    extract::State(state): extract::State<State>,
    member: May<ManageConnections>,
    Path(platform): Path<String>,
    Query(mode): Query<Mode>,
    Json(request): Json<NewConnectionRequest>,
) -> Result<Reply<ConnectionView>, ApiError> {
    let core = &state.core;
    let platform = platforms::find(&state, &platform).await?;
    if platform.status != PlatformStatus::Active {
        let message = format!("{} is no longer offered; choose another platform", platform.name);
        return Err(ApiError::bad_request(message));
    }
    let name = check::text("name", &request.name, MAX_NAME_CHARS).map_err(|fault| ApiError::invalid(vec![fault]))?;
    let auth_type = credentials::auth_type(&platform, request.auth_type.as_deref(), &request.credentials)?;
    let checked = credentials::check(&platform, &request.credentials)?;
    let settings = opt_in::merged(&platform, &ConnectionSettings::default(), &request.settings)?;
    check_name_is_free(&of_account(&state, member.account_id()).await?, &platform, &name, None)?;
    check_plan(core, &member)?;

    let id = ConnectionId::generate(&*core.clock, &*core.random);
    if !mode.skip_test {
        try_out(&state, &platform, (&id, auth_type), &checked, &settings).await?;
    }
    let sealed = state.loader.seal(member.account_id(), &id, &checked.credentials).await;
    let sealed = sealed.map_err(|error| ApiError::unavailable(error.to_string()))?;
    let maker = Maker {
        account: member.account_id(),
        user: member.user_id(),
    };
    let auth = records::auth(core, maker, &platform, &id, auth_type);
    let mut connection = PlatformConnection {
        external_app_id: checked.external_app_id(),
        credentials_metadata: Some(checked.metadata),
        base_url: checked.base_url,
        settings,
        ..records::connection(core, &auth, name)
    };
    if mode.skip_test {
        mark_untested(&mut connection);
    }
    let view = ConnectionView::new(connection.clone(), Some(&platform));
    let limit = member.account.settings.max_connections;
    let new = NewConnection {
        connection,
        auth,
        sealed,
    };
    match core.database.connections().create(new, limit).await? {
        Connecting::Created => Ok(created("Connection created successfully", view)),
        Connecting::LimitReached { used } => Err(limit_reached(core, &member, used)),
        Connecting::Taken => Err(name_is_taken(&platform)),
    }
}

/// Refuses early what the transaction would refuse, so that the vendor is not asked in vain.
fn check_plan(core: &Core, member: &Member) -> Result<(), ApiError> {
    let limit = member.account.settings.max_connections;
    let used = member.account.usage.connections;
    if limit > 0 && used >= i64::from(limit) {
        Err(limit_reached(core, member, used))
    } else {
        Ok(())
    }
}

fn limit_reached(core: &Core, member: &Member, used: i64) -> ApiError {
    let plan = member.account.plan;
    let limit = member.account.settings.max_connections;
    let message = format!(
        "Your {} plan allows {limit} connections. Upgrade to add more.",
        plan.label()
    );
    ApiError::new(StatusCode::FORBIDDEN, ErrorCode::PlanLimitReached, message).data(json!({
        "resource": "connections",
        "limit": limit,
        "used": used,
        "plan": plan,
        "upgrade_url": format!("{}/settings?tab=billing", core.config.app_url),
    }))
}

fn mark_untested(connection: &mut PlatformConnection) {
    connection.status = ConnectionStatus::Error;
    connection.last_connected = None;
    connection.last_error = Some(ConnectionError {
        code: "NOT_TESTED".to_owned(),
        message: "The credentials were not tested yet; test the connection".to_owned(),
        at: connection.created_at,
    });
}
