//! Helpers that look things up outside, over the network, in front of the simulated services.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use mfh_connectors::{Connector, ConnectorConfig, Shared, StaticToken, Transport, build};
use mfh_helpers::outside::{Answer, Broken, LiveClient, Method, Outside, Request};
use mfh_helpers::{
    Caller, Category, Context, FailureKind, Helper, HelperError, Journal, MemoryJournal, Meta, Outcome, Registration,
    Report, Run, Sealer, ServiceAuth, SharedAnswers, StoreError, World, execute, find,
};
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use mfh_simulators::services::{FOLDERS, TWILIO_KEY};
use mfh_simulators::{Keap, Server, Services};
use mfh_types::{
    AccountId, AuthType, ConnectionId, Credentials, ExecutionId, HelperId, ManualClock, Secret, SeededRandom,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

const CONTACT: &str = "1001";

/// Turns a secret around instead of encrypting it.
#[derive(Debug)]
struct Mirror;

#[async_trait]
impl Sealer for Mirror {
    async fn seal(&self, secret: &Secret) -> Result<String, StoreError> {
        Ok(secret.expose().chars().rev().collect())
    }

    async fn open(&self, sealed: &str) -> Result<Secret, StoreError> {
        Ok(Secret::new(sealed.chars().rev().collect::<String>()))
    }
}

struct Stage {
    _servers: (Server, Server),
    services: Services,
    crm: Arc<dyn Connector>,
    world: World,
    journal: BTreeMap<String, Value>,
}

impl Stage {
    async fn set() -> Self {
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_772_323_200, 0).unwrap()));
        let random = Arc::new(SeededRandom::new(1));
        let keap = Keap::open(None, clock.clone(), random.clone())
            .unwrap()
            .start()
            .await
            .unwrap();
        let config = ConnectorConfig {
            base_url: Some(keap.base_url()),
            ..ConnectorConfig::new(
                ConnectionId::parse("test").unwrap(),
                AuthType::ApiKey,
                Arc::new(StaticToken::new("keap", Secret::new(PERSONAL_ACCESS_TOKEN))),
                Shared::new(Transport::new().unwrap(), clock.clone(), random.clone(), clock.clone()),
            )
        };
        let services = Services::new();
        let server = services.start().await.unwrap();
        let endpoints = FOLDERS.map(|(slug, folder)| (slug.to_owned(), format!("{}/{folder}", server.origin())));
        let world = World {
            outside: Arc::new(LiveClient::new().unwrap()),
            endpoints: endpoints.into(),
            answers: Some(Arc::new(SharedAnswers::default())),
            sealer: Some(Arc::new(Mirror)),
            random,
            sleeper: clock.clone(),
            clock,
            ..World::offline()
        };
        Self {
            _servers: (keap, server),
            services,
            crm: build("keap", config).unwrap(),
            world,
            journal: BTreeMap::new(),
        }
    }

    async fn write(&self, field: &str, value: &str) {
        self.crm.set_field_value(CONTACT, field, &json!(value)).await.unwrap();
    }

    async fn read(&self, field: &str) -> Value {
        self.crm.get_field_value(CONTACT, field).await.unwrap()
    }

    /// One delivery of a run, with what earlier ones wrote down.
    async fn deliver(&mut self, registration: &Registration, config: Value) -> Report {
        let run = Run {
            contact_id: Some(CONTACT.to_owned()),
            crm: Some(self.crm.clone()),
            input: None,
            started_at: DateTime::from_timestamp(1_772_323_200, 0).unwrap(),
            dry_run: false,
        };
        let caller = Caller {
            account_id: AccountId::parse("account:a1").unwrap(),
            user_id: None,
            helper_id: HelperId::parse("helper:h1").unwrap(),
            execution_id: ExecutionId::parse("exec:e1").unwrap(),
        };
        let mut store = MemoryJournal(self.journal.clone());
        let cx = Context::new(run, Journal::new(self.journal.clone(), &mut store))
            .called_by(caller)
            .in_world(self.world.clone());
        let report = execute(registration, config.as_object().unwrap(), cx, std::future::pending()).await;
        self.journal = store.0;
        report
    }

    /// A run of its own.
    async fn run(&mut self, helper_type: &str, config: Value) -> Report {
        self.journal.clear();
        self.deliver(find(helper_type).unwrap(), config).await
    }
}

/// What the result of a run shows under a name.
fn shown(report: &Report, name: &str) -> Value {
    report.output.modified_data.as_ref().unwrap()[name].clone()
}

fn failure(report: &Report) -> &HelperError {
    report.failure.as_ref().unwrap()
}

#[tokio::test]
async fn an_address_is_looked_up_once_a_day_for_all_runs() {
    let mut stage = Stage::set().await;
    stage.write("website", "8.8.8.8").await;
    let config = json!({"ip_field": "website", "city_field": "city", "zip_field": "zip"});
    let report = stage.run("ip_location", config.clone()).await;
    assert_eq!(report.failure, None);
    assert_eq!(stage.read("city").await, json!("Mountain View"));

    stage
        .services
        .faults()
        .add(FaultRule::status(500).on("GET", "/ip-api/").always());
    assert_eq!(stage.run("ip_location", config).await.failure, None);
}

#[tokio::test]
async fn a_service_that_is_down_for_a_moment_is_asked_again_and_one_that_stays_down_puts_the_run_back() {
    let mut stage = Stage::set().await;
    stage.write("website", "8.8.4.4").await;
    let config = json!({"ip_field": "website"});
    let down = |times| FaultRule::status(503).on("GET", "/ip-api/").times(times);
    stage.services.faults().add(down(3));
    let report = stage.run("ip_location", config.clone()).await;
    assert_eq!(failure(&report).kind, FailureKind::Retryable);
    stage.services.faults().add(down(2));
    assert_eq!(stage.run("ip_location", config).await.failure, None);
}

#[tokio::test]
async fn a_service_that_asks_for_a_long_pause_is_not_asked_again() {
    let mut stage = Stage::set().await;
    stage.write("website", "9.9.9.9").await;
    let busy = Fault::Status {
        status: 429,
        retry_after: Some(3_600),
        body: None,
    };
    stage.services.faults().add(FaultRule::new(busy).on("GET", "/ip-api/"));
    let report = stage.run("ip_location", json!({"ip_field": "website"})).await;
    assert_eq!(failure(&report).kind, FailureKind::Retryable);
    assert_eq!(failure(&report).retry_after, Some(Duration::from_secs(3_600)));
}

#[tokio::test]
async fn twilio_decides_about_a_number_and_a_wrong_key_fails_the_run() {
    let mut stage = Stage::set().await;
    stage.write("phone", "(415) 555-2671").await;
    let config = json!({"phone_field": "Phone1", "save_formatted_to": "website"});
    let sign_in = |key: &str, secret: &str| {
        let mut credentials = Credentials::default();
        credentials.set("api_key", Secret::new(key));
        credentials.set("api_secret", Secret::new(secret));
        let auth = ServiceAuth {
            credentials,
            ..ServiceAuth::default()
        };
        BTreeMap::from([("twilio".to_owned(), auth)])
    };
    stage.world.services = sign_in(TWILIO_KEY.0, "wrong");
    let report = stage.run("phone_lookup", config.clone()).await;
    assert_eq!(failure(&report).kind, FailureKind::Permanent);
    assert!(!failure(&report).message.contains("wrong"));

    stage.world.services = sign_in(TWILIO_KEY.0, TWILIO_KEY.1);
    let report = stage.run("phone_lookup", config.clone()).await;
    assert_eq!(report.output.modified_data.unwrap()["status"], "invalid");
    stage.write("phone", "(415) 867-5309").await;
    let report = stage.run("phone_lookup", config).await;
    assert_eq!(report.output.modified_data.unwrap()["carrier"], "Example Wireless");
}

#[tokio::test]
async fn a_quotation_of_the_day_is_stored() {
    let mut stage = Stage::set().await;
    let report = stage
        .run("quote_it", json!({"format": "multi_line", "target_field": "job_title"}))
        .await;
    assert_eq!(report.failure, None);
    assert_eq!(report.output.actions[0].value, "Well begun is half done.\nA proverb");
}

#[tokio::test]
async fn a_password_reaches_the_crm_only_and_a_second_delivery_writes_the_same() {
    let mut stage = Stage::set().await;
    let config = json!({"target_field": "job_title", "overwrite": true, "include_special": false});
    let registration = find("password_it").unwrap();
    let report = stage.deliver(registration, config.clone()).await;
    let password = stage.read("job_title").await.as_str().unwrap().to_owned();
    assert_eq!(password.len(), 12);
    let shown = format!("{report:?} {:?}", stage.journal);
    assert!(!shown.contains(&password), "{shown}");
    assert_eq!(report.output.actions[0].value, "********");

    stage.write("job_title", "lost").await;
    stage.journal.retain(|key, _| !key.starts_with("step_"));
    stage.deliver(registration, config).await;
    assert_eq!(stage.read("job_title").await, json!(password));
}

#[tokio::test]
async fn runs_take_the_variants_in_turn_and_a_second_delivery_takes_the_same() {
    let mut stage = Stage::set().await;
    let config = json!({
        "mode": "tag", "split_method": "counter", "split_count": 3,
        "option_a": "101", "option_b": "102", "option_c": "103",
    });
    let registration = find("split_it").unwrap();
    let mut variants = Vec::new();
    for _ in 0..4 {
        let report = stage.run("split_it", config.clone()).await;
        assert_eq!(report.failure, None);
        variants.push(shown(&report, "variant"));
    }
    assert_eq!(variants, ["A", "B", "C", "A"]);

    let again = stage.deliver(registration, config.clone()).await;
    assert_eq!(shown(&again, "variant"), "A");
    let next = stage.run("split_it", config).await;
    assert_eq!(shown(&next, "variant"), "B");
}

#[tokio::test]
async fn contacts_without_a_letter_are_spread_and_those_with_one_move_on() {
    let mut stage = Stage::set().await;
    let config = json!({"mode": "tag", "option_a": "101", "option_b": "102", "state_field": "job_title"});
    let mut letters = Vec::new();
    for before in ["", "", "", "B", "A"] {
        stage.write("job_title", before).await;
        let report = stage.run("split_it", config.clone()).await;
        assert_eq!(report.failure, None);
        letters.push(stage.read("job_title").await);
    }
    assert_eq!(letters, ["A", "B", "A", "A", "B"]);
}

#[tokio::test]
async fn groups_alternate_from_the_configured_start() {
    let mut stage = Stage::set().await;
    let config = json!({"split_type": "tag_split", "last_group": "a", "split_tag_a": "101", "split_tag_b": "102"});
    let mut groups = Vec::new();
    for _ in 0..3 {
        let report = stage.run("split_it_basic", config.clone()).await;
        assert_eq!(report.failure, None);
        groups.push(shown(&report, "run_group"));
    }
    assert_eq!(groups, ["b", "a", "b"]);

    let again = stage.deliver(find("split_it_basic").unwrap(), config).await;
    assert_eq!(shown(&again, "run_group"), "b");
}

/// Sends something that must not be sent twice.
#[derive(Debug, Deserialize, JsonSchema)]
struct Send {}

impl Helper for Send {
    const META: Meta = Meta::new("send", "Send", Category::Integration, "Sends something.");
    const EXAMPLE: &'static str = "{}";

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let request = Request::new(Method::Post, "https://example.com/messages").json(&json!({"text": "hello"}));
        let answer = cx.call_once("The service", &request).await?;
        cx.set_result("status", answer.status);
        Ok(Outcome::done("sent"))
    }
}

static SEND: Registration = Registration::of::<Send>();

/// Answers what it is told to and counts the calls.
#[derive(Debug)]
struct Told(Result<u16, Broken>, AtomicUsize);

#[async_trait]
impl Outside for Told {
    async fn send(&self, _: &Request) -> Result<Answer, Broken> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.map(|status| Answer {
            status,
            headers: BTreeMap::new(),
            body: b"{}".to_vec(),
        })
    }
}

#[tokio::test]
async fn a_call_that_sends_something_is_repeated_only_when_it_was_certainly_not_made() {
    for (told, calls, kind) in [
        (Ok(200), 1, None),
        (Ok(429), 3, Some(FailureKind::Retryable)),
        (Err(Broken::NotConnected), 3, Some(FailureKind::Retryable)),
        (Ok(503), 1, Some(FailureKind::UnknownOutcome)),
        (Err(Broken::Lost), 1, Some(FailureKind::UnknownOutcome)),
    ] {
        let mut stage = Stage::set().await;
        let service = Arc::new(Told(told, AtomicUsize::new(0)));
        stage.world.outside = service.clone();
        let report = stage.deliver(&SEND, json!({})).await;
        assert_eq!(report.failure.map(|failure| failure.kind), kind, "{told:?}");
        assert_eq!(service.1.load(Ordering::SeqCst), calls, "{told:?}");

        let again = stage.deliver(&SEND, json!({})).await;
        let repeats = kind == Some(FailureKind::Retryable);
        assert_eq!(
            service.1.load(Ordering::SeqCst),
            if repeats { 2 * calls } else { calls },
            "{told:?}"
        );
        assert_eq!(again.failure.map(|failure| failure.kind), kind, "{told:?}");
    }
}
