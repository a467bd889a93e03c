//! The records of an ActiveCampaign account.

use std::collections::BTreeMap;

use chrono::{FixedOffset, SecondsFormat};
use mfh_types::TimestampMs;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::field::Field;
use super::seed;
use crate::records::{self, Records, Step};

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
}

/// A change to such an account in the making.
pub(crate) type Transaction<'a> = records::Transaction<'a, State>;

/// The whole account in memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<u64, Contact>,
    pub(crate) tags: BTreeMap<u64, Tag>,
    pub(crate) accounts: BTreeMap<u64, Account>,
    pub(crate) fields: Vec<Field>,
    pub(crate) lists: Vec<List>,
    pub(crate) automations: Vec<Automation>,
    pub(crate) users: Vec<User>,
}

impl Records for State {
    type Record = Record;

    /// Fields, lists, automations and users are there from the beginning.
    fn bare() -> Self {
        Self {
            fields: seed::fields(),
            lists: seed::lists(),
            automations: seed::automations(),
            users: seed::users(),
            ..Self::default()
        }
    }

    fn key(record: &Record) -> (&'static str, String) {
        match record {
            Record::Contact(it) => ("contact", it.id.to_string()),
            Record::Tag(it) => ("tag", it.id.to_string()),
            Record::Account(it) => ("account", it.id.to_string()),
        }
    }

    fn apply(&mut self, step: Step, record: Record) {
        match record {
            Record::Contact(it) => step.on(&mut self.contacts, it.id, it),
            Record::Tag(it) => step.on(&mut self.tags, it.id, it),
            Record::Account(it) => step.on(&mut self.accounts, it.id, it),
        }
    }

    /// Rows that attach something have ids far from those of what they attach.
    fn first_id(kind: &str) -> u64 {
        match kind {
            "contact" => 1_001,
            "tag" => 101,
            "account" => 301,
            "contactTag" => 40_001,
            "contactList" => 50_001,
            "contactAutomation" => 60_001,
            "accountContact" => 70_001,
            "fieldValue" => 80_001,
            "note" => 90_001,
            _ => 1,
        }
    }
}

impl State {
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
