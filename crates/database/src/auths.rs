//! Table `platform-connection-auths`: sealed credentials.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use mfh_aws::SealedSecrets;
use mfh_types::{
    AccountId, AuthId, AuthStatus, AuthType, ConnectionId, Credentials, PlatformConnectionAuth, Secret, Timestamp,
};

use crate::expression::{Condition, Update};
use crate::table::{Item, Table, text};
use crate::{Database, DatabaseError};

/// Columns in which an earlier version kept credentials in plain text.
const PLAIN: [&str; 4] = ["access_token", "refresh_token", "api_key", "api_secret"];

/// How long `last_used_at` may be old before it is written again, in seconds.
const USE_IS_RECORDED_EVERY: i64 = 15 * 60;

/// The credentials as the table holds them.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredSecrets {
    /// Sealed: `Vault::open` reads them.
    Sealed(SealedSecrets),
    /// In the plain columns of an earlier version; to be sealed at once with [`Auths::seal_legacy`].
    Plain(Credentials),
}

/// Credentials that take the place of the stored ones.
#[derive(Debug, Clone)]
pub struct NewSecrets {
    /// The credentials.
    pub sealed: SealedSecrets,
    /// When the access token ends, Unix seconds.
    pub expires_at: Option<i64>,
    /// OAuth scopes granted; `None` keeps the stored ones.
    pub scope: Option<String>,
    /// `Bearer`, if the vendor says so; `None` keeps the stored one.
    pub token_type: Option<String>,
}

/// Credentials of connections.
#[derive(Debug, Clone, Copy)]
pub struct Auths<'a>(pub(crate) &'a Database);

impl<'a> Auths<'a> {
    fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.platform_connection_auths, &["auth_id"])
    }

    fn belongs_to(self, account: &AccountId, connection: &ConnectionId) -> Condition {
        self.table()
            .exists()
            .and("#account_id = :account AND #connection_id = :connection")
            .bind("account", account)
            .bind("connection", connection)
    }

    fn at_version(self, account: &AccountId, connection: &ConnectionId, version: u64) -> Condition {
        let clause = if version == 0 {
            "(attribute_not_exists(#version) OR #version = :version)"
        } else {
            "#version = :version"
        };
        self.belongs_to(account, connection)
            .and(clause)
            .bind("version", version)
    }

    /// The credentials of a connection.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
    ) -> Result<Option<(PlatformConnectionAuth, StoredSecrets)>, DatabaseError> {
        let Some(mut item) = self.table().get_item(&[id.as_str()]).await? else {
            return Ok(None);
        };
        let secrets = take_secrets(&mut item);
        let auth: PlatformConnectionAuth = self.table().decode(item)?;
        let owned = auth.account_id == *account && auth.connection_id == *connection;
        Ok(owned.then_some((auth, secrets)))
    }

    /// Puts sealed credentials in the place of plain ones; tells whether the record still was of version `expected`.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn seal_legacy(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
        sealed: &SealedSecrets,
        expected: u64,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let update = sealed_into(Update::when(self.at_version(account, connection, expected)), sealed)
            .set("updated_at", now.0.timestamp())
            .add("version", 1);
        self.table().apply(&[id.as_str()], update).await
    }

    /// Records that the credentials were used, at most every 15 minutes.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn touch_used(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let now = now.0.timestamp();
        let condition = self
            .belongs_to(account, connection)
            .and(
                "(attribute_not_exists(#last_used_at) OR attribute_type(#last_used_at, :null) \
                 OR #last_used_at <= :before)",
            )
            .bind("null", "NULL")
            .bind("before", now - USE_IS_RECORDED_EVERY);
        let update = Update::when(condition).set("last_used_at", now);
        self.table().apply(&[id.as_str()], update).await.map(drop)
    }

    /// The condition under which a refresh may write: the record is as it was read, and nobody has switched it off.
    fn refreshable(self, account: &AccountId, connection: &ConnectionId, version: u64) -> Condition {
        self.at_version(account, connection, version)
            .and("#status = :active")
            .bind("active", AuthStatus::Active)
    }

    /// The active OAuth credentials whose refresh token was last renewed before `before` (Unix seconds).
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn idle_since(&self, before: i64) -> Result<Vec<PlatformConnectionAuth>, DatabaseError> {
        let filter = Condition::new("#auth_type = :oauth AND #status = :active")
            .and("(#last_refresh_at < :before OR (attribute_not_exists(#last_refresh_at) AND #created_at < :before))")
            .bind("oauth", AuthType::OAuth2)
            .bind("active", AuthStatus::Active)
            .bind("before", before);
        self.table().scan_where(filter).await
    }

    /// Reserves the refresh of credentials of version `expected` until `until` (Unix seconds); tells whether this
    /// caller may refresh them now (`pipeline` §7.4).
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn lock_refresh(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
        expected: u64,
        (owner, until): (&str, i64),
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let condition = self
            .refreshable(account, connection, expected)
            .and("(attribute_not_exists(#refresh_lock_until) OR #refresh_lock_until < :now)")
            .bind("now", now.0.timestamp());
        let update = Update::when(condition)
            .set("refresh_lock_until", until)
            .set("refresh_lock_owner", owner);
        self.table().apply(&[id.as_str()], update).await
    }

    /// Stores refreshed credentials and ends the reservation; tells whether the record still was of version
    /// `expected` (a user who signed in again meanwhile wins).
    ///
    /// # Errors
    /// The table cannot be written; when the vendor rotates tokens, try again until it works.
    pub async fn store_refreshed(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
        secrets: NewSecrets,
        expected: u64,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let condition = self.refreshable(account, connection, expected);
        self.put_refreshed(condition, id, secrets, now).await
    }

    async fn put_refreshed(
        self,
        condition: Condition,
        id: &AuthId,
        secrets: NewSecrets,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let update = replacement(condition, secrets, now).set("last_refresh_at", now.0.timestamp());
        self.table().apply(&[id.as_str()], update).await
    }

    /// Stores what a refresh of version `expected` brought after another one had been refused with the spent token, and
    /// the record declared dead for it; tells whether the record still was so.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn revive_refreshed(
        &self,
        (account, connection, id): (&AccountId, &ConnectionId, &AuthId),
        secrets: NewSecrets,
        expected: u64,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let dead = self.at_version(account, connection, expected + 1);
        let dead = dead.and("#status = :dead").bind("dead", AuthStatus::ReauthRequired);
        self.put_refreshed(dead, id, secrets, now).await
    }

    /// Records a failed refresh and ends the reservation: another may be tried at `retry_at` (Unix seconds), or, with
    /// `None`, never, so that the credentials are not used again until the user signs in. Tells whether the record
    /// still was of version `expected`.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn refresh_failed(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
        expected: u64,
        (reason, retry_at): (&str, Option<i64>),
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let status = retry_at.is_none().then_some(AuthStatus::ReauthRequired);
        let mut update = Update::when(self.refreshable(account, connection, expected))
            .set("last_refresh_error", reason)
            .set("updated_at", now.0.timestamp())
            .set_some("status", status)
            .set_or_remove("refresh_retry_at", retry_at)
            .remove(&["refresh_lock_until", "refresh_lock_owner"])
            .add("refresh_attempts", 1);
        if retry_at.is_none() {
            update = update.add("version", 1);
        }
        self.table().apply(&[id.as_str()], update).await
    }

    /// The write that stores a new record.
    pub(crate) fn create_action(
        self,
        auth: &PlatformConnectionAuth,
        sealed: &SealedSecrets,
    ) -> Result<TransactWriteItem, DatabaseError> {
        let table = self.table();
        let mut item = table.encode(auth)?;
        item.insert("secrets".to_owned(), AttributeValue::B(Blob::new(sealed.bytes.clone())));
        item.insert("secrets_key_id".to_owned(), AttributeValue::S(sealed.key_id.clone()));
        table.put_action(item, table.absent())
    }

    /// The write that replaces credentials of version `expected`.
    pub(crate) fn replace_action(
        self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
        secrets: NewSecrets,
        expected: u64,
        now: Timestamp,
    ) -> Result<TransactWriteItem, DatabaseError> {
        let update = replacement(self.at_version(account, connection, expected), secrets, now);
        self.table().update_action(&[id.as_str()], update)
    }

    /// The write that deletes a record.
    pub(crate) fn delete_action(
        self,
        account: &AccountId,
        connection: &ConnectionId,
        id: &AuthId,
    ) -> Result<TransactWriteItem, DatabaseError> {
        self.table()
            .delete_action(&[id.as_str()], self.belongs_to(account, connection))
    }
}

/// What new credentials change.
fn replacement(condition: Condition, secrets: NewSecrets, now: Timestamp) -> Update {
    sealed_into(Update::when(condition), &secrets.sealed)
        .set("status", AuthStatus::Active)
        .set_or_remove("expires_at", secrets.expires_at)
        .set_some("scope", secrets.scope)
        .set_some("token_type", secrets.token_type)
        .set("refresh_attempts", 0)
        .set("updated_at", now.0.timestamp())
        .remove(&[
            "last_refresh_error",
            "refresh_retry_at",
            "refresh_lock_until",
            "refresh_lock_owner",
            "revoked_at",
        ])
        .add("version", 1)
}

/// Stores sealed credentials and takes the plain columns away.
fn sealed_into(update: Update, sealed: &SealedSecrets) -> Update {
    update
        .set_bytes("secrets", &sealed.bytes)
        .set("secrets_key_id", &sealed.key_id)
        .remove(&PLAIN)
}

/// Takes the credentials out of an item, so that nothing that reads the rest sees them.
fn take_secrets(item: &mut Item) -> StoredSecrets {
    let mut plain = Credentials::default();
    for key in PLAIN {
        if let Some(AttributeValue::S(value)) = item.remove(key) {
            plain.set(key, Secret::new(value));
        }
    }
    match item.remove("secrets") {
        Some(AttributeValue::B(bytes)) => StoredSecrets::Sealed(SealedSecrets {
            bytes: bytes.into_inner(),
            key_id: text(item, "secrets_key_id").unwrap_or_default().to_owned(),
        }),
        _ => StoredSecrets::Plain(plain),
    }
}
