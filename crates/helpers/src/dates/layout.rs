//! Formats of dates in the three notations that users bring: strftime, Go layouts and tokens (`data` C8).

use chrono::{Datelike, FixedOffset, NaiveDate, NaiveTime, Timelike, Weekday};

use super::read::{digits, in_half_day, month_named, nanoseconds, offset_of};
use super::{Moment, Shown, offset_text};

/// One element of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Year,
    ShortYear,
    Month {
        padded: bool,
    },
    MonthName {
        short: bool,
    },
    Day(Pad),
    DayOfYear,
    Weekday {
        short: bool,
    },
    Hour24 {
        padded: bool,
    },
    Hour12 {
        padded: bool,
    },
    Minute {
        padded: bool,
    },
    Second {
        padded: bool,
    },
    /// Digits of the second's fraction.
    Fraction(usize),
    /// A point and digits of the second's fraction; without `fixed`, trailing zeros and an empty fraction go.
    PointAndFraction {
        digits: usize,
        fixed: bool,
        point: char,
    },
    HalfDay {
        upper: bool,
    },
    ZoneName,
    Offset {
        colon: bool,
        z_for_utc: bool,
    },
    Literal(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pad {
    Zero,
    Blank,
    None,
}

/// The elements of a notation, of which the first that fits is taken.
type Elements = &'static [(&'static str, Piece)];

const GO: Elements = &[
    ("January", Piece::MonthName { short: false }),
    ("Jan", Piece::MonthName { short: true }),
    ("Monday", Piece::Weekday { short: false }),
    ("Mon", Piece::Weekday { short: true }),
    ("MST", Piece::ZoneName),
    ("2006", Piece::Year),
    (
        "-07:00",
        Piece::Offset {
            colon: true,
            z_for_utc: false,
        },
    ),
    (
        "-0700",
        Piece::Offset {
            colon: false,
            z_for_utc: false,
        },
    ),
    (
        "Z07:00",
        Piece::Offset {
            colon: true,
            z_for_utc: true,
        },
    ),
    (
        "Z0700",
        Piece::Offset {
            colon: false,
            z_for_utc: true,
        },
    ),
    ("01", Piece::Month { padded: true }),
    ("02", Piece::Day(Pad::Zero)),
    ("03", Piece::Hour12 { padded: true }),
    ("04", Piece::Minute { padded: true }),
    ("05", Piece::Second { padded: true }),
    ("06", Piece::ShortYear),
    ("15", Piece::Hour24 { padded: true }),
    ("PM", Piece::HalfDay { upper: true }),
    ("pm", Piece::HalfDay { upper: false }),
    ("_2", Piece::Day(Pad::Blank)),
    ("1", Piece::Month { padded: false }),
    ("2", Piece::Day(Pad::None)),
    ("3", Piece::Hour12 { padded: false }),
    ("4", Piece::Minute { padded: false }),
    ("5", Piece::Second { padded: false }),
];

const TOKENS: Elements = &[
    ("YYYY", Piece::Year),
    ("YY", Piece::ShortYear),
    ("MMMM", Piece::MonthName { short: false }),
    ("MMM", Piece::MonthName { short: true }),
    ("MM", Piece::Month { padded: true }),
    ("M", Piece::Month { padded: false }),
    ("DD", Piece::Day(Pad::Zero)),
    ("D", Piece::Day(Pad::None)),
    ("dddd", Piece::Weekday { short: false }),
    ("ddd", Piece::Weekday { short: true }),
    ("HH", Piece::Hour24 { padded: true }),
    ("H", Piece::Hour24 { padded: false }),
    ("hh", Piece::Hour12 { padded: true }),
    ("h", Piece::Hour12 { padded: false }),
    ("mm", Piece::Minute { padded: true }),
    ("m", Piece::Minute { padded: false }),
    ("SSS", Piece::Fraction(3)),
    ("ss", Piece::Second { padded: true }),
    ("s", Piece::Second { padded: false }),
    ("A", Piece::HalfDay { upper: true }),
    ("a", Piece::HalfDay { upper: false }),
    (
        "ZZ",
        Piece::Offset {
            colon: false,
            z_for_utc: false,
        },
    ),
    (
        "Z",
        Piece::Offset {
            colon: true,
            z_for_utc: false,
        },
    ),
    ("z", Piece::ZoneName),
];

const STRFTIME: Elements = &[
    ("%Y", Piece::Year),
    ("%y", Piece::ShortYear),
    ("%m", Piece::Month { padded: true }),
    ("%-m", Piece::Month { padded: false }),
    ("%d", Piece::Day(Pad::Zero)),
    ("%-d", Piece::Day(Pad::None)),
    ("%B", Piece::MonthName { short: false }),
    ("%b", Piece::MonthName { short: true }),
    ("%A", Piece::Weekday { short: false }),
    ("%a", Piece::Weekday { short: true }),
    ("%H", Piece::Hour24 { padded: true }),
    ("%I", Piece::Hour12 { padded: true }),
    ("%M", Piece::Minute { padded: true }),
    ("%S", Piece::Second { padded: true }),
    ("%p", Piece::HalfDay { upper: true }),
    (
        "%z",
        Piece::Offset {
            colon: false,
            z_for_utc: false,
        },
    ),
    ("%Z", Piece::ZoneName),
    ("%j", Piece::DayOfYear),
];

/// A format of dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout(Vec<Piece>);

impl Layout {
    /// Reads a format: strftime when a percent sign comes before a letter, a Go layout when there is a digit or one of
    /// Jan, Mon, MST, PM, pm, else tokens such as `YYYY-MM-DD`. What is no element stands for itself.
    pub fn new(format: &str) -> Self {
        let elements = if is_strftime(format) {
            STRFTIME
        } else if is_go(format) {
            GO
        } else {
            TOKENS
        };
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some(letter) = rest.chars().next() {
            let (piece, length) = special(elements, rest)
                .or_else(|| element(elements, rest))
                .unwrap_or_else(|| (Piece::Literal(letter.to_string()), letter.len_utf8()));
            match (pieces.last_mut(), piece) {
                (Some(Piece::Literal(text)), Piece::Literal(more)) => text.push_str(&more),
                (_, piece) => pieces.push(piece),
            }
            rest = &rest[length..];
        }
        Self(pieces)
    }

    /// The date in this format.
    pub fn write(&self, shown: &Shown) -> String {
        self.0.iter().map(|piece| piece.write(shown)).collect()
    }

    /// The date in a text of this format; months and weekdays in any case, numbers with or without leading zeros.
    pub fn read(&self, text: &str) -> Option<Moment> {
        let mut found = Found::default();
        let mut rest = text.trim();
        for piece in &self.0 {
            rest = piece.read(rest, &mut found)?;
        }
        if rest.is_empty() { found.moment() } else { None }
    }
}

fn is_strftime(format: &str) -> bool {
    let after = format.split('%').skip(1);
    after
        .map(|rest| rest.strip_prefix('-').unwrap_or(rest))
        .any(|rest| rest.starts_with(|letter: char| letter.is_ascii_alphabetic()))
}

fn is_go(format: &str) -> bool {
    format.contains(|letter: char| letter.is_ascii_digit())
        || ["Jan", "Mon", "MST", "PM", "pm"]
            .into_iter()
            .any(|word| format.contains(word))
}

/// Notation-specific elements that no list shows.
fn special(elements: Elements, rest: &str) -> Option<(Piece, usize)> {
    if elements == STRFTIME {
        return rest.starts_with("%%").then(|| (Piece::Literal("%".to_owned()), 2));
    }
    if elements == TOKENS {
        let inner = rest.strip_prefix('[')?;
        let (literal, _) = inner.split_once(']')?;
        return Some((Piece::Literal(literal.to_owned()), literal.len() + 2));
    }
    if rest.starts_with("_2006") {
        return Some((Piece::Literal("_".to_owned()), 1));
    }
    let point = rest.chars().next().filter(|letter| matches!(letter, '.' | ','))?;
    let digit = rest[1..].chars().next().filter(|letter| matches!(letter, '0' | '9'))?;
    let run = rest[1..].chars().take_while(|letter| *letter == digit).count();
    let ends = !rest[1 + run..].starts_with(|letter: char| letter.is_ascii_digit());
    let piece = Piece::PointAndFraction {
        digits: run.min(9),
        fixed: digit == '0',
        point,
    };
    ends.then_some((piece, 1 + run))
}

fn element(elements: Elements, rest: &str) -> Option<(Piece, usize)> {
    elements.iter().find_map(|(name, piece)| {
        let after = rest.strip_prefix(name)?;
        // As in Go: "Month" holds no weekday and "Janet" no month.
        let word = elements == GO && matches!(*name, "Jan" | "Mon");
        let inside_a_word = word && after.starts_with(|letter: char| letter.is_ascii_lowercase());
        (!inside_a_word).then(|| (piece.clone(), name.len()))
    })
}

impl Piece {
    fn write(&self, shown: &Shown) -> String {
        let wall = shown.wall;
        let number = |value: u32, padded: bool| {
            if padded {
                format!("{value:02}")
            } else {
                value.to_string()
            }
        };
        match self {
            Self::Year => format!("{:04}", wall.year()),
            Self::ShortYear => format!("{:02}", wall.year().rem_euclid(100)),
            Self::Month { padded } => number(wall.month(), *padded),
            Self::MonthName { short: true } => wall.format("%b").to_string(),
            Self::MonthName { short: false } => wall.format("%B").to_string(),
            Self::Day(Pad::Zero) => number(wall.day(), true),
            Self::Day(Pad::None) => number(wall.day(), false),
            Self::Day(Pad::Blank) => format!("{:2}", wall.day()),
            Self::DayOfYear => format!("{:03}", wall.ordinal()),
            Self::Weekday { short: true } => wall.format("%a").to_string(),
            Self::Weekday { short: false } => wall.format("%A").to_string(),
            Self::Hour24 { padded } => number(wall.hour(), *padded),
            Self::Hour12 { padded } => number(wall.hour12().1, *padded),
            Self::Minute { padded } => number(wall.minute(), *padded),
            Self::Second { padded } => number(wall.second(), *padded),
            Self::Fraction(digits) => fraction(wall.nanosecond(), *digits),
            Self::PointAndFraction { digits, fixed, point } => {
                let text = fraction(wall.nanosecond(), *digits);
                let text = if *fixed {
                    text.as_str()
                } else {
                    text.trim_end_matches('0')
                };
                if text.is_empty() {
                    String::new()
                } else {
                    format!("{point}{text}")
                }
            }
            Self::HalfDay { upper } => match (wall.hour12().0, upper) {
                (false, true) => "AM",
                (false, false) => "am",
                (true, true) => "PM",
                (true, false) => "pm",
            }
            .to_owned(),
            Self::ZoneName => shown.zone.clone(),
            Self::Offset { z_for_utc: true, .. } if shown.offset.local_minus_utc() == 0 => "Z".to_owned(),
            Self::Offset { colon, .. } => offset_text(shown.offset, *colon),
            Self::Literal(text) => text.clone(),
        }
    }

    /// Takes this element off the start of a text.
    fn read<'a>(&self, text: &'a str, found: &mut Found) -> Option<&'a str> {
        let mut rest = text;
        match self {
            Self::Literal(literal) => return text.strip_prefix(literal.as_str()),
            Self::Year => found.year = Some(take(&mut rest, 4, 4)?.cast_signed()),
            Self::ShortYear => {
                let year = take(&mut rest, 2, 2)?.cast_signed();
                found.year = Some(if year >= 69 { 1900 + year } else { 2000 + year });
            }
            Self::Month { .. } => found.month = Some(take(&mut rest, 1, 2)?),
            Self::MonthName { .. } => found.month = Some(month_named(word(&mut rest)?)?),
            Self::Day(_) => {
                rest = rest.trim_start_matches(' ');
                found.day = Some(take(&mut rest, 1, 2)?);
            }
            Self::DayOfYear => found.ordinal = Some(take(&mut rest, 1, 3)?),
            Self::Weekday { .. } => {
                word(&mut rest)?.parse::<Weekday>().ok()?;
            }
            Self::Hour24 { .. } | Self::Hour12 { .. } => found.hour = take(&mut rest, 1, 2)?,
            Self::Minute { .. } => found.minute = take(&mut rest, 1, 2)?,
            Self::Second { .. } => found.second = take(&mut rest, 1, 2)?,
            Self::Fraction(_) => found.nanos = nanoseconds(run_of_digits(&mut rest))?,
            Self::PointAndFraction { fixed, point, .. } => match rest.strip_prefix(*point) {
                Some(after) => {
                    rest = after;
                    found.nanos = nanoseconds(run_of_digits(&mut rest))?;
                }
                None if *fixed => return None,
                None => {}
            },
            Self::HalfDay { .. } => {
                found.afternoon = Some(match word(&mut rest)?.to_ascii_lowercase().as_str() {
                    "am" => false,
                    "pm" => true,
                    _ => return None,
                });
            }
            Self::ZoneName => match word(&mut rest)? {
                "UTC" | "GMT" | "Z" => found.offset = FixedOffset::east_opt(0),
                // Other short names of zones mean different zones in different countries.
                _ => return None,
            },
            Self::Offset { .. } => {
                let length = match rest.strip_prefix(['Z', 'z']) {
                    Some(_) => 1,
                    None if rest.get(3..4) == Some(":") => 6,
                    None => 5,
                };
                let (offset, after) = rest.split_at_checked(length)?;
                found.offset = Some(offset_of(offset)?);
                rest = after;
            }
        }
        Some(rest)
    }
}

fn fraction(nanos: u32, digits: usize) -> String {
    let nanos = format!("{:09}", nanos.min(999_999_999));
    nanos.get(..digits).unwrap_or(&nanos).to_owned()
}

/// Takes at least `min` and at most `max` digits off the start.
fn take(text: &mut &str, min: usize, max: usize) -> Option<u32> {
    let count = text.bytes().take(max).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(count)?;
    *text = rest;
    if count >= min { number.parse().ok() } else { None }
}

fn run_of_digits<'a>(text: &mut &'a str) -> &'a str {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (run, rest) = text.split_at(count);
    *text = rest;
    debug_assert!(run.is_empty() || digits(run), "only digits were counted");
    run
}

/// Takes the letters off the start.
fn word<'a>(text: &mut &'a str) -> Option<&'a str> {
    let count = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, rest) = text.split_at_checked(count)?;
    *text = rest;
    (!word.is_empty()).then_some(word)
}

/// What a text said.
#[derive(Debug, Default)]
struct Found {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    afternoon: Option<bool>,
    offset: Option<FixedOffset>,
}

impl Found {
    fn moment(self) -> Option<Moment> {
        let year = self.year.filter(|year| *year > 0)?;
        let date = match self.ordinal {
            Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal)?,
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let mut time = NaiveTime::from_hms_nano_opt(self.hour, self.minute, self.second, self.nanos)?;
        if let Some(afternoon) = self.afternoon {
            time = in_half_day(time, afternoon)?;
        }
        let wall = date.and_time(time);
        match self.offset {
            Some(offset) => wall.and_local_timezone(offset).single().map(Moment::Instant),
            None => Some(Moment::Wall(wall)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read_text, zone};
    use super::*;
    use proptest::prelude::*;

    fn written(format: &str) -> String {
        let instant = read_text("2024-03-05T15:04:09.120Z")
            .unwrap()
            .in_zone(zone("UTC").unwrap());
        Layout::new(format).write(&Shown::in_zone(instant, zone("America/Chicago").unwrap()))
    }

    #[test]
    fn the_three_notations_are_told_apart() {
        for (format, expected) in [
            ("YYYY-MM-DD HH:mm:ss.SSS", "2024-03-05 09:04:09.120"),
            ("dddd, MMMM D, YYYY [at] h:mm A", "Tuesday, March 5, 2024 at 9:04 AM"),
            (
                "ddd MMM DD YY hh:mm a Z ZZ z",
                "Tue Mar 05 24 09:04 am -06:00 -0600 CST",
            ),
            ("2006-01-02T15:04:05Z07:00", "2024-03-05T09:04:09-06:00"),
            ("Mon, 02 Jan 2006 15:04:05 -0700", "Tue, 05 Mar 2024 09:04:09 -0600"),
            (
                "Monday January _2 3:04:05.000 PM MST",
                "Tuesday March  5 9:04:09.120 AM CST",
            ),
            ("15:04:05.999", "09:04:09.12"),
            ("1/2/06 3pm", "3/5/24 9am"),
            ("02.01.2006", "05.03.2024"),
            ("Month 1", "Month 3"),
            ("%d.%m.%Y %H:%M:%S %p", "05.03.2024 09:04:09 AM"),
            (
                "%-m/%-d/%y %A %a %B %b %I %j %z %Z 100%%",
                "3/5/24 Tuesday Tue March Mar 09 065 -0600 CST 100%",
            ),
        ] {
            assert_eq!(written(format), expected, "{format}");
        }
    }

    #[test]
    fn day_first_dates_are_read_with_their_format() {
        for (format, text, expected) in [
            ("DD/MM/YYYY", "5/3/2024", "2024-03-05"),
            ("02.01.2006", "05.03.2024", "2024-03-05"),
            ("%d %B %Y", "5 march 2024", "2024-03-05"),
            ("DD/MM/YYYY h:mm A", "05/03/2024 1:30 PM", "2024-03-05 13:30"),
            (
                "2006-01-02T15:04:05Z07:00",
                "2024-03-05T09:04:09-06:00",
                "2024-03-05T09:04:09-06:00",
            ),
        ] {
            assert_eq!(Layout::new(format).read(text), read_text(expected), "{format}");
        }
        assert_eq!(Layout::new("DD/MM/YYYY").read("31/02/2024"), None);
        assert_eq!(Layout::new("DD/MM/YYYY").read("05/03/2024x"), None);
    }

    proptest! {
        #[test]
        fn what_a_format_writes_it_reads(seconds in 0_i64..4_000_000_000) {
            let instant = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            let shown = Shown::in_zone(instant, zone("Asia/Kolkata").unwrap());
            for format in ["YYYY-MM-DD HH:mm:ss Z", "2006-01-02 03:04:05 PM -0700", "%Y-%j %H:%M:%S %z"] {
                let layout = Layout::new(format);
                let read = layout.read(&layout.write(&shown)).unwrap();
                prop_assert_eq!(read.in_zone(zone("UTC").unwrap()), instant);
            }
        }

        #[test]
        fn no_format_and_no_text_panics(format in "\\PC{0,20}|[%YMDdHhmsAaZz0-9\\[\\].,_-]{0,20}", text in "\\PC{0,20}") {
            let layout = Layout::new(&format);
            layout.read(&text);
            layout.write(&read_text("2024-03-05").unwrap().as_written());
        }
    }
}
