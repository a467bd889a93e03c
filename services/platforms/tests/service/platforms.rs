//! What can be connected.

use serde_json::Value;

use crate::support::App;

fn slugs(data: &Value) -> Vec<&str> {
    let platforms = data["platforms"].as_array().unwrap();
    platforms.iter().map(|one| one["slug"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn only_what_is_offered_is_listed_unless_a_status_is_asked_for() {
    let app = App::new().await;
    for (query, found) in [
        ("", vec!["keap", "zoom"]),
        ("?category=crm", vec!["keap"]),
        ("?status=retired", vec!["oldcrm"]),
        ("?status=&category=", vec!["keap", "zoom"]),
        ("?category=payments", vec![]),
    ] {
        let answer = app.get("v", &format!("/platforms{query}")).await;
        let data = answer.data(200);
        assert_eq!(slugs(data), found, "{query}");
        assert_eq!(data["total"], found.len());
    }
    app.get("v", "/platforms?status=gone")
        .await
        .is_error(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_platform_is_found_by_id_and_slug_and_knows_whether_it_is_connected() {
    let app = App::new().await;
    for path in ["/platforms/keap", "/platforms/platform:keap"] {
        let answer = app.get("a", path).await;
        let data = answer.data(200);
        assert_eq!(data["platform"]["slug"], "keap");
        assert_eq!(data["platform"]["credential_fields"][0]["key"], "api_key");
        assert_eq!(data["has_connection"], false);
    }
    app.connected("a").await;
    assert_eq!(app.get("a", "/platforms/keap").await.data(200)["has_connection"], true);
    assert_eq!(app.get("b", "/platforms/keap").await.data(200)["has_connection"], false);
    app.get("a", "/platforms/nothing").await.is_error(404, "NOT_FOUND");
}
