//! Creating, reading, changing and deleting helpers.

use http::Method;
use mfh_types::Plan;
use serde_json::{Value, json};

use crate::support::{App, complete, signed_in, text};

#[tokio::test]
async fn a_draft_is_completed_enabled_and_run() {
    let app = App::new().await;
    let answer = app
        .post(
            "a",
            "/helpers",
            json!({"name": " Welcome ", "helper_type": "tag_it", "config": {}}),
        )
        .await;
    let draft = answer.data(201);
    let id = text(draft, "helper_id");
    assert_eq!(draft["name"], "Welcome");
    assert_eq!(draft["category"], "tagging");
    assert_eq!(draft["enabled"], false);
    let missing: Vec<_> = draft["config_errors"].as_array().unwrap().iter().collect();
    let missing: Vec<_> = missing.iter().map(|fault| text(fault, "field")).collect();
    assert_eq!(missing, ["action", "tag_ids", "connection_id"]);

    let path = format!("/helpers/{id}/execute");
    let refused = app.post("a", &path, json!({"contact_id": "1"})).await;
    refused.is_error(409, "HELPER_INCOMPLETE");
    assert_eq!(refused.fields(), ["config.action", "config.tag_ids", "connection_id"]);
    let refused = app.put_helper("a", id, json!({"enabled": true})).await;
    refused.is_error(409, "HELPER_INCOMPLETE");

    let config = json!({"action": "apply", "tag_ids": ["101"]});
    let answer = app.put_helper("a", id, json!({"config": config})).await;
    assert_eq!(answer.data(200)["config_errors"][0]["field"], "connection_id");
    let answer = app
        .put_helper("a", id, json!({"connection_id": "connection:a-keap", "enabled": true}))
        .await;
    let helper = answer.data(200);
    assert_eq!(helper["config_errors"], json!([]));
    assert_eq!(helper["enabled"], true);
    assert_eq!(helper["config"], config);
    assert_eq!(helper["version"], 3);

    let accepted = app.post("a", &path, json!({"contact_id": "1"})).await;
    assert_eq!(accepted.data(202)["status"], "pending");
}

#[tokio::test]
async fn a_helper_is_found_by_id_uuid_and_short_key() {
    let app = App::new().await;
    let made = app.helper("a").await;
    let id = text(&made, "helper_id");
    assert_eq!(made["enabled"], true);
    for name in [id, id.trim_start_matches("helper:"), text(&made, "short_key")] {
        let answer = app.get("a", &format!("/helpers/{name}")).await;
        assert_eq!(answer.data(200), &made, "{name}");
    }
    let list = app.get("a", "/helpers").await;
    assert_eq!(list.data(200)["total_count"], 1);
    let item = &list.data(200)["helpers"][0];
    assert_eq!(item["connection_id"], "connection:a-keap");
    assert_eq!(item["config"], Value::Null);
}

#[tokio::test]
async fn lists_are_newest_first_and_can_be_filtered() {
    let app = App::new().await;
    assert_eq!(app.get("a", "/helpers").await.data(200)["helpers"], json!([]));
    app.helper("a").await;
    app.clock.advance(chrono::Duration::seconds(1));
    let draft = json!({"name": "Score", "helper_type": "score_it"});
    app.post("a", "/helpers", draft).await.data(201);
    for (query, names) in [
        ("", vec!["Score", "Welcome"]),
        ("?enabled=true", vec!["Welcome"]),
        ("?helper_type=score_it", vec!["Score"]),
        ("?category=data", vec![]),
        ("?connection_id=connection:a-keap", vec!["Welcome"]),
    ] {
        let answer = app.get("a", &format!("/helpers{query}")).await;
        let helpers = answer.data(200)["helpers"].as_array().unwrap();
        let found: Vec<_> = helpers.iter().map(|helper| text(helper, "name")).collect();
        assert_eq!(found, names, "{query}");
    }
}

#[tokio::test]
async fn every_fault_of_a_new_helper_is_named() {
    let app = App::new().await;
    let cases = [
        (json!({}), vec!["name", "helper_type"], "Name is required"),
        (json!({"name": "x"}), vec!["helper_type"], "Helper type is required"),
        (
            json!({"name": "x", "helper_type": "facebook_custom_audience"}),
            vec!["helper_type"],
            "Unknown helper type: facebook_custom_audience",
        ),
        (
            json!({"name": "x".repeat(201), "helper_type": "tag_it", "description": "y".repeat(2_001)}),
            vec!["name", "description"],
            "name must have at most 200 characters",
        ),
        (
            json!({"name": "x", "helper_type": "tag_it", "config": {"action": "explode", "tag_ids": 7}}),
            vec!["config.tag_ids", "config.action"],
            "Invalid config",
        ),
        (
            json!({"name": "x", "helper_type": "tag_it", "config": {"note": "z".repeat(65_536)}}),
            vec!["config"],
            "config: must have at most 64 KB",
        ),
    ];
    for (body, fields, error) in cases {
        let answer = app.post("a", "/helpers", body).await;
        answer.is_error(400, "VALIDATION_FAILED");
        let (mut found, mut wanted) = (answer.fields(), fields);
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{}", answer.body);
        assert!(answer.error().starts_with(error), "{}", answer.body);
    }
    assert_eq!(app.account("a").await.usage.helpers, 0);
}

#[tokio::test]
async fn a_connection_must_be_the_accounts_own_and_fit_the_type() {
    let app = App::new().await;
    app.add_connection("a", "a-slack", "slack").await;
    let with = |connection: &str| {
        let mut body = complete("a");
        body["connection_id"] = json!(connection);
        body
    };
    let foreign = app.post("a", "/helpers", with("connection:b-keap")).await;
    let missing = app.post("a", "/helpers", with("connection:none")).await;
    assert_eq!(foreign.anonymous(), missing.anonymous());
    assert_eq!(foreign.fields(), ["connection_id"]);
    let no_crm = app.post("a", "/helpers", with("connection:a-slack")).await;
    no_crm.is_error(400, "VALIDATION_FAILED");
    assert_eq!(no_crm.error(), "Helper type tag_it does not support SLACK");

    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    let answer = app
        .put_helper("a", id, json!({"connection_id": "connection:b-keap"}))
        .await;
    assert_eq!(answer.anonymous(), missing.anonymous());
}

#[tokio::test]
async fn service_connections_must_be_the_accounts_own_and_of_their_service() {
    let app = App::new().await;
    app.add_connection("a", "a-slack", "slack").await;
    app.add_connection("b", "b-slack", "slack").await;
    let with = |connection: &str| {
        let mut body = complete("a");
        body["config"]["service_connection_ids"] = json!({"slack": connection});
        body
    };
    app.post("a", "/helpers", with("connection:a-slack")).await.data(201);
    for connection in ["connection:a-keap", "connection:b-slack", "connection:none", "no id"] {
        let answer = app.post("a", "/helpers", with(connection)).await;
        answer.is_error(400, "VALIDATION_FAILED");
        assert_eq!(answer.fields(), ["config.service_connection_ids.slack"], "{connection}");
    }
}

#[tokio::test]
async fn the_plan_limits_how_many_helpers_there_are() {
    let app = App::on_plan(Plan::Free).await;
    let first = app.helper("a").await;
    let refused = app.post("a", "/helpers", complete("a")).await;
    refused.is_error(403, "PLAN_LIMIT_REACHED");
    assert_eq!(
        refused.error(),
        "Your Sandbox plan allows 1 helpers. Upgrade to add more."
    );
    assert_eq!(
        refused.body["data"],
        json!({
            "resource": "helpers", "limit": 1, "used": 1, "plan": "free",
            "upgrade_url": "https://app.test/settings?tab=billing",
        })
    );
    // A deleted one makes room.
    let path = format!("/helpers/{}", text(&first, "helper_id"));
    app.call("a", Method::DELETE, &path, Value::Null).await.data(200);
    app.helper("a").await;
}

#[tokio::test]
async fn another_tenants_helper_answers_exactly_like_a_missing_one() {
    let app = App::new().await;
    let foreign = app.helper("b").await;
    let foreign = text(&foreign, "helper_id");
    let missing = "helper:0198c7e2-aaaa-7bbb-8ccc-0123456789ab";
    for (method, suffix) in [
        (Method::GET, ""),
        (Method::PUT, ""),
        (Method::DELETE, ""),
        (Method::POST, "/execute"),
    ] {
        let body = json!({"name": "mine now"});
        let ask = async |id: &str| {
            let path = format!("/helpers/{id}{suffix}");
            app.call("a", method.clone(), &path, body.clone()).await
        };
        let (foreign, missing) = (ask(foreign).await, ask(missing).await);
        foreign.is_error(404, "NOT_FOUND");
        assert_eq!(foreign.anonymous(), missing.anonymous(), "{method} {suffix}");
    }
    assert_eq!(app.get("a", "/helpers").await.data(200)["total_count"], 0);
    let untouched = app.get("b", &format!("/helpers/{foreign}")).await;
    assert_eq!(untouched.data(200)["name"], "Welcome");
}

#[tokio::test]
async fn a_deleted_helper_is_gone_and_deleted_once() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let path = format!("/helpers/{}", text(&helper, "helper_id"));
    let deleted = app.call("a", Method::DELETE, &path, Value::Null).await;
    assert_eq!(deleted.data(200)["helper_id"], helper["helper_id"]);
    for method in [Method::DELETE, Method::GET] {
        app.call("a", method, &path, Value::Null)
            .await
            .is_error(404, "NOT_FOUND");
    }
    let answer = app
        .put_helper("a", text(&helper, "helper_id"), json!({"name": "x"}))
        .await;
    answer.is_error(404, "NOT_FOUND");
    assert_eq!(app.account("a").await.usage.helpers, 0);
}

#[tokio::test]
async fn a_change_on_an_older_version_is_refused() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    let answer = app.put_helper("a", id, json!({"name": "One", "version": 1})).await;
    assert_eq!(answer.data(200)["version"], 2);
    let answer = app.put_helper("a", id, json!({"name": "Two", "version": 1})).await;
    answer.is_error(409, "CONFLICT");
    let mut request = signed_in("a", Method::PUT, &format!("/helpers/{id}"), json!({"name": "Two"}));
    request.headers_mut().insert("if-match", "\"1\"".parse().unwrap());
    app.send(request).await.is_error(409, "CONFLICT");
    let answer = app.put_helper("a", id, json!({"name": "Three"})).await;
    assert_eq!(answer.data(200)["name"], "Three");
}

#[tokio::test]
async fn null_and_blank_clear_what_may_be_cleared_and_nothing_else_changes() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    let answer = app.put_helper("a", id, json!({"description": "Tags newcomers"})).await;
    assert_eq!(answer.data(200)["description"], "Tags newcomers");
    let answer = app.put_helper("a", id, json!({"description": null, "name": ""})).await;
    assert_eq!(answer.data(200)["description"], "");
    assert_eq!(answer.data(200)["name"], "Welcome");
    assert_eq!(answer.data(200)["enabled"], true);
    let answer = app.put_helper("a", id, json!({"connection_id": ""})).await;
    let helper = answer.data(200);
    assert_eq!(helper["connection_id"], Value::Null);
    assert_eq!(helper["enabled"], false);
    assert_eq!(helper["config_errors"][0]["field"], "connection_id");
}

#[tokio::test]
async fn a_schedule_is_checked_before_it_is_stored() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let id = text(&helper, "helper_id");
    for body in [
        json!({"cron_expression": "every day"}),
        json!({"cron_expression": "rate(1 minute)"}),
        json!({"schedule_enabled": true}),
    ] {
        let answer = app.put_helper("a", id, body).await;
        answer.is_error(400, "VALIDATION_FAILED");
        assert_eq!(answer.error(), "Invalid schedule expression");
        assert_eq!(answer.fields(), ["cron_expression"]);
    }
    let body = json!({"schedule_enabled": true, "cron_expression": "rate(15 minutes)"});
    let answer = app.put_helper("a", id, body).await;
    assert_eq!(answer.data(200)["schedule_enabled"], true);
    assert_eq!(answer.data(200)["cron_expression"], "rate(15 minutes)");
    let answer = app.put_helper("a", id, json!({"cron_expression": null})).await;
    answer.is_error(400, "VALIDATION_FAILED");
    let body = json!({"schedule_enabled": false, "cron_expression": null});
    assert_eq!(
        app.put_helper("a", id, body).await.data(200)["cron_expression"],
        Value::Null
    );
}

#[tokio::test]
async fn onlookers_see_helpers_and_change_none() {
    let app = App::new().await;
    let helper = app.helper("a").await;
    let path = format!("/helpers/{}", text(&helper, "helper_id"));
    app.set_role("a", "viewer").await;
    app.get("a", &path).await.data(200);
    app.post("a", "/helpers", complete("a"))
        .await
        .is_error(403, "FORBIDDEN");
    for (method, path) in [
        (Method::PUT, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/execute")),
    ] {
        let answer = app.call("a", method, &path, json!({"name": "x"})).await;
        answer.is_error(403, "FORBIDDEN");
    }
}
