//! Other ways to run a vector than once and to its end: without writing, and with a crash on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use serde_json::Value;

use super::crm::yield_once;
use super::{Delivery, Vector, World};
use crate::{JournalError, JournalStore, MemoryJournal, Report, find};

/// What a run left behind.
#[derive(Debug)]
pub struct Trial {
    /// What it reports.
    pub report: Report,
    /// The writes that the CRM was asked for, in order: `{op, args}`.
    pub writes: Vec<Value>,
    /// Those of them that it carried out.
    pub carried_out: Vec<Value>,
    /// The contacts as they are now.
    pub contacts: Value,
    /// What was stored for the account, by key.
    pub objects: BTreeMap<String, Vec<u8>>,
}

impl Trial {
    fn of(report: Report, world: &World) -> Self {
        Self {
            report,
            writes: world.crm.writes().as_array().cloned().unwrap_or_default(),
            carried_out: world.crm.carried_out(),
            contacts: world.crm.contacts(),
            objects: world.objects.objects(),
        }
    }

    /// The writes that must not be carried out twice, in order.
    pub fn once_writes(&self) -> Vec<&Value> {
        const REPEATABLE: [&str; 5] = ["set_field", "apply_tag", "remove_tag", "set_opt_in", "update_contact"];
        let repeatable = |write: &&Value| write["op"].as_str().is_some_and(|op| REPEATABLE.contains(&op));
        self.carried_out.iter().filter(|write| !repeatable(write)).collect()
    }
}

impl Vector {
    /// Runs the case once, as a dry run or in earnest; `None` when the catalogue has no such type.
    pub async fn trial(&self, dry_run: bool) -> Option<Trial> {
        let registration = find(&self.case.helper_type)?;
        let world = self.world();
        let mut store = MemoryJournal::default();
        let delivery = Delivery {
            journal: BTreeMap::new(),
            store: &mut store,
            dry_run,
        };
        let report = self
            .deliver(registration, &world, delivery, std::future::pending())
            .await;
        Some(Trial::of(report, &world))
    }

    /// Runs the case until the CRM has carried out this many writes, crashes there between two steps, and runs it again
    /// with what the journal holds; `None` when the catalogue has no such type.
    pub async fn trial_with_crash(&self, after: usize) -> Option<Trial> {
        let registration = find(&self.case.helper_type)?;
        let world = self.world();
        let saved = Saved::default();
        let crash = std::future::poll_fn(|_| {
            let reached = world.crm.write_count() >= after && !saved.is_within_a_step();
            if reached { Poll::Ready(()) } else { Poll::Pending }
        });
        let delivery = Delivery {
            journal: BTreeMap::new(),
            store: &mut saved.clone(),
            dry_run: false,
        };
        self.deliver(registration, &world, delivery, crash).await;

        let delivery = Delivery {
            journal: saved.entries(),
            store: &mut saved.clone(),
            dry_run: false,
        };
        let report = self
            .deliver(registration, &world, delivery, std::future::pending())
            .await;
        Some(Trial::of(report, &world))
    }
}

/// A journal that outlives the run that writes it.
#[derive(Debug, Clone, Default)]
struct Saved(Arc<Mutex<BTreeMap<String, Value>>>);

impl Saved {
    fn entries(&self) -> BTreeMap<String, Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, entries: &BTreeMap<String, Value>) {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        saved.extend(entries.clone());
    }

    /// Whether a step was announced whose end is not written down yet.
    fn is_within_a_step(&self) -> bool {
        self.entries().values().any(|entry| entry["state"] == "sent")
    }
}

#[async_trait]
impl JournalStore for Saved {
    async fn write(&mut self, entries: &BTreeMap<String, Value>) -> Result<(), JournalError> {
        self.add(entries);
        yield_once().await;
        Ok(())
    }
}
