//! The records of a new connection, however it signs in.

use mfh_http::Core;
use mfh_types::{
    AccountId, AuthId, AuthStatus, AuthType, ConnectionId, ConnectionSettings, ConnectionStatus, Platform,
    PlatformConnection, PlatformConnectionAuth, Timestamp, UserId,
};

/// Who makes a connection, and for which account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maker<'a> {
    pub account: &'a AccountId,
    pub user: &'a UserId,
}

/// The record of its credentials.
pub(crate) fn auth(
    core: &Core,
    maker: Maker<'_>,
    platform: &Platform,
    id: &ConnectionId,
    auth_type: AuthType,
) -> PlatformConnectionAuth {
    let now = core.clock.unix();
    PlatformConnectionAuth {
        auth_id: AuthId::generate(&*core.clock, &*core.random),
        connection_id: id.clone(),
        account_id: maker.account.clone(),
        user_id: maker.user.clone(),
        platform_id: platform.platform_id.clone(),
        auth_type,
        status: AuthStatus::Active,
        version: 1,
        scope: None,
        token_type: None,
        expires_at: None,
        created_at: now,
        updated_at: now,
        last_used_at: None,
        revoked_at: None,
        refresh_attempts: 0,
        last_refresh_at: None,
        refresh_retry_at: None,
        last_refresh_error: None,
    }
}

/// The connection itself: it works, and nothing is known of its account at the vendor yet.
pub(crate) fn connection(core: &Core, auth: &PlatformConnectionAuth, name: String) -> PlatformConnection {
    let now = Timestamp::now(&*core.clock);
    PlatformConnection {
        connection_id: auth.connection_id.clone(),
        account_id: auth.account_id.clone(),
        user_id: auth.user_id.clone(),
        platform_id: auth.platform_id.clone(),
        name,
        status: ConnectionStatus::Active,
        auth_type: auth.auth_type,
        auth_id: Some(auth.auth_id.clone()),
        external_user_id: None,
        external_user_email: None,
        external_app_id: None,
        external_app_name: None,
        credentials_metadata: None,
        base_url: None,
        settings: ConnectionSettings::default(),
        reauth_required: false,
        last_error: None,
        last_connected: Some(now),
        expires_at: None,
        last_synced_at: None,
        sync_status: None,
        sync_record_counts: None,
        sync_error: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}
