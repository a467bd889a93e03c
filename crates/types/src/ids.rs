//! Ids are newtypes with their prefix (`account:…`, `exec:…`), so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{Clock, Random};

/// The text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: expected \"{prefix}\" followed by letters, digits, '-' or '_'")]
pub struct IdError {
    /// What was expected, for example `helper id`.
    pub kind: &'static str,
    /// The prefix that every id of this kind carries, for example `helper:`.
    pub prefix: &'static str,
}

/// Longest accepted id in bytes; a Cognito `sub` or UUID is 36 characters.
const MAX_LEN: usize = 128;

fn is_id_body(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// The prefix of every id of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// Reads an id, accepting it with or without its prefix.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let body = text.strip_prefix(Self::PREFIX).unwrap_or(text);
                if text.len() > MAX_LEN || !is_id_body(body) {
                    return Err(IdError { kind: $kind, prefix: Self::PREFIX });
                }
                Ok(Self(format!("{}{body}", Self::PREFIX)))
            }

            /// A new id from a UUID version 7, so that ids sort by the time they were made.
            pub fn generate(clock: &dyn Clock, random: &dyn Random) -> Self {
                Self::from_uuid(random.uuid_v7(clock.now()))
            }

            /// The id that names this UUID.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(format!("{}{uuid}", Self::PREFIX))
            }

            /// The whole id, prefix included.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The part after the prefix.
            pub fn body(&self) -> &str {
                &self.0[Self::PREFIX.len()..]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A person: `user:` and the subject of the user pool.
    UserId, "user:", "user id"
);
id!(
    /// A tenant.
    AccountId, "account:", "account id"
);
id!(
    /// A configured helper.
    HelperId, "helper:", "helper id"
);
id!(
    /// One run of a helper.
    ExecutionId, "exec:", "execution id"
);
id!(
    /// A connected CRM or service account.
    ConnectionId, "connection:", "connection id"
);
id!(
    /// The credential record of a connection.
    AuthId, "auth:", "auth id"
);
id!(
    /// A CRM or service that can be connected: `platform:` and its slug.
    PlatformId, "platform:", "platform id"
);
id!(
    /// The record of an API key (never the key itself).
    ApiKeyId, "apikey:", "API key id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_with_or_without_its_prefix() {
        let id = HelperId::parse("0198c7e2-aaaa-7bbb-8ccc-0123456789ab").unwrap();
        assert_eq!(id.as_str(), "helper:0198c7e2-aaaa-7bbb-8ccc-0123456789ab");
        assert_eq!(HelperId::parse(id.as_str()).unwrap(), id);
        assert_eq!(id.body(), "0198c7e2-aaaa-7bbb-8ccc-0123456789ab");
    }

    #[test]
    fn foreign_prefixes_blanks_and_control_characters_are_refused() {
        for text in [
            "",
            "helper:",
            "account:x",
            "helper:a b",
            "helper:a\n",
            "a/../b",
            "helper:ä",
        ] {
            assert!(HelperId::parse(text).is_err(), "{text:?}");
        }
        assert!(HelperId::parse(&"x".repeat(200)).is_err());
    }
}
