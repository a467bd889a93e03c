//! Requests counted in windows of time, for vendors that limit them.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

/// One day in seconds.
pub(crate) const DAY: i64 = 86_400;

/// A window of time, with its length in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Window {
    /// One of those that follow each other on the clock.
    OfClock(i64),
    /// Begins with the first request in it.
    FromFirst(i64),
}

impl Window {
    fn seconds(self) -> i64 {
        match self {
            Self::OfClock(seconds) | Self::FromFirst(seconds) => seconds,
        }
    }

    /// When the window begins that a request at this time opens.
    fn start(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::OfClock(seconds) => {
                let start = now.timestamp().div_euclid(seconds) * seconds;
                DateTime::from_timestamp(start, 0).unwrap_or(now)
            }
            Self::FromFirst(_) => now,
        }
    }
}

/// The limits of an account, and the requests that were let in.
#[derive(Debug, Default)]
pub(crate) struct Meter<L> {
    pub(crate) limits: L,
    /// When each window began, and how many were let in since.
    counts: BTreeMap<Window, (DateTime<Utc>, u64)>,
}

impl<L> Meter<L> {
    fn present(&self, window: Window, now: DateTime<Utc>) -> (DateTime<Utc>, u64) {
        let length = Duration::seconds(window.seconds());
        let begun = self.counts.get(&window).copied();
        begun
            .filter(|(start, _)| *start <= now && now < *start + length)
            .unwrap_or_else(|| (window.start(now), 0))
    }

    /// Requests let in during the present window.
    pub(crate) fn used(&self, window: Window, now: DateTime<Utc>) -> u64 {
        self.present(window, now).1
    }

    /// Seconds until the present window is over.
    pub(crate) fn rest(&self, window: Window, now: DateTime<Utc>) -> i64 {
        window.seconds() - (now - self.present(window, now).0).num_seconds()
    }

    /// Counts a request in these windows, unless one of them has reached its limit.
    ///
    /// # Errors
    /// The window that is full.
    pub(crate) fn admit(&mut self, windows: &[(Window, Option<u64>)], now: DateTime<Utc>) -> Result<(), Window> {
        let is_full =
            |(window, limit): &&(Window, Option<u64>)| limit.is_some_and(|max| self.used(*window, now) >= max);
        let full = windows.iter().find(is_full).map(|(window, _)| *window);
        for (window, _) in windows {
            let (start, used) = self.present(*window, now);
            self.counts.insert(*window, (start, used + u64::from(full.is_none())));
        }
        full.map_or(Ok(()), Err)
    }
}
