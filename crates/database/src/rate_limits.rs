//! Table `rate-limits`: counters that go with their window, counters that helpers keep over their runs, and the
//! timelines on which processes take turns.

use mfh_types::Timestamp;

use crate::expression::{Condition, Update};
use crate::table::{Item, Table, number};
use crate::{Database, DatabaseError};

/// How often a write is tried again that others got in before.
const RACES: usize = 8;

/// A stretch of a timeline that somebody asks for. Times are microseconds since 1970, lengths microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnClaim {
    /// How long the stretch is.
    pub length: i64,
    /// It must not begin before this time.
    pub earliest: i64,
    /// It must not begin after this time.
    pub latest: i64,
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The stretch begins at this time and is nobody else's.
    From(i64),
    /// Everything is taken up to this time, which is too late; nothing was taken.
    TakenUntil(i64),
}

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

    /// Takes the next free stretch of the timeline `key`; stretches never overlap. The item goes at `ttl` (Unix
    /// seconds). `is_idle` says what the caller expects: the right guess saves one of two writes.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn take_turn(&self, key: &str, claim: TurnClaim, is_idle: bool, ttl: i64) -> Result<Turn, DatabaseError> {
        let mut is_idle = is_idle;
        for _ in 0..RACES {
            let (condition, change) = if is_idle {
                let free = Condition::new("(attribute_not_exists(#key) OR #taken_until < :earliest)");
                let free = free.bind("earliest", claim.earliest);
                (free, Change::Begin(claim.earliest + claim.length))
            } else {
                let busy = self
                    .table()
                    .exists()
                    .and("(#taken_until BETWEEN :earliest AND :latest)");
                let busy = busy.bind("earliest", claim.earliest).bind("latest", claim.latest);
                (busy, Change::Extend(claim.length))
            };
            let update = Update::when(condition).set("ttl", ttl);
            let update = match change {
                Change::Begin(until) => update.set("taken_until", until),
                Change::Extend(by) => update.add("taken_until", by),
            };
            match self.table().update(&[key], update).await? {
                Ok(item) => {
                    let until = number(&item, "taken_until").unwrap_or(claim.earliest + claim.length);
                    return Ok(Turn::From(until - claim.length));
                }
                Err(refused) => {
                    let until = refused.0.and_then(|item| number(&item, "taken_until"));
                    match until {
                        Some(until) if until > claim.latest => return Ok(Turn::TakenUntil(until)),
                        until => is_idle = until.is_none_or(|until| until < claim.earliest),
                    }
                }
            }
        }
        Err(DatabaseError::Conflict)
    }

    /// Lets nobody take anything of the timeline `key` before `until`.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn postpone(&self, key: &str, until: i64, ttl: i64) -> Result<(), DatabaseError> {
        let earlier = Condition::new("(attribute_not_exists(#key) OR #taken_until < :until)").bind("until", until);
        let update = Update::when(earlier).set("taken_until", until).set("ttl", ttl);
        self.table().apply(&[key], update).await.map(drop)
    }

    /// Adds `member` to the set under `key`.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn join(&self, key: &str, member: &str, ttl: i64) -> Result<(), DatabaseError> {
        let always = Condition::new("(attribute_exists(#key) OR attribute_not_exists(#key))");
        let update = Update::when(always).add_to_set("members", member).set("ttl", ttl);
        self.table().apply(&[key], update).await.map(drop)
    }

    /// How many different members have joined the set under `key`.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn members(&self, key: &str) -> Result<usize, DatabaseError> {
        let item = self.table().get_item(&[key]).await?;
        let members = item.as_ref().and_then(|item| item.get("members")?.as_ss().ok());
        Ok(members.map_or(0, Vec::len))
    }
}

fn standing(item: &Item) -> u64 {
    number(item, "count")
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or_default()
}

/// How a timeline is moved.
enum Change {
    Begin(i64),
    Extend(i64),
}

fn counted(item: &Item) -> u32 {
    number(item, "count").map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX))
}
