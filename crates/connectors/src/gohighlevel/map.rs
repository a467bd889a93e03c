//! GoHighLevel's shapes ↔ our model. The table of standard fields is the one place that knows where a field lives.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::DateTime;
use mfh_types::Timestamp;
use serde_json::{Map, Value};

use super::api;
use crate::error::ErrorKind;
use crate::http::Fault;
use crate::model::{
    Address, Automation, Contact, CrmUser, CustomField, DataType, OptInOutcome, OptInStatus, Slot, Tag, TagRef,
};
use crate::translate::codec::{self, country};
use crate::translate::names::StandardField;
use crate::wire::filled;

pub(crate) const SLUG: &str = "gohighlevel";

/// The channel of do-not-disturb that is about e-mail.
const EMAIL_CHANNEL: &str = "Email";
/// Properties that the vendor does not describe as nullable; an empty text clears them.
const NOT_NULLABLE: [&str; 2] = ["country", "postalCode"];

/// Where a standard field lives in a contact.
#[derive(Clone, Copy)]
enum Place {
    Id,
    FullName,
    Plain(Plain),
}

/// A property of its own.
#[derive(Clone, Copy)]
struct Plain {
    property: &'static str,
    get: fn(&api::Contact) -> Option<&String>,
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
    ($property:literal $member:ident) => {
        Place::Plain(Plain {
            property: $property,
            get: |contact| contact.$member.as_ref(),
        })
    };
}

const ROWS: &[Row] = &[
    row("id", &[], DataType::Text, Place::Id),
    row("full_name", &["name"], DataType::Text, Place::FullName),
    row(
        "first_name",
        &["firstName"],
        DataType::Text,
        plain!("firstName" first_name),
    ),
    row("last_name", &["lastName"], DataType::Text, plain!("lastName" last_name)),
    row("email", &[], DataType::Email, plain!("email" email)),
    row("phone", &[], DataType::Phone, plain!("phone" phone)),
    row(
        "company",
        &["companyName"],
        DataType::Text,
        plain!("companyName" company_name),
    ),
    row("website", &[], DataType::Url, plain!("website" website)),
    row(
        "birthday",
        &["dateOfBirth"],
        DataType::Date,
        plain!("dateOfBirth" date_of_birth),
    ),
    row("source", &[], DataType::Text, plain!("source" source)),
    row("timezone", &[], DataType::Text, plain!("timezone" timezone)),
    row(
        "owner_id",
        &["assignedTo"],
        DataType::User,
        plain!("assignedTo" assigned_to),
    ),
    row(
        "address1",
        &[],
        DataType::Text,
        Place::Plain(Plain {
            property: "address1",
            get: |contact| contact.address1.as_ref().or(contact.address.as_ref()),
        }),
    ),
    row("city", &[], DataType::Text, plain!("city" city)),
    row("state", &[], DataType::State, plain!("state" state)),
    row("zip", &["postalCode"], DataType::Text, plain!("postalCode" postal_code)),
    row("country", &[], DataType::Country, plain!("country" country)),
];

/// The standard fields that GoHighLevel has.
pub(crate) fn standard_fields() -> &'static [StandardField] {
    static FIELDS: LazyLock<Vec<StandardField>> = LazyLock::new(|| ROWS.iter().map(|row| row.field).collect());
    &FIELDS
}

fn place(key: &str) -> Option<Place> {
    let row = ROWS.iter().find(|row| row.field.name == key)?;
    Some(row.place)
}

/// One field of a contact by its standard name or custom field id; `null` when it is empty.
pub(crate) fn read(contact: &api::Contact, key: &str) -> Value {
    let text = match place(key) {
        None => return custom(contact, key),
        Some(Place::Id) => contact.id.clone(),
        Some(Place::FullName) => {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let joined = format!("{} {}", part(&contact.first_name), part(&contact.last_name));
            Some(joined.trim().to_owned())
        }
        Some(Place::Plain(plain)) => (plain.get)(contact).cloned(),
    };
    let text = filled(text.as_ref());
    match text {
        Some(text) if key == "country" => Value::from(country::alpha2(&text).map_or(text, str::to_owned)),
        Some(text) => Value::String(text),
        None => Value::Null,
    }
}

fn custom(contact: &api::Contact, id: &str) -> Value {
    let mut customs = contact.custom_fields.iter().flatten();
    let custom = customs.find(|custom| custom.id.as_deref() == Some(id));
    custom.map_or(Value::Null, |custom| custom.value.clone())
}

/// What to send so that these fields change and nothing else does.
pub(crate) fn update(fields: &Map<String, Value>) -> api::ContactBody {
    let mut body = api::ContactBody::default();
    for row in ROWS {
        let (Place::Plain(plain), Some(value)) = (row.place, fields.get(row.field.name)) else {
            continue;
        };
        let text = codec::text(value);
        let cleared = text.is_empty() && !NOT_NULLABLE.contains(&plain.property);
        let value = if cleared { Value::Null } else { Value::String(text) };
        body.properties.insert(plain.property.to_owned(), value);
    }
    for (id, value) in fields.iter().filter(|(key, _)| place(key).is_none()) {
        body.custom_fields.push(api::CustomFieldValue {
            id: id.clone(),
            // The vendor clears a value with an empty text; no description has a `null` here.
            field_value: if value.is_null() {
                Value::from("")
            } else {
                value.clone()
            },
        });
    }
    body
}

/// What to send for a new contact: only what has a value.
pub(crate) fn create(location: &str, fields: &Map<String, Value>, tags: Vec<String>) -> api::ContactBody {
    let given = fields
        .iter()
        .filter(|(_, value)| !codec::is_blank(value, DataType::Text));
    let given = given.map(|(key, value)| (key.clone(), value.clone())).collect();
    api::ContactBody {
        location_id: Some(location.to_owned()),
        tags,
        ..update(&given)
    }
}

/// Whether the company of a contact is the one that was written; the vendor does not promise that it takes it.
pub(crate) fn has_company(contact: &api::Contact, written: &Value) -> bool {
    let spelling = |text: &str| text.trim().to_lowercase();
    let now = contact.company_name.as_deref().unwrap_or_default();
    spelling(now) == spelling(&codec::text(written))
}

/// A value as GoHighLevel takes it; `value` is in the normal form of its type. Numbers travel as exact decimals.
pub(crate) fn to_wire(data_type: DataType, value: Value) -> Result<Value, String> {
    match (data_type, &value) {
        (DataType::Country, Value::String(text)) => country::alpha2(text)
            .map(Value::from)
            .ok_or_else(|| "a country name or code such as US".to_owned()),
        (DataType::Integer | DataType::Decimal | DataType::Percent | DataType::Currency, _) => {
            Ok(Value::String(codec::text(&value)))
        }
        _ => Ok(value),
    }
}

/// A value as our normal forms are read from: the vendor's days are milliseconds, also those soon after 1970, which by
/// their size alone would be taken for seconds.
pub(crate) fn from_wire(data_type: DataType, value: Value) -> Value {
    let ms = value.as_i64().filter(|_| data_type == DataType::Date);
    match ms.and_then(DateTime::from_timestamp_millis) {
        Some(time) => Value::from(time.date_naive().to_string()),
        None => value,
    }
}

/// Whether a record that may be a hit of the search shows everything that a single read would.
pub(crate) fn is_whole(contact: &api::Contact) -> bool {
    let missing = |name: &Option<String>, lower: &Option<String>| name.is_none() && lower.is_some();
    contact.tags.is_some()
        && contact.custom_fields.is_some()
        && !missing(&contact.first_name, &contact.first_name_lower_case)
        && !missing(&contact.last_name, &contact.last_name_lower_case)
}

/// A contact in our model; custom values stand under their ids.
pub(crate) fn contact(contact: api::Contact) -> Contact {
    let text = |key| match read(&contact, key) {
        Value::String(text) => Some(text),
        _ => None,
    };
    let id = contact.id.clone().unwrap_or_default();
    let known = Contact::new(SLUG, id, text);
    let opt_in = opt_in(&contact);
    Contact {
        created_at: timestamp(contact.date_added.as_deref()),
        updated_at: timestamp(contact.date_updated.as_deref()),
        birthday: text("birthday").and_then(day),
        source: text("source"),
        address: address(&contact),
        emails: slots("email", "additionalEmails", text("email"), &contact.additional_emails),
        phones: slots("phone", "additionalPhones", text("phone"), &contact.additional_phones),
        opt_in: Some(opt_in),
        tags: contact.tags.map(|names| names.into_iter().map(tag_ref).collect()),
        custom_fields: contact
            .custom_fields
            .into_iter()
            .flatten()
            .filter_map(|custom| Some((custom.id?, custom.value)))
            .collect(),
        ..known
    }
}

/// A tag as contacts have it: its name is its id.
pub(crate) fn tag_ref(name: String) -> TagRef {
    TagRef { id: name.clone(), name }
}

fn slots(main: &str, more: &str, first: Option<String>, others: &[String]) -> Vec<Slot> {
    let slot = |slot: &str, value: String| Slot {
        slot: slot.to_owned(),
        value,
    };
    let others = others.iter().filter(|other| !other.trim().is_empty());
    let others = others.map(|other| slot(more, other.clone()));
    first.map(|first| slot(main, first)).into_iter().chain(others).collect()
}

fn address(contact: &api::Contact) -> Option<Address> {
    let text = |key| match read(contact, key) {
        Value::String(text) => Some(text),
        _ => None,
    };
    let address = Address {
        address1: text("address1"),
        address2: None,
        city: text("city"),
        state: text("state"),
        zip: text("zip"),
        country: text("country"),
    };
    (address != Address::default()).then_some(address)
}

fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    codec::instant(text?).map(Timestamp)
}

/// The calendar day of a date that may carry a time.
fn day(text: String) -> Option<String> {
    let normal = codec::normalise(&Value::String(text), DataType::Date, codec::Choices::default());
    match normal {
        Ok(Value::String(day)) => Some(day),
        _ => None,
    }
}

/// Whether one of a contact's addresses is this one.
pub(crate) fn has_email(contact: &api::Contact, email: &str) -> bool {
    let wanted = email.trim().to_lowercase();
    let mut emails = contact.email.iter().chain(&contact.additional_emails);
    emails.any(|email| email.trim().to_lowercase() == wanted)
}

/// The e-mail channel's state. Later editions spell the channels in lower case.
fn email_status(contact: &api::Contact) -> Option<&str> {
    let mut channels = contact.dnd_settings.iter();
    let email = channels.find(|(name, _)| name.eq_ignore_ascii_case(EMAIL_CHANNEL))?;
    email.1.status.as_deref()
}

/// Marketing consent by e-mail: do not disturb, on this channel or on all, is an opt-out.
pub(crate) fn opt_in(contact: &api::Contact) -> OptInStatus {
    match email_status(contact) {
        Some("active" | "permanent") => OptInStatus::OptedOut,
        _ if contact.dnd == Some(true) => OptInStatus::OptedOut,
        Some("inactive") => OptInStatus::OptedIn,
        _ => OptInStatus::Unknown,
    }
}

/// What setting consent comes to without a write; none when there is something to write. An opt-in would have to lift
/// do-not-disturb from every channel where that is set as a whole, and a permanent one is not ours to lift.
pub(crate) fn consent_settled(contact: &api::Contact, opted_in: bool) -> Option<OptInOutcome> {
    match (email_status(contact), opted_in) {
        (Some("active" | "permanent"), false) => Some(OptInOutcome::Already),
        (Some("permanent"), true) => Some(OptInOutcome::NotPermitted),
        (_, true) if contact.dnd == Some(true) => Some(OptInOutcome::NotPermitted),
        (Some("inactive"), true) => Some(OptInOutcome::Already),
        _ => None,
    }
}

/// The contact's channels with the new state of e-mail. The others are sent as they are, so that they are not reset.
pub(crate) fn consent(contact: &api::Contact, opted_in: bool, reason: &str) -> BTreeMap<String, api::Channel> {
    let mut channels = contact.dnd_settings.clone();
    channels.retain(|name, channel| !name.eq_ignore_ascii_case(EMAIL_CHANNEL) && channel.status.is_some());
    let status = if opted_in { "inactive" } else { "active" };
    let email = api::Channel {
        status: Some(status.to_owned()),
        message: Some(reason.to_owned()),
        code: None,
    };
    channels.insert(EMAIL_CHANNEL.to_owned(), email);
    channels
}

/// What an answer says about consent after it was written; none when it says nothing.
pub(crate) fn consent_outcome(contact: &api::Contact, opted_in: bool) -> Option<OptInOutcome> {
    let wanted = if opted_in {
        OptInStatus::OptedIn
    } else {
        OptInStatus::OptedOut
    };
    email_status(contact)?;
    Some(if opt_in(contact) == wanted {
        OptInOutcome::Applied
    } else {
        OptInOutcome::NotPermitted
    })
}

/// A definition; none without id or when it belongs to another kind of record.
pub(crate) fn custom_field(field: api::CustomField) -> Option<CustomField> {
    let of_contacts = field.model.as_deref().is_none_or(|model| model == "contact");
    let id = filled(field.id.as_ref()).filter(|_| of_contacts)?;
    let field_type = field.data_type.unwrap_or_default();
    let data_type = match data_type(&field_type) {
        // Any text goes where contacts may hold choices of their own.
        DataType::Select if field.is_allowed_custom_option == Some(true) => DataType::Text,
        data_type => data_type,
    };
    let key = filled(field.field_key.as_ref());
    let key = key.map(|key| key.strip_prefix("contact.").map_or(key.clone(), str::to_owned));
    Some(CustomField {
        key: key.filter(|key| !key.is_empty()).unwrap_or_else(|| id.clone()),
        id,
        label: field.name.unwrap_or_default(),
        data_type,
        field_type,
        group_name: None,
        options: field.picklist_options,
        option_ids: Vec::new(),
        default_value: None,
        read_only: false,
    })
}

/// The vendor declares a plain text here, so an unknown type is taken for text.
fn data_type(field_type: &str) -> DataType {
    match field_type.to_ascii_uppercase().as_str() {
        "LARGE_TEXT" => DataType::LongText,
        "NUMERICAL" => DataType::Decimal,
        "PHONE" => DataType::Phone,
        // The first is the vendor's spelling.
        "MONETORY" | "MONETARY" => DataType::Currency,
        "CHECKBOX" | "MULTIPLE_OPTIONS" => DataType::MultiSelect,
        "SINGLE_OPTIONS" | "RADIO" => DataType::Select,
        "DATE" => DataType::Date,
        "EMAIL" => DataType::Email,
        "FILE_UPLOAD" => DataType::File,
        "TEXTBOX_LIST" => DataType::Other,
        _ => DataType::Text,
    }
}

/// A tag; none without name, which is its id for us.
pub(crate) fn tag(tag: api::Tag) -> Option<Tag> {
    let name = filled(tag.name.as_ref())?;
    Some(Tag {
        id: name.clone(),
        name,
        description: None,
        category: None,
        vendor_id: filled(tag.id.as_ref()),
    })
}

/// A workflow; none without id.
pub(crate) fn automation(workflow: api::Workflow) -> Option<Automation> {
    Some(Automation {
        id: filled(workflow.id.as_ref())?,
        name: workflow.name.unwrap_or_default(),
        status: workflow.status,
    })
}

/// A user who can own contacts; none without id or when deleted.
pub(crate) fn user(user: api::User) -> Option<CrmUser> {
    let id = filled(user.id.as_ref()).filter(|_| user.deleted != Some(true))?;
    let part = |text: Option<String>| text.unwrap_or_default();
    let joined = format!("{} {}", part(user.first_name), part(user.last_name));
    let joined = Some(joined.trim().to_owned()).filter(|name| !name.is_empty());
    let email = filled(user.email.as_ref());
    let name = filled(user.name.as_ref()).or(joined).or_else(|| email.clone());
    Some(CrmUser {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        email,
    })
}

/// What a failed answer says. Missing and doubled records come as 400, and a missing scope as 401.
pub(crate) fn fault(body: &[u8]) -> Fault {
    let failure: api::Failure = serde_json::from_slice(body).unwrap_or_default();
    let contact_id = failure.meta.and_then(|meta| filled(meta.contact_id.as_ref()));
    let said = failure.message.as_deref().unwrap_or_default().to_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    let kind = match failure.status_code {
        Some(401) if says(&["not authorized for this scope", "access to this location"]) => Some(ErrorKind::Forbidden),
        Some(401 | 403) => None,
        _ if contact_id.is_some() || says(&["duplicate", "already exist"]) => Some(ErrorKind::Conflict),
        _ if says(&["not found", "does not exist"]) => Some(ErrorKind::NotFound),
        _ => None,
    };
    Fault {
        // The vendor's support finds a request by its trace.
        code: failure.trace_id.or(failure.error),
        message: failure.message,
        kind,
        contact_id,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::wire::odd::any_json;

    fn parse(json: Value) -> api::Contact {
        serde_json::from_value(json).unwrap()
    }

    fn object(json: Value) -> Map<String, Value> {
        json.as_object().cloned().unwrap()
    }

    fn body(fields: Value) -> Value {
        serde_json::to_value(update(&object(fields))).unwrap()
    }

    #[test]
    fn only_what_is_given_is_sent_and_what_is_empty_is_cleared() {
        assert_eq!(
            body(json!({"first_name": "Ada", "phone": null, "zip": "", "country": null, "f1": "x", "f2": null})),
            json!({
                "firstName": "Ada", "phone": null, "postalCode": "", "country": "",
                "customFields": [{"id": "f1", "field_value": "x"}, {"id": "f2", "field_value": ""}]
            })
        );
    }

    #[test]
    fn a_new_contact_has_its_location_and_no_empty_values() {
        let fields = object(json!({"email": "a@example.com", "phone": null, "city": "", "f1": null}));
        assert_eq!(
            serde_json::to_value(create("loc", &fields, vec!["vip".to_owned()])).unwrap(),
            json!({"locationId": "loc", "email": "a@example.com", "tags": ["vip"]})
        );
    }

    #[test]
    fn every_standard_field_reads_back_what_was_written() {
        let wire = |field: &StandardField| match field.data_type {
            DataType::Country => json!("CA"),
            DataType::Date => json!("2026-03-01"),
            _ => json!("text"),
        };
        for field in standard_fields().iter().filter(|field| field.writable) {
            let fields = Map::from_iter([(field.name.to_owned(), wire(field))]);
            let read_back = parse(serde_json::to_value(update(&fields)).unwrap());
            assert_eq!(read(&read_back, field.name), wire(field), "{}", field.name);
        }
    }

    #[test]
    fn numbers_and_texts_may_change_places_and_null_is_nothing() {
        let contact = contact(parse(json!({
            "id": 7, "firstName": null, "phone": 6025550100_u64, "dnd": "true", "tags": ["a", null, 3],
            "customFields": [{"id": 5, "value": [1, "b"]}, null, "x"], "dateAdded": 1_772_323_200_000_u64,
            "dateOfBirth": "1815-12-10T00:00:00.000Z", "country": "Canada", "surprise": {"x": []}
        })));
        assert_eq!((contact.id.as_str(), contact.first_name.as_str()), ("7", ""));
        assert_eq!(contact.phone.as_deref(), Some("6025550100"));
        assert_eq!(contact.opt_in, Some(OptInStatus::OptedOut));
        assert_eq!(
            contact.tags.unwrap(),
            [tag_ref("a".to_owned()), tag_ref("3".to_owned())]
        );
        assert_eq!(contact.custom_fields, object(json!({"5": [1, "b"]})));
        assert_eq!(contact.created_at.unwrap().to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(contact.birthday.as_deref(), Some("1815-12-10"));
        assert_eq!(contact.address.unwrap().country.as_deref(), Some("CA"));
    }

    #[test]
    fn days_soon_after_1970_are_not_taken_for_seconds() {
        assert_eq!(from_wire(DataType::Date, json!(86_400_000)), json!("1970-01-02"));
        assert_eq!(from_wire(DataType::Date, json!(-86_400_000)), json!("1969-12-31"));
        assert_eq!(from_wire(DataType::Date, json!("2026-03-01")), json!("2026-03-01"));
        assert_eq!(from_wire(DataType::Decimal, json!(5)), json!(5));
    }

    #[test]
    fn do_not_disturb_is_an_opt_out_and_not_an_opt_in() {
        let status = |json| opt_in(&parse(json));
        let email = |status: &str| json!({"dnd": false, "dndSettings": {"Email": {"status": status}}});
        assert_eq!(status(email("active")), OptInStatus::OptedOut);
        assert_eq!(status(email("permanent")), OptInStatus::OptedOut);
        assert_eq!(status(email("inactive")), OptInStatus::OptedIn);
        assert_eq!(status(email("resting")), OptInStatus::Unknown);
        assert_eq!(
            status(json!({"dndSettings": {"SMS": {"status": "active"}}})),
            OptInStatus::Unknown
        );
        let whole = json!({"dnd": true, "dndSettings": {"Email": {"status": "inactive"}}});
        assert_eq!(status(whole), OptInStatus::OptedOut);
    }

    #[test]
    fn the_other_channels_are_sent_as_they_are() {
        let contact = parse(json!({"dndSettings": {
            "SMS": {"status": "permanent", "message": "STOP", "code": "102"}, "Fax": {"status": "resting"},
            "Email": {"status": "inactive", "message": "old", "code": "1"}
        }}));
        assert_eq!(
            serde_json::to_value(consent(&contact, false, "asked")).unwrap(),
            json!({
                "SMS": {"status": "permanent", "message": "STOP", "code": "102"}, "Fax": {"status": "resting"},
                "Email": {"status": "active", "message": "asked"}
            })
        );
    }

    #[test]
    fn a_hit_with_names_in_lower_case_only_is_not_whole() {
        let whole = json!({"firstName": "Ada", "firstNameLowerCase": "ada", "tags": [], "customFields": []});
        assert!(is_whole(&parse(whole)));
        assert!(!is_whole(&parse(
            json!({"firstNameLowerCase": "ada", "tags": [], "customFields": []})
        )));
        assert!(!is_whole(&parse(json!({"firstName": "Ada", "tags": []}))));
    }

    #[test]
    fn definitions_keep_their_unknown_types_and_lose_the_prefix_of_their_keys() {
        let field = |json| custom_field(serde_json::from_value(json).unwrap());
        let rating =
            field(json!({"id": "1", "name": "Stars", "fieldKey": "contact.stars", "dataType": "RATING"})).unwrap();
        assert_eq!((rating.key.as_str(), rating.field_type.as_str()), ("stars", "RATING"));
        assert_eq!(rating.data_type, DataType::Text);
        assert_eq!(field(json!({"id": "2", "model": "opportunity"})), None);
        let options = json!([{"label": "a"}, "b"]);
        let open = json!({"id": "3", "dataType": "RADIO", "isAllowedCustomOption": true, "picklistOptions": options});
        let open = field(open).unwrap();
        assert_eq!(
            (open.data_type, open.options),
            (DataType::Text, vec!["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn a_failed_answer_tells_more_than_its_status() {
        let fault = |json: Value| fault(json.to_string().as_bytes());
        let double = fault(json!({
            "statusCode": 400, "message": "This location does not allow duplicated contacts.",
            "meta": {"contactId": "c1", "matchingField": "email"}
        }));
        assert_eq!(
            (double.kind, double.contact_id.as_deref()),
            (Some(ErrorKind::Conflict), Some("c1"))
        );
        let several = fault(json!({"statusCode": 422, "message": ["email must be an email", "x"], "traceId": "t-1"}));
        assert_eq!(several.message.as_deref(), Some("email must be an email; x"));
        assert_eq!((several.kind, several.code.as_deref()), (None, Some("t-1")));
        let missing = fault(json!({"statusCode": 400, "message": "Contact not found"}));
        assert_eq!(missing.kind, Some(ErrorKind::NotFound));
        let scope = fault(json!({"statusCode": 401, "message": "The token is not authorized for this scope."}));
        assert_eq!(scope.kind, Some(ErrorKind::Forbidden));
        assert_eq!(fault(json!({"statusCode": 401, "message": "Invalid JWT"})).kind, None);
        assert_eq!(super::fault(b"<html>"), Fault::default());
    }

    /// Any JSON, with members that the decoders look for among others.
    const NAMES: &str = "\
        id firstName firstNameLowerCase email additionalEmails tags customFields value dnd dndSettings Email status \
        dateAdded dateOfBirth country contact contacts total searchAfter message statusCode meta contactId \
        picklistOptions dataType name model deleted new else";

    proptest! {
        #[test]
        fn nothing_that_a_server_answers_makes_us_panic(json in any_json(NAMES, &[])) {
            let text = json.to_string();
            fault(text.as_bytes());
            // Every object can be read, whatever its members hold.
            if json.is_object() {
                let read_contact: api::Contact = serde_json::from_str(&text).unwrap();
                is_whole(&read_contact);
                consent_settled(&read_contact, true);
                consent_outcome(&read_contact, false);
                for channel in read_contact.dnd_settings.iter().filter(|(name, _)| *name != "Email") {
                    if channel.1.status.is_some() {
                        let sent = consent(&read_contact, true, "x");
                        prop_assert_eq!(sent.get(channel.0), Some(channel.1));
                    }
                }
                for field in standard_fields() {
                    read(&read_contact, field.name);
                }
                contact(read_contact);
                let hits: api::Hits = serde_json::from_str(&text).unwrap();
                hits.contacts.into_iter().map(contact).for_each(drop);
                let envelope: api::Envelope = serde_json::from_str(&text).unwrap();
                envelope.contact.map(contact);
                custom_field(serde_json::from_str(&text).unwrap());
                tag(serde_json::from_str(&text).unwrap());
                user(serde_json::from_str(&text).unwrap());
                automation(serde_json::from_str(&text).unwrap());
            }
        }
    }
}
