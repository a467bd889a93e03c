//! ActiveCampaign: API v3 under `/api/3`, and the vendor's habits.
//!
//! There is no description of it that could be held against this simulator; it is built from `connectors` §2.3. Where
//! that leaves a choice, it takes the one that finds mistakes in clients: query parameters and body members that are
//! not known are refused, lists come newest first unless an order is asked for, choices must be written exactly as
//! they are defined, and a wrong key is answered with 403.

mod auth;
mod contact;
mod error;
mod field;
mod limits;
mod params;
mod routes;
mod seed;
mod state;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::any;
use mfh_types::{Clock, Random};

pub use auth::API_KEY;
pub use limits::Limits;
pub use seed::DEMO_CONTACT_ID;

use self::error::ApiError;
use self::limits::Meter;
use self::state::{Change, Record, State, Subscription, Transaction};
use crate::access_log::{self, AccessLog, Draft, RequestId};
use crate::faults::{self, Faults};
use crate::journal::{Journal, Row};
use crate::server::Server;

/// Path that the API lives under.
const BASE_PATH: &str = "/api/3";

/// An ActiveCampaign account behind an HTTP interface; clones share it.
#[derive(Clone)]
pub struct ActiveCampaign(Arc<Shared>);

struct Shared {
    account: Mutex<Account>,
    faults: Faults,
    log: AccessLog,
    meter: Meter,
    clock: Arc<dyn Clock>,
}

struct Account {
    state: State,
    journal: Option<Journal>,
}

impl fmt::Debug for ActiveCampaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveCampaign").finish_non_exhaustive()
    }
}

impl ActiveCampaign {
    /// Opens the account that is kept in `dir`, filled with demo data when it is new; without a folder it lives in
    /// memory only. Fails when the folder cannot be used or holds something unreadable. The key is fixed, so nothing
    /// here needs randomness; it is taken so that all CRMs are opened alike.
    pub fn open(dir: Option<&Path>, clock: Arc<dyn Clock>, _random: Arc<dyn Random>) -> anyhow::Result<Self> {
        let log = AccessLog::new(clock.clone());
        let mut journal = dir.map(|dir| Journal::open(dir, "activecampaign")).transpose()?;
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
        })))
    }

    /// The vendor's paths (`/api/3/…`) and the simulator's own (`/_state`, …).
    pub fn router(&self) -> Router {
        let api = routes::api()
            // Not a fallback: those of nested routers get lost when the whole is nested once more.
            .route("/{*path}", any(async || ApiError::no_such_path()))
            .method_not_allowed_fallback(async || ApiError::no_such_method())
            .layer(from_fn(auth::require_key));
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

    /// Enforces these limits from now on and tells them in headers; the default does neither.
    pub fn set_limits(&self, limits: Limits) {
        self.0.meter.set(limits);
    }

    /// Puts a contact on a list with a status, as if the person had filled in or left a form; past the API.
    ///
    /// # Errors
    /// When there is no such contact or the change cannot be stored.
    pub fn subscribe(&self, contact_id: &str, list_id: u64, status: u8) -> anyhow::Result<()> {
        let mut account = self.account();
        let mut tx = Transaction::new(&account.state, self.clock());
        let contact = tx.state.contact(contact_id);
        let mut contact = contact
            .map_err(|_| anyhow::anyhow!("there is no contact {contact_id}"))?
            .clone();
        contact.lists.retain(|row| row.list != list_id);
        contact.lists.push(Subscription {
            id: tx.next_id("contactList"),
            list: list_id,
            status,
            at: tx.now,
        });
        tx.put(Record::Contact(contact));
        let Transaction { changes, .. } = tx;
        self.commit(&mut account, changes, Vec::new(), &RequestId(String::new()))
    }

    /// Fills the account with the demo data again and forgets log and faults.
    pub fn reset(&self) -> anyhow::Result<()> {
        let (state, rows) = seed::planted(self.clock())?;
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
        state.apply(Change::Put(Box::new(record)));
    }
    Ok(Some(state))
}
