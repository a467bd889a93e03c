//! The service with two tenants, `a` and `b`, each with a user, a connection and an API key.

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use lambda_http::request::RequestContext;
use mfh_aws::{Stage, Tables};
use mfh_database::{Creation, Database, Finish, schema};
use mfh_helpers_service::State;
use mfh_http::{Config, Core, FixedKeys, JwtVerifier, finish, openapi};
use mfh_pipeline::BurstLimits;
use mfh_types::{
    Account, AccountId, ApiKeySecret, ExecutionError, ExecutionId, ExecutionStatus, ManualClock, MeterState, Plan,
    SeededRandom, SystemRandom, Timestamp,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

/// 2026-03-10T00:00:30Z: half a minute before the next burst window.
const START: &str = "2026-03-10T00:00:30Z";

pub struct App {
    router: Router,
    pub core: Arc<Core>,
    pub clock: Arc<ManualClock>,
    client: Client,
    tables: Tables,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The data of an answer of this status.
    #[track_caller]
    pub fn data(&self, status: u16) -> &Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        &self.body["data"]
    }

    #[track_caller]
    pub fn is_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.body["code"], code, "{}", self.body);
        assert_eq!(self.body["success"], false);
        self
    }

    /// The names of the wrong fields.
    pub fn fields(&self) -> Vec<&str> {
        let fields = self.body["fields"].as_array().into_iter().flatten();
        fields.filter_map(|fault| fault["field"].as_str()).collect()
    }

    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap()
    }

    /// The error without what differs between any two requests.
    pub fn anonymous(&self) -> (StatusCode, Value) {
        let mut body = self.body.clone();
        body.as_object_mut().unwrap().remove("request_id");
        (self.status, body)
    }
}

pub fn record<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
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
        let client = dynamodb().await;
        let stage = Stage::new("test");
        schema::create_missing(&client, &stage).await.unwrap();
        let tables = Tables::by_convention(&stage);
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let no_keys = Arc::new(FixedKeys(record(json!({"keys": []}))));
        let core = Arc::new(Core {
            database: Database::new(client.clone(), tables.clone()),
            verifier: JwtVerifier::new("issuer", "client", no_keys, clock.clone()),
            clock: clock.clone(),
            random: Arc::new(SystemRandom),
            stage,
            config: Config {
                version: "test".to_owned(),
                app_url: "https://app.test".to_owned(),
            },
        });
        let state = State::new(core.clone(), BurstLimits::default());
        let (router, _) = openapi::split(mfh_helpers_service::router(state), "helpers");
        let app = Self {
            router: finish(router),
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
        let user = record(json!({
            "user_id": tenant, "cognito_user_id": tenant, "email": format!("{tenant}@example.com"), "name": tenant,
            "current_account_id": tenant, "created_at": START, "updated_at": START,
        }));
        let account = Account {
            settings: plan.into(),
            plan,
            ..record(json!({
                "account_id": tenant, "owner_user_id": tenant, "created_by_user_id": tenant, "name": tenant,
                "created_at": START, "updated_at": START,
            }))
        };
        let membership = record(json!({
            "user_id": tenant, "account_id": tenant, "role": "Owner", "status": "Active",
            "linked_at": START, "updated_at": START,
        }));
        let users = self.core.database.users();
        users.register(&user, &account, &membership).await.unwrap();
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
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
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

pub fn signed_in(tenant: &str, method: Method, path: &str, body: Value) -> Request<Body> {
    let context: RequestContext = record(json!({
        "accountId": "1", "requestId": "gateway-1", "stage": "$default", "timeEpoch": 0,
        "authorizer": {"jwt": {"claims": {"sub": tenant, "token_use": "access"}, "scopes": null}},
        "http": {"method": method.as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9",
            "userAgent": "test"},
    }));
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    let request = Request::builder().method(method).uri(path).extension(context);
    request.body(body).unwrap()
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

async fn dynamodb() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let engine = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, engine));
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-west-2"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url(address)
        .build();
    Client::from_conf(config)
}
