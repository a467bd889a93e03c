//! The records of a Keap account, and the changes that are stored before they are applied.

use std::collections::BTreeMap;

use chrono::SubsecRound as _;
use mfh_types::{Clock, JsonObject, TimestampMs};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::seed;
use crate::access_log::Draft;
use crate::journal::Row;

/// A contact with everything that belongs to it alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    /// Properties in the vendor's own shape, without what is derived (opt-in state, tags, custom fields).
    pub(crate) properties: JsonObject,
    pub(crate) company_id: Option<u64>,
    /// Value by custom field id.
    pub(crate) custom_fields: BTreeMap<u64, Value>,
    /// When each tag was applied.
    pub(crate) tags: BTreeMap<u64, TimestampMs>,
    /// When each automation sequence was entered.
    pub(crate) sequences: BTreeMap<u64, TimestampMs>,
    /// Goals in the order they were achieved; a goal may occur twice.
    pub(crate) goals: Vec<AchievedGoal>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
}

impl Contact {
    pub(crate) fn new(id: u64, now: TimestampMs) -> Self {
        Self {
            id,
            properties: JsonObject::new(),
            company_id: None,
            custom_fields: BTreeMap::new(),
            tags: BTreeMap::new(),
            sequences: BTreeMap::new(),
            goals: Vec::new(),
            create_time: now,
            update_time: now,
        }
    }

    /// A text property; absent and empty are the same.
    pub(crate) fn text(&self, property: &str) -> Option<&str> {
        self.properties.get(property)?.as_str().filter(|text| !text.is_empty())
    }

    /// The entries of an array property.
    pub(crate) fn entries(&self, property: &str) -> impl Iterator<Item = &JsonObject> {
        self.properties
            .get(property)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }

    /// All e-mail addresses, the primary one first.
    pub(crate) fn emails(&self) -> impl Iterator<Item = &str> {
        self.entries("email_addresses")
            .filter_map(|entry| entry.get("email")?.as_str())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AchievedGoal {
    pub(crate) goal_id: u64,
    pub(crate) at: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) category_id: Option<u64>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TagCategory {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CustomField {
    pub(crate) id: u64,
    pub(crate) label: String,
    pub(crate) field_name: String,
    pub(crate) field_type: FieldType,
    pub(crate) options: Vec<FieldOption>,
    pub(crate) default_value: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FieldOption {
    pub(crate) id: String,
    pub(crate) label: String,
}

/// The vendor's types of custom fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FieldType {
    Currency,
    Date,
    DateTime,
    DayOfWeek,
    DecimalNumber,
    Drilldown,
    Dropdown,
    Email,
    ListBox,
    Month,
    Name,
    Percent,
    PhoneNumber,
    Radio,
    SocialSecurityNumber,
    State,
    Text,
    TextArea,
    User,
    UserListBox,
    Website,
    WholeNumber,
    Year,
    YesNo,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Company {
    pub(crate) id: u64,
    pub(crate) name: String,
}

/// Whether an address may be mailed; it holds for the address, whichever contacts have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EmailStatus {
    pub(crate) email: String,
    pub(crate) status: OptStatus,
    pub(crate) create_time: TimestampMs,
}

/// The vendor's opt-in states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum OptStatus {
    UnengagedMarketable,
    SingleOptIn,
    DoubleOptIn,
    Confirmed,
    UnengagedNonMarketable,
    NonMarketable,
    Lockdown,
    Bounce,
    HardBounce,
    Manual,
    Admin,
    System,
    ListUnsubscribe,
    Feedback,
    Spam,
    Invalid,
    Deactivated,
}

impl OptStatus {
    pub(crate) fn opted_in(self) -> bool {
        matches!(
            self,
            Self::UnengagedMarketable | Self::SingleOptIn | Self::DoubleOptIn | Self::Confirmed
        )
    }

    /// The state after an opt-in: only four states give way to it.
    pub(crate) fn after_opt_in(self) -> Self {
        match self {
            Self::UnengagedMarketable | Self::UnengagedNonMarketable | Self::NonMarketable | Self::Manual => {
                Self::SingleOptIn
            }
            kept => kept,
        }
    }

    /// The state after an opt-out: states that already bar mail stay.
    pub(crate) fn after_opt_out(self) -> Self {
        if self.opted_in() || matches!(self, Self::UnengagedNonMarketable | Self::NonMarketable) {
            Self::Manual
        } else {
            self
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) contact_id: u64,
    pub(crate) user_id: u64,
    pub(crate) title: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) note_type: Option<String>,
    pub(crate) pinned_at: Option<TimestampMs>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
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

/// The last id given out for a kind of record, so that ids of deleted records do not come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastId {
    kind: String,
    id: u64,
}

/// An automation; automations, goals and users come from the seed and do not change.
#[derive(Debug, Clone)]
pub(crate) struct Automation {
    pub(crate) id: u64,
    pub(crate) title: &'static str,
    pub(crate) published: bool,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) create_time: TimestampMs,
}

#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct Goal {
    pub(crate) id: u64,
    pub(crate) automation_id: u64,
    pub(crate) name: &'static str,
    pub(crate) integration: &'static str,
    pub(crate) call_name: &'static str,
    /// The sequence that a contact enters on achieving the goal.
    pub(crate) starts: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) given_name: &'static str,
    pub(crate) family_name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) admin: bool,
    pub(crate) active: bool,
    pub(crate) create_time: TimestampMs,
}

/// Anything that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Contact(Contact),
    Tag(Tag),
    TagCategory(TagCategory),
    CustomField(CustomField),
    Company(Company),
    EmailStatus(EmailStatus),
    Note(Note),
    Token(Token),
    LastId(LastId),
}

impl Record {
    fn key(&self) -> Key {
        match self {
            Self::Contact(contact) => Key::Contact(contact.id),
            Self::Tag(tag) => Key::Tag(tag.id),
            Self::TagCategory(category) => Key::TagCategory(category.id),
            Self::CustomField(field) => Key::CustomField(field.id),
            Self::Company(company) => Key::Company(company.id),
            Self::EmailStatus(status) => Key::EmailStatus(status.email.to_lowercase()),
            Self::Note(note) => Key::Note(note.id),
            Self::Token(token) => Key::Token(token.value.clone()),
            Self::LastId(last) => Key::LastId(last.kind.clone()),
        }
    }
}

/// What a record is found by.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    Contact(u64),
    Tag(u64),
    TagCategory(u64),
    CustomField(u64),
    Company(u64),
    EmailStatus(String),
    Note(u64),
    Token(String),
    LastId(String),
}

impl Key {
    fn row(&self, json: Option<String>) -> Row {
        let (kind, id) = match self {
            Self::Contact(id) => ("contact", id.to_string()),
            Self::Tag(id) => ("tag", id.to_string()),
            Self::TagCategory(id) => ("tag_category", id.to_string()),
            Self::CustomField(id) => ("custom_field", id.to_string()),
            Self::Company(id) => ("company", id.to_string()),
            Self::Note(id) => ("note", id.to_string()),
            Self::EmailStatus(id) => ("email_status", id.clone()),
            Self::Token(id) => ("token", id.clone()),
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
    pub(crate) tag_categories: BTreeMap<u64, TagCategory>,
    pub(crate) custom_fields: BTreeMap<u64, CustomField>,
    pub(crate) companies: BTreeMap<u64, Company>,
    /// By lower-case address.
    pub(crate) email_statuses: BTreeMap<String, EmailStatus>,
    pub(crate) notes: BTreeMap<u64, Note>,
    pub(crate) tokens: BTreeMap<String, Token>,
    last_ids: BTreeMap<String, u64>,
    pub(crate) automations: Vec<Automation>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) users: Vec<User>,
}

impl State {
    /// An account with users, automations and goals, but without anything that is stored.
    pub(crate) fn bare() -> Self {
        Self {
            contacts: BTreeMap::new(),
            tags: BTreeMap::new(),
            tag_categories: BTreeMap::new(),
            custom_fields: BTreeMap::new(),
            companies: BTreeMap::new(),
            email_statuses: BTreeMap::new(),
            notes: BTreeMap::new(),
            tokens: BTreeMap::new(),
            last_ids: BTreeMap::new(),
            automations: seed::automations(),
            goals: seed::goals(),
            users: seed::users(),
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(record) => self.put(record),
            Change::Delete(key) => self.delete(&key),
        }
    }

    fn put(&mut self, record: Record) {
        match record {
            Record::Contact(it) => drop(self.contacts.insert(it.id, it)),
            Record::Tag(it) => drop(self.tags.insert(it.id, it)),
            Record::TagCategory(it) => drop(self.tag_categories.insert(it.id, it)),
            Record::CustomField(it) => drop(self.custom_fields.insert(it.id, it)),
            Record::Company(it) => drop(self.companies.insert(it.id, it)),
            Record::EmailStatus(it) => {
                self.email_statuses.insert(it.email.to_lowercase(), it);
            }
            Record::Note(it) => drop(self.notes.insert(it.id, it)),
            Record::Token(it) => drop(self.tokens.insert(it.value.clone(), it)),
            Record::LastId(it) => drop(self.last_ids.insert(it.kind, it.id)),
        }
    }

    fn delete(&mut self, key: &Key) {
        match key {
            Key::Contact(id) => drop(self.contacts.remove(id)),
            Key::Tag(id) => drop(self.tags.remove(id)),
            Key::TagCategory(id) => drop(self.tag_categories.remove(id)),
            Key::CustomField(id) => drop(self.custom_fields.remove(id)),
            Key::Company(id) => drop(self.companies.remove(id)),
            Key::EmailStatus(id) => drop(self.email_statuses.remove(id)),
            Key::Note(id) => drop(self.notes.remove(id)),
            Key::Token(id) => drop(self.tokens.remove(id)),
            Key::LastId(id) => drop(self.last_ids.remove(id)),
        }
    }

    /// The contact of an id as it stands in a path or body.
    pub(crate) fn contact(&self, id: &str) -> Result<&Contact, ApiError> {
        find(&self.contacts, "contact", id)
    }

    /// The tag of an id as it stands in a path.
    pub(crate) fn tag(&self, id: &str) -> Result<&Tag, ApiError> {
        find(&self.tags, "tag", id)
    }

    /// The user of an id as it stands in a path or body.
    pub(crate) fn user(&self, id: &str) -> Result<&User, ApiError> {
        self.users
            .iter()
            .find(|user| user.id.to_string() == id)
            .ok_or_else(|| ApiError::missing("user", id))
    }

    /// The state of an address; one that was never seen may not be marketed to.
    pub(crate) fn opt_status(&self, email: &str) -> OptStatus {
        self.email_statuses
            .get(&email.to_lowercase())
            .map_or(OptStatus::NonMarketable, |status| status.status)
    }
}

/// The record of an id that may be malformed.
pub(crate) fn find<'a, T>(records: &'a BTreeMap<u64, T>, what: &str, id: &str) -> Result<&'a T, ApiError> {
    id.parse()
        .ok()
        .and_then(|id: u64| records.get(&id))
        .ok_or_else(|| ApiError::missing(what, id))
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
            // The vendor keeps milliseconds; more would be lost on disk and make a restart visible.
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
