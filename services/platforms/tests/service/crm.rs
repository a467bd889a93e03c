//! What the CRM is asked through a connection, and what its failures mean.

use mfh_simulators::faults::FaultRule;
use serde_json::{Value, json};

use crate::support::App;

async fn status(app: &App, path: &str) -> (Value, Value) {
    let connection = app.get("a", path).await.data(200).clone();
    (connection["status"].clone(), connection["reauth_required"].clone())
}

#[tokio::test]
async fn a_test_that_works_says_so() {
    let app = App::new().await;
    let path = app.connected("a").await;
    let answer = app.post("a", &format!("{path}/test"), json!(null)).await;
    let data = answer.data(200);
    assert_eq!(
        (&data["status"], &data["result"]["status"]),
        (&json!("success"), &json!("valid"))
    );
    assert_eq!(data["platform_id"], "platform:keap");
}

#[tokio::test]
async fn refused_credentials_mark_the_connection_and_never_sign_the_user_out() {
    let app = App::new().await;
    let path = app.connected("a").await;
    app.keap.faults().add(FaultRule::status(401).always());
    let answer = app.post("a", &format!("{path}/test"), json!(null)).await;
    answer.is_error(422, "UPSTREAM_FAILED");
    assert_eq!(
        answer.body["data"],
        json!({"reason": "UNAUTHORIZED", "provider_status": 401, "reauth_required": true})
    );
    assert_eq!(status(&app, &path).await, (json!("error"), json!(true)));
    app.get("a", &format!("{path}/tags"))
        .await
        .is_error(422, "UPSTREAM_FAILED");

    app.keap.faults().clear();
    app.get("a", &format!("{path}/tags")).await.data(200);
    assert_eq!(status(&app, &path).await, (json!("active"), json!(false)));
}

#[tokio::test]
async fn an_outage_of_the_crm_leaves_the_connection_as_it_is() {
    let app = App::new().await;
    let path = app.connected("a").await;
    app.keap.faults().add(FaultRule::status(500).always());
    let answer = app.post("a", &format!("{path}/test"), json!(null)).await;
    answer.is_error(502, "UPSTREAM_FAILED");
    assert_eq!(answer.body["data"]["reauth_required"], false);
    assert_eq!(status(&app, &path).await, (json!("active"), json!(false)));
}

#[tokio::test]
async fn fields_and_tags_come_from_the_crm_and_are_remembered() {
    let app = App::new().await;
    let path = app.connected("a").await;
    let fields = app.get("a", &format!("{path}/fields")).await.data(200).clone();
    let keys: Vec<&str> = fields["standard_fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["key"].as_str().unwrap())
        .collect();
    assert_eq!(
        keys,
        ["first_name", "last_name", "email", "phone", "company", "job_title"]
    );
    assert!(!fields["custom_fields"].as_array().unwrap().is_empty());
    let tags = app.get("a", &format!("{path}/tags")).await.data(200).clone();
    assert!(tags.as_array().unwrap().iter().any(|tag| tag["id"] == "101"), "{tags}");

    app.keap.faults().add(FaultRule::status(500).always());
    assert_eq!(app.get("a", &format!("{path}/fields")).await.data(200), &fields);
    assert_eq!(app.get("a", &format!("{path}/tags")).await.data(200), &tags);
    let refreshed = app.get("a", &format!("{path}/tags?refresh=true")).await;
    refreshed.is_error(502, "UPSTREAM_FAILED");
    assert!(refreshed.headers.contains_key("x-request-id"));
}
