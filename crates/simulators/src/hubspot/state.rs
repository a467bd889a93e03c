//! The records of a HubSpot account, and the changes that are stored before they are applied.

use std::collections::BTreeMap;

use chrono::SubsecRound as _;
use mfh_types::{Clock, TimestampMs};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::property::Property;
use super::seed;
use crate::access_log::Draft;
use crate::journal::Row;

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

/// A secret that the token endpoint handed out.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) kind: TokenKind,
    /// Absent for refresh tokens, which stay good until the app is removed.
    pub(crate) expires: Option<TimestampMs>,
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
    Code {
        redirect_uri: String,
        /// SHA-256 of the verifier, as the authorize page was given it.
        challenge: Option<String>,
    },
}

/// The last id given out for a kind of record, so that ids of deleted records do not come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastId {
    kind: String,
    id: u64,
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
    Token(Token),
    LastId(LastId),
}

impl Record {
    fn key(&self) -> Key {
        match self {
            Self::Contact(contact) => Key::Contact(contact.id),
            Self::List(list) => Key::List(list.id),
            Self::Consent(consent) => Key::Consent(consent.email.clone()),
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
    List(u64),
    Consent(String),
    Note(u64),
    Token(String),
    LastId(String),
}

impl Key {
    fn row(&self, json: Option<String>) -> Row {
        let (kind, id) = match self {
            Self::Contact(id) => ("contact", id.to_string()),
            Self::List(id) => ("list", id.to_string()),
            Self::Note(id) => ("note", id.to_string()),
            Self::Consent(id) => ("consent", id.clone()),
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
    pub(crate) lists: BTreeMap<u64, List>,
    /// By lower-case address.
    pub(crate) consents: BTreeMap<String, Consent>,
    pub(crate) notes: BTreeMap<u64, Note>,
    pub(crate) tokens: BTreeMap<String, Token>,
    last_ids: BTreeMap<String, u64>,
    pub(crate) properties: Vec<Property>,
    pub(crate) workflows: Vec<Workflow>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) subscriptions: Vec<Subscription>,
}

impl State {
    /// An account with what cannot change, but without anything that is stored.
    pub(crate) fn bare() -> Self {
        Self {
            contacts: BTreeMap::new(),
            lists: BTreeMap::new(),
            consents: BTreeMap::new(),
            notes: BTreeMap::new(),
            tokens: BTreeMap::new(),
            last_ids: BTreeMap::new(),
            properties: seed::properties(),
            workflows: seed::workflows(),
            owners: seed::owners(),
            subscriptions: seed::subscriptions(),
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
            Record::List(it) => drop(self.lists.insert(it.id, it)),
            Record::Consent(it) => drop(self.consents.insert(it.email.clone(), it)),
            Record::Note(it) => drop(self.notes.insert(it.id, it)),
            Record::Token(it) => drop(self.tokens.insert(it.value.clone(), it)),
            Record::LastId(it) => drop(self.last_ids.insert(it.kind, it.id)),
        }
    }

    fn delete(&mut self, key: &Key) {
        match key {
            Key::Contact(id) => drop(self.contacts.remove(id)),
            Key::List(id) => drop(self.lists.remove(id)),
            Key::Consent(id) => drop(self.consents.remove(id)),
            Key::Note(id) => drop(self.notes.remove(id)),
            Key::Token(id) => drop(self.tokens.remove(id)),
            Key::LastId(id) => drop(self.last_ids.remove(id)),
        }
    }

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
