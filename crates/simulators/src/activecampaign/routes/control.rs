//! The simulator's own paths: its state for people and tests, reset and limits.

use axum::extract::{Query, State as Ctx};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::activecampaign::error::ApiError;
use crate::activecampaign::state::{Contact, State};
use crate::activecampaign::{ActiveCampaign, Limits, contact, field};

/// `GET /_state`, `POST /_reset` and `POST /_control/limits`.
pub(crate) fn routes() -> Router<ActiveCampaign> {
    Router::new()
        .route("/_state", get(show_state))
        .route("/_reset", post(reset))
        .route("/_control/limits", post(set_limits))
}

#[derive(Debug, Deserialize)]
struct Narrow {
    contact_id: Option<String>,
}

async fn show_state(Ctx(crm): Ctx<ActiveCampaign>, Query(narrow): Query<Narrow>) -> Result<Json<Value>, ApiError> {
    crm.read(|state| {
        if let Some(id) = narrow.contact_id {
            return Ok(Json(show_contact(state, state.contact(&id)?)));
        }
        let contacts = state.contacts.values();
        let contacts: Vec<Value> = contacts.map(|contact| show_contact(state, contact)).collect();
        let tags = state.tags.values();
        let tags: Vec<Value> = tags
            .map(|tag| json!({ "id": tag.id.to_string(), "name": tag.name, "type": tag.kind }))
            .collect();
        let fields: Vec<Value> = state.fields.iter().map(field::show).collect();
        Ok(Json(
            json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }),
        ))
    })
}

/// A contact with names in place of ids.
fn show_contact(state: &State, contact: &Contact) -> Value {
    let mut shown = contact::show(contact);
    let tags = contact.tags.iter().filter_map(|row| state.tags.get(&row.tag));
    shown["tags"] = tags.map(|tag| tag.name.as_str()).collect();
    let values = contact.values.iter().filter(|(_, value)| !value.value.is_empty());
    let named = values.filter_map(|(id, value)| Some((state.field(*id)?.perstag.clone(), json!(value.value))));
    shown["custom_fields"] = Value::Object(named.collect::<JsonObject>());
    let lists = contact.lists.iter().filter_map(|row| {
        let list = state.lists.iter().find(|list| list.id == row.list)?;
        Some((list.name.to_owned(), json!(row.status)))
    });
    shown["lists"] = Value::Object(lists.collect::<JsonObject>());
    let automations = contact.automations.iter().filter_map(|row| {
        let automation = state.automations.iter().find(|known| known.id == row.automation)?;
        Some(json!({ "automation_id": automation.id.to_string(), "automation": automation.name, "at": row.at }))
    });
    shown["automations"] = automations.collect();
    let account = contact
        .position
        .as_ref()
        .and_then(|row| state.accounts.get(&row.account));
    shown["company"] = json!(account.map(|account| &account.name));
    shown["job_title"] = json!(contact.position.as_ref().map(|row| &row.job_title));
    let notes = contact.notes.iter();
    shown["notes"] = notes
        .map(|note| json!({ "id": note.id.to_string(), "text": note.text }))
        .collect();
    shown
}

async fn reset(Ctx(crm): Ctx<ActiveCampaign>) -> Response {
    match crm.reset() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

async fn set_limits(Ctx(crm): Ctx<ActiveCampaign>, bytes: Bytes) -> Result<Json<Limits>, ApiError> {
    let limits: Limits =
        serde_json::from_slice(&bytes).map_err(|_| ApiError::malformed("send {\"per_second\": number or null}"))?;
    crm.set_limits(limits);
    Ok(Json(limits))
}
