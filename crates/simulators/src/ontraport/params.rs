//! Query parameters, bodies and pages.

use std::cmp::Ordering;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use mfh_types::JsonObject;
use rust_decimal::Decimal;
use serde_json::Value;

use super::error::ApiError;
use crate::account::Failure as _;
pub(crate) use crate::params::Params;

/// The largest page; more is not given when more is asked for.
const LARGEST_PAGE: usize = 50;

impl Params {
    /// A parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)
            .ok_or_else(|| ApiError::invalid(format!("Missing parameter: {name}")))
    }

    /// The kind of record that the request is about.
    pub(super) fn kind(&self) -> Result<u64, ApiError> {
        let text = self.required("objectID")?;
        text.parse().map_err(|_| ApiError::invalid("Invalid objectID"))
    }

    /// The parameters as if they had come in a body.
    pub(super) fn into_body(self) -> JsonObject {
        self.into_pairs()
            .map(|(name, value)| (name, Value::from(value)))
            .collect()
    }
}

/// Reads a body of JSON, or of a form where the request says so.
pub(crate) fn body(headers: &HeaderMap, bytes: &Bytes) -> Result<JsonObject, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Ok(Params::form(bytes).into_body());
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::unreadable(&error))
}

/// Takes the kind of record out of a body.
pub(crate) fn take_kind(body: &mut JsonObject) -> Result<u64, ApiError> {
    let kind = body
        .remove("objectID")
        .ok_or_else(|| ApiError::invalid("Missing parameter: objectID"))?;
    number(&kind).ok_or_else(|| ApiError::invalid("Invalid objectID"))
}

/// A number, also as text.
pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The ids of a criterion: a text with commas or an array. It must be there and hold only numbers.
pub(crate) fn ids(body: &JsonObject, name: &str) -> Result<Vec<u64>, ApiError> {
    let wrong = || ApiError::invalid(format!("Invalid or missing parameter: {name}"));
    let members: Vec<Value> = match body.get(name) {
        Some(Value::String(text)) => text.split(',').map(Value::from).collect(),
        Some(Value::Array(members)) => members.clone(),
        Some(number @ Value::Number(_)) => vec![number.clone()],
        _ => return Err(wrong()),
    };
    let ids: Option<Vec<u64>> = members.iter().map(number).collect();
    ids.ok_or_else(wrong)
}

/// Where a list is sorted and cut.
#[derive(Debug)]
pub(crate) struct Page {
    start: usize,
    range: usize,
    sort: Option<String>,
    descending: bool,
}

impl Page {
    /// Reads `start`, `range`, `sort` and `sortDir`; only these properties can be sorted by.
    pub(crate) fn read(params: &Params, properties: &[String]) -> Result<Self, ApiError> {
        let count = |name: &str, usual: usize| match params.get(name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| ApiError::invalid(format!("Invalid {name}"))),
        };
        let range = count("range", LARGEST_PAGE)?;
        if range == 0 {
            return Err(ApiError::invalid("Invalid range"));
        }
        let sort = params.get("sort").map(str::to_owned);
        if let Some(sort) = &sort
            && !properties.contains(sort)
        {
            return Err(ApiError::invalid(format!("Invalid sort field: {sort}")));
        }
        let descending = match params.get("sortDir") {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(ApiError::invalid("Invalid sortDir")),
        };
        Ok(Self {
            start: count("start", 0)?,
            range: range.min(LARGEST_PAGE),
            sort,
            descending,
        })
    }

    /// Sorts the records and takes this page of them.
    pub(crate) fn cut(&self, mut records: Vec<JsonObject>) -> Vec<JsonObject> {
        if let Some(sort) = &self.sort {
            let key = |record: &JsonObject| text(record.get(sort));
            records.sort_by(|a, b| {
                let ordering = compare(&key(a), &key(b));
                if self.descending { ordering.reverse() } else { ordering }
            });
        }
        records.into_iter().skip(self.start).take(self.range).collect()
    }
}

/// A property as text; `null` is empty.
pub(crate) fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// The order of two values: of numbers where both are numbers, else of texts without regard to case.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    match (a.parse::<Decimal>(), b.parse::<Decimal>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.to_lowercase().cmp(&b.to_lowercase()),
    }
}
