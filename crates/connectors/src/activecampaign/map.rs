//! ActiveCampaign's shapes ↔ our model. The table of standard fields is the one place that knows where a field lives.

use std::sync::LazyLock;

use chrono::SecondsFormat;
use mfh_types::Timestamp;
use serde_json::{Map, Value};

use super::api;
use crate::http::Fault;
use crate::model::{Automation, Contact, CustomField, DataType, OptInStatus, Slot, Tag, TagRef};
use crate::translate::codec::{self, Choices};
use crate::translate::names::StandardField;
use crate::wire::filled;

pub(crate) const SLUG: &str = "activecampaign";

/// Stands between the choices of a field, and before the first and after the last.
const BARS: &str = "||";

/// Status of a contact on a list.
pub(crate) mod status {
    pub(crate) const UNCONFIRMED: &str = "0";
    pub(crate) const ACTIVE: &str = "1";
    pub(crate) const UNSUBSCRIBED: &str = "2";
    pub(crate) const BOUNCED: &str = "3";
}

/// A contact with the rows that belong to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) contact: api::Contact,
    pub(crate) related: api::Related,
    /// The name of its account, which has to be looked up.
    pub(crate) company: Option<String>,
}

impl Record {
    /// A record whose account has not been looked up.
    pub(crate) fn new(contact: api::Contact, related: api::Related) -> Self {
        Self {
            contact,
            related,
            company: None,
        }
    }

    /// Its place in an account.
    pub(crate) fn position(&self) -> Option<&api::AccountContact> {
        self.related.account_contacts.as_ref()?.first()
    }

    /// The id of its account.
    pub(crate) fn account(&self) -> Option<&str> {
        self.position()?.account.as_deref()
    }
}

/// Where a standard field lives.
#[derive(Clone, Copy)]
enum Place {
    Id,
    FullName,
    Plain(Plain),
    Company,
    JobTitle,
}

/// A property of the contact itself.
#[derive(Clone, Copy)]
struct Plain {
    get: fn(&api::Contact) -> Option<&String>,
    set: fn(&mut api::ContactBody) -> &mut Option<String>,
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
            get: |contact| contact.$property.as_ref(),
            set: |body| &mut body.$property,
        })
    };
}

const ROWS: &[Row] = &[
    row("id", &[], DataType::Text, Place::Id),
    row("full_name", &[], DataType::Text, Place::FullName),
    row("first_name", &["firstName"], DataType::Text, plain!(first_name)),
    row("last_name", &["lastName"], DataType::Text, plain!(last_name)),
    row("email", &[], DataType::Email, plain!(email)),
    row("phone", &[], DataType::Phone, plain!(phone)),
    row("company", &["orgname"], DataType::Text, Place::Company),
    row("job_title", &["jobTitle"], DataType::Text, Place::JobTitle),
];

/// The standard fields that ActiveCampaign has.
pub(crate) fn standard_fields() -> &'static [StandardField] {
    static FIELDS: LazyLock<Vec<StandardField>> = LazyLock::new(|| ROWS.iter().map(|row| row.field).collect());
    &FIELDS
}

fn place(key: &str) -> Option<Place> {
    let row = ROWS.iter().find(|row| row.field.name == key)?;
    Some(row.place)
}

/// One field of a contact by its standard name or custom field id; `null` when it is empty.
pub(crate) fn read(record: &Record, key: &str) -> Value {
    let contact = &record.contact;
    let text = match place(key) {
        None => custom_value(record, key).cloned(),
        Some(Place::Id) => contact.id.clone(),
        Some(Place::FullName) => Some(full_name(contact)),
        Some(Place::Plain(plain)) => (plain.get)(contact).cloned(),
        Some(Place::Company) => record.company.clone(),
        Some(Place::JobTitle) => record.position().and_then(|position| position.job_title.clone()),
    };
    text.filter(|text| !text.is_empty()).map_or(Value::Null, Value::String)
}

fn custom_value<'a>(record: &'a Record, field_id: &str) -> Option<&'a String> {
    let mut values = record.related.field_values.iter().flatten();
    values
        .find(|value| value.field.as_deref() == Some(field_id))?
        .value
        .as_ref()
}

fn full_name(contact: &api::Contact) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let joined = format!("{} {}", part(&contact.first_name), part(&contact.last_name));
    joined.trim().to_owned()
}

/// The part of these fields that is written with the contact: all but company and job title.
pub(crate) fn body(fields: &Map<String, Value>) -> api::ContactBody {
    let mut body = api::ContactBody::default();
    for (key, value) in fields {
        match place(key) {
            Some(Place::Plain(plain)) => *(plain.set)(&mut body) = Some(codec::text(value)),
            Some(_) => {}
            None => body.field_values.push(api::FieldValueBody {
                field: key.clone(),
                value: codec::text(value),
            }),
        }
    }
    body
}

/// Changes to a contact's place in an account: absent leaves, blank clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Employment {
    pub(crate) company: Option<String>,
    pub(crate) job_title: Option<String>,
}

impl Employment {
    /// What these fields say about company and job title; none when they are silent.
    pub(crate) fn of(fields: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| fields.get(key).map(|value| codec::text(value).trim().to_owned());
        let employment = Self {
            company: text("company"),
            job_title: text("job_title"),
        };
        (employment != Self::default()).then_some(employment)
    }

    /// What has to be done, given the contact's present place; none when a job title would stand without a company.
    pub(crate) fn step(&self, present: Option<&api::AccountContact>) -> Option<Step> {
        let title_now = || present.and_then(|present| present.job_title.clone());
        let row = || present.and_then(|present| present.id.clone());
        let blank_title = self.job_title.as_deref().is_none_or(str::is_empty);
        match (self.company.as_deref(), present) {
            (Some(""), _) if !blank_title => None,
            (Some(""), _) => Some(row().map_or(Step::Nothing, Step::Leave)),
            (Some(name), _) => Some(Step::Take {
                row: row(),
                company: Company::Named(name.to_owned()),
                job_title: self.job_title.clone().or_else(title_now).unwrap_or_default(),
            }),
            (None, None) if blank_title => Some(Step::Nothing),
            (None, None) => None,
            (None, Some(present)) => Some(Step::Take {
                row: row(),
                company: Company::Known(present.account.clone().unwrap_or_default()),
                job_title: self.job_title.clone().unwrap_or_default(),
            }),
        }
    }
}

/// What is done about a contact's place in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is as it should be.
    Nothing,
    /// The row with this id goes.
    Leave(String),
    /// The contact gets this place, in the row that it has or in a new one.
    Take {
        row: Option<String>,
        company: Company,
        job_title: String,
    },
}

/// An account by what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Company {
    /// By id.
    Known(String),
    /// By name; it is made when there is none.
    Named(String),
}

/// The rows of a contact that was just created with this body.
pub(crate) fn written(body: &api::ContactBody) -> api::Related {
    let value = |sent: &api::FieldValueBody| api::FieldValue {
        contact: None,
        field: Some(sent.field.clone()),
        value: Some(sent.value.clone()),
    };
    api::Related {
        field_values: Some(body.field_values.iter().map(value).collect()),
        contact_tags: Some(Vec::new()),
        ..api::Related::default()
    }
}

/// A value as ActiveCampaign takes it: always a text; `value` is in the normal form of its type.
pub(crate) fn to_wire(data_type: DataType, value: &Value, choices: Choices<'_>) -> Result<Value, String> {
    let text = match (data_type, value) {
        (DataType::Datetime, Value::String(text)) => {
            codec::instant(text).map_or_else(|| text.clone(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, false))
        }
        (DataType::Select, Value::String(label)) => choices.id_of(label).unwrap_or(label).to_owned(),
        (DataType::MultiSelect, Value::Array(labels)) => barred(labels, choices)?,
        _ => codec::text(value),
    };
    Ok(Value::String(text))
}

/// `||a||b||`.
fn barred(labels: &[Value], choices: Choices<'_>) -> Result<String, String> {
    let mut text = BARS.to_owned();
    for label in labels {
        let label = codec::text(label);
        let value = choices.id_of(&label).unwrap_or(&label);
        if value.contains(BARS) {
            return Err("choices without two bars (||) in them".to_owned());
        }
        text.push_str(value);
        text.push_str(BARS);
    }
    Ok(text)
}

/// The choices in a value of ActiveCampaign by their labels; a single one may also stand between bars.
pub(crate) fn from_wire(data_type: DataType, value: Value, choices: Choices<'_>) -> Value {
    let Value::String(text) = &value else {
        return value;
    };
    let mut parts = text.split(BARS).filter(|part| !part.is_empty());
    let label = |part: &str| Value::from(choices.label_of(part).unwrap_or(part));
    match data_type {
        DataType::Select => parts.next().map_or(Value::Null, label),
        DataType::MultiSelect => parts.map(label).collect(),
        _ => value,
    }
}

/// A contact in our model; custom values stand under their ids and tags have no names yet.
pub(crate) fn contact(record: Record) -> Contact {
    let text = |key: &str| match read(&record, key) {
        Value::String(text) => filled(Some(&text)),
        _ => None,
    };
    let slot = |name: &str| {
        let value = text(name)?;
        Some(Slot {
            slot: name.to_owned(),
            value,
        })
    };
    let id = record.contact.id.clone().unwrap_or_default();
    Contact {
        source_id: id.clone(),
        id,
        first_name: text("first_name").unwrap_or_default(),
        last_name: text("last_name").unwrap_or_default(),
        email: text("email").unwrap_or_default(),
        phone: text("phone"),
        company: text("company"),
        job_title: text("job_title"),
        source_crm: SLUG.to_owned(),
        created_at: timestamp(record.contact.cdate.as_deref()),
        updated_at: timestamp(record.contact.udate.as_deref()),
        emails: slot("email").into_iter().collect(),
        phones: slot("phone").into_iter().collect(),
        opt_in: record.related.contact_lists.as_deref().map(consent),
        tags: record.related.contact_tags.as_deref().map(tag_refs),
        custom_fields: record
            .related
            .field_values
            .into_iter()
            .flatten()
            .filter_map(|row| Some((row.field?, Value::String(row.value.filter(|value| !value.is_empty())?))))
            .collect(),
        ..Contact::default()
    }
}

fn tag_refs(rows: &[api::ContactTag]) -> Vec<TagRef> {
    let mut tags: Vec<TagRef> = Vec::with_capacity(rows.len());
    for id in rows.iter().filter_map(|row| row.tag.clone()) {
        // One tag may be attached by several rows.
        if !tags.iter().any(|known| known.id == id) {
            tags.push(tag_ref(id));
        }
    }
    tags
}

pub(crate) fn tag_ref(id: String) -> TagRef {
    TagRef {
        id,
        name: String::new(),
    }
}

pub(crate) fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    codec::instant(text?).map(Timestamp)
}

/// Marketing consent over all lists: one active list is enough to be mailed.
pub(crate) fn consent(rows: &[api::ContactList]) -> OptInStatus {
    let on = |wanted: &[&str]| {
        let mut states = rows.iter().filter_map(|row| row.status.as_deref());
        states.any(|state| wanted.contains(&state.trim()))
    };
    if on(&[status::ACTIVE]) {
        OptInStatus::OptedIn
    } else if on(&[status::UNSUBSCRIBED, status::BOUNCED]) {
        OptInStatus::OptedOut
    } else {
        OptInStatus::Unknown
    }
}

/// A definition; none without id.
pub(crate) fn custom_field(field: api::Field) -> Option<CustomField> {
    let id = filled(field.id.as_ref())?;
    let key = field.perstag.as_deref().unwrap_or_default().trim().trim_matches('%');
    let named = |choice: &api::FieldOption| {
        let label = filled(choice.label.as_ref()).or_else(|| filled(choice.value.as_ref()))?;
        let value = filled(choice.value.as_ref()).unwrap_or_else(|| label.clone());
        Some((label, value))
    };
    let (options, option_ids) = field.choices.iter().filter_map(named).unzip();
    let field_type = field.kind.unwrap_or_default();
    Some(CustomField {
        key: if key.is_empty() { id.clone() } else { key.to_owned() },
        id,
        label: field.title.unwrap_or_default(),
        data_type: data_type(&field_type),
        field_type,
        group_name: None,
        options,
        option_ids,
        default_value: filled(field.defval.as_ref()),
        read_only: false,
    })
}

fn data_type(field_type: &str) -> DataType {
    match field_type.trim().to_ascii_lowercase().as_str() {
        "" | "hidden" | "null" | "text" => DataType::Text,
        "textarea" => DataType::LongText,
        "date" => DataType::Date,
        "datetime" => DataType::Datetime,
        "dropdown" | "radio" => DataType::Select,
        "checkbox" | "listbox" | "multiselect" => DataType::MultiSelect,
        _ => DataType::Other,
    }
}

/// A tag of contacts; none without id or when it is one of templates.
pub(crate) fn tag(tag: api::Tag) -> Option<Tag> {
    let of_contacts = tag.tag_type.as_deref().is_none_or(|kind| kind == "contact");
    Some(Tag {
        id: filled(tag.id.as_ref()).filter(|_| of_contacts)?,
        name: tag.tag.unwrap_or_default(),
        description: filled(tag.description.as_ref()),
        category: None,
        vendor_id: None,
    })
}

/// An automation; none without id.
pub(crate) fn automation(automation: api::Automation) -> Option<Automation> {
    Some(Automation {
        id: filled(automation.id.as_ref())?,
        name: automation.name.unwrap_or_default(),
        status: automation.status,
    })
}

/// The vendor's code and explanation of a failed answer.
pub(crate) fn fault(body: &[u8]) -> Fault {
    serde_json::from_slice(body)
        .map(api::Verdict::into_fault)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record() -> Record {
        let answer: api::ContactAnswer = serde_json::from_value(json!({
            "contact": {"id": "7", "firstName": "Ada", "lastName": "King", "email": "a@example.com", "phone": "",
                "cdate": "2020-05-19T02:45:00-05:00", "fieldValues": ["1", "2"]},
            "fieldValues": [{"field": "1", "value": "red"}, {"field": "2", "value": ""}],
            "contactTags": [{"id": "1", "tag": "5"}, {"id": "2", "tag": "5"}, {"id": "3", "tag": 6}],
            "accountContacts": [{"id": "4", "account": "9", "jobTitle": "Countess"}],
            "contactLists": [{"list": "1", "status": "2"}, {"list": "2", "status": 1}]
        }))
        .unwrap();
        Record {
            company: Some("Analytical".to_owned()),
            ..Record::new(answer.contact, answer.related)
        }
    }

    #[test]
    fn fields_are_read_where_they_live() {
        let record = record();
        for (key, value) in [
            ("id", json!("7")),
            ("full_name", json!("Ada King")),
            ("phone", Value::Null),
            ("company", json!("Analytical")),
            ("job_title", json!("Countess")),
            ("1", json!("red")),
            ("2", Value::Null),
            ("3", Value::Null),
        ] {
            assert_eq!(read(&record, key), value, "{key}");
        }
        let contact = contact(record);
        assert_eq!(contact.created_at.unwrap().to_string(), "2020-05-19T07:45:00Z");
        assert_eq!(
            (contact.opt_in, contact.custom_fields.len()),
            (Some(OptInStatus::OptedIn), 1)
        );
        let tags: Vec<_> = contact.tags.unwrap().into_iter().map(|tag| tag.id).collect();
        assert_eq!(tags, ["5", "6"], "a tag attached twice is one tag");
        assert_eq!((contact.emails.len(), contact.phones.len()), (1, 0));
    }

    #[test]
    fn a_body_holds_only_what_is_given() {
        let Value::Object(fields) =
            json!({"phone": null, "last_name": "Lovelace", "1": "x", "2": null, "company": "A"})
        else {
            panic!("an object");
        };
        assert_eq!(
            serde_json::to_value(body(&fields)).unwrap(),
            json!({"lastName": "Lovelace", "phone": "",
                "fieldValues": [{"field": "1", "value": "x"}, {"field": "2", "value": ""}]})
        );
    }

    #[test]
    fn a_job_title_goes_with_the_company() {
        let present = record().position().cloned();
        let step = |company: Option<&str>, job_title: Option<&str>, present: Option<&api::AccountContact>| {
            let employment = Employment {
                company: company.map(str::to_owned),
                job_title: job_title.map(str::to_owned),
            };
            employment.step(present)
        };
        let take = |row: Option<&str>, company: Company, job_title: &str| {
            Some(Step::Take {
                row: row.map(str::to_owned),
                company,
                job_title: job_title.to_owned(),
            })
        };
        let named = |name: &str| Company::Named(name.to_owned());
        let known = Company::Known("9".to_owned());
        assert_eq!(step(Some("B"), None, None), take(None, named("B"), ""));
        assert_eq!(
            step(Some("B"), None, present.as_ref()),
            take(Some("4"), named("B"), "Countess")
        );
        assert_eq!(
            step(None, Some("Boss"), present.as_ref()),
            take(Some("4"), known.clone(), "Boss")
        );
        assert_eq!(step(None, Some(""), present.as_ref()), take(Some("4"), known, ""));
        assert_eq!(
            step(Some(""), None, present.as_ref()),
            Some(Step::Leave("4".to_owned()))
        );
        assert_eq!(step(Some(""), Some(""), None), Some(Step::Nothing));
        assert_eq!(step(None, Some(""), None), Some(Step::Nothing));
        assert_eq!(step(None, Some("Boss"), None), None);
        assert_eq!(step(Some(""), Some("Boss"), present.as_ref()), None);
    }

    #[test]
    fn choices_go_by_their_values_and_come_back_by_their_labels() {
        let field: api::Field = api::Field {
            id: Some("1".to_owned()),
            kind: Some("checkbox".to_owned()),
            perstag: Some("%COLORS%".to_owned()),
            choices: serde_json::from_value(json!([
                {"label": "Red", "value": "r"}, {"label": "Light blue", "value": "Light blue"}, {"label": "None", "value": ""}
            ]))
            .unwrap(),
            ..api::Field::default()
        };
        let field = custom_field(field).unwrap();
        assert_eq!(field.key, "COLORS");
        let choices = Choices::of(&field);
        let both = json!(["Red", "Light blue"]);
        let wire = to_wire(DataType::MultiSelect, &both, choices).unwrap();
        assert_eq!(wire, json!("||r||Light blue||"));
        assert_eq!(from_wire(DataType::MultiSelect, wire, choices), both);
        assert_eq!(to_wire(DataType::Select, &json!("Red"), choices), Ok(json!("r")));
        for single in ["r", "||r||"] {
            assert_eq!(from_wire(DataType::Select, json!(single), choices), json!("Red"));
        }
        let gone = from_wire(DataType::MultiSelect, json!("||r||green||"), choices);
        assert_eq!(
            gone,
            json!(["Red", "green"]),
            "a choice that was removed is still shown"
        );
        assert!(to_wire(DataType::MultiSelect, &json!(["a||b"]), Choices::default()).is_err());
    }

    #[test]
    fn times_carry_an_offset_and_days_none() {
        let wire = |data_type, value: Value| to_wire(data_type, &value, Choices::default()).unwrap();
        assert_eq!(
            wire(DataType::Datetime, json!("2026-03-02T04:30:00Z")),
            json!("2026-03-02T04:30:00+00:00")
        );
        assert_eq!(wire(DataType::Date, json!("2026-03-01")), json!("2026-03-01"));
        assert_eq!(wire(DataType::Other, json!(12.50)), json!("12.5"));
    }

    #[test]
    fn consent_counts_every_list() {
        let rows = |states: &[&str]| -> Vec<api::ContactList> {
            let row = |state: &&str| api::ContactList {
                status: Some((*state).to_owned()),
                ..api::ContactList::default()
            };
            states.iter().map(row).collect()
        };
        for (states, expected) in [
            (vec!["2", "1"], OptInStatus::OptedIn),
            (vec!["0", "2"], OptInStatus::OptedOut),
            (vec!["3"], OptInStatus::OptedOut),
            (vec!["0"], OptInStatus::Unknown),
            (vec![], OptInStatus::Unknown),
            (vec!["7"], OptInStatus::Unknown),
        ] {
            assert_eq!(consent(&rows(&states)), expected, "{states:?}");
        }
    }
}
