//! The records of a location, and the changes that are stored before they are applied.

use std::collections::BTreeMap;

use chrono::SubsecRound as _;
use mfh_types::{Clock, JsonObject, Random, TimestampMs};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::seed;
use crate::access_log::Draft;
use crate::journal::Row;

/// Bytes of a new id; in hex it has the vendor's twenty characters.
const ID_BYTES: usize = 10;

/// A contact with everything that belongs to it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: String,
    /// Text properties by the vendor's names; empty ones are absent.
    pub(crate) texts: BTreeMap<String, String>,
    /// Do not disturb, on every channel.
    pub(crate) dnd: bool,
    /// Do not disturb, by channel.
    pub(crate) dnd_settings: BTreeMap<String, Channel>,
    pub(crate) additional_emails: Vec<String>,
    pub(crate) additional_phones: Vec<String>,
    /// Names in lower case.
    pub(crate) tags: Vec<String>,
    /// Value by custom field id.
    pub(crate) custom_fields: BTreeMap<String, Value>,
    /// When each workflow was entered.
    pub(crate) workflows: BTreeMap<String, TimestampMs>,
    pub(crate) date_added: TimestampMs,
    pub(crate) date_updated: TimestampMs,
}

impl Contact {
    pub(crate) fn new(id: String, now: TimestampMs) -> Self {
        Self {
            id,
            texts: BTreeMap::new(),
            dnd: false,
            dnd_settings: BTreeMap::new(),
            additional_emails: Vec::new(),
            additional_phones: Vec::new(),
            tags: Vec::new(),
            custom_fields: BTreeMap::new(),
            workflows: BTreeMap::new(),
            date_added: now,
            date_updated: now,
        }
    }

    pub(crate) fn text(&self, property: &str) -> Option<&str> {
        self.texts.get(property).map(String::as_str)
    }

    /// Whether one of its addresses is this one, in any case.
    pub(crate) fn has_email(&self, email: &str) -> bool {
        let mut emails = self.text("email").into_iter();
        emails.any(|own| own.eq_ignore_ascii_case(email))
            || self.additional_emails.iter().any(|own| own.eq_ignore_ascii_case(email))
    }

    /// Whether one of its numbers is this one, which is in the vendor's form.
    pub(crate) fn has_phone(&self, phone: &str) -> bool {
        self.text("phone") == Some(phone) || self.additional_phones.iter().any(|own| own == phone)
    }
}

/// Do not disturb on one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Channel {
    pub(crate) status: DndStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

/// `active` means that nothing may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DndStatus {
    Active,
    Inactive,
    Permanent,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CustomField {
    pub(crate) id: String,
    pub(crate) name: String,
    /// With the prefix `contact.`.
    pub(crate) field_key: String,
    pub(crate) data_type: FieldType,
    pub(crate) options: Vec<String>,
    pub(crate) position: u32,
}

/// The vendor's types of custom fields; `MONETORY` is its spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FieldType {
    Text,
    LargeText,
    Numerical,
    Phone,
    Monetory,
    Checkbox,
    SingleOptions,
    MultipleOptions,
    Date,
    TextboxList,
    FileUpload,
    Radio,
    Email,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) contact_id: String,
    pub(crate) user_id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) body: String,
    pub(crate) date_added: TimestampMs,
    /// Tells notes of the same millisecond apart.
    pub(crate) position: usize,
}

/// A secret that the token endpoint handed out.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) kind: TokenKind,
    pub(crate) expires: TimestampMs,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("kind", &self.kind)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenKind {
    Access,
    Refresh,
    Code { redirect_uri: String },
}

/// A workflow; workflows and users come from the seed and do not change.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) published: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) deleted: bool,
}

/// Anything that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Contact(Box<Contact>),
    Tag(Tag),
    CustomField(CustomField),
    Note(Note),
    Token(Token),
}

impl Record {
    fn key(&self) -> Key {
        let (kind, id) = match self {
            Self::Contact(contact) => ("contact", &contact.id),
            Self::Tag(tag) => ("tag", &tag.id),
            Self::CustomField(field) => ("custom_field", &field.id),
            Self::Note(note) => ("note", &note.id),
            Self::Token(token) => ("token", &token.value),
        };
        Key { kind, id: id.clone() }
    }

    fn row(&self) -> anyhow::Result<Row> {
        Ok(self.key().row(Some(serde_json::to_string(self)?)))
    }
}

/// What a record is found by.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    kind: &'static str,
    id: String,
}

impl Key {
    fn row(&self, json: Option<String>) -> Row {
        Row {
            kind: self.kind,
            id: self.id.clone(),
            json,
        }
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
        match self {
            Self::Put(record) => record.row(),
            Self::Delete(key) => Ok(key.row(None)),
        }
    }
}

/// The whole location in memory, each kind by id.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<String, Contact>,
    pub(crate) tags: BTreeMap<String, Tag>,
    pub(crate) custom_fields: BTreeMap<String, CustomField>,
    pub(crate) notes: BTreeMap<String, Note>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) workflows: Vec<Workflow>,
    pub(crate) users: Vec<User>,
}

impl State {
    /// A location with users and workflows, but without anything that is stored.
    pub(crate) fn bare() -> Self {
        Self {
            contacts: BTreeMap::new(),
            tags: BTreeMap::new(),
            custom_fields: BTreeMap::new(),
            notes: BTreeMap::new(),
            tokens: BTreeMap::new(),
            workflows: seed::workflows(),
            users: seed::users(),
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(Record::Contact(it)) => drop(self.contacts.insert(it.id.clone(), *it)),
            Change::Put(Record::Tag(it)) => drop(self.tags.insert(it.id.clone(), it)),
            Change::Put(Record::CustomField(it)) => drop(self.custom_fields.insert(it.id.clone(), it)),
            Change::Put(Record::Note(it)) => drop(self.notes.insert(it.id.clone(), it)),
            Change::Put(Record::Token(it)) => drop(self.tokens.insert(it.value.clone(), it)),
            Change::Delete(Key { kind, id }) => match kind {
                "contact" => drop(self.contacts.remove(&id)),
                "note" => drop(self.notes.remove(&id)),
                "token" => drop(self.tokens.remove(&id)),
                "tag" => drop(self.tags.remove(&id)),
                _ => drop(self.custom_fields.remove(&id)),
            },
        }
    }

    /// Everything that is stored, as rows.
    pub(crate) fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let contacts = self.contacts.values().map(|it| Record::Contact(Box::new(it.clone())));
        let tags = self.tags.values().cloned().map(Record::Tag);
        let fields = self.custom_fields.values().cloned().map(Record::CustomField);
        let notes = self.notes.values().cloned().map(Record::Note);
        let tokens = self.tokens.values().cloned().map(Record::Token);
        let records = contacts.chain(tags).chain(fields).chain(notes).chain(tokens);
        records.map(|record| record.row()).collect()
    }

    /// The contact of an id as it stands in a path.
    pub(crate) fn contact(&self, id: &str) -> Result<&Contact, ApiError> {
        self.contacts.get(id).ok_or_else(|| ApiError::missing("Contact"))
    }

    /// The user of an id, unless deleted.
    pub(crate) fn user(&self, id: &str) -> Result<&User, ApiError> {
        let mut users = self.users.iter().filter(|user| !user.deleted);
        users
            .find(|user| user.id == id)
            .ok_or_else(|| ApiError::missing("User"))
    }

    /// The contact other than `own` that the location's rules call a duplicate, and by which property.
    pub(crate) fn twin(&self, own: &Contact) -> Option<(&Contact, &'static str)> {
        let others = || self.contacts.values().filter(|other| other.id != own.id);
        let by_email = own
            .text("email")
            .and_then(|email| others().find(|other| other.has_email(email)));
        let by_phone = || {
            own.text("phone")
                .and_then(|phone| others().find(|other| other.has_phone(phone)))
        };
        by_email
            .map(|twin| (twin, "email"))
            .or_else(|| by_phone().map(|twin| (twin, "phone")))
    }
}

/// A change in the making: it reads the state as it is and collects what shall be stored together.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    pub(crate) state: &'a State,
    pub(crate) now: TimestampMs,
    pub(crate) random: &'a dyn Random,
    pub(crate) changes: Vec<Change>,
    pub(crate) drafts: Vec<Draft>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(state: &'a State, clock: &dyn Clock, random: &'a dyn Random) -> Self {
        Self {
            state,
            // The vendor keeps milliseconds; more would be lost on disk and make a restart visible.
            now: TimestampMs(clock.now().trunc_subsecs(3)),
            random,
            changes: Vec::new(),
            drafts: Vec::new(),
        }
    }

    /// A fresh id.
    pub(crate) fn next_id(&self) -> String {
        self.random.hex(ID_BYTES)
    }

    pub(crate) fn put(&mut self, record: Record) {
        self.changes.push(Change::Put(record));
    }

    pub(crate) fn delete(&mut self, kind: &'static str, id: &str) {
        let id = id.to_owned();
        self.changes.push(Change::Delete(Key { kind, id }));
    }

    /// Logs a write to a contact.
    pub(crate) fn log(&mut self, op: &'static str, contact_id: &str, fields: Option<JsonObject>, changed: bool) {
        self.drafts.push(Draft {
            op,
            contact_id: Some(contact_id.to_owned()),
            fields: fields.map(Value::Object),
            changed,
            ..Draft::default()
        });
    }

    /// Makes tags of the location for names that it does not have.
    pub(crate) fn ensure_tags(&mut self, names: &[String]) {
        let missing = names
            .iter()
            .filter(|name| !self.state.tags.values().any(|tag| tag.name == **name));
        for name in missing {
            self.put(Record::Tag(Tag {
                id: self.next_id(),
                name: name.clone(),
            }));
        }
    }
}
