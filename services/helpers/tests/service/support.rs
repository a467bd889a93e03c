//! The service with two tenants, `a` and `b`, each with a user, a connection and an API key.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use mfh_aws::Tables;
use mfh_database::testing::{InMemory, record, register};
use mfh_database::{Creation, Finish};
use mfh_helpers_service::State;
use mfh_http::Core;
use mfh_http::testing;
pub use mfh_http::testing::{Answer, signed_in};
use mfh_pipeline::BurstLimits;
use mfh_types::{
    Account, AccountId, ApiKeySecret, ExecutionError, ExecutionId, ExecutionStatus, ManualClock, MeterState, Plan,
    SeededRandom, Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;

/// 2026-03-10T00:00:30Z: half a minute before the next burst window.
const START: &str = "2026-03-10T00:00:30Z";

pub struct App {
    service: Router,
    pub core: Arc<Core>,
    pub clock: Arc<ManualClock>,
    client: Client,
    tables: Tables,
}

/// A tenant's API key, the same in every run.
pub fn api_key(tenant: &str) -> String {
    let seed = u64::from(tenant.as_bytes()[0]);
    ApiKeySecret::generate(&SeededRandom::new(seed)).expose().to_owned()
}

impl App {
    /// Tenants of the plan `start`.
    pub async fn new() -> Self {
        Self::on_plan(Plan::Start).await
    }

    pub async fn on_plan(plan: Plan) -> Self {
        let InMemory {
            database,
            client,
            tables,
        } = InMemory::start().await;
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let core = Arc::new(testing::core(database, clock.clone()));
        let state = State::new(core.clone(), BurstLimits::default());
        let app = Self {
            service: testing::served(mfh_helpers_service::router(state)),
            core,
            clock,
            client,
            tables,
        };
        for tenant in ["a", "b"] {
            app.add_tenant(tenant, plan).await;
        }
        app.add_platform("keap", "crm").await;
        app.add_platform("slack", "productivity").await;
        app
    }

    /// The routes with their description.
    pub fn routes(&self) -> OpenApiRouter {
        mfh_helpers_service::router(State::new(self.core.clone(), BurstLimits::default()))
    }

    async fn add_tenant(&self, tenant: &str, plan: Plan) {
        register(&self.core.database, tenant, "Owner", plan, START).await;
        let secret = ApiKeySecret::parse(&api_key(tenant)).unwrap();
        let key = record(json!({
            "key_id": tenant, "account_id": tenant, "created_by": tenant, "name": tenant,
            "key_hash": secret.hash(), "key_prefix": secret.shown_prefix(),
            "permissions": ["execute_helpers"], "status": "active", "created_at": START,
        }));
        let created = self.core.database.api_keys().create(&key, 0).await;
        assert_eq!(created, Ok(Creation::Created));
        self.add_connection(tenant, &format!("{tenant}-keap"), "keap").await;
    }

    pub async fn add_connection(&self, tenant: &str, id: &str, platform: &str) {
        let connection = json!({
            "connection_id": format!("connection:{id}"), "account_id": format!("account:{tenant}"),
            "user_id": format!("user:{tenant}"), "platform_id": format!("platform:{platform}"), "name": id,
            "status": "active", "auth_type": "oauth2", "created_at": START, "updated_at": START,
        });
        self.put(&self.tables.connections, connection).await;
    }

    async fn add_platform(&self, slug: &str, category: &str) {
        let platform = record(json!({
            "platform_id": slug, "name": slug.to_uppercase(), "slug": slug, "category": category,
            "api_config": {"base_url": "https://api.example.com", "auth_type": "oauth2"},
            "created_at": START, "updated_at": START,
        }));
        self.core.database.platforms().upsert(&platform).await.unwrap();
    }

    async fn put(&self, table: &str, item: impl Serialize) {
        let item = serde_dynamo::to_item(item).unwrap();
        let put = self.client.put_item().table_name(table);
        put.set_item(Some(item)).send().await.unwrap();
    }

    /// Sets one attribute of a tenant's account by hand.
    pub async fn set_account(&self, tenant: &str, attribute: &str, value: &str) {
        self.set(
            &self.tables.accounts,
            "account_id",
            &format!("account:{tenant}"),
            attribute,
            value,
        )
        .await;
    }

    /// Gives a tenant's user another role, with its permissions.
    pub async fn set_role(&self, tenant: &str, role: &str) {
        let membership = json!({
            "user_id": format!("user:{tenant}"), "account_id": format!("account:{tenant}"), "role": role,
            "status": "Active", "linked_at": START, "updated_at": START,
        });
        self.put(&self.tables.user_accounts, membership).await;
    }

    async fn set(&self, table: &str, key: &str, id: &str, attribute: &str, value: &str) {
        self.client
            .update_item()
            .table_name(table)
            .key(key, AttributeValue::S(id.to_owned()))
            .update_expression("SET #attribute = :value")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
            .send()
            .await
            .unwrap();
    }

    pub async fn account(&self, tenant: &str) -> Account {
        let id = AccountId::parse(tenant).unwrap();
        self.core.database.accounts().get(&id).await.unwrap().unwrap()
    }

    pub fn clock_unix(&self) -> i64 {
        Timestamp::now(&*self.clock).0.timestamp()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(&self.service, request).await
    }

    /// A request of a tenant's user, as it comes through the gateway.
    pub async fn call(&self, tenant: &str, method: Method, path: &str, body: Value) -> Answer {
        self.send(signed_in(tenant, method, path, body)).await
    }

    pub async fn get(&self, tenant: &str, path: &str) -> Answer {
        self.call(tenant, Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, tenant: &str, path: &str, body: Value) -> Answer {
        self.call(tenant, Method::POST, path, body).await
    }

    pub async fn put_helper(&self, tenant: &str, id: &str, body: Value) -> Answer {
        self.call(tenant, Method::PUT, &format!("/helpers/{id}"), body).await
    }

    /// A helper that may run, as the answer to its creation shows it.
    pub async fn helper(&self, tenant: &str) -> Value {
        let answer = self.post(tenant, "/helpers", complete(tenant)).await;
        answer.data(201).clone()
    }

    /// The id of a new execution of this helper.
    pub async fn run(&self, tenant: &str, helper: &str, body: Value) -> String {
        let path = format!("/helpers/{helper}/execute");
        let answer = self.post(tenant, &path, body).await;
        text(answer.data(202), "execution_id").to_owned()
    }

    /// Ends an execution as a worker would.
    pub async fn end(&self, execution: &str, status: ExecutionStatus) {
        let id = ExecutionId::parse(execution).unwrap();
        let error = ExecutionError::new("TAG_NOT_FOUND", "No such tag");
        let finish = Finish {
            status,
            output: None,
            error: (status == ExecutionStatus::Failed).then_some(error),
            duration_ms: Some(120),
            meter_state: MeterState::None,
            refund: false,
        };
        let now = Timestamp::now(&*self.clock);
        let executions = self.core.database.executions();
        executions
            .claim(&id, "worker", now, now.0.timestamp() + 300)
            .await
            .unwrap();
        assert_eq!(executions.finish(&id, "worker", finish, None, now).await, Ok(true));
    }
}

/// A complete helper of the type `tag_it`.
pub fn complete(tenant: &str) -> Value {
    json!({
        "name": "Welcome", "helper_type": "tag_it", "connection_id": format!("connection:{tenant}-keap"),
        "config": {"action": "apply", "tag_ids": ["101"]},
    })
}

#[track_caller]
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text {key} in {value}"))
}
