//! After a whole day's use no secret lies anywhere but where it must: tables, queues, files, log and answers are read.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use serde_json::{Value, json};
use support::{Raw, World};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

const PASSWORD: &str = "Recognisable-Passw0rd-Xyzzy";
const NEW_PASSWORD: &str = "Recognisable-Passw0rd-Plugh";
const WRONG_PASSWORD: &str = "Recognisable-Passw0rd-Wrong";
const WRONG_TOKEN: &str = "KeapAK-recognisable-but-refused-0123456789";

/// Files that are private by design: keys, the demo's own key, and the simulated vendor's own store.
const PRIVATE: [&str; 4] = ["cognito/tokens.key", "kms/kms.key", "demo.json", "keap"];

/// What must not be found, each under the name that a failure reports.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, name: &str, text: &str) {
        assert!(text.len() >= 8, "{name} is too short to look for");
        self.0.push((name.to_owned(), text.to_owned()));
    }

    fn check(&self, place: &str, bytes: &[u8]) {
        self.check_but(place, bytes, &[]);
    }

    /// Fails when a secret, plain or in a usual encoding, is in these bytes; those listed may be.
    fn check_but(&self, place: &str, bytes: &[u8], allowed: &[&str]) {
        for (name, text) in self.0.iter().filter(|(name, _)| !allowed.contains(&name.as_str())) {
            for (encoding, needle) in spellings(text) {
                assert!(!contains(bytes, needle.as_bytes()), "{place} holds {name} ({encoding})");
            }
        }
    }
}

/// A text as it may be written down; base64 begins at any of three bits.
fn spellings(text: &str) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("plain", text.to_owned()),
        ("hex", hex::encode(text)),
        ("hex", hex::encode_upper(text)),
    ];
    for shift in 0..3 {
        let shifted = [&b"\0\0"[..shift], text.as_bytes()].concat();
        for engine in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            all.push(("base64", encoded[4..encoded.len() - 4].to_owned()));
        }
    }
    all
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window[0] == needle[0] && window == needle)
}

/// The log, as a file would have it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A client that keeps every answer, with the secrets it was meant to show.
struct Recorder<'a> {
    world: &'a World,
    token: String,
    answers: Vec<(String, Raw, Vec<&'static str>)>,
}

impl Recorder<'_> {
    async fn call(&mut self, method: &str, path: &str, body: Value) -> Value {
        self.call_for(method, path, body, &[]).await
    }

    /// A call whose answer shows these secrets, this once.
    async fn call_for(&mut self, method: &str, path: &str, body: Value, shows: &[&'static str]) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let bearer = [("authorization", format!("Bearer {}", self.token))];
        let headers = if self.token.is_empty() { &[][..] } else { &bearer[..] };
        self.send(method, path, headers, body, shows).await
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: String,
        shows: &[&'static str],
    ) -> Value {
        let answer = self.world.raw(method, path, headers, body).await;
        let json = answer.json();
        self.answers.push((format!("{method} {path}"), answer, shows.to_vec()));
        json
    }

    async fn ended(&mut self, accepted: &Value) -> Value {
        let id = accepted["data"]["execution_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{accepted}"));
        let path = format!("/executions/{id}");
        let world = self.world;
        world
            .until_changed(async || {
                let answer = self.call("GET", &path, Value::Null).await;
                let has_ended = matches!(answer["data"]["status"].as_str(), Some("completed" | "failed"));
                if has_ended {
                    Ok(answer["data"].clone())
                } else {
                    Err(answer)
                }
            })
            .await
    }
}

fn text(answer: &Value, pointer: &str) -> String {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no {pointer} in {answer}")).to_owned()
}

/// Registers, signs in and out, changes the password, and gets most of it wrong once.
async fn sign_in(client: &mut Recorder<'_>, secrets: &mut Secrets) {
    secrets.add("password", PASSWORD);
    secrets.add("new password", NEW_PASSWORD);
    secrets.add("wrong password", WRONG_PASSWORD);
    let user = |password: Value| json!({ "email": "grace@example.com", "password": password, "name": "Grace" });
    let session = ["access token", "refresh token"];
    client.call("POST", "/auth/register", user(json!([PASSWORD]))).await;
    let broken = format!("{{\"email\":\"grace@example.com\",\"password\":\"{PASSWORD}\"");
    client.send("POST", "/auth/register", &[], broken, &[]).await;
    let answer = client
        .call_for("POST", "/auth/register", user(json!(PASSWORD)), &session)
        .await;
    keep_session(&answer, secrets);
    client.call("POST", "/auth/register", user(json!(PASSWORD))).await;
    client.call("POST", "/auth/login", user(json!(WRONG_PASSWORD))).await;
    client
        .call("POST", "/auth/login", user(json!({ "is": PASSWORD })))
        .await;
    let answer = client
        .call_for("POST", "/auth/login", user(json!(PASSWORD)), &session)
        .await;
    keep_session(&answer, secrets);
    let refresh = text(&answer, "/data/refresh_token");
    client
        .call("POST", "/auth/refresh", json!({ "refresh_token": [refresh] }))
        .await;
    let answer = client
        .call_for("POST", "/auth/refresh", json!({ "refresh_token": refresh }), &session)
        .await;
    keep_session(&answer, secrets);
    client.token = text(&answer, "/data/token");
    client.call("GET", "/auth/status", Value::Null).await;
    let change = |current: &str| json!({ "current_password": current, "new_password": NEW_PASSWORD });
    client.call("PUT", "/auth/password", change(WRONG_PASSWORD)).await;
    let answer = client
        .call_for("PUT", "/auth/password", change(PASSWORD), &session)
        .await;
    keep_session(&answer, secrets);
    client.token = text(&answer, "/data/token");
}

fn keep_session(answer: &Value, secrets: &mut Secrets) {
    secrets.add("access token", &text(answer, "/data/token"));
    if let Some(token) = answer["data"]["refresh_token"].as_str() {
        secrets.add("refresh token", token);
    }
}

/// Connects the CRM, with credentials that are refused first, and tests and changes the connection; its id.
async fn connect(client: &mut Recorder<'_>, secrets: &mut Secrets) -> String {
    secrets.add("personal access token", PERSONAL_ACCESS_TOKEN);
    secrets.add("refused personal access token", WRONG_TOKEN);
    let path = "/platforms/keap/connections";
    let connection = |name: &str, key: Value| json!({ "name": name, "credentials": { "api_key": key } });
    let refused = client.call("POST", path, connection("Keap", json!(WRONG_TOKEN))).await;
    assert_eq!(refused["success"], false, "{refused}");
    client
        .call("POST", path, connection("Keap", json!([PERSONAL_ACCESS_TOKEN])))
        .await;
    let misnamed = json!({ "name": "Keap", "credentials": { PERSONAL_ACCESS_TOKEN: PERSONAL_ACCESS_TOKEN } });
    client.call("POST", path, misnamed).await;
    let skipped = client
        .call(
            "POST",
            &format!("{path}?skip_test=true"),
            connection("Other", json!(WRONG_TOKEN)),
        )
        .await;
    let other = text(&skipped, "/data/connection_id");
    client.call("POST", &format!("{path}/{other}/test"), Value::Null).await;
    client.call("GET", &format!("{path}/{other}/tags"), Value::Null).await;
    client
        .call(
            "PUT",
            &format!("{path}/{other}"),
            connection("Other", json!(WRONG_TOKEN)),
        )
        .await;

    let made = client
        .call("POST", path, connection("Keap", json!(PERSONAL_ACCESS_TOKEN)))
        .await;
    let id = text(&made, "/data/connection_id");
    client.call("POST", &format!("{path}/{id}/test"), Value::Null).await;
    for what in ["", "/fields", "/tags"] {
        client.call("GET", &format!("{path}/{id}{what}"), Value::Null).await;
    }
    client.call("GET", "/platform-connections", Value::Null).await;
    client
        .call(
            "PUT",
            &format!("{path}/{id}"),
            connection("Keap 2", json!(PERSONAL_ACCESS_TOKEN)),
        )
        .await;
    client.call("DELETE", &format!("{path}/{other}"), Value::Null).await;
    id
}

/// Runs helpers by every route; some runs fail, one of them because the vendor's answer repeats what it was sent.
async fn run(client: &mut Recorder<'_>, secrets: &mut Secrets, connection: &str) {
    let created = client
        .call_for("POST", "/api-keys", json!({ "name": "Campaign" }), &["API key"])
        .await;
    let key = text(&created, "/data/api_key");
    secrets.add("API key", &key);
    client.call("GET", "/api-keys", Value::Null).await;
    let helper = json!({
        "name": "Recognisable helper", "helper_type": "tag_it", "connection_id": connection,
        "config": { "action": "apply", "tag_ids": ["101"] },
    });
    let helper = client.call("POST", "/helpers", helper).await["data"].clone();
    let (id, short) = (text(&helper, "/helper_id"), text(&helper, "/short_key"));
    let body = |contact: u32| json!({ "contact_id": contact, "input": { "note": "recognisable input" } });

    let mut accepted = vec![client.call("POST", &format!("/helpers/{id}/execute"), body(1011)).await];
    let header = [("x-api-key", key.clone()), ("idempotency-key", "order-17".to_owned())];
    for _ in 0..2 {
        let by_header = format!("/helper/{short}/execute?source=campaign");
        accepted.push(
            client
                .send("POST", &by_header, &header, body(1012).to_string(), &[])
                .await,
        );
    }
    let by_path = format!("/helper/{key}/{short}");
    accepted.push(client.send("POST", &by_path, &[], body(1013).to_string(), &[]).await);
    let form = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    accepted.push(
        client
            .send("POST", &by_path, &form, "Id=1014&Email=a%40example.com".to_owned(), &[])
            .await,
    );
    accepted.push(
        client
            .send("GET", &format!("{by_path}?contact_id=1015"), &[], String::new(), &[])
            .await,
    );
    client
        .send(
            "POST",
            &format!("/helper/{key}/nothing"),
            &[],
            body(1016).to_string(),
            &[],
        )
        .await;
    client
        .send(
            "POST",
            &format!("/helper/{key}/{short}/more"),
            &[],
            body(1016).to_string(),
            &[],
        )
        .await;
    client.send("DELETE", &by_path, &[], String::new(), &[]).await;
    for execution in &accepted {
        let ended = client.ended(execution).await;
        assert_eq!(ended["status"], "completed", "{ended}");
    }

    let body_of = |message: String| json!({ "message": message, "status": "UNAUTHENTICATED" });
    for message in [
        "token expired".to_owned(),
        format!("the token {PERSONAL_ACCESS_TOKEN} is not known"),
        format!("refused: Authorization: Bearer {PERSONAL_ACCESS_TOKEN}"),
    ] {
        for status in [400, 401] {
            let fault = Fault::Status {
                status,
                retry_after: None,
                body: Some(body_of(message.clone())),
            };
            client.world.platform.keap.faults().add(FaultRule::new(fault).always());
            let accepted = client.call("POST", &format!("/helpers/{id}/execute"), body(1017)).await;
            assert_eq!(client.ended(&accepted).await["status"], "failed");
            client
                .call(
                    "POST",
                    &format!("/platforms/keap/connections/{connection}/test"),
                    Value::Null,
                )
                .await;
            client
                .call(
                    "GET",
                    &format!("/platforms/keap/connections/{connection}/tags?refresh=true"),
                    Value::Null,
                )
                .await;
            client.world.platform.keap.faults().clear();
            // A refused token marks the connection; it works again once it is tested.
            client
                .call(
                    "POST",
                    &format!("/platforms/keap/connections/{connection}/test"),
                    Value::Null,
                )
                .await;
        }
    }
    for path in [
        "/executions",
        "/executions/stats",
        "/helpers",
        "/platforms/keap",
        "/auth/status",
        "/openapi.json",
        "/docs",
    ] {
        client.call("GET", path, Value::Null).await;
    }
    client.call("GET", &format!("/helpers/{id}"), Value::Null).await;
    client.call("GET", "/_sim/keap/_log", Value::Null).await;
    let keys = client.call("GET", "/api-keys", Value::Null).await;
    let key_id = text(&keys, "/data/0/key_id");
    client.call("DELETE", &format!("/api-keys/{key_id}"), Value::Null).await;
    client
        .send(
            "POST",
            &format!("/helper/{short}/execute"),
            &header,
            body(1018).to_string(),
            &[],
        )
        .await;
    client.call("POST", "/auth/logout", Value::Null).await;
}

/// The bytes of an attribute and of all within it.
fn bytes_of(value: &AttributeValue, all: &mut Vec<u8>) {
    match value {
        AttributeValue::B(bytes) => all.extend_from_slice(bytes.as_ref()),
        AttributeValue::Bs(list) => list.iter().for_each(|bytes| all.extend_from_slice(bytes.as_ref())),
        AttributeValue::L(list) => list.iter().for_each(|value| bytes_of(value, all)),
        AttributeValue::M(map) => map.iter().for_each(|(name, value)| {
            all.extend_from_slice(name.as_bytes());
            bytes_of(value, all);
        }),
        AttributeValue::S(text) | AttributeValue::N(text) => all.extend_from_slice(text.as_bytes()),
        AttributeValue::Ss(list) | AttributeValue::Ns(list) => {
            list.iter().for_each(|text| all.extend_from_slice(text.as_bytes()));
        }
        _ => {}
    }
    all.push(b'\n');
}

async fn items(world: &World, table: &str) -> Vec<HashMap<String, AttributeValue>> {
    let client = world.platform.cloud.clients.dynamodb();
    let pages = client.scan().table_name(table).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.unwrap()
}

/// Reads all tables; how many items there are.
async fn check_tables(world: &World, secrets: &Secrets) -> usize {
    let tables = world
        .platform
        .cloud
        .clients
        .dynamodb()
        .list_tables()
        .send()
        .await
        .unwrap();
    let mut count = 0;
    for table in tables.table_names() {
        for item in items(world, table).await {
            for (name, value) in &item {
                let mut bytes = name.as_bytes().to_vec();
                bytes_of(value, &mut bytes);
                secrets.check(&format!("attribute {name} of a record in {table}"), &bytes);
            }
            count += 1;
        }
    }
    count
}

/// Receives whatever lies in the queues, dead letters included; how many queues there are.
async fn check_queues(world: &World, secrets: &Secrets) -> usize {
    let sqs = world.platform.cloud.clients.sqs();
    let queues = sqs.list_queues().send().await.unwrap();
    for url in queues.queue_urls() {
        let answer = sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .visibility_timeout(0)
            .send()
            .await
            .unwrap();
        for message in answer.messages() {
            secrets.check(
                &format!("a message in {url}"),
                message.body().unwrap_or_default().as_bytes(),
            );
        }
    }
    queues.queue_urls().len()
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all)
        } else {
            all.push(path)
        }
    }
}

/// Reads every file that is not private; the name and bytes of each.
fn check_files(folder: &Path, secrets: &Secrets) -> Vec<(String, Vec<u8>)> {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    let mut read = Vec::new();
    for path in paths {
        let name = path.strip_prefix(folder).unwrap().to_owned();
        if PRIVATE.iter().any(|private| name.starts_with(private)) {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        secrets.check(&format!("the file {}", name.display()), &bytes);
        read.push((name.display().to_string(), bytes));
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_left_in_tables_queues_files_log_or_answers() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info,mfh=debug"))
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let world = World::start().await;
    let mut secrets = Secrets::default();
    let mut client = Recorder {
        world: &world,
        token: String::new(),
        answers: Vec::new(),
    };
    sign_in(&mut client, &mut secrets).await;
    let status = client.call("GET", "/auth/status", Value::Null).await;
    mfh_local::demo::upgrade(&world.platform, &text(&status, "/data/current_account_id"))
        .await
        .unwrap();
    let connection = connect(&mut client, &mut secrets).await;
    run(&mut client, &mut secrets, &connection).await;
    let demo = mfh_local::demo::ensure(&world.platform, &world.folder.path().join("demo.json"))
        .await
        .unwrap();
    secrets.add("API key of the demo", &demo.api_key);

    for (call, answer, shows) in &client.answers {
        // Paths are the caller's own; what is checked is what came back.
        let all = format!("{}\n{}", answer.headers, answer.text);
        secrets.check_but(
            &format!("the answer of {}", call.split('?').next().unwrap_or(call)),
            all.as_bytes(),
            shows,
        );
    }
    assert!(check_tables(&world, &secrets).await > 20);
    assert!(check_queues(&world, &secrets).await >= 12);
    let written = check_files(world.folder.path(), &secrets);
    let log = log.0.lock().unwrap().clone();
    secrets.check("the log", &log);

    // The search looks where things are: what may be seen is found.
    let is_in = |needle: &str, prefix: &str| {
        written
            .iter()
            .any(|(name, bytes)| name.starts_with(prefix) && contains(bytes, needle.as_bytes()))
    };
    assert!(is_in("Recognisable helper", "dynamodb.db"));
    assert!(is_in("exec:", "sqs.db"));
    assert!(is_in("grace@example.com", "cognito/users.json"));
    assert!(contains(&log, b"answered"));
    assert!(contains(&log, b"/helper/{api_key}/{identifier}"));
}
