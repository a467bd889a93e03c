//! Table `api-keys`.

use std::time::Duration;

use chrono::TimeDelta;
use mfh_types::{Account, AccountId, AccountStatus, ApiKey, ApiKeyId, ApiKeySecret, ApiKeyStatus, Timestamp, UserId};

use crate::counters::{Counter, create_counted, delete_counted};
use crate::expression::Update;
use crate::table::{Query, Table, text};
use crate::{Creation, Database, DatabaseError};

/// How long an index may lag behind its table.
const INDEX_LAG: Duration = Duration::from_millis(200);

/// What became of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The key is revoked now.
    Revoked,
    /// It was revoked before.
    AlreadyRevoked,
    /// The account has no such key.
    Missing,
}

/// Why a presented key does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Nothing that could be a key was presented.
    #[error("no key")]
    NoKey,
    /// No such key was ever made.
    #[error("unknown key")]
    Unknown,
    /// It was revoked, or its time is over.
    #[error("revoked or expired key")]
    Ended,
    /// Its account does not work.
    #[error("account not active")]
    AccountInactive,
}

/// API keys.
#[derive(Debug, Clone, Copy)]
pub struct ApiKeys<'a>(pub(crate) &'a Database);

impl<'a> ApiKeys<'a> {
    fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.api_keys, &["key_id"])
    }

    /// Stores a new key unless the account has `limit` active ones (0 = unlimited).
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn create(&self, key: &ApiKey, limit: u32) -> Result<Creation, DatabaseError> {
        let table = self.table();
        let writes = vec![table.put_action(table.encode(key)?, table.absent())?];
        create_counted(self.0, &key.account_id, Counter::ApiKeys, limit, writes).await
    }

    /// All keys of an account, revoked ones included.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn list(&self, account: &AccountId) -> Result<Vec<ApiKey>, DatabaseError> {
        let query = Query::index("AccountIdIndex", "account_id", account.as_str());
        self.table().query_all(&query).await
    }

    /// The key of this id, revoked or not.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, account: &AccountId, id: &ApiKeyId) -> Result<Option<ApiKey>, DatabaseError> {
        let key = self.table().get::<ApiKey>(&[id.as_str()]).await?;
        Ok(key.filter(|key| key.account_id == *account))
    }

    /// The key with this hash, revoked or not. The index lags: a key made just now may not be found.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn by_hash(&self, hash: &str) -> Result<Option<ApiKey>, DatabaseError> {
        if hash.is_empty() {
            return Ok(None);
        }
        let query = Query::index("KeyHashIndex", "key_hash", hash);
        let found = self.table().query_all::<ApiKey>(&query).await?;
        Ok(found.into_iter().next())
    }

    /// The key with this hash; one that is not found is looked up once more after 200 ms.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn by_hash_patiently(&self, hash: &str) -> Result<Option<ApiKey>, DatabaseError> {
        if let Some(key) = self.by_hash(hash).await? {
            return Ok(Some(key));
        }
        tokio::time::sleep(INDEX_LAG).await;
        self.by_hash(hash).await
    }

    /// The presented key with its account, when it counts: it exists, is neither revoked nor expired, and its account is
    /// active. Its use is noted.
    ///
    /// # Errors
    /// A table cannot be read: that is no verdict on the key.
    pub async fn identify(
        &self,
        presented: &str,
        now: Timestamp,
    ) -> Result<Result<(ApiKey, Account), KeyFault>, DatabaseError> {
        let Some(secret) = ApiKeySecret::parse(presented) else {
            return Ok(Err(KeyFault::NoKey));
        };
        let Some(key) = self.by_hash_patiently(&secret.hash()).await? else {
            return Ok(Err(KeyFault::Unknown));
        };
        if !key.is_usable(now) {
            return Ok(Err(KeyFault::Ended));
        }
        let account = self.0.accounts().get(&key.account_id).await?;
        let Some(account) = account.filter(|account| account.status == AccountStatus::Active) else {
            return Ok(Err(KeyFault::AccountInactive));
        };
        // When a key was last used is a convenience: failing to note it refuses nobody. It is noted before the answer,
        // since Lambda freezes the process after it.
        if let Err(error) = self.touch(&key, now).await {
            tracing::warn!(%error, "the use of an API key was not noted");
        }
        Ok(Ok((key, account)))
    }

    /// Revokes a key for good and counts it off, once.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn revoke(
        &self,
        account: &AccountId,
        id: &ApiKeyId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Revocation, DatabaseError> {
        let condition = self
            .table()
            .exists()
            .and("#account_id = :account AND #status = :active")
            .bind("account", account)
            .bind("active", ApiKeyStatus::Active);
        let update = Update::when(condition)
            .set("status", ApiKeyStatus::Revoked)
            .set("revoked_at", now)
            .set("revoked_by", by);
        let writes = vec![self.table().update_action(&[id.as_str()], update)?];
        let answer = delete_counted(self.0, account, Counter::ApiKeys, writes).await?;
        let Err(refusals) = answer else {
            return Ok(Revocation::Revoked);
        };
        let owner = refusals.item(0).and_then(|item| text(item, "account_id"));
        Ok(if owner == Some(account.as_str()) {
            Revocation::AlreadyRevoked
        } else {
            Revocation::Missing
        })
    }

    /// Records that a key was used, at most once a minute. `key` is as it was read; one that was noted a moment ago
    /// costs no call.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn touch(&self, key: &ApiKey, now: Timestamp) -> Result<(), DatabaseError> {
        let minute_ago = Timestamp(now.0 - TimeDelta::minutes(1));
        if key.last_used_at.is_some_and(|noted| noted > minute_ago) {
            return Ok(());
        }
        let condition = self
            .table()
            .exists()
            .and(
                "(attribute_not_exists(#last_used_at) OR attribute_type(#last_used_at, :null) \
                 OR #last_used_at <= :minute_ago)",
            )
            .bind("null", "NULL")
            .bind("minute_ago", minute_ago);
        let update = Update::when(condition).set("last_used_at", now);
        self.table().apply(&[key.key_id.as_str()], update).await.map(drop)
    }
}
