//! The auth service against the local user pool and tables, from registration to a forgotten password.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use axum::Router;
use chrono::{DateTime, Duration};
use http::{Method, StatusCode};
use mfh_auth::{AuthState, Limits, UserPool};
use mfh_aws::{Clients, Stage, Tables};
use mfh_database::{Database, schema};
use mfh_http::testing::{self, Answer};
use mfh_http::{Core, FixedKeys, JwtVerifier};
use mfh_local::aws::cognito::{self, DEFAULT_CLIENT_ID, DEFAULT_POOL_ID};
use mfh_local::aws::dynamodb::DynamoDb;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::{Endpoint, Service};
use mfh_types::{ManualClock, SystemRandom, Timestamp, UserId};
use serde_json::{Value, json};
use tempfile::TempDir;

const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "Secret-free1";
const OTHER_PASSWORD: &str = "Another1word";

struct App {
    service: Router,
    core: Arc<Core>,
    pool: Arc<cognito::UserPool>,
    clients: Clients,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl App {
    async fn new() -> Self {
        Self::with_limits(Limits::default()).await
    }

    async fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let pool = cognito::UserPool::open(
            folder.path(),
            clock.clone(),
            Arc::new(SystemRandom),
            "http://pool.local",
            DEFAULT_POOL_ID,
            DEFAULT_CLIENT_ID,
        )
        .unwrap();
        let tables = DynamoDb::open(folder.path().join("tables.db"), "000000000000").unwrap();
        let endpoint = Endpoint::builder("000000000000")
            .with(Service::Cognito, pool.clone())
            .with(Service::DynamoDb, tables)
            .build();
        let clients = Clients::new(sdk_config(endpoint));
        let stage = Stage::new("test");
        schema::create_missing(clients.dynamodb(), &stage).await.unwrap();
        let keys = FixedKeys(serde_json::from_value(pool.jwks()).unwrap());
        let database = Database::new(clients.dynamodb().clone(), Tables::by_convention(&stage));
        let core = Arc::new(Core {
            verifier: JwtVerifier::new(pool.issuer(), DEFAULT_CLIENT_ID, Arc::new(keys), clock.clone()),
            ..testing::core(database, clock.clone())
        });
        let state = AuthState {
            core: core.clone(),
            pool: UserPool::new(clients.cognito().clone(), DEFAULT_POOL_ID, DEFAULT_CLIENT_ID),
            limits,
        };
        Self {
            service: testing::served(mfh_auth::router(state)),
            core,
            pool,
            clients,
            clock,
            _folder: folder,
        }
    }

    async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Value) -> Answer {
        let mut request = testing::request(method, path, body);
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
        }
        Answer::of(&self.service, request).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, None, body).await
    }

    async fn register(&self) -> Value {
        let answer = self.post("/auth/register", newcomer()).await;
        answer.data(200).clone()
    }

    async fn login(&self, password: &str) -> Answer {
        let body = json!({"email": EMAIL, "password": password});
        self.post("/auth/login", body).await
    }

    /// Puts the user back into the state in which an invitation with a temporary password leaves it.
    async fn invite(&self) {
        self.clients
            .cognito()
            .admin_set_user_password()
            .user_pool_id(DEFAULT_POOL_ID)
            .username(EMAIL)
            .password("Temporary1")
            .permanent(false)
            .send()
            .await
            .unwrap();
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, Some(token), Value::Null).await
    }
}

fn newcomer() -> Value {
    json!({
        "email": " Ann@Example.com ", "password": PASSWORD, "name": "Ann",
        "phone_number": "+15551234567", "company": "Ann & Co",
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[tokio::test]
async fn registration_opens_an_account_and_signs_in() {
    let app = App::new().await;
    let session = app.register().await;
    assert_eq!(session["token_type"], json!("Bearer"));
    assert_eq!(session["expires_in"], json!(24 * 3_600));
    assert!(session["refresh_token"].is_string());
    assert_eq!(session["user"]["email"], json!(EMAIL));
    assert_eq!(session["user"]["onboarding_complete"], json!(false));
    assert_eq!(session["account"]["name"], json!("Ann & Co"));
    assert_eq!(session["account"]["settings"]["max_executions"], json!(100));
    assert_eq!(session["account"]["usage"]["monthly_executions"], json!(0));

    let status = app.get("/auth/status", text(&session, "token")).await;
    let status = status.data(200);
    assert_eq!(status["user_id"], session["user"]["user_id"]);
    assert_eq!(status["account_context"]["role"], json!("Owner"));
    assert_eq!(
        status["account_context"]["permissions"]["can_manage_billing"],
        json!(true)
    );
    let available = &status["available_accounts"];
    assert_eq!(available.as_array().unwrap().len(), 1);
    assert_eq!(available[0]["account_name"], json!("Ann & Co"));
    assert_eq!(available[0]["is_current"], json!(true));
    assert_eq!(status["account"]["account_id"], status["current_account_id"]);
    assert_eq!(status["user"]["email"], json!(EMAIL));
}

#[tokio::test]
async fn every_fault_of_a_registration_is_named() {
    let app = App::new().await;
    let body = json!({"email": "ann", "password": "short", "name": " ", "phone_number": "555"});
    let answer = app.post("/auth/register", body).await;
    answer.is_error(400, "VALIDATION_FAILED");
    let faults = answer.body["fields"].as_array().unwrap();
    let fields: Vec<_> = faults.iter().map(|fault| text(fault, "field")).collect();
    assert_eq!(fields, ["email", "password", "name", "phone_number"]);
    assert!(!answer.body.to_string().contains("short"));
}

#[tokio::test]
async fn an_address_registers_once_in_any_case() {
    let app = App::new().await;
    app.register().await;
    let mut again = newcomer();
    again["email"] = json!("ANN@example.com");
    let answer = app.post("/auth/register", again).await;
    answer.is_error(409, "EMAIL_EXISTS");
    app.login(PASSWORD).await.data(200);
}

#[tokio::test]
async fn a_registration_that_broke_off_can_be_repeated() {
    let app = App::new().await;
    app.clients
        .cognito()
        .admin_create_user()
        .user_pool_id(DEFAULT_POOL_ID)
        .username(EMAIL)
        .send()
        .await
        .unwrap();
    app.register().await;
}

#[tokio::test]
async fn a_failed_registration_gives_the_address_free() {
    let app = App::new().await;
    let tables = Tables::by_convention(&app.core.stage);
    let dynamodb = app.clients.dynamodb();
    dynamodb
        .delete_table()
        .table_name(&tables.user_accounts)
        .send()
        .await
        .unwrap();
    let answer = app.post("/auth/register", newcomer()).await;
    answer.is_error(503, "UNAVAILABLE");
    schema::create_missing(dynamodb, &app.core.stage).await.unwrap();
    app.register().await;
}

#[tokio::test]
async fn a_user_without_records_gets_them_at_sign_in() {
    let app = App::new().await;
    let session = app.register().await;
    let tables = Tables::by_convention(&app.core.stage);
    let key = aws_sdk_dynamodb::types::AttributeValue::S(text(&session["user"], "user_id").into());
    app.clients
        .dynamodb()
        .delete_item()
        .table_name(&tables.users)
        .key("user_id", key)
        .send()
        .await
        .unwrap();
    let token = text(&session, "token");
    app.get("/auth/status", token).await.is_error(403, "FORBIDDEN");
    let session = app.login(PASSWORD).await.data(200).clone();
    assert_eq!(session["user"]["name"], json!("Ann"));
    assert_eq!(session["user"]["phone_number"], json!("+15551234567"));
    app.get("/auth/status", token).await.data(200);
}

#[tokio::test]
async fn a_sign_in_is_noted_and_a_wrong_one_says_little() {
    let app = App::new().await;
    app.register().await;
    let session = app.login(PASSWORD).await.data(200).clone();
    assert_eq!(session["user"]["last_login_at"], json!("2027-01-15T08:00:00Z"));
    let wrong = app.login("Wrong-one1").await;
    wrong.is_error(401, "INVALID_CREDENTIALS");
    let unknown = json!({"email": "bob@example.com", "password": PASSWORD});
    let unknown = app.post("/auth/login", unknown).await;
    unknown.is_error(401, "INVALID_CREDENTIALS");
    assert_eq!(wrong.body["error"], unknown.body["error"]);
}

#[tokio::test]
async fn a_session_is_refreshed_until_it_is_signed_out() {
    let app = App::new().await;
    let session = app.register().await;
    let refresh = json!({"refresh_token": session["refresh_token"]});
    let fresh = app.post("/auth/refresh", refresh.clone()).await;
    let token = text(fresh.data(200), "token").to_owned();
    app.get("/auth/status", &token).await.data(200);

    let out = async || app.call(Method::POST, "/auth/logout", Some(&token), Value::Null).await;
    assert_eq!(out().await.data(200)["user_id"], session["user"]["user_id"]);
    out().await.data(200);
    let over = app.post("/auth/refresh", refresh).await;
    over.is_error(401, "INVALID_CREDENTIALS");
    let forged = json!({"refresh_token": "nothing"});
    let forged = app.post("/auth/refresh", forged).await;
    assert_eq!(forged.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_ends_after_a_day() {
    let app = App::new().await;
    let session = app.register().await;
    app.clock.advance(Duration::hours(25));
    let answer = app.get("/auth/status", text(&session, "token")).await;
    answer.is_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_changed_password_ends_other_sessions() {
    let app = App::new().await;
    let session = app.register().await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        let token = Some(text(&session, "token"));
        app.call(Method::PUT, "/auth/password", token, body).await
    };
    change("Wrong-one1", OTHER_PASSWORD)
        .await
        .is_error(401, "INVALID_CREDENTIALS");
    change(PASSWORD, PASSWORD).await.is_error(400, "VALIDATION_FAILED");
    change(PASSWORD, "weak").await.is_error(400, "VALIDATION_FAILED");

    let changed = change(PASSWORD, OTHER_PASSWORD).await;
    let kept = json!({"refresh_token": changed.data(200)["refresh_token"]});
    app.post("/auth/refresh", kept).await.data(200);
    let old = json!({"refresh_token": session["refresh_token"]});
    assert_eq!(app.post("/auth/refresh", old).await.status, StatusCode::UNAUTHORIZED);
    app.login(PASSWORD).await.is_error(401, "INVALID_CREDENTIALS");
    app.login(OTHER_PASSWORD).await.data(200);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_its_code() {
    let app = App::new().await;
    let session = app.register().await;
    let known = app.post("/auth/forgot-password", json!({"email": EMAIL})).await;
    let unknown = json!({"email": "bob@example.com"});
    let unknown = app.post("/auth/forgot-password", unknown).await;
    assert_eq!(known.status, StatusCode::OK);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));

    let code = app.pool.last_code(EMAIL).unwrap();
    let reset = async |email: &str, code: &str| {
        let body = json!({"email": email, "code": code, "new_password": OTHER_PASSWORD});
        app.post("/auth/reset-password", body).await
    };
    let wrong = reset(EMAIL, "nothing").await;
    wrong.is_error(400, "VALIDATION_FAILED");
    let unknown = reset("bob@example.com", "123456").await;
    assert_eq!(unknown.body["error"], wrong.body["error"]);
    assert_eq!(reset("ANN@example.com", code.expose()).await.status, StatusCode::OK);

    let old = json!({"refresh_token": session["refresh_token"]});
    assert_eq!(app.post("/auth/refresh", old).await.status, StatusCode::UNAUTHORIZED);
    app.login(OTHER_PASSWORD).await.data(200);
}

#[tokio::test]
async fn an_invited_user_chooses_a_password_at_the_first_sign_in() {
    let app = App::new().await;
    app.register().await;
    app.invite().await;
    let first = app.login("Temporary1").await;
    first.is_error(409, "NEW_PASSWORD_REQUIRED");
    let session = first.body["data"]["session"].clone();
    let answer = async |session: &Value| {
        let body = json!({"email": EMAIL, "session": session, "new_password": OTHER_PASSWORD});
        app.post("/auth/new-password", body).await
    };
    answer(&json!("forged")).await.is_error(401, "INVALID_CREDENTIALS");
    assert_eq!(answer(&session).await.data(200)["user"]["email"], json!(EMAIL));
    app.login(OTHER_PASSWORD).await.data(200);

    let code = json!({"email": EMAIL, "session": session, "code": "123456"});
    let answer = app.post("/auth/mfa", code).await;
    answer.is_error(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn an_invited_user_may_also_ask_for_a_code() {
    let app = App::new().await;
    app.register().await;
    app.invite().await;
    app.post("/auth/forgot-password", json!({"email": EMAIL})).await;
    let code = app.pool.last_code(EMAIL).unwrap();
    let body = json!({"email": EMAIL, "code": code.expose(), "new_password": OTHER_PASSWORD});
    assert_eq!(app.post("/auth/reset-password", body).await.status, StatusCode::OK);
    app.login(OTHER_PASSWORD).await.data(200);
}

#[tokio::test]
async fn a_profile_changes_field_by_field() {
    let app = App::new().await;
    let session = app.register().await;
    let put = async |body: Value| {
        let token = Some(text(&session, "token"));
        app.call(Method::PUT, "/auth/profile", token, body).await
    };
    put(json!({"name": "", "email": ""})).await.is_error(400, "BAD_REQUEST");
    put(json!({"email": "nobody"})).await.is_error(400, "VALIDATION_FAILED");

    let saved = put(json!({"name": "Ann B", "email": "ANN@example.com"})).await;
    assert_eq!(saved.data(200)["name"], json!("Ann B"));
    assert_eq!(saved.data(200)["email"], json!(EMAIL));
    assert!(saved.data(200).get("pending_email").is_none());
    assert_eq!(saved.data(200)["company"], json!("Ann & Co"));

    let saved = put(json!({"company": null, "email": "new@example.com"})).await;
    assert!(saved.data(200).get("company").is_none());
    assert_eq!(saved.data(200)["email"], json!(EMAIL));
    assert_eq!(saved.data(200)["pending_email"], json!("new@example.com"));

    let mut bob = newcomer();
    bob["email"] = json!("bob@example.com");
    app.post("/auth/register", bob).await.data(200);
    put(json!({"email": "bob@example.com"}))
        .await
        .is_error(409, "EMAIL_EXISTS");
}

#[tokio::test]
async fn the_first_steps_are_done_by_patch_and_by_post() {
    let app = App::new().await;
    for method in [Method::PATCH, Method::POST] {
        let mut person = newcomer();
        person["email"] = json!(format!("{method}@example.com"));
        let session = app.post("/auth/register", person).await.data(200).clone();
        let token = text(&session, "token");
        let path = "/auth/onboarding-complete";
        let done = app.call(method, path, Some(token), Value::Null).await;
        assert_eq!(done.data(200)["onboarding_complete"], json!(true));
        let status = app.get("/auth/status", token).await;
        assert_eq!(status.data(200)["onboarding_complete"], json!(true));
    }
}

/// Overwrites one text attribute of one row.
async fn overwrite(app: &App, table: &str, key: &[(&str, &str)], name: &str, value: &str) {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let mut update = app
        .clients
        .dynamodb()
        .update_item()
        .table_name(table)
        .update_expression("SET #name = :value")
        .expression_attribute_names("#name", name)
        .expression_attribute_values(":value", S(value.to_owned()));
    for (name, value) in key {
        update = update.key(*name, S((*value).to_owned()));
    }
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_dangling_account_is_repaired() {
    let app = App::new().await;
    let session = app.register().await;
    let user_id = UserId::parse(text(&session["user"], "user_id")).unwrap();
    let tables = Tables::by_convention(&app.core.stage);
    let key = [("user_id", user_id.as_str())];
    overwrite(&app, &tables.users, &key, "current_account_id", "account:gone").await;
    let status = app.get("/auth/status", text(&session, "token")).await;
    let account = &session["account"]["account_id"];
    assert_eq!(&status.data(200)["current_account_id"], account);
    let stored = app.core.database.users().get(&user_id).await.unwrap();
    let stored = stored.unwrap().current_account_id.unwrap();
    assert_eq!(&json!(stored), account);
}

#[tokio::test]
async fn a_user_without_an_account_can_only_look_sign_out_and_change_the_password() {
    let app = App::new().await;
    let session = app.register().await;
    let tables = Tables::by_convention(&app.core.stage);
    let key = [
        ("user_id", text(&session["user"], "user_id")),
        ("account_id", text(&session["account"], "account_id")),
    ];
    overwrite(&app, &tables.user_accounts, &key, "status", "suspended").await;
    let token = text(&session, "token");
    let status = app.get("/auth/status", token).await;
    assert_eq!(status.data(200)["account"], Value::Null);
    assert_eq!(status.data(200)["available_accounts"], json!([]));
    let body = json!({"name": "Ann B"});
    let profile = app.call(Method::PUT, "/auth/profile", Some(token), body).await;
    profile.is_error(403, "NO_ACCOUNT");
    let body = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    let password = app.call(Method::PUT, "/auth/password", Some(token), body).await;
    password.data(200);
    let session = app.login(OTHER_PASSWORD).await.data(200).clone();
    assert_eq!(session["account"], Value::Null);
}

#[tokio::test]
async fn locked_users_and_accounts_are_refused() {
    let app = App::new().await;
    let session = app.register().await;
    let tables = Tables::by_convention(&app.core.stage);
    let token = text(&session, "token");
    let key = [("account_id", text(&session["account"], "account_id"))];
    overwrite(&app, &tables.accounts, &key, "status", "suspended").await;
    app.get("/auth/status", token).await.data(200);
    let path = "/auth/onboarding-complete";
    let answer = app.call(Method::POST, path, Some(token), Value::Null).await;
    answer.is_error(403, "FORBIDDEN");

    let key = [("user_id", text(&session["user"], "user_id"))];
    overwrite(&app, &tables.users, &key, "status", "disabled").await;
    app.get("/auth/status", token).await.is_error(403, "FORBIDDEN");
    app.login(PASSWORD).await.is_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn an_unreachable_table_is_no_verdict() {
    let app = App::new().await;
    let session = app.register().await;
    let tables = Tables::by_convention(&app.core.stage);
    app.clients
        .dynamodb()
        .delete_table()
        .table_name(&tables.users)
        .send()
        .await
        .unwrap();
    let answer = app.get("/auth/status", text(&session, "token")).await;
    answer.is_error(503, "UNAVAILABLE");
    assert_eq!(answer.headers["retry-after"], "2");
    assert!(!answer.body.to_string().contains(&tables.users));
}

#[tokio::test]
async fn strangers_are_slowed_down_until_the_window_ends() {
    let mut limits = Limits::default();
    limits.login.count = 2;
    let app = App::with_limits(limits).await;
    app.register().await;
    for _ in 0..2 {
        app.login("Wrong-one1").await.is_error(401, "INVALID_CREDENTIALS");
    }
    let slowed = app.login(PASSWORD).await;
    slowed.is_error(429, "RATE_LIMITED");
    let wait = slowed.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait));
    app.clock.advance(Duration::seconds(wait));
    app.login(PASSWORD).await.data(200);
}

#[tokio::test]
async fn what_the_description_says_about_access_is_true() {
    let app = App::new().await;
    let state = AuthState {
        core: app.core.clone(),
        pool: UserPool::new(app.clients.cognito().clone(), DEFAULT_POOL_ID, DEFAULT_CLIENT_ID),
        limits: Limits::default(),
    };
    let description = testing::description(mfh_auth::router(state));
    let mut signed_in = 0;
    for (method, path, operation) in testing::operations(&description) {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = app.call(method, path, None, json!({})).await;
        let needs_token = operation["security"][0].get("bearer").is_some();
        let was_refused = answer.body["code"] == json!("UNAUTHENTICATED");
        assert_eq!(needs_token, was_refused, "{path}: {}", answer.body);
        signed_in += usize::from(needs_token);
    }
    assert_eq!(signed_in, 6);
}

#[tokio::test]
async fn health_needs_nobody() {
    let app = App::new().await;
    let answer = app.call(Method::GET, "/auth/health", None, Value::Null).await;
    assert_eq!(answer.data(200)["service"], json!("mfh-auth"));
    assert_eq!(answer.data(200)["stage"], json!("test"));
    assert_eq!(answer.data(200)["timestamp"], json!(Timestamp::now(&*app.clock)));
}
