//! One repository per table; every condition and every transaction of the product lives here.
//!
//! A method that answers for a tenant takes its account, and treats the record of another account like a missing
//! one. What a condition refused is an outcome of the method, never an error.

mod accounts;
mod api_keys;
mod auths;
mod connections;
mod counters;
mod error;
mod executions;
mod expression;
mod helpers;
mod oauth_states;
mod platforms;
mod rate_limits;
mod retry;
#[cfg(feature = "schema")]
pub mod schema;
mod table;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod user_accounts;
mod users;

use aws_sdk_dynamodb::Client;
use mfh_aws::Tables;

pub use accounts::Accounts;
pub use api_keys::{ApiKeys, KeyFault, Revocation};
pub use auths::{Auths, NewSecrets, StoredSecrets};
pub use connections::{Connecting, ConnectionChange, Connections, NewConnection, Renaming};
pub use counters::Creation;
pub use error::DatabaseError;
pub use executions::{
    Acceptance, Cancellation, Claim, DueExecution, ExecutionFilter, Executions, Finish, ListError, PENDING_SHARDS,
    Page, Release, Reservation, Return, Stalled, Surroundings, pending_shard,
};
pub use helpers::{Deletion, HelperChange, HelperUpdate, Helpers};
pub use oauth_states::OAuthStates;
pub use platforms::{Platforms, Upsert};
pub use rate_limits::{RateLimits, Turn, TurnClaim};
pub use user_accounts::UserAccounts;
pub use users::{ProfileChange, Registration, Users};

use table::Table;

/// The tables of a stage; cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    client: Client,
    tables: Tables,
}

impl Database {
    /// The tables of these names.
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables }
    }

    /// Users.
    pub fn users(&self) -> Users<'_> {
        Users(self)
    }

    /// Accounts.
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts(self)
    }

    /// Memberships.
    pub fn user_accounts(&self) -> UserAccounts<'_> {
        UserAccounts(self)
    }

    /// API keys.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }

    /// Platforms.
    pub fn platforms(&self) -> Platforms<'_> {
        Platforms(self)
    }

    /// Connections.
    pub fn connections(&self) -> Connections<'_> {
        Connections(self)
    }

    /// Credentials of connections.
    pub fn auths(&self) -> Auths<'_> {
        Auths(self)
    }

    /// Helpers.
    pub fn helpers(&self) -> Helpers<'_> {
        Helpers(self)
    }

    /// Executions.
    pub fn executions(&self) -> Executions<'_> {
        Executions(self)
    }

    /// OAuth states.
    pub fn oauth_states(&self) -> OAuthStates<'_> {
        OAuthStates(self)
    }

    /// Rate limits and counters.
    pub fn rate_limits(&self) -> RateLimits<'_> {
        RateLimits(self)
    }

    fn table<'a>(&'a self, name: &'a str, keys: &'static [&'static str]) -> Table<'a> {
        Table {
            client: &self.client,
            name,
            keys,
        }
    }
}
