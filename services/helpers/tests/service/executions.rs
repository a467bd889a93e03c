//! Lists, details, cancelling, repeating and statistics of executions.

use std::collections::BTreeSet;

use chrono::Duration;
use http::Method;
use mfh_types::ExecutionStatus;
use serde_json::{Value, json};

use crate::support::{Answer, App, text};

fn ids(answer: &Answer) -> Vec<String> {
    let executions = answer.data(200)["executions"].as_array().unwrap();
    executions
        .iter()
        .map(|item| text(item, "execution_id").to_owned())
        .collect()
}

#[tokio::test]
async fn pages_follow_each_other_newest_first_without_gap_or_repeat() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(app.run("a", id, json!({"contact_id": "1"})).await);
        app.clock.advance(Duration::milliseconds(1));
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/executions?limit=3".to_owned();
    loop {
        let answer = app.get("a", &path).await;
        let data = answer.data(200);
        assert_eq!(data["total_count"], ids(&answer).len());
        seen.extend(ids(&answer));
        let token = text(data, "next_token");
        assert_eq!(data["has_more"], !token.is_empty());
        if token.is_empty() {
            break;
        }
        path = format!("/executions?limit=3&next_token={token}");
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_token_of_another_list_is_refused() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    for _ in 0..3 {
        app.run("a", id, json!({})).await;
    }
    let first = app.get("a", "/executions?limit=1").await;
    let token = text(first.data(200), "next_token");
    for (tenant, path) in [
        ("b", format!("/executions?limit=1&next_token={token}")),
        ("a", format!("/executions?status=failed&next_token={token}")),
        ("a", "/executions?next_token=nonsense".to_owned()),
    ] {
        let answer = app.get(tenant, &path).await;
        answer.is_error(400, "BAD_REQUEST");
        assert!(answer.error().starts_with("Invalid next_token"), "{path}");
    }
}

#[tokio::test]
async fn every_filter_restricts_the_list() {
    let app = App::new().await;
    let (one, two) = (app.helper("a").await, app.helper("a").await);
    let failed = app.run("a", text(&one, "helper_id"), json!({"contact_id": "1"})).await;
    app.end(&failed, ExecutionStatus::Failed).await;
    app.clock.advance(Duration::hours(1));
    let pending = app.run("a", text(&two, "helper_id"), json!({"contact_id": "2"})).await;
    let two_id = text(&two, "helper_id");
    let two_key = text(&two, "short_key");
    for (query, wanted) in [
        ("", vec![&pending, &failed]),
        ("limit=200", vec![&pending, &failed]),
        ("status=queued", vec![&pending]),
        ("status=failed", vec![&failed]),
        ("status=failed,pending", vec![&pending, &failed]),
        ("status=running", vec![]),
        (&format!("helper_id={two_id}"), vec![&pending]),
        (&format!("helper_id={two_key}"), vec![&pending]),
        ("helper_id=helper:none", vec![]),
        ("helper_id=none", vec![]),
        ("contact_id=1", vec![&failed]),
        ("trigger_type=manual", vec![&pending, &failed]),
        ("trigger_type=api", vec![]),
        ("connection_id=connection:a-keap", vec![&pending, &failed]),
        ("connection_id=connection:other", vec![]),
        ("from=2026-03-10T00:30:00Z", vec![&pending]),
        ("to=2026-03-10T00:30:00Z", vec![&failed]),
        ("from=2026-03-11T00:00:00Z&to=2026-03-10T00:00:00Z", vec![]),
    ] {
        let answer = app.get("a", &format!("/executions?{query}")).await;
        assert_eq!(ids(&answer).iter().collect::<Vec<_>>(), wanted, "{query}");
    }
    let answer = app
        .get("a", "/executions?status=done&from=yesterday&trigger_type=x")
        .await;
    answer.is_error(400, "VALIDATION_FAILED");
    assert_eq!(answer.fields(), ["status", "trigger_type", "from"]);
    assert_eq!(ids(&app.get("b", "/executions").await), Vec::<String>::new());
}

#[tokio::test]
async fn a_failed_execution_tells_why_in_list_and_detail() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = app
        .run("a", text(&helper, "helper_id"), json!({"contact_id": "1"}))
        .await;
    app.end(&id, ExecutionStatus::Failed).await;
    let list = app.get("a", "/executions").await;
    let item = &list.data(200)["executions"][0];
    let detail = app.get("a", &format!("/executions/{id}")).await;
    for shown in [item, detail.data(200)] {
        assert_eq!(shown["status"], "failed");
        assert_eq!(shown["error_message"], "No such tag");
        assert_eq!(shown["error"], "No such tag");
        assert_eq!(shown["error_code"], "TAG_NOT_FOUND");
        assert_eq!(shown["duration_ms"], 120);
        assert_eq!(shown["helper_type"], "tag_it");
    }
    let fields = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert!(fields(detail.data(200)).is_superset(&fields(item)));
}

#[tokio::test]
async fn another_tenants_execution_answers_exactly_like_a_missing_one() {
    let app = App::new().await;
    let helper = app.helper("b").await;
    let foreign = app.run("b", text(&helper, "helper_id"), json!({})).await;
    let missing = "exec:0198c7e2-aaaa-7bbb-8ccc-0123456789ab";
    for (method, suffix) in [(Method::GET, ""), (Method::POST, "/cancel"), (Method::POST, "/retry")] {
        let ask = async |id: &str| {
            let path = format!("/executions/{id}{suffix}");
            app.call("a", method.clone(), &path, Value::Null).await
        };
        let (foreign, missing) = (ask(&foreign).await, ask(missing).await);
        foreign.is_error(404, "NOT_FOUND");
        assert_eq!(foreign.anonymous(), missing.anonymous(), "{suffix}");
        assert_eq!(ask("no%20id").await.anonymous(), missing.anonymous(), "{suffix}");
    }
    let untouched = app.get("b", &format!("/executions/{foreign}")).await;
    assert_eq!(untouched.data(200)["status"], "pending");
}

#[tokio::test]
async fn a_pending_execution_is_cancelled_once_and_given_back() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = app.run("a", text(&helper, "helper_id"), json!({})).await;
    let path = format!("/executions/{id}/cancel");
    let answer = app.post("a", &path, Value::Null).await;
    assert_eq!(answer.data(200)["status"], "cancelled");
    assert_eq!(app.account("a").await.usage.monthly_executions, 0);
    app.post("a", &path, Value::Null).await.is_error(409, "CONFLICT");
    assert_eq!(app.account("a").await.usage.monthly_executions, 0);
    let detail = app.get("a", &format!("/executions/{id}")).await;
    assert_eq!(detail.data(200)["status"], "cancelled");
}

#[tokio::test]
async fn an_ended_execution_is_repeated_with_what_it_had() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let helper_id = text(&helper, "helper_id");
    let id = app
        .run("a", helper_id, json!({"contact_id": "1", "input": {"x": 1}}))
        .await;
    let path = format!("/executions/{id}/retry");
    app.post("a", &path, Value::Null).await.is_error(409, "CONFLICT");
    app.end(&id, ExecutionStatus::Failed).await;
    let config = json!({"action": "remove", "tag_ids": ["7"]});
    app.put_helper("a", helper_id, json!({"config": config}))
        .await
        .data(200);

    let answer = app.post("a", &path, Value::Null).await;
    let again = text(answer.data(202), "execution_id");
    assert_ne!(again, id);
    let detail = app.get("a", &format!("/executions/{again}")).await;
    let repeat = detail.data(200);
    assert_eq!(repeat["trigger_type"], "retry");
    assert_eq!(repeat["parent_execution_id"], id);
    assert_eq!(repeat["contact_id"], "1");
    assert_eq!(repeat["input"], json!({"x": 1}));
    assert_eq!(repeat["config"], helper["config"]);

    app.put_helper("a", helper_id, json!({"enabled": false}))
        .await
        .data(200);
    app.post("a", &path, Value::Null).await.is_error(409, "HELPER_DISABLED");
    let helper_path = format!("/helpers/{helper_id}");
    app.call("a", Method::DELETE, &helper_path, Value::Null).await.data(200);
    app.post("a", &path, Value::Null).await.is_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn statistics_count_what_the_account_ran() {
    let app = App::new().await;
    let (helper, foreign) = (app.helper("a").await, app.helper("b").await);
    let id = text(&helper, "helper_id");
    let failed = app.run("a", id, json!({"contact_id": "1"})).await;
    app.end(&failed, ExecutionStatus::Failed).await;
    let completed = app.run("a", id, json!({"contact_id": "2"})).await;
    app.end(&completed, ExecutionStatus::Completed).await;
    app.clock.advance(Duration::days(1));
    app.run("a", id, json!({"contact_id": "2"})).await;
    app.run("b", text(&foreign, "helper_id"), json!({})).await;

    let answer = app.get("a", "/executions/stats").await;
    let stats = answer.data(200);
    let summary = &stats["summary"];
    for (name, value) in [("total", 3), ("completed", 1), ("failed", 1), ("pending", 1)] {
        assert_eq!(summary[name], value, "{name}");
    }
    assert_eq!(summary["success_rate"], 50.0);
    assert_eq!(summary["avg_duration_ms"], 120);
    assert_eq!(summary["unique_contacts"], 2);
    assert_eq!(stats["truncated"], false);
    let days = stats["daily_trend"].as_array().unwrap();
    assert_eq!(days.len(), 31);
    assert_eq!(
        days[29],
        json!({"date": "2026-03-10", "total": 2, "completed": 1, "failed": 1})
    );
    assert_eq!(stats["top_helpers"][0]["helper_id"], helper["helper_id"]);
    assert_eq!(stats["error_breakdown"], json!([{"error": "No such tag", "count": 1}]));

    let path = "/executions/stats?from=2026-03-11T00:00:00Z";
    assert_eq!(app.get("a", path).await.data(200)["summary"]["total"], 1);
    let path = format!("/executions/stats?helper_id={}", text(&foreign, "helper_id"));
    assert_eq!(app.get("a", &path).await.data(200)["summary"]["total"], 0);
    for query in ["from=2026-04-01T00:00:00Z", "from=2020-01-01T00:00:00Z", "to=soon"] {
        let answer = app.get("a", &format!("/executions/stats?{query}")).await;
        answer.is_error(400, "VALIDATION_FAILED");
    }
}
