//! Contacts: how a body is checked, and how they are shown.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use mfh_types::{JsonObject, TimestampMs};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::property;
use super::state::{Contact, State, Transaction};

/// What is shown when a request names no properties.
const USUAL: [&str; 3] = ["email", "firstname", "lastname"];
/// What is always shown.
const ALWAYS: [&str; 3] = ["createdate", "hs_object_id", "lastmodifieddate"];

/// An instant as the vendor writes it.
pub(crate) fn time(at: TimestampMs) -> String {
    at.0.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The value of a property, computed ones included.
pub(crate) fn value(state: &State, contact: &Contact, name: &str) -> Option<String> {
    match name {
        "hs_object_id" => Some(contact.id.to_string()),
        "createdate" => Some(time(contact.created_at)),
        "lastmodifieddate" => Some(time(contact.updated_at)),
        "hs_email_optout" => {
            let email = contact.email()?;
            state.consent(email).unsubscribed_from_all.then(|| "true".to_owned())
        }
        "tag_points" => {
            let points: u64 = contact.properties.get("tag_count")?.parse().ok()?;
            Some(points.checked_mul(2)?.to_string())
        }
        "hs_is_contact" => Some("true".to_owned()),
        "hs_all_contact_vids" => Some(contact.id.to_string()),
        _ => contact.properties.get(name).cloned(),
    }
}

/// A contact with the properties asked for; names that no property has are left out in silence.
pub(crate) fn show(state: &State, contact: &Contact, wanted: Option<&[impl AsRef<str>]>) -> Value {
    let mut properties = Map::new();
    let wanted = wanted.map(|names| names.iter().map(AsRef::as_ref).collect());
    for name in ALWAYS.into_iter().chain(wanted.unwrap_or_else(|| USUAL.to_vec())) {
        if property::find(state, name).is_ok() {
            properties.insert(name.to_owned(), value(state, contact, name).into());
        }
    }
    with_properties(contact, properties)
}

/// A contact as the answer to a write shows it: everything that has a value, asked for or not.
pub(crate) fn show_written(state: &State, contact: &Contact) -> Value {
    let names = state.properties.iter().map(|property| property.name);
    let valued = names.filter_map(|name| Some((name.to_owned(), value(state, contact, name)?.into())));
    with_properties(contact, valued.collect())
}

fn with_properties(contact: &Contact, properties: Map<String, Value>) -> Value {
    json!({
        "id": contact.id.to_string(),
        "properties": properties,
        "createdAt": time(contact.created_at),
        "updatedAt": time(contact.updated_at),
        "archived": false,
    })
}

/// The values of a body in the form in which they are kept; an empty text clears. All values are texts.
pub(crate) fn check(state: &State, own: Option<u64>, sent: &JsonObject) -> Result<BTreeMap<String, String>, ApiError> {
    let mut checked = BTreeMap::new();
    for (name, value) in sent {
        let property = property::find(state, name)?;
        let text = match value {
            Value::String(text) => text.as_str(),
            Value::Null => "",
            _ => {
                return Err(ApiError::invalid(format!(
                    "Invalid input JSON: {name} must be a string"
                )));
            }
        };
        let kept = if text.is_empty() {
            String::new()
        } else {
            property.keep(state, text)?
        };
        checked.insert(name.clone(), kept);
    }
    if let Some(email) = checked.get("email").filter(|email| !email.is_empty())
        && let Some(other) = state.contact_of(email)
        && Some(other.id) != own
    {
        return Err(ApiError::exists(other.id));
    }
    Ok(checked)
}

/// A new contact with these values.
pub(crate) fn create(tx: &mut Transaction<'_>, sent: &JsonObject) -> Result<Contact, ApiError> {
    let checked = check(tx.state, None, sent)?;
    let mut contact = Contact::new(tx.next_id("contact"), tx.now);
    contact
        .properties
        .insert("lifecyclestage".to_owned(), "lead".to_owned());
    write(&mut contact, checked);
    Ok(contact)
}

/// Puts checked values into a contact.
pub(crate) fn write(contact: &mut Contact, checked: BTreeMap<String, String>) {
    for (name, value) in checked {
        if value.is_empty() {
            contact.properties.remove(&name);
        } else {
            contact.properties.insert(name, value);
        }
    }
}
