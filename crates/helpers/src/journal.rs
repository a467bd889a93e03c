//! What a run remembers between deliveries, so that nothing is done twice (`helpers/COMMON` §13).
//!
//! Steps are numbered in the order in which a run takes them. A step that must not be sent twice is written down before
//! it is sent and again with its result. Steps that may simply be repeated (tags, fields) are kept in memory and only
//! written down when the run has to wait for a later attempt. Values that a run must not read twice are written down
//! before the next step.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The journal could not be written: the lease is lost or the table is out of reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalError {
    /// Another worker has taken over; this one must stop.
    LeaseLost,
    /// The table cannot be reached; a repeat may help.
    Unavailable(String),
}

/// Where journal entries are kept durably.
#[async_trait]
pub trait JournalStore: Send {
    /// Writes entries; when this returns they survive a crash.
    async fn write(&mut self, entries: &BTreeMap<String, Value>) -> Result<(), JournalError>;
}

/// A store that forgets: for dry runs and tests.
#[derive(Debug, Default)]
pub struct MemoryJournal(pub BTreeMap<String, Value>);

#[async_trait]
impl JournalStore for MemoryJournal {
    async fn write(&mut self, entries: &BTreeMap<String, Value>) -> Result<(), JournalError> {
        self.0.extend(entries.clone());
        Ok(())
    }
}

/// One step that changes something outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The operation, such as `apply_tag`.
    pub op: String,
    /// What it is done to.
    pub target: String,
    /// With which value.
    #[serde(default)]
    pub value: Value,
    /// How far it came.
    pub state: StepState,
    /// What it gave, such as the id of a new tag.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepState {
    /// About to be sent: whether it was done is not known.
    Sent,
    /// Done.
    Done,
    /// Refused, so that it may be sent again.
    Refused,
}

impl Step {
    pub(crate) fn same_as(&self, other: &Step) -> bool {
        self.op == other.op && self.target == other.target && self.value == other.value
    }
}

/// The journal of one run: what earlier deliveries wrote and what this one adds.
pub struct Journal<'a> {
    store: &'a mut dyn JournalStore,
    entries: BTreeMap<String, Value>,
    unsaved: BTreeMap<String, Value>,
    remembered_unsaved: bool,
    next_step: u32,
}

impl<'a> Journal<'a> {
    /// A journal that continues `entries`.
    pub fn new(entries: BTreeMap<String, Value>, store: &'a mut dyn JournalStore) -> Self {
        Self {
            store,
            entries,
            unsaved: BTreeMap::new(),
            remembered_unsaved: false,
            next_step: 0,
        }
    }

    /// The number of the step that comes now.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.next_step += 1;
        self.next_step
    }

    /// What an earlier delivery wrote down about this step, if it was the same step. An entry that cannot be read counts
    /// as sent: whether the step was done is not known.
    pub(crate) fn recorded(&self, number: u32, step: &Step) -> Option<Step> {
        let entry = self.entries.get(&step_key(number))?;
        match serde_json::from_value::<Step>(entry.clone()) {
            Ok(recorded) => recorded.same_as(step).then_some(recorded),
            Err(error) => {
                tracing::error!(number, op = step.op, %error, "a step in the journal cannot be read");
                let state = StepState::Sent;
                Some(Step { state, ..step.clone() })
            }
        }
    }

    /// Keeps a step in memory, to be written with the next durable entry or when the run has to wait.
    pub(crate) fn keep(&mut self, number: u32, step: &Step) {
        let value = serde_json::to_value(step).expect("texts and JSON always serialise");
        self.entries.insert(step_key(number), value.clone());
        self.unsaved.insert(step_key(number), value);
    }

    /// Writes a step down before going on.
    pub(crate) async fn save(&mut self, number: u32, step: &Step) -> Result<(), JournalError> {
        self.keep(number, step);
        self.flush().await
    }

    /// A value that an earlier delivery read.
    pub(crate) fn remembered(&self, name: &str) -> Option<&Value> {
        self.entries.get(&value_key(name))
    }

    /// Keeps a value; it is written down before the next step is sent.
    pub(crate) fn remember(&mut self, name: &str, value: Value) {
        self.entries.insert(value_key(name), value.clone());
        self.unsaved.insert(value_key(name), value);
        self.remembered_unsaved = true;
    }

    /// Writes down remembered values, if there are any: called before each step.
    pub(crate) async fn settle(&mut self) -> Result<(), JournalError> {
        if self.remembered_unsaved {
            self.flush().await
        } else {
            Ok(())
        }
    }

    async fn flush(&mut self) -> Result<(), JournalError> {
        self.store.write(&self.unsaved).await?;
        self.unsaved.clear();
        self.remembered_unsaved = false;
        Ok(())
    }

    /// What is not written yet: to be stored when the run has to wait for a later attempt.
    pub(crate) fn into_unsaved(self) -> BTreeMap<String, Value> {
        self.unsaved
    }
}

fn step_key(number: u32) -> String {
    format!("step_{number}")
}

fn value_key(name: &str) -> String {
    format!("value_{name}")
}
