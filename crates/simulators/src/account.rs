//! An account at a simulated vendor: what it holds in memory and on disk, behind the vendor's interface and the
//! simulator's own.
#![allow(
    private_bounds,
    private_interfaces,
    reason = "accounts are known outside by the vendors' names, and only this crate has vendors"
)]

use std::fmt::{self, Debug};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use mfh_types::{Clock, Random, TimestampMs};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access_log::{self, AccessLog, Draft, RequestId};
use crate::faults::{self, Faults};
use crate::journal::{Journal, Row};
use crate::limits::Meter;
use crate::records::{Change, Holdings, Records, Transaction};
use crate::server::Server;

/// A vendor whose limits can be set; public, as the method that sets them speaks of it.
pub trait Limited {
    /// The limits to enforce; the default enforces none.
    type Limits: Debug + Default + Copy + Serialize + DeserializeOwned + Send;
}

/// In what a vendor differs from the others: its records, paths, limits and refusals.
pub(crate) trait Vendor: Limited + Debug + Copy + Send + Sync + 'static {
    /// The platform that it stands for, after which the file of an account is named.
    const SLUG: &'static str;
    /// The vendor as people write it.
    const NAME: &'static str;
    /// The path that the API begins with; empty where it begins at the root.
    const BASE_PATH: &'static str = "";
    /// The paths below it that are the API's, whether it has something there or not.
    const EVERYTHING: &'static [&'static str] = &["/{*path}"];
    /// What signs in to the demo account, by the keys of the form that users fill in.
    const CREDENTIALS: &'static [(&'static str, &'static str)];
    /// Id and secret of the demo app, where users can sign in by OAuth.
    const OAUTH_CLIENT: Option<(&'static str, &'static str)> = None;
    /// A contact of the demo data.
    const DEMO_CONTACT_ID: &'static str;
    /// How many contacts the demo account has.
    const CONTACTS: usize = 200;

    type State: Records;
    type Failure: Failure;

    /// The API's paths, without the base path.
    fn api() -> Router<Account<Self>>;

    /// The paths for signing in, which need no token.
    fn sign_in() -> Router<Account<Self>> {
        Router::new()
    }

    /// The answer to a request of the API that may not pass; none when it may.
    fn refusal(account: &Account<Self>, headers: &HeaderMap) -> Option<Response>;

    /// The middleware that counts requests of the API, refuses what is over the limit, and adds the headers.
    fn meter(account: State<Account<Self>>, request: Request, next: Next) -> impl Future<Output = Response> + Send;

    /// The account for people and tests, or one contact of it, with names in place of ids.
    fn show(state: &Self::State, contact_id: Option<&str>, now: TimestampMs) -> Result<Value, Self::Failure>;

    /// Puts what the demo data has beside contacts into an empty account.
    fn plant(_tx: &mut Transaction<'_, Self::State>) {}

    /// Puts one of the demo contacts into the account; `index` counts from 0.
    fn plant_contact(tx: &mut Transaction<'_, Self::State>, index: usize) -> Result<(), Self::Failure>;
}

/// An answer of the API other than success.
pub(crate) trait Failure: Debug + IntoResponse {
    /// The path does not exist.
    fn no_such_path() -> Self;

    /// The path exists with other methods.
    fn no_such_method() -> Self;

    /// The body is not the JSON that is wanted.
    fn unreadable(error: &serde_json::Error) -> Self;

    /// The simulator could not store the change.
    fn internal() -> Self;

    /// The body that the vendor usually sends with a status, for faults on demand.
    fn usual_body(status: u16) -> Value;
}

/// An account behind an HTTP interface; clones share it.
#[derive(Clone)]
pub struct Account<V: Vendor>(Arc<Shared<V>>);

struct Shared<V: Vendor> {
    stored: Mutex<Stored<V>>,
    faults: Faults,
    log: AccessLog,
    meter: Mutex<Meter<V::Limits>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

struct Stored<V: Vendor> {
    holdings: Holdings<V::State>,
    journal: Option<Journal>,
}

impl<V: Vendor> Debug for Account<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(V::NAME).finish_non_exhaustive()
    }
}

impl<V: Vendor> Account<V> {
    /// Opens the account that is kept in `dir`, filled with demo data when it is new; without a folder it lives in
    /// memory only.
    ///
    /// # Errors
    /// When the folder cannot be used or holds something unreadable.
    pub fn open(dir: Option<&Path>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> anyhow::Result<Self> {
        let log = AccessLog::new(clock.clone());
        let mut journal = dir.map(|dir| Journal::open(dir, V::SLUG)).transpose()?;
        let rows = journal.as_ref().map(Journal::records).transpose()?.unwrap_or_default();
        let holdings = if rows.is_empty() {
            let (holdings, rows) = planted::<V>(&*clock, &*random)?;
            if let Some(journal) = &mut journal {
                journal.replace(&rows)?;
            }
            holdings
        } else {
            Holdings::read(rows)?
        };
        if let Some(journal) = &journal {
            log.extend(journal.writes()?);
        }
        Ok(Self(Arc::new(Shared {
            stored: Mutex::new(Stored { holdings, journal }),
            faults: Faults::new(V::Failure::usual_body),
            log,
            meter: Mutex::default(),
            clock,
            random,
        })))
    }

    /// The vendor's paths and the simulator's own (`/_state`, …).
    pub fn router(&self) -> Router {
        let mut api = V::api();
        for path in V::EVERYTHING {
            // Not a fallback: those of nested routers get lost when the whole is nested once more.
            api = api.route(path, any(async || V::Failure::no_such_path()));
        }
        api = api
            .method_not_allowed_fallback(async || V::Failure::no_such_method())
            .layer(from_fn_with_state(self.clone(), guard::<V>));
        if !V::BASE_PATH.is_empty() {
            api = Router::new().nest(V::BASE_PATH, api);
        }
        let spoil = || from_fn_with_state(self.0.faults.clone(), faults::spoil);
        api.layer(spoil())
            .layer(from_fn_with_state(self.clone(), V::meter))
            .merge(V::sign_in().layer(spoil()))
            .layer(from_fn_with_state(self.0.log.clone(), access_log::record))
            .merge(control::<V>())
            .with_state(self.clone())
            .merge(self.0.faults.routes())
            .merge(self.0.log.routes())
    }

    /// Serves the router on a free local port; `base_url()` of the result is what a connector is given.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(&self) -> anyhow::Result<Server> {
        Server::start(self.router(), V::BASE_PATH).await
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
    pub fn set_limits(&self, limits: V::Limits) {
        self.meter().limits = limits;
    }

    /// Fills the account with the demo data again and forgets log and faults; tokens stay good.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn reset(&self) -> anyhow::Result<()> {
        let (mut fresh, mut rows) = planted::<V>(self.clock(), &*self.0.random)?;
        let mut stored = self.stored();
        for token in stored.holdings.tokens.values() {
            let change = Change::token(token.clone());
            rows.push(change.row()?);
            fresh.apply(change);
        }
        if let Some(journal) = &mut stored.journal {
            journal.replace(&rows)?;
        }
        stored.holdings = fresh;
        self.0.log.clear();
        self.0.faults.clear();
        Ok(())
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn meter(&self) -> MutexGuard<'_, Meter<V::Limits>> {
        self.0.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stored(&self) -> MutexGuard<'_, Stored<V>> {
        self.0.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at everything that is stored.
    pub(crate) fn holdings<T>(&self, look: impl FnOnce(&Holdings<V::State>) -> T) -> T {
        look(&self.stored().holdings)
    }

    /// Looks at the records.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&V::State) -> T) -> T {
        self.holdings(|holdings| look(&holdings.records))
    }

    /// Applies an API write: `act` plans it, and once it is stored `show` makes the answer of the new state.
    pub(crate) fn write<T, R>(
        &self,
        request_id: &RequestId,
        act: impl FnOnce(&mut Transaction<'_, V::State>) -> Result<T, V::Failure>,
        show: impl FnOnce(&V::State, T) -> R,
    ) -> Result<R, V::Failure> {
        let mut stored = self.stored();
        let mut tx = Transaction::new(&stored.holdings, self.clock(), &*self.0.random);
        let outcome = act(&mut tx)?;
        let Transaction { changes, drafts, .. } = tx;
        self.commit(&mut stored, changes, drafts, request_id)
            .map_err(|error| internal::<V>(&error))?;
        Ok(show(&stored.holdings.records, outcome))
    }

    /// Applies a change that is not an API write, such as new tokens.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut Transaction<'_, V::State>) -> T) -> anyhow::Result<T> {
        let mut stored = self.stored();
        let mut tx = Transaction::new(&stored.holdings, self.clock(), &*self.0.random);
        let outcome = act(&mut tx);
        let Transaction { changes, .. } = tx;
        self.commit(&mut stored, changes, Vec::new(), &RequestId(String::new()))?;
        Ok(outcome)
    }

    /// Stores first, then applies: what was answered is never lost, and what could not be stored never happened.
    fn commit(
        &self,
        stored: &mut Stored<V>,
        changes: Vec<Change<V::State>>,
        drafts: Vec<Draft>,
        request_id: &RequestId,
    ) -> anyhow::Result<()> {
        let writes = self.0.log.number(drafts, request_id);
        if let Some(journal) = &mut stored.journal {
            let rows = changes.iter().map(Change::row).collect::<anyhow::Result<Vec<Row>>>()?;
            journal.commit(&rows, &writes)?;
        }
        for change in changes {
            stored.holdings.apply(change);
        }
        self.0.log.extend(writes);
        Ok(())
    }
}

/// What a demo account holds at first, and the rows to store for it.
fn planted<V: Vendor>(clock: &dyn Clock, random: &dyn Random) -> anyhow::Result<(Holdings<V::State>, Vec<Row>)> {
    let (mut holdings, mut rows) = (Holdings::bare(), Vec::new());
    for step in 0..=V::CONTACTS {
        let mut tx = Transaction::new(&holdings, clock, random);
        match step.checked_sub(1) {
            None => V::plant(&mut tx),
            Some(index) => V::plant_contact(&mut tx, index)
                .map_err(|error| anyhow::anyhow!("seeding the demo account: {error:?}"))?,
        }
        // Applied at once, so that the next step sees it.
        for change in tx.changes {
            rows.push(change.row()?);
            holdings.apply(change);
        }
    }
    Ok((holdings, rows))
}

/// The middleware that lets only those in who have signed in.
async fn guard<V: Vendor>(State(account): State<Account<V>>, request: Request, next: Next) -> Response {
    match V::refusal(&account, request.headers()) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// The vendor's answer when a change could not be stored.
pub(crate) fn internal<V: Vendor>(error: &anyhow::Error) -> V::Failure {
    tracing::error!(%error, "the simulator could not store a change");
    V::Failure::internal()
}

/// `GET /_state`, `POST /_reset`, `POST /_control/limits` and `POST /_control/expire_tokens`.
fn control<V: Vendor>() -> Router<Account<V>> {
    Router::new()
        .route("/_state", get(show_state::<V>))
        .route("/_reset", post(reset::<V>))
        .route("/_control/limits", post(set_limits::<V>))
        .route("/_control/expire_tokens", post(expire_tokens::<V>))
}

#[derive(Debug, Deserialize)]
struct Narrow {
    contact_id: Option<String>,
}

async fn show_state<V: Vendor>(
    State(account): State<Account<V>>,
    Query(narrow): Query<Narrow>,
) -> Result<Json<Value>, V::Failure> {
    let now = TimestampMs::now(account.clock());
    account.read(|state| V::show(state, narrow.contact_id.as_deref(), now).map(Json))
}

async fn reset<V: Vendor>(State(account): State<Account<V>>) -> Response {
    done::<V>(account.reset())
}

async fn expire_tokens<V: Vendor>(State(account): State<Account<V>>) -> Response {
    done::<V>(account.expire_tokens())
}

fn done<V: Vendor>(result: anyhow::Result<()>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => internal::<V>(&error).into_response(),
    }
}

async fn set_limits<V: Vendor>(State(account): State<Account<V>>, body: Bytes) -> Result<Json<V::Limits>, V::Failure> {
    let limits = serde_json::from_slice(&body).map_err(|error| V::Failure::unreadable(&error))?;
    account.set_limits(limits);
    Ok(Json(limits))
}
