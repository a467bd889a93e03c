//! What a run does again after an interruption, and what it must not: real helpers in front of the Keap simulator.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use mfh_connectors::{Connector, ConnectorConfig, Shared, StaticToken, Transport, build};
use mfh_helpers::tagging::{CountItTags, TagIt};
use mfh_helpers::{
    Category, Context, FailureKind, Helper, HelperError, Journal, JournalError, JournalStore, MemoryJournal, Meta,
    Outcome, Registration, Report, Run, execute,
};
use mfh_simulators::faults::{Fault, FaultRule, Times};
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use mfh_simulators::{Keap, Server};
use mfh_types::{AuthType, ConnectionId, JsonObject, ManualClock, Secret, SeededRandom};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

const CONTACT: &str = "1007";

/// Achieves a goal: a step that must not be sent twice.
#[derive(Debug, Deserialize, JsonSchema)]
struct Achieve {
    goal: String,
}

impl Helper for Achieve {
    const META: Meta = Meta::new("achieve", "Achieve", Category::Automation, "Achieves a goal.").needs_crm();
    const EXAMPLE: &'static str = r#"{"goal": "formcompleted"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        cx.achieve_goal(&self.goal, "mfh").await?;
        Ok(Outcome::done("achieved"))
    }
}

/// Tags the contact and then meets a bug.
#[derive(Debug, Deserialize, JsonSchema)]
struct Panic {}

impl Helper for Panic {
    const META: Meta = Meta::new("panic", "Panic", Category::Data, "Meets a bug.").needs_crm();
    const EXAMPLE: &'static str = "{}";

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        cx.apply_tag_id("101", "101").await?;
        panic!("a bug");
    }
}

static ACHIEVE: Registration = Registration::of::<Achieve>();
static PANIC: Registration = Registration::of::<Panic>();
static TAG_IT: Registration = Registration::of::<TagIt>();
static COUNT_IT_TAGS: Registration = Registration::of::<CountItTags>();

/// A journal whose run was taken over by another worker.
struct LostLease;

#[async_trait]
impl JournalStore for LostLease {
    async fn write(&mut self, _: &BTreeMap<String, Value>) -> Result<(), JournalError> {
        Err(JournalError::LeaseLost)
    }
}

/// One execution over several deliveries: its CRM and what its journal holds.
struct World {
    keap: Keap,
    _server: Server,
    crm: Arc<dyn Connector>,
    clock: Arc<ManualClock>,
    journal: BTreeMap<String, Value>,
}

impl World {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_772_323_200, 0).unwrap()));
        let random = Arc::new(SeededRandom::new(1));
        let keap = Keap::open(None, clock.clone(), random.clone()).unwrap();
        let server = keap.start().await.unwrap();
        let config = ConnectorConfig {
            base_url: Some(server.base_url()),
            ..ConnectorConfig::new(
                ConnectionId::parse("test").unwrap(),
                AuthType::ApiKey,
                Arc::new(StaticToken::new("keap", Secret::new(PERSONAL_ACCESS_TOKEN))),
                Shared::new(Transport::new().unwrap(), clock.clone(), random, clock.clone()),
            )
        };
        let crm = build("keap", config).unwrap();
        Self {
            keap,
            _server: server,
            crm,
            clock,
            journal: BTreeMap::new(),
        }
    }

    fn fault(&self, rule: FaultRule) {
        self.keap.faults().add(rule);
    }

    /// One delivery; what it wrote down before it ended is kept, as after a crash at its end.
    async fn deliver(
        &mut self,
        registration: &Registration,
        config: Value,
        deadline: impl Future<Output = ()>,
    ) -> Report {
        let mut store = MemoryJournal(self.journal.clone());
        let report = execute(registration, &object(config), self.context(&mut store), deadline).await;
        self.journal = store.0;
        report
    }

    /// One delivery whose run goes back to the queue when it may be repeated: the rest of its journal is kept too.
    async fn attempt(&mut self, registration: &Registration, config: Value) -> Report {
        let report = self.deliver(registration, config, pending()).await;
        self.journal.extend(report.unsaved.clone());
        report
    }

    fn context<'a>(&self, store: &'a mut dyn JournalStore) -> Context<'a> {
        let run = Run {
            contact_id: Some(CONTACT.to_owned()),
            crm: Some(self.crm.clone()),
            input: None,
            started_at: DateTime::UNIX_EPOCH,
            dry_run: false,
        };
        Context::new(run, Journal::new(self.journal.clone(), store))
    }

    /// The requests whose path contains this.
    fn requests(&self, path: &str) -> usize {
        self.keap
            .log()
            .requests()
            .iter()
            .filter(|request| request.path.contains(path))
            .count()
    }

    /// The writes of this kind that the CRM applied: tag, or values.
    fn applied(&self, op: &str) -> Vec<Value> {
        let writes = self.keap.log().writes().into_iter().filter(|write| write.op == op);
        writes
            .map(|write| write.tag_id.map_or_else(|| json!(write.fields), Value::String))
            .collect()
    }
}

fn object(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

fn failure(report: &Report) -> (FailureKind, &'static str) {
    let failure = report
        .failure
        .as_ref()
        .unwrap_or_else(|| panic!("the run worked: {report:?}"));
    (failure.kind, failure.code)
}

#[tokio::test]
async fn a_repeatable_step_that_was_done_is_not_sent_again() {
    let mut world = World::start().await;
    let config = || json!({ "action": "apply", "tag_ids": ["101", "102", "103"] });
    // The connector tries three times within a call.
    world.fault(FaultRule::status(503).on("POST", "/tags/102/").times(3));
    let report = world.attempt(&TAG_IT, config()).await;
    assert_eq!(failure(&report), (FailureKind::Retryable, "UNAVAILABLE"));
    assert_eq!(world.applied("apply_tag"), [json!("101"), json!("103")]);

    let report = world.attempt(&TAG_IT, config()).await;
    assert_eq!(report.failure, None);
    assert_eq!(
        report.output.actions.len(),
        3,
        "the result names all that the execution did"
    );
    assert_eq!(world.applied("apply_tag"), [json!("101"), json!("103"), json!("102")]);
    assert_eq!((world.requests("/tags/101/"), world.requests("/tags/103/")), (1, 1));
}

#[tokio::test]
async fn a_repeatable_step_with_a_lost_answer_is_sent_again_until_it_is_answered() {
    let mut world = World::start().await;
    world.fault(FaultRule::new(Fault::CutAfter).on("POST", "/tags/102/"));
    let report = world
        .attempt(&TAG_IT, json!({ "action": "apply", "tag_ids": ["102"] }))
        .await;
    assert_eq!(report.failure, None);
    assert_eq!(world.requests("/tags/102/"), 2);
}

#[tokio::test]
async fn a_goal_is_not_achieved_again_when_its_answer_was_lost() {
    let mut world = World::start().await;
    let config = || json!({ "goal": "formcompleted" });
    world.fault(FaultRule::new(Fault::CutAfter).on("POST", "goals/achieve"));
    for _ in 0..3 {
        let report = world.attempt(&ACHIEVE, config()).await;
        assert_eq!(failure(&report), (FailureKind::UnknownOutcome, "UNKNOWN_OUTCOME"));
        assert!(
            report.output.message.to_lowercase().contains("check in the crm"),
            "{}",
            report.output.message
        );
    }
    assert_eq!(world.requests("goals/achieve"), 1);
    assert_eq!(world.applied("achieve_goal").len(), 1);
}

#[tokio::test]
async fn a_goal_is_not_achieved_again_when_its_worker_died_while_it_was_under_way() {
    let mut world = World::start().await;
    let config = || json!({ "goal": "formcompleted" });
    world.fault(FaultRule::new(Fault::Slow { ms: 60_000 }).on("POST", "goals/achieve"));
    // The run is stopped as soon as it waits for the CRM.
    let report = world.deliver(&ACHIEVE, config(), ready(())).await;
    assert_eq!(failure(&report), (FailureKind::Permanent, "TIMEOUT"));
    assert_eq!(
        world.journal["step_1"]["state"], "sent",
        "written down before it was sent"
    );

    world.keap.faults().clear();
    let report = world.attempt(&ACHIEVE, config()).await;
    assert_eq!(failure(&report), (FailureKind::UnknownOutcome, "UNKNOWN_OUTCOME"));
    assert!(world.applied("achieve_goal").is_empty());
}

#[tokio::test]
async fn a_goal_that_was_refused_is_sent_again_and_one_that_was_achieved_is_not() {
    let mut world = World::start().await;
    let config = || json!({ "goal": "formcompleted" });
    let busy = Fault::Status {
        status: 429,
        retry_after: Some(60),
        body: None,
    };
    world.fault(FaultRule::new(busy).on("POST", "goals/achieve"));
    let report = world.attempt(&ACHIEVE, config()).await;
    assert_eq!(failure(&report), (FailureKind::Retryable, "RATE_LIMITED"));
    assert_eq!(report.failure.unwrap().retry_after, Some(Duration::from_secs(60)));

    world.clock.advance(TimeDelta::seconds(60));
    for _ in 0..2 {
        let report = world.attempt(&ACHIEVE, config()).await;
        assert_eq!(report.failure, None);
        assert_eq!(report.output.actions[0].kind, "goal_achieved");
    }
    assert_eq!(world.requests("goals/achieve"), 2);
    assert_eq!(world.applied("achieve_goal").len(), 1);
}

#[tokio::test]
async fn a_goal_is_not_sent_by_a_worker_that_lost_its_lease() {
    let world = World::start().await;
    let mut store = LostLease;
    let config = object(json!({ "goal": "formcompleted" }));
    let report = execute(&ACHIEVE, &config, world.context(&mut store), pending()).await;
    assert_eq!(failure(&report), (FailureKind::Retryable, "LEASE_LOST"));
    assert_eq!(world.requests("goals/achieve"), 0);
}

#[tokio::test]
async fn a_count_stays_as_it_was_first_read_even_when_the_run_changes_it() {
    let mut world = World::start().await;
    // The contact must not carry the tag yet, so that the run's own tag changes the count.
    let report = world
        .attempt(&TAG_IT, json!({ "action": "remove", "tag_ids": ["104"] }))
        .await;
    assert_eq!(report.failure, None);
    world.journal.clear();
    let config = || {
        json!({
            "tag_id": "104", "threshold": 100_000, "threshold_not_met_tag": "104", "save_count_to": "_TagCount",
        })
    };
    world.fault(FaultRule::status(500).on("PATCH", "/contacts/").always());
    // The first delivery dies after its tag is applied: only what it wrote down before a step is left of its journal.
    let report = world.deliver(&COUNT_IT_TAGS, config(), pending()).await;
    assert_eq!(failure(&report), (FailureKind::Retryable, "UNAVAILABLE"));
    let first = report.output.modified_data.unwrap()["total_count"].clone();
    assert_eq!(world.applied("apply_tag"), [json!("104")]);

    world.keap.faults().clear();
    let report = world.attempt(&COUNT_IT_TAGS, config()).await;
    assert_eq!(report.failure, None);
    assert_eq!(report.output.modified_data.unwrap()["total_count"], first);
    let written = world
        .applied("update_contact")
        .pop()
        .unwrap_or_else(|| panic!("{:?}", world.keap.log().writes()));
    assert!(written.to_string().contains(&first.to_string()), "{written}");
    // A run of its own counts one more.
    world.journal.clear();
    let report = world.attempt(&COUNT_IT_TAGS, config()).await;
    assert_eq!(
        report.output.modified_data.unwrap()["total_count"],
        json!(first.as_u64().unwrap() + 1)
    );
}

#[tokio::test]
async fn a_panic_ends_only_its_run_and_keeps_what_was_done() {
    let mut world = World::start().await;
    let report = world.attempt(&PANIC, json!({})).await;
    assert_eq!(failure(&report), (FailureKind::Permanent, "INTERNAL"));
    assert!(!report.output.success);
    assert_eq!(report.output.actions[0].kind, "tag_applied");
    assert_eq!(world.journal["step_1"]["state"], "done");
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_stopped_and_keeps_what_was_done() {
    let mut world = World::start().await;
    world.fault(FaultRule::new(Fault::Slow { ms: 60_000 }).on("POST", "/tags/102/"));
    let keap = world.keap.clone();
    let second_tag_is_under_way = async move {
        while keap.faults().rules()[0].times != Times::Count(0) {
            tokio::task::yield_now().await;
        }
    };
    let config = json!({ "action": "apply", "tag_ids": ["101", "102"] });
    let report = world.deliver(&TAG_IT, config, second_tag_is_under_way).await;
    assert_eq!(failure(&report), (FailureKind::Permanent, "TIMEOUT"));
    assert_eq!(report.output.actions.len(), 1, "{report:?}");
    assert_eq!(world.applied("apply_tag"), [json!("101")]);
}
