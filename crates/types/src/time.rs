//! The injected clock and the two ways in which times are written.

use std::fmt;
use std::sync::Mutex;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where the present time comes from; tests move it by hand.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;

    /// The present instant in whole Unix seconds.
    fn unix(&self) -> i64 {
        self.now().timestamp()
    }
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: DateTime<Utc>) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock forward (or back, with a negative duration).
    pub fn advance(&self, by: Duration) {
        *self.lock() += by;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, DateTime<Utc>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.lock()
    }
}

macro_rules! timestamp {
    ($(#[$doc:meta])* $name:ident, $format:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
        #[schema(value_type = String, format = DateTime)]
        pub struct $name(pub DateTime<Utc>);

        impl $name {
            /// The present time of `clock`.
            pub fn now(clock: &dyn Clock) -> Self {
                Self(clock.now())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.to_rfc3339_opts($format, true))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                DateTime::parse_from_rfc3339(&text)
                    .map(|time| Self(time.with_timezone(&Utc)))
                    .map_err(|_| serde::de::Error::custom("expected an RFC 3339 date and time"))
            }
        }

        impl From<DateTime<Utc>> for $name {
            fn from(time: DateTime<Utc>) -> Self {
                Self(time)
            }
        }
    };
}

timestamp!(
    /// A time written as RFC 3339 UTC with whole seconds; any RFC 3339 precision is read.
    Timestamp, SecondsFormat::Secs
);
timestamp!(
    /// A time written with milliseconds: `created_at` of executions, which is a sort key.
    TimestampMs, SecondsFormat::Millis
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_their_precision_and_read_in_any() {
        let read: Timestamp = serde_json::from_str("\"2026-03-01T10:00:00.123456789Z\"").unwrap();
        assert_eq!(read.to_string(), "2026-03-01T10:00:00Z");
        let read: TimestampMs = serde_json::from_str("\"2026-03-01T12:00:00+02:00\"").unwrap();
        assert_eq!(read.to_string(), "2026-03-01T10:00:00.000Z");
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let start = DateTime::from_timestamp(1_000, 0).unwrap();
        let clock = ManualClock::at(start);
        assert_eq!(clock.unix(), 1_000);
        clock.advance(Duration::seconds(5));
        assert_eq!(clock.unix(), 1_005);
    }
}
