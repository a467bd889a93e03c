//! What a run reaches besides its CRM: services, randomness, what helpers and the process remember.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mfh_connectors::{Sleeper, TokioSleeper};
use mfh_types::{AccountId, Clock, Credentials, Random, Secret, SystemClock, SystemRandom};
use serde_json::Value;

use crate::outside::{Offline, Outside};

/// What a connected service is called with (`helpers/COMMON` §16).
#[derive(Debug, Clone, Default)]
pub struct ServiceAuth {
    /// The secrets.
    pub credentials: Credentials,
    /// Another start of every address than the service's own.
    pub base_url: Option<String>,
    /// The account at the service.
    pub account_id: Option<String>,
}

/// Something that helpers or the process keep could not be read or written; a repeat may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

/// Counters that a configured helper keeps over its runs.
#[async_trait]
pub trait Counters: Send + Sync + fmt::Debug {
    /// The counter now; one that was never used is 0.
    async fn read(&self, key: &str) -> Result<u64, StoreError>;

    /// Adds one in a single step and gives the value before.
    async fn take(&self, key: &str) -> Result<u64, StoreError>;

    /// Replaces the counter if it still is `expected`; tells whether it was.
    async fn replace(&self, key: &str, expected: u64, new: u64) -> Result<bool, StoreError>;
}

/// Counters in memory: for tests and single runs.
#[derive(Debug, Default)]
pub struct MemoryCounters(Mutex<BTreeMap<String, u64>>);

#[async_trait]
impl Counters for MemoryCounters {
    async fn read(&self, key: &str) -> Result<u64, StoreError> {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(counters.get(key).copied().unwrap_or_default())
    }

    async fn take(&self, key: &str) -> Result<u64, StoreError> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(key.to_owned()).or_default();
        let before = *counter;
        *counter += 1;
        Ok(before)
    }

    async fn replace(&self, key: &str, expected: u64, new: u64) -> Result<bool, StoreError> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(key.to_owned()).or_default();
        let is_expected = *counter == expected;
        if is_expected {
            *counter = new;
        }
        Ok(is_expected)
    }
}

/// What earlier executions of the account did.
#[async_trait]
pub trait History: Send + Sync + fmt::Debug {
    /// Whether a run achieved the goal for the contact; null when none is known.
    async fn goal_achieved(&self, account: &AccountId, contact_id: &str, goal: &str) -> Result<Value, StoreError>;
}

/// Keeps a secret that a run must use again when it is delivered a second time.
#[async_trait]
pub trait Sealer: Send + Sync + fmt::Debug {
    /// The secret in encrypted text.
    async fn seal(&self, secret: &Secret) -> Result<String, StoreError>;

    /// The secret back.
    async fn open(&self, sealed: &str) -> Result<Secret, StoreError>;
}

/// Answers of services that the runs of a process share.
#[derive(Debug, Default)]
pub struct SharedAnswers(Mutex<BTreeMap<String, (DateTime<Utc>, Value)>>);

impl SharedAnswers {
    /// More answers than this are not kept; the memory of a worker is small.
    const MOST: usize = 1_000;

    /// An answer that is still good.
    pub fn get(&self, key: &str, now: DateTime<Utc>) -> Option<Value> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, answer) = answers.get(key)?;
        (*until > now).then(|| answer.clone())
    }

    /// Keeps an answer until then.
    pub fn put(&self, key: &str, answer: Value, now: DateTime<Utc>, until: DateTime<Utc>) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= Self::MOST {
            answers.retain(|_, (until, _)| *until > now);
        }
        if answers.len() < Self::MOST {
            answers.insert(key.to_owned(), (until, answer));
        }
    }
}

/// What a run reaches besides its CRM.
#[derive(Debug, Clone)]
pub struct World {
    /// The network.
    pub outside: Arc<dyn Outside>,
    /// The connected services by slug.
    pub services: BTreeMap<String, ServiceAuth>,
    /// Other addresses for services, by slug: simulators.
    pub endpoints: BTreeMap<String, String>,
    /// The deployment's key for ip-api.com; without it the free service is asked.
    pub ip_api_key: Option<Secret>,
    /// Counters of the helper.
    pub counters: Arc<dyn Counters>,
    /// What earlier executions did; without it nothing is known.
    pub history: Option<Arc<dyn History>>,
    /// Where secrets of the run are sealed; without it they are not kept.
    pub sealer: Option<Arc<dyn Sealer>>,
    /// Answers that the process shares; without it each run asks itself.
    pub answers: Option<Arc<SharedAnswers>>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The clock, for waits only: the times of a run come from its start.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub sleeper: Arc<dyn Sleeper>,
}

impl World {
    /// No network and no memory beyond this run.
    pub fn offline() -> Self {
        Self {
            outside: Arc::new(Offline),
            services: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            ip_api_key: None,
            counters: Arc::new(MemoryCounters::default()),
            history: None,
            sealer: None,
            answers: None,
            random: Arc::new(SystemRandom),
            clock: Arc::new(SystemClock),
            sleeper: Arc::new(TokioSleeper),
        }
    }

    /// Waits about this long, a fifth more or less.
    pub(crate) async fn wait_about(&self, duration: Duration) {
        let jitter = 0.8 + 0.4 * self.random.fraction();
        self.sleeper.sleep(duration.mul_f64(jitter)).await;
    }

    /// The time from now until then; zero when it is over.
    pub(crate) fn until(&self, then: DateTime<Utc>) -> Duration {
        (then - self.clock.now())
            .max(TimeDelta::zero())
            .to_std()
            .unwrap_or_default()
    }
}
