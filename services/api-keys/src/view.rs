//! API keys as clients see them: never the hash, and the key itself only once.

use mfh_types::{ApiKey, ApiKeyId, ApiKeyPermission, ApiKeySecret, ApiKeyStatus, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// An API key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyView {
    key_id: ApiKeyId,
    /// Display name.
    name: String,
    /// The first characters of the key, to recognise it by.
    key_prefix: String,
    /// What the key may do.
    permissions: Vec<ApiKeyPermission>,
    status: ApiKeyStatus,
    /// When it was last used, accurate to a minute.
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
    /// When it stops working; `null` means never.
    expires_at: Option<Timestamp>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            key_id: key.key_id,
            name: key.name,
            key_prefix: key.key_prefix,
            permissions: key.permissions,
            status: key.status,
            last_used_at: key.last_used_at,
            created_at: key.created_at,
            expires_at: key.expires_at,
        }
    }
}

/// A key that was just made, in the only answer that shows its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewApiKeyView {
    #[serde(flatten)]
    shown: ApiKeyView,
    /// The secret. Keep it: it is not shown again.
    api_key: String,
    /// The same as `api_key`.
    key: String,
}

impl NewApiKeyView {
    /// The key with its secret.
    pub fn new(key: ApiKey, secret: &ApiKeySecret) -> Self {
        Self {
            shown: key.into(),
            api_key: secret.expose().to_owned(),
            key: secret.expose().to_owned(),
        }
    }
}
