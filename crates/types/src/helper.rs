//! Helpers as users configure them: table `helpers` (`data-model` §4.5).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    AccountId, ConnectionId, HelperId, JsonObject, Random, Timestamp, UserId, blank_as_default, blank_as_none,
};

/// The name of a helper type, such as `tag_it`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct HelperType(String);

impl HelperType {
    /// Reads a type name: lower-case letters, digits and underscores. It need not exist.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = !text.is_empty()
            && text.len() <= 64
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        valid.then(|| Self(text.to_owned()))
    }

    /// The name, such as `tag_it`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in queues, folders and functions, such as `tag-it`.
    pub fn kebab(&self) -> String {
        self.0.replace('_', "-")
    }
}

impl fmt::Display for HelperType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HelperType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a helper type such as \"tag_it\""))
    }
}

/// The short name of a helper in addresses: 12 URL-safe characters (72 random bits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct ShortKey(String);

impl ShortKey {
    const ALPHABET: &'static [u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    /// The longest text that is looked up as a short key rather than as an id.
    pub const MAX_LEN: usize = 20;

    /// A new short key: one random byte masked to six bits a character.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; 12];
        random.fill(&mut bytes);
        Self(
            bytes
                .iter()
                .map(|b| char::from(Self::ALPHABET[usize::from(b & 63)]))
                .collect(),
        )
    }

    /// Reads a short key; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let valid =
            !text.is_empty() && text.len() <= Self::MAX_LEN && text.bytes().all(|b| Self::ALPHABET.contains(&b));
        valid.then(|| Self(text.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a helper exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HelperStatus {
    /// Exists.
    Active,
    /// Deleted; the record goes with its time to live.
    Deleted,
}

/// One fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConfigFault {
    /// Where: a path such as `rules[2].points`; empty for the whole.
    pub field: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.field, self.message)
        }
    }
}

/// A helper as a user configured it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Helper {
    /// The id.
    pub helper_id: HelperId,
    /// The account it belongs to.
    pub account_id: AccountId,
    /// The user who made it.
    pub created_by: UserId,
    /// Its short name in addresses.
    pub short_key: ShortKey,
    /// The connection it works on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub connection_id: Option<ConnectionId>,
    /// Display name.
    pub name: String,
    /// What it is for, in the user's words.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub description: String,
    /// What it does.
    pub helper_type: HelperType,
    /// The type's category, always from the catalogue.
    pub category: String,
    /// Whether it exists.
    pub status: HelperStatus,
    /// Its settings, as the user gave them.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub config: JsonObject,
    /// What keeps it a draft: faults of an incomplete configuration (DECISIONS 15).
    #[serde(
        default,
        deserialize_with = "blank_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub config_errors: Vec<ConfigFault>,
    /// Whether it may run.
    pub enabled: bool,
    /// Runs ended so far.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub execution_count: u64,
    /// When a run last ended.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_executed_at: Option<Timestamp>,
    /// Whether it runs on a schedule.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub schedule_enabled: bool,
    /// `rate(…)` or `cron(…)` in EventBridge syntax.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub cron_expression: Option<String>,
    /// When it last ran on schedule.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_scheduled_at: Option<Timestamp>,
    /// When it runs next.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub next_scheduled_at: Option<Timestamp>,
    /// Bumped by every change of the user, for conditional writes.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub version: u64,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub deleted_at: Option<Timestamp>,
    /// Unix seconds: 30 days after deletion.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub ttl: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the user last changed it.
    pub updated_at: Timestamp,
}

impl Helper {
    /// Whether its configuration is incomplete.
    pub fn is_draft(&self) -> bool {
        !self.config_errors.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    #[test]
    fn a_type_has_its_kebab_name() {
        assert_eq!(HelperType::parse("hook_it_v2").unwrap().kebab(), "hook-it-v2");
        for bad in ["", "Tag", "tag-it", "tag it", "a/b"] {
            assert!(HelperType::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn short_keys_are_twelve_url_safe_characters() {
        let key = ShortKey::generate(&SeededRandom::new(3));
        assert_eq!(key.as_str().len(), 12);
        assert_eq!(ShortKey::parse(key.as_str()), Some(key));
        for bad in ["", "helper:x", "with blank", "averyveryverylongshortkey"] {
            assert!(ShortKey::parse(bad).is_none(), "{bad:?}");
        }
    }
}
