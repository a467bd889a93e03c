//! Dates, time zones and formats: one reader and one writer for all helpers (`helpers/COMMON` §5).

mod layout;
mod read;

use chrono::{DateTime, Days, FixedOffset, LocalResult, Months, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{OffsetName, Tz};

pub use layout::Layout;
pub use read::{read, read_text};

/// A date as it was read: an instant, or a wall-clock time whose zone somebody else names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// With an offset: the same everywhere.
    Instant(DateTime<FixedOffset>),
    /// Without one; a date alone is its midnight.
    Wall(NaiveDateTime),
}

impl Moment {
    /// The instant, with wall-clock time in `zone`: a time that does not exist moves forward by the length of the gap,
    /// one that exists twice is the first.
    pub fn in_zone(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => instant.to_utc(),
            Self::Wall(wall) => resolve(wall, zone),
        }
    }

    /// The date and time as written, with the offset it came with, or UTC.
    pub fn as_written(self) -> Shown {
        match self {
            Self::Instant(instant) => Shown::fixed(instant),
            Self::Wall(wall) => Shown::fixed(wall.and_utc().fixed_offset()),
        }
    }

    /// This many calendar days later; time of day and offset stay. `None` beyond the years 1 to 9999.
    pub fn add_days(self, days: i64) -> Option<Self> {
        let step = Days::new(days.unsigned_abs());
        self.shift(|wall| {
            if days < 0 {
                wall.checked_sub_days(step)
            } else {
                wall.checked_add_days(step)
            }
        })
    }

    /// This many months later; a day that the month does not have becomes its last.
    pub fn add_months(self, months: i64) -> Option<Self> {
        let step = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        self.shift(|wall| {
            if months < 0 {
                wall.checked_sub_months(step)
            } else {
                wall.checked_add_months(step)
            }
        })
    }

    fn shift(self, step: impl FnOnce(NaiveDateTime) -> Option<NaiveDateTime>) -> Option<Self> {
        use chrono::Datelike as _;
        let wall = match self {
            Self::Instant(instant) => instant.naive_local(),
            Self::Wall(wall) => wall,
        };
        let shifted = step(wall).filter(|wall| (1..=9999).contains(&wall.year()))?;
        match self {
            Self::Instant(instant) => instant
                .timezone()
                .from_local_datetime(&shifted)
                .single()
                .map(Self::Instant),
            Self::Wall(_) => Some(Self::Wall(shifted)),
        }
    }
}

/// The instant of a wall-clock time.
fn resolve(wall: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            // The offset before the gap carries the time forward by its length; gaps are shorter than two days.
            let before = wall - TimeDelta::days(2);
            let offset = zone.offset_from_utc_datetime(&before).fix();
            (wall - offset).and_utc()
        }
    }
}

/// A date and time that can be written: wall clock, offset and the short name of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    wall: NaiveDateTime,
    offset: FixedOffset,
    zone: String,
}

impl Shown {
    /// An instant as the clocks of a zone show it.
    pub fn in_zone(instant: DateTime<Utc>, zone: Tz) -> Self {
        let local = instant.with_timezone(&zone);
        let name = local.offset().abbreviation();
        Self {
            wall: local.naive_local(),
            offset: local.offset().fix(),
            zone: name.map_or_else(|| short_offset(local.offset().fix()), str::to_owned),
        }
    }

    fn fixed(instant: DateTime<FixedOffset>) -> Self {
        let offset = *instant.offset();
        let zone = if offset.local_minus_utc() == 0 {
            "UTC".to_owned()
        } else {
            offset_text(offset, false)
        };
        Self {
            wall: instant.naive_local(),
            offset,
            zone,
        }
    }
}

/// `-0500` or `-05:00`.
fn offset_text(offset: FixedOffset, colon: bool) -> String {
    let minutes = offset.local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let colon = if colon { ":" } else { "" };
    format!("{sign}{:02}{colon}{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// `+04` or `+0545`: what the tz database writes for a zone without a short name.
fn short_offset(offset: FixedOffset) -> String {
    let text = offset_text(offset, false);
    text.strip_suffix("00").map_or(text.clone(), str::to_owned)
}

/// The instant as outputs show it: RFC 3339 with seconds, in UTC with Z.
pub fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The zone of this IANA name, which is case-sensitive.
pub fn zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(wall: &str, name: &str) -> String {
        rfc3339(read_text(wall).unwrap().in_zone(zone(name).unwrap()))
    }

    #[test]
    fn missing_wall_clock_times_move_forward_and_doubled_ones_are_the_first() {
        assert_eq!(at("2024-03-10 02:30:00", "America/New_York"), "2024-03-10T07:30:00Z");
        assert_eq!(at("2024-03-31 02:30:00", "Europe/Berlin"), "2024-03-31T01:30:00Z");
        assert_eq!(at("2024-11-03 01:30:00", "America/New_York"), "2024-11-03T05:30:00Z");
        assert_eq!(at("2011-12-30 12:00:00", "Pacific/Apia"), "2011-12-30T22:00:00Z");
    }

    #[test]
    fn zones_are_case_sensitive_names_of_the_tz_database() {
        assert!(zone("Europe/Berlin").is_some());
        for name in ["europe/berlin", "Local", "Mars/Olympus", "EST5", ""] {
            assert!(zone(name).is_none(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn days_there_and_back_give_the_date_back(day in 0_i64..20_000, days in -5_000_i64..5_000) {
            let moment = Moment::Wall(DateTime::from_timestamp(day * 86_400, 0).unwrap().naive_utc());
            prop_assert_eq!(moment.add_days(days).unwrap().add_days(-days), Some(moment));
        }

        #[test]
        fn months_there_and_back_keep_days_that_every_month_has(month in 1_u32..=12, day in 1_u32..=28, months in -600_i64..600) {
            let moment = read_text(&format!("2000-{month:02}-{day:02}")).unwrap();
            prop_assert_eq!(moment.add_months(months).unwrap().add_months(-months), Some(moment));
        }

        #[test]
        fn an_instant_is_the_same_in_every_zone(seconds in 0_i64..4_000_000_000) {
            let instant = DateTime::from_timestamp(seconds, 0).unwrap();
            for name in ["UTC", "America/New_York", "Asia/Kolkata"] {
                prop_assert_eq!(read_text(&rfc3339(instant)).unwrap().in_zone(zone(name).unwrap()), instant);
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9T:+/. ZAPMJanuy,-]{0,30}|\\PC*") {
            if let Some(moment) = read_text(&text) {
                moment.in_zone(Tz::America__New_York);
                moment.add_days(i64::MIN);
                moment.add_months(i64::MAX);
            }
        }
    }
}
