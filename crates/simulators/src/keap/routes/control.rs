//! What the simulator's own paths show of the account.

use serde_json::{Value, json};

use crate::keap::error::ApiError;
use crate::keap::state::{Contact, State};
use crate::keap::{contact, custom_field};

/// The whole account, or one contact of it.
pub(crate) fn show_state(state: &State, contact_id: Option<&str>) -> Result<Value, ApiError> {
    if let Some(id) = contact_id {
        return Ok(show_contact(state, state.contact(id)?));
    }
    let contacts = state.contacts.values();
    let contacts: Vec<Value> = contacts.map(|contact| show_contact(state, contact)).collect();
    let tags = state.tags.values();
    let tags: Vec<Value> = tags
        .map(|tag| json!({ "id": tag.id.to_string(), "name": tag.name }))
        .collect();
    let fields: Vec<Value> = state.custom_fields.values().map(custom_field::show).collect();
    Ok(json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }))
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
