//! Equal shares of an app's quota for the tenants that have waiting work.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ledger::{Ledger, SetKey};
use super::pace::{Micros, SECOND};

/// How long a tenant that waited counts as one that waits. Who waits in one period counts in the next, so that every
/// process sees the same tenants.
const PERIOD: Micros = 2 * SECOND;

/// The tenants of an app that wait.
#[derive(Debug)]
pub(crate) struct Shares {
    key: String,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
    /// Held while the table is asked, so that a process asks once.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The period that `tenants` is about.
    counted: i64,
    tenants: i64,
    /// The period that `joined` is about.
    joining: i64,
    joined: HashSet<String>,
}

impl Shares {
    pub(crate) fn new(key: String, ledger: Arc<Ledger>) -> Self {
        Self {
            key,
            ledger,
            state: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// By how many the quota is divided now, at least one.
    pub(crate) async fn tenants(&self, now: Micros) -> i64 {
        let period = now.div_euclid(PERIOD);
        let known = || {
            let state = self.state();
            (state.counted == period).then_some(state.tenants)
        };
        if let Some(tenants) = known() {
            return tenants;
        }
        let _asking = self.asking.lock().await;
        if let Some(tenants) = known() {
            return tenants;
        }
        let count = self.ledger.members(self.set(period)).await;
        let tenants = i64::try_from(count).unwrap_or(i64::MAX).max(1);
        let mut state = self.state();
        (state.counted, state.tenants) = (period, tenants);
        tenants
    }

    /// Counts this tenant as one that waits, in the period after this one.
    pub(crate) async fn join(&self, tenant: &str, now: Micros) {
        let next = now.div_euclid(PERIOD) + 1;
        {
            let mut state = self.state();
            if state.joining != next {
                state.joining = next;
                state.joined.clear();
            }
            if !state.joined.insert(tenant.to_owned()) {
                return;
            }
        }
        self.ledger.join(self.set(next), tenant).await;
    }

    fn set(&self, number: i64) -> SetKey<'_> {
        SetKey { key: &self.key, number }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
