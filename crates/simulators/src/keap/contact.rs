//! Contacts: which properties they have, how a body is checked, and how they are shown.

use chrono::NaiveDate;
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::custom_field;
use super::error::ApiError;
use super::state::{Company, Contact, EmailStatus, OptStatus, Record, State, Transaction};

/// Every name that `fields` and `update_mask` take.
pub(crate) const PROPERTIES: [&str; 41] = [
    "addresses",
    "anniversary_date",
    "birth_date",
    "company",
    "contact_type",
    "create_time",
    "custom_fields",
    "email_addresses",
    "family_name",
    "fax_numbers",
    "given_name",
    "id",
    "job_title",
    "leadsource_id",
    "links",
    "middle_name",
    "notes",
    "origin",
    "owner_id",
    "phone_numbers",
    "preferred_locale",
    "preferred_name",
    "prefix",
    "referral_code",
    "score_value",
    "social_accounts",
    "source_type",
    "spouse_name",
    "suffix",
    "tag_ids",
    "time_zone",
    "update_time",
    "utm_parameters",
    "website",
    "account_id",
    "assistant_name",
    "assistant_phone",
    "billing_information",
    "created_by",
    "groups",
    "last_updated_by",
];

/// What is shown when `fields` is absent. The vendor does not document its set; this one is small on purpose, so
/// that a client that relies on it is found out.
const DEFAULT_FIELDS: [&str; 9] = [
    "id",
    "given_name",
    "middle_name",
    "family_name",
    "email_addresses",
    "phone_numbers",
    "company",
    "create_time",
    "update_time",
];

/// The properties that a request must name to see them.
pub(crate) fn optional_properties() -> impl Iterator<Item = &'static str> {
    PROPERTIES.into_iter().filter(|name| !DEFAULT_FIELDS.contains(name))
}

/// How a property is written.
enum Shape {
    /// Text of at most this many characters.
    Text(usize),
    Date,
    /// The id of a user.
    Owner,
    OneOf(&'static [&'static str]),
    Slots(&'static SlotKind),
    Company,
    CustomFields,
    Social,
    /// Taken, but nothing that comes back.
    Ignored,
}

const SOURCE_TYPES: [&str; 12] = [
    "SOURCE_TYPE_UNSPECIFIED",
    "API",
    "APPOINTMENT",
    "FORM_API_HOSTED",
    "FORM_API_INTERNAL",
    "IMPORT",
    "INTERNAL_FORM",
    "LANDING_PAGE",
    "MANUAL",
    "OTHER",
    "UNKNOWN",
    "WEBFORM",
];
const SOCIAL_TYPES: [&str; 8] = [
    "SOCIAL_ACCOUNT_TYPE_UNSPECIFIED",
    "FACEBOOK",
    "LINKED_IN",
    "TWITTER",
    "INSTAGRAM",
    "SNAPCHAT",
    "YOUTUBE",
    "PINTEREST",
];

/// An array property whose entries each fill a slot.
struct SlotKind {
    slots: &'static [&'static str],
    unspecified: &'static str,
    members: &'static [&'static str],
    /// Whether an entry says nothing and is left out.
    blank: fn(&JsonObject) -> bool,
    check: fn(&str, &mut JsonObject) -> Result<(), String>,
}

const EMAILS: SlotKind = SlotKind {
    slots: &["EMAIL1", "EMAIL2", "EMAIL3"],
    unspecified: "EMAIL_FIELD_UNSPECIFIED",
    members: &["email", "field", "opt_in_reason"],
    blank: |entry| is_blank(entry, "email"),
    check: check_email,
};
const PHONES: SlotKind = SlotKind {
    slots: &["PHONE1", "PHONE2", "PHONE3", "PHONE4", "PHONE5"],
    unspecified: "PHONE_NUMBER_FIELD_UNSPECIFIED",
    members: &["number", "field", "type", "extension", "number_e164"],
    blank: |entry| is_blank(entry, "number"),
    check: check_phone,
};
const FAXES: SlotKind = SlotKind {
    slots: &["FAX1", "FAX2"],
    unspecified: "FAX_NUMBER_FIELD_UNSPECIFIED",
    members: &["number", "field", "type"],
    blank: |entry| is_blank(entry, "number"),
    check: |_, entry| limit(entry, "number", 40),
};
const ADDRESSES: SlotKind = SlotKind {
    slots: &["BILLING", "SHIPPING", "OTHER"],
    unspecified: "ADDRESS_FIELD_UNSPECIFIED",
    members: &[
        "field",
        "line1",
        "line2",
        "locality",
        "region",
        "region_code",
        "zip_code",
        "zip_four",
        "postal_code",
        "country",
        "country_code",
    ],
    blank: |entry| entry.keys().all(|name| name == "field" || is_blank(entry, name)),
    check: check_address,
};

fn is_blank(entry: &JsonObject, member: &str) -> bool {
    entry
        .get(member)
        .and_then(Value::as_str)
        .is_none_or(|text| text.trim().is_empty())
}

fn limit(entry: &JsonObject, member: &str, max: usize) -> Result<(), String> {
    let text = entry.get(member).and_then(Value::as_str).unwrap_or_default();
    if text.chars().count() > max {
        return Err(format!("{member} is longer than {max} characters"));
    }
    Ok(())
}

fn check_email(slot: &str, entry: &mut JsonObject) -> Result<(), String> {
    limit(entry, "email", if slot == "EMAIL1" { 75 } else { 100 })?;
    let email = entry.get("email").and_then(Value::as_str).unwrap_or_default();
    if custom_field::is_email(email) {
        Ok(())
    } else {
        Err("email is not an e-mail address".to_owned())
    }
}

fn check_phone(slot: &str, entry: &mut JsonObject) -> Result<(), String> {
    let short = matches!(slot, "PHONE4" | "PHONE5");
    limit(entry, "number", if short { 20 } else { 40 })?;
    entry.remove("number_e164");
    let number = entry.get("number").and_then(Value::as_str).unwrap_or_default();
    if let Some(e164) = e164(number) {
        entry.insert("number_e164".into(), e164.into());
    }
    Ok(())
}

/// The international form, where the number is complete or plainly North American.
fn e164(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let international = number.trim().starts_with('+');
    match digits.len() {
        8..=15 if international => Some(format!("+{digits}")),
        10 => Some(format!("+1{digits}")),
        11 if digits.starts_with('1') => Some(format!("+{digits}")),
        _ => None,
    }
}

fn check_address(slot: &str, entry: &mut JsonObject) -> Result<(), String> {
    let billing = slot == "BILLING";
    for (member, max) in [
        ("line1", if billing { 75 } else { 100 }),
        ("line2", if billing { 75 } else { 100 }),
        ("locality", if billing { 50 } else { 100 }),
        ("region", 50),
        ("postal_code", if slot == "SHIPPING" { 20 } else { 15 }),
        ("zip_code", if slot == "SHIPPING" { 20 } else { 15 }),
        ("zip_four", 10),
        ("country", 100),
    ] {
        limit(entry, member, max)?;
    }
    let regional = !is_blank(entry, "region") || !is_blank(entry, "region_code");
    if regional && is_blank(entry, "country_code") {
        return Err("country_code is required if region is specified".to_owned());
    }
    Ok(())
}

/// The shape of a property that a request may write; none for others.
fn shape_of(property: &str) -> Option<Shape> {
    Some(match property {
        "given_name" | "family_name" => Shape::Text(40),
        "middle_name" | "preferred_name" | "spouse_name" | "website" | "billing_information" => Shape::Text(100),
        "job_title" => Shape::Text(255),
        "assistant_name" => Shape::Text(20),
        "assistant_phone" => Shape::Text(15),
        "prefix" | "suffix" | "contact_type" | "leadsource_id" | "preferred_locale" | "referral_code" | "time_zone" => {
            Shape::Text(255)
        }
        "anniversary_date" | "birth_date" => Shape::Date,
        "owner_id" => Shape::Owner,
        "source_type" => Shape::OneOf(&SOURCE_TYPES),
        "email_addresses" => Shape::Slots(&EMAILS),
        "phone_numbers" => Shape::Slots(&PHONES),
        "fax_numbers" => Shape::Slots(&FAXES),
        "addresses" => Shape::Slots(&ADDRESSES),
        "company" => Shape::Company,
        "custom_fields" => Shape::CustomFields,
        "social_accounts" => Shape::Social,
        "origin" | "utm_parameters" => Shape::Ignored,
        _ => return None,
    })
}

/// Makes a contact of a creation body; the caller stores it.
pub(crate) fn create(tx: &mut Transaction<'_>, body: &JsonObject) -> Result<Contact, ApiError> {
    let id = tx.next_id("contact");
    let mut contact = Contact::new(id, tx.now);
    write(tx, &mut contact, body, None)?;
    let reachable = ["email_addresses", "phone_numbers", "addresses"]
        .iter()
        .any(|property| contact.entries(property).next().is_some());
    if !reachable {
        return Err(ApiError::invalid(
            "A contact needs at least one item in email_addresses, phone_numbers or addresses",
        ));
    }
    Ok(contact)
}

/// Writes the properties of `body` to the contact: those of the mask, or all that it has. A property of the mask
/// that the body lacks is cleared; arrays are replaced as a whole. Answers what was written, by field name.
pub(crate) fn write(
    tx: &mut Transaction<'_>,
    contact: &mut Contact,
    body: &JsonObject,
    mask: Option<&[&str]>,
) -> Result<JsonObject, ApiError> {
    for property in body.keys() {
        if shape_of(property).is_none() {
            return Err(ApiError::property(property, "Unrecognized property"));
        }
    }
    for property in mask.unwrap_or_default() {
        if !PROPERTIES.contains(property) {
            let message = format!("`{property}` is not a property of a contact");
            return Err(ApiError::property("update_mask", message));
        }
    }
    let names: Vec<&str> = match mask {
        Some(mask) => mask.to_vec(),
        None => body.keys().map(String::as_str).collect(),
    };
    let mut written = JsonObject::new();
    for property in names {
        let value = body.get(property).unwrap_or(&Value::Null);
        if let Some(shape) = shape_of(property) {
            let shown = write_property(tx, contact, property, &shape, value)?;
            written.insert(property.to_owned(), shown);
        }
    }
    contact.update_time = tx.now;
    Ok(written)
}

fn write_property(
    tx: &mut Transaction<'_>,
    contact: &mut Contact,
    property: &str,
    shape: &Shape,
    value: &Value,
) -> Result<Value, ApiError> {
    let stored = match shape {
        Shape::Ignored => return Ok(value.clone()),
        Shape::Company => {
            contact.company_id = read_company(tx, value)?;
            return Ok(value.clone());
        }
        Shape::CustomFields => {
            contact.custom_fields = custom_field::read_all(tx.state, value)?;
            return Ok(custom_field::by_name(tx.state, &contact.custom_fields));
        }
        Shape::Slots(kind) => {
            let entries = read_slots(property, value, kind)?;
            if property == "email_addresses" {
                opt_in(tx, &entries);
            }
            Value::Array(entries.into_iter().map(Value::Object).collect())
        }
        Shape::Social => read_social(value)?,
        Shape::Text(_) | Shape::Date | Shape::Owner | Shape::OneOf(_) => read_text(tx.state, property, shape, value)?,
    };
    contact.properties.insert(property.to_owned(), stored.clone());
    Ok(stored)
}

fn read_text(state: &State, property: &str, shape: &Shape, value: &Value) -> Result<Value, ApiError> {
    let text = match value {
        Value::Null => "",
        Value::String(text) => text.as_str(),
        _ => return Err(ApiError::property(property, "expects text")),
    };
    let refused = |message: String| Err(ApiError::property(property, message));
    if text.is_empty() {
        return Ok(Value::Null);
    }
    match shape {
        Shape::Text(max) if text.chars().count() > *max => {
            return refused(format!("is longer than {max} characters"));
        }
        Shape::Date if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err() => {
            return refused(format!("`{text}` is not a date of the form YYYY-MM-DD"));
        }
        Shape::Owner if state.user(text).is_err() => {
            return refused(format!("there is no user {text}"));
        }
        Shape::OneOf(values) if !values.contains(&text) => {
            return refused(format!("`{text}` is not one of {}", values.join(", ")));
        }
        _ => {}
    }
    Ok(text.into())
}

fn read_slots(property: &str, value: &Value, kind: &SlotKind) -> Result<Vec<JsonObject>, ApiError> {
    let refused = |message: String| ApiError::property(property, message);
    let mut entries = objects(property, value)?;
    entries.retain(|entry| !(kind.blank)(entry));
    let mut taken: Vec<String> = Vec::new();
    for entry in &entries {
        check_members(property, entry, kind.members)?;
        let slot = entry.get("field").and_then(Value::as_str).unwrap_or(kind.unspecified);
        if slot == kind.unspecified {
            continue;
        }
        if !kind.slots.contains(&slot) {
            return Err(refused(format!("`{slot}` is not one of {}", kind.slots.join(", "))));
        }
        if taken.iter().any(|other| other == slot) {
            return Err(refused(format!("{slot} is given twice")));
        }
        taken.push(slot.to_owned());
    }
    for entry in &mut entries {
        let given = entry.get("field").and_then(Value::as_str).unwrap_or(kind.unspecified);
        let slot = if given == kind.unspecified {
            let free = kind.slots.iter().find(|slot| !taken.iter().any(|other| other == *slot));
            let slot = free.ok_or_else(|| refused("has more entries than slots".to_owned()))?;
            taken.push((*slot).to_owned());
            (*slot).to_owned()
        } else {
            given.to_owned()
        };
        (kind.check)(&slot, entry).map_err(refused)?;
        entry.insert("field".into(), slot.into());
    }
    entries.sort_by_key(|entry| {
        let slot = entry.get("field").and_then(Value::as_str).unwrap_or_default();
        kind.slots.iter().position(|known| *known == slot)
    });
    Ok(entries)
}

fn objects(property: &str, value: &Value) -> Result<Vec<JsonObject>, ApiError> {
    let expected = || ApiError::property(property, "expects an array of objects");
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(entries) => entries
            .iter()
            .map(|entry| entry.as_object().cloned().ok_or_else(expected))
            .collect(),
        _ => Err(expected()),
    }
}

fn check_members(property: &str, entry: &JsonObject, known: &[&str]) -> Result<(), ApiError> {
    for (name, value) in entry {
        let path = format!("{property}.{name}");
        if !known.contains(&name.as_str()) {
            return Err(ApiError::property(&path, "Unrecognized property"));
        }
        if !value.is_string() && !value.is_null() {
            return Err(ApiError::property(&path, "expects text"));
        }
    }
    Ok(())
}

fn read_social(value: &Value) -> Result<Value, ApiError> {
    let entries = objects("social_accounts", value)?;
    for entry in &entries {
        check_members("social_accounts", entry, &["name", "type"])?;
        let kind = entry.get("type").and_then(Value::as_str).unwrap_or_default();
        if !SOCIAL_TYPES.contains(&kind) {
            let message = format!("type must be one of {}", SOCIAL_TYPES.join(", "));
            return Err(ApiError::property("social_accounts", message));
        }
    }
    Ok(entries.into_iter().map(Value::Object).collect())
}

/// The company that a body names by id or by name; one that is new by name is created.
fn read_company(tx: &mut Transaction<'_>, value: &Value) -> Result<Option<u64>, ApiError> {
    let entry = match value {
        Value::Null => return Ok(None),
        Value::Object(entry) => entry,
        _ => return Err(ApiError::property("company", "expects an object")),
    };
    check_members("company", entry, &["id", "company_name"])?;
    if !is_blank(entry, "id") {
        let id = entry["id"].as_str().unwrap_or_default();
        let known = id.parse().ok().filter(|id| tx.state.companies.contains_key(id));
        return known
            .map(Some)
            .ok_or_else(|| ApiError::property("company", format!("there is no company {id}")));
    }
    let name = entry.get("company_name").and_then(Value::as_str).unwrap_or_default();
    if name.trim().is_empty() {
        return Ok(None);
    }
    let mut companies = tx.state.companies.values();
    if let Some(known) = companies.find(|company| company.name == name) {
        return Ok(Some(known.id));
    }
    let id = tx.next_id("company");
    tx.put(Record::Company(Company {
        id,
        name: name.to_owned(),
    }));
    Ok(Some(id))
}

/// Addresses that come with a reason are opted in, as far as their state allows; new ones get their first state.
fn opt_in(tx: &mut Transaction<'_>, entries: &[JsonObject]) {
    for entry in entries {
        let email = entry.get("email").and_then(Value::as_str).unwrap_or_default();
        let known = tx.state.email_statuses.get(&email.to_lowercase());
        let before = known.map_or(OptStatus::NonMarketable, |known| known.status);
        let asked = !is_blank(entry, "opt_in_reason");
        let status = if asked { before.after_opt_in() } else { before };
        if known.is_none() || status != before {
            tx.put(Record::EmailStatus(EmailStatus {
                email: email.to_owned(),
                status,
                create_time: known.map_or(tx.now, |known| known.create_time),
            }));
        }
    }
}

/// The column name of a custom field with this label.
pub(crate) fn field_name(label: &str) -> String {
    let name: String = label.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("_{name}")
}

/// Checks a `fields` parameter.
pub(crate) fn read_fields(asked: Option<Vec<&str>>) -> Result<Vec<&str>, ApiError> {
    let Some(fields) = asked else {
        return Ok(DEFAULT_FIELDS.to_vec());
    };
    match fields.iter().find(|name| !PROPERTIES.contains(name)) {
        Some(unknown) => Err(ApiError::property(
            "fields",
            format!("`{unknown}` is not a property of a contact"),
        )),
        None => Ok(fields),
    }
}

/// The contact in the vendor's shape, with these fields; what is empty is left out.
pub(crate) fn show(state: &State, contact: &Contact, fields: &[&str]) -> Value {
    let mut shown = JsonObject::new();
    for field in fields {
        if let Some(value) = show_field(state, contact, field) {
            shown.insert((*field).to_owned(), value);
        }
    }
    Value::Object(shown)
}

fn show_field(state: &State, contact: &Contact, field: &str) -> Option<Value> {
    Some(match field {
        "id" => contact.id.to_string().into(),
        "create_time" => json!(contact.create_time),
        "update_time" => json!(contact.update_time),
        "tag_ids" => contact.tags.keys().map(u64::to_string).collect(),
        "custom_fields" => custom_field::show_all(state, contact),
        "email_addresses" => show_emails(state, contact),
        "phone_numbers" | "fax_numbers" | "addresses" | "social_accounts" => {
            contact.properties.get(field).cloned().unwrap_or_else(|| json!([]))
        }
        "links" | "utm_parameters" => json!([]),
        "company" => {
            let company = state.companies.get(&contact.company_id?)?;
            json!({ "id": company.id.to_string(), "company_name": company.name })
        }
        text => contact.text(text)?.into(),
    })
}

fn show_emails(state: &State, contact: &Contact) -> Value {
    contact
        .entries("email_addresses")
        .map(|entry| {
            let mut entry = entry.clone();
            let email = entry.get("email").and_then(Value::as_str).unwrap_or_default();
            let status = state.opt_status(email);
            entry.insert("is_opt_in".into(), status.opted_in().into());
            entry.insert("email_opt_status".into(), json!(status));
            Value::Object(entry)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_their_international_form_where_it_is_plain() {
        assert_eq!(e164("(602) 555-0100").as_deref(), Some("+16025550100"));
        assert_eq!(e164("+44 20 7946 0000").as_deref(), Some("+442079460000"));
        assert_eq!(e164("555-0100"), None);
    }

    #[test]
    fn slots_are_filled_in_order_and_never_twice() {
        let read = |value: Value| read_slots("email_addresses", &value, &EMAILS);
        let entries = read(json!([
            { "email": "b@example.com" },
            { "email": "a@example.com", "field": "EMAIL1" }
        ]))
        .unwrap();
        assert_eq!(entries[0]["email"], "a@example.com");
        assert_eq!(entries[1]["field"], "EMAIL2");
        let twice = json!([
            { "email": "b@example.com", "field": "EMAIL1" },
            { "email": "a@example.com", "field": "EMAIL1" }
        ]);
        assert!(read(twice).is_err());
        assert!(read(json!([{ "email": "not an address" }])).is_err());
        assert!(read(json!([{ "email": "a@example.com", "is_opt_in": true }])).is_err());
    }
}
