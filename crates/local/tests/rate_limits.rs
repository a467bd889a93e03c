//! Many worker processes over one table keep the limits of a vendor together, and tenants share an app's quota equally.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/virtual_time.rs"]
mod virtual_time;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::TableStatus;
use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use mfh_aws::{Clients, Stage, Tables};
use mfh_connectors::{Connector, ConnectorConfig, ErrorKind, Shared, Sleeper, StaticToken, Transport, build};
use mfh_database::{Database, schema};
use mfh_local::aws::dynamodb::DynamoDb;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::{Endpoint, Service};
use mfh_simulators::keap::{Limits, PERSONAL_ACCESS_TOKEN};
use mfh_simulators::{HubSpot, Keap, Server, hubspot};
use mfh_types::{AuthType, Clock, ConnectionId, ConnectionSettings, RateLimits, Secret, SeededRandom};
use tempfile::TempDir;
use tokio::task::JoinSet;
use virtual_time::{VirtualTime, busiest};

/// One table, one limited CRM, and a time of their own.
struct Fleet {
    time: Arc<VirtualTime>,
    database: Database,
    clients: Clients,
    keap: Keap,
    base_url: String,
    _server: Server,
    _folder: TempDir,
}

impl Fleet {
    async fn start(limits: Limits) -> Self {
        Self::start_behind(limits, |vendor| vendor).await
    }

    /// With `change` between the workers and the vendor.
    async fn start_behind(limits: Limits, change: impl FnOnce(Router) -> Router) -> Self {
        let time = VirtualTime::from(
            DateTime::from_timestamp(1_772_323_200, 0).unwrap(),
            TimeDelta::microseconds(1),
        );
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
        let server = Server::start(change(keap.router()), "/rest/v2").await.unwrap();
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
        build("keap", self.config(shared, tenant, auth_type)).unwrap()
    }

    fn config(&self, shared: &Arc<Shared>, tenant: &str, auth_type: AuthType) -> ConnectorConfig {
        ConnectorConfig {
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
        }
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

#[tokio::test(flavor = "multi_thread")]
async fn processes_keep_the_limit_of_an_account_together_and_lose_no_call() {
    // A pasted key: 240 a minute and 10 a second at Keap.
    let fleet = Fleet::start(Limits {
        per_second: Some(10),
        per_minute: Some(240),
        per_day: None,
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
        per_day: None,
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
        per_day: None,
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
        per_day: None,
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

#[tokio::test]
async fn the_day_of_an_app_is_over_for_all_its_tenants_in_all_processes() {
    // One in a hundred of the day's requests is left.
    let nearly_over = map_response(async |mut answer: Response| {
        let headers = answer.headers_mut();
        headers.insert("x-keap-product-quota-limit", 150_000.into());
        headers.insert("x-keap-product-quota-available", 1_500.into());
        answer
    });
    let fleet = Fleet::start_behind(Limits::default(), |vendor| vendor.layer(nearly_over)).await;
    fleet.time.begin();
    let connect = |n, tenant| fleet.connect(&fleet.process(n), tenant, AuthType::OAuth2);
    let (one, other) = (connect(1, "connection:one"), connect(2, "connection:other"));
    one.test_connection().await.unwrap();
    // Keap says that its day ends at midnight, a day from now.
    for held_back in [&one, &other] {
        let error = held_back.test_connection().await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, None));
        assert_eq!(error.retry_after, Some(Duration::from_secs(24 * 3_600)));
        assert!(error.held_back);
        assert_eq!(
            error.message,
            "Keap takes no more requests for about 24 hours: those that it allows until then are used up"
        );
    }
    assert_eq!(fleet.requests().len(), 1, "nothing was sent in vain");
    fleet.time.clock.advance(TimeDelta::days(1));
    other.test_connection().await.unwrap();
}

#[tokio::test]
async fn a_private_app_of_hubspot_is_asked_again_every_hour_once_its_day_is_used_up() {
    let fleet = Fleet::start(Limits::default()).await;
    fleet.time.begin();
    let crm = HubSpot::open(None, fleet.time.clock.clone(), Arc::new(SeededRandom::new(1))).unwrap();
    crm.set_limits(hubspot::Limits {
        per_day: Some(3),
        ..hubspot::Limits::default()
    });
    let server = crm.start().await.unwrap();
    let token = Secret::new(hubspot::PRIVATE_APP_TOKEN);
    let config = ConnectorConfig {
        credentials: Arc::new(StaticToken::new("hubspot", token)),
        base_url: Some(server.base_url()),
        ..fleet.config(&fleet.process(1), "connection:a", AuthType::ApiKey)
    };
    let connector = build("hubspot", config).unwrap();
    for _ in 0..3 {
        connector.test_connection().await.unwrap();
    }
    let hour = Duration::from_secs(3_600);
    let error = connector.test_connection().await.unwrap_err();
    assert_eq!(
        (error.status, error.retry_after, error.held_back),
        (None, Some(hour), true)
    );
    assert_eq!(crm.log().requests().len(), 3);

    fleet.time.clock.advance(TimeDelta::hours(1));
    let error = connector.test_connection().await.unwrap_err();
    assert_eq!(
        (error.status, error.retry_after, error.held_back),
        (Some(429), Some(hour), true)
    );
    assert_eq!(
        error.message,
        "The requests that HubSpot allows a day are used up. It takes new ones in about 60 minutes"
    );
    assert_eq!(crm.log().requests().len(), 4, "asked once");

    fleet.time.clock.advance(TimeDelta::hours(23));
    connector.test_connection().await.unwrap();
}
