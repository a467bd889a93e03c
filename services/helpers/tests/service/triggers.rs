//! Running helpers, by members and by API keys.

use axum::body::Body;
use chrono::Duration;
use http::request::Builder;
use http::{Method, Request};
use mfh_types::{ExecutionId, Plan};
use serde_json::{Value, json};

use crate::support::{Answer, App, api_key, signed_in, text};

async fn by_header(app: &App, tenant: &str, helper: &str, body: &str) -> Answer {
    let request = with_key(tenant, helper).body(Body::from(body.to_owned()));
    app.send(request.unwrap()).await
}

fn with_key(tenant: &str, helper: &str) -> Builder {
    Request::post(format!("/helper/{helper}/execute")).header("x-api-key", api_key(tenant))
}

/// The execution that an answer names, as its detail shows it.
async fn execution(app: &App, tenant: &str, answer: &Answer) -> Value {
    let id = text(answer.data(202), "execution_id");
    let detail = app.get(tenant, &format!("/executions/{id}")).await;
    detail.data(200).clone()
}

#[tokio::test]
async fn a_member_runs_a_helper() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let path = format!("/helpers/{}/execute", text(&helper, "short_key"));
    let answer = app
        .post("a", &path, json!({"contact_id": 42, "input": {"x": 1}, "y": 2}))
        .await;
    let data = answer.data(202);
    assert_eq!(data["helper_id"], helper["helper_id"]);
    assert_eq!(data["status"], "pending");
    assert_eq!(data["started_at"], "2026-03-10T00:00:30Z");
    assert_eq!(data.get("duplicate"), None);
    assert_eq!(
        answer.headers["location"].to_str().unwrap(),
        format!("/executions/{}", text(data, "execution_id"))
    );
    let stored = execution(&app, "a", &answer).await;
    assert_eq!(stored["contact_id"], "42");
    assert_eq!(stored["input"], json!({"x": 1, "y": 2}));
    assert_eq!(stored["trigger_type"], "manual");
    assert_eq!(stored["user_id"], "user:a");
    assert_eq!(stored["config"], helper["config"]);
    assert_eq!(stored["helper_name"], "Welcome");
    assert_eq!(app.account("a").await.usage.monthly_executions, 1);
}

#[tokio::test]
async fn an_api_key_runs_a_helper_by_header_by_path_and_by_link() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    let key = api_key("a");

    let answer = by_header(&app, "a", id, r#"{"contact_id":"1"}"#).await;
    let stored = execution(&app, "a", &answer).await;
    assert_eq!(stored["trigger_type"], "api");
    assert_eq!(stored["api_key_id"], "apikey:a");
    assert_eq!(stored["user_id"], Value::Null);

    let by_path = Request::post(format!("/helper/{key}/{}?campaign=7", text(&helper, "short_key")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("Id=2&Email=jo%40example.com"));
    let answer = app.send(by_path.unwrap()).await;
    let stored = execution(&app, "a", &answer).await;
    assert_eq!(stored["contact_id"], "2");
    assert_eq!(stored["input"], json!({"Id": "2", "Email": "jo@example.com"}));
    assert_eq!(stored["query_params"], json!({"campaign": "7"}));

    let by_link = Request::get(format!("/helper/{key}/{id}?contact_id=3")).body(Body::empty());
    let answer = app.send(by_link.unwrap()).await;
    let stored = execution(&app, "a", &answer).await;
    assert_eq!(stored["contact_id"], "3");
    assert!(!stored.to_string().contains(&key), "the key was stored");
}

#[tokio::test]
async fn a_prefetch_of_a_link_starts_nothing() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let path = format!("/helper/{}/{}", api_key("a"), text(&helper, "short_key"));
    for (name, value) in [("purpose", "prefetch"), ("sec-purpose", "prefetch;prerender")] {
        let request = Request::get(&path).header(name, value).body(Body::empty());
        assert_eq!(app.send(request.unwrap()).await.status.as_u16(), 204);
    }
    let list = app.get("a", "/executions").await;
    assert_eq!(list.data(200)["total_count"], 0);
}

#[tokio::test]
async fn a_key_opens_only_its_own_account() {
    let app = App::new().await;
    let foreign = app.helper("b").await;
    let foreign = by_header(&app, "a", text(&foreign, "short_key"), "").await;
    let missing = by_header(&app, "a", "no-such-key1", "").await;
    foreign.is_error(404, "NOT_FOUND");
    assert_eq!(foreign.anonymous(), missing.anonymous());
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    for path in [
        format!("/helper/{id}/execute"),
        format!("/helper/mfh_live_{}/{id}", "0".repeat(64)),
    ] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        app.send(request).await.is_error(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_or_is_too_large_is_refused() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    by_header(&app, "a", id, "{").await.is_error(400, "BAD_REQUEST");
    for size in [65 * 1024, 300 * 1024] {
        let body = json!({"x": "y".repeat(size)}).to_string();
        by_header(&app, "a", id, &body).await.is_error(413, "PAYLOAD_TOO_LARGE");
    }
    assert_eq!(app.account("a").await.usage.monthly_executions, 0);
}

#[tokio::test]
async fn a_disabled_helper_does_not_run_on_any_route() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    app.put_helper("a", id, json!({"enabled": false})).await.data(200);
    let path = format!("/helpers/{id}/execute");
    app.post("a", &path, Value::Null).await.is_error(409, "HELPER_DISABLED");
    by_header(&app, "a", id, "").await.is_error(409, "HELPER_DISABLED");
    let link = Request::get(format!("/helper/{}/{id}", api_key("a"))).body(Body::empty());
    app.send(link.unwrap()).await.is_error(409, "HELPER_DISABLED");
}

#[tokio::test]
async fn a_repeat_with_the_same_idempotency_key_is_the_same_execution() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let other = app.helper("a").await;
    let (id, other) = (text(&helper, "helper_id"), text(&other, "helper_id"));
    let send = async |helper: &str, key: &str| {
        let request = with_key("a", helper).header("idempotency-key", key);
        app.send(request.body(Body::empty()).unwrap()).await
    };
    let first = send(id, "order-1").await;
    let again = send(id, "order-1").await;
    assert_eq!(first.data(202).get("duplicate"), None);
    assert_eq!(again.data(202)["duplicate"], true);
    assert_eq!(first.data(202)["execution_id"], again.data(202)["execution_id"]);
    assert_eq!(app.account("a").await.usage.monthly_executions, 1);
    for different in [send(id, "order-2").await, send(other, "order-1").await] {
        assert_eq!(different.data(202).get("duplicate"), None);
    }
    // The web app's route has the same window.
    let path = format!("/helpers/{id}/execute");
    let mut request = signed_in("a", Method::POST, &path, Value::Null);
    request
        .headers_mut()
        .insert("idempotency-key", "order-1".parse().unwrap());
    let again = app.send(request).await;
    assert_eq!(again.data(202)["execution_id"], first.data(202)["execution_id"]);
    send(id, &"k".repeat(201)).await.is_error(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn the_101st_run_of_a_helper_in_a_minute_is_refused() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    for _ in 0..100 {
        by_header(&app, "a", id, "").await.data(202);
    }
    let refused = by_header(&app, "a", id, "").await;
    refused.is_error(429, "RATE_LIMITED");
    assert_eq!(refused.headers["retry-after"], "30");
    assert_eq!(
        refused.body["data"],
        json!({
            "limit": 100, "used": 101, "reset_at": "2026-03-10T00:01:00Z", "plan": "start",
            "upgrade_url": "https://app.test/settings?tab=billing",
        })
    );
    assert_eq!(app.account("a").await.usage.monthly_executions, 100);
    app.clock.advance(Duration::seconds(30));
    by_header(&app, "a", id, "").await.data(202);
}

#[tokio::test]
async fn the_free_plan_ends_at_its_monthly_runs() {
    let app = App::on_plan(Plan::Free).await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    for _ in 0..100 {
        by_header(&app, "a", id, "").await.data(202);
    }
    app.clock.advance(Duration::minutes(1));
    let refused = by_header(&app, "a", id, "").await;
    refused.is_error(429, "PLAN_LIMIT_REACHED");
    let data = &refused.body["data"];
    assert_eq!((&data["limit"], &data["used"]), (&json!(100), &json!(100)));
    assert_eq!(data["reset_at"], "2026-04-01T00:00:00Z");
    assert!(refused.headers.contains_key("retry-after"));
    app.clock.advance(Duration::days(30));
    by_header(&app, "a", id, "").await.data(202);
}

#[tokio::test]
async fn a_suspended_account_runs_nothing() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    app.set_account("a", "status", "suspended").await;
    let path = format!("/helpers/{id}/execute");
    app.post("a", &path, Value::Null).await.is_error(403, "FORBIDDEN");
    assert!(by_header(&app, "a", id, "").await.status.is_client_error());
}

#[tokio::test]
async fn an_accepted_run_is_in_the_table_before_it_is_answered() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let answer = by_header(&app, "a", text(&helper, "helper_id"), "").await;
    let id = ExecutionId::parse(text(answer.data(202), "execution_id")).unwrap();
    let stored = app.core.database.executions().get_any(&id).await.unwrap().unwrap();
    assert!(stored.pending_shard.is_some());
    assert_eq!(stored.ttl - app.clock_unix(), 30 * 24 * 3_600);
}
