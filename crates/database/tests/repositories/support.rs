//! A fresh database for each test, and records to put into it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::DateTime;
use mfh_aws::Tables;
use mfh_database::testing::InMemory;
pub use mfh_database::testing::record;
use mfh_database::{Database, Registration};
use mfh_types::{
    Account, AccountId, ApiKey, ConnectionId, Execution, ExecutionId, Helper, HelperId, PlatformConnection,
    PlatformConnectionAuth, Timestamp, User, UserAccount, UserId,
};
use serde::de::DeserializeOwned;
use serde_json::json;

/// The tables of one test.
pub struct Tested {
    pub database: Database,
    pub client: Client,
    pub tables: Tables,
}

pub fn at(unix: i64) -> Timestamp {
    Timestamp(DateTime::from_timestamp(unix, 0).unwrap())
}

/// 2026-03-10T00:00:00Z.
pub const NOW: i64 = 1_773_100_800;

pub fn id<T: DeserializeOwned>(text: &str) -> T {
    record(json!(text))
}

impl Tested {
    pub async fn start() -> Self {
        let InMemory {
            database,
            client,
            tables,
        } = InMemory::start().await;
        Self {
            database,
            client,
            tables,
        }
    }

    /// A database with the accounts `a` and `b`, each with a user of the same name.
    pub async fn with_accounts() -> Self {
        let tested = Self::start().await;
        for name in ["a", "b"] {
            let answer = tested
                .database
                .users()
                .register(&user(name), &account(name), &membership(name))
                .await;
            assert_eq!(answer, Ok(Registration::Registered));
        }
        tested
    }

    pub async fn account(&self) -> Account {
        self.database.accounts().get(&account_id("a")).await.unwrap().unwrap()
    }

    /// Writes an item as it is, as an earlier version or a mistake would.
    pub async fn put_raw(&self, table: &str, item: &[(&str, AttributeValue)]) {
        let item: HashMap<_, _> = item
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let put = self.client.put_item().table_name(table).set_item(Some(item));
        put.send().await.unwrap();
    }

    pub async fn raw(&self, table: &str, key: &str, value: &str) -> Option<HashMap<String, AttributeValue>> {
        let get = self.client.get_item().table_name(table).key(key, s(value));
        get.send().await.unwrap().item
    }

    /// Sets one attribute of an item by hand.
    pub async fn set_raw(&self, table: &str, (key, value): (&str, &str), attribute: &str, to: AttributeValue) {
        self.client
            .update_item()
            .table_name(table)
            .key(key, s(value))
            .update_expression("SET #attribute = :to")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":to", to)
            .send()
            .await
            .unwrap();
    }

    pub async fn set_account(&self, attribute: &str, to: AttributeValue) {
        self.set_raw(&self.tables.accounts, ("account_id", "account:a"), attribute, to)
            .await;
    }
}

pub fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub fn null() -> AttributeValue {
    AttributeValue::Null(true)
}

pub fn account_id(name: &str) -> AccountId {
    id(name)
}

pub fn user_id(name: &str) -> UserId {
    id(name)
}

pub fn helper_id(name: &str) -> HelperId {
    id(name)
}

pub fn execution_id(name: &str) -> ExecutionId {
    id(name)
}

pub fn connection_id(name: &str) -> ConnectionId {
    id(name)
}

pub fn user(name: &str) -> User {
    record(json!({
        "user_id": name, "cognito_user_id": name, "email": format!("{name}@example.com"), "name": name,
        "company": "", "phone_number": null, "current_account_id": name,
        "created_at": at(NOW), "updated_at": at(NOW),
    }))
}

pub fn account(name: &str) -> Account {
    record(json!({
        "account_id": name, "owner_user_id": name, "created_by_user_id": name, "name": name,
        "created_at": at(NOW), "updated_at": at(NOW),
    }))
}

pub fn membership(name: &str) -> UserAccount {
    record(json!({
        "user_id": name, "account_id": name, "role": "Owner", "status": "Active",
        "linked_at": at(NOW), "updated_at": at(NOW),
    }))
}

pub fn api_key(account: &str, name: &str) -> ApiKey {
    record(json!({
        "key_id": name, "account_id": account, "created_by": account, "name": name,
        "key_hash": format!("hash-{name}"), "key_prefix": "mfh_live_0000000", "permissions": ["execute_helpers"],
        "status": "active", "created_at": at(NOW),
    }))
}

pub fn helper(account: &str, name: &str) -> Helper {
    record(json!({
        "helper_id": name, "account_id": account, "created_by": account, "short_key": format!("key-{name}"),
        "name": name, "description": "", "helper_type": "tag_it", "category": "tagging", "status": "active",
        "config": {"tag": "1"}, "enabled": true, "created_at": at(NOW), "updated_at": at(NOW),
    }))
}

pub fn connection(account: &str, name: &str) -> PlatformConnection {
    record(json!({
        "connection_id": name, "account_id": account, "user_id": account, "platform_id": "keap", "name": name,
        "status": "active", "auth_type": "oauth2", "auth_id": name, "created_at": at(NOW), "updated_at": at(NOW),
    }))
}

pub fn auth(account: &str, name: &str) -> PlatformConnectionAuth {
    record(json!({
        "auth_id": name, "connection_id": name, "account_id": account, "user_id": account, "platform_id": "keap",
        "auth_type": "oauth2", "status": "active", "created_at": NOW, "updated_at": NOW,
    }))
}

/// A pending execution of helper `h`, accepted `after` seconds later than `NOW`.
pub fn execution(account: &str, name: &str, after: i64) -> Execution {
    let created_at = at(NOW + after).0.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    record(json!({
        "execution_id": name, "account_id": account, "helper_id": "h", "helper_type": "tag_it", "status": "pending",
        "trigger_type": "api", "contact_id": "c", "connection_id": "k", "config": {"tag": "1"},
        "created_at": created_at, "ttl": NOW + 86_400,
    }))
}
