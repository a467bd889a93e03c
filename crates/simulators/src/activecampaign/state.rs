//! The records of an ActiveCampaign account, and the changes that are stored before they are applied.

use std::collections::BTreeMap;

use chrono::{FixedOffset, SecondsFormat, SubsecRound as _};
use mfh_types::{Clock, TimestampMs};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::field::Field;
use super::seed;
use crate::access_log::Draft;
use crate::journal::Row;

/// Status of a contact on a list.
pub(crate) mod status {
    pub(crate) const ACTIVE: u8 = 1;
    pub(crate) const UNSUBSCRIBED: u8 = 2;
}

/// A contact with the rows that belong to it alone, each with an id of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    pub(crate) email: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) phone: String,
    /// By custom field id.
    pub(crate) values: BTreeMap<u64, FieldValue>,
    pub(crate) tags: Vec<Tagged>,
    pub(crate) lists: Vec<Subscription>,
    pub(crate) automations: Vec<Entered>,
    pub(crate) position: Option<Position>,
    pub(crate) notes: Vec<Note>,
    pub(crate) created: TimestampMs,
    pub(crate) updated: TimestampMs,
}

impl Contact {
    pub(crate) fn new(id: u64, now: TimestampMs) -> Self {
        Self {
            id,
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            phone: String::new(),
            values: BTreeMap::new(),
            tags: Vec::new(),
            lists: Vec::new(),
            automations: Vec::new(),
            position: None,
            notes: Vec::new(),
            created: now,
            updated: now,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FieldValue {
    pub(crate) id: u64,
    pub(crate) value: String,
    pub(crate) at: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tagged {
    pub(crate) id: u64,
    pub(crate) tag: u64,
    pub(crate) at: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) id: u64,
    pub(crate) list: u64,
    pub(crate) status: u8,
    pub(crate) at: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entered {
    pub(crate) id: u64,
    pub(crate) automation: u64,
    pub(crate) at: TimestampMs,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) id: u64,
    pub(crate) account: u64,
    pub(crate) job_title: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) text: String,
    pub(crate) at: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// `contact` or `template`.
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) created: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) created: TimestampMs,
}

/// The last id given out for a kind of record, so that ids of deleted records do not come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastId {
    kind: String,
    id: u64,
}

/// A list; lists, automations and users come from the seed and do not change.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct Automation {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) active: bool,
    /// Whether a contact may enter more than once.
    pub(crate) reentry: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) username: &'static str,
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    pub(crate) email: &'static str,
}

/// Anything that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Contact(Contact),
    Tag(Tag),
    Account(Account),
    LastId(LastId),
}

/// One step of a change.
#[derive(Debug)]
pub(crate) enum Change {
    Put(Box<Record>),
    DeleteContact(u64),
}

impl Change {
    /// The row to store for it.
    pub(crate) fn row(&self) -> anyhow::Result<Row> {
        let (kind, id, json) = match self {
            Self::DeleteContact(id) => ("contact", id.to_string(), None),
            Self::Put(record) => {
                let (kind, id) = match &**record {
                    Record::Contact(it) => ("contact", it.id.to_string()),
                    Record::Tag(it) => ("tag", it.id.to_string()),
                    Record::Account(it) => ("account", it.id.to_string()),
                    Record::LastId(it) => ("last_id", it.kind.clone()),
                };
                (kind, id, Some(serde_json::to_string(record)?))
            }
        };
        Ok(Row { kind, id, json })
    }
}

/// The whole account in memory.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<u64, Contact>,
    pub(crate) tags: BTreeMap<u64, Tag>,
    pub(crate) accounts: BTreeMap<u64, Account>,
    last_ids: BTreeMap<String, u64>,
    pub(crate) fields: Vec<Field>,
    pub(crate) lists: Vec<List>,
    pub(crate) automations: Vec<Automation>,
    pub(crate) users: Vec<User>,
}

impl State {
    /// An account with fields, lists, automations and users, but without anything that is stored.
    pub(crate) fn bare() -> Self {
        Self {
            contacts: BTreeMap::new(),
            tags: BTreeMap::new(),
            accounts: BTreeMap::new(),
            last_ids: BTreeMap::new(),
            fields: seed::fields(),
            lists: seed::lists(),
            automations: seed::automations(),
            users: seed::users(),
        }
    }

    pub(crate) fn apply(&mut self, change: Change) {
        let record = match change {
            Change::Put(record) => *record,
            Change::DeleteContact(id) => return drop(self.contacts.remove(&id)),
        };
        match record {
            Record::Contact(it) => drop(self.contacts.insert(it.id, it)),
            Record::Tag(it) => drop(self.tags.insert(it.id, it)),
            Record::Account(it) => drop(self.accounts.insert(it.id, it)),
            Record::LastId(it) => drop(self.last_ids.insert(it.kind, it.id)),
        }
    }

    /// The contact of an id as it stands in a path.
    pub(crate) fn contact(&self, id: &str) -> Result<&Contact, ApiError> {
        let found = id.parse().ok().and_then(|id: u64| self.contacts.get(&id));
        found.ok_or_else(|| ApiError::missing("Subscriber", id))
    }

    /// The contact that a body names.
    pub(crate) fn named_contact(&self, id: u64) -> Result<&Contact, ApiError> {
        self.contacts
            .get(&id)
            .ok_or_else(|| ApiError::related_missing("contact"))
    }

    /// The contact with this address.
    pub(crate) fn with_email(&self, email: &str) -> Option<&Contact> {
        let mut contacts = self.contacts.values();
        contacts.find(|contact| contact.email.to_lowercase() == email.to_lowercase())
    }

    /// The contact that has a row.
    pub(crate) fn owner_of(&self, has: impl Fn(&Contact) -> bool) -> Option<&Contact> {
        self.contacts.values().find(|contact| has(contact))
    }

    pub(crate) fn field(&self, id: u64) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }
}

/// A time as the vendor shows it: in the zone of the account, to the second.
pub(crate) fn shown(at: TimestampMs) -> String {
    match FixedOffset::west_opt(5 * 3_600) {
        Some(zone) => at.0.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false),
        None => at.to_string(),
    }
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
            // Stored and shown with the same precision.
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
        self.changes.push(Change::Put(Box::new(record)));
    }

    pub(crate) fn log(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }
}
