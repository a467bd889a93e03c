//! What the simulator's own paths show of the account.

use mfh_types::JsonObject;
use serde_json::{Value, json};

use crate::activecampaign::error::ApiError;
use crate::activecampaign::state::{Contact, State};
use crate::activecampaign::{contact, field};

/// The whole account, or one contact of it.
pub(crate) fn show_state(state: &State, contact_id: Option<&str>) -> Result<Value, ApiError> {
    if let Some(id) = contact_id {
        return Ok(show_contact(state, state.contact(id)?));
    }
    let contacts: Vec<Value> = state.contacts.values().map(|it| show_contact(state, it)).collect();
    let tags = state.tags.values();
    let tags: Vec<Value> = tags
        .map(|tag| json!({ "id": tag.id.to_string(), "name": tag.name, "type": tag.kind }))
        .collect();
    let fields: Vec<Value> = state.fields.iter().map(field::show).collect();
    Ok(json!({ "contacts": contacts, "tags": tags, "custom_fields": fields }))
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
