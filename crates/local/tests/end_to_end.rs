//! The main job: a POST runs a helper and the CRM shows it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_user_scores_a_contact_and_the_crm_shows_it() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let config = json!({
        "rules": [{ "tag_id": "101", "has_tag": false, "points": 4 }, { "tag_id": "999999", "points": "100" }],
        "target_field": "_LeadScore",
    });
    let helper = tenant.helper("score_it", config).await;

    // Whether contact 1007 carries tag 101 is the demo data's choice; take it away first.
    let untag = tenant
        .helper("tag_it", json!({ "action": "remove", "tag_ids": ["101"] }))
        .await;
    let id = tenant.execute(&untag, "1007").await;
    assert_eq!(tenant.ended(&id).await["status"], "completed");

    let id = tenant.execute(&helper, "1007").await;
    let execution = tenant.ended(&id).await;
    assert_eq!(execution["status"], "completed", "{execution}");
    assert_eq!(execution["output"]["modified_data"], json!({ "_LeadScore": "4" }));
    assert_eq!(execution["output"]["actions"][0]["type"], "field_updated");
    assert_eq!(execution["attempt"], 1);

    let contact = world.contact("1007").await.to_string();
    assert!(contact.contains("_LeadScore"), "{contact}");
    let last = world.writes().await.pop().unwrap();
    assert_eq!(last["contact_id"], "1007", "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_and_a_short_key_run_a_helper_by_every_route() {
    let world = World::start().await;
    let tenant = world.tenant("bob").await;
    let helper = tenant
        .helper("tag_it", json!({ "action": "apply", "tag_ids": ["102", "103"] }))
        .await;
    let short_key = helper["short_key"].as_str().unwrap();
    let body = || json!({ "contact_id": 1009 });
    let header = [("x-api-key", tenant.api_key.clone())];
    let mut ids = Vec::new();

    let (status, answer) = world
        .send("POST", &format!("/helper/{short_key}/execute"), &header, body())
        .await;
    assert_eq!(status, 202, "{answer}");
    ids.push(answer["data"]["execution_id"].as_str().unwrap().to_owned());
    let in_path = format!("/helper/{}/{short_key}", tenant.api_key);
    let (status, answer) = world.send("POST", &in_path, &[], body()).await;
    assert_eq!(status, 202, "{answer}");
    ids.push(answer["data"]["execution_id"].as_str().unwrap().to_owned());
    let (status, answer) = world
        .send("GET", &format!("{in_path}?contact_id=1009"), &[], Value::Null)
        .await;
    assert_eq!(status, 202, "{answer}");
    ids.push(answer["data"]["execution_id"].as_str().unwrap().to_owned());

    for id in ids {
        assert_eq!(tenant.ended(&id).await["status"], "completed");
    }
    let (_, stats) = tenant.call("GET", "/executions/stats", Value::Null).await;
    assert_eq!(stats["data"]["summary"]["completed"], 3, "{stats}");
    let (_, seen) = tenant.call("GET", &format!("/helpers/{short_key}"), Value::Null).await;
    assert_eq!(seen["data"]["execution_count"], 3, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_on_one_contact_keep_their_order_and_others_do_not_wait() {
    let world = World::start().await;
    let tenant = world.tenant("cy").await;
    let mut ids = Vec::new();
    let mut helpers = Vec::new();
    for points in 1..=5 {
        let rule = json!({ "tag_id": "999999", "has_tag": false, "points": points });
        helpers.push(
            tenant
                .helper("score_it", json!({ "rules": [rule], "target_field": "_LeadScore" }))
                .await,
        );
    }
    for _ in 0..4 {
        for helper in &helpers {
            ids.push(tenant.execute(helper, "1011").await);
        }
    }
    for id in &ids {
        assert_eq!(tenant.ended(id).await["status"], "completed");
    }
    let written: Vec<String> = world
        .writes()
        .await
        .iter()
        .filter(|write| write["contact_id"] == "1011")
        .map(score_of)
        .collect();
    let expected: Vec<String> = ["1", "2", "3", "4", "5"]
        .repeat(4)
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(written, expected);
}

/// The score in a logged write of `_LeadScore`.
fn score_of(write: &Value) -> String {
    let value = &write["fields"]["custom_fields"]["_LeadScore"];
    value.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_a_restart() {
    let world = World::start().await;
    let tenant = world.tenant("di").await;
    let helper = tenant
        .helper("count_tags", json!({ "target_field": "_TagCount" }))
        .await;
    let id = tenant.execute(&helper, "1012").await;
    let before = tenant.ended(&id).await;
    let (token, api_key) = (tenant.token.clone(), tenant.api_key.clone());
    let short_key = helper["short_key"].as_str().unwrap().to_owned();

    let folder = support::stop(world).await;
    let world = World::start_in(folder, |options| options).await;
    let user = json!({ "email": "di@example.com", "password": "Passw0rd-1" });
    let (status, answer) = world.call("POST", "/auth/login", None, user).await;
    assert_eq!(status, 200, "{answer}");
    let fresh = answer["data"]["token"].as_str().unwrap();
    let (_, after) = world
        .call("GET", &format!("/executions/{id}"), Some(fresh), Value::Null)
        .await;
    assert_eq!(after["data"]["output"], before["output"]);
    let header = [("x-api-key", api_key)];
    let (status, answer) = world
        .send(
            "POST",
            &format!("/helper/{short_key}/execute"),
            &header,
            json!({ "contact_id": "1012" }),
        )
        .await;
    assert_eq!(status, 202, "{answer}");
    assert!(!token.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_page_and_the_description_are_served() {
    let world = World::start().await;
    let (status, description) = world.call("GET", "/openapi.json", None, Value::Null).await;
    assert_eq!(status, 200);
    for path in [
        "/auth/login",
        "/helpers/{helper_id}/execute",
        "/platforms/{platform_id}/connections",
        "/api-keys",
    ] {
        assert!(description["paths"][path].is_object(), "{path}");
    }
    let page = reqwest::get(format!("{}/docs", world.url))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("/openapi.json"));
    let (status, keys) = world
        .call(
            "GET",
            "/_cognito/us-west-2_local/.well-known/jwks.json",
            None,
            Value::Null,
        )
        .await;
    assert_eq!((status, keys["keys"][0]["alg"].as_str()), (200, Some("RS256")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_was_cut_short_is_finished_by_the_next_one() {
    let world = World::start().await;
    let file = world.folder.path().join("demo.json");
    mfh_local::demo::ensure(&world.platform, &file).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    mfh_local::demo::ensure(&world.platform, &file).await.unwrap();

    let token = mfh_local::demo::token(&world.platform).await.unwrap();
    let (_, connections) = world
        .call("GET", "/platform-connections", Some(&token), Value::Null)
        .await;
    let connections = connections["data"].as_array().unwrap();
    assert_eq!(connections.len(), world.platform.vendors.len(), "{connections:?}");
}
