//! `/crm/v3/lists`: lists, who is on them, and which lists a record is on.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use mfh_types::TimestampMs;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{batch, body, cut, now, with_next};
use crate::access_log::{Draft, RequestId};
use crate::hubspot::HubSpot;
use crate::hubspot::contact::time;
use crate::hubspot::error::ApiError;
use crate::hubspot::params::Params;
use crate::hubspot::state::{Contact, List, Processing, Record, State, Transaction};

const CONTACT_TYPE: &str = "0-1";
const PAGE: usize = 500;
const MEMBERS_PAGE: usize = 250;

fn show(state: &State, list: &List, additional: &[String]) -> Value {
    let members = state
        .contacts
        .values()
        .filter(|contact| contact.lists.contains_key(&list.id));
    let mut additional_properties = BTreeMap::new();
    for name in additional.iter().filter(|name| *name == "hs_list_size") {
        additional_properties.insert(name.as_str(), members.clone().count().to_string());
    }
    json!({
        "listId": list.id.to_string(),
        "listVersion": 1,
        "name": list.name,
        "objectTypeId": CONTACT_TYPE,
        "processingType": list.processing,
        "processingStatus": "COMPLETE",
        "createdAt": time(list.created_at),
        "updatedAt": time(list.created_at),
        "additionalProperties": additional_properties,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Search {
    additional_properties: Vec<String>,
    #[serde(default)]
    offset: usize,
    count: Option<usize>,
    object_type_id: Option<String>,
    processing_types: Option<Vec<Processing>>,
    query: Option<String>,
}

pub(super) async fn search(Ctx(hubspot): Ctx<HubSpot>, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let sent: Search = body(&bytes)?;
    let count = sent.count.unwrap_or(20);
    if !(1..=PAGE).contains(&count) {
        return Err(ApiError::invalid(format!("count must be a number from 1 to {PAGE}")));
    }
    let query = sent.query.unwrap_or_default().to_lowercase();
    hubspot.read(|state| {
        let of_type = sent.object_type_id.as_deref().is_none_or(|kind| kind == CONTACT_TYPE);
        let wanted = |list: &&List| {
            let kinds = sent.processing_types.as_ref();
            of_type
                && kinds.is_none_or(|kinds| kinds.contains(&list.processing))
                && list.name.to_lowercase().contains(&query)
        };
        let found: Vec<&List> = state.lists.values().filter(wanted).collect();
        let page = found.iter().skip(sent.offset).take(count);
        let page: Vec<Value> = page
            .map(|list| show(state, list, &sent.additional_properties))
            .collect();
        let end = sent.offset + page.len();
        Ok(Json(json!({
            "lists": page, "hasMore": end < found.len(), "offset": end, "total": found.len(),
        })))
    })
}

pub(super) async fn get(
    Ctx(hubspot): Ctx<HubSpot>,
    Path(list_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    Params::only(query.as_deref(), &["includeFilters"])?;
    hubspot.read(|state| Ok(Json(json!({ "list": show(state, state.list(&list_id)?, &[]) }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Create {
    name: String,
    object_type_id: String,
    processing_type: Processing,
}

pub(super) async fn create(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: Create = body(&bytes)?;
    if sent.name.trim().is_empty() || sent.object_type_id != CONTACT_TYPE {
        return Err(ApiError::invalid("a list needs a name and the object type 0-1"));
    }
    if sent.processing_type == Processing::Dynamic {
        return Err(ApiError::invalid("this simulator cannot create lists with filters"));
    }
    let plan = |tx: &mut Transaction<'_>| {
        let mut lists = tx.state.lists.values();
        if lists.any(|list| list.name.eq_ignore_ascii_case(sent.name.trim())) {
            let message = format!("List name must be unique: {}", sent.name);
            return Err(ApiError::in_detail("ILS.DUPLICATE_LIST_NAMES", message));
        }
        let list = List {
            id: tx.next_id("list"),
            legacy_id: None,
            name: sent.name.trim().to_owned(),
            processing: sent.processing_type,
            created_at: tx.now,
        };
        tx.log(Draft {
            op: "create_tag",
            tag_id: Some(list.id.to_string()),
            fields: Some(json!({ "name": list.name })),
            changed: true,
            ..Draft::default()
        });
        tx.put(Record::List(list.clone()));
        Ok(list)
    };
    hubspot.write(&request_id, plan, |state, list| {
        Json(json!({ "list": show(state, &list, &[]) }))
    })
}

/// The present id of a list by the one that it had before.
pub(super) async fn present_id(Ctx(hubspot): Ctx<HubSpot>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::only(query.as_deref(), &["legacyListId"])?;
    let legacy = params.get("legacyListId").unwrap_or_default();
    hubspot.read(|state| {
        let mut lists = state.lists.values();
        let list = lists.find(|list| list.legacy_id.is_some_and(|id| id.to_string() == legacy));
        let list = list.ok_or_else(|| ApiError::missing("legacy list", legacy))?;
        Ok(Json(json!({ "legacyListId": legacy, "listId": list.id.to_string() })))
    })
}

/// Members with the time at which they came.
fn joined(state: &State, list: u64) -> Vec<(TimestampMs, u64)> {
    let contacts = state.contacts.values();
    let joined = contacts.filter_map(|contact| Some((*contact.lists.get(&list)?, contact.id)));
    joined.collect()
}

fn member(at: TimestampMs, id: u64) -> Value {
    json!({ "recordId": id.to_string(), "membershipTimestamp": time(at) })
}

fn members_query(query: Option<&str>) -> Result<(Params, usize), ApiError> {
    let params = Params::only(query, &["limit", "after", "before"])?;
    let limit = params.limit(100, MEMBERS_PAGE)?;
    Ok((params, limit))
}

/// By record id.
pub(super) async fn members(
    Ctx(hubspot): Ctx<HubSpot>,
    Path(list_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let (params, limit) = members_query(query.as_deref())?;
    let after = params.after()?;
    hubspot.read(|state| {
        let members = joined(state, state.list(&list_id)?.id);
        let total = members.len();
        let members = members.into_iter().map(|(at, id)| (id, member(at, id)));
        let (page, next) = cut(members, after, limit);
        Ok(Json(with_next(json!({ "results": page, "total": total }), next)))
    })
}

/// By the time at which they came.
pub(super) async fn members_by_age(
    Ctx(hubspot): Ctx<HubSpot>,
    Path(list_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let (params, limit) = members_query(query.as_deref())?;
    let after = params.get("after").map(read_position).transpose()?;
    hubspot.read(|state| {
        let mut members = joined(state, state.list(&list_id)?.id);
        let total = members.len();
        members.sort_by_key(|(at, id)| (at.0, *id));
        if let Some(after) = after {
            members.retain(|(at, id)| (at.0.timestamp_millis(), *id) > after);
        }
        let more = members.len() > limit;
        members.truncate(limit);
        let last = members.last().filter(|_| more);
        let next = last.map(|(at, id)| URL_SAFE_NO_PAD.encode(format!("{}:{id}", at.0.timestamp_millis())));
        let page: Vec<Value> = members.iter().map(|(at, id)| member(*at, *id)).collect();
        Ok(Json(with_next(json!({ "results": page, "total": total }), next)))
    })
}

fn read_position(after: &str) -> Result<(i64, u64), ApiError> {
    let text = URL_SAFE_NO_PAD
        .decode(after)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let position = text.as_deref().and_then(|text| {
        let (at, id) = text.split_once(':')?;
        Some((at.parse().ok()?, id.parse().ok()?))
    });
    position.ok_or_else(|| ApiError::invalid("after is not valid for this list"))
}

pub(super) async fn add(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    Path(list_id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    change(&hubspot, &request_id, &list_id, &bytes, true)
}

pub(super) async fn remove(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    Path(list_id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    change(&hubspot, &request_id, &list_id, &bytes, false)
}

/// Only those whose membership changed are named as added or removed.
fn change(
    hubspot: &HubSpot,
    request_id: &RequestId,
    list_id: &str,
    bytes: &Bytes,
    add: bool,
) -> Result<Json<Value>, ApiError> {
    let record_ids: Vec<String> = body(bytes)?;
    let plan = |tx: &mut Transaction<'_>| {
        let list = tx.state.list(list_id)?;
        if list.processing == Processing::Dynamic {
            let message = "Memberships of a list with processing type DYNAMIC cannot be changed";
            return Err(ApiError::in_detail("ILS.INVALID_LIST_PROCESSING_TYPE", message));
        }
        let list = list.id;
        let (mut changed, mut missing) = (Vec::new(), Vec::new());
        for id in record_ids {
            let Ok(contact) = tx.state.contact(&id) else {
                missing.push(id);
                continue;
            };
            let is_change = contact.lists.contains_key(&list) != add;
            tx.log_tag(if add { "apply_tag" } else { "remove_tag" }, &id, list, is_change);
            if is_change {
                put(tx, contact, list, add);
                changed.push(id);
            }
        }
        Ok((changed, missing))
    };
    hubspot.write(request_id, plan, |_, (changed, missing)| {
        let (added, removed) = if add {
            (changed, Vec::new())
        } else {
            (Vec::new(), changed)
        };
        Json(json!({ "recordsIdsAdded": added, "recordIdsRemoved": removed, "recordIdsMissing": missing }))
    })
}

fn put(tx: &mut Transaction<'_>, contact: &Contact, list: u64, add: bool) {
    let mut contact = contact.clone();
    if add {
        contact.lists.insert(list, tx.now);
    } else {
        contact.lists.remove(&list);
    }
    tx.put(Record::Contact(contact));
}

fn memberships(contact: &Contact, id_as_text: bool) -> Vec<Value> {
    let shown = contact.lists.iter().map(|(list, at)| {
        let id = if id_as_text {
            json!(list.to_string())
        } else {
            json!(list)
        };
        json!({ "listId": id, "listVersion": 1, "firstAddedTimestamp": time(*at), "lastAddedTimestamp": time(*at) })
    });
    shown.collect()
}

pub(super) async fn of_contact(
    Ctx(hubspot): Ctx<HubSpot>,
    Path((object_type_id, record_id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    if object_type_id != CONTACT_TYPE {
        return Err(ApiError::missing("object type", object_type_id));
    }
    hubspot.read(|state| {
        let results = memberships(state.contact(&record_id)?, true);
        Ok(Json(json!({ "total": results.len(), "results": results })))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RecordId {
    object_type_id: String,
    record_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordIds {
    inputs: Vec<RecordId>,
}

/// Of several records; here the ids of lists are numbers, as the vendor has them.
pub(super) async fn of_contacts(Ctx(hubspot): Ctx<HubSpot>, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let sent: RecordIds = body(&bytes)?;
    let now = now(&hubspot);
    hubspot.read(|state| {
        let of_type = sent.inputs.iter().filter(|input| input.object_type_id == CONTACT_TYPE);
        let results = of_type.filter_map(|input| {
            let contact = state.contact(&input.record_id).ok()?;
            Some(json!({
                "objectTypeId": CONTACT_TYPE, "recordId": input.record_id,
                "recordListMemberships": memberships(contact, false),
            }))
        });
        Ok(Json(batch(results.collect(), now)))
    })
}
