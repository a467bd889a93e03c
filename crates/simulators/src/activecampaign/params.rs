//! Query parameters, bodies and pages.

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::error::ApiError;
use crate::account::Failure as _;
pub(crate) use crate::params::Params;

const USUAL_PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

impl Params {
    /// Reads a raw query string that may name these parameters, `limit` and `offset`. The vendor ignores others; here
    /// they are refused, because a client that sends one believes that it does something.
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let params = Self::parse(query);
        match params.other_than(&[known, &["limit", "offset"]].concat()) {
            Some(name) => Err(ApiError::malformed(format!("Unknown query parameter {name}"))),
            None => Ok(params),
        }
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let refused = |text: &str| ApiError::malformed(format!("{name} must be a number, not {text}"));
        self.get(name)
            .map(|text| text.parse().map_err(|_| refused(text)))
            .transpose()
    }

    /// A parameter that is a point in time or a day.
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
        let read = |text: &str| {
            let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
            let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
            time.or_else(|| day().map(|day| day.and_time(NaiveTime::MIN).and_utc()))
                .ok_or_else(|| ApiError::malformed(format!("{name} must be a date, not {text}")))
        };
        self.get(name).map(read).transpose()
    }

    /// Cuts this page out of a list: its members under `name`, and `meta` with the total as text.
    pub(super) fn page<T>(&self, rows: Vec<T>) -> Result<(Vec<T>, Value), ApiError> {
        let limit = self.number("limit")?.map_or(USUAL_PAGE, to_size);
        let offset = self.number("offset")?.map_or(0, to_size);
        let total = rows.len();
        let page = rows.into_iter().skip(offset).take(limit.min(LARGEST_PAGE)).collect();
        let meta = json!({
            "total": total.to_string(),
            "page_input": { "limit": limit.min(LARGEST_PAGE), "offset": offset },
        });
        Ok((page, meta))
    }
}

fn to_size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The object that a body holds under `name`, checked for members that are not known.
pub(crate) fn body(bytes: &Bytes, name: &str, known: &[&str]) -> Result<JsonObject, ApiError> {
    let mut sent: JsonObject = serde_json::from_slice(bytes).map_err(|error| ApiError::unreadable(&error))?;
    let Some(Value::Object(inner)) = sent.remove(name) else {
        return Err(ApiError::malformed(format!(
            "The request body must hold an object {name}"
        )));
    };
    let strange = sent
        .keys()
        .chain(inner.keys().filter(|key| !known.contains(&key.as_str())));
    match strange.into_iter().next() {
        Some(strange) => Err(ApiError::malformed(format!("Unknown member {strange} of {name}"))),
        None => Ok(inner),
    }
}

/// An id or code in a body, as a number or as text.
pub(crate) fn number(body: &JsonObject, name: &str) -> Result<u64, ApiError> {
    let number = match body.get(name) {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| ApiError::invalid(name, "field_missing", format!("The {name} is required.")))
}

/// A text in a body; absent and `null` alike are none.
pub(crate) fn text<'a>(body: &'a JsonObject, name: &str) -> Result<Option<&'a str>, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::invalid(
            name,
            "field_invalid",
            format!("The {name} must be text."),
        )),
    }
}
