//! Making connections, and who sees them.

use mfh_simulators::faults::FaultRule;
use serde_json::json;

use crate::support::{App, BAD_TOKEN, TOKEN, id_of, pasted};

const KEAP: &str = "/platforms/keap/connections";

#[tokio::test]
async fn a_token_that_keap_accepts_makes_a_connection_that_shows_no_secret() {
    let app = App::new().await;
    let answer = app
        .post("a", "/platforms/platform:keap/connections", pasted(" Main ", TOKEN))
        .await;
    let made = answer.data(201).clone();
    assert_eq!(made["platform_id"], "platform:keap");
    assert_eq!(made["platform_name"], "Keap (Infusionsoft)");
    assert_eq!((&made["name"], &made["status"]), (&json!("Main"), &json!("active")));
    assert_eq!(made["auth_type"], "api_key");
    assert_eq!(made["credentials_metadata"], json!({"api_key_last4": "0000"}));

    let path = format!("{KEAP}/{}", made["connection_id"].as_str().unwrap());
    assert_eq!(app.get("a", &path).await.data(200), &made);
    for text in [
        made.to_string(),
        app.dump("connections").await,
        app.dump("platform-connection-auths").await,
    ] {
        assert!(!text.contains(TOKEN), "{text}");
    }
    assert!(made.get("auth_id").is_none());
}

#[tokio::test]
async fn a_token_that_keap_refuses_stores_nothing() {
    let app = App::new().await;
    let answer = app.post("a", KEAP, pasted("Main", BAD_TOKEN)).await;
    answer.is_error(400, "UPSTREAM_FAILED");
    assert!(answer.error().starts_with("Could not connect: "), "{}", answer.error());
    assert_eq!(answer.body["data"]["provider_status"], 401);
    assert!(!answer.body.to_string().contains(BAD_TOKEN));
    for table in ["connections", "platform-connection-auths"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_untested_connection_says_so_and_a_test_makes_it_active() {
    let app = App::new().await;
    app.keap.faults().add(FaultRule::status(503).always());
    let answer = app
        .post("a", &format!("{KEAP}?skip_test=true"), pasted("Main", TOKEN))
        .await;
    let made = answer.data(201);
    assert_eq!(made["status"], "error");
    assert_eq!(made["last_error"]["code"], "NOT_TESTED");
    app.keap.faults().clear();
    let path = format!("{KEAP}/{}", made["connection_id"].as_str().unwrap());
    app.post("a", &format!("{path}/test"), json!(null)).await.data(200);
    let tested = app.get("a", &path).await.data(200).clone();
    assert_eq!(tested["status"], "active");
    assert!(tested.get("last_error").is_none());
}

#[tokio::test]
async fn wrong_requests_are_refused_before_keap_is_asked() {
    let app = App::new().await;
    app.keap.faults().add(FaultRule::status(500).always());
    for (path, body, text) in [
        (KEAP, json!({"credentials": {"api_key": TOKEN}}), "name: is required"),
        (
            KEAP,
            json!({"name": "x", "auth_type": "api_key"}),
            "Personal access token or service account key is required",
        ),
        (KEAP, json!({"name": "x"}), "Use the OAuth flow for this platform"),
        (
            KEAP,
            json!({"name": "x", "auth_type": "oauth2", "credentials": {}}),
            "Use the OAuth flow for this platform",
        ),
        (
            KEAP,
            json!({"name": "x", "auth_type": "basic"}),
            "auth_type: must be oauth2 or api_key",
        ),
        (
            KEAP,
            json!({"name": "x", "credentials": {"api_key": TOKEN, "api_url": "https://a.example.com"}}),
            "Keap (Infusionsoft) takes no credential \"api_url\"",
        ),
        (
            "/platforms/zoom/connections",
            pasted("x", TOKEN),
            "Use the OAuth flow for this platform",
        ),
        (
            "/platforms/oldcrm/connections",
            pasted("x", TOKEN),
            "OLDCRM is no longer offered; choose another platform",
        ),
    ] {
        let answer = app.post("a", path, body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(answer.error(), text);
    }
    app.post("a", "/platforms/none/connections", pasted("x", TOKEN))
        .await
        .is_error(404, "NOT_FOUND");
    assert_eq!(app.count("connections").await, 0);
}

#[tokio::test]
async fn a_name_is_used_once_within_a_platform() {
    let app = App::new().await;
    app.connected("a").await;
    let answer = app.post("a", KEAP, pasted("main", TOKEN)).await;
    answer.is_error(409, "CONFLICT");
    assert_eq!(answer.body["fields"][0]["field"], "name");
    app.connected("b").await;
}

#[tokio::test]
async fn the_plan_limits_connections_and_a_deleted_one_makes_room() {
    let app = App::new().await;
    let first = app.connected("a").await;
    app.post("a", KEAP, pasted("Second", TOKEN)).await.data(201);
    let refused = app.post("a", KEAP, pasted("Third", TOKEN)).await;
    refused.is_error(403, "PLAN_LIMIT_REACHED");
    assert_eq!(
        refused.error(),
        "Your Start plan allows 2 connections. Upgrade to add more."
    );
    assert_eq!(
        refused.body["data"],
        json!({
            "resource": "connections", "limit": 2, "used": 2, "plan": "start",
            "upgrade_url": "https://app.test/settings?tab=billing",
        })
    );
    app.delete("a", &first).await.data(200);
    app.post("a", KEAP, pasted("Third", TOKEN)).await.data(201);
}

#[tokio::test]
async fn lists_come_in_the_shape_that_is_asked_for() {
    let app = App::new().await;
    assert_eq!(app.get("a", "/platform-connections").await.data(200), &json!([]));
    let path = app.connected("a").await;
    let list = app.get("a", "/platform-connections").await.data(200).clone();
    assert_eq!(list[0]["connection_id"], id_of(&path));
    assert_eq!(list[0]["platform_slug"], "keap");
    let object = app.get("a", "/platform-connections?shape=object").await;
    assert_eq!(object.data(200), &json!({"connections": list, "total": 1}));
    let of_platform = app.get("a", KEAP).await;
    assert_eq!(
        of_platform.data(200),
        &json!({"connections": list, "platform_id": "platform:keap", "total": 1})
    );
    assert_eq!(app.get("a", "/platforms/zoom/connections").await.data(200)["total"], 0);
}

#[tokio::test]
async fn a_foreign_connection_answers_like_a_missing_one() {
    let app = App::new().await;
    let path = app.connected("a").await;
    let missing = format!("{KEAP}/connection:0198c7e2-aaaa-7bbb-8ccc-0123456789ab");
    let elsewhere = path.replace("keap", "zoom");
    for suffix in ["", "/fields", "/tags"] {
        let expected = app.get("b", &format!("{missing}{suffix}")).await;
        expected.is_error(404, "NOT_FOUND");
        assert_eq!(app.get("b", &format!("{path}{suffix}")).await.error(), expected.error());
        app.get("a", &format!("{elsewhere}{suffix}"))
            .await
            .is_error(404, "NOT_FOUND");
    }
    app.put("b", &path, json!({"name": "Mine"}))
        .await
        .is_error(404, "NOT_FOUND");
    app.post("b", &format!("{path}/test"), json!(null))
        .await
        .is_error(404, "NOT_FOUND");
    app.delete("b", &format!("{path}?force=true"))
        .await
        .is_error(404, "NOT_FOUND");
    assert_eq!(app.get("b", "/platform-connections").await.data(200), &json!([]));
    app.get("a", &path).await.data(200);
}

#[tokio::test]
async fn a_viewer_looks_but_changes_nothing() {
    let app = App::new().await;
    app.get("v", "/platform-connections").await.data(200);
    app.get("v", KEAP).await.data(200);
    let one = format!("{KEAP}/x");
    app.post("v", KEAP, pasted("x", TOKEN)).await.is_error(403, "FORBIDDEN");
    app.put("v", &one, json!({"name": "x"}))
        .await
        .is_error(403, "FORBIDDEN");
    app.delete("v", &one).await.is_error(403, "FORBIDDEN");
    app.post("v", &format!("{one}/test"), json!(null))
        .await
        .is_error(403, "FORBIDDEN");
    app.get("v", &format!("{one}/tags")).await.is_error(403, "FORBIDDEN");
}
