//! The one reader of dates: a fixed list of spellings, checked against the calendar, nothing guessed.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};
use serde_json::Value;

use super::Moment;
use crate::values;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The date in a value: text in one of the known spellings, or Unix seconds of 9 to 11 digits.
pub fn read(value: &Value) -> Option<Moment> {
    match value {
        Value::String(text) => read_text(text),
        Value::Number(_) => read_text(&values::text(value)),
        _ => None,
    }
}

/// The date in a text.
pub fn read_text(text: &str) -> Option<Moment> {
    let text = text.trim();
    if (9..=11).contains(&text.len()) && digits(text) {
        let instant = DateTime::from_timestamp(text.parse().ok()?, 0)?;
        return Some(Moment::Instant(instant.fixed_offset()));
    }
    year_first(text)
        .or_else(|| compact(text))
        .or_else(|| month_first(text))
        .or_else(|| with_month_name(text))
}

/// `2006-01-02` and `2006/01/02`, on request with a time and an offset.
fn year_first(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_at_checked(10)?;
    let separator = date.chars().nth(4).filter(|letter| matches!(letter, '-' | '/'))?;
    let mut parts = date.split(separator);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let date = calendar(year, month, day)?;
    if rest.is_empty() {
        return Some(Moment::Wall(date.and_time(NaiveTime::MIN)));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = split_offset(rest);
    let wall = date.and_time(clock(time, 2)?);
    match offset {
        None => Some(Moment::Wall(wall)),
        Some(text) => wall.and_local_timezone(offset_of(text)?).single().map(Moment::Instant),
    }
}

/// `20060102` and `20060102T15:04:05`.
fn compact(text: &str) -> Option<Moment> {
    let (date, rest) = text.split_at_checked(8)?;
    if !digits(date) {
        return None;
    }
    let date = calendar(date.get(..4)?, date.get(4..6)?, date.get(6..)?)?;
    if rest.is_empty() {
        return Some(Moment::Wall(date.and_time(NaiveTime::MIN)));
    }
    let time = rest.strip_prefix('T').filter(|time| time.len() == 8)?;
    Some(Moment::Wall(date.and_time(clock(time, 2)?)))
}

/// `1/2/2006` and `1-2-2006`, on request with `3:04[:05]` and AM or PM.
fn month_first(text: &str) -> Option<Moment> {
    let (date, time) = match text.split_once(char::is_whitespace) {
        Some((date, time)) => (date, Some(time.trim_start())),
        None => (text, None),
    };
    let separator = if date.contains('/') { '/' } else { '-' };
    let mut parts = date.split(separator);
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let short = |part: &str| (1..=2).contains(&part.len());
    if parts.next().is_some() || year.len() != 4 || !short(month) || !short(day) {
        return None;
    }
    let date = calendar(year, month, day)?;
    let time = match time {
        None => NaiveTime::MIN,
        Some(text) => twelve_or_24_hours(text)?,
    };
    Some(Moment::Wall(date.and_time(time)))
}

/// `Jan 2, 2006`, `January 2, 2006`, `2 Jan 2006`, `2 January 2006`.
fn with_month_name(text: &str) -> Option<Moment> {
    let mut words = text.split_whitespace();
    let (first, second, year) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || year.len() != 4 {
        return None;
    }
    let (month, day) = match month_named(first) {
        Some(month) => (month, second.strip_suffix(',')?),
        None => (month_named(second)?, first),
    };
    if !(1..=2).contains(&day.len()) {
        return None;
    }
    let date = calendar(year, &month.to_string(), day)?;
    Some(Moment::Wall(date.and_time(NaiveTime::MIN)))
}

/// 1 to 12 of a month's English name or its first three letters, in any case.
pub(super) fn month_named(name: &str) -> Option<u32> {
    let name = name.to_ascii_lowercase();
    let at = MONTHS
        .iter()
        .position(|month| *month == name || (name.len() == 3 && month.starts_with(&name)))?;
    u32::try_from(at + 1).ok()
}

fn calendar(year: &str, month: &str, day: &str) -> Option<NaiveDate> {
    if ![year, month, day].into_iter().all(digits) {
        return None;
    }
    let year: i32 = year.parse().ok()?;
    if year == 0 {
        return None;
    }
    NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)
}

/// `15:04`, `15:04:05` or `15:04:05.999`, with at least `hour_digits` digits in the hour.
fn clock(text: &str, hour_digits: usize) -> Option<NaiveTime> {
    let (text, fraction) = match text.split_once('.') {
        Some((text, fraction)) => (text, Some(fraction)),
        None => (text, None),
    };
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next());
    let sized = (hour_digits..=2).contains(&hour.len())
        && minute.len() == 2
        && second.is_none_or(|second| second.len() == 2)
        && (second.is_some() || fraction.is_none());
    if parts.next().is_some() || !sized || ![hour, minute, second.unwrap_or("0")].into_iter().all(digits) {
        return None;
    }
    let nanos = match fraction {
        None => 0,
        Some(fraction) => nanoseconds(fraction)?,
    };
    NaiveTime::from_hms_nano_opt(
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.unwrap_or("0").parse().ok()?,
        nanos,
    )
}

/// The digits after the point; more than nine are cut.
pub(super) fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !digits(fraction) {
        return None;
    }
    format!("{:0<9}", fraction.get(..9).unwrap_or(fraction)).parse().ok()
}

fn twelve_or_24_hours(text: &str) -> Option<NaiveTime> {
    let upper = text.to_ascii_uppercase();
    let half = ["AM", "PM"].into_iter().find(|half| upper.ends_with(half));
    let Some(half) = half else {
        return clock(text, 1);
    };
    let time = clock(upper.strip_suffix(half)?.trim_end(), 1)?;
    in_half_day(time, half == "PM")
}

/// A time of a twelve-hour clock.
pub(super) fn in_half_day(time: NaiveTime, afternoon: bool) -> Option<NaiveTime> {
    use chrono::Timelike as _;
    let hour = match time.hour() {
        12 => 0,
        hour @ 1..=11 => hour,
        _ => return None,
    };
    time.with_hour(if afternoon { hour + 12 } else { hour })
}

/// Takes `Z`, `+hh:mm` or `+hhmm` off the end of a time.
fn split_offset(text: &str) -> (&str, Option<&str>) {
    match text.find(['Z', 'z', '+', '-']) {
        Some(at) => {
            let (time, offset) = text.split_at(at);
            (time, Some(offset))
        }
        None => (text, None),
    }
}

/// `Z`, `+hh:mm` or `+hhmm`.
pub(super) fn offset_of(text: &str) -> Option<FixedOffset> {
    if text.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let rest = text.strip_prefix(['+', '-'])?;
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None => rest.split_at_checked(2)?,
    };
    if hours.len() != 2 || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

pub(super) fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(text: &str) -> Option<String> {
        read_text(text).map(|moment| match moment {
            Moment::Instant(instant) => instant.to_rfc3339(),
            Moment::Wall(wall) => wall.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        })
    }

    #[test]
    fn every_spelling_of_the_list_is_read() {
        for (given, expected) in [
            ("2024-01-15T10:00:00Z", "2024-01-15T10:00:00+00:00"),
            ("2024-01-15 10:00:00.5-0530", "2024-01-15T10:00:00.500-05:30"),
            ("2024-01-15T10:00:00+05:30", "2024-01-15T10:00:00+05:30"),
            ("2024-01-15T10:00", "2024-01-15 10:00:00"),
            ("2024-01-15 10:00:01.25", "2024-01-15 10:00:01.250"),
            ("2024-01-15", "2024-01-15 00:00:00"),
            ("2024/01/15", "2024-01-15 00:00:00"),
            ("20240115", "2024-01-15 00:00:00"),
            ("20240115T10:00:01", "2024-01-15 10:00:01"),
            (" 1/5/2024 ", "2024-01-05 00:00:00"),
            ("01-15-2024 8:30 pm", "2024-01-15 20:30:00"),
            ("1/15/2024 12:00:05 AM", "2024-01-15 00:00:05"),
            ("01/15/2024 08:30:00", "2024-01-15 08:30:00"),
            ("jan 2, 2006", "2006-01-02 00:00:00"),
            ("JANUARY 2, 2006", "2006-01-02 00:00:00"),
            ("2 Jan 2006", "2006-01-02 00:00:00"),
            ("02 january 2006", "2006-01-02 00:00:00"),
            ("1705312800", "2024-01-15T10:00:00+00:00"),
        ] {
            assert_eq!(shown(given).as_deref(), Some(expected), "{given}");
        }
        assert_eq!(read(&json!(1_705_312_800)), read_text("1705312800"));
    }

    #[test]
    fn nothing_is_guessed() {
        for given in [
            "",
            "tomorrow",
            "2024-02-30",
            "13/01/2024",
            "2024-1-5",
            "1/5/24",
            "Jan 2 2006",
            "2024-01-15T25:00:00Z",
            "2024-01-15T10:00:00+5",
            "2024-01-15x",
            "12345678",
            "123456789012",
            "2024-01/15",
            "1/15/2024 13:00 PM",
            "1/15/2024 0:30 AM",
            "0000-01-01",
            "Sept 2, 2006",
        ] {
            assert_eq!(shown(given), None, "{given}");
        }
        for value in [json!(null), json!(true), json!([]), json!(1.5)] {
            assert_eq!(read(&value), None);
        }
    }
}
