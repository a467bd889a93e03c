//! The records of a location.

use std::collections::BTreeMap;

use mfh_types::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::seed;
use crate::records::{self, Records, Step};

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
}

/// A change to such a location in the making.
pub(crate) type Transaction<'a> = records::Transaction<'a, State>;

/// The whole location in memory, each kind by id.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<String, Contact>,
    pub(crate) tags: BTreeMap<String, Tag>,
    pub(crate) custom_fields: BTreeMap<String, CustomField>,
    pub(crate) notes: BTreeMap<String, Note>,
    pub(crate) workflows: Vec<Workflow>,
    pub(crate) users: Vec<User>,
}

impl Records for State {
    type Record = Record;

    /// Users and workflows are there from the beginning.
    fn bare() -> Self {
        Self {
            workflows: seed::workflows(),
            users: seed::users(),
            ..Self::default()
        }
    }

    fn key(record: &Record) -> (&'static str, String) {
        match record {
            Record::Contact(it) => ("contact", it.id.clone()),
            Record::Tag(it) => ("tag", it.id.clone()),
            Record::CustomField(it) => ("custom_field", it.id.clone()),
            Record::Note(it) => ("note", it.id.clone()),
        }
    }

    fn apply(&mut self, step: Step, record: Record) {
        match record {
            Record::Contact(it) => step.on(&mut self.contacts, it.id.clone(), *it),
            Record::Tag(it) => step.on(&mut self.tags, it.id.clone(), it),
            Record::CustomField(it) => step.on(&mut self.custom_fields, it.id.clone(), it),
            Record::Note(it) => step.on(&mut self.notes, it.id.clone(), it),
        }
    }
}

impl State {
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

impl Transaction<'_> {
    /// A fresh id.
    pub(crate) fn new_id(&self) -> String {
        self.random.hex(ID_BYTES)
    }

    /// Makes tags of the location for names that it does not have.
    pub(crate) fn ensure_tags(&mut self, names: &[String]) {
        let missing = names
            .iter()
            .filter(|name| !self.state.tags.values().any(|tag| tag.name == **name));
        for name in missing {
            self.put(Record::Tag(Tag {
                id: self.new_id(),
                name: name.clone(),
            }));
        }
    }
}
