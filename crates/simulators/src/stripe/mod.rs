//! Stripe: customers under `/v1`, API version 2020-08-27, and the vendor's habits.
//!
//! A deleted customer is still answered, with `deleted: true`; lists begin with the newest; addresses are compared
//! exactly; unknown parameters are refused; a repeated `Idempotency-Key` gets the first answer again.

mod auth;
mod customer;
mod error;
mod form;
mod limits;
mod routes;
mod seed;
mod state;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use mfh_types::{Clock, Random};

pub use auth::{PUBLISHABLE_KEY, SECRET_KEY};
pub use limits::Limits;
pub use seed::DEMO_CUSTOMER_ID;

use self::error::ApiError;
use self::limits::Meter;
use self::state::{Change, Record, State};
use crate::access_log::{self, AccessLog, Draft, RequestId};
use crate::faults::{self, Faults};
use crate::journal::{Journal, Row};
use crate::server::Server;

/// Path that the API lives under.
const BASE_PATH: &str = "/v1";

/// A Stripe account behind an HTTP interface; clones share it.
#[derive(Clone)]
pub struct Stripe(Arc<Shared>);

struct Shared {
    account: Mutex<Account>,
    faults: Faults,
    log: AccessLog,
    meter: Meter,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

struct Account {
    state: State,
    journal: Option<Journal>,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").finish_non_exhaustive()
    }
}

impl Stripe {
    /// Opens the account that is kept in `dir`, filled with demo data when it is new; without a folder it lives in
    /// memory only. Fails when the folder cannot be used or holds something unreadable.
    pub fn open(dir: Option<&Path>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> anyhow::Result<Self> {
        let log = AccessLog::new(clock.clone());
        let mut journal = dir.map(|dir| Journal::open(dir, "stripe")).transpose()?;
        let mut state = State::default();
        let stored = journal.as_ref().map(Journal::records).transpose()?.unwrap_or_default();
        if stored.is_empty() {
            let rows = plant(&mut state, &*clock)?;
            if let Some(journal) = &mut journal {
                journal.replace(&rows)?;
            }
        }
        for (kind, json) in stored {
            let record: Record = serde_json::from_str(&json)
                .map_err(|error| anyhow::anyhow!("the stored {kind} cannot be read: {error}"))?;
            state.apply(Change::Put(record));
        }
        if let Some(journal) = &journal {
            log.extend(journal.writes()?);
        }
        Ok(Self(Arc::new(Shared {
            account: Mutex::new(Account { state, journal }),
            faults: Faults::new(error::usual_body),
            log,
            meter: Meter::default(),
            clock,
            random,
        })))
    }

    /// The vendor's paths (`/v1/…`) and the simulator's own (`/_state`, …).
    pub fn router(&self) -> Router {
        let api = routes::api()
            .route("/{*path}", any(async || ApiError::no_such_path()))
            .method_not_allowed_fallback(async || ApiError::no_such_path())
            .layer(from_fn_with_state(self.clone(), auth::require_key));
        let vendor = Router::new()
            .nest(BASE_PATH, api)
            .layer(from_fn_with_state(self.0.faults.clone(), faults::spoil))
            .layer(from_fn_with_state(self.clone(), limits::meter))
            .layer(from_fn_with_state(self.0.log.clone(), access_log::record));
        vendor
            .merge(routes::control())
            .with_state(self.clone())
            .merge(self.0.faults.routes())
            .merge(self.0.log.routes())
    }

    /// Serves the router on a free local port; `base_url()` of the result is what a connector is given.
    pub async fn start(&self) -> anyhow::Result<Server> {
        Server::start(self.router(), BASE_PATH).await
    }

    /// The rules for what goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// What was received and written.
    pub fn log(&self) -> &AccessLog {
        &self.0.log
    }

    /// Enforces these limits from now on; the default enforces none.
    pub fn set_limits(&self, limits: Limits) {
        self.0.meter.set(limits);
    }

    /// Fills the account with the demo data again and forgets log, faults and idempotency keys.
    pub fn reset(&self) -> anyhow::Result<()> {
        let mut state = State::default();
        let rows = plant(&mut state, self.clock())?;
        let mut account = self.account();
        if let Some(journal) = &mut account.journal {
            journal.replace(&rows)?;
        }
        account.state = state;
        self.0.log.clear();
        self.0.faults.clear();
        Ok(())
    }

    fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    fn meter(&self) -> &Meter {
        &self.0.meter
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the account.
    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.account().state)
    }

    /// Stores changes, then applies them: what was answered is never lost, and what could not be stored never happened.
    fn commit(
        &self,
        account: &mut Account,
        changes: Vec<Change>,
        drafts: Vec<Draft>,
        request_id: &RequestId,
    ) -> Result<(), ApiError> {
        let writes = self.0.log.number(drafts, request_id);
        let stored = || -> anyhow::Result<Vec<Row>> { changes.iter().map(Change::row).collect() };
        if let Some(journal) = &mut account.journal {
            stored()
                .and_then(|rows| journal.commit(&rows, &writes))
                .map_err(|error| ApiError::internal(&error))?;
        }
        for change in changes {
            account.state.apply(change);
        }
        self.0.log.extend(writes);
        Ok(())
    }
}

/// Puts the demo customers into an empty state; their rows.
fn plant(state: &mut State, clock: &dyn Clock) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for customer in seed::customers(clock) {
        let change = Change::Put(Record::Customer(customer));
        rows.push(change.row()?);
        state.apply(change);
    }
    Ok(rows)
}
