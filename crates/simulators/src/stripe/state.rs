//! The records of a Stripe account.

use std::collections::BTreeMap;

use mfh_types::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::records::{self, Records, Step};

/// A customer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    /// Position in the order of creation.
    pub(crate) n: u64,
    /// Unix seconds.
    pub(crate) created: i64,
    pub(crate) deleted: bool,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) description: Option<String>,
    /// Parts by name; none means no address.
    pub(crate) address: BTreeMap<String, String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// The answer that an idempotency key stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) key: String,
    /// Method, path and body.
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) at: TimestampMs,
}

/// What is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Customer(Customer),
    Replay(Replay),
}

/// A change to such an account in the making.
pub(crate) type Transaction<'a> = records::Transaction<'a, State>;

/// The whole account in memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By position, the oldest first; deleted ones stay.
    customers: BTreeMap<u64, Customer>,
    positions: BTreeMap<String, u64>,
    pub(crate) replays: BTreeMap<String, Replay>,
}

impl Records for State {
    type Record = Record;

    fn bare() -> Self {
        Self::default()
    }

    fn key(record: &Record) -> (&'static str, String) {
        match record {
            Record::Customer(it) => ("customer", it.id.clone()),
            Record::Replay(it) => ("replay", it.key.clone()),
        }
    }

    fn apply(&mut self, step: Step, record: Record) {
        match record {
            Record::Customer(it) => {
                step.on(&mut self.positions, it.id.clone(), it.n);
                step.on(&mut self.customers, it.n, it);
            }
            Record::Replay(it) => step.on(&mut self.replays, it.key.clone(), it),
        }
    }
}

impl State {
    /// A customer, also a deleted one.
    pub(crate) fn customer(&self, id: &str) -> Option<&Customer> {
        self.customers.get(self.positions.get(id)?)
    }

    /// The customers that are there, the newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Customer> {
        self.customers.values().rev().filter(|customer| !customer.deleted)
    }

    /// The position of the next customer.
    pub(crate) fn next(&self) -> u64 {
        self.customers.last_key_value().map_or(1, |(last, _)| last + 1)
    }
}
