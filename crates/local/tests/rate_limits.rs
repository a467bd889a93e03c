//! Many worker processes over one table keep the limits of a vendor together, and tenants share an app's quota equally.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TableStatus;
use chrono::{DateTime, TimeDelta, Utc};
use mfh_aws::{Clients, Stage, Tables};
use mfh_connectors::{Connector, ConnectorConfig, ErrorKind, Shared, Sleeper, StaticToken, Transport, build};
use mfh_database::{Database, schema};
use mfh_local::aws::dynamodb::DynamoDb;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::{Endpoint, Service};
use mfh_simulators::Keap;
use mfh_simulators::keap::{Limits, PERSONAL_ACCESS_TOKEN};
use mfh_types::{AuthType, Clock, ConnectionId, ConnectionSettings, ManualClock, RateLimits, Secret, SeededRandom};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A time that passes only while every task waits: then it moves on to the first of their wake-ups.
#[derive(Debug)]
struct VirtualTime {
    clock: Arc<ManualClock>,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    awake: usize,
    woken: u64,
    sleeping: BinaryHeap<Reverse<(DateTime<Utc>, u64)>>,
    bells: BTreeMap<u64, oneshot::Sender<()>>,
}

impl VirtualTime {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::new(ManualClock::at(DateTime::from_timestamp(1_772_323_200, 0).unwrap())),
            tasks: Mutex::default(),
        })
    }

    /// Counts a task that begins; it has to end with [`VirtualTime::ended`].
    fn begin(&self) {
        self.tasks.lock().unwrap().awake += 1;
    }

    fn ended(&self) {
        let mut tasks = self.tasks.lock().unwrap();
        tasks.awake -= 1;
        self.move_on(&mut tasks);
    }

    fn move_on(&self, tasks: &mut Tasks) {
        if tasks.awake > 0 {
            return;
        }
        if let Some(Reverse((at, n))) = tasks.sleeping.pop() {
            self.clock.advance((at - self.clock.now()).max(TimeDelta::zero()));
            tasks.awake += 1;
            tasks.bells.remove(&n).unwrap().send(()).unwrap();
        }
    }
}

#[async_trait]
impl Sleeper for VirtualTime {
    async fn sleep(&self, duration: Duration) {
        let rings = {
            let (bell, rings) = oneshot::channel();
            let mut tasks = self.tasks.lock().unwrap();
            tasks.woken += 1;
            let n = tasks.woken;
            let at = self.clock.now() + TimeDelta::from_std(duration).unwrap();
            tasks.sleeping.push(Reverse((at, n)));
            tasks.bells.insert(n, bell);
            tasks.awake -= 1;
            self.move_on(&mut tasks);
            rings
        };
        rings.await.unwrap();
    }
}

/// One table, one limited CRM, and a time of their own.
struct Fleet {
    time: Arc<VirtualTime>,
    database: Database,
    clients: Clients,
    keap: Keap,
    base_url: String,
    _server: mfh_simulators::Server,
    _folder: TempDir,
}

impl Fleet {
    async fn start(limits: Limits) -> Self {
        let time = VirtualTime::new();
        let folder = tempfile::tempdir().unwrap();
        let tables = DynamoDb::open(folder.path().join("tables.db"), "000000000000").unwrap();
        let endpoint = Endpoint::builder("000000000000")
            .with(Service::DynamoDb, tables)
            .build();
        let clients = Clients::new(sdk_config(endpoint));
        let stage = Stage::new("test");
        schema::create_missing(clients.dynamodb(), &stage).await.unwrap();
        let database = Database::new(clients.dynamodb().clone(), Tables::by_convention(&stage));
        let keap = Keap::open(None, time.clock.clone(), Arc::new(SeededRandom::new(1))).unwrap();
        keap.set_limits(limits);
        let server = keap.start().await.unwrap();
        Self {
            base_url: server.base_url(),
            time,
            database,
            clients,
            keap,
            _server: server,
            _folder: folder,
        }
    }

    /// A worker process.
    fn process(&self, n: u64) -> Arc<Shared> {
        Shared::in_fleet(
            self.database.clone(),
            Transport::new().unwrap(),
            self.time.clock.clone(),
            Arc::new(SeededRandom::new(n)),
            self.time.clone(),
        )
    }

    /// A connection of a tenant in a process.
    fn connect(&self, shared: &Arc<Shared>, tenant: &str, auth_type: AuthType) -> Arc<dyn Connector> {
        let config = ConnectorConfig {
            connection_id: ConnectionId::parse(tenant).unwrap(),
            base_url: Some(self.base_url.clone()),
            auth_type,
            credentials: Arc::new(StaticToken::new("keap", Secret::new(PERSONAL_ACCESS_TOKEN))),
            app_id: None,
            settings: ConnectionSettings::default(),
            external_app_id: Some(tenant.to_owned()),
            rate_limits: RateLimits::default(),
            user_host: false,
            throttle_key: None,
            shared: Arc::clone(shared),
        };
        build("keap", config).unwrap()
    }

    /// The status of every request, and when it came.
    fn requests(&self) -> Vec<(u16, DateTime<Utc>)> {
        let entries = self.keap.log().requests();
        entries.iter().map(|entry| (entry.status, entry.at.0)).collect()
    }
}

/// Calls of one tenant: how many are left to do, and when each was done.
#[derive(Debug)]
struct Work {
    left: Mutex<u32>,
    done: Mutex<Vec<DateTime<Utc>>>,
}

impl Work {
    fn new(calls: u32) -> Arc<Self> {
        Arc::new(Self {
            left: Mutex::new(calls),
            done: Mutex::default(),
        })
    }

    fn take(&self) -> bool {
        let mut left = self.left.lock().unwrap();
        let any = *left > 0;
        *left -= u32::from(any);
        any
    }

    fn done(&self) -> Vec<DateTime<Utc>> {
        self.done.lock().unwrap().clone()
    }
}

/// One run after the other, as a worker takes them from its queue: one that has to wait long goes back and comes again.
async fn work(time: Arc<VirtualTime>, crm: Arc<dyn Connector>, work: Arc<Work>, latency: Duration) {
    while work.take() {
        loop {
            match crm.test_connection().await {
                Ok(()) => break,
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::RateLimited, "{error:?}");
                    assert_eq!(error.status, None, "the vendor was asked too often");
                    time.sleep(error.retry_after.unwrap()).await;
                }
            }
        }
        work.done.lock().unwrap().push(time.clock.now());
        time.sleep(latency).await;
    }
    time.ended();
}

fn spawn(tasks: &mut JoinSet<()>, fleet: &Fleet, crm: Arc<dyn Connector>, calls: &Arc<Work>, latency: u64) {
    fleet.time.begin();
    let latency = Duration::from_millis(latency);
    tasks.spawn(work(fleet.time.clone(), crm, Arc::clone(calls), latency));
}

/// Starts all at once: a task that begins while others sleep must not find the time moved on.
async fn run(fleet: &Fleet, start: impl FnOnce(&mut JoinSet<()>)) {
    fleet.time.begin();
    let mut tasks = JoinSet::new();
    start(&mut tasks);
    fleet.time.ended();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// The most times in any stretch of this length.
fn busiest(times: &[DateTime<Utc>], length: TimeDelta) -> usize {
    let mut times = times.to_vec();
    times.sort_unstable();
    (0..times.len())
        .map(|first| times[first..].partition_point(|time| *time < times[first] + length))
        .max()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_keep_the_limit_of_an_account_together_and_lose_no_call() {
    // A pasted key: 240 a minute and 10 a second at Keap.
    let fleet = Fleet::start(Limits {
        per_second: Some(10),
        per_minute: Some(240),
    })
    .await;
    let calls = Work::new(400);
    run(&fleet, |tasks| {
        for process in 0..6 {
            let shared = fleet.process(process);
            for worker in 0..3 {
                let crm = fleet.connect(&shared, "connection:a", AuthType::ApiKey);
                spawn(tasks, &fleet, crm, &calls, 80 + 70 * worker);
            }
        }
    })
    .await;
    let requests = fleet.requests();
    assert_eq!(requests.len(), 400);
    assert!(requests.iter().all(|(status, _)| *status == 200), "{requests:?}");
    let times: Vec<_> = requests.iter().map(|(_, at)| *at).collect();
    assert!(busiest(&times, TimeDelta::seconds(1)) <= 10);
    assert!(busiest(&times, TimeDelta::minutes(1)) <= 240);
    // Three a second are allowed; more than four fifths of it are used, although six processes share it.
    let took = (*times.iter().max().unwrap() - *times.iter().min().unwrap()).num_milliseconds();
    assert!(took < 400 * 1_000 / 3 * 5 / 4, "{took} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_with_waiting_work_get_equal_shares_of_the_apps_quota() {
    let fleet = Fleet::start(Limits {
        per_second: None,
        per_minute: Some(1_500),
    })
    .await;
    // One has many workers in all processes, the other a few in two of them.
    let (many, few) = (Work::new(2_000), Work::new(2_000));
    run(&fleet, |tasks| {
        for process in 0..4 {
            let shared = fleet.process(process);
            for _ in 0..8 {
                let crm = fleet.connect(&shared, "connection:many", AuthType::OAuth2);
                spawn(tasks, &fleet, crm, &many, 100);
            }
            if process < 2 {
                for _ in 0..2 {
                    let crm = fleet.connect(&shared, "connection:few", AuthType::OAuth2);
                    spawn(tasks, &fleet, crm, &few, 100);
                }
            }
        }
    })
    .await;
    let requests = fleet.requests();
    assert_eq!(requests.len(), 4_000);
    assert!(requests.iter().all(|(status, _)| *status == 200));
    let times: Vec<_> = requests.iter().map(|(_, at)| *at).collect();
    assert!(busiest(&times, TimeDelta::minutes(1)) <= 1_200);

    let until = many
        .done()
        .into_iter()
        .max()
        .unwrap()
        .min(few.done().into_iter().max().unwrap());
    let share = |work: &Work| work.done().iter().filter(|at| **at <= until).count();
    let (many, few) = (share(&many), share(&few));
    let part = many as f64 / (many + few) as f64;
    assert!((0.45..=0.55).contains(&part), "{many} : {few}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_little_work_does_not_wait_for_one_with_much() {
    let fleet = Fleet::start(Limits {
        per_second: None,
        per_minute: Some(1_500),
    })
    .await;
    let (much, little) = (Work::new(1_200), Work::new(40));
    run(&fleet, |tasks| {
        let shared = fleet.process(1);
        for _ in 0..12 {
            let crm = fleet.connect(&shared, "connection:much", AuthType::OAuth2);
            spawn(tasks, &fleet, crm, &much, 50);
        }
        let crm = fleet.connect(&fleet.process(2), "connection:little", AuthType::OAuth2);
        spawn(tasks, &fleet, crm, &little, 1_000);
    })
    .await;
    // A call a second, each of which waits for less than half a second in the mean.
    let done = little.done();
    let took = *done.last().unwrap() - done[0];
    assert!(took < TimeDelta::seconds(39 + 20), "{took}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_table_a_process_goes_on_with_a_cautious_share() {
    let fleet = Fleet::start(Limits {
        per_second: Some(10),
        per_minute: Some(240),
    })
    .await;
    let table = Tables::by_convention(&Stage::new("test")).rate_limits;
    let gone = fleet
        .clients
        .dynamodb()
        .delete_table()
        .table_name(&table)
        .send()
        .await
        .unwrap();
    assert_ne!(
        gone.table_description().unwrap().table_status(),
        Some(&TableStatus::Active)
    );
    let calls = Work::new(30);
    run(&fleet, |tasks| {
        for process in 0..4 {
            let crm = fleet.connect(&fleet.process(process), "connection:a", AuthType::ApiKey);
            spawn(tasks, &fleet, crm, &calls, 50);
        }
    })
    .await;
    let requests = fleet.requests();
    assert_eq!(requests.len(), 30);
    assert!(requests.iter().all(|(status, _)| *status == 200));
    let times: Vec<_> = requests.iter().map(|(_, at)| *at).collect();
    // Four of them, each with a tenth of three a second.
    assert!(
        busiest(&times, TimeDelta::seconds(10)) <= 4 * 4,
        "{}",
        busiest(&times, TimeDelta::seconds(10))
    );
}
