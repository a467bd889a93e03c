//! HubSpot's shapes ↔ our model. The table of standard fields is the one place that knows where a field lives.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat};
use mfh_types::Timestamp;
use serde_json::{Map, Value};

use super::api;
use crate::error::ErrorKind;
use crate::http::Fault;
use crate::model::{Address, Contact, CrmUser, CustomField, DataType, OptInStatus, OptInTarget, Slot, Tag, TagRef};
use crate::translate::codec::{self, Choices, country, rfc3339};
use crate::translate::names::StandardField;
use crate::wire::filled;

pub(crate) const SLUG: &str = "hubspot";

/// Where a standard field lives in a HubSpot contact.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Id,
    FullName,
    Property(&'static str),
}

struct Row {
    field: StandardField,
    place: Place,
}

const fn computed(name: &'static str, place: Place) -> Row {
    let field = StandardField {
        name,
        native: &[],
        data_type: DataType::Text,
        writable: false,
    };
    Row { field, place }
}

macro_rules! row {
    ($name:literal, $property:literal, $data_type:ident) => {
        Row {
            field: StandardField {
                name: $name,
                native: &[$property],
                data_type: DataType::$data_type,
                writable: true,
            },
            place: Place::Property($property),
        }
    };
}

const ROWS: &[Row] = &[
    computed("id", Place::Id),
    computed("full_name", Place::FullName),
    row!("first_name", "firstname", Text),
    row!("last_name", "lastname", Text),
    row!("email", "email", Email),
    row!("phone", "phone", Phone),
    row!("mobile", "mobilephone", Phone),
    row!("fax", "fax", Phone),
    row!("company", "company", Text),
    row!("job_title", "jobtitle", Text),
    row!("website", "website", Url),
    row!("birthday", "date_of_birth", Date),
    row!("address1", "address", Text),
    row!("city", "city", Text),
    row!("state", "state", State),
    row!("zip", "zip", Text),
    row!("country", "country", Country),
    row!("timezone", "hs_timezone", Text),
    row!("owner_id", "hubspot_owner_id", User),
];

/// What HubSpot computes and our model has a place of its own for.
const COMPUTED: [&str; 5] = [
    "createdate",
    "hs_additional_emails",
    "hs_email_optout",
    "hs_object_id",
    "lastmodifieddate",
];

/// The standard fields that HubSpot has.
pub(crate) fn standard_fields() -> &'static [StandardField] {
    static FIELDS: LazyLock<Vec<StandardField>> = LazyLock::new(|| ROWS.iter().map(|row| row.field).collect());
    &FIELDS
}

fn place(key: &str) -> Option<Place> {
    let row = ROWS.iter().find(|row| row.field.name == key)?;
    Some(row.place)
}

fn standard_properties() -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter_map(|row| match row.place {
        Place::Property(property) => Some(property),
        Place::Id | Place::FullName => None,
    })
}

/// Whether a property is no part of our own model of a contact.
pub(crate) fn is_custom(property: &str) -> bool {
    !COMPUTED.contains(&property) && standard_properties().all(|standard| standard != property)
}

/// The properties of a whole contact, without the custom ones.
pub(crate) fn contact_properties() -> impl Iterator<Item = &'static str> {
    standard_properties().chain(["hs_additional_emails", "hs_email_optout"])
}

/// The properties that hold these fields; a key that is no standard name is the name of a property.
pub(crate) fn properties<'a>(keys: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut properties = BTreeSet::new();
    for key in keys {
        match place(key) {
            None => drop(properties.insert(key)),
            Some(Place::Id) => {}
            Some(Place::FullName) => properties.extend(["firstname", "lastname"]),
            Some(Place::Property(property)) => drop(properties.insert(property)),
        }
    }
    properties
}

/// One field of a contact by its standard name or property; `null` when it is empty.
pub(crate) fn read(contact: &api::Contact, key: &str) -> Value {
    let text = match place(key) {
        None => return contact.properties.get(key).cloned().unwrap_or_default(),
        Some(Place::Id) => contact.id.clone(),
        Some(Place::FullName) => {
            let part = |property| property_text(contact, property).unwrap_or_default();
            let joined = format!("{} {}", part("firstname"), part("lastname"));
            Some(joined.trim().to_owned())
        }
        Some(Place::Property(property)) => property_text(contact, property).map(|text| match property {
            "country" => country::alpha2(&text).map_or(text, str::to_owned),
            "hs_timezone" => timezone::read(&text),
            _ => text,
        }),
    };
    filled(text.as_ref()).map_or(Value::Null, Value::String)
}

fn property_text(contact: &api::Contact, property: &str) -> Option<String> {
    let value = contact.properties.get(property).filter(|value| !value.is_null())?;
    filled(Some(&codec::text(value)))
}

/// What to send so that these fields change; an empty text clears. A new contact has nothing to clear.
pub(crate) fn update(fields: &Map<String, Value>, with_empty: bool) -> Map<String, Value> {
    let mut properties = Map::new();
    for (key, value) in fields {
        let property = match place(key) {
            None => key.as_str(),
            Some(Place::Property(property)) => property,
            Some(Place::Id | Place::FullName) => continue,
        };
        let text = codec::text(value);
        if text.is_empty() && !with_empty {
            continue;
        }
        let text = if property == "hs_timezone" {
            timezone::write(&text)
        } else {
            text
        };
        properties.insert(property.to_owned(), text.into());
    }
    properties
}

/// HubSpot names a time zone by a slug of its IANA name: `america_slash_new_york`.
mod timezone {
    /// Short words that IANA writes in lower case.
    const SMALL: [&str; 4] = ["au", "es", "of", "da"];
    const SLASH: &str = "_slash_";
    const HYPHEN: &str = "_hyphen_";

    pub(super) fn write(text: &str) -> String {
        if text.contains('/') {
            text.trim().to_lowercase().replace('/', SLASH).replace('-', HYPHEN)
        } else {
            text.to_owned()
        }
    }

    pub(super) fn read(text: &str) -> String {
        if !text.contains(SLASH) {
            return text.to_owned();
        }
        let plain = text.replace(SLASH, "/").replace(HYPHEN, "-");
        let separates = |c: char| matches!(c, '/' | '-' | '_');
        plain.split_inclusive(separates).map(capital).collect()
    }

    fn capital(piece: &str) -> String {
        let word = piece.trim_end_matches(['/', '-', '_']);
        if SMALL.contains(&word) {
            return piece.to_owned();
        }
        if word == "us" {
            return piece.to_uppercase();
        }
        let mut letters = piece.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    }
}

/// A value as HubSpot takes it: always a text; `value` is in the normal form of its type.
pub(crate) fn to_wire(data_type: DataType, value: &Value, choices: Choices<'_>) -> Result<Value, String> {
    let option = |value: &Value| {
        let label = codec::text(value);
        choices.id_of(&label).map_or(label, str::to_owned)
    };
    let text = match data_type {
        DataType::Country => {
            let text = codec::text(value);
            country::alpha2(&text).ok_or_else(|| "a country name or code such as US".to_owned())?;
            text
        }
        DataType::Select => option(value),
        DataType::MultiSelect => match value {
            Value::Array(labels) => labels.iter().map(option).collect::<Vec<_>>().join(";"),
            other => option(other),
        },
        _ => codec::text(value),
    };
    Ok(text.into())
}

/// A value that HubSpot sent, in a form that has a normal form: options by label, times as texts.
pub(crate) fn from_wire(data_type: DataType, value: Value, choices: Choices<'_>) -> Value {
    let Value::String(text) = &value else {
        return value;
    };
    let label = |id: &str| choices.label_of(id).unwrap_or(id).to_owned();
    match data_type {
        DataType::Select => label(text).into(),
        DataType::MultiSelect => {
            let ids = text.split(';').map(str::trim).filter(|id| !id.is_empty());
            ids.map(label).collect()
        }
        DataType::Date | DataType::Datetime => {
            let millis = text.trim().parse().ok().and_then(DateTime::from_timestamp_millis);
            millis.map_or(value, |time| rfc3339(time, SecondsFormat::AutoSi).into())
        }
        _ => value,
    }
}

/// A contact in our model; custom values stand under the names of their properties, and tags are not loaded.
pub(crate) fn contact(contact: api::Contact) -> Contact {
    let text = |key| match read(&contact, key) {
        Value::String(text) => Some(text),
        _ => None,
    };
    let slot = |property: &str, value: &str| Slot {
        slot: property.to_owned(),
        value: value.to_owned(),
    };
    let own = |property: &str| property_text(&contact, property).map(|value| slot(property, value.trim()));
    let others = property_text(&contact, "hs_additional_emails").unwrap_or_default();
    let others = others.split(';').map(str::trim).filter(|value| !value.is_empty());
    let others = others.map(|value| slot("hs_additional_emails", value));
    let address = Address {
        address1: text("address1"),
        address2: None,
        city: text("city"),
        state: text("state"),
        zip: text("zip"),
        country: text("country"),
    };
    let id = contact.id.clone().unwrap_or_default();
    let known = Contact::new(SLUG, id, text);
    Contact {
        job_title: text("job_title"),
        created_at: timestamp(contact.created_at.as_deref()),
        updated_at: timestamp(contact.updated_at.as_deref()),
        birthday: day(text("birthday")),
        address: (address != Address::default()).then_some(address),
        emails: own("email").into_iter().chain(others).collect(),
        phones: ["phone", "mobilephone"].into_iter().filter_map(own).collect(),
        opt_in: is_unsubscribed(&contact).then_some(OptInStatus::OptedOut),
        custom_fields: contact
            .properties
            .into_iter()
            .filter(|(property, _)| is_custom(property))
            .collect(),
        ..known
    }
}

/// Whether the contact wants no mail at all. The opposite says nothing about consent to a subscription.
pub(crate) fn is_unsubscribed(contact: &api::Contact) -> bool {
    property_text(contact, "hs_email_optout").is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// When it was last changed.
pub(crate) fn updated_at(contact: &api::Contact) -> Option<Timestamp> {
    timestamp(contact.updated_at.as_deref())
}

pub(crate) fn tag_ref(id: String, name: String) -> TagRef {
    TagRef { id, name }
}

fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    codec::instant(text?).map(Timestamp)
}

/// The property is a plain text in HubSpot; one that is no date leaves the birthday absent.
fn day(text: Option<String>) -> Option<String> {
    let value = from_wire(DataType::Date, Value::String(text?), Choices::default());
    match codec::normalise(&value, DataType::Date, Choices::default()) {
        Ok(Value::String(day)) => Some(day),
        _ => None,
    }
}

/// A property as a field, and whether the account made it.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) field: CustomField,
    pub(crate) is_custom: bool,
}

/// A definition; none for a property that users do not see or that our model has a place of its own for.
pub(crate) fn custom_field(property: api::Property) -> Option<Definition> {
    let gone = property.hidden == Some(true) || property.archived == Some(true);
    let name = filled(property.name.as_ref()).filter(|name| !gone && is_custom(name))?;
    let data_type = data_type(&property);
    let read_only = property.calculated == Some(true) || property.modification_metadata.read_only_value == Some(true);
    let options = property.options.into_iter();
    let options = options.filter_map(|option| {
        let value = filled(option.value.as_ref())?;
        Some((filled(option.label.as_ref()).unwrap_or_else(|| value.clone()), value))
    });
    let (options, option_ids) = match data_type {
        DataType::Select | DataType::MultiSelect => options.unzip(),
        _ => (Vec::new(), Vec::new()),
    };
    let field = CustomField {
        id: name.clone(),
        label: filled(property.label.as_ref()).unwrap_or_else(|| name.clone()),
        key: name,
        field_type: property.kind.unwrap_or_default(),
        data_type,
        group_name: filled(property.group_name.as_ref()),
        options,
        option_ids,
        default_value: None,
        read_only,
    };
    Some(Definition {
        field,
        is_custom: property.hubspot_defined != Some(true),
    })
}

fn data_type(property: &api::Property) -> DataType {
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
    let (kind, form) = (text(&property.kind), text(&property.field_type));
    let to_owner = property.referenced_object_type.as_deref() == Some("OWNER");
    match (kind.as_str(), form.as_str()) {
        ("string", "textarea" | "html") => DataType::LongText,
        ("string", "file") => DataType::File,
        ("string", "phonenumber") | ("phone_number", _) => DataType::Phone,
        ("string", _) => DataType::Text,
        ("number", _) if property.show_currency_symbol == Some(true) => DataType::Currency,
        ("number", _) => match text(&property.number_display_hint).as_str() {
            "currency" => DataType::Currency,
            "percentage" => DataType::Percent,
            _ => DataType::Decimal,
        },
        ("bool", _) | ("enumeration", "booleancheckbox") => DataType::Boolean,
        ("enumeration", _) if to_owner => DataType::User,
        ("enumeration", "checkbox") => DataType::MultiSelect,
        ("enumeration", _) => DataType::Select,
        ("date", _) => DataType::Date,
        ("datetime", _) => DataType::Datetime,
        _ => DataType::Other,
    }
}

/// A list as a tag; none without id, or when HubSpot itself decides who is on it.
pub(crate) fn tag(list: api::List) -> Option<Tag> {
    let active = list.processing_type.as_deref() == Some("DYNAMIC");
    let id = filled(list.list_id.as_ref()).filter(|_| !active)?;
    Some(Tag {
        id,
        name: list.name.unwrap_or_default(),
        description: None,
        category: None,
        vendor_id: None,
    })
}

/// An owner; none without id or when archived.
pub(crate) fn owner(owner: api::Owner) -> Option<CrmUser> {
    let id = filled(owner.id.as_ref()).filter(|_| owner.archived != Some(true))?;
    let part = |text: Option<String>| text.unwrap_or_default();
    let name = format!("{} {}", part(owner.first_name), part(owner.last_name));
    let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    let email = filled(owner.email.as_ref());
    Some(CrmUser {
        name: name.or_else(|| email.clone()).unwrap_or_else(|| id.clone()),
        id,
        email,
    })
}

/// The subscriptions that can stand for marketing consent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Marketing {
    pub(crate) targets: Vec<OptInTarget>,
    /// The one that HubSpot marks.
    pub(crate) default: Option<String>,
}

/// The active subscriptions to marketing mail, and the only one of them that HubSpot marks as its default.
pub(crate) fn marketing(subscriptions: Vec<api::Subscription>) -> Marketing {
    let is = |text: &Option<String>, wanted: &str| text.as_ref().is_some_and(|text| text.eq_ignore_ascii_case(wanted));
    let by_mail = |it: &api::Subscription| it.communication_method.is_none() || is(&it.communication_method, "email");
    let mut candidates = subscriptions;
    candidates.retain(|it| {
        let usable = it.is_active != Some(false) && it.is_internal != Some(true) && it.id.is_some();
        usable && is(&it.purpose, "marketing") && by_mail(it)
    });
    let mut defaults = candidates.iter().filter(|it| it.is_default == Some(true));
    let default = match (defaults.next(), defaults.next()) {
        (Some(only), None) => only.id.clone(),
        _ => None,
    };
    let target = |it: api::Subscription| {
        let id = it.id?;
        let name = it.name.unwrap_or_else(|| id.clone());
        Some(OptInTarget { id, name })
    };
    Marketing {
        targets: candidates.into_iter().filter_map(target).collect(),
        default,
    }
}

/// The vendor's code and explanation of a failed answer, and the contact that an address belongs to already.
pub(crate) fn fault(body: &[u8]) -> Fault {
    let failure: api::Failure = serde_json::from_slice(body).unwrap_or_default();
    let message = failure.message.unwrap_or_default();
    let code = failure.sub_category.or(failure.policy_name).or(failure.category);
    // A list whose name is taken is a 400 like any other, told apart only here.
    let is_duplicate = code.as_deref().is_some_and(|code| code.contains("DUPLICATE"));
    Fault {
        code: code.or(failure.error_type),
        kind: is_duplicate.then_some(ErrorKind::Conflict),
        contact_id: existing_id(&message),
        message: filled(Some(&message)),
    }
}

/// `12` of "Contact already exists. Existing ID: 12".
fn existing_id(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Existing ID:")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    filled(Some(&digits))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn existing(properties: Value) -> api::Contact {
        serde_json::from_value(json!({"id": "1", "properties": properties})).unwrap()
    }

    fn object(json: Value) -> Map<String, Value> {
        json.as_object().cloned().unwrap()
    }

    #[test]
    fn fields_are_written_as_texts_under_the_names_of_their_properties() {
        let fields = object(json!({
            "first_name": "Ada", "phone": null, "score": 7.5, "owner_id": "3", "timezone": "America/Port-au-Prince", "id": "9"
        }));
        assert_eq!(
            update(&fields, true),
            object(json!({
                "firstname": "Ada", "phone": "", "score": "7.5", "hubspot_owner_id": "3",
                "hs_timezone": "america_slash_port_hyphen_au_hyphen_prince"
            }))
        );
        assert!(
            !update(&fields, false).contains_key("phone"),
            "a new contact has nothing to clear"
        );
    }

    #[test]
    fn every_standard_field_reads_back_what_was_written() {
        for field in standard_fields().iter().filter(|field| field.writable) {
            let value = match field.name {
                "country" => json!("CA"),
                "timezone" => json!("America/New_York"),
                _ => json!("2026-03-01"),
            };
            let fields = Map::from_iter([(field.name.to_owned(), value.clone())]);
            let contact = existing(Value::Object(update(&fields, true)));
            assert_eq!(read(&contact, field.name), value, "{}", field.name);
        }
    }

    #[test]
    fn fields_are_read_where_they_live() {
        let contact = existing(json!({
            "firstname": "Ada", "lastname": null, "country": "United States", "score": "7", "email": "a@example.com",
            "hs_additional_emails": "b@example.com;c@example.com", "phone": "1", "mobilephone": "2",
            "hs_email_optout": "true", "date_of_birth": "12/10/1815", "hs_timezone": "us_slash_eastern"
        }));
        for (key, value) in [
            ("id", json!("1")),
            ("full_name", json!("Ada")),
            ("last_name", Value::Null),
            ("country", json!("US")),
            ("timezone", json!("US/Eastern")),
            ("score", json!("7")),
            ("nothing", Value::Null),
        ] {
            assert_eq!(read(&contact, key), value, "{key}");
        }
        assert_eq!(
            Vec::from_iter(properties(["full_name", "score", "id"])),
            ["firstname", "lastname", "score"]
        );
        let shown = super::contact(contact);
        let values = |slots: &[Slot]| Vec::from_iter(slots.iter().map(|slot| slot.value.clone()));
        assert_eq!(
            values(&shown.emails),
            ["a@example.com", "b@example.com", "c@example.com"]
        );
        assert_eq!(values(&shown.phones), ["1", "2"]);
        assert_eq!(
            (shown.opt_in, shown.birthday.as_deref()),
            (Some(OptInStatus::OptedOut), Some("1815-12-10"))
        );
        assert_eq!(shown.custom_fields, object(json!({"score": "7"})));
    }

    #[test]
    fn options_go_by_their_value_and_come_by_their_label() {
        let property = json!({"name": "x", "type": "enumeration", "fieldType": "checkbox", "options": [
            {"label": "Light, blue", "value": "blue_1"}, {"label": "Red", "value": "red"}
        ]});
        let field = custom_field(serde_json::from_value(property).unwrap()).unwrap().field;
        let choices = Choices::of(&field);
        let wire = |value: Value| to_wire(DataType::MultiSelect, &value, choices).unwrap();
        assert_eq!(wire(json!(["Red", "Light, blue"])), json!("red;blue_1"));
        let read = |text: &str| from_wire(DataType::MultiSelect, json!(text), choices);
        assert_eq!(read(" blue_1;red;"), json!(["Light, blue", "Red"]));
        assert_eq!(read("gone"), json!(["gone"]));
        assert_eq!(from_wire(DataType::Select, json!("red"), choices), json!("Red"));
    }

    #[test]
    fn values_are_written_as_hubspot_takes_them() {
        let wire = |data_type, value| to_wire(data_type, &value, Choices::default()).unwrap();
        assert_eq!(wire(DataType::Decimal, json!(1e21)), json!("1000000000000000000000"));
        assert_eq!(wire(DataType::Boolean, json!(true)), json!("true"));
        assert_eq!(wire(DataType::Date, json!("2026-03-01")), json!("2026-03-01"));
        assert_eq!(wire(DataType::Country, json!("Germany")), json!("Germany"));
        assert!(to_wire(DataType::Country, &json!("Atlantis"), Choices::default()).is_err());
    }

    #[test]
    fn times_may_be_milliseconds_also_before_1970() {
        let read = |text: &str| from_wire(DataType::Date, json!(text), Choices::default());
        assert_eq!(read("1772323200000"), json!("2026-03-01T00:00:00Z"));
        assert_eq!(read("-86400000"), json!("1969-12-31T00:00:00Z"));
        assert_eq!(read("2026-03-01"), json!("2026-03-01"));
    }

    #[test]
    fn properties_have_the_type_of_their_values() {
        let of = |extra: Value| {
            let mut property = object(json!({"name": "x", "label": "X"}));
            property.extend(object(extra));
            custom_field(serde_json::from_value(Value::Object(property)).unwrap()).unwrap()
        };
        for (extra, data_type) in [
            (json!({"type": "string", "fieldType": "text"}), DataType::Text),
            (json!({"type": "string", "fieldType": "textarea"}), DataType::LongText),
            (json!({"type": "number", "fieldType": "number"}), DataType::Decimal),
            (
                json!({"type": "number", "showCurrencySymbol": true}),
                DataType::Currency,
            ),
            (
                json!({"type": "number", "numberDisplayHint": "percentage"}),
                DataType::Percent,
            ),
            (
                json!({"type": "enumeration", "fieldType": "booleancheckbox"}),
                DataType::Boolean,
            ),
            (json!({"type": "enumeration", "fieldType": "radio"}), DataType::Select),
            (
                json!({"type": "enumeration", "referencedObjectType": "OWNER"}),
                DataType::User,
            ),
            (
                json!({"type": "bool", "fieldType": "booleancheckbox"}),
                DataType::Boolean,
            ),
            (json!({"type": "json"}), DataType::Other),
        ] {
            assert_eq!(of(extra.clone()).field.data_type, data_type, "{extra}");
        }
        assert!(of(json!({"calculated": true})).field.read_only);
        assert!(
            of(json!({"modificationMetadata": {"readOnlyValue": true}}))
                .field
                .read_only
        );
        assert!(of(json!({})).is_custom && !of(json!({"hubspotDefined": true})).is_custom);
        for none in [
            json!({"name": "firstname"}),
            json!({"name": "x", "hidden": true}),
            json!({}),
        ] {
            assert!(custom_field(serde_json::from_value(none).unwrap()).is_none());
        }
    }

    #[test]
    fn marketing_consent_is_one_subscription_or_the_default_among_several() {
        let of = |list: Value| marketing(serde_json::from_value(list).unwrap());
        let one = json!({"id": 1, "name": "News", "purpose": "Marketing", "communicationMethod": "Email"});
        let two = json!({"id": 2, "name": "Offers", "purpose": "MARKETING"});
        let default = json!({"id": 3, "name": "Information", "purpose": "Marketing", "isDefault": true});
        let unfit = json!([
            {"id": 4, "purpose": "Sales"}, {"id": 5, "purpose": "Marketing", "isActive": false},
            {"id": 6, "purpose": "Marketing", "isInternal": true}, {"purpose": "Marketing"}
        ]);
        let ids = |list: Value| -> (Vec<String>, Option<String>) {
            let found = of(list);
            (found.targets.into_iter().map(|it| it.id).collect(), found.default)
        };
        let default_for_sales = json!({"id": 9, "purpose": "Sales", "isDefault": true});
        assert_eq!(ids(json!([one, default_for_sales])), (vec!["1".into()], None));
        let three = vec!["1".into(), "3".into(), "2".into()];
        assert_eq!(ids(json!([one, default, two])), (three, Some("3".into())));
        assert_eq!(ids(json!([one, two])), (vec!["1".into(), "2".into()], None));
        assert_eq!(ids(json!([default, default])).1, None);
        assert_eq!(of(json!([two])).targets[0].name, "Offers");
        assert_eq!(ids(unfit), (vec![], None));
    }

    #[test]
    fn a_failure_tells_its_code_and_the_existing_contact() {
        let body = json!({"status": "error", "category": "CONFLICT", "correlationId": "c",
            "message": "Contact already exists. Existing ID: 123456789012"});
        let told = fault(body.to_string().as_bytes());
        assert_eq!(
            (told.code.as_deref(), told.contact_id.as_deref()),
            (Some("CONFLICT"), Some("123456789012"))
        );
        let body = json!({"category": "VALIDATION_ERROR", "subCategory": "ILS.DUPLICATE_LIST_NAMES"});
        assert_eq!(fault(body.to_string().as_bytes()).kind, Some(ErrorKind::Conflict));
        let body = json!({"errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "You have reached your limit"});
        assert_eq!(fault(body.to_string().as_bytes()).code.as_deref(), Some("DAILY"));
        assert_eq!(fault(b"<html>"), Fault::default());
    }
}
