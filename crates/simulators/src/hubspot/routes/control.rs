//! What the simulator's own paths show of the account.

use mfh_types::TimestampMs;
use serde_json::{Map, Value, json};

use crate::hubspot::contact;
use crate::hubspot::error::ApiError;
use crate::hubspot::state::{Contact, List, Processing, State};

/// The whole account, or one contact of it.
pub(crate) fn show_state(state: &State, contact_id: Option<&str>, now: TimestampMs) -> Result<Value, ApiError> {
    if let Some(id) = contact_id {
        return Ok(show_contact(state, state.contact(id)?));
    }
    let contacts: Vec<Value> = state.contacts.values().map(|it| show_contact(state, it)).collect();
    let lists = state.lists.values();
    let tags: Vec<Value> = lists
        .map(|list| json!({ "id": list.id.to_string(), "name": list.name, "processing": list.processing }))
        .collect();
    let properties: Vec<Value> = state.properties.iter().map(|it| it.show(now)).collect();
    Ok(json!({ "contacts": contacts, "tags": tags, "properties": properties }))
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
