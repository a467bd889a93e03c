//! Table `rate-limits`: counters that go with their window, and those that helpers keep over their runs.

use mfh_types::Timestamp;

use crate::expression::{Condition, Update};
use crate::table::{Item, Table, number};
use crate::{Database, DatabaseError};

/// Rate limits.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits<'a>(pub(crate) &'a Database);

impl<'a> RateLimits<'a> {
    fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.rate_limits, &["key"])
    }

    /// Counts one under `key`, which names its window, and returns the count; `ttl` (Unix seconds) is when it goes.
    ///
    /// The table deletes late, so a counter whose time is over starts again.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn hit(&self, key: &str, ttl: i64, now: Timestamp) -> Result<u32, DatabaseError> {
        let now = now.0.timestamp();
        let live = Condition::new("(attribute_not_exists(#key) OR #ttl > :now)").bind("now", now);
        let count = Update::when(live).add("count", 1).set("ttl", ttl);
        if let Ok(item) = self.table().update(&[key], count).await? {
            return Ok(counted(&item));
        }
        let over = self.table().exists().and("#ttl <= :now").bind("now", now);
        let restart = Update::when(over).set("count", 1).set("ttl", ttl);
        if self.table().apply(&[key], restart).await? {
            return Ok(1);
        }
        let count = Update::when(self.table().exists()).add("count", 1);
        match self.table().update(&[key], count).await? {
            Ok(item) => Ok(counted(&item)),
            Err(_) => Err(DatabaseError::Conflict),
        }
    }

    /// A counter without a window, such as that of a split; 0 when it was never used.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn standing(&self, key: &str) -> Result<u64, DatabaseError> {
        let item = self.table().get_item(&[key]).await?;
        Ok(item.as_ref().map_or(0, standing))
    }

    /// Adds one to a counter without a window and returns the value before.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn take_standing(&self, key: &str) -> Result<u64, DatabaseError> {
        let any = Condition::new("(attribute_not_exists(#key) OR attribute_exists(#key))");
        match self.table().update(&[key], Update::when(any).add("count", 1)).await? {
            Ok(item) => Ok(standing(&item).saturating_sub(1)),
            Err(_) => Err(DatabaseError::Conflict),
        }
    }

    /// Replaces a counter without a window if it still is `expected`; tells whether it was.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn replace_standing(&self, key: &str, expected: u64, new: u64) -> Result<bool, DatabaseError> {
        let unchanged = if expected == 0 {
            Condition::new("(attribute_not_exists(#count) OR #count = :expected)")
        } else {
            Condition::new("#count = :expected")
        };
        let replaced = Update::when(unchanged.bind("expected", expected)).set("count", new);
        self.table().apply(&[key], replaced).await
    }
}

fn standing(item: &Item) -> u64 {
    number(item, "count")
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or_default()
}

fn counted(item: &Item) -> u32 {
    number(item, "count").map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX))
}
