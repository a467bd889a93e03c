//! HubSpot: CRM v3, lists v3, communication preferences v4, automation v2 and v4, the token endpoint, and the vendor's
//! habits.
//!
//! Where the vendor's documentation leaves a choice, this simulator takes the one that finds mistakes in clients:
//! unknown members and query parameters are refused, required arrays must be sent even when they are empty, values must
//! be texts, only the properties asked for are shown, and who wants no mail at all cannot be subscribed again.
//! Searches see a write at once; at the vendor they lag behind.

mod auth;
mod contact;
mod error;
mod limits;
mod params;
mod property;
mod routes;
mod seed;
mod state;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use mfh_types::{Clock, Random};

pub use auth::{CLIENT_ID, CLIENT_SECRET, PRIVATE_APP_TOKEN, TokenPair};
pub use limits::Limits;
pub use seed::DEMO_CONTACT_ID;

use self::error::ApiError;
use self::limits::Meter;
use self::state::{Change, Record, State, Transaction};
use crate::access_log::{self, AccessLog, Draft, RequestId};
use crate::faults::{self, Faults};
use crate::journal::{Journal, Row};
use crate::server::Server;

/// The account (portal) that the tokens belong to.
pub const HUB_ID: u64 = 24_680_135;

/// A HubSpot account behind an HTTP interface; clones share it.
#[derive(Clone)]
pub struct HubSpot(Arc<Shared>);

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

impl fmt::Debug for HubSpot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSpot").finish_non_exhaustive()
    }
}

impl HubSpot {
    /// Opens the account that is kept in `dir`, filled with demo data when it is new; without a folder it lives in
    /// memory only. Fails when the folder cannot be used or holds something unreadable.
    pub fn open(dir: Option<&Path>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> anyhow::Result<Self> {
        let log = AccessLog::new(clock.clone());
        let mut journal = dir.map(|dir| Journal::open(dir, "hubspot")).transpose()?;
        let stored = match &journal {
            Some(journal) => load(journal)?,
            None => None,
        };
        let state = match stored {
            Some(state) => state,
            None => {
                let (state, rows) = seed::planted(&*clock)?;
                if let Some(journal) = &mut journal {
                    journal.replace(&rows)?;
                }
                state
            }
        };
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

    /// The vendor's paths (`/crm/v3/…`, `/oauth/v3/token`, `/oauth/authorize`, …) and the simulator's own (`/_state`, …).
    pub fn router(&self) -> Router {
        // Not a fallback: those of nested routers get lost when the whole is nested once more.
        let nothing = || any(async || ApiError::no_such_path());
        let api = routes::api()
            .route("/crm/{*path}", nothing())
            .route("/automation/{*path}", nothing())
            .route("/communication-preferences/{*path}", nothing())
            .method_not_allowed_fallback(async || ApiError::no_such_method())
            .layer(from_fn_with_state(self.clone(), auth::require_token))
            .layer(from_fn_with_state(self.0.faults.clone(), faults::spoil))
            .layer(from_fn_with_state(self.clone(), limits::meter));
        let oauth = Router::new()
            .route("/oauth/v3/token", post(auth::token))
            .route("/oauth/2026-03/token/revoke", post(auth::revoke))
            .route("/oauth/authorize", get(auth::authorize))
            .layer(from_fn_with_state(self.0.faults.clone(), faults::spoil));
        let vendor = api
            .merge(oauth)
            .layer(from_fn_with_state(self.0.log.clone(), access_log::record));
        vendor
            .merge(routes::control())
            .with_state(self.clone())
            .merge(self.0.faults.routes())
            .merge(self.0.log.routes())
    }

    /// Serves the router on a free local port; `base_url()` of the result is what a connector is given.
    pub async fn start(&self) -> anyhow::Result<Server> {
        Server::start(self.router(), "").await
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

    /// Fills the account with the demo data again and forgets log and faults; tokens stay good.
    pub fn reset(&self) -> anyhow::Result<()> {
        let (mut state, mut rows) = seed::planted(self.clock())?;
        let mut account = self.account();
        for token in account.state.tokens.values() {
            let change = Change::Put(Record::Token(token.clone()));
            rows.push(change.row()?);
            state.apply(change);
        }
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

    /// Applies an API write: `act` plans it, and once it is stored `show` makes the answer of the new state.
    fn write<T, R>(
        &self,
        request_id: &RequestId,
        act: impl FnOnce(&mut Transaction<'_>) -> Result<T, ApiError>,
        show: impl FnOnce(&State, T) -> R,
    ) -> Result<R, ApiError> {
        let mut account = self.account();
        let mut tx = Transaction::new(&account.state, self.clock());
        let outcome = act(&mut tx)?;
        let Transaction { changes, drafts, .. } = tx;
        self.commit(&mut account, changes, drafts, request_id)
            .map_err(|error| ApiError::internal(&error))?;
        Ok(show(&account.state, outcome))
    }

    /// Applies a change that is not an API write, such as new tokens.
    fn change<T>(&self, act: impl FnOnce(&mut Transaction<'_>) -> T) -> anyhow::Result<T> {
        let mut account = self.account();
        let mut tx = Transaction::new(&account.state, self.clock());
        let outcome = act(&mut tx);
        let Transaction { changes, .. } = tx;
        self.commit(&mut account, changes, Vec::new(), &RequestId(String::new()))?;
        Ok(outcome)
    }

    /// Stores first, then applies: what was answered is never lost, and what could not be stored never happened.
    fn commit(
        &self,
        account: &mut Account,
        changes: Vec<Change>,
        drafts: Vec<Draft>,
        request_id: &RequestId,
    ) -> anyhow::Result<()> {
        let writes = self.0.log.number(drafts, request_id);
        if let Some(journal) = &mut account.journal {
            let rows = changes.iter().map(Change::row).collect::<anyhow::Result<Vec<Row>>>()?;
            journal.commit(&rows, &writes)?;
        }
        for change in changes {
            account.state.apply(change);
        }
        self.0.log.extend(writes);
        Ok(())
    }
}

/// The stored account, if the journal holds one.
fn load(journal: &Journal) -> anyhow::Result<Option<State>> {
    let records = journal.records()?;
    if records.is_empty() {
        return Ok(None);
    }
    let mut state = State::bare();
    for (kind, json) in records {
        let record: Record = serde_json::from_str(&json)
            .map_err(|error| anyhow::anyhow!("the stored {kind} cannot be read: {error}"))?;
        state.apply(Change::Put(record));
    }
    Ok(Some(state))
}
