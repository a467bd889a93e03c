//! What the tests of this crate share: a clock that waits move forward, and connectors against a test server.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use mfh_connectors::{Connector, ConnectorConfig, Result, Shared, Sleeper, StaticToken, TokenSource, Transport, build};
use mfh_types::{AuthType, ConnectionId, ManualClock, RateLimits, Secret, SeededRandom};

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
            connection_id: ConnectionId::parse("test").unwrap(),
            base_url: Some(base_url.to_owned()),
            auth_type: AuthType::OAuth2,
            credentials,
            app_id: None,
            external_app_id: None,
            rate_limits: RateLimits::default(),
            user_host: false,
            throttle_key: None,
            shared: Arc::clone(&self.shared),
        }
    }

    /// A connection that needs no more than an address and a token.
    pub fn connect(&self, slug: &'static str, base_url: &str, token: &str) -> Arc<dyn Connector> {
        build(slug, self.config(base_url, key(slug, token))).unwrap()
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
