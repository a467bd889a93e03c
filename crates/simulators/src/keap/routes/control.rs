//! The simulator's own paths: its state for people and tests, reset and limits.

use axum::extract::{Query, State as Ctx};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use crate::keap::error::ApiError;
use crate::keap::state::{Contact, State};
use crate::keap::{Keap, Limits, contact, custom_field};

/// `GET /_state`, `POST /_reset` and `POST /_control/limits`.
pub(crate) fn routes() -> Router<Keap> {
    Router::new()
        .route("/_state", get(show_state))
        .route("/_reset", post(reset))
        .route("/_control/limits", post(set_limits))
}

#[derive(Debug, Deserialize)]
struct Narrow {
    contact_id: Option<String>,
}

async fn show_state(Ctx(keap): Ctx<Keap>, Query(narrow): Query<Narrow>) -> Result<Json<Value>, ApiError> {
    keap.read(|state| {
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
        let fields: Vec<Value> = state.custom_fields.values().map(custom_field::show).collect();
        Ok(Json(
            json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }),
        ))
    })
}

/// A contact with names in place of ids.
fn show_contact(state: &State, contact: &Contact) -> Value {
    let own = contact::PROPERTIES
        .into_iter()
        .filter(|name| !matches!(*name, "custom_fields" | "tag_ids" | "links" | "utm_parameters"))
        .collect::<Vec<_>>();
    let mut shown = contact::show(state, contact, &own);
    let tags = contact.tags.keys().filter_map(|id| state.tags.get(id));
    shown["tags"] = tags.map(|tag| tag.name.as_str()).collect();
    shown["custom_fields"] = custom_field::by_name(state, &contact.custom_fields);
    shown["goals_achieved"] = contact
        .goals
        .iter()
        .filter_map(|achieved| {
            let goal = state.goals.iter().find(|goal| goal.id == achieved.goal_id)?;
            Some(json!({
                "goal_id": goal.id.to_string(),
                "integration": goal.integration,
                "call_name": goal.call_name,
                "at": achieved.at,
            }))
        })
        .collect();
    shown["sequences_entered"] = entered(state, contact);
    let notes = state.notes.values().filter(|note| note.contact_id == contact.id);
    shown["notes"] = notes
        .map(|note| {
            json!({
                "id": note.id.to_string(), "title": note.title, "type": note.note_type, "text": note.text,
            })
        })
        .collect();
    shown
}

fn entered(state: &State, contact: &Contact) -> Value {
    let all = state
        .automations
        .iter()
        .flat_map(|automation| automation.sequences.iter().map(move |sequence| (automation, sequence)));
    all.filter_map(|(automation, sequence)| {
        let at = contact.sequences.get(&sequence.id)?;
        Some(json!({
            "automation_id": automation.id.to_string(),
            "automation": automation.title,
            "sequence_id": sequence.id.to_string(),
            "sequence": sequence.name,
            "at": at,
        }))
    })
    .collect()
}

async fn reset(Ctx(keap): Ctx<Keap>) -> Response {
    match keap.reset() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

async fn set_limits(Ctx(keap): Ctx<Keap>, bytes: Bytes) -> Result<Json<Limits>, ApiError> {
    let limits: Limits = body(&bytes)?;
    keap.set_limits(limits);
    Ok(Json(limits))
}
