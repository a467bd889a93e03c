//! Table `helpers`. Deleted helpers stay for 30 days, and are absent to all methods but `get_any`.

use chrono::TimeDelta;
use mfh_types::{
    AccountId, ConfigFault, ConnectionId, Helper, HelperId, HelperStatus, JsonObject, ShortKey, Timestamp,
};

use crate::counters::{Counter, create_counted, delete_counted};
use crate::expression::{Condition, Update};
use crate::table::{Query, Table, text};
use crate::{Creation, Database, DatabaseError};

/// How long a deleted helper is kept, so that its executions can still be explained.
const KEPT_AFTER_DELETION: TimeDelta = TimeDelta::days(30);

/// A change of a helper by a user; what is `None` stays as it is, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HelperChange {
    /// Display name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// All its settings.
    pub config: Option<JsonObject>,
    /// What keeps it a draft; empty when nothing does.
    pub config_errors: Option<Vec<ConfigFault>>,
    /// Whether it may run.
    pub enabled: Option<bool>,
    /// The connection it works on.
    pub connection_id: Option<Option<ConnectionId>>,
    /// Whether it runs on a schedule.
    pub schedule_enabled: Option<bool>,
    /// `rate(…)` or `cron(…)`.
    pub cron_expression: Option<Option<String>>,
    /// When it runs next.
    pub next_scheduled_at: Option<Option<Timestamp>>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum HelperUpdate {
    /// It is made; this is the helper now.
    Updated(Box<Helper>),
    /// The helper is no longer of the expected version.
    Modified,
    /// The account has no such helper.
    Missing,
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is deleted now.
    Deleted,
    /// The account has none of this id.
    Missing,
}

/// Helpers.
#[derive(Debug, Clone, Copy)]
pub struct Helpers<'a>(pub(crate) &'a Database);

impl<'a> Helpers<'a> {
    pub(crate) fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.helpers, &["helper_id"])
    }

    /// The condition that the account has the helper and it is not deleted.
    pub(crate) fn live(self, account: &AccountId) -> Condition {
        self.table()
            .exists()
            .and("#account_id = :account AND #status <> :deleted")
            .bind("account", account)
            .bind("deleted", HelperStatus::Deleted)
    }

    /// The helper of this id.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, account: &AccountId, id: &HelperId) -> Result<Option<Helper>, DatabaseError> {
        let helper = self.get_any(id).await?;
        Ok(helper.filter(|helper| helper.account_id == *account && helper.status != HelperStatus::Deleted))
    }

    /// The helper of this id, whosever it is and deleted or not: for workers, which have the id from an execution.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get_any(&self, id: &HelperId) -> Result<Option<Helper>, DatabaseError> {
        self.table().get(&[id.as_str()]).await
    }

    /// The helper that an address names by its id, the bare UUID of the id, or its short key.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn resolve(&self, account: &AccountId, identifier: &str) -> Result<Option<Helper>, DatabaseError> {
        let is_short_key = !identifier.starts_with(HelperId::PREFIX) && identifier.len() <= ShortKey::MAX_LEN;
        if !is_short_key {
            return match HelperId::parse(identifier) {
                Ok(id) => self.get(account, &id).await,
                Err(_) => Ok(None),
            };
        }
        let Some(short_key) = ShortKey::parse(identifier) else {
            return Ok(None);
        };
        let found = self.table().query_all::<Helper>(&by_short_key(&short_key)).await?;
        for helper in found.into_iter().filter(|helper| helper.account_id == *account) {
            // The index lags behind the table: what counts is the helper as it is now.
            if let Some(helper) = self.get(account, &helper.helper_id).await? {
                return Ok(Some(helper));
            }
        }
        Ok(None)
    }

    /// All helpers of an account, newest first.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn list(&self, account: &AccountId) -> Result<Vec<Helper>, DatabaseError> {
        let query = Query {
            filter: Condition::new("#status <> :deleted").bind("deleted", HelperStatus::Deleted),
            ..Query::index("AccountIdIndex", "account_id", account.as_str())
        };
        let mut helpers = self.table().query_all::<Helper>(&query).await?;
        helpers.sort_by(|a, b| (b.created_at, &b.helper_id).cmp(&(a.created_at, &a.helper_id)));
        Ok(helpers)
    }

    /// Whether a helper has this short key, in any account, deleted ones included.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn short_key_taken(&self, short_key: &ShortKey) -> Result<bool, DatabaseError> {
        let slice = self
            .table()
            .query_slice(&by_short_key(short_key), Some(1), None)
            .await?;
        Ok(!slice.items.is_empty())
    }

    /// Stores a new helper unless the account has `limit` helpers (0 = unlimited).
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn create(&self, helper: &Helper, limit: u32) -> Result<Creation, DatabaseError> {
        let table = self.table();
        let writes = vec![table.put_action(table.encode(helper)?, table.absent())?];
        create_counted(self.0, &helper.account_id, Counter::Helpers, limit, writes).await
    }

    /// Makes a user's change; with `expected_version` only when nobody changed the helper since it was read.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn update(
        &self,
        account: &AccountId,
        id: &HelperId,
        change: HelperChange,
        expected_version: Option<u64>,
        now: Timestamp,
    ) -> Result<HelperUpdate, DatabaseError> {
        let mut condition = self.live(account);
        if let Some(version) = expected_version {
            let clause = if version == 0 {
                "(attribute_not_exists(#version) OR #version = :version)"
            } else {
                "#version = :version"
            };
            condition = condition.and(clause).bind("version", version);
        }
        let update = Update::when(condition)
            .set_some("name", change.name)
            .set_some("description", change.description)
            .set_some("config", change.config)
            .set_some("config_errors", change.config_errors)
            .set_some("enabled", change.enabled)
            .change("connection_id", change.connection_id)
            .set_some("schedule_enabled", change.schedule_enabled)
            .change("cron_expression", change.cron_expression)
            .change("next_scheduled_at", change.next_scheduled_at)
            .set("updated_at", now)
            .add("version", 1);
        match self.table().update(&[id.as_str()], update).await? {
            Ok(item) => Ok(HelperUpdate::Updated(Box::new(self.table().decode(item)?))),
            Err(refused) => Ok(match refused.0 {
                Some(item)
                    if text(&item, "account_id") == Some(account.as_str())
                        && text(&item, "status") != Some("deleted") =>
                {
                    HelperUpdate::Modified
                }
                _ => HelperUpdate::Missing,
            }),
        }
    }

    /// Records a scheduled run and when the next one is; not a change by the user. Tells whether the helper exists.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn mark_scheduled(
        &self,
        account: &AccountId,
        id: &HelperId,
        ran_at: Timestamp,
        next: Option<Timestamp>,
    ) -> Result<bool, DatabaseError> {
        let update = Update::when(self.live(account))
            .set("last_scheduled_at", ran_at)
            .set_or_remove("next_scheduled_at", next);
        self.table().apply(&[id.as_str()], update).await
    }

    /// Deletes a helper and counts it off; the record goes 30 days later.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn delete(&self, account: &AccountId, id: &HelperId, now: Timestamp) -> Result<Deletion, DatabaseError> {
        let update = Update::when(self.live(account))
            .set("status", HelperStatus::Deleted)
            .set("enabled", false)
            .set("schedule_enabled", false)
            .set("deleted_at", now)
            .set("updated_at", now)
            .set("ttl", (now.0 + KEPT_AFTER_DELETION).timestamp())
            .add("version", 1);
        let writes = vec![self.table().update_action(&[id.as_str()], update)?];
        Ok(match delete_counted(self.0, account, Counter::Helpers, writes).await? {
            Ok(()) => Deletion::Deleted,
            Err(_) => Deletion::Missing,
        })
    }

    /// The helpers that work on a connection, or name it among their service connections.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn using_connection(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
    ) -> Result<Vec<Helper>, DatabaseError> {
        let mut helpers = self.list(account).await?;
        helpers.retain(|helper| helper.connection_id.as_ref() == Some(connection) || names(helper, connection));
        Ok(helpers)
    }

    /// Disables all helpers that use a connection which goes, and clears it where they work on it; returns their ids.
    ///
    /// # Errors
    /// The table cannot be written; some helpers may be detached then, and a repeat does the rest.
    pub async fn detach_connection(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Result<Vec<HelperId>, DatabaseError> {
        let mut detached = Vec::new();
        for helper in self.using_connection(account, connection).await? {
            let works_on_it = helper.connection_id.as_ref() == Some(connection);
            let change = HelperChange {
                enabled: Some(false),
                connection_id: works_on_it.then_some(None),
                ..HelperChange::default()
            };
            let answer = self.update(account, &helper.helper_id, change, None, now).await?;
            if matches!(answer, HelperUpdate::Updated(_)) {
                detached.push(helper.helper_id);
            }
        }
        Ok(detached)
    }
}

fn by_short_key(short_key: &ShortKey) -> Query {
    Query::index("ShortKeyIndex", "short_key", short_key.as_str())
}

/// Whether `service_connection_ids` in the settings names the connection.
fn names(helper: &Helper, connection: &ConnectionId) -> bool {
    let services = helper
        .config
        .get("service_connection_ids")
        .and_then(|value| value.as_object());
    services.is_some_and(|services| {
        services.values().any(|id| {
            id.as_str()
                .is_some_and(|id| ConnectionId::parse(id).as_ref() == Ok(connection))
        })
    })
}
