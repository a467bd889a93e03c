//! Connections as clients see them: neither credentials nor the id of their record.

use std::collections::BTreeMap;

use mfh_types::{
    AccountId, AuthType, ConnectionError, ConnectionId, ConnectionSettings, ConnectionStatus, JsonObject, Platform,
    PlatformConnection, PlatformId, Timestamp, UserId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A connection.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConnectionView {
    connection_id: ConnectionId,
    platform_id: PlatformId,
    platform_slug: String,
    platform_name: String,
    account_id: AccountId,
    /// Who made it.
    user_id: UserId,
    /// Display name.
    name: String,
    status: ConnectionStatus,
    auth_type: AuthType,
    /// Whether the user has to connect it again.
    reauth_required: bool,
    /// Why it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<ConnectionError>,
    /// Facts about the credentials that are no secret, such as `api_key_last4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    credentials_metadata: Option<JsonObject>,
    /// What the user set besides the credentials.
    settings: ConnectionSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_user_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_app_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_app_name: Option<String>,
    /// The last successful test.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_connected: Option<Timestamp>,
    /// When its access ends, if the vendor says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_synced_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_record_counts: Option<BTreeMap<String, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl ConnectionView {
    /// The connection under the name of its platform; one whose record is gone is called by its slug.
    pub fn new(connection: PlatformConnection, platform: Option<&Platform>) -> Self {
        let slug = connection.platform_id.body().to_owned();
        Self {
            platform_name: platform.map_or_else(|| slug.clone(), |platform| platform.name.clone()),
            platform_slug: platform.map_or(slug, |platform| platform.slug.clone()),
            connection_id: connection.connection_id,
            platform_id: connection.platform_id,
            account_id: connection.account_id,
            user_id: connection.user_id,
            name: connection.name,
            status: connection.status,
            auth_type: connection.auth_type,
            reauth_required: connection.reauth_required,
            last_error: connection.last_error,
            credentials_metadata: connection.credentials_metadata,
            settings: connection.settings,
            external_user_id: connection.external_user_id,
            external_user_email: connection.external_user_email,
            external_app_id: connection.external_app_id,
            external_app_name: connection.external_app_name,
            last_connected: connection.last_connected,
            expires_at: connection.expires_at,
            last_synced_at: connection.last_synced_at,
            sync_status: connection.sync_status,
            sync_record_counts: connection.sync_record_counts,
            sync_error: connection.sync_error,
            created_at: connection.created_at,
            updated_at: connection.updated_at,
        }
    }
}
