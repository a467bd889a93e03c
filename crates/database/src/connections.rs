//! Table `connections`, and what is written together with `platform-connection-auths`.

use mfh_aws::SealedSecrets;
use mfh_types::{
    AccountId, AuthId, ConnectionError, ConnectionId, ConnectionStatus, JsonObject, PlatformConnection,
    PlatformConnectionAuth, Timestamp,
};

use crate::auths::NewSecrets;
use crate::counters::{Counter, create_counted, delete_counted};
use crate::expression::{Condition, Update};
use crate::table::{Query, Table};
use crate::transaction::transact;
use crate::{Creation, Database, DatabaseError};

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
            .set("updated_at", now)
            .add("version", 1)
    }
}

/// Connections.
#[derive(Debug, Clone, Copy)]
pub struct Connections<'a>(pub(crate) &'a Database);

impl<'a> Connections<'a> {
    fn table(self) -> Table<'a> {
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

    /// Stores a connection with its credentials unless the account has `limit` connections (0 = unlimited).
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn create(&self, new: NewConnection, limit: u32) -> Result<Creation, DatabaseError> {
        let (connections, auths) = (self.table(), self.0.auths());
        let writes = vec![
            connections.put_action(connections.encode(&new.connection)?, connections.absent())?,
            auths.create_action(&new.auth, &new.sealed)?,
        ];
        create_counted(self.0, &new.connection.account_id, Counter::Connections, limit, writes).await
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
    /// to that. Tells whether it did: not when the credentials are no longer of version `expected`, or are gone.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn replace_credentials(
        &self,
        account: &AccountId,
        (id, auth): (&ConnectionId, &AuthId),
        secrets: NewSecrets,
        expected: u64,
        change: ConnectionChange,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let works = ConnectionChange::works(now);
        let change = ConnectionChange {
            status: change.status.or(works.status),
            last_connected: change.last_connected.or(works.last_connected),
            last_error: change.last_error.or(works.last_error),
            reauth_required: change.reauth_required.or(works.reauth_required),
            ..change
        };
        let update = change.update(self.belongs_to(account), now);
        let writes = vec![
            self.table().update_action(&[id.as_str()], update)?,
            self.0
                .auths()
                .replace_action(account, id, auth, secrets, expected, now)?,
        ];
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
        writes.truncate(1);
        let answer = delete_counted(self.0, account, Counter::Connections, writes).await?;
        Ok(answer.is_ok())
    }
}
