//! One-time OAuth states: table `oauth-states` (`data-model` §4.4, DECISIONS 31).

use serde::{Deserialize, Serialize};

use crate::{AccountId, ConnectionId, PlatformId, UserId, blank_as_none};

/// What an OAuth sign-in that is under way needs to end; stored under the hash of its random state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OAuthState {
    /// SHA-256 hex of the random state in the address.
    pub state: String,
    /// The user who started it.
    pub user_id: UserId,
    /// Their account.
    pub account_id: AccountId,
    /// The platform.
    pub platform_id: PlatformId,
    /// The connection that is signed in again, if any.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub connection_id: Option<ConnectionId>,
    /// Where the user goes when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub redirect_uri: Option<String>,
    /// Where the user goes when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub failure_redirect: Option<String>,
    /// How a new connection is to be called.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub name: Option<String>,
    /// SHA-256 hex of the browser's cookie, compared when the browser sends it back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub nonce_hash: Option<String>,
    /// PKCE verifier.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub code_verifier: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds: 15 minutes later.
    pub expires_at: i64,
    /// The same, for the table's time to live.
    pub ttl: i64,
}
