//! How fast requests may be sent: one token bucket per platform and throttle key, and waiting that tests can skip.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mfh_types::{Clock, RateLimits};

/// A call that would have to wait longer is refused, so that the caller can come back later.
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(10);

/// The largest gap between two requests when the vendor says that its quota runs out.
const WIDEST_GAP: TimeDelta = TimeDelta::seconds(2);

/// Waits; tests skip the wait.
#[async_trait]
pub trait Sleeper: Send + Sync + fmt::Debug {
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// Waits in real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioSleeper;

#[async_trait]
impl Sleeper for TokioSleeper {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// What a vendor says is left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Requests allowed per window.
    pub(crate) limit: u32,
    /// Requests left.
    pub(crate) available: u32,
    /// Length of the window.
    pub(crate) window: Duration,
}

/// One limit, kept as the time at which the bucket is full again.
#[derive(Debug)]
struct Window {
    /// Time one request costs.
    cost: TimeDelta,
    /// Time that may be owed at once.
    burst: TimeDelta,
    full_at: DateTime<Utc>,
}

impl Window {
    fn new(requests: u32, per: TimeDelta, burst: u32, now: DateTime<Utc>) -> Option<Self> {
        let count = i32::try_from(requests).ok().filter(|count| *count > 0)?;
        let cost = per / count;
        let burst = i32::try_from(burst.max(1)).unwrap_or(i32::MAX) - 1;
        Some(Self {
            cost,
            burst: cost * burst,
            full_at: now,
        })
    }

    fn free_at(&self) -> DateTime<Utc> {
        self.full_at - self.burst
    }
}

/// The limits of one throttle key.
#[derive(Debug)]
pub(crate) struct Bucket {
    limits: RateLimits,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    windows: Vec<Window>,
    not_before: DateTime<Utc>,
}

impl Bucket {
    /// A full bucket; limits of 0 are not stated and do not limit.
    pub(crate) fn new(limits: RateLimits, clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        let burst = limits.burst_limit.max(limits.requests_per_second);
        let windows = [
            (limits.requests_per_second, TimeDelta::seconds(1), burst),
            (
                limits.requests_per_minute,
                TimeDelta::minutes(1),
                limits.requests_per_minute,
            ),
            (limits.requests_per_hour, TimeDelta::hours(1), limits.requests_per_hour),
        ];
        let windows = windows
            .into_iter()
            .filter_map(|(requests, per, burst)| Window::new(requests, per, burst, now))
            .collect();
        let state = State {
            windows,
            not_before: now,
        };
        Self {
            limits,
            clock,
            state: Mutex::new(state),
        }
    }

    /// Takes one request and tells how long to wait before sending it; requests leave in the order of their calls.
    ///
    /// # Errors
    /// The wait, when it is longer than ten seconds; nothing is taken then.
    pub(crate) fn reserve(&self) -> Result<Duration, Duration> {
        let now = self.clock.now();
        let mut state = self.lock();
        let start = state
            .windows
            .iter()
            .map(Window::free_at)
            .fold(now.max(state.not_before), Ord::max);
        let wait = start - now;
        if wait > LONGEST_WAIT {
            return Err(wait.to_std().unwrap_or_default());
        }
        for window in &mut state.windows {
            window.full_at = window.full_at.max(start) + window.cost;
        }
        Ok(wait.to_std().unwrap_or_default())
    }

    /// Slows down when less than a tenth of the vendor's quota is left.
    pub(crate) fn observe(&self, quota: Quota) {
        if u64::from(quota.available) * 10 >= u64::from(quota.limit) {
            return;
        }
        let gap = quota.window / quota.available.saturating_add(1);
        let gap = TimeDelta::from_std(gap).unwrap_or(WIDEST_GAP);
        self.pause(gap.min(WIDEST_GAP));
    }

    /// Lets nobody send for this long: the vendor refused a request.
    pub(crate) fn back_off(&self, wait: Duration) {
        self.pause(TimeDelta::from_std(wait).unwrap_or(LONGEST_WAIT));
    }

    fn pause(&self, wait: TimeDelta) {
        let until = self.clock.now() + wait.min(TimeDelta::days(1));
        let mut state = self.lock();
        state.not_before = state.not_before.max(until);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The buckets of this process.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<HashMap<(&'static str, String), Arc<Bucket>>>);

impl Buckets {
    /// The bucket of this throttle key; one with other limits is replaced.
    pub(crate) fn bucket(
        &self,
        platform: &'static str,
        key: &str,
        limits: RateLimits,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Bucket> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets
            .entry((platform, key.to_owned()))
            .or_insert_with(|| Arc::new(Bucket::new(limits, Arc::clone(clock))));
        if bucket.limits != limits {
            *bucket = Arc::new(Bucket::new(limits, Arc::clone(clock)));
        }
        Arc::clone(bucket)
    }
}

#[cfg(test)]
mod tests {
    use mfh_types::ManualClock;

    use super::*;

    fn bucket(per_second: u32, per_minute: u32, burst: u32) -> (Arc<ManualClock>, Bucket) {
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_000_000, 0).unwrap()));
        let limits = RateLimits {
            requests_per_second: per_second,
            requests_per_minute: per_minute,
            requests_per_hour: 0,
            burst_limit: burst,
        };
        (Arc::clone(&clock), Bucket::new(limits, clock))
    }

    #[test]
    fn a_burst_passes_at_once_and_the_rest_is_spaced() {
        let (clock, bucket) = bucket(10, 0, 3);
        // The burst is never smaller than one second's worth.
        for _ in 0..10 {
            assert_eq!(bucket.reserve(), Ok(Duration::ZERO));
        }
        assert_eq!(bucket.reserve(), Ok(Duration::from_millis(100)));
        assert_eq!(bucket.reserve(), Ok(Duration::from_millis(200)));
        clock.advance(TimeDelta::seconds(5));
        assert_eq!(bucket.reserve(), Ok(Duration::ZERO));
    }

    #[test]
    fn the_tightest_limit_counts_and_a_long_wait_is_refused_without_cost() {
        let (clock, bucket) = bucket(100, 2, 0);
        assert_eq!(bucket.reserve(), Ok(Duration::ZERO));
        assert_eq!(bucket.reserve(), Ok(Duration::ZERO));
        assert_eq!(bucket.reserve(), Err(Duration::from_secs(30)));
        assert_eq!(bucket.reserve(), Err(Duration::from_secs(30)));
        clock.advance(TimeDelta::seconds(30));
        assert_eq!(bucket.reserve(), Ok(Duration::ZERO));
    }

    #[test]
    fn a_quota_that_runs_out_slows_down_before_it_is_spent() {
        let (_, bucket) = bucket(0, 0, 0);
        let quota = |available| Quota {
            limit: 240,
            available,
            window: Duration::from_secs(60),
        };
        bucket.observe(quota(24));
        assert_eq!(bucket.reserve(), Ok(Duration::ZERO));
        bucket.observe(quota(59 - 40));
        assert_eq!(bucket.reserve(), Ok(Duration::from_secs(2)));
    }

    #[test]
    fn a_refused_request_holds_back_the_others() {
        let (_, bucket) = bucket(10, 0, 0);
        bucket.back_off(Duration::from_secs(4));
        assert_eq!(bucket.reserve(), Ok(Duration::from_secs(4)));
        bucket.back_off(Duration::from_secs(400));
        assert_eq!(bucket.reserve(), Err(Duration::from_secs(400)));
    }
}
