//! Table `rate-limits`: counters that go with their window.

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
}

fn counted(item: &Item) -> u32 {
    number(item, "count").map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX))
}
