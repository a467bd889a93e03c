//! The records of an Ontraport account.

use std::collections::BTreeMap;

use mfh_types::{JsonObject, TimestampMs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::field::Field;
use super::seed;
use crate::records::{self, Records, Step};

/// The vendor's numbers of the kinds of records that this account has.
pub(crate) mod kind {
    pub(crate) const CONTACT: u64 = 0;
    pub(crate) const USER: u64 = 2;
    pub(crate) const SEQUENCE: u64 = 5;
    pub(crate) const NOTE: u64 = 12;
    pub(crate) const TAG: u64 = 14;
    pub(crate) const TAG_SUBSCRIBER: u64 = 138;
    pub(crate) const AUTOMATION: u64 = 140;
}

/// A contact with everything that belongs to it alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    /// Values that are set, by property.
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) bulk_mail: i64,
    /// Whether the person asked for no more mail; then the API cannot opt them in.
    pub(crate) unsubscribed: bool,
    /// When each tag was applied.
    pub(crate) tags: BTreeMap<u64, TimestampMs>,
    /// When each automation was entered.
    pub(crate) automations: BTreeMap<u64, TimestampMs>,
    /// When each legacy sequence was entered.
    pub(crate) sequences: BTreeMap<u64, TimestampMs>,
    pub(crate) added: TimestampMs,
    pub(crate) modified: TimestampMs,
}

impl Contact {
    pub(crate) fn new(id: u64, now: TimestampMs) -> Self {
        Self {
            id,
            values: BTreeMap::new(),
            bulk_mail: 0,
            unsubscribed: false,
            tags: BTreeMap::new(),
            automations: BTreeMap::new(),
            sequences: BTreeMap::new(),
            added: now,
            modified: now,
        }
    }

    fn has_email(&self, email: &str) -> bool {
        let own = self.values.get("email");
        own.is_some_and(|own| own.to_lowercase() == email.to_lowercase())
    }

    /// The record in the vendor's shape: every property is there, set or not.
    pub(crate) fn show(&self, fields: &[Field]) -> JsonObject {
        let values = fields
            .iter()
            .map(|field| (field.property.clone(), field.show(self.values.get(&field.property))));
        let mut record: JsonObject = values.collect();
        let tags: Vec<String> = self.tags.keys().map(u64::to_string).collect();
        let contact_cat = if tags.is_empty() {
            String::new()
        } else {
            format!("*/*{}*/*", tags.join("*/*"))
        };
        for (property, value) in [
            ("id", self.id.to_string()),
            ("unique_id", format!("OP{:08}", self.id)),
            ("date", seconds(self.added)),
            ("dlm", seconds(self.modified)),
            ("dla", seconds(self.modified)),
            ("bulk_mail", self.bulk_mail.to_string()),
            ("bulk_sms", "0".to_owned()),
            ("contact_cat", contact_cat),
        ] {
            record.insert(property.to_owned(), value.into());
        }
        record
    }
}

/// A time as the vendor writes it.
pub(crate) fn seconds(time: TimestampMs) -> String {
    time.0.timestamp().to_string()
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The kind of record that it is for.
    pub(crate) object_type: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    /// Any number is taken, whether there is such a contact or not.
    pub(crate) contact_id: u64,
    pub(crate) text: String,
    pub(crate) added: TimestampMs,
}

/// An automation or legacy sequence; these, fields and users come from the seed and do not change.
#[derive(Debug, Clone)]
pub(crate) struct Automation {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) object_type: u64,
    pub(crate) paused: bool,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) firstname: &'static str,
    pub(crate) lastname: &'static str,
    pub(crate) email: &'static str,
}

/// Anything that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Contact(Contact),
    Tag(Tag),
    Note(Note),
}

/// A change to such an account in the making.
pub(crate) type Transaction<'a> = records::Transaction<'a, State>;

/// The whole account in memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<u64, Contact>,
    pub(crate) tags: BTreeMap<u64, Tag>,
    pub(crate) notes: BTreeMap<u64, Note>,
    pub(crate) fields: Vec<Field>,
    pub(crate) automations: Vec<Automation>,
    pub(crate) sequences: Vec<Automation>,
    pub(crate) users: Vec<User>,
}

impl Records for State {
    type Record = Record;

    /// Fields, users, automations and sequences are there from the beginning.
    fn bare() -> Self {
        Self {
            fields: seed::fields(),
            automations: seed::automations(),
            sequences: seed::sequences(),
            users: seed::users(),
            ..Self::default()
        }
    }

    fn key(record: &Record) -> (&'static str, String) {
        match record {
            Record::Contact(it) => ("contact", it.id.to_string()),
            Record::Tag(it) => ("tag", it.id.to_string()),
            Record::Note(it) => ("note", it.id.to_string()),
        }
    }

    fn apply(&mut self, step: Step, record: Record) {
        match record {
            Record::Contact(it) => step.on(&mut self.contacts, it.id, it),
            Record::Tag(it) => step.on(&mut self.tags, it.id, it),
            Record::Note(it) => step.on(&mut self.notes, it.id, it),
        }
    }

    fn first_id(kind: &str) -> u64 {
        match kind {
            "contact" => 1001,
            "tag" => 101,
            "note" => 5001,
            _ => 1,
        }
    }
}

impl State {
    /// The contact of an id as it stands in a query or body.
    pub(crate) fn contact(&self, id: &str) -> Result<&Contact, ApiError> {
        let contact = id.trim().parse().ok().and_then(|id: u64| self.contacts.get(&id));
        contact.ok_or_else(ApiError::missing)
    }

    /// The contacts with this address, the oldest first.
    pub(crate) fn by_email<'a>(&'a self, email: &'a str) -> impl Iterator<Item = &'a Contact> {
        self.contacts.values().filter(move |contact| contact.has_email(email))
    }

    /// All records of a kind in the vendor's shape.
    pub(crate) fn records(&self, kind: u64) -> Result<Vec<JsonObject>, ApiError> {
        let shown: Vec<Value> = match kind {
            kind::CONTACT => {
                return Ok(self
                    .contacts
                    .values()
                    .map(|contact| contact.show(&self.fields))
                    .collect());
            }
            kind::USER => self.users.iter().map(show_user).collect(),
            kind::SEQUENCE => self.sequences.iter().map(show_sequence).collect(),
            kind::NOTE => self.notes.values().map(show_note).collect(),
            kind::TAG => self.tags.values().map(show_tag).collect(),
            kind::TAG_SUBSCRIBER => self.contacts.values().flat_map(show_subscribers).collect(),
            kind::AUTOMATION => self.automations.iter().map(show_automation).collect(),
            _ => return Err(ApiError::invalid("Invalid objectID")),
        };
        Ok(shown
            .into_iter()
            .filter_map(|record| record.as_object().cloned())
            .collect())
    }

    /// One record of a kind in the vendor's shape.
    pub(crate) fn record(&self, kind: u64, id: &str) -> Result<JsonObject, ApiError> {
        if kind == kind::CONTACT {
            return Ok(self.contact(id)?.show(&self.fields));
        }
        let mut records = self.records(kind)?.into_iter();
        let found = records.find(|record| record.get(id_property(kind)).and_then(Value::as_str) == Some(id.trim()));
        found.ok_or_else(ApiError::missing)
    }

    /// The names of the properties of a kind.
    pub(crate) fn properties(&self, kind: u64) -> Result<Vec<String>, ApiError> {
        let names: &[&str] = match kind {
            kind::CONTACT => {
                let blank = Contact::new(0, TimestampMs(chrono::DateTime::UNIX_EPOCH));
                return Ok(blank.show(&self.fields).into_iter().map(|(name, _)| name).collect());
            }
            kind::USER => &["id", "firstname", "lastname", "email"],
            kind::SEQUENCE => &["drip_id", "name", "object_type_id"],
            kind::NOTE => &["id", "contact_id", "object_type_id", "data", "date"],
            kind::TAG => &["tag_id", "tag_name", "object_type_id"],
            kind::TAG_SUBSCRIBER => &["id", "tag_id", "object_id", "object_type_id"],
            kind::AUTOMATION => &["id", "name", "object_type_id", "pause", "deleted"],
            _ => return Err(ApiError::invalid("Invalid objectID")),
        };
        Ok(names.iter().map(|name| (*name).to_owned()).collect())
    }
}

/// The property that holds the id.
pub(crate) fn id_property(kind: u64) -> &'static str {
    match kind {
        kind::SEQUENCE => "drip_id",
        kind::TAG => "tag_id",
        _ => "id",
    }
}

pub(crate) fn show_tag(tag: &Tag) -> Value {
    json!({ "tag_id": tag.id.to_string(), "object_type_id": tag.object_type.to_string(), "tag_name": tag.name })
}

pub(crate) fn show_note(note: &Note) -> Value {
    json!({
        "id": note.id.to_string(), "contact_id": note.contact_id.to_string(), "object_type_id": "0",
        "data": note.text, "date": seconds(note.added),
    })
}

fn show_user(user: &User) -> Value {
    json!({
        "id": user.id.to_string(), "firstname": user.firstname, "lastname": user.lastname, "email": user.email,
    })
}

fn show_sequence(sequence: &Automation) -> Value {
    json!({
        "drip_id": sequence.id.to_string(), "name": sequence.name,
        "object_type_id": sequence.object_type.to_string(),
    })
}

fn show_automation(automation: &Automation) -> Value {
    json!({
        "id": automation.id.to_string(), "name": automation.name,
        "object_type_id": automation.object_type.to_string(),
        "pause": u8::from(automation.paused).to_string(), "deleted": automation.deleted.to_string(),
    })
}

fn show_subscribers(contact: &Contact) -> impl Iterator<Item = Value> {
    let id = contact.id;
    contact.tags.keys().map(move |tag| {
        json!({
            "id": (id * 100_000 + tag).to_string(), "tag_id": tag.to_string(), "object_id": id.to_string(),
            "object_type_id": "0",
        })
    })
}
