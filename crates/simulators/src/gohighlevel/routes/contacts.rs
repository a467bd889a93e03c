//! `/contacts`: search, read, create, upsert, update, delete, workflows.

use axum::extract::{Path, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::{Query, body, check_location};
use crate::access_log::RequestId;
use crate::gohighlevel::contact::{self, Purpose, phone};
use crate::gohighlevel::error::ApiError;
use crate::gohighlevel::state::{Contact, Record, State, Transaction};
use crate::gohighlevel::{GoHighLevel, search as searching};

pub(super) async fn search(Ctx(crm): Ctx<GoHighLevel>, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    crm.read(|state| searching::answer(state, &bytes).map(Json))
}

/// One contact with the address or number, or none.
pub(super) async fn duplicate(Ctx(crm): Ctx<GoHighLevel>, query: Query) -> Result<Json<Value>, ApiError> {
    check_location(&query)?;
    let email = query.get("email").filter(|email| !email.is_empty());
    let number = query.get("number").map(|number| phone(number));
    if email.is_none() && number.is_none() {
        return Err(ApiError::bad("email or number is required"));
    }
    crm.read(|state| {
        let is_asked = |contact: &&Contact| {
            email.is_some_and(|email| contact.has_email(email))
                || matches!(&number, Some(Some(number)) if contact.has_phone(number))
        };
        let found = state.contacts.values().find(is_asked);
        let found = found.map(|found| contact::show(state, found));
        Ok(Json(json!({ "contact": found, "traceId": "demo-trace" })))
    })
}

pub(super) async fn get(Ctx(crm): Ctx<GoHighLevel>, Path(contact_id): Path<String>) -> Result<Json<Value>, ApiError> {
    crm.read(|state| {
        let contact = state.contact(&contact_id)?;
        Ok(Json(json!({ "contact": contact::show(state, contact) })))
    })
}

fn shown(state: &State, id: &str, show: fn(&State, &Contact) -> Value) -> Value {
    state
        .contacts
        .get(id)
        .map_or(Value::Null, |contact| show(state, contact))
}

/// Stores a contact that a body was applied to, if the location has no other like it.
fn store(
    tx: &mut Transaction<'_>,
    op: &'static str,
    before: Option<&Contact>,
    after: Contact,
    sent: JsonObject,
) -> Result<String, ApiError> {
    let touched = |property| before.is_none_or(|before| before.text(property) != after.text(property));
    if let Some((twin, matching)) = tx.state.twin(&after)
        && touched(matching)
    {
        return Err(ApiError::duplicate(&twin.id, matching));
    }
    let id = after.id.clone();
    let changed = before.is_none_or(|before| {
        let at = before.date_updated;
        *before
            != Contact {
                date_updated: at,
                ..after.clone()
            }
    });
    tx.log_contact(op, &id, Some(sent.into()), changed);
    tx.put(Record::Contact(Box::new(after)));
    Ok(id)
}

pub(super) async fn create(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: JsonObject = body(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            let mut new = Contact::new(tx.new_id(), tx.now);
            contact::write(tx, &mut new, &sent, Purpose::Create)?;
            store(tx, "create_contact", None, new, sent)
        },
        |state, id| {
            let contact = shown(state, &id, contact::show_created);
            (StatusCode::CREATED, Json(json!({ "contact": contact })))
        },
    )
}

/// Updates the contact with the same address, or else the same number, or makes one.
pub(super) async fn upsert(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: JsonObject = body(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            let mut new = Contact::new(tx.new_id(), tx.now);
            contact::write(tx, &mut new, &sent, Purpose::Upsert)?;
            let twin = tx.state.twin(&new).map(|(twin, _)| twin.clone());
            let Some(twin) = twin else {
                return Ok((true, store(tx, "create_contact", None, new, sent)?));
            };
            tx.changes.clear();
            let mut after = twin.clone();
            contact::write(tx, &mut after, &sent, Purpose::Upsert)?;
            Ok((false, store(tx, "update_contact", Some(&twin), after, sent)?))
        },
        |state, (new, id)| {
            let contact = shown(state, &id, contact::show);
            Json(json!({ "new": new, "contact": contact, "traceId": "demo-trace" }))
        },
    )
}

pub(super) async fn update(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: JsonObject = body(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            let before = tx.state.contact(&contact_id)?;
            let mut after = before.clone();
            contact::write(tx, &mut after, &sent, Purpose::Update)?;
            store(tx, "update_contact", Some(before), after, sent)
        },
        |state, id| Json(json!({ "succeded": true, "contact": shown(state, &id, contact::show) })),
    )
}

pub(super) async fn delete(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    crm.write(
        &request_id,
        |tx| {
            let contact = tx.state.contact(&contact_id)?;
            tx.delete(Record::Contact(Box::new(contact.clone())));
            let notes = tx.state.notes.values();
            for note in notes.filter(|note| note.contact_id == contact_id) {
                tx.delete(Record::Note(note.clone()));
            }
            tx.log_contact("delete_contact", &contact_id, None, true);
            Ok(())
        },
        |_, ()| Json(json!({ "succeded": true })),
    )
}

fn workflow_fields(workflow_id: &str) -> Option<Value> {
    Some(json!({ "workflow_id": workflow_id }))
}

/// A contact that is in the workflow already stays in it once.
pub(super) async fn enter_workflow(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path((contact_id, workflow_id)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: JsonObject = body(&bytes)?;
    if let Some(name) = sent.keys().find(|name| *name != "eventStartTime") {
        return Err(ApiError::property(format!("property {name} should not exist")));
    }
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.contact(&contact_id)?.clone();
            let workflow = tx.state.workflows.iter().find(|workflow| workflow.id == workflow_id);
            let workflow = workflow.ok_or_else(|| ApiError::missing("Workflow"))?;
            if !workflow.published {
                return Err(ApiError::bad("The workflow is not published"));
            }
            let new = !contact.workflows.contains_key(&workflow_id);
            contact.workflows.entry(workflow_id.clone()).or_insert(tx.now);
            tx.log_contact("add_to_workflow", &contact_id, workflow_fields(&workflow_id), new);
            tx.put(Record::Contact(Box::new(contact)));
            Ok(())
        },
        |_, ()| Json(json!({ "succeded": true })),
    )
}

pub(super) async fn leave_workflow(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path((contact_id, workflow_id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.contact(&contact_id)?.clone();
            let was_in = contact.workflows.remove(&workflow_id).is_some();
            tx.log_contact(
                "remove_from_workflow",
                &contact_id,
                workflow_fields(&workflow_id),
                was_in,
            );
            tx.put(Record::Contact(Box::new(contact)));
            Ok(())
        },
        |_, ()| Json(json!({ "succeded": true })),
    )
}
