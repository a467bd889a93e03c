//! The simulator's own paths: its state for people and tests, reset and limits.

use axum::extract::{Query, State as Ctx};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use mfh_types::TimestampMs;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body;
use crate::hubspot::error::ApiError;
use crate::hubspot::state::{Contact, List, Processing, State};
use crate::hubspot::{HubSpot, Limits, contact};

/// `GET /_state`, `POST /_reset` and `POST /_control/limits`.
pub(crate) fn routes() -> Router<HubSpot> {
    Router::new()
        .route("/_state", get(show_state))
        .route("/_reset", post(reset))
        .route("/_control/limits", post(set_limits))
}

/// The present time as answers carry it.
pub(super) fn now(hubspot: &HubSpot) -> TimestampMs {
    TimestampMs(hubspot.clock().now())
}

#[derive(Debug, Deserialize)]
struct Narrow {
    contact_id: Option<String>,
}

async fn show_state(Ctx(hubspot): Ctx<HubSpot>, Query(narrow): Query<Narrow>) -> Result<Json<Value>, ApiError> {
    let now = now(&hubspot);
    hubspot.read(|state| {
        if let Some(id) = narrow.contact_id {
            return Ok(Json(show_contact(state, state.contact(&id)?)));
        }
        let contacts: Vec<Value> = state.contacts.values().map(|it| show_contact(state, it)).collect();
        let lists = state.lists.values();
        let tags: Vec<Value> = lists
            .map(|list| json!({ "id": list.id.to_string(), "name": list.name, "processing": list.processing }))
            .collect();
        let properties: Vec<Value> = state.properties.iter().map(|it| it.show(now)).collect();
        Ok(Json(
            json!({ "contacts": contacts, "tags": tags, "properties": properties }),
        ))
    })
}

/// A contact with names in place of ids.
fn show_contact(state: &State, contact: &Contact) -> Value {
    let lists = contact.lists.keys().filter_map(|id| state.lists.get(id));
    let (active, tags): (Vec<_>, Vec<_>) = lists.partition(|list| list.processing == Processing::Dynamic);
    let names = |lists: &[&List]| -> Value { lists.iter().map(|it| it.name.as_str()).collect() };
    let workflows = state.workflows.iter().filter_map(|workflow| {
        let at = contact.workflows.get(&workflow.id)?;
        Some(json!({ "workflow_id": workflow.id.to_string(), "workflow": workflow.name, "at": at }))
    });
    let notes = state.notes.values().filter(|note| note.contact_id == contact.id);
    let notes = notes.map(|note| json!({ "id": note.id.to_string(), "text": note.body, "at": note.timestamp }));
    let consent = contact.email().map(|email| state.consent(email));
    let properties = state.properties.iter().map(|property| property.name);
    let values = properties.filter_map(|name| Some((name.to_owned(), contact::value(state, contact, name)?.into())));
    json!({
        "id": contact.id.to_string(),
        "properties": values.collect::<Map<String, Value>>(),
        "tags": names(&tags),
        "active_lists": names(&active),
        "workflows_entered": workflows.collect::<Vec<_>>(),
        "notes": notes.collect::<Vec<_>>(),
        "consent": consent,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
    })
}

async fn reset(Ctx(hubspot): Ctx<HubSpot>) -> Response {
    match hubspot.reset() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

async fn set_limits(Ctx(hubspot): Ctx<HubSpot>, bytes: Bytes) -> Result<Json<Limits>, ApiError> {
    let limits: Limits = body(&bytes)?;
    hubspot.set_limits(limits);
    Ok(Json(limits))
}
