//! Many runs at once at vendors that limit requests: from acceptance through stream, router, queues and a fleet of
//! workers to the simulated CRM, in a time that passes only while everybody waits.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/delivery.rs"]
mod delivery;
#[path = "support/virtual_time.rs"]
mod virtual_time;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chrono::{DateTime, TimeDelta, Utc};
use delivery::delivery;
use mfh_aws::{OAuthClients, Queues, Stage, Tables, Vault};
use mfh_connectors::{Loader, Shared, Site, Sleeper, Transport};
use mfh_database::{Connecting, Creation, Database, NewConnection, PENDING_SHARDS, Registration};
use mfh_local::aws::sqs::Receive;
use mfh_local::cloud::{Cloud, DATA_BUCKET, SECRETS_KEY, STAGE};
use mfh_local::data_dir::DataDir;
use mfh_pipeline::{
    Accept, BurstLimits, Router as StreamRouter, StreamEvent, StreamImage, StreamRecord, Sweeper, Trigger,
};
use mfh_simulators::{GoHighLevel, Keap, Server, gohighlevel, keap};
use mfh_types::{
    Account, AccountId, AuthType, Clock, ConnectionId, ConnectionSettings, Credentials, Execution, ExecutionId,
    ExecutionStatus, Helper, HelperType, Platform, Random, Secret, SeededRandom, Timestamp, TriggerType,
};
use mfh_worker::{Outputs, SqsEvent, Worker};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::ServiceExt;
use virtual_time::{VirtualTime, busiest};

/// The time of an invocation.
const BUDGET: Duration = Duration::from_secs(300);

/// How long who finds nothing to do waits at first, and at most.
const SHORTEST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// No scenario takes longer than this, by its own time.
const LONGEST: TimeDelta = TimeDelta::hours(4);

fn record<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn stage() -> Stage {
    Stage::new(STAGE)
}

fn tag_it() -> HelperType {
    HelperType::parse("tag_it").unwrap()
}

/// One account of ours with one connection and a helper for each of its tags.
struct Tenant {
    account: Account,
    helpers: Vec<Helper>,
}

/// How a tenant is connected.
struct Connected<'a> {
    slug: &'a str,
    auth_type: &'a str,
    /// Where its account at the vendor is.
    base_url: String,
    external_app_id: &'a str,
    credentials: Credentials,
}

/// Everything that runs share, and what was seen of them.
struct Fleet {
    time: Arc<VirtualTime>,
    cloud: Cloud,
    database: Database,
    random: Arc<dyn Random>,
    /// Whether all runs were submitted.
    submitted: AtomicBool,
    over: AtomicBool,
    /// Deliveries of messages that had been delivered once before, and of those delivered twice before.
    seconds: AtomicUsize,
    thirds: AtomicUsize,
    /// Messages that the sweeper sent.
    swept: AtomicUsize,
    _folder: TempDir,
}

impl Fleet {
    async fn start(begin: &str, grain: TimeDelta) -> Arc<Self> {
        let time = VirtualTime::from(begin.parse().unwrap(), grain);
        let clock: Arc<dyn Clock> = time.clock.clone();
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let cloud = Cloud::open(&dir, "http://127.0.0.1:1", &clock, &random).unwrap();
        cloud.deploy().await.unwrap();
        let database = Database::new(cloud.clients.dynamodb().clone(), Tables::by_convention(&stage()));
        Arc::new(Self {
            time,
            cloud,
            database,
            random,
            submitted: AtomicBool::new(false),
            over: AtomicBool::new(false),
            seconds: AtomicUsize::new(0),
            thirds: AtomicUsize::new(0),
            swept: AtomicUsize::new(0),
            _folder: folder,
        })
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.time.clock.clone()
    }

    fn now(&self) -> DateTime<Utc> {
        self.time.clock.now()
    }

    /// The loader of a process of its own.
    fn loader(&self, n: u64) -> Loader {
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(n));
        let shared = Shared::in_fleet(
            self.database.clone(),
            Transport::new().unwrap(),
            self.clock(),
            random,
            self.time.clone(),
        );
        let vault = Vault::new(self.cloud.clients.kms().clone(), SECRETS_KEY);
        let apps = OAuthClients::new(self.cloud.clients.ssm().clone(), stage());
        Loader::new(self.database.clone(), vault, apps, shared, self.clock())
    }

    fn worker(&self, n: u64) -> Worker {
        Worker::new(
            mfh_helpers::find("tag_it").unwrap(),
            stage(),
            self.database.clone(),
            self.loader(n),
            self.cloud.clients.sqs().clone(),
            Outputs::new(self.cloud.clients.s3().clone(), DATA_BUCKET),
            self.clock(),
        )
    }

    /// A platform whose record states these limits; without any, the connector keeps to those of the vendor.
    async fn plant_platform(&self, slug: &str, base_url: &str, limits: Value) {
        let now = Timestamp::now(&*self.time.clock);
        let platform: Platform = record(json!({
            "platform_id": format!("platform:{slug}"), "name": slug, "slug": slug, "category": "crm",
            "api_config": { "base_url": base_url, "auth_type": "oauth2", "rate_limits": limits }, "created_at": now,
            "updated_at": now,
        }));
        self.database.platforms().upsert(&platform).await.unwrap();
    }

    async fn plant(&self, name: &str, to: Connected<'_>, tags: &[String]) -> Tenant {
        let now = Timestamp::now(&*self.time.clock);
        let user = record(json!({
            "user_id": name, "cognito_user_id": name, "email": format!("{name}@example.com"), "name": name,
            "company": "", "phone_number": null, "current_account_id": name, "created_at": now, "updated_at": now,
        }));
        let account: Account = record(json!({
            "account_id": name, "owner_user_id": name, "created_by_user_id": name, "name": name, "created_at": now,
            "updated_at": now,
        }));
        let membership = record(json!({
            "user_id": name, "account_id": name, "role": "Owner", "status": "Active", "linked_at": now,
            "updated_at": now,
        }));
        let registered = self.database.users().register(&user, &account, &membership).await;
        assert_eq!(registered, Ok(Registration::Registered));

        let (account_id, connection_id): (AccountId, ConnectionId) = (record(json!(name)), record(json!(name)));
        let sealed = self.loader(0).seal(&account_id, &connection_id, &to.credentials).await;
        let platform = format!("platform:{}", to.slug);
        let new = NewConnection {
            connection: record(json!({
                "connection_id": name, "account_id": name, "user_id": name, "platform_id": platform, "name": name,
                "status": "active", "auth_type": to.auth_type, "auth_id": name, "base_url": to.base_url,
                "external_app_id": to.external_app_id, "created_at": now, "updated_at": now,
            })),
            auth: record(json!({
                "auth_id": name, "connection_id": name, "account_id": name, "user_id": name, "platform_id": platform,
                "auth_type": to.auth_type, "status": "active", "created_at": now.0.timestamp(),
                "updated_at": now.0.timestamp(),
            })),
            sealed: sealed.unwrap(),
        };
        assert_eq!(
            self.database.connections().create(new, 1).await,
            Ok(Connecting::Created)
        );

        let mut helpers = Vec::new();
        for (n, tag) in tags.iter().enumerate() {
            let id = format!("{name}-{n}");
            let helper: Helper = record(json!({
                "helper_id": id, "account_id": name, "created_by": name, "short_key": format!("key-{id}"), "name": id,
                "description": "", "helper_type": "tag_it", "category": "tagging", "status": "active",
                "enabled": true, "connection_id": name, "config": { "action": "apply", "tag_ids": [tag] },
                "created_at": now, "updated_at": now,
            }));
            assert_eq!(self.database.helpers().create(&helper, 0).await, Ok(Creation::Created));
            helpers.push(helper);
        }
        Tenant { account, helpers }
    }

    /// Submits a run of each helper on each contact, helper after helper.
    async fn submit(&self, tenant: &Tenant, contacts: &[String]) -> Vec<ExecutionId> {
        let accept = Accept::new(
            self.database.clone(),
            self.clock(),
            Arc::clone(&self.random),
            BurstLimits::OFF,
        );
        let mut accepted = Vec::new();
        for helper in &tenant.helpers {
            for contact in contacts {
                let trigger = Trigger {
                    contact_id: Some(contact.clone()),
                    ..Trigger::new(TriggerType::Api)
                };
                let run = accept.accept(&tenant.account, helper, trigger).await.unwrap();
                accepted.push(run.execution.summary.execution_id);
            }
        }
        accepted
    }

    /// Waits because there is nothing to do, and tells how long to wait when there still is nothing then.
    async fn rest(&self, length: Duration) -> Duration {
        self.time.sleep(length).await;
        (length * 2).min(LONGEST_REST)
    }

    /// The stream and its router, until everything is over.
    async fn route(self: Arc<Self>) {
        let sqs = self.cloud.clients.sqs().clone();
        let router = StreamRouter::new(
            self.database.clone(),
            sqs.clone(),
            Queues::new(sqs, stage()),
            self.clock(),
        );
        let table = Tables::by_convention(&stage()).executions;
        let (mut after, mut idle) = (0, SHORTEST_REST);
        while !self.over.load(Ordering::Relaxed) {
            let read = self.cloud.dynamodb.read_stream_for_new_items(table.clone(), after, 500);
            let records = read.await.unwrap();
            let Some(last) = records.last() else {
                idle = self.rest(idle).await;
                continue;
            };
            (after, idle) = (last.sequence, SHORTEST_REST);
            let inserted = records.iter().filter(|record| record.event_name == "INSERT");
            let event = StreamEvent {
                records: inserted
                    .map(|record| StreamRecord {
                        event_name: record.event_name.clone(),
                        dynamodb: StreamImage {
                            sequence_number: record.sequence_number(),
                            new_image: record.new_image.as_ref().unwrap().as_object().unwrap().clone(),
                        },
                    })
                    .collect(),
            };
            assert!(router.route(event).await.failures.is_empty());
        }
        self.time.ended();
    }

    /// The sweeper, every minute, until nothing is open any more.
    async fn sweep(self: Arc<Self>) {
        let (sqs, begun) = (self.cloud.clients.sqs().clone(), self.now());
        let sweeper = Sweeper::new(
            self.database.clone(),
            sqs.clone(),
            Queues::new(sqs, stage()),
            self.clock(),
        );
        loop {
            self.time.sleep(Duration::from_secs(60)).await;
            let swept = sweeper.sweep().await.unwrap();
            self.swept.fetch_add(swept.sent, Ordering::Relaxed);
            let done = self.submitted.load(Ordering::Relaxed) && !self.any_is_open().await;
            if done || self.now() > begun + LONGEST {
                self.over.store(true, Ordering::Relaxed);
                return self.time.ended();
            }
        }
    }

    async fn any_is_open(&self) -> bool {
        for shard in PENDING_SHARDS {
            if !self
                .database
                .executions()
                .due(shard, i64::MAX, 1)
                .await
                .unwrap()
                .is_empty()
            {
                return true;
            }
        }
        false
    }

    /// Takes messages from the queue of the type one after the other, as one concurrent invocation does.
    async fn invoke(self: Arc<Self>, worker: Arc<Worker>, n: usize) {
        let queue = Queues::helper_queue(&stage(), &tag_it());
        let mut idle = SHORTEST_REST;
        while !self.over.load(Ordering::Relaxed) {
            let received = self
                .cloud
                .sqs
                .receive(queue.as_str(), Receive::default())
                .await
                .unwrap();
            let Some(message) = received.into_iter().next() else {
                idle = self.rest(idle).await;
                continue;
            };
            idle = SHORTEST_REST;
            match message.receive_count {
                2 => self.seconds.fetch_add(1, Ordering::Relaxed),
                3 => self.thirds.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
            let owner = format!("{n}/{}/{}", message.message.message_id, message.receive_count);
            let event = SqsEvent {
                records: vec![delivery(&message)],
            };
            let failures = worker.handle(event, BUDGET, &owner).await.batch_item_failures;
            if failures.is_empty() {
                self.cloud.sqs.delete(queue.as_str(), message.receipt).await.unwrap();
            }
        }
        self.time.ended();
    }

    /// Runs `submit` beside the fleet of so many processes with so many invocations each, until nothing is open.
    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        processes: u64,
        invocations: usize,
        submit: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.time.begin();
        let mut tasks = JoinSet::new();
        for process in 1..=processes {
            let worker = Arc::new(self.worker(process));
            for n in 0..invocations {
                self.time.begin();
                tasks.spawn(Arc::clone(self).invoke(Arc::clone(&worker), n));
            }
        }
        self.time.begin();
        tasks.spawn(Arc::clone(self).route());
        self.time.begin();
        tasks.spawn(Arc::clone(self).sweep());
        let submitted = submit.await;
        self.submitted.store(true, Ordering::Relaxed);
        self.time.ended();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        submitted
    }

    async fn execution(&self, id: &ExecutionId) -> Execution {
        self.database.executions().get_any(id).await.unwrap().unwrap()
    }

    /// What those of these runs that wait tell the user.
    async fn waiting(&self, runs: &[ExecutionId]) -> Vec<String> {
        let mut told = Vec::new();
        for id in runs {
            let run = self.execution(id).await;
            if run.summary.status == ExecutionStatus::Waiting {
                told.push(run.summary.error_message.unwrap());
            }
        }
        told
    }

    /// Asserts that all of these runs completed and that no message is left anywhere.
    async fn all_completed(&self, runs: &[ExecutionId]) {
        for id in runs {
            let run = self.execution(id).await.summary;
            assert_eq!(run.status, ExecutionStatus::Completed, "{run:?}");
        }
        for queue in [
            Queues::helper_queue(&stage(), &tag_it()),
            Queues::helper_dlq(&stage(), &tag_it()),
        ] {
            let counts = self.cloud.sqs.counts(queue.as_str()).await.unwrap();
            assert_eq!(counts, Default::default(), "{queue}");
        }
    }
}

fn signed_in(access_token: String) -> Credentials {
    Credentials {
        access_token: Some(Secret::new(access_token)),
        ..Credentials::default()
    }
}

/// How many of `times` lie within a stretch.
fn within(times: &[DateTime<Utc>], from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    times.iter().filter(|time| (from..to).contains(*time)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_of_two_thousand_runs_keeps_the_limit_of_the_app_loses_none_and_is_shared_equally() {
    let fleet = Fleet::start("2026-03-01T10:00:00Z", TimeDelta::milliseconds(200)).await;
    let keap = Keap::open(None, fleet.clock(), Arc::clone(&fleet.random)).unwrap();
    // What Keap allows an app over all its tenants: 1500 a minute, and 25 in any second.
    keap.set_limits(keap::Limits {
        per_second: Some(25),
        per_minute: Some(1_500),
        per_day: None,
    });
    let server = keap.start().await.unwrap();
    fleet.plant_platform("keap", &server.base_url(), json!({})).await;
    let contacts: Vec<String> = (1_001..=1_100).map(|id| id.to_string()).collect();
    let mut tenants = Vec::new();
    for (name, first_tag) in [("early", 101), ("late", 111)] {
        let to = Connected {
            slug: "keap",
            auth_type: "oauth2",
            base_url: server.base_url(),
            external_app_id: name,
            credentials: signed_in(keap.issue_tokens().unwrap().access_token),
        };
        let tags: Vec<String> = (first_tag..first_tag + 10).map(|tag| tag.to_string()).collect();
        tenants.push(fleet.plant(name, to, &tags).await);
    }

    let late_begins = fleet.now() + TimeDelta::seconds(5);
    let submit = {
        let (fleet, contacts) = (Arc::clone(&fleet), contacts.clone());
        async move {
            let mut runs = fleet.submit(&tenants[0], &contacts).await;
            fleet.time.sleep(Duration::from_secs(5)).await;
            runs.extend(fleet.submit(&tenants[1], &contacts).await);
            runs
        }
    };
    // More runs at once than can have their turn within ten seconds.
    let runs = fleet.run(6, 36, submit).await;

    assert_eq!(runs.len(), 2_000);
    fleet.all_completed(&runs).await;
    let requests = keap.log().requests();
    assert!(
        requests.iter().all(|request| request.status == 200),
        "a call over the limit"
    );
    let times: Vec<_> = requests.iter().map(|request| request.at.0).collect();
    assert_eq!(times.len(), 2_000, "one call a run: none was sent in vain or twice");
    assert!(busiest(&times, TimeDelta::minutes(1)) <= 1_500);
    assert!(busiest(&times, TimeDelta::seconds(1)) <= 25);
    assert!(fleet.seconds.load(Ordering::Relaxed) > 0, "no run had to come again");

    let mut by_contact: BTreeMap<(bool, String), Vec<u32>> = BTreeMap::new();
    let mut by_tenant: [Vec<DateTime<Utc>>; 2] = Default::default();
    for write in keap.log().writes() {
        let tag: u32 = write.tag_id.unwrap().parse().unwrap();
        let late = tag > 110;
        by_tenant[usize::from(late)].push(write.at.0);
        by_contact
            .entry((late, write.contact_id.unwrap()))
            .or_default()
            .push(tag);
    }
    assert_eq!(by_contact.len(), 200);
    for ((late, contact), tags) in &by_contact {
        let first = if *late { 111 } else { 101 };
        assert_eq!(*tags, (first..first + 10).collect::<Vec<_>>(), "contact {contact}");
    }

    // From when both were known to wait until one of them had little left.
    let [early, late] = &by_tenant;
    let (from, to) = (late_begins + TimeDelta::seconds(5), early[899].min(late[899]));
    let (of_early, of_late) = (within(early, from, to), within(late, from, to));
    let part = of_early as f64 / (of_early + of_late) as f64;
    assert!(of_early + of_late > 1_000, "{of_early} : {of_late}");
    // A run that was held back comes again after half a minute, whichever tenant's it is: the shares are equal to a tenth.
    assert!((0.4..=0.6).contains(&part), "{of_early} : {of_late}");
    // And the quota was used: at least three quarters of what we take of it.
    let rate = (of_early + of_late) as f64 / (to - from).num_seconds() as f64;
    assert!(rate > 15.0, "{rate} a second");
}

/// Two locations of GoHighLevel on one host, each with its own limits.
struct Locations {
    one: GoHighLevel,
    other: GoHighLevel,
    server: Server,
}

impl Locations {
    async fn start(fleet: &Fleet) -> Self {
        let open = || GoHighLevel::open(None, fleet.clock(), Arc::clone(&fleet.random)).unwrap();
        let (one, other) = (open(), open());
        let router = Router::new().nest("/one", one.router()).nest("/other", other.router());
        let server = Server::start(router, "").await.unwrap();
        Self { one, other, server }
    }

    /// Tenants `one` and `other`, each with a private integration of its own location.
    async fn plant(&self, fleet: &Fleet, tags: &[&str]) -> [Tenant; 2] {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let connected = |location: &GoHighLevel, path: &str| Connected {
            slug: "gohighlevel",
            auth_type: "api_key",
            base_url: format!("{}/{path}", self.server.base_url()),
            external_app_id: gohighlevel::LOCATION_ID,
            credentials: Credentials {
                api_key: Some(Secret::new(location.issue_tokens().unwrap().access_token)),
                ..Credentials::default()
            },
        };
        [
            fleet.plant("one", connected(&self.one, "one"), &tags).await,
            fleet.plant("other", connected(&self.other, "other"), &tags).await,
        ]
    }
}

fn demo_contacts(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("DemoContact{n:09}")).collect()
}

/// How often the location answered the fleet with which status.
fn statuses(location: &GoHighLevel) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    let requests = location.log().requests();
    for request in requests.iter().filter(|request| request.path != "/locations/any") {
        *statuses.entry(request.status).or_default() += 1;
    }
    statuses
}

/// The contacts that got a tag, in order.
fn tagged(location: &GoHighLevel) -> Vec<(DateTime<Utc>, String, String)> {
    let writes = location.log().writes().into_iter();
    let writes = writes.filter(|write| write.op == "apply_tag");
    writes
        .map(|write| (write.at.0, write.contact_id.unwrap(), write.tag_id.unwrap()))
        .collect()
}

/// One request a second, and two at once.
fn one_a_second() -> Value {
    json!({ "requests_per_second": 1, "burst_limit": 2 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_waits_in_its_order_and_keeps_nobody_waiting_whose_quota_is_another() {
    let fleet = Fleet::start("2026-03-01T10:00:00Z", TimeDelta::milliseconds(200)).await;
    let locations = Locations::start(&fleet).await;
    for location in [&locations.one, &locations.other] {
        location.set_limits(gohighlevel::Limits {
            per_ten_seconds: Some(12),
            per_day: None,
        });
    }
    fleet
        .plant_platform("gohighlevel", &locations.server.base_url(), one_a_second())
        .await;
    let tags = [
        "prospect",
        "lead",
        "customer",
        "vip",
        "former customer",
        "partner",
        "churn risk",
        "webinar",
    ];
    let [one, mut other] = locations.plant(&fleet, &tags).await;
    other.helpers.truncate(2);
    let submit = {
        let fleet = Arc::clone(&fleet);
        async move {
            let mut runs = fleet.submit(&one, &demo_contacts(36)).await;
            runs.extend(fleet.submit(&other, &demo_contacts(8)).await);
            runs
        }
    };
    let runs = fleet.run(44, 1, submit).await;

    assert_eq!(runs.len(), 36 * 8 + 8 * 2);
    fleet.all_completed(&runs).await;
    for (location, contacts, tags) in [(&locations.one, 36, &tags[..]), (&locations.other, 8, &tags[..2])] {
        let statuses = statuses(location);
        assert!(
            statuses.keys().all(|status| [200, 201].contains(status)),
            "{statuses:?}"
        );
        let tagged = tagged(location);
        for contact in demo_contacts(contacts) {
            let of_contact = tagged.iter().filter(|(_, tagged, _)| *tagged == contact);
            let order: Vec<&str> = of_contact.map(|(_, _, tag)| tag.as_str()).collect();
            assert_eq!(order, tags, "{contact}");
        }
    }
    // The crowd lasts so long that some messages come for the last time, and their runs wait in the invocation.
    assert!(fleet.thirds.load(Ordering::Relaxed) > 0, "{:?}", fleet.seconds);
    let took = |location| {
        let times = tagged(location);
        (times.last().unwrap().0 - times[0].0).num_seconds()
    };
    let (one, other) = (took(&locations.one), took(&locations.other));
    assert!(one > 300 && other < 100, "{one} s, {other} s");
}

#[tokio::test]
async fn who_only_names_the_location_of_another_slows_nobody_down() {
    let fleet = Fleet::start("2026-03-01T10:00:00Z", TimeDelta::milliseconds(1)).await;
    let locations = Locations::start(&fleet).await;
    let base_url = format!("{}/one", locations.server.base_url());
    fleet.plant_platform("gohighlevel", &base_url, one_a_second()).await;
    let platform = fleet
        .database
        .platforms()
        .get(&record(json!("platform:gohighlevel")))
        .await;
    let platform = platform.unwrap().unwrap();
    let good = locations.one.issue_tokens().unwrap().access_token;
    // How long a call of the owner waits while another account makes nine calls with this key.
    let waited = async |key: &str| {
        let connect = |n, connection: &str, key: &str| {
            let mut credentials = Credentials {
                api_key: Some(Secret::new(key)),
                ..Credentials::default()
            };
            let location = Secret::new(gohighlevel::LOCATION_ID);
            credentials.extra.insert("location_id".to_owned(), location);
            let site = Site {
                connection_id: &record(json!(connection)),
                auth_type: AuthType::ApiKey,
                base_url: None,
                external_app_id: None,
                settings: &ConnectionSettings::default(),
            };
            fleet.loader(n).connect(&platform, site, &credentials).unwrap()
        };
        fleet.time.begin();
        let mut calls = JoinSet::new();
        for n in 0..9 {
            let (crm, time) = (connect(n, "foreign", key), Arc::clone(&fleet.time));
            time.begin();
            calls.spawn(async move {
                let answer = crm.test_connection().await;
                time.ended();
                answer.is_ok()
            });
        }
        fleet.time.sleep(Duration::from_millis(500)).await;
        let begun = fleet.now();
        connect(9, "own", &good).test_connection().await.unwrap();
        let waited = fleet.now() - begun;
        fleet.time.ended();
        (waited, calls.join_all().await)
    };
    let (waited_for_guesses, answers) = waited("pit-00000000-0000-0000-0000-000000000000").await;
    assert_eq!(answers, [false; 9]);
    assert!(waited_for_guesses < TimeDelta::seconds(1), "{waited_for_guesses}");
    fleet.time.clock.advance(TimeDelta::minutes(1));
    // The vendor counts a key once, whoever of us uses it.
    let (waited_for_the_same_key, answers) = waited(&good).await;
    assert_eq!(answers, [true; 9]);
    assert!(
        waited_for_the_same_key > TimeDelta::seconds(5),
        "{waited_for_the_same_key}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_wait_for_the_next_day_when_the_requests_of_this_one_are_used_up() {
    // An hour and a half before the vendor's day ends.
    let fleet = Fleet::start("2026-03-01T22:30:00Z", TimeDelta::milliseconds(200)).await;
    let locations = Locations::start(&fleet).await;
    // What was used of the day before: one in a hundred of its requests is kept back, which must be more than this
    // fleet has under way at a time.
    for _ in 0..1_850 {
        let request = Request::get("/locations/any").body(Body::empty()).unwrap();
        locations.one.router().oneshot(request).await.unwrap();
    }
    fleet.time.clock.advance(TimeDelta::seconds(10));
    locations.one.set_limits(gohighlevel::Limits {
        per_ten_seconds: Some(100),
        per_day: Some(2_000),
    });
    fleet
        .plant_platform("gohighlevel", &locations.server.base_url(), json!({}))
        .await;
    let [one, other] = locations.plant(&fleet, &["vip", "lead"]).await;
    let midnight: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    let submit = {
        let fleet = Arc::clone(&fleet);
        async move {
            let mut runs = fleet.submit(&one, &demo_contacts(90)).await;
            runs.extend(fleet.submit(&other, &demo_contacts(10)).await);
            // Long after the day's requests were used up.
            fleet.time.sleep(Duration::from_secs(1_200)).await;
            let waiting = fleet.waiting(&runs).await;
            (runs, waiting)
        }
    };
    let (runs, waiting) = fleet.run(12, 1, submit).await;

    fleet.all_completed(&runs).await;
    let statuses = statuses(&locations.one);
    assert!(
        statuses.keys().all(|status| *status == 200 || *status == 201),
        "{statuses:?}"
    );
    let today = tagged(&locations.one).iter().filter(|(at, ..)| *at < midnight).count();
    assert!((100..150).contains(&today), "{today}");
    assert_eq!(tagged(&locations.one).len(), 180);
    assert!(
        tagged(&locations.other)
            .iter()
            .all(|(at, ..)| *at < midnight - TimeDelta::minutes(80))
    );

    // Nobody pushed in the meantime, and the user could read why.
    assert!(waiting.len() >= 30, "{}", waiting.len());
    for message in &waiting {
        assert!(message.contains("used up") && message.contains("minutes"), "{message}");
        assert!(message.contains("goes on by itself"), "{message}");
    }
    assert!(fleet.swept.load(Ordering::Relaxed) >= waiting.len());
    for id in &runs {
        let run = fleet.execution(id).await;
        assert_eq!((run.summary.attempt, run.attempts.len()), (1, 0), "{run:?}");
    }
}
