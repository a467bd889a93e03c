//! Ontraport's flat records ↔ our model. The table of standard fields is the one place that knows the vendor's names.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use mfh_types::Timestamp;
use serde_json::{Map, Value};

use super::api::{self, Record};
use crate::http::Fault;
use crate::model::{Address, Automation, Contact, CrmUser, CustomField, DataType, OptInStatus, Slot, Tag, TagRef};
use crate::translate::codec::{self, Choices, country};
use crate::translate::names::StandardField;

pub(crate) const SLUG: &str = "ontraport";

/// Stands before, between and after the members of a list in one text.
const SEPARATOR: &str = "*/*";

/// A standard field and the vendor's property that holds it.
struct Row {
    field: StandardField,
    property: &'static str,
}

const fn row(name: &'static str, native: &'static [&'static str], data_type: DataType, property: &'static str) -> Row {
    let field = StandardField {
        name,
        native,
        data_type,
        writable: true,
    };
    Row { field, property }
}

/// A field that Ontraport makes by itself.
const fn derived(name: &'static str, property: &'static str) -> Row {
    let mut row = row(name, &[], DataType::Text, property);
    row.field.writable = false;
    row
}

const ROWS: &[Row] = &[
    derived("id", "id"),
    derived("full_name", ""),
    row("first_name", &["firstname"], DataType::Text, "firstname"),
    row("last_name", &["lastname"], DataType::Text, "lastname"),
    row("email", &[], DataType::Email, "email"),
    row("phone", &["office_phone"], DataType::Phone, "office_phone"),
    row("phone2", &["home_phone"], DataType::Phone, "home_phone"),
    row("mobile", &["sms_number"], DataType::Phone, "sms_number"),
    row("fax", &[], DataType::Phone, "fax"),
    row("company", &[], DataType::Text, "company"),
    row("job_title", &["title"], DataType::Text, "title"),
    row("website", &[], DataType::Url, "website"),
    row("birthday", &[], DataType::Date, "birthday"),
    row("address1", &["address"], DataType::Text, "address"),
    row("address2", &[], DataType::Text, "address2"),
    row("city", &[], DataType::Text, "city"),
    row("state", &[], DataType::State, "state"),
    row("zip", &[], DataType::Text, "zip"),
    row("country", &[], DataType::Country, "country"),
    row("timezone", &[], DataType::Text, "timezone"),
    row("owner_id", &["owner"], DataType::User, "owner"),
];

/// The properties that hold phone numbers, the main one first.
const PHONES: [&str; 3] = ["office_phone", "home_phone", "sms_number"];

/// The standard fields that Ontraport has.
pub(crate) fn standard_fields() -> &'static [StandardField] {
    static FIELDS: LazyLock<Vec<StandardField>> = LazyLock::new(|| ROWS.iter().map(|row| row.field).collect());
    &FIELDS
}

fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.field.name == name)
}

/// One field of a contact by its standard name or the key of a custom field, as Ontraport wrote it.
pub(crate) fn read(contact: &Record, key: &str) -> Value {
    let property = match find(key) {
        Some(row) if row.field.name == "full_name" => return Value::String(full_name(contact)),
        Some(row) => row.property,
        None => key,
    };
    contact.get(property).cloned().unwrap_or_default()
}

fn full_name(contact: &Record) -> String {
    let part = |key| text(contact, key).unwrap_or_default();
    format!("{} {}", part("firstname"), part("lastname")).trim().to_owned()
}

/// What to send so that these fields change; an empty text clears.
pub(crate) fn update(fields: &Map<String, Value>) -> Record {
    let wire = |(key, value): (&String, &Value)| {
        let property = find(key).map_or(key.as_str(), |row| row.property);
        (property.to_owned(), Value::String(codec::text(value)))
    };
    fields.iter().map(wire).collect()
}

/// A property as text; blank ones are none.
pub(crate) fn text(record: &Record, property: &str) -> Option<String> {
    let text = match record.get(property)? {
        value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)) => codec::text(value),
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// The id of a record; Ontraport counts from 1.
pub(crate) fn id(record: &Record) -> Option<String> {
    text(record, "id").map(|id| id.trim().to_owned())
}

/// A value as Ontraport takes it: always a text. `value` is in the normal form of its type.
pub(crate) fn to_wire(data_type: DataType, value: Value, choices: Choices<'_>) -> Result<Value, String> {
    let choice = |label: &str| choices.id_of(label).unwrap_or(label).to_owned();
    let text = match (data_type, &value) {
        (DataType::Boolean, Value::Bool(flag)) => if *flag { "1" } else { "0" }.to_owned(),
        (DataType::Date, Value::String(day)) => match day.parse::<NaiveDate>() {
            Ok(day) => day.and_time(NaiveTime::MIN).and_utc().timestamp().to_string(),
            Err(_) => return Err("a date such as 2026-03-01".to_owned()),
        },
        (DataType::Datetime, Value::String(time)) => match codec::instant(time) {
            Some(time) => time.timestamp().to_string(),
            None => return Err("a date and time such as 2026-03-01T10:00:00Z".to_owned()),
        },
        (DataType::Select, Value::String(label)) => choice(label),
        (DataType::MultiSelect, Value::Array(labels)) => {
            let members = labels.iter().map(|label| choice(&codec::text(label)));
            let joined = members.collect::<Vec<_>>().join(SEPARATOR);
            format!("{SEPARATOR}{joined}{SEPARATOR}")
        }
        (DataType::Country, Value::String(text)) => country::alpha2(text)
            .ok_or_else(|| "a country name or code such as US".to_owned())?
            .to_owned(),
        _ => codec::text(&value),
    };
    Ok(Value::String(text))
}

/// A value that Ontraport sent, in a form that the codecs read. What has no meaning here stays as it is.
pub(crate) fn from_wire(data_type: DataType, value: Value, choices: Choices<'_>) -> Value {
    let text = match &value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(_) => codec::text(&value),
        _ => return value,
    };
    match data_type {
        // Nothing chosen, no day and nobody are all written 0.
        DataType::Select if text == "0" && choices.label_of("0").is_none() => Value::Null,
        DataType::Date | DataType::Datetime | DataType::User if text == "0" => Value::Null,
        DataType::Date => match unix(&text) {
            Some(time) => Value::String(time.date_naive().to_string()),
            None => value,
        },
        DataType::Datetime => match unix(&text) {
            Some(time) => Value::String(codec::rfc3339(time, SecondsFormat::AutoSi)),
            None => value,
        },
        DataType::Select => choices.label_of(&text).map_or(value, Value::from),
        DataType::MultiSelect => {
            let label = |id: &str| Value::from(choices.label_of(id).unwrap_or(id));
            members(&text).map(label).collect()
        }
        DataType::Country => country::alpha2(&text).map_or(value, Value::from),
        _ => value,
    }
}

/// Seconds since 1970.
fn unix(text: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(text.parse().ok()?, 0)
}

/// The members of a list in one text.
fn members(text: &str) -> impl Iterator<Item = &str> {
    text.split(SEPARATOR).map(str::trim).filter(|member| !member.is_empty())
}

/// A standard field in its normal form, as text; none when it is empty.
fn standard(contact: &Record, name: &str) -> Option<String> {
    let row = find(name)?;
    let data_type = row.field.data_type;
    let value = contact.get(row.property)?.clone();
    let value = from_wire(data_type, value, Choices::default());
    match codec::normalise(&value, data_type, Choices::default()) {
        Ok(Value::String(text)) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

/// A contact in our model; custom values stand under their keys as Ontraport wrote them, tags have no names yet.
pub(crate) fn contact(record: &Record) -> Contact {
    let text = |name| standard(record, name);
    let id = id(record).unwrap_or_default();
    let known = Contact::new(SLUG, id, text);
    Contact {
        job_title: text("job_title"),
        created_at: timestamp(record, "date"),
        updated_at: timestamp(record, "dlm"),
        birthday: text("birthday"),
        address: address(record),
        emails: slots(record, &["email"]),
        phones: slots(record, &PHONES),
        opt_in: record.contains_key("bulk_mail").then(|| Consent::of(record).status()),
        tags: tag_ids(record).map(|ids| ids.into_iter().map(tag_ref).collect()),
        custom_fields: record
            .iter()
            .filter(|(key, _)| is_custom(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        ..known
    }
}

/// Whether a property is a custom field: `f` and a number, unlike `firstname` and `fax`.
fn is_custom(property: &str) -> bool {
    let digits = property.strip_prefix('f').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn timestamp(record: &Record, property: &str) -> Option<Timestamp> {
    let seconds = text(record, property)?;
    unix(seconds.trim()).filter(|time| time.timestamp() > 0).map(Timestamp)
}

fn slots(record: &Record, properties: &[&str]) -> Vec<Slot> {
    let slot = |property: &&str| {
        Some(Slot {
            slot: (*property).to_owned(),
            value: text(record, property)?,
        })
    };
    properties.iter().filter_map(slot).collect()
}

fn address(record: &Record) -> Option<Address> {
    let address = Address {
        address1: standard(record, "address1"),
        address2: standard(record, "address2"),
        city: standard(record, "city"),
        state: standard(record, "state"),
        zip: standard(record, "zip"),
        country: standard(record, "country"),
    };
    (address != Address::default()).then_some(address)
}

/// The ids of a contact's tags; none when the record does not tell them.
pub(crate) fn tag_ids(contact: &Record) -> Option<Vec<String>> {
    let ids = match contact.get("contact_cat")? {
        Value::Array(ids) => ids.iter().map(codec::text).filter(|id| !id.trim().is_empty()).collect(),
        other => members(&codec::text(other)).map(str::to_owned).collect(),
    };
    Some(ids)
}

pub(crate) fn tag_ref(id: String) -> TagRef {
    TagRef {
        id,
        name: String::new(),
    }
}

/// Consent to marketing mail, as `bulk_mail` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// 1, or 2 after a confirmation by the person.
    In,
    /// 0: only mail that belongs to a purchase.
    Out,
    /// Negative: the address bounces or is under review, which only Ontraport itself lifts.
    Barred,
    Unknown,
}

impl Consent {
    /// The consent of a contact.
    pub(crate) fn of(contact: &Record) -> Self {
        let number = text(contact, "bulk_mail").and_then(|text| text.trim().parse::<i64>().ok());
        match number {
            Some(1 | 2) => Self::In,
            Some(0) => Self::Out,
            Some(..0) => Self::Barred,
            Some(3..) | None => Self::Unknown,
        }
    }

    fn status(self) -> OptInStatus {
        match self {
            Self::In => OptInStatus::OptedIn,
            Self::Out | Self::Barred => OptInStatus::OptedOut,
            Self::Unknown => OptInStatus::Unknown,
        }
    }
}

/// Consent in our model.
pub(crate) fn opt_in(contact: &Record) -> OptInStatus {
    Consent::of(contact).status()
}

/// The custom fields of contacts in the answer of `/objects/meta`, in the order of their numbers.
pub(crate) fn custom_fields(data: &Value) -> Vec<CustomField> {
    let kind = data.get(api::object::CONTACT.to_string());
    let fields = kind.and_then(|kind| kind.get("fields")?.as_object());
    let mut found: Vec<CustomField> = fields
        .into_iter()
        .flatten()
        .filter(|(key, _)| is_custom(key))
        .map(|(key, meta)| custom_field(key, meta))
        .collect();
    found.sort_by_key(|field| (field.key.len(), field.key.clone()));
    found
}

fn custom_field(key: &str, meta: &Value) -> CustomField {
    let text = |name: &str| meta.get(name).map(codec::text).unwrap_or_default();
    let field_type = text("type");
    let (option_ids, options) = options(meta.get("options")).into_iter().unzip();
    let editable = meta.get("editable");
    CustomField {
        id: key.to_owned(),
        key: key.to_owned(),
        label: text("alias"),
        data_type: data_type(&field_type),
        field_type,
        group_name: None,
        options,
        option_ids,
        default_value: None,
        read_only: editable.is_some_and(|it| matches!(codec::text(it).trim(), "false" | "0")),
    }
}

/// Ids and labels of choices in the order of their ids.
fn options(options: Option<&Value>) -> Vec<(String, String)> {
    let label = |value: &Value| match value {
        Value::Object(option) => text(option, "label")
            .or_else(|| text(option, "value"))
            .unwrap_or_default(),
        other => codec::text(other),
    };
    let mut found: Vec<(String, String)> = match options {
        Some(Value::Object(options)) => options.iter().map(|(id, value)| (id.clone(), label(value))).collect(),
        Some(Value::Array(options)) => {
            let numbered = options.iter().enumerate();
            numbered
                .map(|(index, value)| (index.to_string(), label(value)))
                .collect()
        }
        _ => Vec::new(),
    };
    found.retain(|(_, label)| !label.trim().is_empty());
    found.sort_by_key(|(id, _)| (id.parse::<i64>().unwrap_or(i64::MAX), id.clone()));
    found
}

fn data_type(field_type: &str) -> DataType {
    match field_type.to_ascii_lowercase().as_str() {
        "address" | "text" => DataType::Text,
        "check" => DataType::Boolean,
        "country" => DataType::Country,
        "drop" => DataType::Select,
        "email" => DataType::Email,
        "file" | "image" => DataType::File,
        "fulldate" => DataType::Date,
        "list" => DataType::MultiSelect,
        "longtext" => DataType::LongText,
        "numeric" => DataType::Decimal,
        "phone" | "sms" => DataType::Phone,
        "price" => DataType::Currency,
        "state" => DataType::State,
        "timestamp" => DataType::Datetime,
        "url" => DataType::Url,
        _ => DataType::Other,
    }
}

/// A tag of contacts; none without id or when it is for other records.
pub(crate) fn tag(record: &Record) -> Option<Tag> {
    let id = text(record, "tag_id").or_else(|| text(record, "id"));
    Some(Tag {
        id: id.filter(|_| is_for_contacts(record))?.trim().to_owned(),
        name: text(record, "tag_name").unwrap_or_default(),
        description: None,
        category: None,
        vendor_id: None,
    })
}

/// An automation that takes contacts; none without id, when it is deleted or for other records.
pub(crate) fn automation(record: &Record) -> Option<Automation> {
    let status = match flag(record, "pause") {
        Some(true) => Some("paused"),
        Some(false) => Some("active"),
        None => None,
    };
    Some(Automation {
        id: id(record).filter(|_| takes_contacts(record))?,
        name: text(record, "name").unwrap_or_default(),
        status: status.map(str::to_owned),
    })
}

/// Whether an automation or sequence is there for contacts.
pub(crate) fn takes_contacts(record: &Record) -> bool {
    is_for_contacts(record) && flag(record, "deleted") != Some(true)
}

/// Tags and automations can be for other kinds of records as well.
fn is_for_contacts(record: &Record) -> bool {
    text(record, "object_type_id").is_none_or(|kind| kind.trim() == "0")
}

fn flag(record: &Record, property: &str) -> Option<bool> {
    match text(record, property)?.trim() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// A user who can own contacts; none without id.
pub(crate) fn user(record: &Record) -> Option<CrmUser> {
    let id = id(record)?;
    let email = text(record, "email");
    let name = Some(full_name(record)).filter(|name| !name.is_empty());
    let name = name.or_else(|| text(record, "name")).or_else(|| email.clone());
    Some(CrmUser {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        email,
    })
}

/// The number of records in an answer that counts.
pub(crate) fn count(data: &Value) -> Option<u64> {
    codec::text(data.get("count")?).trim().parse().ok()
}

/// The vendor's explanation of a failed answer: plain text or JSON. A gateway's page is none.
pub(crate) fn fault(body: &[u8]) -> Fault {
    let body = String::from_utf8_lossy(body);
    let body = body.trim();
    if let Ok(failure) = serde_json::from_str::<api::Failure>(body) {
        return Fault {
            code: failure.code,
            message: failure.message.or(failure.error).or(failure.data),
            ..Fault::default()
        };
    }
    let text = body.trim_matches('"');
    Fault {
        code: None,
        message: (!text.is_empty() && !text.starts_with('<')).then(|| text.to_owned()),
        ..Fault::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(json: Value) -> Record {
        json.as_object().cloned().unwrap()
    }

    fn colors() -> CustomField {
        custom_field(
            "f9",
            &json!({"alias": "Color", "type": "drop", "options": {"12": "Red", "3": "Blue", "7": "12"}}),
        )
    }

    #[test]
    fn a_record_is_shown_in_our_model() {
        let shown = contact(&record(json!({
            "id": 7, "firstname": "Ada", "lastname": null, "email": "ada@example.com", "office_phone": "",
            "home_phone": "555-0101", "sms_number": 15_550_102, "title": "Countess", "country": "United States",
            "state": "AZ", "birthday": "-4858704000", "owner": "0", "date": "1772323200", "dlm": "soon",
            "bulk_mail": "-2", "contact_cat": "*/*3*/*12*/*", "f12": "x", "fax": "1", "f": "2", "f1x": "3"
        })));
        assert_eq!((shown.id.as_str(), shown.source_id.as_str()), ("7", "7"));
        assert_eq!(
            (shown.last_name.as_str(), shown.phone, shown.owner_id),
            ("", None, None)
        );
        let phones: Vec<&str> = shown.phones.iter().map(|slot| slot.slot.as_str()).collect();
        assert_eq!(phones, ["home_phone", "sms_number"]);
        assert_eq!(shown.job_title.as_deref(), Some("Countess"));
        assert_eq!(shown.birthday.as_deref(), Some("1816-01-14"));
        let address = shown.address.unwrap();
        assert_eq!(
            (address.country.as_deref(), address.state.as_deref()),
            (Some("US"), Some("AZ"))
        );
        assert_eq!(shown.created_at.unwrap().to_string(), "2026-03-01T00:00:00Z");
        assert_eq!((shown.updated_at, shown.opt_in), (None, Some(OptInStatus::OptedOut)));
        let tags: Vec<String> = shown.tags.unwrap().into_iter().map(|tag| tag.id).collect();
        assert_eq!(tags, ["3", "12"]);
        assert_eq!(shown.custom_fields, record(json!({"f12": "x"})));
    }

    #[test]
    fn tags_that_the_record_does_not_tell_are_not_loaded() {
        assert_eq!(contact(&record(json!({"id": "1"}))).tags, None);
        for none in [json!(""), json!(null), json!("*/*"), json!([])] {
            assert_eq!(contact(&record(json!({"contact_cat": none}))).tags, Some(Vec::new()));
        }
    }

    #[test]
    fn every_standard_field_reads_back_what_was_written() {
        for field in standard_fields().iter().filter(|field| field.writable) {
            let sent = match field.data_type {
                DataType::Date => json!("1772323200"),
                _ => json!("x"),
            };
            let written = update(&Map::from_iter([(field.name.to_owned(), sent.clone())]));
            assert_eq!(written.len(), 1);
            assert_eq!(read(&written, field.name), sent, "{}", field.name);
        }
        let cleared = update(&Map::from_iter([("job_title".to_owned(), Value::Null)]));
        assert_eq!(cleared, record(json!({"title": ""})));
    }

    #[test]
    fn values_are_written_as_texts_with_ids_of_choices() {
        let field = colors();
        let wire = |data_type, value| to_wire(data_type, value, Choices::of(&field)).unwrap();
        for (data_type, value, expected) in [
            (DataType::Boolean, json!(true), "1"),
            (DataType::Boolean, json!(false), "0"),
            (DataType::Date, json!("2026-03-01"), "1772323200"),
            (DataType::Date, json!("1816-01-14"), "-4858704000"),
            (DataType::Datetime, json!("2026-03-01T00:00:05Z"), "1772323205"),
            (DataType::Decimal, json!(2.5), "2.5"),
            (DataType::Currency, json!("12.50"), "12.50"),
            (DataType::Select, json!("12"), "7"),
            (DataType::Select, json!("Red"), "12"),
            (DataType::MultiSelect, json!(["Blue", "Red"]), "*/*3*/*12*/*"),
            (DataType::Country, json!("Germany"), "DE"),
            (DataType::Text, json!(" a "), " a "),
        ] {
            assert_eq!(wire(data_type, value), json!(expected));
        }
        assert!(to_wire(DataType::Country, json!("Atlantis"), Choices::default()).is_err());
    }

    #[test]
    fn values_are_read_from_texts_and_ids_of_choices() {
        let field = colors();
        let read = |data_type, value| from_wire(data_type, value, Choices::of(&field));
        for (data_type, value, expected) in [
            (DataType::Date, json!("1772323200"), json!("2026-03-01")),
            (DataType::Date, json!(-4_858_704_000_i64), json!("1816-01-14")),
            (DataType::Date, json!("0"), json!(null)),
            (DataType::Date, json!("2026-03-01"), json!("2026-03-01")),
            (DataType::Datetime, json!("1772323205"), json!("2026-03-01T00:00:05Z")),
            // The id wins over a label that looks like one.
            (DataType::Select, json!("12"), json!("Red")),
            (DataType::Select, json!(7), json!("12")),
            (DataType::Select, json!("0"), json!(null)),
            (DataType::Select, json!("99"), json!("99")),
            (DataType::MultiSelect, json!("*/*3*/*99*/*"), json!(["Blue", "99"])),
            (DataType::MultiSelect, json!("*/*"), json!([])),
            (DataType::Country, json!("Germany"), json!("DE")),
            (DataType::Country, json!("Atlantis"), json!("Atlantis")),
            (DataType::Decimal, json!("5"), json!("5")),
            (DataType::Date, json!({"odd": 1}), json!({"odd": 1})),
        ] {
            assert_eq!(read(data_type, value), expected);
        }
    }

    #[test]
    fn definitions_are_the_fields_with_a_number_and_choices_keep_their_ids() {
        let data = json!({"0": {"name": "Contact", "fields": {
            "f1510": {"alias": "Late", "type": "text", "editable": "0"},
            "f99": {"alias": "Color", "type": "drop", "editable": 1, "options": {"10": "Red", "9": "Blue"}},
            "f100": {"alias": "News", "type": "hologram", "options": []},
            "firstname": {"alias": "First Name", "type": "text"}, "fax": {"alias": "Fax", "type": "phone"},
            "f101": null
        }}});
        let fields = custom_fields(&data);
        let keys: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
        assert_eq!(keys, ["f99", "f100", "f101", "f1510"]);
        assert_eq!(
            (&fields[0].options, &fields[0].option_ids),
            (
                &vec!["Blue".to_owned(), "Red".to_owned()],
                &vec!["9".to_owned(), "10".to_owned()]
            )
        );
        assert_eq!(
            (fields[1].data_type, fields[1].field_type.as_str()),
            (DataType::Other, "hologram")
        );
        assert!(fields[3].read_only && !fields[0].read_only);
        assert!(custom_fields(&json!([])).is_empty());
    }

    #[test]
    fn only_what_is_for_contacts_is_listed() {
        assert_eq!(
            tag(&record(json!({"tag_id": 5, "tag_name": "VIP", "object_type_id": "0"})))
                .unwrap()
                .id,
            "5"
        );
        assert!(
            tag(&record(
                json!({"tag_id": "6", "tag_name": "Deal", "object_type_id": "149"})
            ))
            .is_none()
        );
        let it = automation(&record(
            json!({"id": "3", "name": "A", "pause": "1", "deleted": "false"}),
        ))
        .unwrap();
        assert_eq!(it.status.as_deref(), Some("paused"));
        assert!(automation(&record(json!({"id": "3", "deleted": "true"}))).is_none());
        assert_eq!(
            user(&record(json!({"id": 1, "email": "a@example.com"}))).unwrap().name,
            "a@example.com"
        );
    }

    #[test]
    fn consent_has_five_numbers_and_more_may_come() {
        for (number, consent) in [
            (json!("1"), Consent::In),
            (json!(2), Consent::In),
            (json!("0"), Consent::Out),
            (json!("-2"), Consent::Barred),
            (json!("-5"), Consent::Barred),
            (json!("7"), Consent::Unknown),
            (json!(""), Consent::Unknown),
        ] {
            assert_eq!(Consent::of(&record(json!({"bulk_mail": number}))), consent);
        }
    }

    #[test]
    fn a_failure_is_plain_text_json_or_a_page() {
        let message = |body: &str| fault(body.as_bytes()).message;
        assert_eq!(message("Object not found").as_deref(), Some("Object not found"));
        assert_eq!(message("\"Invalid id\"").as_deref(), Some("Invalid id"));
        assert_eq!(message(r#"{"code": 401, "error": "No"}"#).as_deref(), Some("No"));
        assert_eq!(message("<html><body>502</body></html>"), None);
        assert_eq!(message(""), None);
    }
}
