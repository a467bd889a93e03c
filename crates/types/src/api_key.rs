//! API keys: table `api-keys` (`api-identity` §4, §5).

use serde::{Deserialize, Serialize};

use crate::{AccountId, ApiKeyId, Random, Secret, Timestamp, UserId, blank_as_none};

/// What a key may do; a closed set (`api-identity` S3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyPermission {
    /// Run helpers.
    ExecuteHelpers,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApiKeyStatus {
    /// Works until it expires.
    Active,
    /// Revoked for good.
    Revoked,
}

/// The record of an API key: its hash, never the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The id of the record.
    pub key_id: ApiKeyId,
    /// The account the key belongs to.
    pub account_id: AccountId,
    /// The user who made it.
    pub created_by: UserId,
    /// Display name.
    pub name: String,
    /// Lower-case hex SHA-256 of the whole key.
    pub key_hash: String,
    /// The first 16 characters of the key, shown to users.
    pub key_prefix: String,
    /// What the key may do.
    #[serde(default)]
    pub permissions: Vec<ApiKeyPermission>,
    /// Whether it works.
    pub status: ApiKeyStatus,
    /// When it was last used, at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub revoked_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ApiKey {
    /// Whether the key works at this time.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.status == ApiKeyStatus::Active && self.expires_at.is_none_or(|end| end > now)
    }
}

/// A whole key as the user holds it: `mfh_live_` and 64 hex digits (DECISIONS 19).
#[derive(Debug, Clone)]
pub struct ApiKeySecret(Secret);

impl ApiKeySecret {
    const PREFIX: &'static str = "mfh_live_";

    /// A new key from 32 random bytes.
    pub fn generate(random: &dyn Random) -> Self {
        Self(Secret::new(format!("{}{}", Self::PREFIX, random.hex(32))))
    }

    /// Reads a presented key; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix(Self::PREFIX)?;
        let is_hex = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then(|| Self(Secret::new(text)))
    }

    /// The key itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Lower-case hex SHA-256: what is stored and looked up. Unsalted, since the input has 256 random bits.
    pub fn hash(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.expose().as_bytes());
        hex::encode(digest)
    }

    /// The first 16 characters, shown to users.
    pub fn shown_prefix(&self) -> String {
        self.expose().chars().take(16).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    #[test]
    fn a_key_has_its_shape_and_only_its_hash_and_prefix_leave() {
        let key = ApiKeySecret::generate(&SeededRandom::new(7));
        assert_eq!(key.expose().len(), 73);
        assert_eq!(key.shown_prefix().len(), 16);
        assert_eq!(key.hash().len(), 64);
        assert!(!format!("{key:?}").contains(&key.expose()[9..]));
        assert_eq!(ApiKeySecret::parse(key.expose()).unwrap().hash(), key.hash());
        for bad in ["", "mfh_live_", "mfh_live_xyz", &key.expose().to_uppercase()] {
            assert!(ApiKeySecret::parse(bad).is_none(), "{bad}");
        }
    }
}
