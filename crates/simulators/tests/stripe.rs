//! The Stripe simulator over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;

use chrono::Duration;
use mfh_simulators::Stripe;
use mfh_simulators::stripe::{DEMO_CUSTOMER_ID, Limits, SECRET_KEY};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use support::read;

type Fixture = support::Fixture<Stripe>;

impl Fixture {
    async fn open(dir: Option<&Path>) -> Self {
        Self::start(|clock, random| Stripe::open(dir, clock, random), SECRET_KEY).await
    }

    async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        read(request.bearer_auth(SECRET_KEY).send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}{path}", self.server.base_url())))
            .await
    }

    async fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.server.base_url()));
        self.send(request.header("idempotency-key", key).form(form)).await
    }
}

#[tokio::test]
async fn pages_go_both_ways_and_a_stranger_is_no_place_in_them() {
    let it = Fixture::open(None).await;
    let (_, first) = it.get("/customers?limit=3").await;
    let ids = |page: &Value| {
        let data = page["data"].as_array().unwrap();
        data.iter()
            .map(|customer| customer["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let newest = ids(&first);
    assert_eq!(
        (newest[0].as_str(), first["has_more"].as_bool()),
        ("cus_demo000120", Some(true))
    );
    let (_, second) = it
        .get(&format!("/customers?limit=2&starting_after={}", newest[2]))
        .await;
    let (_, back) = it
        .get(&format!("/customers?limit=2&ending_before={}", ids(&second)[0]))
        .await;
    assert_eq!(ids(&back), newest[1..]);
    for wrong in ["limit=0", "limit=101", "starting_after=cus_none", "shoe_size=9"] {
        assert_eq!(it.get(&format!("/customers?{wrong}")).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_key_makes_a_write_once_for_a_day() {
    let it = Fixture::open(None).await;
    let form = [("email", "a@example.com"), ("metadata[plan]", "scale")];
    let (_, first) = it.post("/customers", "k1", &form).await;
    let (_, again) = it.post("/customers", "k1", &form).await;
    assert_eq!(first, again);
    assert_eq!(it.crm.log().writes().len(), 1);
    let (status, other) = it.post("/customers", "k1", &[("email", "b@example.com")]).await;
    assert_eq!(
        (status, other["error"]["type"].as_str()),
        (400, Some("idempotency_error"))
    );
    it.clock.advance(Duration::hours(25));
    it.post("/customers", "k2", &form).await;
    let (_, later) = it.post("/customers", "k1", &form).await;
    assert_ne!(later["id"], first["id"]);
}

#[tokio::test]
async fn wrong_values_are_refused_and_change_nothing() {
    let it = Fixture::open(None).await;
    let path = format!("/customers/{DEMO_CUSTOMER_ID}");
    let before = it.get(&path).await;
    let long = "x".repeat(501);
    for form in [
        ("shoe_size", "9"),
        ("email", "nobody"),
        ("phone", "012345678901234567890"),
        ("address[planet]", "Mars"),
        ("metadata[k]", long.as_str()),
    ] {
        assert_eq!(
            it.post(&path, form.0, &[("name", "Changed"), form]).await.0,
            400,
            "{form:?}"
        );
    }
    assert_eq!(it.get(&path).await, before);
    assert_eq!(
        it.http
            .get(format!("{}/customers", it.server.base_url()))
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
}

#[tokio::test]
async fn state_and_keys_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (created, state) = {
        let it = Fixture::open(Some(folder.path())).await;
        let (_, created) = it.post("/customers", "k1", &[("email", "a@example.com")]).await;
        let request = it
            .http
            .delete(format!("{}/customers/{DEMO_CUSTOMER_ID}", it.server.base_url()));
        assert_eq!(it.send(request).await.1["deleted"], true);
        (created, it.get("/customers?limit=100").await)
    };
    let it = Fixture::open(Some(folder.path())).await;
    assert_eq!(it.get("/customers?limit=100").await, state);
    assert_eq!(
        it.get(&format!("/customers/{DEMO_CUSTOMER_ID}")).await.1["deleted"],
        true
    );
    assert_eq!(
        it.post("/customers", "k1", &[("email", "a@example.com")]).await.1,
        created
    );
    assert_eq!(it.crm.log().writes().len(), 2);
    it.crm.reset().unwrap();
    assert_eq!(
        it.get(&format!("/customers/{DEMO_CUSTOMER_ID}")).await.1["phone"],
        json!("+1 555 010 0001")
    );
}

#[tokio::test]
async fn a_set_limit_refuses_the_rest_of_the_second() {
    let it = Fixture::open(None).await;
    it.crm.set_limits(Limits { per_second: Some(2) });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(it.get("/balance").await.0);
    }
    assert_eq!(statuses, [200, 200, 429]);
    it.clock.advance(Duration::seconds(1));
    assert_eq!(it.get("/balance").await.0, 200);
}
