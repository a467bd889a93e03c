//! The simulator's own paths: its state for people and tests, reset and limits.

use axum::extract::State as Ctx;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Query, body};
use crate::gohighlevel::error::ApiError;
use crate::gohighlevel::state::{Contact, Note, State};
use crate::gohighlevel::{GoHighLevel, Limits, contact, custom_field};

/// `GET /_state`, `POST /_reset`, `POST /_control/limits` and `POST /_control/expire_tokens`.
pub(crate) fn routes() -> Router<GoHighLevel> {
    Router::new()
        .route("/_state", get(show_state))
        .route("/_reset", post(reset))
        .route("/_control/limits", post(set_limits))
        .route("/_control/expire_tokens", post(expire_tokens))
}

async fn show_state(Ctx(crm): Ctx<GoHighLevel>, query: Query) -> Result<Json<Value>, ApiError> {
    crm.read(|state| {
        if let Some(id) = query.get("contact_id") {
            return Ok(Json(show_contact(state, state.contact(id)?)));
        }
        let contacts: Vec<Value> = state
            .contacts
            .values()
            .map(|contact| show_contact(state, contact))
            .collect();
        let tags: Vec<Value> = state
            .tags
            .values()
            .map(|tag| json!({ "id": tag.id, "name": tag.name }))
            .collect();
        let fields: Vec<Value> = state.custom_fields.values().map(custom_field::show).collect();
        Ok(Json(
            json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }),
        ))
    })
}

/// A contact with names in place of ids.
fn show_contact(state: &State, contact: &Contact) -> Value {
    let mut shown = contact::show(state, contact);
    if let Some(members) = shown.as_object_mut() {
        members.remove("customFields");
    }
    shown["additionalEmails"] = json!(contact.additional_emails);
    shown["additionalPhones"] = json!(contact.additional_phones);
    shown["custom_fields"] = custom_field::by_key(state, contact);
    let workflows = state.workflows.iter();
    shown["workflows_entered"] = workflows
        .filter_map(|workflow| {
            let at = contact.workflows.get(workflow.id)?;
            Some(json!({ "workflow_id": workflow.id, "workflow": workflow.name, "at": at }))
        })
        .collect();
    let mut notes: Vec<&Note> = state
        .notes
        .values()
        .filter(|note| note.contact_id == contact.id)
        .collect();
    notes.sort_by_key(|note| (note.date_added, note.position));
    shown["notes"] = notes
        .into_iter()
        .map(|note| json!({ "id": note.id, "title": note.title, "body": note.body }))
        .collect();
    shown
}

async fn reset(Ctx(crm): Ctx<GoHighLevel>) -> Response {
    done(crm.reset())
}

async fn expire_tokens(Ctx(crm): Ctx<GoHighLevel>) -> Response {
    done(crm.expire_tokens())
}

fn done(result: anyhow::Result<()>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

async fn set_limits(Ctx(crm): Ctx<GoHighLevel>, bytes: Bytes) -> Result<Json<Limits>, ApiError> {
    let limits: Limits = body(&bytes)?;
    crm.set_limits(limits);
    Ok(Json(limits))
}
