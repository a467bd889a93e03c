//! A simulator that runs, and a client for it.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeZone as _, Utc};
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use mfh_simulators::{Keap, Server, Simulator};
use mfh_types::{Clock, ManualClock, Random, SeededRandom};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

/// A running simulator, its clock, and a client with a token.
pub struct Fixture<S> {
    pub crm: S,
    pub server: Server,
    pub clock: Arc<ManualClock>,
    pub http: Client,
    pub token: String,
}

/// When the tests begin.
pub fn start_time() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 10, 0, 0).unwrap()
}

/// Status and body of an answer; text that is not JSON is a string.
pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl<S: Simulator> Fixture<S> {
    /// Runs the simulator that `open` opens.
    pub async fn start(open: impl FnOnce(Arc<dyn Clock>, Arc<dyn Random>) -> anyhow::Result<S>, token: &str) -> Self {
        let clock = Arc::new(ManualClock::at(start_time()));
        let crm = open(clock.clone(), Arc::new(SeededRandom::new(7))).unwrap();
        let server = Server::start(crm.router(), crm.base_path()).await.unwrap();
        let http = Client::builder().redirect(reqwest::redirect::Policy::none());
        Self {
            crm,
            server,
            clock,
            http: http.build().unwrap(),
            token: token.to_owned(),
        }
    }
}

impl Fixture<Keap> {
    pub async fn new() -> Self {
        Self::open(None).await
    }

    pub async fn open(dir: Option<&Path>) -> Self {
        Self::start(|clock, random| Keap::open(dir, clock, random), PERSONAL_ACCESS_TOKEN).await
    }

    /// A request to a path below the base URL, or to the origin when the path begins with `/_` or `/token`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let outside = ["/_", "/token", "/app/"].iter().any(|start| path.starts_with(start));
        let base = if outside {
            self.server.origin().to_owned()
        } else {
            self.server.base_url()
        };
        let request = self.http.request(method, format!("{base}{path}"));
        if outside {
            request
        } else {
            request.bearer_auth(&self.token)
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        read(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// The body of a GET that must succeed.
    pub async fn read(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The id of the seeded custom field with this column name.
    pub async fn field_id(&self, field_name: &str) -> String {
        let model = self.read("/contacts/model").await;
        let fields = model["custom_fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["field_name"] == field_name).unwrap();
        field["id"].as_str().unwrap().to_owned()
    }

    /// The `id` of every item on all pages of a list.
    pub async fn all_ids(&self, list: &str, path: &str) -> Vec<String> {
        let mut ids = Vec::new();
        let mut token = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = self.read(&format!("{path}{joint}page_token={token}")).await;
            let items = page[list].as_array().unwrap();
            ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            page["next_page_token"].as_str().unwrap().clone_into(&mut token);
            if token.is_empty() {
                return ids;
            }
        }
    }
}
