//! `/crm/v3/objects/contacts/search`.

use std::cmp::Ordering;

use axum::Json;
use axum::extract::State as Ctx;
use bytes::Bytes;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, with_next};
use crate::hubspot::HubSpot;
use crate::hubspot::contact;
use crate::hubspot::error::ApiError;
use crate::hubspot::property::{self, Kind};
use crate::hubspot::state::{Contact, State};

/// A search shows no more than this.
const CAP: usize = 10_000;
const PAGE: usize = 200;
const GROUPS: usize = 5;
const FILTERS: usize = 6;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Filter {
    property_name: String,
    operator: String,
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Search {
    filter_groups: Vec<Group>,
    sorts: Vec<String>,
    properties: Vec<String>,
    limit: usize,
    after: String,
    query: Option<String>,
}

/// Without `sorts` the oldest comes first.
pub(super) async fn search(Ctx(hubspot): Ctx<HubSpot>, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let sent: Search = body(&bytes)?;
    let start: usize = if sent.after.is_empty() {
        0
    } else {
        let start = sent.after.parse();
        start.map_err(|_| ApiError::invalid("after must be a number"))?
    };
    if !(1..=PAGE).contains(&sent.limit) {
        return Err(ApiError::invalid(format!("limit must be a number from 1 to {PAGE}")));
    }
    if start + sent.limit > CAP {
        return Err(ApiError::invalid(format!("a search shows {CAP} records at most")));
    }
    if sent.filter_groups.len() > GROUPS || sent.filter_groups.iter().any(|group| group.filters.len() > FILTERS) {
        return Err(ApiError::invalid(format!(
            "at most {GROUPS} groups of {FILTERS} filters"
        )));
    }
    if sent.query.is_some() {
        return Err(ApiError::invalid("this simulator searches by filters only"));
    }
    hubspot.read(|state| {
        let mut found = Vec::new();
        for contact in state.contacts.values() {
            if matches(state, &sent.filter_groups, contact)? {
                found.push(contact);
            }
        }
        sort(state, &sent.sorts, &mut found)?;
        let total = found.len();
        let page = found.into_iter().skip(start).take(sent.limit);
        let page: Vec<Value> = page
            .map(|it| contact::show(state, it, Some(&sent.properties)))
            .collect();
        let end = start + page.len();
        let next = (end < total).then(|| end.to_string());
        Ok(Json(with_next(json!({ "total": total, "results": page }), next)))
    })
}

/// Whether all filters of one group hold; no group at all lets everything through.
fn matches(state: &State, groups: &[Group], contact: &Contact) -> Result<bool, ApiError> {
    let mut any = groups.is_empty();
    for group in groups {
        let mut all = true;
        for filter in &group.filters {
            all &= holds(state, filter, contact)?;
        }
        any |= all;
    }
    Ok(any)
}

fn holds(state: &State, filter: &Filter, contact: &Contact) -> Result<bool, ApiError> {
    let property = property::find(state, &filter.property_name)?;
    let value = contact::value(state, contact, property.name);
    let known = |test: fn(Ordering) -> bool| -> Result<bool, ApiError> {
        let wanted = filter.value.as_deref();
        let wanted = wanted.ok_or_else(|| ApiError::invalid(format!("{} needs a value", filter.operator)))?;
        let Some(value) = &value else {
            return Ok(false);
        };
        let ordering = compare(property.kind, value, wanted);
        let ordering =
            ordering.ok_or_else(|| ApiError::invalid(format!("{wanted} is not valid for {}", property.name)))?;
        Ok(test(ordering))
    };
    match filter.operator.as_str() {
        "EQ" => known(Ordering::is_eq),
        "NEQ" => known(Ordering::is_ne),
        "GT" => known(Ordering::is_gt),
        "GTE" => known(Ordering::is_ge),
        "LT" => known(Ordering::is_lt),
        "LTE" => known(Ordering::is_le),
        "HAS_PROPERTY" => Ok(value.is_some()),
        "NOT_HAS_PROPERTY" => Ok(value.is_none()),
        other => Err(ApiError::invalid(format!("this simulator has no operator {other}"))),
    }
}

/// Compares as the kind of the property says; none when the wanted text is no value of it.
fn compare(kind: Kind, value: &str, wanted: &str) -> Option<Ordering> {
    match kind {
        Kind::Number => {
            let wanted: Decimal = wanted.parse().ok()?;
            Some(value.parse::<Decimal>().ok()?.cmp(&wanted))
        }
        Kind::Date | Kind::Datetime => {
            let at = |text: &str| property::instant(text).or_else(|| property::instant(&format!("{text}T00:00:00Z")));
            Some(at(value)?.cmp(&at(wanted)?))
        }
        Kind::String | Kind::Bool | Kind::Enumeration => Some(value.to_lowercase().cmp(&wanted.to_lowercase())),
    }
}

/// Sorts by one property, `-` before its name for the largest first.
fn sort(state: &State, sorts: &[String], found: &mut [&Contact]) -> Result<(), ApiError> {
    let [sort] = sorts else {
        return if sorts.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid("a search sorts by one property at most"))
        };
    };
    let name = sort.trim_start_matches('-');
    let kind = property::find(state, name)?.kind;
    found.sort_by(|a, b| {
        let (a, b) = (contact::value(state, a, name), contact::value(state, b, name));
        let ordering = match (&a, &b) {
            (Some(a), Some(b)) => compare(kind, a, b).unwrap_or(Ordering::Equal),
            _ => a.is_some().cmp(&b.is_some()),
        };
        if sort.starts_with('-') {
            ordering.reverse()
        } else {
            ordering
        }
    });
    Ok(())
}
