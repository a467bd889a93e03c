//! The routes of the service over tables that enforce DynamoDB's conditions and transactions.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use axum::Router;
use chrono::Duration;
use http::Method;
use mfh_api_keys::State;
use mfh_database::testing::{InMemory, register};
use mfh_http::Core;
use mfh_http::testing::{self, Answer, signed_in};
use mfh_types::{AccountId, ApiKeySecret, ManualClock, Plan};
use serde_json::{Value, json};

const START: &str = "2026-03-10T00:00:00Z";

struct App {
    service: Router,
    core: Arc<Core>,
    clock: Arc<ManualClock>,
}

impl App {
    /// Owners `a` and `b`, each of an account of their own, and `v`, a viewer in one more.
    async fn new() -> Self {
        let database = InMemory::start().await.database;
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let core = Arc::new(testing::core(database, clock.clone()));
        for (tenant, role) in [("a", "Owner"), ("b", "Owner"), ("v", "viewer")] {
            register(&core.database, tenant, role, Plan::Start, START).await;
        }
        Self {
            service: testing::served(mfh_api_keys::router(State::new(core.clone()))),
            core,
            clock,
        }
    }

    /// A request of a tenant's user, as it comes through the gateway.
    async fn call(&self, tenant: &str, method: Method, path: &str, body: Value) -> Answer {
        Answer::of(&self.service, signed_in(tenant, method, path, body)).await
    }

    async fn create(&self, tenant: &str, body: Value) -> Answer {
        self.call(tenant, Method::POST, "/api-keys", body).await
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.call("a", Method::GET, path, Value::Null).await;
        answer.data(200).as_array().unwrap().clone()
    }

    async fn revoke(&self, tenant: &str, id: &str) -> Answer {
        let path = format!("/api-keys/{id}");
        self.call(tenant, Method::DELETE, &path, Value::Null).await
    }
}

fn id(key: &Value) -> &str {
    key["key_id"].as_str().unwrap()
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_its_hash() {
    let app = App::new().await;
    let answer = app
        .create("a", json!({"name": "CI", "expires_at": "2026-03-11T00:00:00Z"}))
        .await;
    let made = answer.data(201);
    assert_eq!(made["api_key"], made["key"]);
    assert_eq!(made["permissions"], json!(["execute_helpers"]));
    assert_eq!(made["expires_at"], "2026-03-11T00:00:00Z");
    let secret = ApiKeySecret::parse(made["api_key"].as_str().unwrap()).unwrap();
    let stored = app.core.database.api_keys().by_hash(&secret.hash()).await.unwrap();
    assert_eq!(stored.unwrap().key_id.as_str(), id(made));

    let listed = app.list("/api-keys").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["key_prefix"], secret.shown_prefix());
    assert_eq!(listed[0]["last_used_at"], Value::Null);
    let text = listed[0].to_string();
    assert!(
        !text.contains(secret.expose()) && !text.contains(&secret.hash()),
        "{text}"
    );
}

#[tokio::test]
async fn the_newest_comes_first_and_revoked_ones_only_when_asked_for() {
    let app = App::new().await;
    let first = app.create("a", json!({"name": "first"})).await.data(201).clone();
    app.clock.advance(Duration::seconds(1));
    let second = app.create("a", json!({"name": "second"})).await.data(201).clone();
    let names = |keys: Vec<Value>| keys.iter().map(|key| key["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(app.list("/api-keys").await), ["second", "first"]);

    for _ in 0..2 {
        let answer = app.revoke("a", id(&second)).await;
        assert_eq!(answer.data(200), &json!({"key_id": id(&second), "status": "revoked"}));
    }
    assert_eq!(names(app.list("/api-keys").await), ["first"]);
    assert_eq!(
        names(app.list("/api-keys?include_revoked=true").await),
        ["second", "first"]
    );
    assert_ne!(id(&first), id(&second));
}

#[tokio::test]
async fn the_plan_limits_active_keys_and_a_revoked_one_makes_room() {
    let app = App::new().await;
    let first = app.create("a", json!({"name": "1"})).await.data(201).clone();
    app.create("a", json!({"name": "2"})).await.data(201);
    let refused = app.create("a", json!({"name": "3"})).await;
    refused.is_error(403, "PLAN_LIMIT_REACHED");
    assert_eq!(
        refused.body["data"],
        json!({
            "resource": "api_keys", "limit": 2, "used": 2, "plan": "start",
            "upgrade_url": "https://app.test/settings?tab=billing",
        })
    );
    app.revoke("a", id(&first)).await.data(200);
    app.revoke("a", id(&first)).await.data(200);
    app.create("a", json!({"name": "3"})).await.data(201);
    app.create("a", json!({"name": "4"}))
        .await
        .is_error(403, "PLAN_LIMIT_REACHED");
    let account = app.core.database.accounts().get(&AccountId::parse("a").unwrap()).await;
    assert_eq!(account.unwrap().unwrap().usage.api_keys, 2);
}

#[tokio::test]
async fn a_foreign_key_answers_like_a_missing_one() {
    let app = App::new().await;
    let key = app.create("a", json!({"name": "mine"})).await.data(201).clone();
    let foreign = app.revoke("b", id(&key)).await;
    foreign.is_error(404, "NOT_FOUND");
    for missing in ["apikey:0198c7e2-aaaa-7bbb-8ccc-0123456789ab", "not%20an%20id"] {
        let missing = app.revoke("b", missing).await;
        missing.is_error(404, "NOT_FOUND");
        assert_eq!(missing.body["error"], foreign.body["error"]);
    }
    assert_eq!(app.list("/api-keys").await.len(), 1);
}

#[tokio::test]
async fn a_viewer_may_neither_see_nor_make_nor_revoke_keys() {
    let app = App::new().await;
    for (method, path) in [
        (Method::GET, "/api-keys"),
        (Method::POST, "/api-keys"),
        (Method::DELETE, "/api-keys/x"),
    ] {
        let answer = app.call("v", method, path, json!({"name": "x"})).await;
        answer.is_error(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn wrong_values_are_named() {
    let app = App::new().await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "x", "permissions": "execute_helpers"}), "permissions"),
        (json!({"name": "x", "permissions": ["everything"]}), "permissions[0]"),
        (json!({"name": "x", "expires_at": START}), "expires_at"),
        (json!({"name": "x", "expires_at": "tomorrow"}), "expires_at"),
    ] {
        let answer = app.create("a", body).await;
        answer.is_error(400, "VALIDATION_FAILED");
        assert_eq!(answer.body["fields"][0]["field"], field, "{}", answer.body);
    }
}

#[tokio::test]
async fn every_route_is_deployed_with_its_authorizer() {
    let app = App::new().await;
    let description = testing::description(mfh_api_keys::router(State::new(app.core.clone())));
    testing::assert_deployed(&description, include_str!("../serverless.yml"), &["/api-keys/health"]);
}
