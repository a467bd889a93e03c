//! Table `connections`, and what is written together with `platform-connection-auths`.
//!
//! Names within a platform, and the accounts at a vendor that are signed in to, are unique within an account. Each is
//! reserved by an item of its own in this table, written with the connection: an index would show a rival too late.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mfh_aws::SealedSecrets;
use mfh_types::{
    AccountId, AuthId, ConnectionError, ConnectionId, ConnectionSettings, ConnectionStatus, JsonObject,
    PlatformConnection, PlatformConnectionAuth, Timestamp,
};

use crate::auths::NewSecrets;
use crate::counters::{Counter, create_counted, delete_counted};
use crate::expression::{Condition, Update};
use crate::table::{Item, Query, Table, text};
use crate::transaction::transact;
use crate::{Creation, Database, DatabaseError};

/// What became of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connecting {
    /// It was stored and counted.
    Created,
    /// The account has as many as its plan allows.
    LimitReached {
        /// How many it has.
        used: i64,
    },
    /// Another connection of the account has the name, or is signed in to the same account at the vendor.
    Taken,
}

/// What became of a new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renaming {
    /// It was stored.
    Renamed,
    /// Another connection to the platform has it.
    Taken,
    /// The connection is gone, or has another name than it was read with.
    Changed,
}

/// A connection that is to be stored with its credentials.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// The connection; its `auth_id` must be that of `auth`.
    pub connection: PlatformConnection,
    /// The credential record.
    pub auth: PlatformConnectionAuth,
    /// The credentials.
    pub sealed: SealedSecrets,
}

/// A change of a connection; what is `None` stays as it is, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionChange {
    /// Display name.
    pub name: Option<String>,
    /// Whether it works.
    pub status: Option<ConnectionStatus>,
    /// The last successful test.
    pub last_connected: Option<Timestamp>,
    /// Why it does not work.
    pub last_error: Option<Option<ConnectionError>>,
    /// Whether the user has to sign in again.
    pub reauth_required: Option<bool>,
    /// Facts about the credentials that are no secret.
    pub credentials_metadata: Option<Option<JsonObject>>,
    /// The customer's own host.
    pub base_url: Option<Option<String>>,
    /// Who signed in at the vendor.
    pub external_user_id: Option<Option<String>>,
    /// Their address.
    pub external_user_email: Option<Option<String>>,
    /// The vendor's account.
    pub external_app_id: Option<Option<String>>,
    /// Its name.
    pub external_app_name: Option<Option<String>>,
    /// When its access ends.
    pub expires_at: Option<Option<Timestamp>>,
    /// What the user set besides the credentials, all of it.
    pub settings: Option<ConnectionSettings>,
}

impl ConnectionChange {
    /// The change that a successful test or sign-in makes.
    pub fn works(now: Timestamp) -> Self {
        Self {
            status: Some(ConnectionStatus::Active),
            last_connected: Some(now),
            last_error: Some(None),
            reauth_required: Some(false),
            ..Self::default()
        }
    }

    fn update(self, condition: Condition, now: Timestamp) -> Update {
        Update::when(condition)
            .set_some("name", self.name)
            .set_some("status", self.status)
            .set_some("last_connected", self.last_connected)
            .change("last_error", self.last_error)
            .set_some("reauth_required", self.reauth_required)
            .change("credentials_metadata", self.credentials_metadata)
            .change("base_url", self.base_url)
            .change("external_user_id", self.external_user_id)
            .change("external_user_email", self.external_user_email)
            .change("external_app_id", self.external_app_id)
            .change("external_app_name", self.external_app_name)
            .change("expires_at", self.expires_at)
            .set_some("settings", self.settings)
            .set("updated_at", now)
            .add("version", 1)
    }
}

/// Connections.
#[derive(Debug, Clone, Copy)]
pub struct Connections<'a>(pub(crate) &'a Database);

impl<'a> Connections<'a> {
    pub(crate) fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.connections, &["connection_id"])
    }

    fn belongs_to(self, account: &AccountId) -> Condition {
        let exists = self.table().exists();
        exists.and("#account_id = :account").bind("account", account)
    }

    /// The connection of this id.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(
        &self,
        account: &AccountId,
        id: &ConnectionId,
    ) -> Result<Option<PlatformConnection>, DatabaseError> {
        let connection = self.table().get::<PlatformConnection>(&[id.as_str()]).await?;
        Ok(connection.filter(|connection| connection.account_id == *account))
    }

    /// All connections of an account, oldest first.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn list(&self, account: &AccountId) -> Result<Vec<PlatformConnection>, DatabaseError> {
        let query = Query::index("AccountIdIndex", "account_id", account.as_str());
        let mut connections = self.table().query_all::<PlatformConnection>(&query).await?;
        connections.sort_by_key(|connection| connection.created_at);
        Ok(connections)
    }

    /// Stores a connection with its credentials unless the account has `limit` connections (0 = unlimited), or one
    /// of the same name or account at the vendor.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn create(&self, new: NewConnection, limit: u32) -> Result<Connecting, DatabaseError> {
        let (connections, auths) = (self.table(), self.0.auths());
        let connection = &new.connection;
        let mut writes = vec![
            connections.put_action(connections.encode(connection)?, connections.absent())?,
            auths.create_action(&new.auth, &new.sealed)?,
        ];
        let keys: Vec<String> = [Some(name_key(connection, &connection.name)), identity_key(connection)]
            .into_iter()
            .flatten()
            .collect();
        for key in &keys {
            writes.push(self.reserve(key, &connection.connection_id)?);
        }
        match create_counted(self.0, &connection.account_id, Counter::Connections, limit, writes).await {
            Ok(Creation::Created) => Ok(Connecting::Created),
            Ok(Creation::LimitReached { used }) => Ok(Connecting::LimitReached { used }),
            Err(DatabaseError::Conflict) => {
                for key in &keys {
                    if self.table().get_item(&[key.as_str()]).await?.is_some() {
                        return Ok(Connecting::Taken);
                    }
                }
                Err(DatabaseError::Conflict)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a connection another name.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn rename(
        &self,
        connection: &PlatformConnection,
        name: &str,
        now: Timestamp,
    ) -> Result<Renaming, DatabaseError> {
        let id = &connection.connection_id;
        let unchanged = self
            .belongs_to(&connection.account_id)
            .and("#name = :seen")
            .bind("seen", &connection.name);
        let change = ConnectionChange {
            name: Some(name.to_owned()),
            ..ConnectionChange::default()
        };
        let mut writes = vec![
            self.table()
                .update_action(&[id.as_str()], change.update(unchanged, now))?,
        ];
        let swap = (name_key(connection, &connection.name), name_key(connection, name));
        writes.extend(self.swap(id, (Some(swap.0), Some(swap.1))).await?);
        Ok(match transact(&self.0.client, writes).await? {
            Ok(()) => Renaming::Renamed,
            Err(refusals) if refusals.refused(0) => Renaming::Changed,
            Err(_) => Renaming::Taken,
        })
    }

    /// Reserves a key for a connection, which may hold it already.
    fn reserve(self, key: &str, id: &ConnectionId) -> Result<TransactWriteItem, DatabaseError> {
        let item = Item::from([
            ("connection_id".to_owned(), AttributeValue::S(key.to_owned())),
            ("reserved_for".to_owned(), AttributeValue::S(id.to_string())),
        ]);
        let free = Condition::new("(attribute_not_exists(#connection_id) OR #reserved_for = :id)").bind("id", id);
        self.table().put_action(item, free)
    }

    /// The write that frees a key; none where this connection does not hold it, as those made before there were
    /// reservations.
    async fn free(self, key: &str, id: &ConnectionId) -> Result<Option<TransactWriteItem>, DatabaseError> {
        let held = self.table().get_item(&[key]).await?;
        if held.as_ref().and_then(|item| text(item, "reserved_for")) != Some(id.as_str()) {
            return Ok(None);
        }
        let own = Condition::new("#reserved_for = :id").bind("id", id);
        self.table().delete_action(&[key], own).map(Some)
    }

    /// Frees the old key and reserves the new one, where they differ.
    async fn swap(
        self,
        id: &ConnectionId,
        (old, new): (Option<String>, Option<String>),
    ) -> Result<Vec<TransactWriteItem>, DatabaseError> {
        let mut writes = Vec::new();
        if old == new {
            return Ok(writes);
        }
        if let Some(key) = new {
            writes.push(self.reserve(&key, id)?);
        }
        if let Some(key) = old {
            writes.extend(self.free(&key, id).await?);
        }
        Ok(writes)
    }

    /// Changes a connection and returns it as it is then; `None` when the account has none of this id.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn update(
        &self,
        account: &AccountId,
        id: &ConnectionId,
        change: ConnectionChange,
        now: Timestamp,
    ) -> Result<Option<PlatformConnection>, DatabaseError> {
        let update = change.update(self.belongs_to(account), now);
        let answer = self.table().update(&[id.as_str()], update).await?;
        answer.ok().map(|item| self.table().decode(item)).transpose()
    }

    /// Replaces the credentials after a new sign-in or new keys, and marks the connection as working; `change` adds
    /// to that, except a name. Tells whether it did: not when the credentials are no longer of version `expected`, or
    /// are gone, or another connection is signed in to the same account at the vendor.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn replace_credentials(
        &self,
        connection: &PlatformConnection,
        auth: &AuthId,
        secrets: NewSecrets,
        expected: u64,
        change: ConnectionChange,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let (account, id) = (&connection.account_id, &connection.connection_id);
        let mut next = connection.clone();
        if let Some(user) = &change.external_user_id {
            next.external_user_id.clone_from(user);
        }
        if let Some(app) = &change.external_app_id {
            next.external_app_id.clone_from(app);
        }
        let works = ConnectionChange::works(now);
        let change = ConnectionChange {
            status: change.status.or(works.status),
            last_connected: change.last_connected.or(works.last_connected),
            last_error: change.last_error.or(works.last_error),
            reauth_required: change.reauth_required.or(works.reauth_required),
            name: None,
            ..change
        };
        let update = change.update(self.belongs_to(account), now);
        let mut writes = vec![
            self.table().update_action(&[id.as_str()], update)?,
            self.0
                .auths()
                .replace_action(account, id, auth, secrets, expected, now)?,
        ];
        writes.extend(self.swap(id, (identity_key(connection), identity_key(&next))).await?);
        Ok(transact(&self.0.client, writes).await?.is_ok())
    }

    /// Deletes a connection and its credentials and counts it off; tells whether the account had it.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn delete(&self, account: &AccountId, id: &ConnectionId) -> Result<bool, DatabaseError> {
        let Some(connection) = self.get(account, id).await? else {
            return Ok(false);
        };
        let mut writes = vec![self.table().delete_action(&[id.as_str()], self.belongs_to(account))?];
        let keys = [Some(name_key(&connection, &connection.name)), identity_key(&connection)];
        for key in keys.into_iter().flatten() {
            writes.extend(self.free(&key, id).await?);
        }
        let without_credentials = writes.len();
        if let Some(auth) = &connection.auth_id {
            writes.push(self.0.auths().delete_action(account, id, auth)?);
        }
        let Err(refusals) = delete_counted(self.0, account, Counter::Connections, writes.clone()).await? else {
            return Ok(true);
        };
        if refusals.refused(0) {
            return Ok(false);
        }
        // The credentials are gone or another connection's: the connection still goes.
        writes.truncate(without_credentials);
        let answer = delete_counted(self.0, account, Counter::Connections, writes).await?;
        Ok(answer.is_ok())
    }
}

/// The key that reserves a name among the connections of an account to a platform, in any case.
fn name_key(connection: &PlatformConnection, name: &str) -> String {
    reservation("name", connection, &[&name.to_lowercase()])
}

/// The key that reserves the account at the vendor that a connection is signed in to, where it is known.
fn identity_key(connection: &PlatformConnection) -> Option<String> {
    let user = connection.external_user_id.as_deref()?;
    let app = connection.external_app_id.as_deref().unwrap_or_default();
    Some(reservation("identity", connection, &[user, app]))
}

/// Never the id of a connection: those begin with `connection:`.
fn reservation(kind: &str, connection: &PlatformConnection, parts: &[&str]) -> String {
    let mut text = format!("{}\n{}", connection.account_id, connection.platform_id);
    for part in parts {
        text.push('\n');
        text.push_str(part);
    }
    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
    format!("{kind}:{hash}")
}
