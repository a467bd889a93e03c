//! Waiting by a clock that stands still until it is moved.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use mfh_types::ManualClock;

use crate::Sleeper;

/// Moves the clock instead of waiting, so that tests take no time.
#[async_trait]
impl Sleeper for ManualClock {
    async fn sleep(&self, duration: Duration) {
        self.advance(TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX));
    }
}
