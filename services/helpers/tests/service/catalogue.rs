//! Health and the catalogue of helper types.

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;

use crate::support::{App, signed_in, text};

#[tokio::test]
async fn health_is_public_and_names_the_service() {
    let app = App::new().await;
    let request = Request::get("/helpers/health").body(Body::empty()).unwrap();
    let answer = app.send(request).await;
    assert_eq!(answer.data(200)["service"], "mfh-helpers");
}

#[tokio::test]
async fn the_catalogue_lists_every_type_with_its_form() {
    let app = App::new().await;
    let answer = app.get("a", "/helpers/types").await;
    let data = answer.data(200);
    let types = data["types"].as_array().unwrap();
    assert_eq!(data["total_count"], types.len());
    assert_eq!(types.len(), mfh_helpers::catalogue().len());
    assert_eq!(data["categories"].as_array().unwrap().len(), 8);
    let tag_it = types.iter().find(|info| info["type"] == "tag_it").unwrap();
    assert_eq!(text(tag_it, "category"), "tagging");
    assert_eq!(tag_it["requires_crm"], true);
    assert!(tag_it["supported_crms"].is_array());
    assert_eq!(tag_it["config_schema"]["type"], "object");

    let one = app.get("a", "/helpers/types/tag_it").await;
    assert_eq!(one.data(200), tag_it);
    app.get("a", "/helpers/types/nonsense").await.is_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_catalogue_that_the_client_has_is_not_sent_again() {
    let app = App::new().await;
    let first = app.get("a", "/helpers/types").await;
    assert_eq!(first.headers["cache-control"], "private, max-age=300");
    let mut again = signed_in("a", Method::GET, "/helpers/types", Value::Null);
    again
        .headers_mut()
        .insert("if-none-match", first.headers["etag"].clone());
    let answer = app.send(again).await;
    assert_eq!(answer.status.as_u16(), 304);
    assert_eq!(answer.body, Value::Null);
    assert_eq!(answer.headers["etag"], first.headers["etag"]);
}

#[tokio::test]
async fn strangers_see_nothing() {
    let app = App::new().await;
    for path in [
        "/helpers",
        "/helpers/types",
        "/helpers/helper:x",
        "/executions",
        "/executions/stats",
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        app.send(request).await.is_error(401, "UNAUTHENTICATED");
    }
}
