//! What a tenant owns, by the names that the API's parameters give it.
//!
//! A route with a parameter or body that is not listed here makes the tests fail: add it, so that it is covered.
#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "tests; each uses a part of it"
)]

use serde_json::{Value, json};

use super::Tenant;
use super::description::Operation;

/// One thing of each kind, and the key that opens the trigger routes.
pub struct Belongings {
    pub account_id: String,
    pub helper_id: String,
    pub short_key: String,
    pub execution_id: String,
    pub connection_id: String,
    pub key_id: String,
    pub api_key: String,
}

/// What a path parameter takes.
pub enum PathValue {
    /// An id of a tenant: each spelling of the owned one, with a missing one of the same shape.
    Owned(Vec<(String, String)>),
    /// The same for every tenant.
    Shared(&'static str),
    /// The caller's API key.
    ApiKey,
}

const MISSING_UUID: &str = "0192d3a0-7c11-7a54-9d0e-5b7c1f2e3d4a";

impl Belongings {
    pub async fn of(tenant: &Tenant<'_>) -> Self {
        let helper = tenant
            .helper("tag_it", json!({ "action": "apply", "tag_ids": ["101"] }))
            .await;
        let execution_id = tenant.execute(&helper, "1007").await;
        let execution = tenant.ended(&execution_id).await;
        assert_eq!(execution["status"], "completed", "{execution}");
        let (status, keys) = tenant.call("GET", "/api-keys", Value::Null).await;
        assert_eq!(status, 200, "{keys}");
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
        Self {
            account_id: tenant.account_id.clone(),
            helper_id: text(&helper["helper_id"]),
            short_key: text(&helper["short_key"]),
            execution_id,
            connection_id: tenant.connection_id.clone(),
            key_id: text(&keys["data"][0]["key_id"]),
            api_key: tenant.api_key.clone(),
        }
    }

    /// Every id that tells who they belong to.
    pub fn ids(&self) -> [&str; 6] {
        [
            &self.account_id,
            &self.helper_id,
            &self.short_key,
            &self.execution_id,
            &self.connection_id,
            &self.key_id,
        ]
    }

    /// The owned things that a parameter or property of this name means, in every spelling, each with a missing one.
    pub fn owned(&self, name: &str) -> Option<Vec<(String, String)>> {
        let spellings = |id: &str| {
            let (prefix, body) = id.split_once(':').unwrap_or_else(|| panic!("{id} has no prefix"));
            vec![
                (id.to_owned(), format!("{prefix}:{MISSING_UUID}")),
                (body.to_owned(), MISSING_UUID.to_owned()),
            ]
        };
        match name {
            "helper_id" | "identifier" => {
                let mut all = spellings(&self.helper_id);
                all.push((self.short_key.clone(), "z".repeat(self.short_key.len())));
                Some(all)
            }
            "execution_id" => Some(spellings(&self.execution_id)),
            "connection_id" => Some(spellings(&self.connection_id)),
            "key_id" => Some(spellings(&self.key_id)),
            _ => None,
        }
    }

    pub fn path_value(&self, operation: &Operation<'_>, name: &str) -> PathValue {
        if let Some(owned) = self.owned(name) {
            return PathValue::Owned(owned);
        }
        match name {
            "platform_id" => PathValue::Shared("keap"),
            "type" => PathValue::Shared("tag_it"),
            "api_key" => PathValue::ApiKey,
            _ => panic!(
                "{}: no sample for the path parameter {name}; add one here",
                operation.name()
            ),
        }
    }

    /// The operation's path with what this tenant owns.
    pub fn path(&self, operation: &Operation<'_>) -> String {
        operation.path_with(|name| match self.path_value(operation, name) {
            PathValue::Owned(spellings) => spellings[0].0.clone(),
            PathValue::Shared(value) => value.to_owned(),
            PathValue::ApiKey => self.api_key.clone(),
        })
    }

    /// What proves to the operation that this tenant calls.
    pub fn headers(&self, operation: &Operation<'_>, token: &str) -> Vec<(&'static str, String)> {
        match operation.security() {
            Some("bearer") => vec![("authorization", format!("Bearer {token}"))],
            Some("api_key") => vec![("x-api-key", self.api_key.clone())],
            Some(other) => panic!("{}: how is {other} proven?", operation.name()),
            None => Vec::new(),
        }
    }

    /// A body that the operation takes from this tenant; null when it takes none.
    pub fn body(&self, operation: &Operation<'_>) -> Value {
        let required = operation.body_sample();
        if required.is_null() {
            return Value::Null;
        }
        match operation.name().as_str() {
            "POST /helpers" => json!({
                "name": "Tags", "helper_type": "tag_it", "connection_id": self.connection_id,
                "config": { "action": "apply", "tag_ids": ["101"] },
            }),
            "POST /platforms/{platform_id}/connections" => json!({
                "name": "Second", "credentials": { "api_key": mfh_simulators::keap::PERSONAL_ACCESS_TOKEN },
            }),
            "POST /platforms/{platform_id}/oauth/start" => json!({ "name": "Signed in" }),
            "PUT /helpers/{helper_id}" | "PUT /platforms/{platform_id}/connections/{connection_id}" => {
                json!({ "name": "Renamed" })
            }
            "POST /helpers/{helper_id}/execute"
            | "POST /helper/{identifier}/execute"
            | "POST /helper/{api_key}/{identifier}" => json!({ "contact_id": "1007" }),
            _ if operation.path_names().is_empty() => required,
            name => panic!("{name}: no sample body; add one here"),
        }
    }
}
