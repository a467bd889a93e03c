//! The binaries that are deployed, each behind a Lambda Runtime API: only they serve the stage of this test.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use mfh_aws::{Queues, Stage, Tables};
use mfh_database::{Acceptance, Database, Reservation, schema};
use mfh_local::aws::dynamodb::StreamRecord;
use mfh_local::aws::sqs::{Receive, ReceivedMessage};
use mfh_local::cloud::STAGE;
use mfh_local::runtime_api::Function;
use mfh_types::{Execution, ExecutionStatus, HelperType, SystemClock, TimestampMs, UsagePeriod};
use serde_json::{Value, json};
use support::{Tenant, World};

/// No mapping of the platform knows this stage.
const OWN_STAGE: &str = "bins";

/// Builds these binaries as cargo built this test; the folder they are in.
fn build(binaries: &[&str]) -> PathBuf {
    // target/<profile>/deps/<this test>
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    // With a test among the targets, dependencies have the features that `cargo test --workspace` gave them: nothing
    // but the binaries is built anew.
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--workspace", "--test", "binaries"]);
    cargo.arg("--target-dir").arg(folder.parent().unwrap());
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    for binary in binaries {
        cargo.args(["--bin", binary]);
    }
    assert!(cargo.status().unwrap().success(), "the binaries cannot be built");
    folder
}

/// A stage of its own in the AWS services of a world: tables with the world's tenants, and one queue.
struct OwnStage<'a> {
    world: &'a World,
    folder: PathBuf,
    stage: Stage,
    database: Database,
}

impl<'a> OwnStage<'a> {
    async fn of(world: &'a World, folder: PathBuf) -> Self {
        let stage = Stage::new(OWN_STAGE);
        let client = world.platform.cloud.clients.dynamodb();
        schema::create_missing(client, &stage).await.unwrap();
        let tables = Tables::by_convention(&stage);
        let theirs = Tables::by_convention(&Stage::new(STAGE));
        for (from, to) in [
            (&theirs.accounts, &tables.accounts),
            (&theirs.platforms, &tables.platforms),
            (&theirs.connections, &tables.connections),
            (&theirs.platform_connection_auths, &tables.platform_connection_auths),
            (&theirs.helpers, &tables.helpers),
        ] {
            copy(client, from, to).await;
        }
        let sqs = &world.platform.cloud.sqs;
        let attributes = [
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "true"),
            ("VisibilityTimeout", "360"),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        sqs.create_queue(Queues::helper_queue(&stage, &tag_it()), attributes.into())
            .await
            .unwrap();
        let database = Database::new(client.clone(), tables);
        Self {
            world,
            folder,
            stage,
            database,
        }
    }

    /// Runs a binary on an event; its answer.
    async fn invoke(&self, binary: &str, event: &Value) -> Value {
        let function = Function {
            binary: self.folder.join(binary),
            stage: self.stage.clone(),
            url: self.world.url.clone(),
        };
        let answer = function.invoke(event.to_string()).await.unwrap();
        assert!(!answer.failed, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The changes of the executions so far, as Lambda hands them over.
    async fn stream_event(&self) -> Value {
        let table = Tables::by_convention(&self.stage).executions;
        let records = self
            .world
            .platform
            .cloud
            .dynamodb
            .read_stream(table, 0, 100)
            .await
            .unwrap();
        json!({ "Records": records.iter().map(stream_record).collect::<Vec<_>>() })
    }

    /// What waits in the queue of `tag_it`.
    async fn messages(&self) -> Vec<ReceivedMessage> {
        let queue = Queues::helper_queue(&self.stage, &tag_it());
        let receive = Receive {
            max: 10,
            visibility: None,
            wait: Some(Duration::ZERO),
        };
        self.world.platform.cloud.sqs.receive(queue, receive).await.unwrap()
    }

    async fn execution(&self, execution: &Execution) -> Execution {
        let id = &execution.summary.execution_id;
        self.database.executions().get_any(id).await.unwrap().unwrap()
    }
}

fn tag_it() -> HelperType {
    HelperType::parse("tag_it").unwrap()
}

async fn copy(client: &Client, from: &str, to: &str) {
    let items = client.scan().table_name(from).send().await.unwrap().items.unwrap();
    assert!(!items.is_empty(), "{from}");
    for item in items {
        client
            .put_item()
            .table_name(to)
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
    }
}

fn stream_record(record: &StreamRecord) -> Value {
    json!({
        "eventID": record.event_id, "eventName": record.event_name, "eventVersion": "1.1",
        "eventSource": "aws:dynamodb", "awsRegion": "us-west-2",
        "eventSourceARN": "arn:aws:dynamodb:us-west-2:000000000000:table/mfh-bins-executions/stream/2026-01-01T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": record.created_at, "Keys": record.keys, "NewImage": record.new_image,
            "SequenceNumber": record.sequence_number(), "SizeBytes": 1000, "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    })
}

fn queue_event(messages: &[ReceivedMessage], receive_count: u32) -> Value {
    let record = |received: &ReceivedMessage| {
        let message = &received.message;
        json!({
            "messageId": message.message_id, "receiptHandle": received.receipt.to_string(), "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": receive_count.to_string(), "MessageGroupId": message.group,
                "MessageDeduplicationId": message.deduplication_id, "SentTimestamp": message.sent_at.to_string(),
                "SequenceNumber": message.sequence.to_string(), "SenderId": "AIDAEXAMPLE",
            },
            "messageAttributes": {}, "md5OfBody": "0", "eventSource": "aws:sqs", "awsRegion": "us-west-2",
            "eventSourceARN": "arn:aws:sqs:us-west-2:000000000000:mfh-bins-tag-it-executions.fifo",
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

fn pending(tenant: &Tenant<'_>, helper: &Value, contact: &str, tag: &str) -> Execution {
    let now = TimestampMs::now(&SystemClock);
    serde_json::from_value(json!({
        "execution_id": "exec:0190a0b0-0000-7000-8000-000000000001", "account_id": tenant.account_id,
        "helper_id": helper["helper_id"], "helper_type": "tag_it", "connection_id": tenant.connection_id,
        "contact_id": contact, "status": "pending", "trigger_type": "api",
        "config": { "action": "apply", "tag_ids": [tag] }, "created_at": now, "ttl": now.0.timestamp() + 86_400,
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_put_into_the_table_is_routed_and_run_by_the_real_binaries() {
    let binaries = ["mfh-stream-router", "mfh-tag-it-worker"];
    let folder = tokio::task::spawn_blocking(move || build(&binaries)).await.unwrap();
    let world = World::start().await;
    let tenant = world.tenant("eve").await;
    let untag = tenant
        .helper("tag_it", json!({ "action": "remove", "tag_ids": ["104"] }))
        .await;
    assert_eq!(
        tenant.ended(&tenant.execute(&untag, "1015").await).await["status"],
        "completed"
    );
    let helper = tenant
        .helper("tag_it", json!({ "action": "apply", "tag_ids": ["104"] }))
        .await;
    let before = world.writes().await.len();

    let own = OwnStage::of(&world, folder).await;
    let execution = pending(&tenant, &helper, "1015", "104");
    let period = UsagePeriod::of(execution.summary.created_at.0);
    let accepted = own
        .database
        .executions()
        .accept(&execution, Reservation { period, cap: None })
        .await
        .unwrap();
    assert_eq!(accepted, Acceptance::Accepted);
    assert!(
        own.messages().await.is_empty(),
        "something else than the binaries serves this stage"
    );

    let answer = own.invoke("mfh-stream-router", &own.stream_event().await).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let messages = own.messages().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(own.execution(&execution).await.summary.status, ExecutionStatus::Pending);

    let answer = own.invoke("mfh-tag-it-worker", &queue_event(&messages, 1)).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let ended = own.execution(&execution).await;
    assert_eq!(
        ended.summary.status,
        ExecutionStatus::Completed,
        "{:?}",
        ended.summary.error_message
    );
    let writes = world.writes().await;
    assert_eq!(writes.len(), before + 1);
    let last = writes.last().unwrap();
    let applied = (
        last["op"].as_str(),
        last["contact_id"].as_str(),
        last["tag_id"].as_str(),
        &last["changed"],
    );
    assert_eq!(
        applied,
        (Some("apply_tag"), Some("1015"), Some("104"), &json!(true)),
        "{last}"
    );

    // A second delivery of the stream record and of the message.
    let again = own.invoke("mfh-stream-router", &own.stream_event().await).await;
    assert_eq!(again, json!({ "batchItemFailures": [] }));
    let again = own.invoke("mfh-tag-it-worker", &queue_event(&messages, 2)).await;
    assert_eq!(again, json!({ "batchItemFailures": [] }));
    assert_eq!(world.writes().await.len(), before + 1);
    assert_eq!(own.execution(&execution).await, ended);
}
