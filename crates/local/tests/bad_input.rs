//! Whatever is sent, the answer is one of ours: never a 5xx, never a body without an envelope.
//!
//! The routes and their schemas come from the API's description, so that a new one is covered.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use support::belongings::{Belongings, PathValue};
use support::description::{Description, Operation, type_of};
use support::{Raw, Tenant, World};

/// Routes that need no body: an empty one says nothing.
const BODY_IS_OPTIONAL: [&str; 4] = [
    "POST /helpers/{helper_id}/execute",
    "POST /helper/{identifier}/execute",
    "POST /helper/{api_key}/{identifier}",
    "POST /platforms/{platform_id}/oauth/start",
];

/// Texts that no parameter expects, as they stand in an address.
fn nonsense() -> Vec<String> {
    let mut all: Vec<String> = [
        "%00",
        "%FF%FE",
        "%F0%9F%A6%80",
        "%2E%2E%2F%2E%2E",
        "%0D%0AX-Evil:1",
        "%22%7B%5B",
        "-1",
        "1e999",
        "99999999999999999999",
        "null",
        "%20",
        "a%20b",
        "%27%20OR%201%3D1",
        "helper%3A",
        "connection%3A%00",
        "abc",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend([100, 200, 3000].map(|length| "x".repeat(length)));
    all.push(format!("helper%3A{}", "x".repeat(3000)));
    all.push("%C3%BC".repeat(1500));
    all
}

/// A caller whose requests pass every check but the one that is tried.
struct Caller<'a> {
    world: &'a World,
    mine: Belongings,
    token: String,
    sender: AtomicU32,
}

impl<'a> Caller<'a> {
    async fn of(world: &'a World) -> Self {
        let tenant: Tenant<'_> = world.tenant("ada").await;
        let mine = Belongings::of(&tenant).await;
        Self {
            world,
            mine,
            token: tenant.token.clone(),
            sender: AtomicU32::new(0),
        }
    }

    async fn send(
        &self,
        operation: &Operation<'_>,
        path: &str,
        extra: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Raw {
        let mut headers = self.mine.headers(operation, &self.token);
        headers.push(("content-type", "application/json".to_owned()));
        // Each from elsewhere, so that no limit of calls hides what is tried.
        let sender = self.sender.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        headers.push((
            "x-forwarded-for",
            format!("10.{}.{}.{}", sender[1], sender[2], sender[3]),
        ));
        headers.extend(extra.iter().cloned());
        self.world.raw(&operation.method, path, &headers, body).await
    }

    /// The text of the body that an operation wants.
    fn body_of(&self, operation: &Operation<'_>) -> String {
        let body = self.mine.body(operation);
        if body.is_null() {
            String::new()
        } else {
            body.to_string()
        }
    }

    async fn send_body(&self, operation: &Operation<'_>, body: impl Into<Vec<u8>>) -> Raw {
        self.send(operation, &self.mine.path(operation), &[], body.into()).await
    }
}

/// The answer is in our envelope, whichever it is.
fn is_ours(what: &str, answer: &Raw) -> Value {
    let body = answer.json();
    assert!(answer.status < 500, "{what}: {answer:?}");
    if matches!(answer.status, 204 | 304) {
        assert!(answer.text.is_empty(), "{what}: {answer:?}");
        return body;
    }
    if answer.status == 302 {
        // The one answer for browsers: back to a page of the web app.
        assert!(
            answer
                .headers
                .contains("\"location\": \"http://localhost:3001/connections?oauth=error"),
            "{what}: {answer:?}"
        );
        return body;
    }
    let succeeded = answer.status < 300;
    assert_eq!(body["success"], succeeded, "{what}: {answer:?}");
    if !succeeded {
        for name in ["error", "code", "request_id"] {
            assert!(
                body[name].as_str().is_some_and(|text| !text.is_empty()),
                "{what}, {name}: {answer:?}"
            );
        }
    }
    body
}

/// The request is refused in our envelope; not for want of proof, which would hide what is tried.
fn is_refused(what: &str, answer: &Raw) -> Value {
    let body = is_ours(what, answer);
    assert!((400..500).contains(&answer.status), "{what} was taken: {answer:?}");
    assert!(!matches!(answer.status, 401 | 403 | 429), "{what}: {answer:?}");
    body
}

/// The refusal names this field or something in it.
fn names(what: &str, refusal: &Value, field: &str) {
    let faults = refusal["fields"].as_array().cloned().unwrap_or_default();
    let is_named = faults.iter().filter_map(|fault| fault["field"].as_str()).any(|named| {
        named
            .strip_prefix(field)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    });
    assert!(is_named, "{what}: {field} is not named: {refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_object_is_refused() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let caller = Caller::of(&world).await;
    let deep = format!("{{\"x\":{}", "[".repeat(50_000));
    let bodies: [&[u8]; 14] = [
        b"{",
        b"{\"a\":",
        b"{\"a\" 1}",
        b"{'a':1}",
        b"{} {}",
        b"\xff\xfe\x00",
        b"nul",
        b"<xml/>",
        b"[]",
        b"[{}]",
        b"\"x\"",
        b"17",
        b"null",
        deep.as_bytes(),
    ];
    let mut tried = 0;
    for operation in description
        .operations()
        .iter()
        .filter(|operation| operation.body().is_some())
    {
        for body in bodies {
            let what = format!(
                "{} with {}",
                operation.name(),
                String::from_utf8_lossy(&body[..body.len().min(20)])
            );
            is_refused(&what, &caller.send_body(operation, body).await);
            tried += 1;
        }
        let what = format!("{} without a body", operation.name());
        let answer = caller.send_body(operation, "").await;
        if BODY_IS_OPTIONAL.contains(&operation.name().as_str()) {
            is_ours(&what, &answer);
        } else {
            is_refused(&what, &answer);
        }
    }
    assert!(tried >= 10 * bodies.len(), "only {tried} bodies were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let caller = Caller::of(&world).await;
    for operation in description
        .operations()
        .iter()
        .filter(|operation| operation.body().is_some())
    {
        let body = json!({ "x": "a".repeat(300 * 1024) }).to_string();
        let answer = caller.send_body(operation, body).await;
        let refusal = is_refused(&operation.name(), &answer);
        assert_eq!(
            (answer.status, &refusal["code"]),
            (413, &json!("PAYLOAD_TOO_LARGE")),
            "{}",
            operation.name()
        );
    }
}

/// Values that a property of this schema cannot have.
fn wrong_values(schema: &Value) -> Vec<Value> {
    let (object, list) = (json!({ "wrong": true }), json!([{ "wrong": true }]));
    let mut wrong = match type_of(schema) {
        "string" => vec![json!(true), object, list],
        "boolean" => vec![json!("perhaps"), object, list],
        "integer" | "number" => vec![json!("many"), json!(true), object, list],
        "array" => vec![json!("x"), json!(17), object, json!([[[]]])],
        "object" => vec![json!("x"), json!(17), json!(true), list],
        _ => vec![],
    };
    if schema["enum"].is_array() {
        wrong.push(json!("no-such-value"));
    }
    if schema["format"] == "date-time" {
        wrong.push(json!("yesterday"));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_of_the_wrong_type_is_named() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let caller = Caller::of(&world).await;
    let mut tried = 0;
    for operation in description.operations() {
        for (name, schema) in operation.body_properties() {
            for wrong in wrong_values(&schema) {
                let mut body = caller.mine.body(&operation);
                body[&name] = wrong.clone();
                let what = format!("{} with {name} = {wrong}", operation.name());
                let answer = caller.send_body(&operation, body.to_string()).await;
                names(&what, &is_refused(&what, &answer), &name);
                assert_eq!(answer.status, 400, "{what}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 100, "only {tried} values were tried");
}

/// What a table or CRM may not be able to hold, though JSON can say it.
fn odd_objects() -> Vec<String> {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let mut all: Vec<String> = [
        r#"{"a":1e200}"#,
        r#"{"a":-1e300}"#,
        r#"{"a":1e-200}"#,
        r#"{"a":18446744073709551615}"#,
        r#"{"a":0.1234567890123456789012345678901234567890}"#,
        r#"{"":1}"#,
        r#"{"a":"\u0000"}"#,
        r#"{"\u0000":""}"#,
        r#"{"a":[]}"#,
        r#"{"a":1e400}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"__proto__":{"a":1},"constructor":1}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend([30, 33, 60, 120, 200].map(nested));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_of_the_right_type_are_taken_or_refused_but_break_nothing() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let caller = Caller::of(&world).await;
    let texts = [
        "",
        " ",
        "\u{0}",
        "\r\nX-Evil: 1",
        "🦀",
        "../../etc/passwd",
        "' OR 1=1 --",
        "{{7*7}}",
        "\u{202e}",
    ];
    let mut texts: Vec<String> = texts.map(|text| json!(text).to_string()).to_vec();
    texts.extend([300, 5000, 60_000].map(|length| json!("x".repeat(length)).to_string()));
    let numbers = [
        "-1",
        "0",
        "1.5",
        "1e300",
        "9223372036854775807",
        "-9223372036854775808",
        "99999999999999999999",
    ];
    let numbers = numbers.map(str::to_owned).to_vec();
    let lists = ["[]", "[\"\"]", "[\"x\",\"x\"]", "[null]"].map(str::to_owned).to_vec();
    let objects = odd_objects();
    for operation in description.operations() {
        for (name, schema) in operation.body_properties() {
            let values = match type_of(&schema) {
                "string" => &texts,
                "integer" | "number" => &numbers,
                "array" => &lists,
                "object" | "" => &objects,
                _ => continue,
            };
            for value in values.iter().chain([&"null".to_owned()]) {
                let mut body = caller.mine.body(&operation);
                body[&name] = json!("@");
                let body = body.to_string().replacen("\"@\"", value, 1);
                let what = format!(
                    "{} with {name} = {}",
                    operation.name(),
                    value.chars().take(60).collect::<String>()
                );
                is_ours(&what, &caller.send_body(&operation, body).await);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_forms_break_nothing() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let caller = Caller::of(&world).await;
    let mut tried = 0;
    for operation in description
        .operations()
        .iter()
        .filter(|operation| operation.takes_forms())
    {
        for form in [
            "=x",
            "=&=&=",
            "&&&",
            "%00=%00",
            "a=1&a=2&a",
            "%FF=%FE",
            "contact_id=%00",
            "contact_id[]=1",
            "{}",
        ] {
            let form_type = [("content-type", "application/x-www-form-urlencoded".to_owned())];
            let headers = caller
                .mine
                .headers(operation, &caller.token)
                .into_iter()
                .chain(form_type)
                .collect::<Vec<_>>();
            let answer = world
                .raw(&operation.method, &caller.mine.path(operation), &headers, form)
                .await;
            is_ours(&format!("{} with {form}", operation.name()), &answer);
            tried += 1;
        }
    }
    assert!(tried >= 18, "only {tried} forms were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_in_a_path_is_refused() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let caller = Caller::of(&world).await;
    let mut tried = 0;
    for operation in description.operations() {
        let body = caller.body_of(&operation);
        for name in operation.path_names() {
            for value in nonsense() {
                let path = operation.path_with(|other| match caller.mine.path_value(&operation, other) {
                    _ if other == name => value.clone(),
                    PathValue::Owned(spellings) => spellings[0].0.clone(),
                    PathValue::Shared(value) => value.to_owned(),
                    PathValue::ApiKey => caller.mine.api_key.clone(),
                });
                let what = format!(
                    "{} with {name} = {}",
                    operation.name(),
                    value.chars().take(40).collect::<String>()
                );
                let answer = caller.send(&operation, &path, &[], body.clone().into_bytes()).await;
                is_ours(&what, &answer);
                let is_expected = answer.status == 404 || (name == "api_key" && answer.status == 401);
                assert!(is_expected, "{what}: {answer:?}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 300, "only {tried} paths were tried");
}

/// Parameters that are texts of which only some are taken; other texts must be refused and not pass unseen.
const STRICT: [(&str, &[&str]); 2] = [
    (
        "GET /executions",
        &["next_token", "status", "trigger_type", "from", "to"],
    ),
    ("GET /executions/stats", &["from", "to"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_in_a_query_or_header_is_refused_or_finds_nothing() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let caller = Caller::of(&world).await;
    let mut strict = 0;
    for operation in description.operations() {
        let body = caller.body_of(&operation);
        // Nothing is deleted where a parameter is forgiven.
        let path = match operation.method.as_str() {
            "DELETE" => caller
                .mine
                .path(&operation)
                .replace(|digit: char| digit.is_ascii_digit(), "0"),
            _ => caller.mine.path(&operation),
        };
        for parameter in operation.parameters("query") {
            let listed = STRICT
                .iter()
                .any(|(route, names)| *route == operation.name() && names.contains(&parameter.name.as_str()));
            let is_strict = listed
                || matches!(type_of(&parameter.schema), "boolean" | "integer" | "number")
                || parameter.schema["enum"].is_array();
            for value in nonsense() {
                let path = format!("{path}?{}={value}", parameter.name);
                let what = format!("{} {}", operation.name(), path.chars().take(120).collect::<String>());
                is_ours(
                    &what,
                    &caller.send(&operation, &path, &[], body.clone().into_bytes()).await,
                );
            }
            if is_strict {
                let path = format!("{path}?{}=abc", parameter.name);
                let answer = caller.send(&operation, &path, &[], body.clone().into_bytes()).await;
                names(&path, &is_refused(&path, &answer), &parameter.name);
                strict += 1;
            }
        }
        for (name, values) in [("If-Match", ["abc", "-1"]), ("Idempotency-Key", ["", "ü"])] {
            if operation
                .parameters("header")
                .iter()
                .any(|parameter| parameter.name == name)
            {
                for value in values.map(str::to_owned).into_iter().chain(["x".repeat(5000)]) {
                    let header: &'static str = if name == "If-Match" {
                        "if-match"
                    } else {
                        "idempotency-key"
                    };
                    let what = format!(
                        "{} with {name}: {}",
                        operation.name(),
                        value.chars().take(20).collect::<String>()
                    );
                    let answer = caller
                        .send(&operation, &path, &[(header, value)], body.clone().into_bytes())
                        .await;
                    names(&what, &is_refused(&what, &answer), name);
                    strict += 1;
                }
            }
        }
    }
    assert!(strict >= 12, "only {strict} parameters were strict");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_addresses_and_methods_are_refused_in_the_envelope() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    for path in [
        "/nothing",
        "/helpers/x/y/z",
        "/%00",
        "/helpers%2Ftypes",
        "/..",
        "//",
        "/auth/../helpers/x/y/z",
    ] {
        let answer = world.raw("GET", path, &[], "").await;
        is_ours(path, &answer);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    for operation in description.operations() {
        let answer = world
            .raw("TRACE", &operation.path_with(|_| "x".to_owned()), &[], "")
            .await;
        let refusal = is_ours(&operation.name(), &answer);
        assert_eq!(
            (answer.status, &refusal["code"]),
            (405, &json!("METHOD_NOT_ALLOWED")),
            "{}",
            operation.name()
        );
    }
}
