//! Signing in at vendors: the whole way round, and everything that may go wrong on it.

use chrono::TimeDelta;
use mfh_simulators::faults::FaultRule;
use mfh_types::{AccountId, ConnectionId, ConnectionStatus};
use serde_json::{Value, json};

use crate::support::{Answer, App};

const JSON: &[(&str, &str)] = &[("accept", "application/json")];

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status.as_u16(), 302, "{}", answer.body);
    answer.headers["location"].to_str().unwrap()
}

fn with_state(path: &str, state: &str) -> String {
    let (before, _) = path.split_once("state=").unwrap();
    format!("{before}state={state}")
}

async fn connection(app: &App, id: &str) -> Value {
    let all = app.get("a", "/platform-connections").await.data(200).clone();
    let found = all.as_array().unwrap().iter().find(|one| one["connection_id"] == id);
    found.unwrap().clone()
}

#[tokio::test]
async fn a_sign_in_at_keap_makes_a_connection_that_works_and_sends_the_user_back() {
    let app = App::new().await;
    let started = app.start("a", "keap", Value::Null).await;
    assert_eq!(started["url"], started["authorization_url"]);
    assert_eq!(started["expires_in"], 900);
    assert_eq!(started["platform_id"], "platform:keap");
    let back = app.consent(&started).await;
    let answer = app.come_back(&back, &[]).await;
    let target = location(&answer);
    assert!(
        target.starts_with("https://app.test/connections?oauth=success&connection_id=connection%3A"),
        "{target}"
    );
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");

    let id = target.rsplit("connection%3A").next().unwrap();
    let made = connection(&app, &format!("connection:{id}")).await;
    assert_eq!(
        (&made["status"], &made["auth_type"]),
        (&json!("active"), &json!("oauth2"))
    );
    assert_eq!(made["name"], "Keap (Infusionsoft) Connection");
    assert_eq!(made["external_app_id"], mfh_simulators::keap::TENANT_ID);
    assert!(made["external_user_id"].is_string() && made["external_user_email"].is_string());
    let path = format!("/platforms/keap/connections/connection:{id}");
    app.post("a", &format!("{path}/test"), Value::Null).await.data(200);
    assert!(
        !app.get("a", &format!("{path}/tags"))
            .await
            .data(200)
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_sign_in_at_zoom_with_pkce_and_basic_works_and_answers_json_where_it_is_asked_for() {
    let app = App::new().await;
    let started = app.start("a", "zoom", json!({"name": "Our Zoom"})).await;
    let url = started["url"].as_str().unwrap();
    assert!(url.contains("code_challenge_method=S256"), "{url}");
    let back = app.consent(&started).await;
    let answer = app.come_back(&back, JSON).await;
    let id = answer.data(200)["connection_id"].as_str().unwrap();
    let made = connection(&app, id).await;
    assert_eq!(
        (&made["name"], &made["external_user_id"]),
        (&json!("Our Zoom"), &json!("zoom-ada"))
    );
    assert_eq!(made["external_app_id"], "zoom-account");
    app.post("a", &format!("/platforms/zoom/connections/{id}/test"), Value::Null)
        .await
        .data(200);
    for table in ["connections", "platform-connection-auths", "oauth-states"] {
        assert!(!app.dump(table).await.contains("access_token"), "{table}");
    }
    assert_eq!(app.count("oauth-states").await, 0);
}

#[tokio::test]
async fn a_state_is_good_once_for_fifteen_minutes_and_only_as_it_was_given_out() {
    let app = App::new().await;
    let started = app.start("a", "zoom", Value::Null).await;
    let back = app.consent(&started).await;
    let made_up = with_state(&back, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    app.come_back(&made_up, JSON).await.is_error(400, "BAD_REQUEST");
    app.come_back("/platforms/oauth/callback?code=x", JSON)
        .await
        .is_error(400, "BAD_REQUEST");
    app.come_back(&back, JSON).await.data(200);
    let again = app.come_back(&back, &[]).await;
    assert!(location(&again).starts_with("https://app.test/connections?oauth=error&error="));

    let started = app.start("a", "zoom", Value::Null).await;
    let back = app.consent(&started).await;
    app.clock.advance(TimeDelta::seconds(900));
    app.come_back(&back, JSON).await.is_error(400, "BAD_REQUEST");
    assert_eq!(app.count("platform-connection-auths").await, 1);
}

#[tokio::test]
async fn nobody_ends_the_sign_in_of_another_browser() {
    let app = App::new().await;
    let answer = app.post("a", "/platforms/zoom/oauth/start", Value::Null).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["__Host-mfh_oauth=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let own = cookie.split(';').next().unwrap().to_owned();
    let back = app.consent(answer.data(200)).await;
    let foreign = format!("__Host-mfh_oauth={}", "0".repeat(64));
    let refused = app
        .come_back(&back, &[("accept", "application/json"), ("cookie", &foreign)])
        .await;
    refused.is_error(403, "FORBIDDEN");
    assert_eq!(app.count("platform-connection-auths").await, 0);

    let started = app.start("a", "zoom", Value::Null).await;
    let back = app.consent(&started).await;
    // The first sign-in's cookie is not this one's, which the browser did not keep.
    let other = app
        .come_back(&back, &[("accept", "application/json"), ("cookie", &own)])
        .await;
    other.is_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn users_are_only_sent_to_pages_of_the_web_app() {
    let app = App::new().await;
    for key in ["success_redirect", "failure_redirect"] {
        for bad in [
            "https://evil.test/",
            "https://app.test@evil.test/",
            "//evil.test",
            "javascript:alert(1)",
        ] {
            let answer = app.post("a", "/platforms/zoom/oauth/start", json!({key: bad})).await;
            answer.is_error(400, "VALIDATION_FAILED");
        }
    }
    let pages = json!({"success_redirect": "https://app.test/done?x=1", "failure_redirect": "https://app.test/oh"});
    let started = app.start("a", "zoom", pages.clone()).await;
    let back = app.consent(&started).await;
    let answer = app.come_back(&back, &[]).await;
    assert!(location(&answer).starts_with("https://app.test/done?x=1&oauth=success&connection_id="));

    app.zoom.deny(true);
    let started = app.start("a", "zoom", pages).await;
    let back = app.consent(&started).await;
    assert!(back.contains("error=access_denied"), "{back}");
    let answer = app.come_back(&back, &[]).await;
    let target = location(&answer);
    assert!(
        target.starts_with("https://app.test/oh?oauth=error&error=You+did+not+allow"),
        "{target}"
    );
    // A refusal uses the state up as well.
    let again = app.come_back(&back, &[]).await;
    assert!(location(&again).starts_with("https://app.test/connections?oauth=error"));
}

#[tokio::test]
async fn a_code_without_its_verifier_gives_nothing() {
    let app = App::new().await;
    let mine = app.start("a", "zoom", Value::Null).await;
    let other = app.start("a", "zoom", Value::Null).await;
    let stolen = app.consent(&other).await;
    // The code of one sign-in with the state, and so the verifier, of the other.
    let mixed = with_state(&stolen, mine["state"].as_str().unwrap());
    app.come_back(&mixed, JSON).await.is_error(400, "UPSTREAM_FAILED");
    assert_eq!(app.count("platform-connection-auths").await, 0);
}

#[tokio::test]
async fn signing_in_again_renews_the_same_connection_and_another_account_makes_another() {
    let app = App::new().await;
    let first = app.signed_in("a", "zoom", Value::Null).await;
    let (account, id) = (AccountId::parse("a").unwrap(), ConnectionId::parse(&first).unwrap());
    app.state.loader.refused(&account, &id, "refused").await.unwrap();
    assert_eq!(connection(&app, &first).await["reauth_required"], true);

    assert_eq!(app.signed_in("a", "zoom", Value::Null).await, first);
    let renewed = connection(&app, &first).await;
    assert_eq!(
        (&renewed["status"], &renewed["reauth_required"]),
        (&json!("active"), &json!(false))
    );
    assert_eq!(app.count("platform-connection-auths").await, 1);

    app.zoom.sign_in_as("grace");
    // It is not the account of the connection that is to be renewed.
    let started = app.start("a", "zoom", json!({"connection_id": first})).await;
    let back = app.consent(&started).await;
    // Zoom's account is the same, the person another: the connection goes over to them.
    app.come_back(&back, JSON).await.data(200);
    assert_eq!(connection(&app, &first).await["external_user_id"], "zoom-grace");
    app.zoom.sign_in_as("ada");
    let second = app.signed_in("a", "zoom", Value::Null).await;
    assert_ne!(second, first);
    assert_eq!(connection(&app, &second).await["name"], "Zoom Connection 2");
    let started = app.start("a", "zoom", json!({"connection_id": first})).await;
    let back = app.consent(&started).await;
    app.come_back(&back, JSON).await.is_error(409, "CONFLICT");
}

#[tokio::test]
async fn two_ends_of_sign_ins_to_one_account_make_one_connection() {
    let app = App::new().await;
    let (one, two) = (
        app.start("a", "zoom", Value::Null).await,
        app.start("a", "zoom", Value::Null).await,
    );
    let (one, two) = (app.consent(&one).await, app.consent(&two).await);
    let (one, two) = tokio::join!(app.come_back(&one, JSON), app.come_back(&two, JSON));
    assert_eq!(one.data(200), two.data(200));
    assert_eq!(app.count("platform-connection-auths").await, 1);
}

#[tokio::test]
async fn who_loses_the_permission_meanwhile_does_not_connect() {
    let app = App::new().await;
    let started = app.start("a", "zoom", Value::Null).await;
    let back = app.consent(&started).await;
    app.suspend("a").await;
    app.come_back(&back, JSON).await.is_error(403, "FORBIDDEN");
    assert_eq!(
        app.zoom
            .log()
            .requests()
            .iter()
            .filter(|one| one.path == "/oauth/token")
            .count(),
        0
    );
}

#[tokio::test]
async fn a_sign_in_is_not_started_where_it_cannot_end() {
    let app = App::new().await;
    let start = |tenant, platform: &str, body| {
        let path = format!("/platforms/{platform}/oauth/start");
        let app = &app;
        async move { app.post(tenant, &path, body).await }
    };
    start("v", "zoom", Value::Null).await.is_error(403, "FORBIDDEN");
    start("a", "nothing", Value::Null).await.is_error(404, "NOT_FOUND");
    start("a", "oldcrm", Value::Null).await.is_error(400, "BAD_REQUEST");
    let theirs = app.signed_in("b", "zoom", Value::Null).await;
    start("a", "zoom", json!({"connection_id": theirs}))
        .await
        .is_error(404, "NOT_FOUND");
    start("a", "zoom", json!({"name": "x".repeat(101)}))
        .await
        .is_error(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_vendor_that_fails_leaves_no_half_connection() {
    let app = App::new().await;
    for rule in [FaultRule::status(500), FaultRule::status(400)] {
        app.zoom.faults().add(rule.on("POST", "/oauth/token"));
        let started = app.start("a", "zoom", Value::Null).await;
        let back = app.consent(&started).await;
        app.come_back(&back, JSON).await.is_error(502, "UPSTREAM_FAILED");
    }
    app.zoom.faults().add(FaultRule::status(500).on("GET", "/v2/users/me"));
    let started = app.start("a", "zoom", Value::Null).await;
    let back = app.consent(&started).await;
    app.come_back(&back, JSON).await.is_error(502, "UPSTREAM_FAILED");
    assert_eq!(app.count("platform-connection-auths").await, 0);
}

#[tokio::test]
async fn a_deleted_connection_gives_its_tokens_back_unless_another_needs_them() {
    let app = App::new().await;
    let id = app.signed_in("a", "zoom", Value::Null).await;
    app.delete("a", &format!("/platforms/zoom/connections/{id}"))
        .await
        .data(200);
    assert_eq!(app.zoom.tally().revocations, 1);
    for table in ["connections", "platform-connection-auths"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    // The vendor being down keeps nobody from deleting.
    let id = app.signed_in("a", "zoom", Value::Null).await;
    app.zoom
        .faults()
        .add(FaultRule::status(503).on("POST", "/oauth/revoke"));
    app.delete("a", &format!("/platforms/zoom/connections/{id}"))
        .await
        .data(200);
    assert_eq!(app.count("connections").await, 0);
}

#[tokio::test]
async fn a_dead_sign_in_asks_the_user_and_a_new_one_mends_it() {
    let app = App::new().await;
    let id = app.signed_in("a", "zoom", Value::Null).await;
    app.zoom.revoke_all().unwrap();
    let path = format!("/platforms/zoom/connections/{id}");
    let refused = app.post("a", &format!("{path}/test"), Value::Null).await;
    refused.is_error(422, "UPSTREAM_FAILED");
    assert_eq!(refused.body["data"]["reauth_required"], true);
    let dead = connection(&app, &id).await;
    assert_eq!(
        (&dead["status"], &dead["reauth_required"]),
        (&json!("error"), &json!(true))
    );
    assert_eq!(dead["last_error"]["code"], "CONNECTION_REAUTH_REQUIRED");
    assert_eq!(app.signed_in("a", "zoom", json!({"connection_id": id})).await, id);
    app.post("a", &format!("{path}/test"), Value::Null).await.data(200);
    assert_eq!(connection(&app, &id).await["status"], json!(ConnectionStatus::Active));
}

#[tokio::test]
async fn the_plan_limits_new_sign_ins_and_not_renewed_ones() {
    let app = App::new().await;
    let first = app.signed_in("a", "zoom", Value::Null).await;
    app.connected("a").await;
    assert_eq!(app.signed_in("a", "zoom", Value::Null).await, first);
    app.zoom.sign_in_as("grace");
    let started = app.start("a", "zoom", Value::Null).await;
    let back = app.consent(&started).await;
    app.come_back(&back, JSON).await.is_error(403, "PLAN_LIMIT_REACHED");
}
