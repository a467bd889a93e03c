//! Contacts: how a body is checked, and how they and their rows are shown.

use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::error::ApiError;
use super::field;
use super::params::{number, text};
use super::state::{Contact, Entered, FieldValue, Position, Subscription, Tagged, Transaction, shown};

/// The members of a contact that a body may write.
pub(crate) const MEMBERS: [&str; 5] = ["email", "firstName", "lastName", "phone", "fieldValues"];

/// Writes the members of a body to the contact; those that it lacks stay.
pub(crate) fn write(tx: &mut Transaction<'_>, contact: &mut Contact, body: &JsonObject) -> Result<(), ApiError> {
    for (name, place) in [
        ("firstName", &mut contact.first_name),
        ("lastName", &mut contact.last_name),
        ("phone", &mut contact.phone),
    ] {
        if let Some(text) = text(body, name)? {
            text.clone_into(place);
        }
    }
    if let Some(email) = text(body, "email")? {
        email.clone_into(&mut contact.email);
    }
    if !is_email(&contact.email) {
        let title = "Contact Email Address is not valid.";
        return Err(ApiError::invalid("email", "email_invalid", title));
    }
    let taken = tx.state.with_email(&contact.email);
    if taken.is_some_and(|other| other.id != contact.id) {
        let title = "Email address already exists in the system";
        return Err(ApiError::invalid("email", "duplicate", title));
    }
    write_values(tx, contact, body.get("fieldValues"))?;
    contact.updated = tx.now;
    Ok(())
}

fn is_email(text: &str) -> bool {
    let named = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    text.split_once('@')
        .is_some_and(|(name, host)| named(name) && named(host) && host.contains('.'))
}

fn write_values(tx: &mut Transaction<'_>, contact: &mut Contact, sent: Option<&Value>) -> Result<(), ApiError> {
    let refused = || ApiError::malformed("fieldValues must be a list of objects with field and value");
    let entries = match sent {
        None => return Ok(()),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(refused()),
    };
    for entry in entries {
        let entry = entry.as_object().ok_or_else(refused)?;
        if entry.keys().any(|name| name != "field" && name != "value") {
            return Err(refused());
        }
        write_value(tx, contact, entry)?;
    }
    Ok(())
}

/// Writes one value, given as `{field, value}`; answers the field's id.
pub(crate) fn write_value(
    tx: &mut Transaction<'_>,
    contact: &mut Contact,
    entry: &JsonObject,
) -> Result<u64, ApiError> {
    let id = number(entry, "field")?;
    let definition = tx.state.field(id).ok_or_else(|| ApiError::related_missing("field"))?;
    let value = text(entry, "value")?.unwrap_or_default();
    field::check(definition, value)?;
    let row = match contact.values.get(&id) {
        Some(known) => known.id,
        None => tx.next_id("fieldValue"),
    };
    contact.values.insert(
        id,
        FieldValue {
            id: row,
            value: value.to_owned(),
            at: tx.now,
        },
    );
    Ok(id)
}

pub(crate) fn show(contact: &Contact) -> Value {
    let values: Vec<String> = contact.values.values().map(|value| value.id.to_string()).collect();
    json!({
        "id": contact.id.to_string(), "email": contact.email, "firstName": contact.first_name,
        "lastName": contact.last_name, "phone": contact.phone, "orgid": "0", "orgname": "", "deleted": "0",
        "cdate": shown(contact.created), "udate": shown(contact.updated), "fieldValues": values, "organization": null,
        "links": {},
    })
}

pub(crate) fn show_values(contact: &Contact) -> Vec<Value> {
    let values = contact.values.iter();
    values
        .map(|(field, value)| show_value(contact, *field, value))
        .collect()
}

pub(crate) fn show_value(contact: &Contact, field: u64, value: &FieldValue) -> Value {
    json!({
        "id": value.id.to_string(), "contact": contact.id.to_string(), "field": field.to_string(),
        "value": value.value, "cdate": shown(value.at), "udate": shown(value.at), "links": {},
    })
}

pub(crate) fn show_tags(contact: &Contact) -> Vec<Value> {
    contact.tags.iter().map(|row| show_tag(contact, row)).collect()
}

pub(crate) fn show_tag(contact: &Contact, row: &Tagged) -> Value {
    json!({
        "id": row.id.to_string(), "contact": contact.id.to_string(), "tag": row.tag.to_string(),
        "cdate": shown(row.at), "links": {},
    })
}

pub(crate) fn show_lists(contact: &Contact) -> Vec<Value> {
    contact.lists.iter().map(|row| show_list(contact, row)).collect()
}

pub(crate) fn show_list(contact: &Contact, row: &Subscription) -> Value {
    json!({
        "id": row.id.to_string(), "contact": contact.id.to_string(), "list": row.list.to_string(),
        "status": row.status.to_string(), "sdate": shown(row.at), "unsubreason": "", "links": {},
    })
}

pub(crate) fn show_automations(contact: &Contact) -> Vec<Value> {
    let rows = contact.automations.iter();
    rows.map(|row| show_automation(contact, row)).collect()
}

pub(crate) fn show_automation(contact: &Contact, row: &Entered) -> Value {
    json!({
        "id": row.id.to_string(), "contact": contact.id.to_string(), "automation": row.automation.to_string(),
        "seriesid": row.automation.to_string(), "status": "1", "adddate": shown(row.at), "links": {},
    })
}

pub(crate) fn show_positions(contact: &Contact) -> Vec<Value> {
    let rows = contact.position.iter();
    rows.map(|row| show_position(contact, row)).collect()
}

pub(crate) fn show_position(contact: &Contact, row: &Position) -> Value {
    json!({
        "id": row.id.to_string(), "contact": contact.id.to_string(), "account": row.account.to_string(),
        "jobTitle": row.job_title, "links": {},
    })
}
