//! Values in our normal forms, whatever form a helper or a CRM gives them (`connectors` §1.7, §3.3).

use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Number, Value};

use super::names::normal;
use crate::model::{CustomField, DataType};

/// From this size on a number is taken for milliseconds, below for seconds.
const MILLISECONDS: i64 = 100_000_000_000;
/// Any other year is a typing error or a year without century.
const YEARS: RangeInclusive<i32> = 1000..=9999;
/// Choices that an error lists.
const LISTED: usize = 20;

/// The choices of a field with their ids.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choices<'a> {
    labels: &'a [String],
    ids: &'a [String],
}

impl<'a> Choices<'a> {
    pub(crate) fn of(field: &'a CustomField) -> Self {
        Self {
            labels: &field.options,
            ids: &field.option_ids,
        }
    }

    /// The label that `text` means: the label, its id, or another spelling of the label.
    fn label(&self, text: &str) -> Option<&'a str> {
        let spelling = normal(text);
        let exact = self.labels.iter().position(|label| label == text);
        let by_id = || self.ids.iter().position(|id| id == text);
        let close = || self.labels.iter().position(|label| normal(label) == spelling);
        let index = exact.or_else(by_id).or_else(close)?;
        self.labels.get(index).map(String::as_str)
    }

    /// The vendor's id of the choice with exactly this label.
    pub(crate) fn id_of(&self, label: &str) -> Option<&'a str> {
        let index = self.labels.iter().position(|known| known == label)?;
        self.ids.get(index).map(String::as_str).filter(|id| !id.is_empty())
    }

    /// The label of the choice with exactly this id.
    pub(crate) fn label_of(&self, id: &str) -> Option<&'a str> {
        let index = self.ids.iter().position(|known| known == id)?;
        self.labels.get(index).map(String::as_str)
    }

    fn expected(&self) -> String {
        let listed = self.labels.iter().take(LISTED).map(String::as_str);
        let more = if self.labels.len() > LISTED { ", …" } else { "" };
        format!("one of: {}{more}", listed.collect::<Vec<_>>().join(", "))
    }
}

/// Brings a value into the normal form of its type; blank becomes `null`.
///
/// # Errors
/// What the type expects, to complete "… expects".
pub(crate) fn normalise(value: &Value, data_type: DataType, choices: Choices<'_>) -> Result<Value, String> {
    if is_blank(value, data_type) {
        return Ok(Value::Null);
    }
    let wrong = |expected: &str| expected.to_owned();
    match data_type {
        DataType::Integer => whole_number(value).ok_or_else(|| wrong("a whole number")),
        DataType::Decimal | DataType::Percent => decimal(value).map(number).ok_or_else(|| wrong("a number")),
        DataType::Currency => decimal(value)
            .map(|amount| Value::String(amount.to_string()))
            .ok_or_else(|| wrong("an amount such as 12.50")),
        DataType::Boolean => boolean(value).map(Value::Bool).ok_or_else(|| wrong("true or false")),
        DataType::Date => Moment::read(value)
            .map(|moment| Value::String(moment.date().to_string()))
            .ok_or_else(|| wrong("a date such as 2026-03-01")),
        DataType::Datetime => Moment::read(value)
            .map(|moment| Value::String(rfc3339(moment.utc(), SecondsFormat::AutoSi)))
            .ok_or_else(|| wrong("a date and time such as 2026-03-01T10:00:00Z")),
        DataType::Select => select(value, choices).map(Value::String),
        DataType::MultiSelect => multi_select(value, choices),
        DataType::File | DataType::Other => Ok(value.clone()),
        DataType::Text
        | DataType::LongText
        | DataType::Email
        | DataType::Phone
        | DataType::Url
        | DataType::Country
        | DataType::State
        | DataType::User => Ok(Value::String(text(value))),
    }
}

/// Whether a value means "nothing": white space counts as a value in texts only.
pub(crate) fn is_blank(value: &Value, data_type: DataType) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) if matches!(data_type, DataType::Text | DataType::LongText) => text.is_empty(),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(members) => members.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value as text: numbers as plain decimals, lists joined by a comma.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => {
            decimal(value).map_or_else(|| number.to_string(), |exact| exact.normalize().to_string())
        }
        Value::Array(members) => members.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

/// A decimal as a JSON number, or as text where a JSON number would lose digits or need an exponent.
pub(crate) fn number(exact: Decimal) -> Value {
    let exact = exact.normalize();
    if let Some(whole) = exact.to_i64().filter(|_| exact.is_integer()) {
        return Value::from(whole);
    }
    let plain = exact.to_string();
    let float = exact.to_f64().and_then(Number::from_f64);
    match float {
        Some(float) if float.to_string() == plain => Value::Number(float),
        _ => Value::String(plain),
    }
}

/// An instant with the given precision, in UTC.
pub(crate) fn rfc3339(instant: DateTime<Utc>, precision: SecondsFormat) -> String {
    instant.to_rfc3339_opts(precision, true)
}

/// A date and time as vendors and helpers write them.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    Moment::parse(text).map(Moment::utc)
}

fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    Decimal::from_str(&text)
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
}

fn whole_number(value: &Value) -> Option<Value> {
    let exact = decimal(value)?;
    exact.is_integer().then(|| number(exact))
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn select(value: &Value, choices: Choices<'_>) -> Result<String, String> {
    let text = text(value);
    if choices.labels.is_empty() {
        return Ok(text);
    }
    match choices.label(text.trim()) {
        Some(label) => Ok(label.to_owned()),
        None => Err(choices.expected()),
    }
}

/// A text may be one choice or several, separated by commas; a choice may hold commas itself.
fn multi_select(value: &Value, choices: Choices<'_>) -> Result<Value, String> {
    let members: Vec<Value> = match value {
        Value::Array(members) => members.clone(),
        Value::String(text) if choices.label(text.trim()).is_none() => {
            text.split(',').map(|part| Value::from(part.trim())).collect()
        }
        other => vec![other.clone()],
    };
    let mut labels: Vec<Value> = Vec::with_capacity(members.len());
    for member in members.iter().filter(|member| !is_blank(member, DataType::Select)) {
        let label = Value::String(select(member, choices)?);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    Ok(if labels.is_empty() {
        Value::Null
    } else {
        Value::Array(labels)
    })
}

/// A point on the calendar as precise as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    Day(NaiveDate),
    /// A clock reading without offset, taken as UTC.
    Wall(NaiveDateTime),
    Instant(DateTime<FixedOffset>),
}

impl Moment {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::from_unix(number.as_i64()?),
            Value::String(text) => Self::parse(text),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        const OFFSET: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"];
        const WALL: [&str; 8] = [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%d %H:%M",
            "%Y%m%dT%H:%M:%S",
            "%m/%d/%Y %H:%M:%S",
            "%m/%d/%Y %H:%M",
            "%m/%d/%Y %I:%M %p",
        ];
        const DAY: [&str; 9] = [
            "%Y-%m-%d",
            "%Y/%m/%d",
            "%Y%m%d",
            "%m/%d/%Y",
            "%m-%d-%Y",
            "%b %d, %Y",
            "%B %d, %Y",
            "%d %b %Y",
            "%d %B %Y",
        ];
        let text = text.trim();
        let offset = DateTime::parse_from_rfc3339(text)
            .ok()
            .or_else(|| OFFSET.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()));
        let wall = || {
            WALL.iter()
                .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        };
        let day = || DAY.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
        offset
            .map(Self::Instant)
            .or_else(|| wall().map(Self::Wall))
            .or_else(|| day().map(Self::Day))
            .filter(Self::is_plausible)
            .or_else(|| Self::from_digits(text))
    }

    fn from_digits(text: &str) -> Option<Self> {
        let unix = (9..=13).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        unix.then(|| text.parse().ok().and_then(Self::from_unix))?
    }

    fn from_unix(number: i64) -> Option<Self> {
        let time = if number.abs() >= MILLISECONDS {
            DateTime::from_timestamp_millis(number)
        } else {
            DateTime::from_timestamp(number, 0)
        };
        time.map(|time| Self::Instant(time.fixed_offset()))
            .filter(Self::is_plausible)
    }

    fn is_plausible(&self) -> bool {
        YEARS.contains(&self.date().year())
    }

    /// The calendar day as written: it never passes through a time zone.
    fn date(self) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Wall(time) => time.date(),
            Self::Instant(time) => time.date_naive(),
        }
    }

    fn utc(self) -> DateTime<Utc> {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
            Self::Wall(time) => time.and_utc(),
            Self::Instant(time) => time.to_utc(),
        }
    }
}

/// Countries by name, alpha-2 or alpha-3 code.
pub(crate) mod country {
    use celes::Country;

    use super::super::names::normal;

    /// The alpha-2 code.
    pub(crate) fn alpha2(text: &str) -> Option<&'static str> {
        find(text).map(|country| country.alpha2)
    }

    /// The alpha-3 code.
    pub(crate) fn alpha3(text: &str) -> Option<&'static str> {
        find(text).map(|country| country.alpha3)
    }

    fn find(text: &str) -> Option<Country> {
        let text = text.trim();
        if text.is_ascii() && matches!(text.len(), 2 | 3) {
            let by_code = match text.len() {
                2 => Country::from_alpha2(text).ok(),
                _ => Country::from_alpha3(text).ok(),
            };
            if by_code.is_some() {
                return by_code;
            }
        }
        let spelling = letters(text);
        let named = |country: &Country| letters(country.long_name) == spelling;
        (!spelling.is_empty())
            .then(|| Country::get_countries().into_iter().find(named))
            .flatten()
            .or_else(|| Country::from_alias(&spelling).ok())
    }

    /// A name without articles' punctuation: "United States of America (the)" and "United States of America" agree.
    fn letters(text: &str) -> String {
        let text = normal(text);
        let text = text.strip_prefix("the ").unwrap_or(&text);
        let text = text.strip_suffix(" (the)").unwrap_or(text);
        let text = text.strip_prefix("the ").unwrap_or(text);
        text.chars().filter(|c| c.is_alphabetic()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn to(data_type: DataType, value: Value) -> Result<Value, String> {
        normalise(&value, data_type, Choices::default())
    }

    #[test]
    fn a_date_keeps_the_calendar_day_and_a_datetime_the_instant() {
        let late = json!("2026-03-01T23:30:00-05:00");
        assert_eq!(to(DataType::Date, late.clone()), Ok(json!("2026-03-01")));
        assert_eq!(to(DataType::Datetime, late), Ok(json!("2026-03-02T04:30:00Z")));
    }

    #[test]
    fn dates_are_read_in_the_usual_forms_and_nothing_is_guessed() {
        for text in [
            "2026-03-01",
            "3/1/2026",
            "03-01-2026",
            "20260301",
            "Mar 1, 2026",
            "1 March 2026",
            "2026/03/01",
            "2026-03-01 10:00",
            "2026-03-01T00:00:00.000+0000",
        ] {
            assert_eq!(to(DataType::Date, json!(text)), Ok(json!("2026-03-01")), "{text}");
        }
        for text in ["13/01/2026", "2026-02-30", "1/2/26", "soon", "12345678"] {
            assert!(to(DataType::Date, json!(text)).is_err(), "{text}");
        }
        let instant = json!("2001-09-09T01:46:40Z");
        for number in [json!(1_000_000_000), json!("1000000000"), json!(1_000_000_000_000_i64)] {
            assert_eq!(to(DataType::Datetime, number), Ok(instant.clone()));
        }
    }

    #[test]
    fn numbers_are_exact_and_never_written_with_an_exponent() {
        assert_eq!(to(DataType::Integer, json!("42")), Ok(json!(42)));
        assert_eq!(to(DataType::Integer, json!(3.0)), Ok(json!(3)));
        assert!(to(DataType::Integer, json!("3.5")).is_err());
        assert_eq!(to(DataType::Decimal, json!("0.10")), Ok(json!(0.1)));
        assert_eq!(to(DataType::Decimal, json!("1e3")), Ok(json!(1000)));
        let long = "12345678901234567.25";
        assert_eq!(to(DataType::Decimal, json!(long)), Ok(json!(long)));
        assert_eq!(to(DataType::Currency, json!("12.50")), Ok(json!("12.50")));
        assert_eq!(to(DataType::Text, json!(1e21)), Ok(json!("1000000000000000000000")));
        assert!(to(DataType::Percent, json!("many")).is_err());
    }

    #[test]
    fn booleans_are_read_from_words_and_digits() {
        for yes in [json!(true), json!("Yes"), json!(1), json!("on")] {
            assert_eq!(to(DataType::Boolean, yes), Ok(json!(true)));
        }
        for no in [json!(false), json!("0"), json!("no")] {
            assert_eq!(to(DataType::Boolean, no), Ok(json!(false)));
        }
        assert!(to(DataType::Boolean, json!("maybe")).is_err());
    }

    #[test]
    fn choices_are_taken_by_label_id_or_other_spelling() {
        let labels = ["Red".to_owned(), "Light, blue".to_owned()];
        let ids = ["10".to_owned(), "11".to_owned()];
        let choices = Choices {
            labels: &labels,
            ids: &ids,
        };
        let one = |value: Value| normalise(&value, DataType::Select, choices);
        assert_eq!(one(json!("red ")), Ok(json!("Red")));
        assert_eq!(one(json!(11)), Ok(json!("Light, blue")));
        assert_eq!(one(json!("green")), Err("one of: Red, Light, blue".to_owned()));
        let many = |value: Value| normalise(&value, DataType::MultiSelect, choices);
        assert_eq!(many(json!("Light, blue")), Ok(json!(["Light, blue"])));
        assert_eq!(many(json!("10,red")), Ok(json!(["Red"])));
        assert_eq!(many(json!(["Red", "11", ""])), Ok(json!(["Red", "Light, blue"])));
    }

    #[test]
    fn blank_is_null_in_every_type() {
        for data_type in [DataType::Text, DataType::Date, DataType::MultiSelect, DataType::Integer] {
            for blank in [json!(null), json!(""), json!([])] {
                assert_eq!(to(data_type, blank), Ok(Value::Null));
            }
        }
        assert_eq!(to(DataType::Text, json!(" ")), Ok(json!(" ")));
        assert_eq!(to(DataType::Date, json!(" ")), Ok(Value::Null));
    }

    #[test]
    fn countries_are_known_by_name_and_both_codes() {
        for text in [
            "US",
            "usa",
            "United States of America",
            "united states of america (the)",
        ] {
            assert_eq!(country::alpha2(text), Some("US"), "{text}");
        }
        for (text, code) in [
            ("Germany", "DEU"),
            ("United States", "USA"),
            ("United Kingdom", "GBR"),
            ("de", "DEU"),
        ] {
            assert_eq!(country::alpha3(text), Some(code), "{text}");
        }
        for text in ["Atlantis", "", "??", "ZZ", "é"] {
            assert_eq!(country::alpha2(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own_normal_form(text in "\\PC{0,24}", number in any::<i64>(), fraction in any::<f64>()) {
            let types = [
                DataType::Text, DataType::Integer, DataType::Decimal, DataType::Currency, DataType::Boolean,
                DataType::Date, DataType::Datetime, DataType::Select, DataType::MultiSelect, DataType::Other,
            ];
            for value in [json!(text), json!(number), json!(fraction)] {
                for data_type in types {
                    if let Ok(normal) = to(data_type, value.clone()) {
                        prop_assert_eq!(to(data_type, normal.clone()), Ok(normal));
                    }
                }
            }
        }
    }
}
