//! Connections and their credentials: tables `connections` and `platform-connection-auths`
//! (`data-model` §4.2, §4.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, AuthId, ConnectionId, JsonObject, PlatformId, Secret, Timestamp, UserId, blank_as_default, blank_as_none,
};

/// How a connection signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthType {
    /// By OAuth 2.
    #[serde(rename = "oauth2")]
    OAuth2,
    /// By pasted keys or tokens.
    ApiKey,
}

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionStatus {
    /// Works.
    Active,
    /// Its last call was refused; `last_error` says why.
    Error,
    /// Switched off.
    Disconnected,
    /// Being deleted.
    Deleting,
}

/// Why a connection does not work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConnectionError {
    /// A stable code.
    pub code: String,
    /// A sentence for the user.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
}

/// What a user sets on a connection besides its credentials (`connectors` §2.3, §2.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConnectionSettings {
    /// The list that contacts opt in to, where consent is given per list (ActiveCampaign).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub default_list_id: Option<String>,
    /// The subscription type that contacts opt in to, where consent is given per type (HubSpot).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub default_subscription_id: Option<String>,
}

/// A CRM or service account that a customer connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlatformConnection {
    /// The id.
    pub connection_id: ConnectionId,
    /// The account it belongs to.
    pub account_id: AccountId,
    /// The user who made it.
    pub user_id: UserId,
    /// The platform, always an id, never a slug.
    pub platform_id: PlatformId,
    /// Display name, unique within account and platform.
    pub name: String,
    /// Whether it works.
    pub status: ConnectionStatus,
    /// How it signs in.
    pub auth_type: AuthType,
    /// Its credential record.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub auth_id: Option<AuthId>,
    /// Who signed in at the vendor.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub external_user_id: Option<String>,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub external_user_email: Option<String>,
    /// The vendor's account (Keap tenant, GoHighLevel location).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub external_app_id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub external_app_name: Option<String>,
    /// Facts about the credentials that are no secret, such as the last four characters.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub credentials_metadata: Option<JsonObject>,
    /// A validated address of the customer's own host, where the vendor has one per customer.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub base_url: Option<String>,
    /// What the user set besides the credentials.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub settings: ConnectionSettings,
    /// Whether the user has to sign in again.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub reauth_required: bool,
    /// Why it does not work.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_error: Option<ConnectionError>,
    /// The last successful test.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_connected: Option<Timestamp>,
    /// When its access ends, if the vendor says so.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub expires_at: Option<Timestamp>,
    /// The last finished data sync.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_synced_at: Option<Timestamp>,
    /// State of the data sync.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub sync_status: Option<String>,
    /// Records of the last sync per type.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub sync_record_counts: Option<BTreeMap<String, u64>>,
    /// Why the last sync failed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub sync_error: Option<String>,
    /// Bumped by every write.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the record was last changed.
    pub updated_at: Timestamp,
}

/// Whether credentials may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthStatus {
    /// May be used.
    Active,
    /// The vendor refused them for good; the user has to sign in again.
    ReauthRequired,
    /// Wiped.
    Revoked,
}

/// The secret values of a connection, only ever in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Credentials {
    /// OAuth access token.
    pub access_token: Option<Secret>,
    /// OAuth refresh token.
    pub refresh_token: Option<Secret>,
    /// API key.
    pub api_key: Option<Secret>,
    /// API secret.
    pub api_secret: Option<Secret>,
    /// Every further credential by its key (`app_id`, `api_url`, …).
    pub extra: BTreeMap<String, Secret>,
}

impl Credentials {
    /// Reads the pairs that the sealed attribute holds.
    pub fn from_pairs(pairs: BTreeMap<String, String>) -> Self {
        let mut credentials = Self::default();
        for (key, value) in pairs {
            credentials.set(&key, Secret::new(value));
        }
        credentials
    }

    /// Stores one credential under its key; a blank one is dropped.
    pub fn set(&mut self, key: &str, value: Secret) {
        let value = Some(value).filter(|value| !value.expose().is_empty());
        match key {
            "access_token" => self.access_token = value,
            "refresh_token" => self.refresh_token = value,
            "api_key" => self.api_key = value,
            "api_secret" => self.api_secret = value,
            _ => match value {
                Some(value) => drop(self.extra.insert(key.to_owned(), value)),
                None => drop(self.extra.remove(key)),
            },
        }
    }

    /// The credential under this key.
    pub fn get(&self, key: &str) -> Option<&Secret> {
        match key {
            "access_token" => self.access_token.as_ref(),
            "refresh_token" => self.refresh_token.as_ref(),
            "api_key" => self.api_key.as_ref(),
            "api_secret" => self.api_secret.as_ref(),
            _ => self.extra.get(key),
        }
    }

    /// The pairs to seal. The plain values leave their wrapper here: encrypt at once.
    pub fn expose_pairs(&self) -> BTreeMap<&str, &str> {
        let fixed = ["access_token", "refresh_token", "api_key", "api_secret"];
        fixed
            .into_iter()
            .filter_map(|key| Some((key, self.get(key)?.expose())))
            .chain(self.extra.iter().map(|(key, value)| (key.as_str(), value.expose())))
            .collect()
    }
}

/// The credential record of a connection; the values themselves lie encrypted in `secrets`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlatformConnectionAuth {
    /// The id.
    pub auth_id: AuthId,
    /// The connection it belongs to.
    pub connection_id: ConnectionId,
    /// The account it belongs to.
    pub account_id: AccountId,
    /// The user who made it.
    pub user_id: UserId,
    /// The platform.
    pub platform_id: PlatformId,
    /// How it signs in.
    pub auth_type: AuthType,
    /// Whether it may be used.
    pub status: AuthStatus,
    /// Bumped by every write; a token refresh wins only against the version it read.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub version: u64,
    /// OAuth scopes granted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub scope: Option<String>,
    /// `Bearer`, if the vendor says so.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub token_type: Option<String>,
    /// When the access token ends, Unix seconds; absent or 0 = unknown.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub expires_at: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
    /// Unix seconds; written at most every 15 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_used_at: Option<i64>,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub revoked_at: Option<i64>,
    /// Failed refreshes in a row.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub refresh_attempts: u32,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_refresh_at: Option<i64>,
    /// Unix seconds before which no refresh is tried again after one that failed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub refresh_retry_at: Option<i64>,
    /// Why the last refresh failed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_refresh_error: Option<String>,
}
