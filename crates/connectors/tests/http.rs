//! The rules of the HTTP client, seen through the Keap connector against a scripted server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mfh_connectors::{Connector, ErrorKind, WriteOutcome, build};
use mfh_types::Secret;
use serde_json::json;
use support::{Renewable, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{any, header, header_regex, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TOKEN: &str = "KeapAK-0123456789abcdef0123456789abcdef";

fn ok() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"id": "7", "given_name": "Ada"}))
}

/// Answers in this order, the last one for ever.
async fn script(server: &MockServer, answers: Vec<ResponseTemplate>) {
    let last = answers.len() - 1;
    for (index, answer) in answers.into_iter().enumerate() {
        let mut mock = Mock::given(any())
            .respond_with(answer)
            .with_priority(u8::try_from(index + 1).unwrap());
        if index < last {
            mock = mock.up_to_n_times(1);
        }
        mock.mount(server).await;
    }
}

async fn connect(answers: Vec<ResponseTemplate>) -> (MockServer, World, Arc<dyn Connector>) {
    let server = MockServer::start().await;
    script(&server, answers).await;
    let world = World::new();
    let keap = world.connect("keap", &server.uri(), TOKEN);
    (server, world, keap)
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code)
}

#[tokio::test]
async fn a_request_names_the_product_and_carries_the_token() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/contacts/7"))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .and(header_regex("user-agent", "^MyFusionHelper/[0-9.]+$"))
        .respond_with(ok())
        .expect(1)
        .mount(&server)
        .await;
    let world = World::new();
    let contact = world
        .connect("keap", &server.uri(), TOKEN)
        .get_contact("7")
        .await
        .unwrap();
    assert_eq!(contact.first_name, "Ada");
}

#[tokio::test]
async fn ids_are_encoded_and_cannot_leave_their_place_in_the_path() {
    let (server, _, keap) = connect(vec![ok()]).await;
    keap.get_contact("7/notes?x=1#é").await.unwrap();
    let sent = &server.received_requests().await.unwrap()[0];
    assert_eq!(sent.url.path(), "/contacts/7%2Fnotes%3Fx%3D1%23%C3%A9");
    for id in ["", " ", ".", ".."] {
        let error = keap.get_contact(id).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
    }
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_read_is_tried_three_times_with_growing_waits() {
    let (server, world, keap) = connect(vec![status(503), status(500), ok()]).await;
    keap.get_contact("7").await.unwrap();
    assert_eq!(requests(&server).await, 3);
    let waits = world.waits();
    assert!(
        (0.8..=1.2).contains(&waits[0]) && (1.6..=2.4).contains(&waits[1]),
        "{waits:?}"
    );

    let (server, _, keap) = connect(vec![status(502)]).await;
    let error = keap.get_contact("7").await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Unavailable, Some(502)));
    assert_eq!(error.outcome, WriteOutcome::NotApplied);
    assert_eq!(requests(&server).await, 3);
}

#[tokio::test]
async fn answers_that_will_not_change_are_not_asked_for_twice() {
    for (code, kind) in [
        (400, ErrorKind::InvalidInput),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (422, ErrorKind::InvalidInput),
        (501, ErrorKind::Unsupported),
        (302, ErrorKind::Protocol),
    ] {
        let (server, _, keap) = connect(vec![status(code).insert_header("location", "/elsewhere")]).await;
        let error = keap.get_contact("7").await.unwrap_err();
        assert_eq!((error.kind, error.status), (kind, Some(code)));
        assert!(!error.is_retryable());
        assert_eq!(requests(&server).await, 1);
    }
}

#[tokio::test]
async fn a_write_that_is_not_repeatable_is_repeated_only_after_429() {
    let (server, _, keap) = connect(vec![status(500)]).await;
    let error = keap.create_tag("VIP").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Unavailable, WriteOutcome::Unknown)
    );
    assert_eq!(requests(&server).await, 1);

    let created = ResponseTemplate::new(201).set_body_json(json!({"id": "5", "name": "VIP"}));
    let (server, _, keap) = connect(vec![status(429), created]).await;
    assert_eq!(keap.create_tag("VIP").await.unwrap().id, "5");
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn a_doubt_about_an_earlier_try_outlives_a_clear_answer() {
    let (server, _, keap) = connect(vec![status(500), status(404)]).await;
    let error = keap.remove_tag("7", "5").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::NotFound, WriteOutcome::Unknown)
    );
    assert_eq!(requests(&server).await, 2);

    let (_server, _, keap) = connect(vec![status(404)]).await;
    let error = keap.remove_tag("7", "5").await.unwrap_err();
    assert_eq!(error.outcome, WriteOutcome::NotApplied);
}

#[tokio::test]
async fn a_short_retry_after_is_obeyed_and_a_long_one_is_handed_to_the_caller() {
    let (_server, world, keap) = connect(vec![status(429).insert_header("retry-after", "7"), ok()]).await;
    keap.get_contact("7").await.unwrap();
    assert_eq!(world.waits(), [7.0]);

    let (server, world, keap) = connect(vec![status(429).insert_header("retry-after", "90")]).await;
    let error = keap.get_contact("7").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert_eq!(error.retry_after, Some(Duration::from_secs(90)));
    assert!(world.waits().is_empty());
    // Nobody else of this connection is sent into the refusal.
    let error = keap.get_contact("8").await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, None));
    assert_eq!(requests(&server).await, 1);

    let date = httpdate(1_772_323_205);
    let (_server, world, keap) = connect(vec![status(503).insert_header("retry-after", date), ok()]).await;
    keap.get_contact("7").await.unwrap();
    assert_eq!(world.waits(), [5.0]);
}

fn httpdate(unix: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(unix))
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once() {
    let server = MockServer::start().await;
    let with = |token: &str| Mock::given(header("authorization", format!("Bearer {token}")));
    with("token-old")
        .respond_with(status(401))
        .expect(1)
        .mount(&server)
        .await;
    with("token-new").respond_with(ok()).expect(2).mount(&server).await;
    let (world, tokens) = (World::new(), Arc::new(Renewable::default()));
    let keap = build("keap", world.config(&server.uri(), tokens.clone())).unwrap();
    keap.get_contact("7").await.unwrap();
    keap.get_contact("7").await.unwrap();
    assert_eq!(*tokens.refreshes.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_second_refusal_ends_the_call() {
    let server = MockServer::start().await;
    script(&server, vec![status(401)]).await;
    let (world, tokens) = (World::new(), Arc::new(Renewable::default()));
    let keap = build("keap", world.config(&server.uri(), tokens.clone())).unwrap();
    let error = keap.get_contact("7").await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Unauthorized, Some(401)));
    assert_eq!((requests(&server).await, *tokens.refreshes.lock().unwrap()), (2, 1));

    let (server, _, keap) = connect(vec![status(401)]).await;
    assert_eq!(keap.test_connection().await.unwrap_err().kind, ErrorKind::Unauthorized);
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_a_protocol_error() {
    for body in ["{\"id\": \"7\"}}", "<html>gateway</html>", ""] {
        let (server, _, keap) = connect(vec![status(200).set_body_string(body)]).await;
        assert_eq!(keap.get_contact("7").await.unwrap_err().kind, ErrorKind::Protocol);
        let error = keap.create_tag("VIP").await.unwrap_err();
        assert_eq!(
            (error.kind, error.outcome),
            (ErrorKind::Protocol, WriteOutcome::Unknown)
        );
        assert_eq!(requests(&server).await, 2);
    }
}

/// A server that answers with these bytes, one after the other and the last for ever, and then hangs up.
struct Wire {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Wire {
    async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let requests = Arc::new(AtomicUsize::new(0));
        let served = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 8_192];
                // Without a request in it, the connection was made in reserve.
                if stream.read(&mut request).await.unwrap_or(0) == 0 {
                    continue;
                }
                let n = served.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
                stream.write_all(answers[n].as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"id\":\"7\",\"given_name\":\"Ada\"} ";

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_network_error_and_a_read_is_repeated() {
    for broken in [
        // The connection dies before the announced end, in a chunk, and between chunks.
        "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"id\":\"7\",",
        "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"id\":\"7\",",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{\"id\":\"7\"\r\n",
        // Something on the way ended it properly, but the JSON has no end.
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"id\":\"7\",",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"id\":\"7",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{\"id\":\"7\"\r\n0\r\n\r\n",
    ] {
        let wire = Wire::start(&[broken, WHOLE]).await;
        let keap = World::new().connect("keap", &wire.url, TOKEN);
        let contact = keap.get_contact("7").await.unwrap();
        assert_eq!((contact.first_name.as_str(), wire.requests()), ("Ada", 2), "{broken}");

        let wire = Wire::start(&[broken]).await;
        let keap = World::new().connect("keap", &wire.url, TOKEN);
        let error = keap.get_contact("7").await.unwrap_err();
        assert_eq!((error.kind, wire.requests()), (ErrorKind::Network, 3), "{broken}");
        assert_eq!(error.outcome, WriteOutcome::NotApplied);

        // Whether a tag was created nobody knows; it is not created again.
        let wire = Wire::start(&[broken]).await;
        let keap = World::new().connect("keap", &wire.url, TOKEN);
        let error = keap.create_tag("VIP").await.unwrap_err();
        assert_eq!((error.kind, wire.requests()), (ErrorKind::Network, 1), "{broken}");
        assert_eq!(error.outcome, WriteOutcome::Unknown);
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn an_error_whose_explanation_breaks_off_is_judged_by_its_status() {
    let wire = Wire::start(&["HTTP/1.1 404 Not Found\r\ncontent-length: 90\r\n\r\n{\"message\":"]).await;
    let keap = World::new().connect("keap", &wire.url, TOKEN);
    let error = keap.get_contact("7").await.unwrap_err();
    assert_eq!((error.kind, wire.requests()), (ErrorKind::NotFound, 1));
}

#[tokio::test]
async fn a_users_host_must_be_public() {
    let world = World::new();
    let source = || Arc::new(mfh_connectors::StaticToken::new("keap", Secret::new(TOKEN)));
    let build_for_user = |address: &str| {
        let mut config = world.config(address, source());
        config.user_host = true;
        build("keap", config)
    };
    for refused in [
        "http://127.0.0.1:8080/x",
        "https://127.0.0.1/x",
        "https://10.0.0.1",
        "https://crm.internal",
        "https://localhost",
    ] {
        assert_eq!(
            build_for_user(refused).unwrap_err().kind,
            ErrorKind::NotConfigured,
            "{refused}"
        );
    }
    build_for_user("https://acme.api-us1.com/api/3").unwrap();
}

#[tokio::test]
async fn an_answer_over_ten_megabytes_is_refused() {
    let long = format!("{{\"id\":\"7\",\"given_name\":\"{}\"}}", "x".repeat(11 * 1024 * 1024));
    let (_server, _, keap) = connect(vec![status(200).set_body_string(long)]).await;
    let error = keap.get_contact("7").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("10 MB"));
}

#[tokio::test]
async fn a_closed_port_is_a_network_error_that_changed_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let world = World::new();
    let keap = world.connect("keap", &address, TOKEN);
    let error = keap.achieve_goal("7", "bought", "").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Network, WriteOutcome::NotApplied)
    );
    // A connection that was never made is tried again even for a goal.
    assert_eq!(world.waits().len(), 2);
}

#[tokio::test]
async fn error_texts_hold_no_secret_and_no_contact_data() {
    let said = format!("ada@example.com (+1 555 010 9999) refused, token {TOKEN}, see limit 5");
    for body in [
        json!({"code": 400, "message": said, "status": "INVALID_ARGUMENT"}),
        json!({"fault": {"faultstring": said, "detail": {"errorcode": "policies.x"}}}),
    ] {
        let (_server, _, keap) = connect(vec![status(400).set_body_json(body)]).await;
        let error = keap.get_contact("7").await.unwrap_err();
        let shown = format!("{error} {error:?}");
        for private in ["ada@", "example.com", "0109999", "010 9999", TOKEN, "KeapAK"] {
            assert!(!shown.contains(private), "{private} in {shown}");
        }
        assert!(error.message.contains("see limit 5"), "{}", error.message);
    }
    let long = json!({"message": "word ".repeat(500)});
    let (_server, _, keap) = connect(vec![status(400).set_body_json(long)]).await;
    assert!(keap.get_contact("7").await.unwrap_err().message.len() < 300);
}

#[tokio::test]
async fn only_https_or_this_machine_may_be_called() {
    let world = World::new();
    let source = || Arc::new(mfh_connectors::StaticToken::new("keap", Secret::new(TOKEN)));
    for refused in [
        "http://api.example.com",
        "http://10.0.0.1/rest",
        "ftp://127.0.0.1",
        "https://user:pw@api.example.com",
        "https://api.example.com?x=1",
        "not an address",
    ] {
        let error = build("keap", world.config(refused, source())).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotConfigured, "{refused}");
    }
    for (given, used) in [
        ("https://api.example.com/v2///", "https://api.example.com/v2"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("http://localhost:1", "http://localhost:1"),
        (" ", "https://api.infusionsoft.com/crm/rest/v2"),
    ] {
        let keap = build("keap", world.config(given, source())).unwrap();
        assert_eq!(keap.metadata().base_url, used);
    }
    let error = build("klaviyo", world.config("", source())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotConfigured);
    assert!(error.message.contains("klaviyo"));
}

#[tokio::test]
async fn the_vendors_quota_headers_slow_requests_down() {
    let nearly_spent = ok()
        .insert_header("x-keap-product-throttle-limit", "1500")
        .insert_header("x-keap-product-throttle-available", "29")
        .insert_header("x-keap-product-throttle-time-unit", "minute")
        .insert_header("x-keap-product-throttle-interval", "1");
    let (_server, world, keap) = connect(vec![nearly_spent]).await;
    keap.get_contact("7").await.unwrap();
    assert!(world.waits().is_empty());
    keap.get_contact("7").await.unwrap();
    assert_eq!(world.waits(), [2.0]);
}

#[tokio::test]
async fn a_page_that_repeats_its_own_token_ends_the_list() {
    let server = MockServer::start().await;
    let page = json!({"contacts": [{"id": "1"}], "next_page_token": "again"});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(page))
        .mount(&server)
        .await;
    let keap = World::new().connect("keap", &server.uri(), TOKEN);
    assert_eq!(
        keap.count_contacts(&Default::default()).await.unwrap_err().kind,
        ErrorKind::Protocol
    );
    let page = json!({"users": [{"id": "1"}], "next_page_token": "again"});
    server.reset().await;
    Mock::given(query_param("page_size", "100"))
        .respond_with(ResponseTemplate::new(200).set_body_json(page))
        .mount(&server)
        .await;
    assert_eq!(keap.list_users().await.unwrap_err().kind, ErrorKind::Protocol);
}
