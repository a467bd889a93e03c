//! A whole platform on a free port, and tenants that use it through its API.
#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "tests; each uses a part of it"
)]

pub mod belongings;
pub mod description;

use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use mfh_aws::{Stage, Tables};
use mfh_local::cloud::STAGE;
use mfh_local::data_dir::DataDir;
use mfh_local::platform::{Options, Platform};
use mfh_pipeline::BurstLimits;
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tower::ServiceExt;

/// The longest that a test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two questions to something that does not tell when it changes.
const PAUSE: Duration = Duration::from_millis(10);

pub struct World {
    pub url: String,
    pub platform: Platform,
    pub folder: TempDir,
    client: reqwest::Client,
    server: JoinHandle<()>,
}

/// Asks until the answer is `Ok`, and gives it; fails with the last `Err` when that takes too long. Only for what has no
/// event to wait on: another process, a queue or a bucket.
pub async fn until<T, E: Debug>(ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    asking(ask, async || sleep(PAUSE).await).await
}

/// Asks until the answer is `Ok`, and again only after each `event`.
async fn asking<T, E: Debug>(mut ask: impl AsyncFnMut() -> Result<T, E>, mut event: impl AsyncFnMut()) -> T {
    let asked_until = Instant::now() + PATIENCE;
    loop {
        let refusal = match ask().await {
            Ok(answer) => return answer,
            Err(refusal) => refusal,
        };
        if timeout_at(asked_until, event()).await.is_err() {
            panic!("waited in vain: {refusal:?}");
        }
    }
}

/// Stops a platform and gives its data folder.
pub async fn stop(world: World) -> TempDir {
    let World {
        platform,
        folder,
        server,
        ..
    } = world;
    server.abort();
    // Every connection has gone with the server once its task is over; the result says only that it was stopped.
    let _stopped = server.await;
    drop(platform);
    folder
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    /// Without burst limits unless `change` sets some.
    pub async fn start_with(change: impl FnOnce(Options) -> Options) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), change).await
    }

    pub async fn start_in(folder: TempDir, change: impl FnOnce(Options) -> Options) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let dir = DataDir::open(folder.path()).unwrap();
        let options = change(Options {
            burst: BurstLimits::OFF,
            ..Options::new(&url)
        });
        let platform = Platform::start(dir, options).await.unwrap();
        let app = platform
            .router
            .clone()
            .into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url,
            platform,
            folder,
            client: reqwest::Client::new(),
            server,
        }
    }

    /// Asks until the answer is `Ok`, and gives it: at once, and again whenever the table of executions has changed.
    pub async fn until_changed<T, E: Debug>(&self, ask: impl AsyncFnMut() -> Result<T, E>) -> T {
        let executions = Tables::by_convention(&Stage::new(STAGE)).executions;
        // From here on every change counts, also one that comes while the question is answered.
        let mut changes = self.platform.cloud.dynamodb.watch(executions);
        asking(ask, async || changes.changed().await.unwrap()).await
    }

    /// Sends a request; the answer's status and JSON body (null when it has none).
    pub async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Value) -> (u16, Value) {
        let headers: Vec<(&str, String)> = token
            .map(|token| ("authorization", format!("Bearer {token}")))
            .into_iter()
            .collect();
        self.send(method, path, &headers, body).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: Value) -> (u16, Value) {
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Sends a request as it is, without a client that would mend its address or body; no connection is needed for it.
    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, String)], body: impl Into<Body>) -> Raw {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let request = request
            .body(body.into())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let answer = self.platform.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let headers = format!("{:?}", parts.headers);
        Raw {
            status: parts.status.as_u16(),
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// A registered user: the access token and the account.
    pub async fn user(&self, name: &str) -> (String, String) {
        let user = json!({ "email": format!("{name}@example.com"), "password": "Passw0rd-1", "name": name });
        let (status, answer) = self.call("POST", "/auth/register", None, user).await;
        assert_eq!(status, 200, "{answer}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            text(&answer["data"]["token"]),
            text(&answer["data"]["account"]["account_id"]),
        )
    }

    /// A registered user with an account, a Keap connection and an API key.
    pub async fn tenant(&self, name: &str) -> Tenant<'_> {
        let (token, account_id) = self.user(name).await;
        self.upgrade(&account_id).await;
        let connection = json!({ "name": "Keap", "credentials": { "api_key": PERSONAL_ACCESS_TOKEN } });
        let (status, answer) = self
            .call("POST", "/platforms/keap/connections", Some(&token), connection)
            .await;
        assert_eq!(status, 201, "{answer}");
        let connection_id = answer["data"]["connection_id"].as_str().unwrap().to_owned();
        let (status, answer) = self
            .call("POST", "/api-keys", Some(&token), json!({ "name": "key" }))
            .await;
        assert_eq!(status, 201, "{answer}");
        let api_key = answer["data"]["api_key"].as_str().unwrap().to_owned();
        Tenant {
            world: self,
            token,
            account_id,
            connection_id,
            api_key,
        }
    }

    /// Puts an account on the largest plan, as billing would.
    async fn upgrade(&self, account_id: &str) {
        mfh_local::demo::upgrade(&self.platform, account_id).await.unwrap();
    }

    /// The state of a contact in the simulated CRM.
    pub async fn contact(&self, id: &str) -> Value {
        let (_, state) = self
            .call("GET", &format!("/_sim/keap/_state?contact_id={id}"), None, Value::Null)
            .await;
        state
    }

    /// The writes that the simulated CRM received, in order.
    pub async fn writes(&self) -> Vec<Value> {
        let (_, log) = self.call("GET", "/_sim/keap/_log", None, Value::Null).await;
        log.as_array()
            .or_else(|| log["writes"].as_array())
            .cloned()
            .unwrap_or_default()
    }
}

/// An answer as it came.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    pub headers: String,
    pub text: String,
}

impl Raw {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

pub struct Tenant<'a> {
    world: &'a World,
    pub token: String,
    pub account_id: String,
    pub connection_id: String,
    pub api_key: String,
}

impl Tenant<'_> {
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.world.call(method, path, Some(&self.token), body).await
    }

    /// A helper of this type on the tenant's connection; its record.
    pub async fn helper(&self, helper_type: &str, config: Value) -> Value {
        let body = json!({
            "name": helper_type, "helper_type": helper_type, "connection_id": self.connection_id, "config": config,
        });
        let (status, answer) = self.call("POST", "/helpers", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["data"].clone()
    }

    /// Runs a helper on a contact; the execution's id.
    pub async fn execute(&self, helper: &Value, contact: &str) -> String {
        let path = format!("/helpers/{}/execute", helper["helper_id"].as_str().unwrap());
        let (status, answer) = self.call("POST", &path, json!({ "contact_id": contact })).await;
        assert_eq!(status, 202, "{answer}");
        answer["data"]["execution_id"].as_str().unwrap().to_owned()
    }

    pub async fn execution(&self, id: &str) -> Value {
        let (status, answer) = self.call("GET", &format!("/executions/{id}"), Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    /// Waits until an execution is over.
    pub async fn ended(&self, id: &str) -> Value {
        self.until(id, |execution| {
            matches!(execution["status"].as_str(), Some("completed" | "failed" | "cancelled"))
        })
        .await
    }

    /// Waits until an execution is as wanted.
    pub async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.world
            .until_changed(async || {
                let execution = self.execution(id).await;
                if wanted(&execution) {
                    Ok(execution)
                } else {
                    Err(execution)
                }
            })
            .await
    }
}
