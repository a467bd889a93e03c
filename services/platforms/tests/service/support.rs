//! The service with two tenants, `a` and `b`, a viewer `v` in an account of their own, and a simulated Keap.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use mfh_aws::{Clients, OAuthClients, Stage, Tables, Vault};
use mfh_connectors::{Loader, Shared, TokioSleeper, Transport};
use mfh_database::testing::{record, register};
use mfh_database::{Database, schema};
use mfh_http::Core;
pub use mfh_http::testing::Answer;
use mfh_http::testing::{self, signed_in};
use mfh_local::aws::dynamodb::DynamoDb;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::kms::KeyService;
use mfh_local::aws::ssm::ParameterStore;
use mfh_local::aws::{Endpoint, Service};
use mfh_platforms::{OAuthSettings, State};
use mfh_simulators::{Keap, OAuthProvider, Server};
use mfh_types::{Helper, ManualClock, Plan, Random, SystemRandom, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const START: &str = "2026-03-10T00:00:00Z";

/// Where vendors send the browser back to.
pub const CALLBACK: &str = "https://api.test/platforms/oauth/callback";

/// A token that the simulator accepts.
pub const TOKEN: &str = mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;

/// One that it does not.
pub const BAD_TOKEN: &str = "KeapXX-wrong-0123456789";

pub struct App {
    service: Router,
    pub core: Arc<Core>,
    pub state: State,
    pub keap: Keap,
    pub zoom: OAuthProvider,
    pub clock: Arc<ManualClock>,
    clients: Clients,
    _keap_server: Server,
    _zoom_server: Server,
    _folder: TempDir,
}

impl App {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let clock = Arc::new(ManualClock::at(START.parse().unwrap()));
        let endpoint = Endpoint::builder("000000000000")
            .with(
                Service::DynamoDb,
                DynamoDb::open(folder.path().join("tables.db"), "000000000000").unwrap(),
            )
            .with(
                Service::Kms,
                KeyService::open(folder.path(), "000000000000", random.clone()).unwrap(),
            )
            .with(
                Service::Ssm,
                ParameterStore::open(&folder.path().join("ssm"), "000000000000", clock.clone()).unwrap(),
            )
            .build();
        let clients = Clients::new(sdk_config(endpoint));
        let stage = Stage::new("test");
        schema::create_missing(clients.dynamodb(), &stage).await.unwrap();
        let keap = Keap::open(None, clock.clone(), random.clone()).unwrap();
        let keap_server = keap.start().await.unwrap();
        let profile = OAuthProvider::profile("zoom").unwrap();
        let zoom = OAuthProvider::open(profile, None, clock.clone(), random.clone()).unwrap();
        let zoom_server = zoom.start().await.unwrap();
        let database = Database::new(clients.dynamodb().clone(), Tables::by_convention(&stage));
        let shared = Shared::new(
            Transport::new().unwrap(),
            clock.clone(),
            random.clone(),
            Arc::new(TokioSleeper),
        );
        let vault = Vault::new(clients.kms().clone(), "alias/test");
        let apps = OAuthClients::new(clients.ssm().clone(), stage.clone());
        let loader = Loader::new(database.clone(), vault, apps, shared, clock.clone());
        let core = Arc::new(Core {
            random,
            ..testing::core(database, clock.clone())
        });
        let settings = OAuthSettings::new(CALLBACK, "https://app.test", &[]);
        let state = State::new(core.clone(), loader, settings);
        let app = Self {
            service: testing::served(mfh_platforms::router(state.clone())),
            core,
            state,
            keap,
            zoom,
            clock,
            clients,
            _folder: folder,
            _keap_server: keap_server,
            _zoom_server: zoom_server,
        };
        app.store_clients().await;
        app.seed().await;
        for (tenant, role) in [("a", "Owner"), ("b", "Owner"), ("v", "viewer")] {
            register(&app.core.database, tenant, role, Plan::Start, START).await;
        }
        app
    }

    /// Our clients at the simulated vendors.
    async fn store_clients(&self) {
        let keap = (mfh_simulators::keap::CLIENT_ID, mfh_simulators::keap::CLIENT_SECRET);
        let zoom = (self.zoom.client_id(), self.zoom.client_secret());
        for (name, value) in [
            ("keap/oauth/client_id", keap.0.to_owned()),
            ("keap/oauth/client_secret", keap.1.to_owned()),
            ("zoom/oauth/client_id", zoom.0),
            ("zoom/oauth/client_secret", zoom.1),
        ] {
            let put = self
                .clients
                .ssm()
                .put_parameter()
                .name(format!("/test/platforms/{name}"));
            put.value(value).r#type("SecureString".into()).send().await.unwrap();
        }
    }

    /// Keap and Zoom, whose addresses lead to the simulators, and a platform that is no longer offered.
    async fn seed(&self) {
        let now = Timestamp::now(&*self.core.clock);
        let seeds = mfh_platforms::seeds(now).into_iter();
        for mut platform in seeds.filter(|platform| ["keap", "zoom"].contains(&platform.slug.as_str())) {
            let server = if platform.slug == "keap" {
                &self._keap_server
            } else {
                &self._zoom_server
            };
            let turn = |address: &mut String| {
                let path = address.splitn(4, '/').nth(3).unwrap().trim_start_matches("crm/");
                *address = format!("{}/{path}", server.origin());
            };
            turn(&mut platform.api_config.base_url);
            platform.test.iter_mut().for_each(|test| turn(&mut test.url));
            let oauth = platform.oauth.as_mut().unwrap();
            turn(&mut oauth.auth_url);
            turn(&mut oauth.token_url);
            oauth.user_info_url.iter_mut().for_each(&turn);
            oauth.revoke.iter_mut().for_each(|revoke| turn(&mut revoke.url));
            platform.api_config.rate_limits.requests_per_second = 10_000;
            platform.api_config.rate_limits.burst_limit = 10_000;
            self.core.database.platforms().upsert(&platform).await.unwrap();
        }
        let retired = record(json!({
            "platform_id": "oldcrm", "name": "OLDCRM", "slug": "oldcrm", "category": "webinar", "status": "retired",
            "api_config": {"base_url": "https://api.example.com", "auth_type": "oauth2"},
            "created_at": START, "updated_at": START,
        }));
        self.core.database.platforms().upsert(&retired).await.unwrap();
    }

    /// A request of a tenant's user, as it comes through the gateway.
    pub async fn call(&self, tenant: &str, method: Method, path: &str, body: Value) -> Answer {
        Answer::of(&self.service, signed_in(tenant, method, path, body)).await
    }

    /// Begins a sign-in; the answer's data.
    pub async fn start(&self, tenant: &str, platform: &str, body: Value) -> Value {
        let answer = self
            .post(tenant, &format!("/platforms/{platform}/oauth/start"), body)
            .await;
        answer.data(200).clone()
    }

    /// Decides at the vendor; the path and query with which the browser comes back.
    pub async fn consent(&self, started: &Value) -> String {
        let no_redirects = reqwest::redirect::Policy::none();
        let browser = reqwest::Client::builder().redirect(no_redirects).build().unwrap();
        let answer = browser.get(started["url"].as_str().unwrap()).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        location.strip_prefix("https://api.test").unwrap().to_owned()
    }

    /// Comes back from the vendor, as nobody in particular.
    pub async fn come_back(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(&self.service, request.body(Body::empty()).unwrap()).await
    }

    /// A whole sign-in; the id of the connection.
    pub async fn signed_in(&self, tenant: &str, platform: &str, body: Value) -> String {
        let started = self.start(tenant, platform, body).await;
        let path = self.consent(&started).await;
        let answer = self.come_back(&path, &[("accept", "application/json")]).await;
        answer.data(200)["connection_id"].as_str().unwrap().to_owned()
    }

    pub async fn get(&self, tenant: &str, path: &str) -> Answer {
        self.call(tenant, Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, tenant: &str, path: &str, body: Value) -> Answer {
        self.call(tenant, Method::POST, path, body).await
    }

    pub async fn put(&self, tenant: &str, path: &str, body: Value) -> Answer {
        self.call(tenant, Method::PUT, path, body).await
    }

    pub async fn delete(&self, tenant: &str, path: &str) -> Answer {
        self.call(tenant, Method::DELETE, path, Value::Null).await
    }

    /// The path of a new connection of this tenant that works.
    pub async fn connected(&self, tenant: &str) -> String {
        let answer = self
            .post(tenant, "/platforms/keap/connections", pasted("Main", TOKEN))
            .await;
        let id = answer.data(201)["connection_id"].as_str().unwrap();
        format!("/platforms/keap/connections/{id}")
    }

    /// Suspends a tenant's membership.
    pub async fn suspend(&self, tenant: &str) {
        let value = |text: &str| serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(text).unwrap();
        self.clients
            .dynamodb()
            .update_item()
            .table_name("mfh-test-user-accounts")
            .key("user_id", value(&format!("user:{tenant}")))
            .key("account_id", value(&format!("account:{tenant}")))
            .update_expression("SET #status = :status")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", value("suspended"))
            .send()
            .await
            .unwrap();
    }

    /// How many items a table has.
    pub async fn count(&self, table: &str) -> i32 {
        let table = format!("mfh-test-{table}");
        let scan = self.clients.dynamodb().scan().table_name(table).send().await;
        scan.unwrap().count
    }

    /// The whole content of a table, printed.
    pub async fn dump(&self, table: &str) -> String {
        let table = format!("mfh-test-{table}");
        let scan = self.clients.dynamodb().scan().table_name(table).send().await;
        let items = scan.unwrap().items.unwrap_or_default();
        let items: Vec<BTreeMap<_, _>> = items.into_iter().map(BTreeMap::from_iter).collect();
        format!("{items:?}")
    }

    /// A helper of tenant `a` that works on this connection.
    pub async fn add_helper(&self, id: &str, connection: &str, enabled: bool) {
        let helper: Helper = record(json!({
            "helper_id": id, "account_id": "a", "created_by": "a", "short_key": format!("shortkey{id}"),
            "connection_id": connection, "name": id, "helper_type": "tag_it", "category": "tagging",
            "status": "active", "config": {}, "enabled": enabled, "created_at": START, "updated_at": START,
        }));
        self.core.database.helpers().create(&helper, 0).await.unwrap();
    }
}

pub fn pasted(name: &str, token: &str) -> Value {
    json!({"name": name, "credentials": {"api_key": token}})
}

/// The id of the connection at the end of a path.
pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}
