//! Contacts: what a create, upsert or update takes, and how a contact is shown.

use std::collections::BTreeMap;

use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::error::ApiError;
use super::state::{Channel, Contact, DndStatus, State, Transaction};
use super::{LOCATION_ID, custom_field};

/// Text properties that every write takes.
const TEXTS: [&str; 14] = [
    "firstName",
    "lastName",
    "email",
    "phone",
    "companyName",
    "address1",
    "city",
    "state",
    "country",
    "postalCode",
    "website",
    "timezone",
    "source",
    "assignedTo",
];
/// Those that may not be `null`; an empty text clears them.
const NOT_NULLABLE: [&str; 2] = ["country", "postalCode"];
const CHANNELS: [&str; 6] = ["Call", "Email", "SMS", "WhatsApp", "GMB", "FB"];

/// What a write is for; some properties exist in one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create,
    Upsert,
    Update,
}

/// Applies the properties of a body to a contact.
pub(crate) fn write(
    tx: &mut Transaction<'_>,
    contact: &mut Contact,
    sent: &JsonObject,
    purpose: Purpose,
) -> Result<(), ApiError> {
    if purpose != Purpose::Update {
        check_location(sent.get("locationId"))?;
    }
    for (name, value) in sent {
        match name.as_str() {
            "locationId" if purpose != Purpose::Update => {}
            "createNewIfDuplicateAllowed" if purpose == Purpose::Upsert && value.is_boolean() => {}
            "gender" if purpose != Purpose::Update && value.is_string() => {}
            "inboundDndSettings" if value.is_object() => {}
            "name" => write_name(contact, value)?,
            "dateOfBirth" => write_birthday(contact, value)?,
            "dnd" => {
                let on = value.as_bool();
                contact.dnd = on.ok_or_else(|| ApiError::property("dnd must be a boolean value"))?;
            }
            "dndSettings" => write_channels(contact, value)?,
            "tags" => write_tags(tx, contact, value)?,
            "customFields" => custom_field::write(tx.state, contact, value)?,
            text if TEXTS.contains(&text) => write_text(tx.state, contact, text, value)?,
            _ => return Err(ApiError::property(format!("property {name} should not exist"))),
        }
    }
    contact.date_updated = tx.now;
    Ok(())
}

/// The location of a body or query must be the token's.
pub(crate) fn check_location(location: Option<&Value>) -> Result<(), ApiError> {
    match location.and_then(Value::as_str) {
        None => Err(ApiError::property("locationId must be a string")),
        Some(LOCATION_ID) => Ok(()),
        Some(_) => Err(ApiError::unauthorized(
            "The token does not have access to this location.",
        )),
    }
}

fn write_text(state: &State, contact: &mut Contact, name: &str, value: &Value) -> Result<(), ApiError> {
    let text = match value {
        Value::Null if !NOT_NULLABLE.contains(&name) => "",
        Value::String(text) => text.as_str(),
        _ => return Err(ApiError::property(format!("{name} must be a string"))),
    };
    if text.is_empty() {
        contact.texts.remove(name);
        return Ok(());
    }
    let text = match name {
        "email" if !is_email(text) => return Err(ApiError::property("email must be an email")),
        "phone" => phone(text).ok_or_else(|| ApiError::property("phone must be a valid phone number"))?,
        "country" if !is_country(text) => {
            return Err(ApiError::property("country must be a valid ISO 3166-1 alpha-2 code"));
        }
        "assignedTo" => state.user(text)?.id.clone(),
        _ => text.to_owned(),
    };
    contact.texts.insert(name.to_owned(), text);
    Ok(())
}

fn write_name(contact: &mut Contact, value: &Value) -> Result<(), ApiError> {
    let name = match value {
        Value::Null => "",
        Value::String(name) => name.trim(),
        _ => return Err(ApiError::property("name must be a string")),
    };
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    for (property, part) in [("firstName", first), ("lastName", last.trim())] {
        if part.is_empty() {
            contact.texts.remove(property);
        } else {
            contact.texts.insert(property.to_owned(), part.to_owned());
        }
    }
    Ok(())
}

/// Kept as `YYYY-MM-DD` and shown with a time.
fn write_birthday(contact: &mut Contact, value: &Value) -> Result<(), ApiError> {
    const FORMS: [&str; 2] = ["%Y-%m-%d", "%m-%d-%Y"];
    let text = match value {
        Value::Null => "",
        Value::String(text) => text.as_str(),
        _ => return Err(ApiError::property("dateOfBirth must be a date")),
    };
    if text.is_empty() {
        contact.texts.remove("dateOfBirth");
        return Ok(());
    }
    let dashed = text.replace(['/', '.', '_'], "-");
    let day = FORMS
        .iter()
        .find_map(|form| chrono::NaiveDate::parse_from_str(&dashed, form).ok())
        .ok_or_else(|| ApiError::property("dateOfBirth must be a date"))?;
    contact.texts.insert("dateOfBirth".to_owned(), day.to_string());
    Ok(())
}

/// Replaces all channels. A permanent one cannot be lifted.
fn write_channels(contact: &mut Contact, value: &Value) -> Result<(), ApiError> {
    let mut channels: BTreeMap<String, Channel> = serde_json::from_value(value.clone())
        .map_err(|error| ApiError::property(format!("dndSettings is not valid: {error}")))?;
    if let Some(name) = channels.keys().find(|name| !CHANNELS.contains(&name.as_str())) {
        return Err(ApiError::property(format!(
            "dndSettings.property {name} should not exist"
        )));
    }
    let kept = contact.dnd_settings.iter();
    for (name, channel) in kept.filter(|(_, channel)| channel.status == DndStatus::Permanent) {
        channels.insert(name.clone(), channel.clone());
    }
    contact.dnd_settings = channels;
    Ok(())
}

fn write_tags(tx: &mut Transaction<'_>, contact: &mut Contact, value: &Value) -> Result<(), ApiError> {
    contact.tags = tag_names(Some(value))?;
    tx.ensure_tags(&contact.tags);
    Ok(())
}

/// The names in a list of tags, as they are kept: in lower case, each once.
pub(crate) fn tag_names(value: Option<&Value>) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::property("tags must be an array of strings");
    let entries = value.and_then(Value::as_array).ok_or_else(wrong)?;
    let mut names: Vec<String> = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = entry.as_str().ok_or_else(wrong)?.trim().to_lowercase();
        if name.is_empty() {
            return Err(ApiError::property("each value in tags should not be empty"));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

pub(crate) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && domain.contains('.') && !domain.contains('@') && !text.contains(char::is_whitespace)
    })
}

/// A number in the form `+16025550100`; one without country is taken for one of the location's.
pub(crate) fn phone(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let international = text.trim_start().starts_with('+');
    match digits.len() {
        10 if !international => Some(format!("+1{digits}")),
        7..=15 => Some(format!("+{digits}")),
        _ => None,
    }
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The members that the answer to a create lacks, other than those to a read or an update.
const NOT_AFTER_CREATE: [&str; 2] = ["name", "timezone"];

/// A contact as the answer to a create.
pub(crate) fn show_created(state: &State, contact: &Contact) -> Value {
    let mut shown = show(state, contact);
    if let Some(members) = shown.as_object_mut() {
        members.retain(|name, _| !NOT_AFTER_CREATE.contains(&name.as_str()));
        members.insert("deleted".to_owned(), false.into());
    }
    shown
}

/// A contact as a single read shows it: what is empty is left out.
pub(crate) fn show(state: &State, contact: &Contact) -> Value {
    let mut shown = json!({
        "id": contact.id,
        "locationId": LOCATION_ID,
        "type": "lead",
        "dnd": contact.dnd,
        "tags": contact.tags,
        "customFields": custom_field::show_all(state, contact),
        "dateAdded": contact.date_added,
        "dateUpdated": contact.date_updated,
    });
    for (name, text) in &contact.texts {
        shown[name] = text.as_str().into();
    }
    if let Some(day) = contact.text("dateOfBirth") {
        shown["dateOfBirth"] = format!("{day}T00:00:00.000Z").into();
    }
    if !contact.dnd_settings.is_empty() {
        shown["dndSettings"] = json!(contact.dnd_settings);
    }
    for (name, lower) in [
        ("firstName", "firstNameLowerCase"),
        ("lastName", "lastNameLowerCase"),
        ("email", "emailLowerCase"),
    ] {
        if let Some(text) = contact.text(name) {
            shown[lower] = text.to_lowercase().into();
        }
    }
    let name = full_name(contact);
    if !name.is_empty() {
        shown["fullNameLowerCase"] = name.to_lowercase().into();
        shown["name"] = name.into();
    }
    shown
}

pub(crate) fn full_name(contact: &Contact) -> String {
    let part = |name| contact.text(name).unwrap_or_default();
    format!("{} {}", part("firstName"), part("lastName")).trim().to_owned()
}

/// A contact as a hit of the search: names in lower case, `null` for what is empty, and its place in the order.
pub(crate) fn show_hit(state: &State, contact: &Contact, search_after: Value) -> Value {
    let text = |name| contact.text(name);
    json!({
        "id": contact.id,
        "locationId": LOCATION_ID,
        "firstNameLowerCase": text("firstName").map(str::to_lowercase),
        "lastNameLowerCase": text("lastName").map(str::to_lowercase),
        "email": text("email"),
        "additionalEmails": contact.additional_emails,
        "phone": text("phone"),
        "additionalPhones": contact.additional_phones,
        "companyName": text("companyName"),
        "businessName": null,
        "businessId": null,
        "address": text("address1"),
        "city": text("city"),
        "state": text("state"),
        "country": text("country"),
        "postalCode": text("postalCode"),
        "website": text("website"),
        "timezone": text("timezone"),
        "source": text("source"),
        "assignedTo": text("assignedTo"),
        "dateOfBirth": text("dateOfBirth"),
        "type": "lead",
        "dnd": contact.dnd,
        "dndSettings": contact.dnd_settings,
        "tags": contact.tags,
        "customFields": custom_field::show_all(state, contact),
        "dateAdded": contact.date_added,
        "dateUpdated": contact.date_updated,
        "searchAfter": search_after,
    })
}
