//! The life of a delivery, with a clock that is moved by hand: one worker between a real queue, real tables and the
//! Keap simulator.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/delivery.rs"]
mod delivery;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use delivery::delivery;
use mfh_aws::{Clients, OAuthClients, Queues, Stage, Tables, Vault};
use mfh_connectors::{Loader, Shared, Transport};
use mfh_database::{Claim, Connecting, Creation, Database, NewConnection, Registration};
use mfh_local::aws::dynamodb::DynamoDb;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::sqs::{NewMessage, QueueCounts, Receive, ReceivedMessage};
use mfh_local::aws::{AwsService, Endpoint, Service};
use mfh_local::cloud::{ACCOUNT_ID, Cloud, DATA_BUCKET, SECRETS_KEY, STAGE};
use mfh_local::data_dir::DataDir;
use mfh_pipeline::{Accept, BurstLimits, Sweep, Sweeper, Trigger};
use mfh_simulators::faults::{Fault, FaultRule, Times};
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use mfh_simulators::{Keap, Server};
use mfh_types::{
    Account, AccountId, Clock, ConnectionId, ConnectionStatus, Credentials, Execution, ExecutionId, ExecutionMessage,
    ExecutionStatus, Helper, HelperType, ManualClock, Platform, PlatformConnection, Random, Secret, SeededRandom,
    Timestamp, TriggerType,
};
use mfh_worker::{BatchResponse, Outputs, SqsEvent, Worker};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is left of an invocation when a delivery begins.
const BUDGET: Duration = Duration::from_secs(300);

/// An account `a` with the helper `h` (`tag_it`) on the connection `k`, and the worker of its type.
struct Bench {
    clock: Arc<ManualClock>,
    cloud: Cloud,
    database: Database,
    keap: Keap,
    accept: Accept,
    worker: Worker,
    account: Account,
    helper: Helper,
    _server: Server,
    _folder: TempDir,
}

fn record<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn tag_it() -> HelperType {
    HelperType::parse("tag_it").unwrap()
}

fn stage() -> Stage {
    Stage::new(STAGE)
}

fn busy(retry_after: u64) -> FaultRule {
    FaultRule::new(Fault::Status {
        status: 429,
        retry_after: Some(retry_after),
        body: None,
    })
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manual = Arc::new(ManualClock::at(DateTime::from_timestamp(1_772_323_200, 0).unwrap()));
        let clock: Arc<dyn Clock> = manual.clone();
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let dir = DataDir::open(folder.path()).unwrap();
        let cloud = Cloud::open(&dir, "http://127.0.0.1:1", &clock, &random).unwrap();
        cloud.deploy().await.unwrap();
        let keap = Keap::open(None, clock.clone(), random.clone()).unwrap();
        let server = keap.start().await.unwrap();

        let database = Database::new(cloud.clients.dynamodb().clone(), Tables::by_convention(&stage()));
        let shared = Shared::new(Transport::new().unwrap(), clock.clone(), random.clone(), manual.clone());
        let vault = Vault::new(cloud.clients.kms().clone(), SECRETS_KEY);
        let apps = OAuthClients::new(cloud.clients.ssm().clone(), stage());
        let loader = Loader::new(database.clone(), vault, apps, shared, clock.clone());
        let (account, helper) = plant(&database, &loader, &server, Timestamp::now(&*clock)).await;
        let worker = Worker::new(
            mfh_helpers::find("tag_it").unwrap(),
            stage(),
            database.clone(),
            loader,
            cloud.clients.sqs().clone(),
            Outputs::new(cloud.clients.s3().clone(), DATA_BUCKET),
            clock.clone(),
        );
        let accept = Accept::new(database.clone(), clock, random, BurstLimits::OFF);
        let (clock, _server, _folder) = (manual, server, folder);
        Self {
            clock,
            cloud,
            database,
            keap,
            accept,
            worker,
            account,
            helper,
            _server,
            _folder,
        }
    }

    /// Accepts a run on a contact and puts its message into the queue, as the router does.
    async fn queued(&self, contact: &str) -> ExecutionId {
        let trigger = Trigger {
            contact_id: Some(contact.to_owned()),
            ..Trigger::new(TriggerType::Api)
        };
        let accepted = self.accept.accept(&self.account, &self.helper, trigger).await.unwrap();
        self.send(&accepted.execution).await;
        accepted.execution.summary.execution_id
    }

    async fn send(&self, execution: &Execution) {
        let message = ExecutionMessage::of(execution, self.clock.now().into()).unwrap();
        let message = NewMessage {
            group: Some(message.group_id()),
            deduplication_id: Some(message.deduplication_id()),
            body: serde_json::to_string(&message).unwrap(),
            ..NewMessage::default()
        };
        self.cloud.sqs.send(self.queue(), message).await.unwrap();
    }

    fn queue(&self) -> String {
        Queues::helper_queue(&stage(), &tag_it())
    }

    /// What the queue has now, if anything.
    async fn receive(&self) -> Option<ReceivedMessage> {
        self.cloud
            .sqs
            .receive(self.queue(), Receive::default())
            .await
            .unwrap()
            .pop()
    }

    async fn counts(&self) -> QueueCounts {
        self.cloud.sqs.counts(self.queue()).await.unwrap()
    }

    /// Receives the next message and gives it to the worker, as an event source mapping does; false when it stays.
    async fn deliver(&self) -> bool {
        let message = self.receive().await.expect("a message is visible");
        self.hand_over(&message, &self.worker).await
    }

    async fn hand_over(&self, message: &ReceivedMessage, worker: &Worker) -> bool {
        let owner = format!("{}/{}", message.message.message_id, message.receive_count);
        let event = SqsEvent {
            records: vec![delivery(message)],
        };
        let handled = worker.handle(event, BUDGET, &owner).await == BatchResponse::default();
        if handled {
            // Refused when the message was given to somebody else meanwhile, who then deletes it.
            let _deleted = self.cloud.sqs.delete(self.queue(), message.receipt).await;
        }
        handled
    }

    /// Asserts that the queue gives nothing for `secs` and then something.
    async fn hidden_for(&self, secs: i64) {
        self.advance(secs - 1);
        assert!(self.receive().await.is_none(), "visible before {secs} s");
        self.advance(1);
        assert_eq!(self.counts().await.visible, 1, "not visible after {secs} s");
    }

    fn advance(&self, secs: i64) {
        self.clock.advance(TimeDelta::seconds(secs));
    }

    async fn execution(&self, id: &ExecutionId) -> Execution {
        self.database.executions().get_any(id).await.unwrap().unwrap()
    }

    /// Status and code of an execution.
    async fn outcome(&self, id: &ExecutionId) -> (ExecutionStatus, Option<String>) {
        let run = self.execution(id).await.summary;
        (run.status, run.error_code)
    }

    async fn connection(&self) -> PlatformConnection {
        let id: ConnectionId = record(json!("k"));
        self.database
            .connections()
            .get(&self.account.account_id, &id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn sweep(&self) -> Sweep {
        let sqs = self.cloud.clients.sqs().clone();
        let queues = Queues::new(sqs.clone(), stage());
        Sweeper::new(self.database.clone(), sqs, queues, self.clock.clone())
            .sweep()
            .await
            .unwrap()
    }

    /// How many tags the CRM applied.
    fn applied(&self) -> usize {
        self.keap
            .log()
            .writes()
            .iter()
            .filter(|write| write.op == "apply_tag")
            .count()
    }

    fn fault(&self, rule: FaultRule) {
        self.keap.faults().add(rule);
    }
}

/// DynamoDB on a bad day: it lets some calls pass and then throttles some.
struct Throttling {
    tables: Arc<DynamoDb>,
    passing: AtomicU32,
    throttled: AtomicU32,
}

fn count_down(counter: &AtomicU32) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

#[async_trait]
impl AwsService for Throttling {
    async fn call(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        if count_down(&self.passing) || !count_down(&self.throttled) {
            return self.tables.call(request).await;
        }
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#;
        let mut answer = http::Response::new(Bytes::from_static(body.as_bytes()));
        *answer.status_mut() = http::StatusCode::BAD_REQUEST;
        answer
    }
}

impl Bench {
    /// A worker whose tables let `passing` calls pass and throttle the `throttled` calls after them.
    fn throttled(&self, passing: u32, throttled: u32) -> (Worker, Arc<Throttling>) {
        let throttling = Arc::new(Throttling {
            tables: self.cloud.dynamodb.clone(),
            passing: AtomicU32::new(passing),
            throttled: AtomicU32::new(throttled),
        });
        (self.worker_over(throttling.clone()), throttling)
    }

    /// A worker with other tables than the rest of the bench.
    fn worker_over(&self, tables: Arc<impl AwsService + 'static>) -> Worker {
        let endpoint = Endpoint::builder(ACCOUNT_ID).with(Service::DynamoDb, tables).build();
        let clients = Clients::new(sdk_config(endpoint));
        let database = Database::new(clients.dynamodb().clone(), Tables::by_convention(&stage()));
        let clock: Arc<dyn Clock> = self.clock.clone();
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(3));
        let shared = Shared::in_fleet(
            database.clone(),
            Transport::new().unwrap(),
            clock.clone(),
            random,
            self.clock.clone(),
        );
        let vault = Vault::new(self.cloud.clients.kms().clone(), SECRETS_KEY);
        let apps = OAuthClients::new(self.cloud.clients.ssm().clone(), stage());
        Worker::new(
            mfh_helpers::find("tag_it").unwrap(),
            stage(),
            database.clone(),
            Loader::new(database, vault, apps, shared, clock.clone()),
            self.cloud.clients.sqs().clone(),
            Outputs::new(self.cloud.clients.s3().clone(), DATA_BUCKET),
            clock,
        )
    }
}

/// DynamoDB that refuses the transaction which ends a run.
struct Endless(Arc<DynamoDb>);

#[async_trait]
impl AwsService for Endless {
    async fn call(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let target = request.headers()["x-amz-target"].to_str().unwrap();
        if !target.ends_with(".TransactWriteItems") {
            return self.0.call(request).await;
        }
        let body = r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"no"}"#;
        let mut answer = http::Response::new(Bytes::from_static(body.as_bytes()));
        *answer.status_mut() = http::StatusCode::BAD_REQUEST;
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_end_could_not_be_written_is_taken_up_again_without_waiting_for_its_lease() {
    let bench = Bench::start().await;
    let run = bench.queued("1001").await;
    let worker = bench.worker_over(Arc::new(Endless(bench.cloud.dynamodb.clone())));
    let message = bench.receive().await.unwrap();
    assert!(!bench.hand_over(&message, &worker).await);
    bench.hidden_for(30).await;
    assert!(bench.deliver().await);
    assert_eq!(bench.outcome(&run).await, (ExecutionStatus::Completed, None));
    let writes = bench.keap.log().writes();
    assert_eq!(writes.iter().filter(|write| write.changed).count(), 1, "{writes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_when_tables_are_throttled_for_a_moment() {
    let bench = Bench::start().await;
    for passing in [0, 4] {
        let run = bench.queued("1001").await;
        // As often as the SDK repeats a call by itself.
        let (worker, throttling) = bench.throttled(passing, 2);
        let message = bench.receive().await.unwrap();
        assert!(bench.hand_over(&message, &worker).await, "after {passing} calls");
        assert_eq!(throttling.throttled.load(Ordering::SeqCst), 0);
        assert_eq!(bench.outcome(&run).await, (ExecutionStatus::Completed, None));
    }
    assert_eq!(bench.applied(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_stays_while_tables_are_throttled_and_its_run_has_one_effect() {
    for passing in [0, 1, 4, 6] {
        let bench = Bench::start().await;
        let run = bench.queued("1001").await;
        let (worker, throttling) = bench.throttled(passing, u32::MAX);
        let message = bench.receive().await.unwrap();
        assert!(!bench.hand_over(&message, &worker).await, "after {passing} calls");
        bench.hidden_for(30).await;
        let (status, _) = bench.outcome(&run).await;
        assert!(
            matches!(status, ExecutionStatus::Pending | ExecutionStatus::Running),
            "{status:?}"
        );

        // The lease of the broken attempt has to end before another one begins.
        throttling.throttled.store(0, Ordering::SeqCst);
        for _ in 0..2 {
            if let Some(message) = bench.receive().await {
                bench.hand_over(&message, &worker).await;
            }
            bench.advance(300);
        }
        assert_eq!(
            bench.outcome(&run).await,
            (ExecutionStatus::Completed, None),
            "after {passing} calls"
        );
        assert_eq!(bench.counts().await, QueueCounts::default());
        // A tag may be applied again when nobody could write down that it was; it is there once.
        let writes = bench.keap.log().writes();
        assert_eq!(writes.iter().filter(|write| write.changed).count(), 1, "{writes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stops_its_process_each_time_is_ended_at_last() {
    let bench = Bench::start().await;
    let run = bench.queued("1001").await;
    for process in 0..100 {
        let (now, owner) = (bench.clock.now(), process.to_string());
        let executions = bench.database.executions();
        let claim = executions.claim(&run, &owner, now.into(), now.timestamp()).await;
        assert!(matches!(claim.unwrap(), Claim::Claimed(_)), "process {process}");
        bench.advance(1);
    }
    let message = bench.receive().await.unwrap();
    assert!(bench.hand_over(&message, &bench.worker).await);
    let ended = (ExecutionStatus::Failed, Some("DEAD_LETTER".to_owned()));
    assert_eq!(bench.outcome(&run).await, ended);
    assert_eq!(bench.applied(), 0);
}

/// Stores the account with everything that a run of its helper needs.
async fn plant(database: &Database, loader: &Loader, crm: &Server, now: Timestamp) -> (Account, Helper) {
    let (created, updated) = (now, now);
    let user = record(json!({
        "user_id": "a", "cognito_user_id": "a", "email": "a@example.com", "name": "a", "company": "",
        "phone_number": null, "current_account_id": "a", "created_at": created, "updated_at": updated,
    }));
    let account: Account = record(json!({
        "account_id": "a", "owner_user_id": "a", "created_by_user_id": "a", "name": "a",
        "created_at": created, "updated_at": updated,
    }));
    let membership = record(json!({
        "user_id": "a", "account_id": "a", "role": "Owner", "status": "Active",
        "linked_at": created, "updated_at": updated,
    }));
    let registered = database.users().register(&user, &account, &membership).await;
    assert_eq!(registered, Ok(Registration::Registered));

    let platform: Platform = record(json!({
        "platform_id": "platform:keap", "name": "Keap", "slug": "keap", "category": "crm",
        "api_config": { "base_url": crm.base_url(), "auth_type": "api_key" },
        "created_at": created, "updated_at": updated,
    }));
    database.platforms().upsert(&platform).await.unwrap();
    let credentials = Credentials {
        api_key: Some(Secret::new(PERSONAL_ACCESS_TOKEN)),
        ..Credentials::default()
    };
    let (account_id, connection_id): (AccountId, ConnectionId) = (record(json!("a")), record(json!("k")));
    let new = NewConnection {
        connection: record(json!({
            "connection_id": "k", "account_id": "a", "user_id": "a", "platform_id": "platform:keap", "name": "k",
            "status": "active", "auth_type": "api_key", "auth_id": "k", "created_at": created, "updated_at": updated,
        })),
        auth: record(json!({
            "auth_id": "k", "connection_id": "k", "account_id": "a", "user_id": "a", "platform_id": "platform:keap",
            "auth_type": "api_key", "status": "active", "created_at": now.0.timestamp(),
            "updated_at": now.0.timestamp(),
        })),
        sealed: loader.seal(&account_id, &connection_id, &credentials).await.unwrap(),
    };
    assert_eq!(database.connections().create(new, 1).await, Ok(Connecting::Created));

    let helper: Helper = record(json!({
        "helper_id": "h", "account_id": "a", "created_by": "a", "short_key": "key-h", "name": "h", "description": "",
        "helper_type": "tag_it", "category": "tagging", "status": "active", "enabled": true, "connection_id": "k",
        "config": { "action": "apply", "tag_ids": ["101"] }, "created_at": created, "updated_at": updated,
    }));
    assert_eq!(database.helpers().create(&helper, 1).await, Ok(Creation::Created));
    (account, helper)
}

#[tokio::test]
async fn a_crm_that_stays_down_fails_the_run_at_the_third_delivery_with_the_reason() {
    let bench = Bench::start().await;
    bench.fault(FaultRule::status(503).always());
    let id = bench.queued("1007").await;

    for (attempt, wait) in [(1, 30), (2, 300)] {
        assert!(!bench.deliver().await);
        let execution = bench.execution(&id).await;
        assert_eq!(execution.summary.status, ExecutionStatus::Pending);
        assert_eq!(
            execution.summary.error_code.as_deref(),
            Some("UNAVAILABLE"),
            "shown while it waits"
        );
        assert_eq!(
            (execution.summary.attempt, execution.attempts.len()),
            (attempt, attempt as usize)
        );
        assert_eq!(execution.next_attempt_at, Some(bench.clock.unix() + wait));
        assert_eq!(execution.lease_owner, None);
        bench.hidden_for(wait).await;
    }
    assert!(bench.deliver().await, "the third failure is acknowledged");
    let execution = bench.execution(&id).await;
    assert_eq!(execution.summary.status, ExecutionStatus::Failed);
    assert_eq!(execution.summary.error_code.as_deref(), Some("UNAVAILABLE"));
    assert!(execution.summary.error_message.unwrap().contains("Keap"));
    assert_eq!(bench.counts().await, QueueCounts::default());
    let letters = bench
        .cloud
        .sqs
        .counts(Queues::helper_dlq(&stage(), &tag_it()))
        .await
        .unwrap();
    assert_eq!(letters, QueueCounts::default(), "a run that ended is no dead letter");
    assert_eq!(
        bench.keap.log().requests().len(),
        9,
        "three tries within each of three runs"
    );
}

#[tokio::test]
async fn a_crm_that_comes_back_completes_the_run() {
    let bench = Bench::start().await;
    bench.fault(FaultRule::status(500).times(3));
    bench.fault(FaultRule::new(Fault::Cut).times(3));
    let id = bench.queued("1007").await;
    assert!(!bench.deliver().await);
    assert_eq!(
        bench.execution(&id).await.summary.error_code.as_deref(),
        Some("UNAVAILABLE")
    );
    bench.hidden_for(30).await;
    assert!(!bench.deliver().await);
    assert_eq!(
        bench.execution(&id).await.summary.error_code.as_deref(),
        Some("NETWORK")
    );
    bench.hidden_for(300).await;
    assert!(bench.deliver().await);
    assert_eq!(bench.outcome(&id).await, (ExecutionStatus::Completed, None));
    assert_eq!((bench.execution(&id).await.attempts.len(), bench.applied()), (2, 1));
}

#[tokio::test]
async fn retry_after_is_obeyed_to_the_second() {
    let bench = Bench::start().await;
    bench.fault(busy(120));
    bench.fault(busy(600));
    let id = bench.queued("1007").await;
    for wait in [120, 600] {
        assert!(!bench.deliver().await);
        assert_eq!(
            bench.outcome(&id).await,
            (ExecutionStatus::Pending, Some("RATE_LIMITED".to_owned()))
        );
        bench.hidden_for(wait).await;
    }
    assert!(bench.deliver().await);
    assert_eq!(bench.outcome(&id).await, (ExecutionStatus::Completed, None));
    assert_eq!(
        bench.keap.log().requests().len(),
        3,
        "no try that the vendor asked not to make"
    );
}

#[tokio::test]
async fn a_long_retry_after_waits_in_the_table_and_frees_the_queue() {
    let bench = Bench::start().await;
    bench.fault(busy(1_200));
    let id = bench.queued("1007").await;
    assert!(bench.deliver().await, "the message is acknowledged");
    let waiting = bench.execution(&id).await;
    assert_eq!(waiting.summary.status, ExecutionStatus::Waiting);
    assert_eq!(waiting.next_attempt_at, Some(bench.clock.unix() + 1_200));
    assert_eq!(bench.counts().await, QueueCounts::default());

    bench.advance(1_199);
    assert_eq!(bench.sweep().await, Sweep::default());
    bench.advance(1);
    assert_eq!(bench.sweep().await.sent, 1);
    assert_eq!(bench.sweep().await.sent, 0, "sent once");
    assert!(bench.deliver().await);
    assert_eq!(bench.outcome(&id).await, (ExecutionStatus::Completed, None));
    assert_eq!(bench.applied(), 1);
}

#[tokio::test]
async fn a_run_that_is_put_off_five_times_fails() {
    let bench = Bench::start().await;
    bench.fault(busy(1_200).times(5));
    let id = bench.queued("1007").await;
    for attempt in 1..=5 {
        assert!(bench.deliver().await);
        let status = if attempt < 5 {
            ExecutionStatus::Waiting
        } else {
            ExecutionStatus::Failed
        };
        assert_eq!(
            bench.outcome(&id).await,
            (status, Some("RATE_LIMITED".to_owned())),
            "attempt {attempt}"
        );
        bench.advance(1_200);
        assert_eq!(bench.sweep().await.sent, usize::from(attempt < 5));
    }
    assert_eq!((bench.keap.log().requests().len(), bench.applied()), (5, 0));
}

#[tokio::test]
async fn refused_credentials_fail_the_run_and_mark_the_connection_until_they_work() {
    let bench = Bench::start().await;
    bench.fault(FaultRule::status(401));
    let id = bench.queued("1007").await;
    assert!(bench.deliver().await);
    assert_eq!(
        bench.outcome(&id).await,
        (ExecutionStatus::Failed, Some("UNAUTHORIZED".to_owned()))
    );
    let connection = bench.connection().await;
    assert_eq!(
        (connection.status, connection.reauth_required),
        (ConnectionStatus::Error, true)
    );
    assert_eq!(connection.last_error.unwrap().code, "UNAUTHORIZED");

    let id = bench.queued("1007").await;
    assert!(bench.deliver().await);
    assert_eq!(bench.outcome(&id).await, (ExecutionStatus::Completed, None));
    let connection = bench.connection().await;
    assert_eq!(
        (connection.status, connection.reauth_required),
        (ConnectionStatus::Active, false)
    );
    assert_eq!(connection.last_error, None);
}

#[tokio::test]
async fn what_the_crm_refuses_for_good_fails_at_once() {
    let bench = Bench::start().await;
    let id = bench.queued("7").await;
    assert!(bench.deliver().await);
    assert_eq!(
        bench.outcome(&id).await,
        (ExecutionStatus::Failed, Some("NOT_FOUND".to_owned()))
    );
    assert_eq!(bench.execution(&id).await.summary.attempt, 1);
}

#[tokio::test]
async fn a_delivery_of_an_ended_or_unknown_execution_is_acknowledged_without_effect() {
    let bench = Bench::start().await;
    let id = bench.queued("1007").await;
    let message = bench.receive().await.unwrap();
    assert!(bench.hand_over(&message, &bench.worker).await);
    let ended = bench.execution(&id).await;
    let requests = bench.keap.log().requests().len();

    assert!(bench.hand_over(&message, &bench.worker).await);
    assert_eq!(bench.execution(&id).await, ended);
    assert_eq!(bench.keap.log().requests().len(), requests);

    let mut unknown = delivery(&message);
    unknown.body = unknown.body.replace(id.as_str(), "exec:gone");
    let event = SqsEvent { records: vec![unknown] };
    assert_eq!(bench.worker.handle(event, BUDGET, "it").await, BatchResponse::default());
    assert_eq!(bench.keap.log().requests().len(), requests);
}

#[tokio::test]
async fn a_second_delivery_waits_for_the_first_ones_lease_and_takes_over_when_its_worker_died() {
    let bench = Bench::start().await;
    let id = bench.queued("1007").await;
    let now = Timestamp::now(&*bench.clock);
    let lease = now.0.timestamp() + 310;
    let claim = bench
        .database
        .executions()
        .claim(&id, "died", now, lease)
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Claimed(_)));

    assert!(!bench.deliver().await);
    assert_eq!(
        (bench.outcome(&id).await.0, bench.applied()),
        (ExecutionStatus::Running, 0)
    );
    // The lease holds to its last second.
    bench.hidden_for(310).await;
    bench.advance(1);
    assert!(bench.deliver().await);
    let execution = bench.execution(&id).await;
    assert_eq!(
        (execution.summary.status, execution.summary.attempt),
        (ExecutionStatus::Completed, 2)
    );
    assert_eq!(bench.applied(), 1);
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing_any_more() {
    let bench = Arc::new(Bench::start().await);
    bench.fault(FaultRule::new(Fault::Slow { ms: 1_000 }).on("POST", "/tags/101/"));
    let id = bench.queued("1007").await;
    let slow = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.deliver().await }
    });
    while bench.keap.faults().rules()[0].times != Times::Count(0) {
        tokio::task::yield_now().await;
    }
    // Its message becomes visible after its lease is over, and a second worker takes the run.
    bench.advance(361);
    assert!(bench.deliver().await);
    let ended = bench.execution(&id).await;
    assert_eq!(
        (ended.summary.status, ended.summary.attempt),
        (ExecutionStatus::Completed, 2)
    );

    assert!(slow.await.unwrap());
    assert_eq!(bench.execution(&id).await, ended);
    let helper = bench
        .database
        .helpers()
        .get(&bench.account.account_id, &bench.helper.helper_id)
        .await;
    assert_eq!(helper.unwrap().unwrap().execution_count, 1, "one run is counted once");
}

#[tokio::test]
async fn a_run_ends_before_its_invocation_does() {
    let bench = Bench::start().await;
    bench.fault(FaultRule::new(Fault::Slow { ms: 20_000 }).on("POST", "/tags/101/"));
    let id = bench.queued("1007").await;
    let message = bench.receive().await.unwrap();
    let event = SqsEvent {
        records: vec![delivery(&message)],
    };
    // Fifteen seconds are kept back to write the end down.
    assert_eq!(
        bench.worker.handle(event, Duration::from_millis(15_050), "it").await,
        BatchResponse::default()
    );
    assert_eq!(
        bench.outcome(&id).await,
        (ExecutionStatus::Failed, Some("TIMEOUT".to_owned()))
    );
}

#[tokio::test]
async fn a_message_of_another_type_ends_its_execution_and_one_that_cannot_be_read_becomes_a_dead_letter() {
    let bench = Bench::start().await;
    let id = bench.queued("1007").await;
    let message = bench.receive().await.unwrap();
    let mut foreign = delivery(&message);
    foreign.body = foreign.body.replace("\"tag_it\"", "\"score_it\"");
    let mut garbage = delivery(&message);
    garbage.message_id = "garbage".to_owned();
    garbage.body = "{\"execution_id\": 5".to_owned();
    let event = SqsEvent {
        records: vec![foreign, garbage],
    };
    assert_eq!(bench.worker.handle(event, BUDGET, "it").await, BatchResponse::default());

    assert_eq!(
        bench.outcome(&id).await,
        (ExecutionStatus::Failed, Some("MISROUTED".to_owned()))
    );
    let dlq = Queues::helper_dlq(&stage(), &tag_it());
    let letter = bench
        .cloud
        .sqs
        .receive(dlq, Receive::default())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(letter.message.body, "{\"execution_id\": 5");
    assert!(bench.keap.log().requests().is_empty());
}

#[tokio::test]
async fn in_a_batch_only_the_group_of_a_failed_message_stays() {
    let bench = Bench::start().await;
    // The first request is that of the first message; its in-call tries fail too.
    bench.fault(FaultRule::status(503).times(3));
    let ids = [
        bench.queued("1007").await,
        bench.queued("1007").await,
        bench.queued("1008").await,
    ];
    let receive = Receive {
        max: 10,
        ..Receive::default()
    };
    let messages = bench.cloud.sqs.receive(bench.queue(), receive).await.unwrap();
    assert_eq!(messages.len(), 3);
    let event = SqsEvent {
        records: messages.iter().map(delivery).collect(),
    };
    let failed = bench.worker.handle(event, BUDGET, "it").await.batch_item_failures;
    let failed: Vec<_> = failed.into_iter().map(|failure| failure.item_identifier).collect();
    let stays = [&messages[0].message.message_id, &messages[1].message.message_id];
    assert_eq!(failed.iter().collect::<Vec<_>>(), stays);
    let mut statuses = Vec::new();
    for id in &ids {
        statuses.push(bench.outcome(id).await.0);
    }
    use ExecutionStatus::{Completed, Pending};
    assert_eq!(statuses, [Pending, Pending, Completed]);
    assert_eq!(
        bench.execution(&ids[1]).await.summary.attempt,
        0,
        "not begun before its turn"
    );
}

#[tokio::test]
async fn an_execution_whose_message_was_lost_is_sent_again() {
    let bench = Bench::start().await;
    let trigger = Trigger {
        contact_id: Some("1007".to_owned()),
        ..Trigger::new(TriggerType::Api)
    };
    let accepted = bench
        .accept
        .accept(&bench.account, &bench.helper, trigger)
        .await
        .unwrap();
    bench.advance(3_601);
    assert_eq!(bench.sweep().await.sent, 1);
    assert!(bench.deliver().await);
    let id = accepted.execution.summary.execution_id;
    assert_eq!(bench.outcome(&id).await, (ExecutionStatus::Completed, None));
}

#[tokio::test]
async fn a_run_whose_workers_die_again_and_again_is_given_up() {
    let bench = Bench::start().await;
    let id = bench.queued("1007").await;
    for death in 1..=5 {
        let now = Timestamp::now(&*bench.clock);
        let lease = now.0.timestamp() + 310;
        let claim = bench
            .database
            .executions()
            .claim(&id, &format!("{death}"), now, lease)
            .await
            .unwrap();
        assert!(matches!(claim, Claim::Claimed(_)), "death {death}: {claim:?}");
        bench.advance(310 + 121);
        let sweep = bench.sweep().await;
        assert_eq!(
            (sweep.sent, sweep.ended),
            if death < 5 { (1, 0) } else { (0, 1) },
            "death {death}"
        );
    }
    assert_eq!(
        bench.outcome(&id).await,
        (ExecutionStatus::Failed, Some("LEASE_EXPIRED".to_owned()))
    );
    assert_eq!(bench.execution(&id).await.attempts.len(), 4);
}
