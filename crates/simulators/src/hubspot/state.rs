//! The records of a HubSpot account.

use std::collections::BTreeMap;

use mfh_types::TimestampMs;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::property::Property;
use super::seed;
use crate::records::{self, Records, Step};

/// A contact with everything that belongs to it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    /// Values by property name, in the form in which they are shown; empty ones are left out.
    pub(crate) properties: BTreeMap<String, String>,
    /// When it came on each list.
    pub(crate) lists: BTreeMap<u64, TimestampMs>,
    /// When it was enrolled in each workflow.
    pub(crate) workflows: BTreeMap<u64, TimestampMs>,
    pub(crate) created_at: TimestampMs,
    pub(crate) updated_at: TimestampMs,
}

impl Contact {
    pub(crate) fn new(id: u64, now: TimestampMs) -> Self {
        Self {
            id,
            properties: BTreeMap::new(),
            lists: BTreeMap::new(),
            workflows: BTreeMap::new(),
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.properties.get("email").map(String::as_str)
    }

    /// All its addresses, the main one first.
    pub(crate) fn emails(&self) -> impl Iterator<Item = &str> {
        let others = self.properties.get("hs_additional_emails").map_or("", String::as_str);
        self.email()
            .into_iter()
            .chain(others.split(';').filter(|email| !email.is_empty()))
    }
}

/// Who decides which records a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Processing {
    /// Users and the API.
    Manual,
    /// A filter at first, then users and the API.
    Snapshot,
    /// A filter.
    Dynamic,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct List {
    pub(crate) id: u64,
    /// The id that it had before the lists were renumbered.
    pub(crate) legacy_id: Option<u64>,
    pub(crate) name: String,
    pub(crate) processing: Processing,
    pub(crate) created_at: TimestampMs,
}

/// What an address agreed to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Consent {
    /// In lower case.
    pub(crate) email: String,
    pub(crate) unsubscribed_from_all: bool,
    /// Whether it is subscribed, by subscription id.
    pub(crate) subscriptions: BTreeMap<u64, bool>,
    /// The latest reason.
    pub(crate) explanation: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) contact_id: u64,
    pub(crate) body: String,
    pub(crate) timestamp: String,
    pub(crate) created_at: TimestampMs,
}

/// A workflow; workflows, owners, subscriptions and properties come from the seed and do not change.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    /// What enrolment wants.
    pub(crate) id: u64,
    /// What lists and the vendor's pages show.
    pub(crate) flow_id: u64,
    pub(crate) name: &'static str,
    pub(crate) is_enabled: bool,
    pub(crate) object_type_id: &'static str,
    pub(crate) created_at: TimestampMs,
}

#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) id: u64,
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) archived: bool,
    pub(crate) created_at: TimestampMs,
}

/// A subscription type.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) is_default: bool,
    pub(crate) is_internal: bool,
    pub(crate) created_at: TimestampMs,
}

/// Anything that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Contact(Contact),
    List(List),
    Consent(Consent),
    Note(Note),
}

/// A change to such an account in the making.
pub(crate) type Transaction<'a> = records::Transaction<'a, State>;

/// The whole account in memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<u64, Contact>,
    pub(crate) lists: BTreeMap<u64, List>,
    /// By lower-case address.
    pub(crate) consents: BTreeMap<String, Consent>,
    pub(crate) notes: BTreeMap<u64, Note>,
    pub(crate) properties: Vec<Property>,
    pub(crate) workflows: Vec<Workflow>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) subscriptions: Vec<Subscription>,
}

impl Records for State {
    type Record = Record;

    /// Properties, workflows, owners and subscriptions are there from the beginning.
    fn bare() -> Self {
        Self {
            properties: seed::properties(),
            workflows: seed::workflows(),
            owners: seed::owners(),
            subscriptions: seed::subscriptions(),
            ..Self::default()
        }
    }

    fn key(record: &Record) -> (&'static str, String) {
        match record {
            Record::Contact(it) => ("contact", it.id.to_string()),
            Record::List(it) => ("list", it.id.to_string()),
            Record::Consent(it) => ("consent", it.email.clone()),
            Record::Note(it) => ("note", it.id.to_string()),
        }
    }

    fn apply(&mut self, step: Step, record: Record) {
        match record {
            Record::Contact(it) => step.on(&mut self.contacts, it.id, it),
            Record::List(it) => step.on(&mut self.lists, it.id, it),
            Record::Consent(it) => step.on(&mut self.consents, it.email.clone(), it),
            Record::Note(it) => step.on(&mut self.notes, it.id, it),
        }
    }

    fn first_id(kind: &str) -> u64 {
        match kind {
            "contact" => 1001,
            "list" => 101,
            "note" => 5001,
            _ => 1,
        }
    }
}

impl State {
    /// The contact of an id as it stands in a path or body.
    pub(crate) fn contact(&self, id: &str) -> Result<&Contact, ApiError> {
        find(&self.contacts, "contact", id)
    }

    /// The contact that has this address, in any case.
    pub(crate) fn contact_of(&self, email: &str) -> Option<&Contact> {
        let mut contacts = self.contacts.values();
        contacts.find(|contact| contact.emails().any(|own| own.eq_ignore_ascii_case(email)))
    }

    /// The list of an id as it stands in a path.
    pub(crate) fn list(&self, id: &str) -> Result<&List, ApiError> {
        find(&self.lists, "list", id)
    }

    /// What an address agreed to; nothing when it was never asked.
    pub(crate) fn consent(&self, email: &str) -> Consent {
        let email = email.to_lowercase();
        let known = self.consents.get(&email).cloned();
        known.unwrap_or(Consent {
            email,
            ..Consent::default()
        })
    }
}

/// The record of an id that may be malformed.
fn find<'a, T>(records: &'a BTreeMap<u64, T>, what: &str, id: &str) -> Result<&'a T, ApiError> {
    let record = id.parse().ok().and_then(|id: u64| records.get(&id));
    record.ok_or_else(|| ApiError::missing(what, id))
}
