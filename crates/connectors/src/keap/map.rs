//! Keap's shapes ↔ our model. The table of standard fields is the one place that knows where a field lives.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use chrono::SecondsFormat;
use mfh_types::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::api;
use crate::http::Fault;
use crate::model::{Address, Contact, CrmUser, CustomField, DataType, OptInStatus, Slot, Tag, TagRef};
use crate::translate::codec::{self, country};
use crate::translate::names::StandardField;
use crate::wire::filled;

pub(crate) const SLUG: &str = "keap";

/// Where a standard field lives in a Keap contact.
#[derive(Clone, Copy)]
enum Place {
    Id,
    FullName,
    Plain(Plain),
    Company,
    Email(&'static str),
    Phone(&'static str),
    Fax(&'static str),
    Address(&'static str, Part),
}

/// A property of its own.
#[derive(Clone, Copy)]
struct Plain {
    property: &'static str,
    get: fn(&api::Contact) -> Option<&String>,
    set: fn(&mut api::ContactBody) -> &mut Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Line1,
    Line2,
    City,
    Country,
    State,
    Zip,
}

struct Row {
    field: StandardField,
    place: Place,
}

const fn row(name: &'static str, native: &'static [&'static str], data_type: DataType, place: Place) -> Row {
    let writable = !matches!(place, Place::Id | Place::FullName);
    let field = StandardField {
        name,
        native,
        data_type,
        writable,
    };
    Row { field, place }
}

macro_rules! plain {
    ($property:ident) => {
        Place::Plain(Plain {
            property: stringify!($property),
            get: |contact| contact.$property.as_ref(),
            set: |body| &mut body.$property,
        })
    };
}

/// An address writes its country before its state, because the code of a state begins with its country.
const ROWS: &[Row] = &[
    row("id", &[], DataType::Text, Place::Id),
    row("full_name", &[], DataType::Text, Place::FullName),
    row("first_name", &["given_name"], DataType::Text, plain!(given_name)),
    row("last_name", &["family_name"], DataType::Text, plain!(family_name)),
    row("email", &["EMAIL1"], DataType::Email, Place::Email("EMAIL1")),
    row("email2", &["EMAIL2"], DataType::Email, Place::Email("EMAIL2")),
    row("email3", &["EMAIL3"], DataType::Email, Place::Email("EMAIL3")),
    row("phone", &["PHONE1"], DataType::Phone, Place::Phone("PHONE1")),
    row("phone2", &["PHONE2"], DataType::Phone, Place::Phone("PHONE2")),
    row("phone3", &["PHONE3"], DataType::Phone, Place::Phone("PHONE3")),
    row("phone4", &["PHONE4"], DataType::Phone, Place::Phone("PHONE4")),
    row("phone5", &["PHONE5"], DataType::Phone, Place::Phone("PHONE5")),
    row("fax", &["FAX1"], DataType::Phone, Place::Fax("FAX1")),
    row("fax2", &["FAX2"], DataType::Phone, Place::Fax("FAX2")),
    row("company", &["company_name"], DataType::Text, Place::Company),
    row("job_title", &[], DataType::Text, plain!(job_title)),
    row("website", &[], DataType::Url, plain!(website)),
    row("birthday", &["birth_date"], DataType::Date, plain!(birth_date)),
    row(
        "anniversary",
        &["anniversary_date"],
        DataType::Date,
        plain!(anniversary_date),
    ),
    row("source", &["leadsource_id"], DataType::Text, plain!(leadsource_id)),
    row("timezone", &["time_zone"], DataType::Text, plain!(time_zone)),
    row("owner_id", &[], DataType::User, plain!(owner_id)),
    row(
        "address1",
        &["line1"],
        DataType::Text,
        Place::Address("BILLING", Part::Line1),
    ),
    row(
        "address2",
        &["line2"],
        DataType::Text,
        Place::Address("BILLING", Part::Line2),
    ),
    row(
        "city",
        &["locality"],
        DataType::Text,
        Place::Address("BILLING", Part::City),
    ),
    row(
        "country",
        &["country_code"],
        DataType::Country,
        Place::Address("BILLING", Part::Country),
    ),
    row(
        "state",
        &["region", "region_code"],
        DataType::State,
        Place::Address("BILLING", Part::State),
    ),
    row(
        "zip",
        &["postal_code", "zip_code"],
        DataType::Text,
        Place::Address("BILLING", Part::Zip),
    ),
    row(
        "shipping_address1",
        &[],
        DataType::Text,
        Place::Address("SHIPPING", Part::Line1),
    ),
    row(
        "shipping_address2",
        &[],
        DataType::Text,
        Place::Address("SHIPPING", Part::Line2),
    ),
    row(
        "shipping_city",
        &[],
        DataType::Text,
        Place::Address("SHIPPING", Part::City),
    ),
    row(
        "shipping_country",
        &[],
        DataType::Country,
        Place::Address("SHIPPING", Part::Country),
    ),
    row(
        "shipping_state",
        &[],
        DataType::State,
        Place::Address("SHIPPING", Part::State),
    ),
    row(
        "shipping_zip",
        &[],
        DataType::Text,
        Place::Address("SHIPPING", Part::Zip),
    ),
    row(
        "other_address1",
        &[],
        DataType::Text,
        Place::Address("OTHER", Part::Line1),
    ),
    row(
        "other_address2",
        &[],
        DataType::Text,
        Place::Address("OTHER", Part::Line2),
    ),
    row("other_city", &[], DataType::Text, Place::Address("OTHER", Part::City)),
    row(
        "other_country",
        &[],
        DataType::Country,
        Place::Address("OTHER", Part::Country),
    ),
    row(
        "other_state",
        &[],
        DataType::State,
        Place::Address("OTHER", Part::State),
    ),
    row("other_zip", &[], DataType::Text, Place::Address("OTHER", Part::Zip)),
];

/// The standard fields that Keap has.
pub(crate) fn standard_fields() -> &'static [StandardField] {
    static FIELDS: LazyLock<Vec<StandardField>> = LazyLock::new(|| ROWS.iter().map(|row| row.field).collect());
    &FIELDS
}

fn place(key: &str) -> Option<Place> {
    let row = ROWS.iter().find(|row| row.field.name == key)?;
    Some(row.place)
}

/// The Keap properties that hold these fields; a key that is no standard name is the id of a custom field.
pub(crate) fn properties<'a>(keys: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'static str> {
    let mut properties = BTreeSet::new();
    for key in keys {
        match place(key) {
            None => drop(properties.insert("custom_fields")),
            Some(Place::FullName) => properties.extend(["given_name", "family_name"]),
            Some(place) => drop(properties.insert(property(place))),
        }
    }
    properties
}

fn property(place: Place) -> &'static str {
    match place {
        Place::Id | Place::FullName => "id",
        Place::Plain(plain) => plain.property,
        Place::Company => "company",
        Place::Email(_) => "email_addresses",
        Place::Phone(_) => "phone_numbers",
        Place::Fax(_) => "fax_numbers",
        Place::Address(..) => "addresses",
    }
}

/// The lists that writing these fields touches. Keap replaces a list as a whole, so they must be read before.
pub(crate) fn lists(fields: &Map<String, Value>) -> BTreeSet<&'static str> {
    let mut lists = properties(fields.keys().map(String::as_str));
    lists.retain(|property| {
        matches!(
            *property,
            "addresses" | "custom_fields" | "email_addresses" | "fax_numbers" | "phone_numbers"
        )
    });
    lists
}

/// One field of a contact by its standard name or custom field id; `null` when it is empty.
pub(crate) fn read(contact: &api::Contact, key: &str) -> Value {
    let Some(place) = place(key) else {
        let mut customs = contact.custom_fields.iter();
        let custom = customs.find(|custom| custom.id.as_deref() == Some(key));
        return custom.map_or(Value::Null, |custom| custom.content.clone());
    };
    let text = match place {
        Place::Id => contact.id.clone(),
        Place::FullName => Some(full_name(contact)),
        Place::Plain(plain) => (plain.get)(contact).cloned(),
        Place::Company => contact.company.company_name.clone(),
        Place::Email(slot) => email(contact, slot).and_then(|entry| entry.email.clone()),
        Place::Phone(slot) => number(&contact.phone_numbers, slot, "PHONE1"),
        Place::Fax(slot) => number(&contact.fax_numbers, slot, "FAX1"),
        Place::Address(slot, part) => {
            in_slot(&contact.addresses, slot, |entry| &entry.field).and_then(|address| read_part(address, part))
        }
    };
    filled(text.as_ref()).map_or(Value::Null, Value::String)
}

fn full_name(contact: &api::Contact) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let joined = format!("{} {}", part(&contact.given_name), part(&contact.family_name));
    joined.trim().to_owned()
}

fn in_slot<'a, T>(entries: &'a [T], slot: &str, field: impl Fn(&T) -> &Option<String>) -> Option<&'a T> {
    entries.iter().find(|entry| field(entry).as_deref() == Some(slot))
}

/// The entry of this slot; the main address may also stand without slot name.
pub(crate) fn email<'a>(contact: &'a api::Contact, slot: &str) -> Option<&'a api::EmailAddress> {
    let entries = &contact.email_addresses;
    in_slot(entries, slot, |entry| &entry.field).or_else(|| entries.first().filter(|_| slot == "EMAIL1"))
}

fn number(entries: &[api::PhoneNumber], slot: &str, main: &str) -> Option<String> {
    in_slot(entries, slot, |entry| &entry.field)
        .or_else(|| entries.first().filter(|_| slot == main))
        .and_then(|entry| entry.number.clone())
}

fn read_part(address: &api::Address, part: Part) -> Option<String> {
    match part {
        Part::Line1 => filled(address.line1.as_ref()),
        Part::Line2 => filled(address.line2.as_ref()),
        Part::City => filled(address.locality.as_ref()),
        Part::Zip => filled(address.zip_code.as_ref()).or(filled(address.postal_code.as_ref())),
        Part::State => filled(address.region_code.as_ref())
            .map(|code| bare_region(&code).to_owned())
            .or(filled(address.region.as_ref())),
        Part::Country => {
            let raw = filled(address.country_code.as_ref()).or(filled(address.country.as_ref()))?;
            Some(country::alpha2(&raw).map_or(raw, str::to_owned))
        }
    }
}

/// What to send so that these fields change and nothing else does; `existing` holds the lists they touch.
pub(crate) fn update(existing: &api::Contact, fields: &Map<String, Value>) -> api::ContactBody {
    let mut body = api::ContactBody::default();
    for row in ROWS {
        if let Some(value) = fields.get(row.field.name) {
            write(&mut body, existing, row.place, codec::text(value));
        }
    }
    for (id, value) in fields.iter().filter(|(key, _)| place(key).is_none()) {
        let customs = body.custom_fields.get_or_insert_with(|| existing.custom_fields.clone());
        customs.retain(|custom| custom.id.as_ref() != Some(id) && !custom.content.is_null());
        if !value.is_null() {
            customs.push(api::CustomValue {
                id: Some(id.clone()),
                content: value.clone(),
            });
        }
    }
    body
}

/// Writes one standard field; a blank text clears it.
fn write(body: &mut api::ContactBody, existing: &api::Contact, place: Place, text: String) {
    match place {
        Place::Id | Place::FullName => {}
        Place::Plain(plain) => *(plain.set)(body) = Some(text),
        Place::Company => {
            let company_name = Some(text);
            body.company = Some(api::Company { company_name });
        }
        Place::Email(slot) => {
            let entries = body
                .email_addresses
                .get_or_insert_with(|| existing.email_addresses.clone());
            put(
                entries,
                slot,
                "EMAIL1",
                |entry| &mut entry.field,
                |entry| {
                    entry.email = filled(Some(&text));
                },
            );
            entries.retain(|entry| entry.email.is_some());
        }
        Place::Phone(slot) => {
            let entries = body.phone_numbers.get_or_insert_with(|| existing.phone_numbers.clone());
            put_number(entries, slot, "PHONE1", &text);
        }
        Place::Fax(slot) => {
            let entries = body.fax_numbers.get_or_insert_with(|| existing.fax_numbers.clone());
            put_number(entries, slot, "FAX1", &text);
        }
        Place::Address(slot, part) => {
            let entries = body.addresses.get_or_insert_with(|| existing.addresses.clone());
            put(
                entries,
                slot,
                "",
                |entry| &mut entry.field,
                |entry| {
                    write_part(entry, part, filled(Some(&text)));
                },
            );
            let blank = |entry: &api::Address| {
                let field = entry.field.clone();
                *entry
                    == api::Address {
                        field,
                        ..api::Address::default()
                    }
            };
            entries.retain(|entry| !blank(entry));
        }
    }
}

/// Changes the entry of a slot, making it if need be; an entry without slot name counts as the main one.
fn put<T: Default>(
    entries: &mut Vec<T>,
    slot: &str,
    main: &str,
    field: impl Fn(&mut T) -> &mut Option<String>,
    change: impl FnOnce(&mut T),
) {
    let mut find = |name: Option<&str>| entries.iter_mut().position(|entry| field(entry).as_deref() == name);
    let index = find(Some(slot)).or_else(|| find(None).filter(|_| slot == main));
    let index = index.unwrap_or_else(|| {
        entries.push(T::default());
        entries.len() - 1
    });
    let entry = &mut entries[index];
    *field(entry) = Some(slot.to_owned());
    change(entry);
}

fn put_number(entries: &mut Vec<api::PhoneNumber>, slot: &str, main: &str, text: &str) {
    put(
        entries,
        slot,
        main,
        |entry| &mut entry.field,
        |entry| {
            entry.number = filled(Some(&text.to_owned()));
            entry.extension = None;
        },
    );
    entries.retain(|entry| entry.number.is_some());
}

fn write_part(address: &mut api::Address, part: Part, text: Option<String>) {
    match part {
        Part::Line1 => address.line1 = text,
        Part::Line2 => address.line2 = text,
        Part::City => address.locality = text,
        Part::Country => {
            address.country = None;
            address.country_code = text;
        }
        Part::State => {
            let code = text.as_deref().and_then(|text| region_code(address, text));
            address.region = text.filter(|_| code.is_none());
            address.region_code = code;
        }
        Part::Zip => {
            let (us, postal) = (address.zip_code.is_some(), address.postal_code.is_some());
            let american = address.country_code.as_deref() == Some("USA");
            address.zip_four = None;
            if us || (american && !postal) {
                address.zip_code = text.clone();
            }
            if postal || (!american && !us) {
                address.postal_code = text;
            }
        }
    }
}

/// A region as Keap's `US-AZ`. Only a code can become one; a name goes to the older `region`.
fn region_code(address: &api::Address, text: &str) -> Option<String> {
    let text = text.trim();
    if bare_region(text) != text {
        return Some(text.to_uppercase());
    }
    let code = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let country = address.country_code.as_deref().and_then(country::alpha2);
    code.then(|| match country {
        Some(country) => format!("{country}-{}", text.to_uppercase()),
        None => text.to_uppercase(),
    })
}

/// `AZ` of `US-AZ`.
fn bare_region(code: &str) -> &str {
    match code.split_once('-') {
        Some((country, region))
            if country.len() == 2
                && country.bytes().all(|byte| byte.is_ascii_alphabetic())
                && (1..=3).contains(&region.len())
                && region.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            region
        }
        _ => code,
    }
}

/// A value as Keap takes it; `value` is in the normal form of its type.
pub(crate) fn to_wire(data_type: DataType, value: Value) -> Result<Value, String> {
    match (data_type, &value) {
        (DataType::Country, Value::String(text)) => country::alpha3(text)
            .map(Value::from)
            .ok_or_else(|| "a country name or code such as US".to_owned()),
        (DataType::Datetime, Value::String(text)) => {
            Ok(codec::instant(text).map_or(value, |time| Value::String(codec::rfc3339(time, SecondsFormat::Millis))))
        }
        (DataType::Currency, Value::String(text)) => Ok(text.parse::<Decimal>().map_or(value, codec::number)),
        _ => Ok(value),
    }
}

/// A contact in our model; custom values stand under their ids and tags have no names yet.
pub(crate) fn contact(contact: api::Contact) -> Contact {
    let text = |key| match read(&contact, key) {
        Value::String(text) => Some(text),
        _ => None,
    };
    let id = contact.id.clone().unwrap_or_default();
    let known = Contact::new(SLUG, id, text);
    Contact {
        job_title: text("job_title"),
        created_at: timestamp(contact.create_time.as_deref()),
        updated_at: timestamp(contact.update_time.as_deref()),
        owner_id: known.owner_id.clone().filter(|id| id != "0"),
        birthday: day(text("birthday")),
        anniversary: day(text("anniversary")),
        source: text("source"),
        address: in_slot(&contact.addresses, "BILLING", |entry| &entry.field).and_then(address),
        emails: slots(contact.email_addresses.iter().map(|entry| (&entry.field, &entry.email))),
        phones: slots(contact.phone_numbers.iter().map(|entry| (&entry.field, &entry.number))),
        opt_in: email(&contact, "EMAIL1").map(opt_in),
        tags: Some(contact.tag_ids.iter().map(|id| tag_ref(id.clone())).collect()),
        custom_fields: contact
            .custom_fields
            .into_iter()
            .filter_map(|custom| Some((custom.id?, custom.content)))
            .collect(),
        ..known
    }
}

pub(crate) fn tag_ref(id: String) -> TagRef {
    TagRef {
        id,
        name: String::new(),
    }
}

fn slots<'a>(entries: impl Iterator<Item = (&'a Option<String>, &'a Option<String>)>) -> Vec<Slot> {
    let slot = |(field, value): (&Option<String>, &Option<String>)| {
        Some(Slot {
            slot: field.clone().unwrap_or_default(),
            value: filled(value.as_ref())?,
        })
    };
    entries.filter_map(slot).collect()
}

fn address(entry: &api::Address) -> Option<Address> {
    let address = Address {
        address1: read_part(entry, Part::Line1),
        address2: read_part(entry, Part::Line2),
        city: read_part(entry, Part::City),
        state: read_part(entry, Part::State),
        zip: read_part(entry, Part::Zip),
        country: read_part(entry, Part::Country),
    };
    (address != Address::default()).then_some(address)
}

fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    codec::instant(text?).map(Timestamp)
}

/// The first ten characters of a date that carries a time.
fn day(text: Option<String>) -> Option<String> {
    let normal = codec::normalise(&Value::String(text?), DataType::Date, codec::Choices::default());
    match normal {
        Ok(Value::String(day)) => Some(day),
        _ => None,
    }
}

/// Marketing consent as an e-mail entry states it.
pub(crate) fn opt_in(entry: &api::EmailAddress) -> OptInStatus {
    match entry.is_opt_in {
        Some(true) => OptInStatus::OptedIn,
        Some(false) => OptInStatus::OptedOut,
        None => OptInStatus::Unknown,
    }
}

/// Whether setting consent would change nothing: the person chose so before, or Keap took their choice as that.
pub(crate) fn has_chosen(entry: &api::EmailAddress, opted_in: bool) -> bool {
    const IN: [&str; 3] = ["SINGLE_OPT_IN", "DOUBLE_OPT_IN", "CONFIRMED"];
    const OUT: [&str; 6] = ["MANUAL", "ADMIN", "SYSTEM", "LIST_UNSUBSCRIBE", "FEEDBACK", "SPAM"];
    let status = entry.email_opt_status.as_deref().unwrap_or_default();
    let chosen: &[&str] = if opted_in { &IN } else { &OUT };
    entry.is_opt_in == Some(opted_in) && chosen.contains(&status)
}

/// Keap's name for a kind of note; the accounts' own kinds stay as they are.
pub(crate) fn note_kind(kind: &str) -> &str {
    match kind {
        "call" => "Call",
        "email" => "Email",
        "fax" => "Fax",
        "letter" => "Letter",
        "appointment" => "Appointment",
        "general" | "other" => "Other",
        own => own,
    }
}

/// A definition; none without id or when it belongs to another kind of record.
pub(crate) fn custom_field(field: api::CustomField) -> Option<CustomField> {
    let of_contacts = field.record_type.as_deref().is_none_or(|kind| kind == "CONTACT");
    let id = filled(field.id.as_ref()).filter(|_| of_contacts)?;
    let label = field.label.unwrap_or_default();
    let field_type = field.field_type.unwrap_or_default();
    let choices = field.options.iter().filter_map(|option| option.label.clone());
    let choice_ids = field.options.iter().filter(|option| option.label.is_some());
    Some(CustomField {
        key: filled(field.field_name.as_ref()).unwrap_or_else(|| id.clone()),
        id,
        data_type: data_type(&field_type),
        options: choices.collect(),
        option_ids: choice_ids.map(|option| option.id.clone().unwrap_or_default()).collect(),
        label,
        field_type,
        group_name: filled(field.group_name.as_ref()),
        default_value: filled(field.default_value.as_ref()),
        read_only: false,
    })
}

fn data_type(field_type: &str) -> DataType {
    match field_type.to_ascii_uppercase().as_str() {
        "CURRENCY" => DataType::Currency,
        "DATE" => DataType::Date,
        "DATE_TIME" => DataType::Datetime,
        "DECIMAL_NUMBER" => DataType::Decimal,
        "DRILLDOWN" | "DROPDOWN" | "RADIO" => DataType::Select,
        "EMAIL" => DataType::Email,
        "LIST_BOX" | "USER_LIST_BOX" => DataType::MultiSelect,
        "NAME" | "SOCIAL_SECURITY_NUMBER" | "TEXT" => DataType::Text,
        "PERCENT" => DataType::Percent,
        "PHONE_NUMBER" => DataType::Phone,
        "STATE" => DataType::State,
        "TEXT_AREA" => DataType::LongText,
        "USER" => DataType::User,
        "WEBSITE" => DataType::Url,
        "WHOLE_NUMBER" | "YEAR" => DataType::Integer,
        "YES_NO" => DataType::Boolean,
        _ => DataType::Other,
    }
}

/// Category names by id.
pub(crate) fn category_names(categories: Vec<api::Category>) -> HashMap<String, String> {
    let named = |category: api::Category| Some((category.id?, category.name?));
    categories.into_iter().filter_map(named).collect()
}

/// A tag; none without id.
pub(crate) fn tag(tag: api::Tag, categories: &HashMap<String, String>) -> Option<Tag> {
    let category = tag.category.id.and_then(|id| categories.get(&id).cloned());
    Some(Tag {
        id: filled(tag.id.as_ref())?,
        name: tag.name.unwrap_or_default(),
        description: filled(tag.description.as_ref()),
        category,
        vendor_id: None,
    })
}

/// A user who can own contacts; none without id or when no longer active.
pub(crate) fn user(user: api::User) -> Option<CrmUser> {
    let gone = matches!(user.status.as_deref(), Some("INACTIVE" | "NOT_A_USER"));
    let id = filled(user.id.as_ref()).filter(|_| !gone)?;
    let email = user.email_addresses.into_iter().find_map(|entry| entry.email);
    let part = |text: Option<String>| text.unwrap_or_default();
    let name = format!("{} {}", part(user.given_name), part(user.family_name));
    let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    Some(CrmUser {
        name: name.or_else(|| email.clone()).unwrap_or_else(|| id.clone()),
        id,
        email,
    })
}

/// The vendor's code and explanation of a failed answer.
pub(crate) fn fault(body: &[u8]) -> Fault {
    let failure: api::Failure = serde_json::from_slice(body).unwrap_or_default();
    match failure.fault {
        Some(fault) => Fault {
            code: fault.detail.errorcode,
            message: fault.faultstring,
            ..Fault::default()
        },
        None => Fault {
            code: failure.code,
            message: failure.message,
            ..Fault::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn existing() -> api::Contact {
        serde_json::from_value(json!({
            "id": "1",
            "email_addresses": [
                {"field": "EMAIL1", "email": "a@example.com", "is_opt_in": true, "opt_in_reason": "form"},
                {"field": "EMAIL2", "email": "b@example.com"}
            ],
            "phone_numbers": [
                {"field": "PHONE1", "number": "555-0100", "extension": "7", "number_e164": "+15550100"},
                {"field": "PHONE2", "number": "555-0101", "type": "Work"}
            ],
            "addresses": [{"field": "BILLING", "line1": "1 Main St", "country_code": "USA", "region_code": "US-AZ",
                "zip_code": "85001"}],
            "custom_fields": [{"id": "7", "content": "red"}, {"id": "8", "content": null}, {"id": "9", "content": 4}]
        }))
        .unwrap()
    }

    fn body(fields: Value) -> Value {
        let Value::Object(fields) = fields else {
            panic!("an object");
        };
        serde_json::to_value(update(&existing(), &fields)).unwrap()
    }

    #[test]
    fn changing_one_address_keeps_the_others_and_never_opts_in() {
        assert_eq!(
            body(json!({"email": "new@example.com"})),
            json!({"email_addresses": [
                {"field": "EMAIL1", "email": "new@example.com"}, {"field": "EMAIL2", "email": "b@example.com"}
            ]})
        );
        assert_eq!(
            body(json!({"email": null, "first_name": "Ada"})),
            json!({"given_name": "Ada", "email_addresses": [{"field": "EMAIL2", "email": "b@example.com"}]})
        );
    }

    #[test]
    fn changing_one_phone_or_custom_field_keeps_the_others() {
        assert_eq!(
            body(json!({"phone": "1", "phone3": "3"})),
            json!({"phone_numbers": [
                {"field": "PHONE1", "number": "1"}, {"field": "PHONE2", "number": "555-0101", "type": "Work"},
                {"field": "PHONE3", "number": "3"}
            ]})
        );
        assert_eq!(
            body(json!({"7": null, "10": ["a"]})),
            json!({"custom_fields": [{"id": "9", "content": 4}, {"id": "10", "content": ["a"]}]})
        );
    }

    #[test]
    fn an_address_keeps_its_other_parts_and_its_state_follows_its_country() {
        assert_eq!(
            body(json!({"state": "on", "country": "CAN", "zip": "K1A", "city": "Ottawa"})),
            json!({"addresses": [{"field": "BILLING", "line1": "1 Main St", "locality": "Ottawa",
                "country_code": "CAN", "region_code": "CA-ON", "zip_code": "K1A"}]})
        );
        assert_eq!(
            body(json!({"shipping_city": "Rome", "state": "Sonora"}))["addresses"][1],
            json!({"field": "SHIPPING", "locality": "Rome"})
        );
        assert_eq!(
            body(json!({"state": "Sonora"}))["addresses"][0]["region"],
            json!("Sonora")
        );
        let cleared = json!({"address1": "", "country": null, "state": null, "zip": null});
        assert_eq!(body(cleared), json!({"addresses": []}));
    }

    #[test]
    fn fields_are_read_where_they_live() {
        let contact = existing();
        for (key, value) in [
            ("email2", json!("b@example.com")),
            ("phone2", json!("555-0101")),
            ("state", json!("AZ")),
            ("country", json!("US")),
            ("zip", json!("85001")),
            ("9", json!(4)),
            ("8", Value::Null),
            ("company", Value::Null),
            ("id", json!("1")),
        ] {
            assert_eq!(read(&contact, key), value, "{key}");
        }
        assert_eq!(
            Vec::from_iter(properties(["full_name", "7"])),
            ["custom_fields", "family_name", "given_name"]
        );
    }

    #[test]
    fn every_standard_field_reads_back_what_was_written() {
        let wire = |field: &StandardField| match field.data_type {
            DataType::Country => json!("CAN"),
            DataType::Date => json!("2026-03-01"),
            _ => json!("QC"),
        };
        for field in standard_fields().iter().filter(|field| field.writable) {
            let fields = Map::from_iter([(field.name.to_owned(), wire(field))]);
            let sent = serde_json::to_value(update(&api::Contact::default(), &fields)).unwrap();
            let contact: api::Contact = serde_json::from_value(sent).unwrap();
            let expected = if field.data_type == DataType::Country {
                json!("CA")
            } else {
                wire(field)
            };
            assert_eq!(read(&contact, field.name), expected, "{}", field.name);
        }
    }

    #[test]
    fn values_are_written_as_keap_takes_them() {
        let wire = |data_type, value| to_wire(data_type, value).unwrap();
        assert_eq!(
            wire(DataType::Datetime, json!("2026-03-02T04:30:00Z")),
            json!("2026-03-02T04:30:00.000Z")
        );
        assert_eq!(wire(DataType::Currency, json!("12.50")), json!(12.5));
        assert_eq!(wire(DataType::Country, json!("Germany")), json!("DEU"));
        assert!(to_wire(DataType::Country, json!("Atlantis")).is_err());
    }
}
