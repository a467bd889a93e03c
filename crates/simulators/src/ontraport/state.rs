//! The records of an Ontraport account, and the changes that are stored before they are applied.

use std::collections::BTreeMap;

use chrono::SubsecRound as _;
use mfh_types::{Clock, JsonObject, TimestampMs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::field::Field;
use super::seed;
use crate::access_log::Draft;
use crate::journal::Row;

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

/// The last id given out for a kind of record, so that ids of deleted records do not come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastId {
    kind: String,
    id: u64,
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
    LastId(LastId),
}

impl Record {
    fn key(&self) -> Key {
        match self {
            Self::Contact(contact) => Key::Contact(contact.id),
            Self::Tag(tag) => Key::Tag(tag.id),
            Self::Note(note) => Key::Note(note.id),
            Self::LastId(last) => Key::LastId(last.kind.clone()),
        }
    }
}

/// What a record is found by.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    Contact(u64),
    Tag(u64),
    Note(u64),
    LastId(String),
}

impl Key {
    fn row(&self, json: Option<String>) -> Row {
        let (kind, id) = match self {
            Self::Contact(id) => ("contact", id.to_string()),
            Self::Tag(id) => ("tag", id.to_string()),
            Self::Note(id) => ("note", id.to_string()),
            Self::LastId(id) => ("last_id", id.clone()),
        };
        Row { kind, id, json }
    }
}

/// One step of a change.
#[derive(Debug)]
pub(crate) enum Change {
    Put(Record),
    Delete(Key),
}

impl Change {
    /// The row to store for it.
    pub(crate) fn row(&self) -> anyhow::Result<Row> {
        Ok(match self {
            Self::Put(record) => record.key().row(Some(serde_json::to_string(record)?)),
            Self::Delete(key) => key.row(None),
        })
    }
}

/// The whole account in memory.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<u64, Contact>,
    pub(crate) tags: BTreeMap<u64, Tag>,
    pub(crate) notes: BTreeMap<u64, Note>,
    last_ids: BTreeMap<String, u64>,
    pub(crate) fields: Vec<Field>,
    pub(crate) automations: Vec<Automation>,
    pub(crate) sequences: Vec<Automation>,
    pub(crate) users: Vec<User>,
}

impl State {
    /// An account with fields, users and automations, but without anything that is stored.
    pub(crate) fn bare() -> Self {
        Self {
            contacts: BTreeMap::new(),
            tags: BTreeMap::new(),
            notes: BTreeMap::new(),
            last_ids: BTreeMap::new(),
            fields: seed::fields(),
            automations: seed::automations(),
            sequences: seed::sequences(),
            users: seed::users(),
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(Record::Contact(it)) => drop(self.contacts.insert(it.id, it)),
            Change::Put(Record::Tag(it)) => drop(self.tags.insert(it.id, it)),
            Change::Put(Record::Note(it)) => drop(self.notes.insert(it.id, it)),
            Change::Put(Record::LastId(it)) => drop(self.last_ids.insert(it.kind, it.id)),
            Change::Delete(Key::Contact(id)) => drop(self.contacts.remove(&id)),
            Change::Delete(Key::Tag(id)) => drop(self.tags.remove(&id)),
            Change::Delete(Key::Note(id)) => drop(self.notes.remove(&id)),
            Change::Delete(Key::LastId(kind)) => drop(self.last_ids.remove(&kind)),
        }
    }

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

/// A change in the making: it reads the state as it is and collects what shall be stored together.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    pub(crate) state: &'a State,
    pub(crate) now: TimestampMs,
    pub(crate) changes: Vec<Change>,
    pub(crate) drafts: Vec<Draft>,
    ids: BTreeMap<&'static str, u64>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(state: &'a State, clock: &dyn Clock) -> Self {
        Self {
            state,
            // Stored times have milliseconds; more would be lost on disk and make a restart visible.
            now: TimestampMs(clock.now().trunc_subsecs(3)),
            changes: Vec::new(),
            drafts: Vec::new(),
            ids: BTreeMap::new(),
        }
    }

    /// A fresh id for a kind of record.
    pub(crate) fn next_id(&mut self, kind: &'static str) -> u64 {
        let last = self.ids.get(kind).or_else(|| self.state.last_ids.get(kind)).copied();
        let id = last.map_or_else(|| seed::first_id(kind), |last| last + 1);
        self.ids.insert(kind, id);
        self.put(Record::LastId(LastId {
            kind: kind.to_owned(),
            id,
        }));
        id
    }

    pub(crate) fn put(&mut self, record: Record) {
        self.changes.push(Change::Put(record));
    }

    pub(crate) fn delete(&mut self, key: Key) {
        self.changes.push(Change::Delete(key));
    }

    pub(crate) fn log(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }
}
