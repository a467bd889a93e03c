//! Fresh tables in memory for the tests of every crate, and the records that most of them begin with.
#![allow(clippy::unwrap_used, reason = "tests")]

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use mfh_aws::{Stage, Tables};
use mfh_types::{Account, Plan};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Database, Registration, schema};

/// Empty tables in memory, which enforce DynamoDB's conditions and transactions.
#[derive(Debug)]
pub struct InMemory {
    /// The tables as the product sees them.
    pub database: Database,
    /// The tables as DynamoDB has them.
    pub client: Client,
    /// Their names.
    pub tables: Tables,
}

impl InMemory {
    /// The tables of the stage `test`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let engine = dynoxide::Database::memory().unwrap();
        tokio::spawn(dynoxide::server::serve_on(listener, engine));
        let client = client(&address);
        let stage = Stage::new("test");
        schema::create_missing(&client, &stage).await.unwrap();
        let tables = Tables::by_convention(&stage);
        Self {
            database: Database::new(client.clone(), tables.clone()),
            client,
            tables,
        }
    }
}

/// A client of the tables at this address.
pub fn client(address: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-west-2"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url(address)
        .build();
    Client::from_conf(config)
}

/// A record or an id, read from JSON.
pub fn record<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Registers a user with an account of their own, both of this name, in which they have this role.
pub async fn register(database: &Database, name: &str, role: &str, plan: Plan, at: &str) {
    let user = record(json!({
        "user_id": name, "cognito_user_id": name, "email": format!("{name}@example.com"), "name": name,
        "current_account_id": name, "created_at": at, "updated_at": at,
    }));
    let account = Account {
        settings: plan.into(),
        plan,
        ..record(json!({
            "account_id": name, "owner_user_id": name, "created_by_user_id": name, "name": name,
            "created_at": at, "updated_at": at,
        }))
    };
    let membership = record(json!({
        "user_id": name, "account_id": name, "role": role, "status": "Active", "linked_at": at, "updated_at": at,
    }));
    let registered = database.users().register(&user, &account, &membership).await;
    assert_eq!(registered, Ok(Registration::Registered));
}
