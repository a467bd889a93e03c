//! What the tests of this crate share: a clock that waits move forward, and connectors against a test server.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod script;

use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use mfh_connectors::{
    Connector, ConnectorConfig, NewContact, Result, Shared, Sleeper, StaticToken, TokenSource, Transport, build,
};
use mfh_simulators::access_log::{AccessLog, Exchange};
use mfh_simulators::faults::Faults;
use mfh_simulators::openapi::{Allowance, Description, vendor_file};
use mfh_simulators::{Server, Simulator};
use mfh_types::{
    AuthType, Clock, ConnectionId, ConnectionSettings, JsonObject, ManualClock, Random, Secret, SeededRandom,
};
use serde_json::Value;

/// Moves the clock instead of waiting, and remembers the waits.
#[derive(Debug)]
pub struct SkippingSleeper {
    clock: Arc<ManualClock>,
    pub slept: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Sleeper for SkippingSleeper {
    async fn sleep(&self, duration: Duration) {
        self.slept.lock().unwrap().push(duration);
        self.clock.advance(TimeDelta::from_std(duration).unwrap());
    }
}

/// A process of its own: clock, waits and caches.
pub struct World {
    pub clock: Arc<ManualClock>,
    pub sleeper: Arc<SkippingSleeper>,
    pub shared: Arc<Shared>,
}

impl World {
    pub fn new() -> Self {
        let start = DateTime::from_timestamp(1_772_323_200, 0).unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let sleeper = Arc::new(SkippingSleeper {
            clock: Arc::clone(&clock),
            slept: Mutex::default(),
        });
        let shared = Shared::new(
            Transport::new().unwrap(),
            clock.clone(),
            Arc::new(SeededRandom::new(1)),
            sleeper.clone(),
        );
        Self { clock, sleeper, shared }
    }

    pub fn config(&self, base_url: &str, credentials: Arc<dyn TokenSource>) -> ConnectorConfig {
        ConnectorConfig {
            base_url: Some(base_url.to_owned()),
            ..ConnectorConfig::new(
                ConnectionId::parse("test").unwrap(),
                AuthType::OAuth2,
                credentials,
                Arc::clone(&self.shared),
            )
        }
    }

    /// A connection that needs no more than an address and a token.
    pub fn connect(&self, slug: &'static str, base_url: &str, token: &str) -> Arc<dyn Connector> {
        build(slug, self.config(base_url, key(slug, token))).unwrap()
    }

    /// The same with settings.
    pub fn connect_with(
        &self,
        slug: &'static str,
        base_url: &str,
        token: &str,
        settings: ConnectionSettings,
    ) -> Arc<dyn Connector> {
        let config = ConnectorConfig {
            settings,
            ..self.config(base_url, key(slug, token))
        };
        build(slug, config).unwrap()
    }

    /// The waits so far, rounded to tenths of a second.
    pub fn waits(&self) -> Vec<f64> {
        let slept = self.sleeper.slept.lock().unwrap();
        slept
            .iter()
            .map(|wait| (wait.as_secs_f64() * 10.0).round() / 10.0)
            .collect()
    }
}

/// A connector in front of its simulator.
pub struct Bench {
    pub world: World,
    pub server: Server,
    pub connector: Arc<dyn Connector>,
    pub faults: Faults,
    pub log: AccessLog,
}

impl Bench {
    /// Starts a simulator, and a connector that `connect` makes to its address.
    pub async fn start<S: Simulator, E: Debug>(
        open: impl FnOnce(Option<&Path>, Arc<dyn Clock>, Arc<dyn Random>) -> std::result::Result<S, E>,
        connect: impl FnOnce(&World, &S, &str) -> Arc<dyn Connector>,
    ) -> (Self, S) {
        let world = World::new();
        let simulator = open(None, world.clock.clone(), Arc::new(SeededRandom::new(2))).unwrap();
        let server = Server::start(simulator.router(), simulator.base_path()).await.unwrap();
        let connector = connect(&world, &simulator, &server.base_url());
        let bench = Self::new(world, server, connector, simulator.faults(), simulator.log());
        (bench, simulator)
    }

    /// Begins to record what the two say to each other.
    pub fn new(world: World, server: Server, connector: Arc<dyn Connector>, faults: &Faults, log: &AccessLog) -> Self {
        log.record_exchanges();
        Self {
            world,
            server,
            connector,
            faults: faults.clone(),
            log: log.clone(),
        }
    }

    /// A contact as the simulator has it, read past the connector.
    pub async fn state(&self, contact_id: &str) -> Value {
        let url = format!("{}/_state?contact_id={contact_id}", self.server.origin());
        let answer = reqwest::get(url).await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Requests received so far.
    pub fn requests(&self) -> usize {
        self.log.requests().len()
    }

    /// What was said so far; something must have been.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let exchanges = self.log.exchanges();
        assert!(!exchanges.is_empty());
        exchanges
    }
}

/// The vendor's descriptions from these files; none where they are not at hand, which must not be in CI.
pub fn descriptions(files: &[&str]) -> Option<Vec<Description>> {
    let load = |file: &&str| Some(Description::load(&vendor_file(file)?).unwrap());
    let descriptions: Option<Vec<_>> = files.iter().map(load).collect();
    if descriptions.is_none() {
        let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!in_ci, "the vendor descriptions must be there in CI");
        println!("vendor descriptions not found, skipping");
    }
    descriptions
}

/// Fails when an exchange is not as the description that has its operation says.
pub fn conform(descriptions: Option<&[Description]>, exchanges: &[Exchange], gaps: &[Allowance]) {
    let Some(descriptions) = descriptions else {
        return;
    };
    let check = |exchange: &Exchange| {
        let (method, path) = (&exchange.request.method, &exchange.request.path);
        let has_it = |description: &&Description| description.operation_of(method, path).is_some();
        let description = descriptions.iter().find(has_it).unwrap_or(&descriptions[0]);
        description.check(exchange, gaps)
    };
    let violations: Vec<String> = exchanges
        .iter()
        .flat_map(check)
        .map(|violation| violation.to_string())
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// The fields of a contact.
pub fn fields(json: Value) -> JsonObject {
    json.as_object().cloned().unwrap()
}

/// A new contact without tags.
pub fn new(json: Value) -> NewContact {
    NewContact {
        fields: fields(json),
        tags: Vec::new(),
    }
}

/// A pasted key.
pub fn key(slug: &'static str, key: &str) -> Arc<dyn TokenSource> {
    Arc::new(StaticToken::new(slug, Secret::new(key)))
}

/// Tokens `old` then `new`, counting how often a new one is asked for.
#[derive(Debug, Default)]
pub struct Renewable {
    current: Mutex<usize>,
    pub refreshes: Mutex<u32>,
}

impl Renewable {
    fn secret(&self) -> Secret {
        let names = ["token-old", "token-new", "token-newest"];
        Secret::new(names[(*self.current.lock().unwrap()).min(2)])
    }
}

#[async_trait]
impl TokenSource for Renewable {
    async fn token(&self) -> Result<Secret> {
        Ok(self.secret())
    }

    async fn refresh(&self, rejected: &Secret) -> Result<Secret> {
        *self.refreshes.lock().unwrap() += 1;
        if *rejected == self.secret() {
            *self.current.lock().unwrap() += 1;
        }
        Ok(self.secret())
    }
}
