//! What the simulator's own paths show of the location.

use serde_json::{Value, json};

use crate::gohighlevel::error::ApiError;
use crate::gohighlevel::state::{Contact, Note, State};
use crate::gohighlevel::{contact, custom_field};

/// The whole location, or one contact of it.
pub(crate) fn show_state(state: &State, contact_id: Option<&str>) -> Result<Value, ApiError> {
    if let Some(id) = contact_id {
        return Ok(show_contact(state, state.contact(id)?));
    }
    let contacts: Vec<Value> = state.contacts.values().map(|it| show_contact(state, it)).collect();
    let tags = state.tags.values();
    let tags: Vec<Value> = tags.map(|it| json!({ "id": it.id, "name": it.name })).collect();
    let fields: Vec<Value> = state.custom_fields.values().map(custom_field::show).collect();
    Ok(json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }))
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
