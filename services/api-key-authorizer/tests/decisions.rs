//! The authorizer over tables that enforce DynamoDB's conditions.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::Duration;
use mfh_api_key_authorizer::{Decision, Request, authorize};
use mfh_aws::{Stage, Tables};
use mfh_database::testing::{InMemory, client, record};
use mfh_database::{Database, DatabaseError};
use mfh_types::{AccountId, ApiKey, ApiKeyId, ApiKeySecret, ManualClock, SystemRandom, UserId};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const START: &str = "2026-03-10T00:00:00Z";

struct World {
    client: Client,
    tables: Tables,
    database: Database,
    clock: ManualClock,
    secret: ApiKeySecret,
}

impl World {
    /// The account `a` with one key, which expires a day later.
    async fn new() -> Self {
        let InMemory {
            database,
            client,
            tables,
        } = InMemory::start().await;
        let account = json!({
            "account_id": "account:a", "owner_user_id": "user:a", "created_by_user_id": "user:a", "name": "a",
            "status": "active", "usage": {}, "created_at": START, "updated_at": START,
        });
        client
            .put_item()
            .table_name(&tables.accounts)
            .set_item(Some(serde_dynamo::to_item(account).unwrap()))
            .send()
            .await
            .unwrap();
        let secret = ApiKeySecret::generate(&SystemRandom);
        let key: ApiKey = record(json!({
            "key_id": "k", "account_id": "a", "created_by": "a", "name": "k",
            "key_hash": secret.hash(), "key_prefix": secret.shown_prefix(), "permissions": ["execute_helpers"],
            "status": "active", "expires_at": "2026-03-11T00:00:00Z", "created_at": START,
        }));
        database.api_keys().create(&key, 0).await.unwrap();
        Self {
            client,
            tables,
            database,
            clock: ManualClock::at(START.parse().unwrap()),
            secret,
        }
    }

    async fn decide(&self, event: Value) -> Decision {
        authorize(&self.database, &self.clock, &record(event)).await.unwrap()
    }

    async fn allows(&self) -> bool {
        self.decide(json!({"headers": {"x-api-key": self.secret.expose()}}))
            .await
            .is_authorized
    }

    async fn set_account_status(&self, status: &str) {
        self.client
            .update_item()
            .table_name(&self.tables.accounts)
            .key("account_id", AttributeValue::S("account:a".to_owned()))
            .update_expression("SET #status = :status")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", AttributeValue::S(status.to_owned()))
            .send()
            .await
            .unwrap();
    }

    async fn key(&self) -> ApiKey {
        let keys = self.database.api_keys();
        let key = keys.get(&account(), &ApiKeyId::parse("k").unwrap()).await;
        key.unwrap().unwrap()
    }
}

fn account() -> AccountId {
    AccountId::parse("a").unwrap()
}

#[tokio::test]
async fn a_good_key_tells_whose_it_is_and_no_helper() {
    let world = World::new().await;
    let by_header = json!({
        "version": "2.0", "type": "REQUEST", "routeKey": "POST /helper/{identifier}/execute",
        "headers": {"x-api-key": world.secret.expose()}, "pathParameters": {"identifier": "no-such-helper"},
    });
    let decision = world.decide(by_header).await;
    assert_eq!(
        serde_json::to_value(&decision).unwrap(),
        json!({
            "isAuthorized": true,
            "context": {"accountId": "account:a", "apiKeyId": "apikey:k", "permissions": "execute_helpers"},
        })
    );
    let by_path = json!({"pathParameters": {"api_key": world.secret.expose(), "identifier": "x"}});
    assert_eq!(world.decide(by_path).await, decision);
    assert_eq!(world.key().await.last_used_at.unwrap().to_string(), START);
}

#[tokio::test]
async fn no_key_a_wrong_key_and_an_unknown_key_are_denied_alike() {
    let world = World::new().await;
    let unknown = ApiKeySecret::generate(&SystemRandom);
    for event in [
        json!({}),
        json!({"headers": {"x-api-key": "mfh_live_short"}}),
        json!({"headers": {"x-api-key": unknown.expose()}}),
        json!({"headers": {"x-api-key": world.secret.hash()}}),
        json!({"headers": {"authorization": world.secret.expose()}}),
    ] {
        let decision = world.decide(event).await;
        assert_eq!(serde_json::to_value(decision).unwrap(), json!({"isAuthorized": false}));
    }
    assert_eq!(world.key().await.last_used_at, None);
}

#[tokio::test]
async fn a_key_ends_at_its_time_and_with_its_revocation() {
    let world = World::new().await;
    world.clock.advance(Duration::seconds(86_399));
    assert!(world.allows().await);
    world.clock.advance(Duration::seconds(1));
    assert!(!world.allows().await);

    let world = World::new().await;
    let (key, now) = (world.key().await, record(START.into()));
    let keys = world.database.api_keys();
    keys.revoke(&account(), &key.key_id, &UserId::parse("a").unwrap(), now)
        .await
        .unwrap();
    assert!(!world.allows().await);
}

#[tokio::test]
async fn a_key_counts_only_while_its_account_works() {
    let world = World::new().await;
    assert!(world.allows().await);
    for status in ["suspended", "cancelled"] {
        world.set_account_status(status).await;
        assert!(!world.allows().await, "{status}");
    }
    world.set_account_status("active").await;
    assert!(world.allows().await);
}

#[tokio::test]
async fn tables_out_of_reach_are_an_error_and_no_denial() {
    // A port that was free a moment ago: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let database = Database::new(client(&address), Tables::by_convention(&Stage::new("test")));
    let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
    let secret = ApiKeySecret::generate(&SystemRandom);
    let request: Request = record(json!({"headers": {"x-api-key": secret.expose()}}));
    let answer = authorize(&database, &*clock, &request).await;
    assert!(matches!(answer, Err(DatabaseError::Unavailable(_))), "{answer:?}");
}
