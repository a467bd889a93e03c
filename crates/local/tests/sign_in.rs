//! Signing in at every simulated vendor through the API of a whole platform, as the web app does.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use mfh_simulators::gohighlevel::LOCATION_ID;
use serde_json::{Value, json};
use support::{Tenant, World};

/// Follows the browser: to the vendor, which consents at once, and back; where it ends up.
async fn browse(started: &Value) -> String {
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut url = started["data"]["url"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let answer = browser.get(&url).send().await.unwrap();
        let location = answer.headers().get("location");
        url = location
            .unwrap_or_else(|| panic!("{url} leads nowhere"))
            .to_str()
            .unwrap()
            .to_owned();
    }
    url
}

async fn sign_in(tenant: &Tenant<'_>, slug: &str, body: Value) -> Value {
    let (status, started) = tenant
        .call("POST", &format!("/platforms/{slug}/oauth/start"), body)
        .await;
    assert_eq!(status, 200, "{started}");
    let end = browse(&started).await;
    assert!(end.contains("oauth=success&connection_id=connection%3A"), "{end}");
    let id = end.rsplit("connection%3A").next().unwrap();
    let path = format!("/platforms/{slug}/connections/connection:{id}");
    let (status, answer) = tenant.call("GET", &path, Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

#[tokio::test]
async fn every_simulated_vendor_is_signed_in_to_tested_and_left() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let cases = [
        ("keap", Some("kd241"), false),
        ("gohighlevel", Some(LOCATION_ID), false),
        ("hubspot", Some("24680135"), true),
        ("zoom", Some("zoom-account"), true),
        ("google_sheets", None, true),
        ("gotowebinar", Some("goto-account"), false),
        ("dropbox", None, true),
    ];
    for (slug, app, revocable) in cases {
        let made = sign_in(&tenant, slug, Value::Null).await;
        assert_eq!(
            (&made["status"], &made["auth_type"]),
            (&json!("active"), &json!("oauth2")),
            "{slug}"
        );
        assert_eq!(made["external_app_id"].as_str(), app, "{slug}");
        assert!(made["external_user_id"].is_string(), "{slug}");
        // Every one can be renewed, so that the access never ends.
        assert!(made.get("expires_at").is_none(), "{slug}: {made}");
        let path = format!(
            "/platforms/{slug}/connections/{}",
            made["connection_id"].as_str().unwrap()
        );
        let (status, answer) = tenant.call("POST", &format!("{path}/test"), Value::Null).await;
        assert_eq!(status, 200, "{slug}: {answer}");

        let again = sign_in(&tenant, slug, Value::Null).await;
        assert_eq!(again["connection_id"], made["connection_id"], "{slug}");
        let (status, answer) = tenant.call("DELETE", &path, Value::Null).await;
        assert_eq!(status, 200, "{slug}: {answer}");
        if let Some(provider) = world.platform.providers.iter().find(|provider| provider.slug() == slug) {
            assert_eq!(provider.tally().revocations, usize::from(revocable), "{slug}");
        }
    }
}

#[tokio::test]
async fn a_helper_runs_on_a_connection_that_was_signed_in_to() {
    let world = World::start().await;
    let mut tenant = world.tenant("ada").await;
    for vendor in &world.platform.vendors {
        if vendor.oauth_client().is_none() {
            continue;
        }
        let made = sign_in(&tenant, vendor.slug(), json!({"name": "By OAuth"})).await;
        tenant.connection_id = made["connection_id"].as_str().unwrap().to_owned();
        let helper = tenant.helper("clear_it", json!({"fields": ["last_name"]})).await;
        let id = tenant.execute(&helper, vendor.demo_contact_id()).await;
        assert_eq!(tenant.ended(&id).await["status"], "completed");
        // The next run meets a token that has ended.
        vendor.expire_tokens().unwrap();
        let id = tenant.execute(&helper, vendor.demo_contact_id()).await;
        let execution = tenant.ended(&id).await;
        assert_eq!(execution["status"], "completed", "{}: {execution}", vendor.slug());
    }
}

#[tokio::test]
async fn a_callback_with_the_token_of_another_user_connects_nobody() {
    let world = World::start().await;
    let (ada, eve) = (world.tenant("ada").await, world.tenant("eve").await);
    let (_, started) = ada.call("POST", "/platforms/zoom/oauth/start", Value::Null).await;
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = browser
        .get(started["data"]["url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    let path = back.strip_prefix(&world.url).unwrap();
    let headers = [
        ("accept", "application/json".to_owned()),
        ("authorization", format!("Bearer {}", eve.token)),
    ];
    let (status, refused) = world.send("GET", path, &headers, Value::Null).await;
    assert_eq!((status, &refused["code"]), (403, &json!("FORBIDDEN")), "{refused}");
    for tenant in [&ada, &eve] {
        let (_, all) = tenant.call("GET", "/platforms/zoom/connections", Value::Null).await;
        assert_eq!(all["data"]["total"], 0);
    }
}

#[tokio::test]
async fn sign_ins_outlive_a_restart_of_the_machine() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let made = sign_in(&tenant, "zoom", Value::Null).await;
    let path = format!(
        "/platforms/zoom/connections/{}/test",
        made["connection_id"].as_str().unwrap()
    );
    let folder = support::stop(world).await;
    let world = World::start_in(folder, |options| options).await;
    let login = json!({ "email": "ada@example.com", "password": "Passw0rd-1" });
    let (_, answer) = world.call("POST", "/auth/login", None, login).await;
    let (status, answer) = world
        .call("POST", &path, answer["data"]["token"].as_str(), Value::Null)
        .await;
    assert_eq!(status, 200, "{answer}");
}
