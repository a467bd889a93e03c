//! Counters of what an account has, kept in the transactions that create and delete.

use aws_sdk_dynamodb::types::TransactWriteItem;
use mfh_types::AccountId;

use crate::expression::{Condition, Update};
use crate::table::{Item, number};
use crate::transaction::{Refusals, transact};
use crate::{Database, DatabaseError};

/// What became of a creation that a plan limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It was stored and counted.
    Created,
    /// The account has as many as its plan allows.
    LimitReached {
        /// How many it has.
        used: i64,
    },
}

/// A counter in `usage` of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counter {
    Helpers,
    Connections,
    ApiKeys,
}

impl Counter {
    fn name(self) -> &'static str {
        match self {
            Self::Helpers => "helpers",
            Self::Connections => "connections",
            Self::ApiKeys => "api_keys",
        }
    }
}

/// Makes `writes` and counts one up, all or nothing; `limit` 0 means unlimited.
pub(crate) async fn create_counted(
    database: &Database,
    account: &AccountId,
    counter: Counter,
    limit: u32,
    writes: Vec<TransactWriteItem>,
) -> Result<Creation, DatabaseError> {
    let accounts = database.accounts().table();
    let path = format!("#usage.#{}", counter.name());
    let mut repaired = false;
    loop {
        let mut condition = accounts.exists().and("attribute_type(#usage, :map)").bind("map", "M");
        if limit > 0 {
            condition = condition
                .and(&format!("(attribute_not_exists({path}) OR {path} < :limit)"))
                .bind("limit", limit);
        }
        let count = Update::when(condition).add_usage(counter.name(), 1);
        let mut all = vec![accounts.update_action(&[account.as_str()], count)?];
        all.extend(writes.iter().cloned());

        let refusals = match transact(&database.client, all).await? {
            Ok(()) => return Ok(Creation::Created),
            Err(refusals) => refusals,
        };
        if !refusals.refused(0) {
            return Err(DatabaseError::Conflict);
        }
        let row = refusals
            .item(0)
            .ok_or_else(|| missing_account(accounts.name, account))?;
        if usage(row).is_some() {
            let used = usage(row).and_then(|usage| number(usage, counter.name())).unwrap_or(0);
            return Ok(Creation::LimitReached { used });
        }
        if repaired {
            return Err(DatabaseError::Conflict);
        }
        add_usage_map(database, account).await?;
        repaired = true;
    }
}

/// Makes `writes` and counts one down, all or nothing; a counter that is 0 already stays there.
pub(crate) async fn delete_counted(
    database: &Database,
    account: &AccountId,
    counter: Counter,
    writes: Vec<TransactWriteItem>,
) -> Result<Result<(), Refusals>, DatabaseError> {
    let accounts = database.accounts().table();
    let condition = Condition::new(&format!("#usage.#{} > :none", counter.name())).bind("none", 0);
    let count = Update::when(condition).add_usage(counter.name(), -1);
    let mut all = writes.clone();
    all.push(accounts.update_action(&[account.as_str()], count)?);

    let only_the_counter = |refusals: &Refusals| (0..writes.len()).all(|position| !refusals.refused(position));
    match transact(&database.client, all).await? {
        Err(refusals) if only_the_counter(&refusals) => {
            tracing::warn!(%account, counter = counter.name(), "a usage counter was too low to count down");
            transact(&database.client, writes).await
        }
        answer => Ok(answer),
    }
}

/// The counters of an account's item, where it has the map at all.
pub(crate) fn usage(account: &Item) -> Option<&Item> {
    account.get("usage")?.as_m().ok()
}

/// Gives an account that was stored without counters an empty map of them.
pub(crate) async fn add_usage_map(database: &Database, account: &AccountId) -> Result<(), DatabaseError> {
    let accounts = database.accounts().table();
    let without = accounts
        .exists()
        .and("NOT attribute_type(#usage, :map)")
        .bind("map", "M");
    let update = Update::when(without).set("usage", serde_json::Map::new());
    accounts.apply(&[account.as_str()], update).await.map(drop)
}

fn missing_account(table: &str, account: &AccountId) -> DatabaseError {
    DatabaseError::Corrupt {
        table: table.to_owned(),
        key: account.to_string(),
        reason: "the account does not exist".to_owned(),
    }
}
