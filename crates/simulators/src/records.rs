//! What an account holds, and the changes that are stored before they are applied.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::SubsecRound as _;
use mfh_types::{Clock, Random, TimestampMs};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access_log::Draft;
use crate::journal::Row;
use crate::tokens::Token;

/// A vendor's records in memory, with what its account has from the beginning.
pub(crate) trait Records: Debug + Send + 'static {
    /// Anything that is stored.
    type Record: Debug + Clone + Serialize + DeserializeOwned + Send;

    /// An account without anything that is stored.
    fn bare() -> Self;

    /// Kind and id of a record, under which it is stored.
    fn key(record: &Self::Record) -> (&'static str, String);

    /// Takes the step in the table that the record belongs to.
    fn apply(&mut self, step: Step, record: Self::Record);

    /// The first id that is given out for a kind of record.
    fn first_id(_kind: &str) -> u64 {
        1
    }
}

/// What happens to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Put,
    Delete,
}

impl Step {
    /// Takes the step in a table.
    pub(crate) fn on<K: Ord, T>(self, table: &mut BTreeMap<K, T>, key: K, record: T) {
        match self {
            Self::Put => drop(table.insert(key, record)),
            Self::Delete => drop(table.remove(&key)),
        }
    }
}

/// The last id given out for a kind of record, so that ids of deleted records do not come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastId {
    kind: String,
    id: u64,
}

/// What accounts at several vendors store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Common {
    LastId(LastId),
    Token(Token),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Stored<R> {
    Common(Common),
    OfVendor(R),
}

/// One step of a change.
#[derive(Debug)]
pub(crate) struct Change<S: Records> {
    step: Step,
    stored: Stored<S::Record>,
}

impl<S: Records> Change<S> {
    /// A token that is put in place.
    pub(crate) fn token(token: Token) -> Self {
        Self::common(Step::Put, Common::Token(token))
    }

    fn common(step: Step, common: Common) -> Self {
        let stored = Stored::Common(common);
        Self { step, stored }
    }

    /// The change that brings back what was stored as a row.
    fn read(kind: &str, json: &str) -> serde_json::Result<Self> {
        let stored = match kind {
            "last_id" | "token" => Stored::Common(serde_json::from_str(json)?),
            _ => Stored::OfVendor(serde_json::from_str(json)?),
        };
        Ok(Self {
            step: Step::Put,
            stored,
        })
    }

    /// The row to store for it.
    pub(crate) fn row(&self) -> anyhow::Result<Row> {
        let (kind, id) = match &self.stored {
            Stored::Common(Common::LastId(last)) => ("last_id", last.kind.clone()),
            Stored::Common(Common::Token(token)) => ("token", token.value.clone()),
            Stored::OfVendor(record) => S::key(record),
        };
        let json = match self.step {
            Step::Put => Some(serde_json::to_string(&self.stored)?),
            Step::Delete => None,
        };
        Ok(Row { kind, id, json })
    }
}

/// Everything that an account stores.
#[derive(Debug)]
pub(crate) struct Holdings<S> {
    pub(crate) records: S,
    pub(crate) tokens: BTreeMap<String, Token>,
    last_ids: BTreeMap<String, u64>,
}

impl<S: Records> Holdings<S> {
    /// Nothing is stored yet.
    pub(crate) fn bare() -> Self {
        Self {
            records: S::bare(),
            tokens: BTreeMap::new(),
            last_ids: BTreeMap::new(),
        }
    }

    /// What rows of kind and JSON hold.
    pub(crate) fn read(rows: Vec<(String, String)>) -> anyhow::Result<Self> {
        let mut holdings = Self::bare();
        for (kind, json) in rows {
            let change = Change::read(&kind, &json)
                .map_err(|error| anyhow::anyhow!("the stored {kind} cannot be read: {error}"))?;
            holdings.apply(change);
        }
        Ok(holdings)
    }

    pub(crate) fn apply(&mut self, Change { step, stored }: Change<S>) {
        match stored {
            Stored::Common(Common::LastId(it)) => step.on(&mut self.last_ids, it.kind, it.id),
            Stored::Common(Common::Token(it)) => step.on(&mut self.tokens, it.value.clone(), it),
            Stored::OfVendor(record) => self.records.apply(step, record),
        }
    }
}

/// A change in the making: it reads the state as it is and collects what shall be stored together.
#[derive(Debug)]
pub(crate) struct Transaction<'a, S: Records> {
    pub(crate) state: &'a S,
    pub(crate) tokens: &'a BTreeMap<String, Token>,
    pub(crate) now: TimestampMs,
    pub(crate) random: &'a dyn Random,
    pub(crate) changes: Vec<Change<S>>,
    pub(crate) drafts: Vec<Draft>,
    last_ids: &'a BTreeMap<String, u64>,
    ids: BTreeMap<&'static str, u64>,
}

impl<'a, S: Records> Transaction<'a, S> {
    pub(crate) fn new(holdings: &'a Holdings<S>, clock: &dyn Clock, random: &'a dyn Random) -> Self {
        Self {
            state: &holdings.records,
            tokens: &holdings.tokens,
            // Stored times have milliseconds; more would be lost on disk and make a restart visible.
            now: TimestampMs(clock.now().trunc_subsecs(3)),
            random,
            changes: Vec::new(),
            drafts: Vec::new(),
            last_ids: &holdings.last_ids,
            ids: BTreeMap::new(),
        }
    }

    /// A fresh id for a kind of record.
    pub(crate) fn next_id(&mut self, kind: &'static str) -> u64 {
        let last = self.ids.get(kind).or_else(|| self.last_ids.get(kind)).copied();
        let id = last.map_or_else(|| S::first_id(kind), |last| last + 1);
        self.ids.insert(kind, id);
        let kind = kind.to_owned();
        let last = Common::LastId(LastId { kind, id });
        self.changes.push(Change::common(Step::Put, last));
        id
    }

    pub(crate) fn put(&mut self, record: S::Record) {
        self.step(Step::Put, record);
    }

    pub(crate) fn delete(&mut self, record: S::Record) {
        self.step(Step::Delete, record);
    }

    fn step(&mut self, step: Step, record: S::Record) {
        let stored = Stored::OfVendor(record);
        self.changes.push(Change { step, stored });
    }

    /// The records that were put so far.
    pub(crate) fn puts(&self) -> impl Iterator<Item = &S::Record> {
        self.changes.iter().filter_map(|change| match &change.stored {
            Stored::OfVendor(record) if change.step == Step::Put => Some(record),
            _ => None,
        })
    }

    pub(crate) fn put_token(&mut self, token: Token) {
        self.changes.push(Change::token(token));
    }

    pub(crate) fn delete_token(&mut self, token: &Token) {
        let token = Common::Token(token.clone());
        self.changes.push(Change::common(Step::Delete, token));
    }

    pub(crate) fn log(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// Logs a write to a contact.
    pub(crate) fn log_contact(
        &mut self,
        op: &'static str,
        contact_id: impl ToString,
        fields: Option<Value>,
        changed: bool,
    ) {
        self.log(Draft {
            op,
            contact_id: Some(contact_id.to_string()),
            fields,
            changed,
            ..Draft::default()
        });
    }

    /// Logs that a contact gets or loses a tag.
    pub(crate) fn log_tag(
        &mut self,
        op: &'static str,
        contact_id: impl ToString,
        tag_id: impl ToString,
        changed: bool,
    ) {
        self.log(Draft {
            op,
            contact_id: Some(contact_id.to_string()),
            tag_id: Some(tag_id.to_string()),
            changed,
            ..Draft::default()
        });
    }
}
