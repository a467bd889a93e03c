//! The gateway's question (payload format 2.0) and the simple answer to it.

use std::collections::BTreeMap;
use std::fmt;

use mfh_types::ApiKey;
use serde::{Deserialize, Deserializer, Serialize};

use crate::permission_name;

/// What the gateway asks: the parts of a request in which a key may stand.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    #[serde(default, deserialize_with = "null_as_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    path_parameters: BTreeMap<String, String>,
}

fn null_as_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Request {
    /// The key that is presented: in the header `x-api-key`, else in the path.
    pub(crate) fn key(&self) -> Option<&str> {
        let header = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("x-api-key"))
            .map(|(_, value)| value);
        let path = self.path_parameters.get("api_key");
        [header, path]
            .into_iter()
            .flatten()
            .map(|key| key.trim())
            .find(|key| !key.is_empty())
    }
}

impl fmt::Debug for Request {
    /// Keys stand in headers and paths: nothing of them is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

/// Whether the request goes on, and what its handler is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Whether the key counts.
    pub is_authorized: bool,
    /// Whose it is; only with a key that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
}

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// The account of the key.
    pub account_id: String,
    /// The record of the key.
    pub api_key_id: String,
    /// What the key may do, separated by commas: a context holds no lists.
    pub permissions: String,
}

impl Decision {
    /// The key counts.
    pub(crate) fn allowed(key: &ApiKey) -> Self {
        let permissions: Vec<&str> = key.permissions.iter().copied().map(permission_name).collect();
        Self {
            is_authorized: true,
            context: Some(Context {
                account_id: key.account_id.to_string(),
                api_key_id: key.key_id.to_string(),
                permissions: permissions.join(","),
            }),
        }
    }

    /// The key does not count, or there is none.
    pub(crate) fn denied() -> Self {
        Self {
            is_authorized: false,
            context: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(event: serde_json::Value) -> Request {
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn the_header_comes_before_the_path_and_blanks_do_not_count() {
        let path = json!({"api_key": "in-path", "identifier": "x"});
        let of = |headers: serde_json::Value| {
            request(json!({"version": "2.0", "headers": headers, "pathParameters": path}))
                .key()
                .map(str::to_owned)
        };
        assert_eq!(of(json!({"X-API-Key": " in-header "})).as_deref(), Some("in-header"));
        assert_eq!(of(json!({"x-api-key": ""})).as_deref(), Some("in-path"));
        assert_eq!(of(json!(null)).as_deref(), Some("in-path"));
        assert_eq!(request(json!({"pathParameters": null})).key(), None);
    }

    #[test]
    fn a_request_does_not_print_its_key() {
        let request = request(json!({"headers": {"x-api-key": "mfh_live_secret"}}));
        assert!(!format!("{request:?}").contains("secret"));
    }
}
