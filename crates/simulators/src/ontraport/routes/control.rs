//! What the simulator's own paths show of the account.

use std::collections::BTreeMap;

use mfh_types::{JsonObject, TimestampMs};
use serde_json::{Value, json};

use crate::ontraport::error::ApiError;
use crate::ontraport::state::{Automation, Contact, State};

/// The whole account, or one contact of it.
pub(crate) fn show_state(state: &State, contact_id: Option<&str>) -> Result<Value, ApiError> {
    if let Some(id) = contact_id {
        return Ok(show_contact(state, state.contact(id)?));
    }
    let contacts: Vec<Value> = state.contacts.values().map(|it| show_contact(state, it)).collect();
    let tags = state.tags.values();
    let tags: Vec<Value> = tags
        .map(|it| json!({ "id": it.id.to_string(), "name": it.name }))
        .collect();
    let fields = state.fields.iter().filter(|field| field.is_custom());
    let fields: Vec<Value> = fields
        .map(|field| {
            let mut shown = field.meta();
            shown["key"] = field.property.as_str().into();
            shown
        })
        .collect();
    Ok(json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }))
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
