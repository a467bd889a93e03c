//! What goes wrong on the way of an execution, through the whole platform: each ends with a reason and without a second
//! effect. The waits of retries are tested with a moved clock in `worker.rs`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{TimeDelta, Utc};
use mfh_aws::{Queues, Stage, Tables};
use mfh_database::{Acceptance, ConnectionChange, Reservation};
use mfh_helpers::{Category, Context, Helper, HelperError, Meta, Outcome, register};
use mfh_local::aws::sqs::{NewMessage, QueueCounts};
use mfh_local::cloud::{DATA_BUCKET, STAGE};
use mfh_pipeline::Sweeper;
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_types::{
    AccountId, ConnectionId, ConnectionStatus, Execution, ExecutionId, ExecutionMessage, ExecutionStatus, HelperType,
    ManualClock, Timestamp, UsagePeriod,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Tenant, World};

/// Meets a bug.
#[derive(Debug, Deserialize, JsonSchema)]
struct PanicIt {}

impl Helper for PanicIt {
    const META: Meta = Meta::new("panic_it", "Panic It", Category::Tagging, "Meets a bug.").needs_crm();
    const EXAMPLE: &'static str = "{}";

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        cx.apply_tag_id("101", "101").await?;
        panic!("a bug");
    }
}

register!(PanicIt);

/// Achieves a goal, which must not be sent twice.
#[derive(Debug, Deserialize, JsonSchema)]
struct AchieveIt {}

impl Helper for AchieveIt {
    const META: Meta = Meta::new("achieve_it", "Achieve It", Category::Tagging, "Achieves a goal.").needs_crm();
    const EXAMPLE: &'static str = "{}";

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        cx.achieve_goal("formcompleted", "mfh").await?;
        Ok(Outcome::done("achieved"))
    }
}

register!(AchieveIt);

const CONTACT: &str = "1007";

fn stage() -> Stage {
    Stage::new(STAGE)
}

fn queue(helper_type: &str) -> String {
    Queues::helper_queue(&stage(), &HelperType::parse(helper_type).unwrap())
}

fn tagging(tag: &str) -> Value {
    json!({ "action": "apply", "tag_ids": [tag] })
}

fn id(text: &str) -> ExecutionId {
    ExecutionId::parse(text).unwrap()
}

fn code(execution: &Value) -> (&str, &str) {
    (
        execution["status"].as_str().unwrap(),
        execution["error_code"].as_str().unwrap_or_default(),
    )
}

impl World {
    fn fault(&self, rule: FaultRule) {
        self.platform.keap.faults().add(rule);
    }

    /// The writes of this kind that the CRM applied.
    fn applied(&self, op: &str) -> usize {
        self.platform
            .keap
            .log()
            .writes()
            .iter()
            .filter(|write| write.op == op)
            .count()
    }

    async fn stored(&self, execution: &str) -> Execution {
        self.platform
            .database
            .executions()
            .get_any(&id(execution))
            .await
            .unwrap()
            .unwrap()
    }

    /// Puts a message into the queue of a type, under a deduplication id of its own.
    async fn send_message(&self, helper_type: &str, group: &str, deduplication_id: &str, body: String) {
        let message = NewMessage {
            body,
            group: Some(group.to_owned()),
            deduplication_id: Some(deduplication_id.to_owned()),
            ..NewMessage::default()
        };
        self.platform.cloud.sqs.send(queue(helper_type), message).await.unwrap();
    }

    /// Waits until the queue of a type is as wanted.
    async fn queue_until(&self, helper_type: &str, wanted: impl Fn(QueueCounts) -> bool) {
        support::until(async || {
            let counts = self.platform.cloud.sqs.counts(queue(helper_type)).await.unwrap();
            wanted(counts).then_some(()).ok_or_else(|| format!("{counts:?}"))
        })
        .await;
    }

    /// Waits for a kept dead letter; its body.
    async fn letter(&self, helper_type: &str) -> String {
        let s3 = self.platform.cloud.clients.s3();
        let dlq = Queues::helper_dlq(&stage(), &HelperType::parse(helper_type).unwrap());
        let key = support::until(async || {
            let listed = s3
                .list_objects_v2()
                .bucket(DATA_BUCKET)
                .prefix(format!("dlq/{dlq}/"))
                .send()
                .await
                .unwrap();
            let first = listed.contents().first().and_then(|object| object.key());
            first.map(str::to_owned).ok_or("no letter")
        })
        .await;
        let object = s3.get_object().bucket(DATA_BUCKET).key(key).send().await.unwrap();
        String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
    }

    async fn runs_used(&self, tenant: &Tenant<'_>) -> i64 {
        let account = AccountId::parse(&tenant.account_id).unwrap();
        let account = self.platform.database.accounts().get(&account).await.unwrap().unwrap();
        account.executions_in(UsagePeriod::of(Utc::now()))
    }

    /// Stores an execution of this type as the API would, if it knew the type.
    async fn put_execution(&self, tenant: &Tenant<'_>, name: &str, helper_type: Option<&str>) -> String {
        let now = Utc::now();
        let mut execution = json!({
            "execution_id": format!("exec:{name}"), "account_id": tenant.account_id, "helper_id": "helper:none",
            "status": "pending", "trigger_type": "api", "contact_id": CONTACT, "config": {},
            "created_at": Timestamp(now), "ttl": now.timestamp() + 86_400,
        });
        if let Some(helper_type) = helper_type {
            execution["helper_type"] = json!(helper_type);
        }
        let execution: Execution = serde_json::from_value(execution).unwrap();
        let reservation = Reservation {
            period: UsagePeriod::of(now),
            cap: None,
        };
        let accepted = self
            .platform
            .database
            .executions()
            .accept(&execution, reservation)
            .await;
        assert_eq!(accepted, Ok(Acceptance::Accepted));
        execution.summary.execution_id.to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_message_has_no_second_effect() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    let run = tenant.execute(&helper, CONTACT).await;
    let ended = tenant.ended(&run).await;
    assert_eq!(ended["status"], "completed", "{ended}");

    let message = ExecutionMessage::of(&world.stored(&run).await, Utc::now().into()).unwrap();
    let body = serde_json::to_string(&message).unwrap();
    for copy in ["copy-1", "copy-2"] {
        world
            .send_message("tag_it", &message.group_id(), copy, body.clone())
            .await;
    }
    world
        .queue_until("tag_it", |counts| counts == QueueCounts::default())
        .await;
    assert_eq!(tenant.execution(&run).await, ended);
    assert_eq!(world.applied("apply_tag"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_that_comes_while_the_run_is_under_way_waits_for_it() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    world.fault(FaultRule::new(Fault::Slow { ms: 1_000 }).on("POST", "/tags/101/"));
    let run = tenant.execute(&helper, CONTACT).await;
    tenant.until(&run, |execution| execution["status"] == "running").await;
    let message = ExecutionMessage::of(&world.stored(&run).await, Utc::now().into()).unwrap();
    // In a group of its own, so that the queue does not hold it back.
    world
        .send_message("tag_it", "another", "copy", serde_json::to_string(&message).unwrap())
        .await;

    let ended = tenant.ended(&run).await;
    assert_eq!((&ended["status"], &ended["attempt"]), (&json!("completed"), &json!(1)));
    // The copy stays in the queue for the rest of the lease it met.
    world
        .queue_until("tag_it", |counts| {
            counts
                == QueueCounts {
                    in_flight: 1,
                    ..QueueCounts::default()
                }
        })
        .await;
    assert_eq!(world.applied("apply_tag"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_with_one_idempotency_key_are_one_run() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    let used = world.runs_used(&tenant).await;
    let path = format!("/helper/{}/execute", helper["short_key"].as_str().unwrap());
    let headers = [
        ("x-api-key", tenant.api_key.clone()),
        ("idempotency-key", "order-17".to_owned()),
    ];
    let requests = (0..8).map(|_| world.send("POST", &path, &headers, json!({ "contact_id": CONTACT })));
    let answers = futures::future::join_all(requests).await;
    let mut ids: Vec<_> = answers
        .iter()
        .map(|(status, answer)| {
            assert_eq!(*status, 202, "{answer}");
            answer["data"]["execution_id"].as_str().unwrap()
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(tenant.ended(ids[0]).await["status"], "completed");
    assert_eq!(
        (world.applied("apply_tag"), world.runs_used(&tenant).await - used),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_is_kept_as_a_dead_letter_and_stops_nobody() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    world
        .send_message("tag_it", "group", "poison", "{ not JSON".to_owned())
        .await;
    assert_eq!(world.letter("tag_it").await, "{ not JSON");
    let run = tenant.execute(&helper, CONTACT).await;
    assert_eq!(tenant.ended(&run).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_that_names_its_execution_ends_it() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    // The run waits for its next attempt.
    world.fault(FaultRule::new(Fault::Status {
        status: 429,
        retry_after: Some(60),
        body: None,
    }));
    let run = tenant.execute(&helper, CONTACT).await;
    tenant
        .until(&run, |execution| execution["attempts"][0].is_object())
        .await;

    let body = json!({ "execution_id": run, "helper_type": 5 }).to_string();
    world.send_message("tag_it", "group", "poison", body.clone()).await;
    let ended = tenant.ended(&run).await;
    assert_eq!(code(&ended), ("failed", "DEAD_LETTER"));
    assert!(
        ended["error_message"].as_str().unwrap().contains("run it again"),
        "{ended}"
    );
    assert_eq!(world.letter("tag_it").await, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_or_missing_helper_type_fails_the_run_and_gives_it_back() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let used = world.runs_used(&tenant).await;
    let unknown = world.put_execution(&tenant, "unknown", Some("no_such_type")).await;
    let missing = world.put_execution(&tenant, "missing", None).await;
    for run in [unknown, missing] {
        let ended = tenant.ended(&run).await;
        assert_eq!(code(&ended), ("failed", "UNKNOWN_HELPER_TYPE"), "{ended}");
    }
    assert_eq!(world.runs_used(&tenant).await, used);
    // The stream goes on behind them.
    let helper = tenant.helper("tag_it", tagging("101")).await;
    let run = tenant.execute(&helper, CONTACT).await;
    assert_eq!(tenant.ended(&run).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crm_that_fails_puts_the_run_back_with_the_reason() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    // Three tries within the call.
    world.fault(FaultRule::status(500).times(3));
    let run = tenant.execute(&helper, CONTACT).await;
    let waiting = tenant
        .until(&run, |execution| execution["attempts"][0].is_object())
        .await;
    assert_eq!(code(&waiting), ("pending", "UNAVAILABLE"), "{waiting}");
    assert!(
        waiting["attempts"][0]["error"].as_str().unwrap().contains("Keap"),
        "{waiting}"
    );
    world
        .queue_until("tag_it", |counts| {
            counts
                == QueueCounts {
                    in_flight: 1,
                    ..QueueCounts::default()
                }
        })
        .await;
    // Another contact does not wait.
    let other = tenant.execute(&helper, "1008").await;
    assert_eq!(tenant.ended(&other).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_are_tried_again_within_the_call() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Html, Fault::Malformed] {
        world.platform.keap.faults().clear();
        world.fault(FaultRule::new(fault.clone()).on("POST", "/tags/101/"));
        let run = tenant.execute(&helper, CONTACT).await;
        let ended = tenant.ended(&run).await;
        assert_eq!(code(&ended), ("completed", ""), "{fault:?}: {ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_retry_after_waits_in_the_table_until_the_sweeper_sends_it() {
    let clock = Arc::new(ManualClock::at(Utc::now()));
    let world = World::start_with(|options| mfh_local::platform::Options {
        clock: clock.clone(),
        ..options
    })
    .await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    world.fault(FaultRule::new(Fault::Status {
        status: 429,
        retry_after: Some(1_200),
        body: None,
    }));
    let run = tenant.execute(&helper, CONTACT).await;
    let waiting = tenant.until(&run, |execution| execution["status"] == "waiting").await;
    assert_eq!(waiting["error_code"], "RATE_LIMITED");
    world
        .queue_until("tag_it", |counts| counts == QueueCounts::default())
        .await;

    clock.advance(TimeDelta::seconds(1_200));
    let sqs = world.platform.cloud.clients.sqs().clone();
    let queues = Queues::new(sqs.clone(), stage());
    let sweeper = Sweeper::new(world.platform.database.clone(), sqs, queues, clock);
    assert_eq!(sweeper.sweep().await.unwrap().sent, 1);
    let ended = tenant.ended(&run).await;
    assert_eq!(
        (&ended["status"], &ended["attempt"]),
        (&json!("completed"), &json!(2)),
        "{ended}"
    );
    assert_eq!(world.applied("apply_tag"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_fails_the_run_and_the_connection_says_so() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    world.fault(FaultRule::status(401).always());
    let run = tenant.execute(&helper, CONTACT).await;
    let ended = tenant.ended(&run).await;
    assert_eq!(code(&ended), ("failed", "UNAUTHORIZED"));
    assert!(
        ended["error_message"].as_str().unwrap().contains("Connect it again"),
        "{ended}"
    );
    let (_, connections) = tenant.call("GET", "/platform-connections", Value::Null).await;
    assert_eq!(connections["data"][0]["status"], "error", "{connections}");

    world.platform.keap.faults().clear();
    let run = tenant.execute(&helper, CONTACT).await;
    assert_eq!(tenant.ended(&run).await["status"], "completed");
    let (_, connections) = tenant.call("GET", "/platform-connections", Value::Null).await;
    assert_eq!(connections["data"][0]["status"], "active", "{connections}");
}

/// What happens to the account while a run lies in its queue.
enum Meanwhile {
    HelperDeleted,
    HelperDisabled,
    ConnectionDeleted,
    ConnectionDisconnected,
    AccountSuspended,
}

impl Meanwhile {
    async fn happen(&self, world: &World, tenant: &Tenant<'_>, helper: &Value) {
        let path = format!("/helpers/{}", helper["helper_id"].as_str().unwrap());
        let account = AccountId::parse(&tenant.account_id).unwrap();
        let connection = ConnectionId::parse(&tenant.connection_id).unwrap();
        let connections = world.platform.database.connections();
        match self {
            Self::HelperDeleted => {
                let (status, answer) = tenant.call("DELETE", &path, Value::Null).await;
                assert!((200..300).contains(&status), "{answer}");
            }
            Self::HelperDisabled => {
                let (status, answer) = tenant.call("PUT", &path, json!({ "enabled": false })).await;
                assert_eq!(status, 200, "{answer}");
            }
            Self::ConnectionDeleted => assert_eq!(connections.delete(&account, &connection).await, Ok(true)),
            Self::ConnectionDisconnected => {
                let status = Some(ConnectionStatus::Disconnected);
                let change = ConnectionChange {
                    status,
                    ..ConnectionChange::default()
                };
                connections
                    .update(&account, &connection, change, Timestamp(Utc::now()))
                    .await
                    .unwrap();
            }
            Self::AccountSuspended => {
                let client = world.platform.cloud.clients.dynamodb();
                let update = client
                    .update_item()
                    .table_name(Tables::by_convention(&stage()).accounts);
                update
                    .key("account_id", AttributeValue::S(tenant.account_id.clone()))
                    .update_expression("SET #status = :suspended")
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_values(":suspended", AttributeValue::S("suspended".to_owned()))
                    .send()
                    .await
                    .unwrap();
            }
        }
    }
}

/// Lets something happen while a run waits behind another of its contact; the code of the waiting one.
async fn cancelled_by(meanwhile: Meanwhile) -> String {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let first = tenant.helper("tag_it", tagging("101")).await;
    let second = tenant.helper("tag_it", tagging("102")).await;
    let used = world.runs_used(&tenant).await;
    world.fault(FaultRule::new(Fault::Slow { ms: 1_500 }).on("POST", "/tags/101/"));
    let slow = tenant.execute(&first, CONTACT).await;
    let waiting = tenant.execute(&second, CONTACT).await;
    tenant.until(&slow, |execution| execution["status"] == "running").await;
    meanwhile.happen(&world, &tenant, &second).await;

    let ended = world
        .until_changed(async || {
            let execution = world.stored(&waiting).await;
            let has_ended = execution.summary.status.is_terminal();
            has_ended.then_some(execution).ok_or("not ended")
        })
        .await;
    assert_eq!(ended.summary.status, ExecutionStatus::Cancelled);
    assert!(ended.summary.error_message.unwrap().contains("before this run started"));
    assert_eq!(world.stored(&slow).await.summary.status, ExecutionStatus::Completed);
    assert_eq!(world.applied("apply_tag"), 1, "only the first run did something");
    assert_eq!(
        world.runs_used(&tenant).await - used,
        1,
        "the cancelled run is given back"
    );
    ended.summary.error_code.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_deleted_while_its_run_is_queued_cancels_it() {
    assert_eq!(cancelled_by(Meanwhile::HelperDeleted).await, "HELPER_DELETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_disabled_while_its_run_is_queued_cancels_it() {
    assert_eq!(cancelled_by(Meanwhile::HelperDisabled).await, "HELPER_DISABLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_deleted_while_its_run_is_queued_cancels_it() {
    assert_eq!(cancelled_by(Meanwhile::ConnectionDeleted).await, "CONNECTION_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_switched_off_while_its_run_is_queued_cancels_it() {
    assert_eq!(
        cancelled_by(Meanwhile::ConnectionDisconnected).await,
        "CONNECTION_DISABLED"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_suspended_while_its_run_is_queued_cancels_it() {
    assert_eq!(cancelled_by(Meanwhile::AccountSuspended).await, "ACCOUNT_INACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_or_deleted_helper_is_not_run_by_any_route() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("tag_it", tagging("101")).await;
    let (helper_id, short_key) = (
        helper["helper_id"].as_str().unwrap(),
        helper["short_key"].as_str().unwrap(),
    );
    let one = format!("/helpers/{helper_id}");
    let refusals = async || {
        let by_user = tenant
            .call("POST", &format!("{one}/execute"), json!({ "contact_id": CONTACT }))
            .await;
        let body = || json!({ "contact_id": CONTACT });
        let header = [("x-api-key", tenant.api_key.clone())];
        let by_header = world
            .send("POST", &format!("/helper/{short_key}/execute"), &header, body())
            .await;
        let by_path = world
            .send("POST", &format!("/helper/{}/{short_key}", tenant.api_key), &[], body())
            .await;
        [by_user, by_header, by_path]
            .map(|(status, answer)| (status, answer["code"].as_str().unwrap_or_default().to_owned()))
    };
    let (status, answer) = tenant.call("PUT", &one, json!({ "enabled": false })).await;
    assert_eq!(status, 200, "{answer}");
    for refusal in refusals().await {
        assert_eq!(refusal, (409, "HELPER_DISABLED".to_owned()));
    }
    tenant.call("DELETE", &one, Value::Null).await;
    for (status, _) in refusals().await {
        assert_eq!(status, 404);
    }
    assert_eq!(world.applied("apply_tag"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_run_alone() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let panics = tenant.helper("panic_it", json!({})).await;
    // Two runs on one contact: the second does not wait behind the first for long.
    for _ in 0..2 {
        let run = tenant.execute(&panics, CONTACT).await;
        let ended = tenant.ended(&run).await;
        assert_eq!(
            (code(&ended), &ended["attempt"]),
            (("failed", "INTERNAL"), &json!(1)),
            "{ended}"
        );
        assert_eq!(ended["output"]["actions"][0]["type"], "tag_applied", "{ended}");
    }
    let helper = tenant.helper("tag_it", tagging("102")).await;
    let run = tenant.execute(&helper, CONTACT).await;
    assert_eq!(tenant.ended(&run).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_whose_answer_was_lost_is_not_achieved_again() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let helper = tenant.helper("achieve_it", json!({})).await;
    world.fault(FaultRule::new(Fault::CutAfter).on("POST", "goals/achieve"));
    let run = tenant.execute(&helper, CONTACT).await;
    let ended = tenant.ended(&run).await;
    assert_eq!(code(&ended), ("failed", "UNKNOWN_OUTCOME"), "{ended}");
    assert!(
        ended["error_message"].as_str().unwrap().contains("check in the CRM"),
        "{ended}"
    );
    // A copy of its message does not send it either.
    let message = ExecutionMessage::of(&world.stored(&run).await, Utc::now().into()).unwrap();
    world
        .send_message(
            "achieve_it",
            &message.group_id(),
            "copy",
            serde_json::to_string(&message).unwrap(),
        )
        .await;
    world
        .queue_until("achieve_it", |counts| counts == QueueCounts::default())
        .await;
    assert_eq!(world.applied("achieve_goal"), 1);
}
