//! What clients see of the request layer: envelope, headers, refusals.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use http::{Method, Request, StatusCode};
use mfh_aws::{Stage, Tables};
use mfh_database::Database;
use mfh_http::testing::{self, Answer};
use mfh_http::{
    ApiError, BODY_LIMIT, ClientIp, Core, Json, KeyHolder, ManageHelpers, May, NoData, Path, Query, Reply, RequestId,
    SignedIn, created, done, finish, ok,
};
use mfh_types::{HelperId, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
struct Note {
    title: String,
    #[serde(default)]
    lines: Vec<u32>,
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<u32>,
}

fn core() -> Arc<Core> {
    let config = aws_sdk_dynamodb::Config::builder().behavior_version_latest().build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let tables = Tables::by_convention(&Stage::new("test"));
    Arc::new(testing::core(Database::new(client, tables), Arc::new(SystemClock)))
}

fn app() -> Router {
    let router = Router::new()
        .route(
            "/notes",
            post(async |Json(note): Json<Note>| {
                created("Stored", json!({"title": note.title, "lines": note.lines.len()}))
            })
            .get(async |Query(page): Query<Page>| ok("Listed", json!({"limit": page.limit}))),
        )
        .route(
            "/optional",
            post(async |note: Option<Json<Note>>| ok("Read", json!(note.is_some()))),
        )
        .route(
            "/large",
            post(async |Json(note): Json<Note>| ok("Read", note.title.len())).layer(DefaultBodyLimit::max(1024 * 1024)),
        )
        .route("/helpers/{id}", get(async |Path(id): Path<HelperId>| ok("Read", id)))
        .route("/ip", get(async |ClientIp(ip): ClientIp| ok("Read", ip)))
        .route("/empty", get(async || done("Nothing to say")))
        .route("/panic", get(panics))
        .route(
            "/down",
            get(async || -> Result<Reply<NoData>, ApiError> {
                Err(ApiError::unavailable("table mfh-secret-name is gone"))
            }),
        )
        .route("/me", get(async |_: SignedIn| done("Hello")))
        .route("/manage", get(async |_: May<ManageHelpers>| done("Hello")))
        .route("/key", get(async |_: KeyHolder| done("Hello")))
        .with_state(core());
    finish(router)
}

async fn panics() -> Reply<NoData> {
    panic!("on purpose")
}

async fn send(request: Request<Body>) -> Answer {
    Answer::of(&app(), request).await
}

fn request(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body.into()).unwrap()
}

async fn call(method: Method, path: &str, body: &str) -> Answer {
    send(request(method, path, body.to_owned())).await
}

/// Every error has the same shape; returns its code.
fn error_code(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.body["success"], json!(false));
    assert!(answer.body["error"].is_string());
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert_eq!(answer.body["request_id"], json!(id));
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.headers["content-type"], "application/json");
    answer.body["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn success_has_its_envelope_and_headers() {
    let answer = call(Method::POST, "/notes", r#"{"title":"a","more":1}"#).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(
        answer.body,
        json!({"success": true, "message": "Stored", "data": {"title": "a", "lines": 0}})
    );
    let methods = answer.headers["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("PATCH"));
    let allowed = answer.headers["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("X-API-Key"));

    let answer = call(Method::GET, "/empty", "").await;
    assert_eq!(answer.body, json!({"success": true, "message": "Nothing to say"}));
}

#[tokio::test]
async fn a_wrong_type_names_the_field() {
    let answer = call(Method::POST, "/notes", r#"{"title":"a","lines":[1,"x"]}"#).await;
    assert_eq!(error_code(&answer, StatusCode::BAD_REQUEST), "VALIDATION_FAILED");
    assert_eq!(answer.body["fields"][0]["field"], json!("lines[1]"));
    assert_eq!(answer.body["fields"][0]["message"], json!("expected u32"));
}

#[tokio::test]
async fn broken_and_empty_bodies_are_refused() {
    for body in ["{\"title\":", "", "  ", "[]", "\u{0}", "{\"title\":\"\u{1}\"}"] {
        let answer = call(Method::POST, "/notes", body).await;
        assert_eq!(error_code(&answer, StatusCode::BAD_REQUEST), "BAD_REQUEST", "{body:?}");
    }
    let answer = send(request(Method::POST, "/notes", vec![0xff, 0xfe])).await;
    assert_eq!(error_code(&answer, StatusCode::BAD_REQUEST), "BAD_REQUEST");
}

#[tokio::test]
async fn an_optional_body_may_be_empty_but_not_broken() {
    assert_eq!(call(Method::POST, "/optional", "").await.body["data"], json!(false));
    let full = call(Method::POST, "/optional", r#"{"title":"a"}"#).await;
    assert_eq!(full.body["data"], json!(true));
    let broken = call(Method::POST, "/optional", "{").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn wrong_query_values_name_their_parameter() {
    let answer = call(Method::GET, "/notes?limit=many", "").await;
    assert_eq!(error_code(&answer, StatusCode::BAD_REQUEST), "VALIDATION_FAILED");
    assert_eq!(answer.body["fields"][0]["field"], json!("limit"));
    let answer = call(Method::GET, "/notes?limit=5", "").await;
    assert_eq!(answer.body["data"]["limit"], json!(5));
}

#[tokio::test]
async fn unknown_addresses_and_impossible_ids_are_not_found() {
    for path in ["/nothing", "/", "/helpers/a%20b", "/helpers/account:1"] {
        let answer = call(Method::GET, path, "").await;
        assert_eq!(error_code(&answer, StatusCode::NOT_FOUND), "NOT_FOUND", "{path}");
    }
    let answer = call(Method::GET, "/helpers/helper%3Aabc", "").await;
    assert_eq!(answer.body["data"], json!("helper:abc"));
}

#[tokio::test]
async fn a_wrong_method_says_which_are_right() {
    let answer = call(Method::DELETE, "/notes", "").await;
    assert_eq!(
        error_code(&answer, StatusCode::METHOD_NOT_ALLOWED),
        "METHOD_NOT_ALLOWED"
    );
    let allow = answer.headers["allow"].to_str().unwrap();
    assert!(allow.contains("POST") && allow.contains("GET"), "{allow}");
}

#[tokio::test]
async fn a_slash_at_the_end_is_forgiven() {
    let answer = call(Method::GET, "/notes/?limit=5", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["data"]["limit"], json!(5));
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_unless_the_route_takes_more() {
    let body = json!({"title": "x".repeat(BODY_LIMIT)}).to_string();
    let answer = call(Method::POST, "/notes", &body).await;
    assert_eq!(error_code(&answer, StatusCode::PAYLOAD_TOO_LARGE), "PAYLOAD_TOO_LARGE");
    let answer = call(Method::POST, "/large", &body).await;
    assert_eq!(answer.body["data"], json!(BODY_LIMIT));
}

#[tokio::test]
async fn preflight_is_answered_everywhere_with_an_empty_body() {
    for path in ["/notes", "/nothing"] {
        let answer = call(Method::OPTIONS, path, "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, Value::Null);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
}

#[tokio::test]
async fn a_panic_becomes_an_answer() {
    let answer = call(Method::GET, "/panic", "").await;
    assert_eq!(error_code(&answer, StatusCode::INTERNAL_SERVER_ERROR), "INTERNAL");
    assert!(!answer.body.to_string().contains("on purpose"));
}

#[tokio::test]
async fn a_failing_dependency_says_when_to_come_back_and_nothing_else() {
    let answer = call(Method::GET, "/down", "").await;
    assert_eq!(error_code(&answer, StatusCode::SERVICE_UNAVAILABLE), "UNAVAILABLE");
    assert_eq!(answer.headers["retry-after"], "2");
    assert!(!answer.body.to_string().contains("mfh-secret-name"));
}

#[tokio::test]
async fn a_request_keeps_its_id() {
    let mut sent = request(Method::GET, "/nothing", "");
    sent.headers_mut().insert("x-request-id", "abc-1".parse().unwrap());
    let answer = send(sent).await;
    assert_eq!(answer.headers["x-request-id"], "abc-1");
    let id = RequestId("abc-1".to_owned());
    assert_eq!(answer.body["request_id"], json!(id.to_string()));
}

#[tokio::test]
async fn strangers_are_sent_away() {
    for path in ["/me", "/manage", "/key"] {
        let answer = call(Method::GET, path, "").await;
        assert_eq!(
            error_code(&answer, StatusCode::UNAUTHORIZED),
            "UNAUTHENTICATED",
            "{path}"
        );
    }
    let mut forged = request(Method::GET, "/me", "");
    forged
        .headers_mut()
        .insert("authorization", "Bearer a.b.c".parse().unwrap());
    let answer = send(forged).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

fn through_gateway(path: &str, claims: &Value) -> Request<Body> {
    testing::through_gateway(request(Method::GET, path, ""), claims)
}

#[tokio::test]
async fn an_id_token_that_the_gateway_let_pass_is_refused() {
    let claims = json!({"sub": "sub-1", "token_use": "id"});
    let answer = send(through_gateway("/me", &claims)).await;
    assert_eq!(error_code(&answer, StatusCode::UNAUTHORIZED), "UNAUTHENTICATED");
    assert_eq!(answer.headers["x-request-id"], "gateway-1");
}

#[tokio::test]
async fn the_gateway_knows_the_sender_better_than_the_sender() {
    let mut request = through_gateway("/ip", &json!({}));
    request
        .headers_mut()
        .insert("x-forwarded-for", "198.51.100.1".parse().unwrap());
    assert_eq!(send(request).await.body["data"], json!("203.0.113.9"));

    let mut request = request_from("198.51.100.1, 10.0.0.1");
    assert_eq!(send(request).await.body["data"], json!("198.51.100.1"));
    request = request_from("<script>");
    assert_eq!(send(request).await.body["data"], json!("unknown"));
}

fn request_from(forwarded: &str) -> Request<Body> {
    let mut request = request(Method::GET, "/ip", "");
    request
        .headers_mut()
        .insert("x-forwarded-for", forwarded.parse().unwrap());
    request
}
