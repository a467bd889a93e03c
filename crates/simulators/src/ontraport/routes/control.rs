//! The simulator's own paths: its state for people and tests, reset and limits.

use std::collections::BTreeMap;

use axum::extract::{Query, State as Ctx};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use mfh_types::{JsonObject, TimestampMs};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ontraport::error::ApiError;
use crate::ontraport::state::{Automation, Contact, State};
use crate::ontraport::{Limits, Ontraport};

/// `GET /_state`, `POST /_reset` and `POST /_control/limits`.
pub(crate) fn routes() -> Router<Ontraport> {
    Router::new()
        .route("/_state", get(show_state))
        .route("/_reset", post(reset))
        .route("/_control/limits", post(set_limits))
}

#[derive(Debug, Deserialize)]
struct Narrow {
    contact_id: Option<String>,
}

async fn show_state(Ctx(ontraport): Ctx<Ontraport>, Query(narrow): Query<Narrow>) -> Result<Json<Value>, ApiError> {
    ontraport.read(|state| {
        if let Some(id) = narrow.contact_id {
            return Ok(Json(show_contact(state, state.contact(&id)?)));
        }
        let contacts: Vec<Value> = state
            .contacts
            .values()
            .map(|contact| show_contact(state, contact))
            .collect();
        let tags: Vec<Value> = state
            .tags
            .values()
            .map(|tag| json!({ "id": tag.id.to_string(), "name": tag.name }))
            .collect();
        let fields = state.fields.iter().filter(|field| field.is_custom());
        let fields: Vec<Value> = fields
            .map(|field| {
                let mut shown = field.meta();
                shown["key"] = field.property.as_str().into();
                shown
            })
            .collect();
        Ok(Json(
            json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }),
        ))
    })
}

/// A contact with names in place of ids; custom values that are set stand apart.
fn show_contact(state: &State, contact: &Contact) -> Value {
    let mut shown = contact.show(&state.fields);
    shown.remove("contact_cat");
    let custom = state.fields.iter().filter(|field| field.is_custom());
    let mut values = JsonObject::new();
    for field in custom {
        shown.remove(&field.property);
        if let Some(value) = contact.values.get(&field.property) {
            values.insert(field.property.clone(), value.as_str().into());
        }
    }
    let tags = contact.tags.keys().filter_map(|id| state.tags.get(id));
    let tags: Vec<&str> = tags.map(|tag| tag.name.as_str()).collect();
    let notes = state.notes.values().filter(|note| note.contact_id == contact.id);
    let notes: Vec<Value> = notes
        .map(|note| json!({ "id": note.id.to_string(), "text": note.text }))
        .collect();
    for (name, value) in [
        ("tags", json!(tags)),
        ("custom_fields", values.into()),
        ("automations_entered", entered(&state.automations, &contact.automations)),
        ("sequences_entered", entered(&state.sequences, &contact.sequences)),
        ("notes", notes.into()),
    ] {
        shown.insert(name.to_owned(), value);
    }
    shown.into()
}

fn entered(known: &[Automation], times: &BTreeMap<u64, TimestampMs>) -> Value {
    let of = |it: &Automation| Some(json!({ "id": it.id.to_string(), "name": it.name, "at": times.get(&it.id)? }));
    known.iter().filter_map(of).collect()
}

async fn reset(Ctx(ontraport): Ctx<Ontraport>) -> Response {
    match ontraport.reset() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

async fn set_limits(Ctx(ontraport): Ctx<Ontraport>, bytes: Bytes) -> Result<Json<Limits>, ApiError> {
    let limits: Limits = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::invalid(format!("The limits are not valid: {error}")))?;
    ontraport.set_limits(limits);
    Ok(Json(limits))
}
