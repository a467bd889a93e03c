//! The records of a Stripe account, and the changes that are stored before they are applied.

use std::collections::BTreeMap;

use mfh_types::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::Row;

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

/// One step of a change.
#[derive(Debug)]
pub(crate) enum Change {
    Put(Record),
    Forget(String),
}

impl Change {
    /// The row to store for it.
    pub(crate) fn row(&self) -> anyhow::Result<Row> {
        let (kind, id, json) = match self {
            Self::Put(record) => {
                let (kind, id) = match record {
                    Record::Customer(customer) => ("customer", customer.id.clone()),
                    Record::Replay(replay) => ("replay", replay.key.clone()),
                };
                (kind, id, Some(serde_json::to_string(record)?))
            }
            Self::Forget(key) => ("replay", key.clone(), None),
        };
        Ok(Row { kind, id, json })
    }
}

/// The whole account in memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By position, the oldest first; deleted ones stay.
    customers: BTreeMap<u64, Customer>,
    positions: BTreeMap<String, u64>,
    pub(crate) replays: BTreeMap<String, Replay>,
}

impl State {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Put(Record::Customer(customer)) => {
                self.positions.insert(customer.id.clone(), customer.n);
                self.customers.insert(customer.n, customer);
            }
            Change::Put(Record::Replay(replay)) => drop(self.replays.insert(replay.key.clone(), replay)),
            Change::Forget(key) => drop(self.replays.remove(&key)),
        }
    }

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
