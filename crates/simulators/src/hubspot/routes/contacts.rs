//! `/crm/v3/objects/contacts`: list, read, create, update, delete, and batches.

use std::collections::BTreeSet;

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{batch, body, cut, now, with_next};
use crate::access_log::{Draft, RequestId};
use crate::hubspot::HubSpot;
use crate::hubspot::contact;
use crate::hubspot::error::ApiError;
use crate::hubspot::params::Params;
use crate::hubspot::state::{Contact, Record, State, Transaction};

/// The most records of a batch.
const BATCH: usize = 100;

pub(super) async fn list(Ctx(hubspot): Ctx<HubSpot>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let allowed = [
        "limit",
        "after",
        "properties",
        "propertiesWithHistory",
        "associations",
        "archived",
    ];
    let params = Params::only(query.as_deref(), &allowed)?;
    let (limit, after) = (params.limit(10, 100)?, params.after()?);
    let wanted = params.list("properties");
    hubspot.read(|state| {
        let contacts = state.contacts.iter().map(|(id, contact)| (*id, contact));
        let (page, next) = cut(contacts, after, limit);
        let page = page.into_iter().map(|it| contact::show(state, it, wanted.as_deref()));
        Ok(Json(with_next(json!({ "results": page.collect::<Vec<_>>() }), next)))
    })
}

/// The contact of a path: by its id, or by an address when the query says so.
fn find<'a>(state: &'a State, id: &str, id_property: Option<&str>) -> Result<&'a Contact, ApiError> {
    match id_property {
        None | Some("hs_object_id") => state.contact(id),
        Some("email") => state.contact_of(id).ok_or_else(|| ApiError::missing("contact", id)),
        Some(other) => Err(ApiError::invalid(format!("{other} does not identify a contact"))),
    }
}

pub(super) async fn get(
    Ctx(hubspot): Ctx<HubSpot>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let allowed = [
        "properties",
        "propertiesWithHistory",
        "associations",
        "archived",
        "idProperty",
    ];
    let params = Params::only(query.as_deref(), &allowed)?;
    let wanted = params.list("properties");
    hubspot.read(|state| {
        let found = find(state, &contact_id, params.get("idProperty"))?;
        Ok(Json(contact::show(state, found, wanted.as_deref())))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    properties: JsonObject,
    associations: Vec<Value>,
}

pub(super) async fn create(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: Create = body(&bytes)?;
    if !sent.associations.is_empty() {
        return Err(ApiError::invalid("this simulator associates nothing on creation"));
    }
    hubspot.write(
        &request_id,
        |tx| add(tx, &sent.properties),
        |state, id| {
            let shown = state.contacts.get(&id).map(|it| contact::show_written(state, it));
            (StatusCode::CREATED, Json(shown.unwrap_or_default()))
        },
    )
}

fn draft(op: &'static str, id: u64, properties: &JsonObject, changed: bool) -> Draft {
    Draft {
        op,
        contact_id: Some(id.to_string()),
        fields: Some(Value::Object(properties.clone())),
        changed,
        ..Draft::default()
    }
}

fn add(tx: &mut Transaction<'_>, properties: &JsonObject) -> Result<u64, ApiError> {
    let reachable = ["email", "firstname", "lastname"];
    let has_text = |name: &str| {
        properties
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|it| !it.is_empty())
    };
    if !reachable.into_iter().any(has_text) {
        return Err(ApiError::invalid("a contact needs an email, a firstname or a lastname"));
    }
    let contact = contact::create(tx, properties)?;
    let id = contact.id;
    tx.log(draft("create_contact", id, properties, true));
    tx.put(Record::Contact(contact));
    Ok(id)
}

fn change(tx: &mut Transaction<'_>, known: &Contact, properties: &JsonObject) -> Result<u64, ApiError> {
    let checked = contact::check(tx.state, Some(known.id), properties)?;
    let mut contact = known.clone();
    contact::write(&mut contact, checked);
    let changed = contact != *known;
    if changed {
        contact.updated_at = tx.now;
        tx.put(Record::Contact(contact));
    }
    tx.log(draft("update_contact", known.id, properties, changed));
    Ok(known.id)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    properties: JsonObject,
}

pub(super) async fn update(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let params = Params::only(query.as_deref(), &["idProperty"])?;
    let sent: Update = body(&bytes)?;
    hubspot.write(
        &request_id,
        |tx| {
            let known = find(tx.state, &contact_id, params.get("idProperty"))?;
            change(tx, known, &sent.properties)
        },
        |state, id| {
            let shown = state.contacts.get(&id).map(|it| contact::show_written(state, it));
            Json(shown.unwrap_or_default())
        },
    )
}

pub(super) async fn delete(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    hubspot.write(
        &request_id,
        |tx| {
            let contact = tx.state.contact(&contact_id)?;
            tx.delete(Record::Contact(contact.clone()));
            let notes = tx.state.notes.values().filter(|note| note.contact_id == contact.id);
            notes.for_each(|note| tx.delete(Record::Note(note.clone())));
            tx.log_contact("delete_contact", &contact_id, None, true);
            Ok(())
        },
        |_, ()| StatusCode::NO_CONTENT,
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Id {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BatchRead {
    inputs: Vec<Id>,
    properties: Vec<String>,
    #[serde(rename = "propertiesWithHistory")]
    _with_history: Vec<String>,
    id_property: Option<String>,
}

fn within_batch(count: usize) -> Result<(), ApiError> {
    if (1..=BATCH).contains(&count) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("inputs must hold 1 to {BATCH} records")))
}

/// Records that do not exist are named in `errors` of a 207.
pub(super) async fn batch_read(
    Ctx(hubspot): Ctx<HubSpot>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: BatchRead = body(&bytes)?;
    within_batch(sent.inputs.len())?;
    let now = now(&hubspot);
    hubspot.read(|state| {
        let (mut results, mut missing) = (Vec::new(), Vec::new());
        // The order of the answer is not that of the request.
        for input in sent.inputs.iter().rev() {
            match find(state, &input.id, sent.id_property.as_deref()) {
                Ok(found) => results.push(contact::show(state, found, Some(&sent.properties))),
                Err(_) => missing.push(&input.id),
            }
        }
        let mut answer = batch(results, now);
        if missing.is_empty() {
            return Ok((StatusCode::OK, Json(answer)));
        }
        answer["numErrors"] = missing.len().into();
        answer["errors"] = json!([{
            "status": "error", "category": "OBJECT_NOT_FOUND",
            "message": "Could not get some CONTACT objects, they may be deleted or not exist.",
            "context": { "ids": missing },
        }]);
        Ok((StatusCode::MULTI_STATUS, Json(answer)))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UpsertInput {
    id: String,
    id_property: Option<String>,
    properties: JsonObject,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchUpsert {
    inputs: Vec<UpsertInput>,
}

pub(super) async fn batch_upsert(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: BatchUpsert = body(&bytes)?;
    within_batch(sent.inputs.len())?;
    let ids: BTreeSet<String> = sent.inputs.iter().map(|input| input.id.to_lowercase()).collect();
    if ids.len() < sent.inputs.len() {
        return Err(ApiError::invalid("Duplicate IDs found in batch input"));
    }
    hubspot.write(
        &request_id,
        |tx| {
            let written = sent.inputs.iter().map(|input| upsert(tx, input));
            Ok((written.collect::<Result<Vec<_>, _>>()?, tx.now))
        },
        |state, (written, now)| {
            let results = written.into_iter().filter_map(|(id, new)| {
                let mut shown = contact::show_written(state, state.contacts.get(&id)?);
                shown["new"] = new.into();
                Some(shown)
            });
            Json(batch(results.collect(), now))
        },
    )
}

fn upsert(tx: &mut Transaction<'_>, input: &UpsertInput) -> Result<(u64, bool), ApiError> {
    let known = find(tx.state, &input.id, input.id_property.as_deref());
    match (known, input.id_property.as_deref()) {
        (Ok(known), _) => Ok((change(tx, known, &input.properties)?, false)),
        (Err(_), Some("email")) => {
            let mut properties = input.properties.clone();
            let email = || input.id.clone().into();
            properties.entry("email").or_insert_with(email);
            Ok((add(tx, &properties)?, true))
        }
        (Err(error), _) => Err(error),
    }
}
