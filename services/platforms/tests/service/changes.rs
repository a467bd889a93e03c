//! Changing and deleting connections.

use mfh_types::{AccountId, ConnectionId, HelperId};
use serde_json::json;

use crate::support::{App, BAD_TOKEN, TOKEN, id_of};

#[tokio::test]
async fn a_new_name_leaves_the_credentials_and_so_does_a_mask() {
    let app = App::new().await;
    let path = app.connected("a").await;
    let before = app.dump("platform-connection-auths").await;
    for body in [
        json!({"name": "Renamed"}),
        json!({"name": "Renamed", "credentials": {"api_key": "********"}}),
        json!({"credentials": {"api_key": ""}}),
    ] {
        let answer = app.put("a", &path, body).await;
        assert_eq!(answer.data(200)["name"], "Renamed");
        assert_eq!(answer.data(200)["status"], "active");
    }
    assert_eq!(app.dump("platform-connection-auths").await, before);
    app.put("a", &path, json!({"name": ""}))
        .await
        .is_error(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn credentials_are_replaced_only_by_ones_that_work() {
    let app = App::new().await;
    let path = app.connected("a").await;
    let (account, id) = (
        AccountId::parse("a").unwrap(),
        ConnectionId::parse(id_of(&path)).unwrap(),
    );
    app.state.loader.refused(&account, &id, "refused").await.unwrap();
    let before = app.dump("platform-connection-auths").await;

    let refused = app
        .put(
            "a",
            &path,
            json!({"name": "New", "credentials": {"api_key": BAD_TOKEN}}),
        )
        .await;
    refused.is_error(400, "UPSTREAM_FAILED");
    assert_eq!(app.dump("platform-connection-auths").await, before);
    let unchanged = app.get("a", &path).await.data(200).clone();
    assert_eq!(
        (&unchanged["name"], &unchanged["status"]),
        (&json!("Main"), &json!("error"))
    );
    assert_eq!(unchanged["reauth_required"], true);

    let answer = app.put("a", &path, json!({"credentials": {"api_key": TOKEN}})).await;
    let changed = answer.data(200);
    assert_eq!(
        (&changed["status"], &changed["reauth_required"]),
        (&json!("active"), &json!(false))
    );
    assert!(changed.get("last_error").is_none());
    assert_ne!(app.dump("platform-connection-auths").await, before);
    app.post("a", &format!("{path}/test"), json!(null)).await.data(200);
}

#[tokio::test]
async fn a_deleted_connection_leaves_no_credentials() {
    let app = App::new().await;
    let path = app.connected("a").await;
    let answer = app.delete("a", &path).await;
    assert_eq!(answer.data(200)["connection_id"], id_of(&path));
    for table in ["connections", "platform-connection-auths"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    app.delete("a", &path).await.is_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_connection_in_use_goes_only_by_force_and_disables_its_helpers() {
    let app = App::new().await;
    let path = app.connected("a").await;
    app.add_helper("on", id_of(&path), true).await;
    app.add_helper("off", id_of(&path), false).await;
    let refused = app.delete("a", &path).await;
    refused.is_error(409, "CONFLICT");
    assert!(
        refused.error().starts_with("Connection is used by 1 helper;"),
        "{}",
        refused.error()
    );
    assert_eq!(refused.body["data"], json!({"helper_ids": ["helper:on"]}));
    app.get("a", &path).await.data(200);

    app.delete("a", &format!("{path}?force=true")).await.data(200);
    for id in ["on", "off"] {
        let helpers = app.core.database.helpers();
        let helper = helpers
            .get(&AccountId::parse("a").unwrap(), &HelperId::parse(id).unwrap())
            .await;
        let helper = helper.unwrap().unwrap();
        assert_eq!((helper.enabled, helper.connection_id), (false, None), "{id}");
    }
}
