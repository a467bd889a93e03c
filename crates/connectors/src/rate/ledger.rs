//! Who may use which stretch of a timeline: shared by all processes through a table, or kept by this one alone.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mfh_database::{Database, DatabaseError, Turn, TurnClaim};
use mfh_types::Clock;

use super::pace::{Micros, SECOND};

/// What a process uses of a limit while it cannot know what the others use: one part in ten.
const CAUTION: Micros = 10;

/// How long the table may take; a call waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a table that did not answer is left alone.
const RECOVERY: Micros = 5 * SECOND;

/// Items outlive what they say by this many seconds.
const KEPT_SECS: i64 = 300;

/// A call to the table. Boxed, for it is inside every call to a vendor.
type TableCall<'a, T> = Pin<Box<dyn Future<Output = Result<T, DatabaseError>> + Send + 'a>>;

/// Consecutive slots that a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// When the first of them begins.
    pub(crate) next: Micros,
    /// How many they are.
    pub(crate) slots: u32,
    /// From one to the next.
    pub(crate) spacing: Micros,
}

/// A wish for slots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) slots: u32,
    pub(crate) spacing: Micros,
    /// The first must not begin before this time.
    pub(crate) earliest: Micros,
    /// The first must not begin after this time.
    pub(crate) latest: Micros,
    /// Whether the timeline is expected to be idle.
    pub(crate) is_idle: bool,
}

impl Ask {
    fn claim(self) -> TurnClaim {
        TurnClaim {
            length: self.spacing.saturating_mul(self.slots.into()),
            earliest: self.earliest,
            latest: self.latest,
        }
    }

    fn stretch(self, turn: Turn) -> Result<Stretch, Micros> {
        match turn {
            Turn::From(next) => Ok(Stretch {
                next,
                slots: self.slots,
                spacing: self.spacing,
            }),
            Turn::TakenUntil(until) => Err(until),
        }
    }

    /// One slot at a time, far apart.
    fn cautious(self) -> Self {
        Self {
            slots: 1,
            spacing: self.spacing.saturating_mul(CAUTION),
            ..self
        }
    }
}

/// The timelines of one process.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Timelines>);

#[derive(Debug, Default)]
struct Timelines {
    taken_until: HashMap<String, Micros>,
    /// Members of the present set under each name; sets of the past are dropped.
    members: HashMap<String, (i64, HashSet<String>)>,
}

impl Own {
    fn take(&self, key: &str, claim: TurnClaim) -> Turn {
        let mut timelines = self.lock();
        let until = timelines.taken_until.entry(key.to_owned()).or_insert(claim.earliest);
        if *until > claim.latest {
            return Turn::TakenUntil(*until);
        }
        let from = (*until).max(claim.earliest);
        *until = from.saturating_add(claim.length);
        Turn::From(from)
    }

    fn postpone(&self, key: &str, until: Micros) {
        let mut timelines = self.lock();
        let taken = timelines.taken_until.entry(key.to_owned()).or_insert(until);
        *taken = (*taken).max(until);
    }

    fn join(&self, set: &SetKey<'_>, member: &str) {
        let mut timelines = self.lock();
        timelines.members.retain(|_, (number, _)| *number >= set.number - 2);
        let (_, members) = timelines
            .members
            .entry(set.name())
            .or_insert_with(|| (set.number, HashSet::new()));
        members.insert(member.to_owned());
    }

    fn members(&self, set: &SetKey<'_>) -> usize {
        self.lock()
            .members
            .get(&set.name())
            .map_or(0, |(_, members)| members.len())
    }

    fn lock(&self) -> MutexGuard<'_, Timelines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a set of those who wait, in one of the numbered periods of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetKey<'a> {
    pub(crate) key: &'a str,
    pub(crate) number: i64,
}

impl SetKey<'_> {
    fn name(&self) -> String {
        format!("{}:waiting:{}", self.key, self.number)
    }
}

/// The timelines that a process takes part in: those of the table, or its own where there is no table.
///
/// A table that does not answer is left alone for a while, and the process goes on by itself with a cautious share.
#[derive(Debug)]
pub(crate) struct Ledger {
    own: Arc<Own>,
    table: Option<Database>,
    unreachable_until: AtomicI64,
    clock: Arc<dyn Clock>,
    #[cfg(test)]
    asked: AtomicI64,
    /// Moves a clock while slots are asked for, as a slow table does.
    #[cfg(test)]
    pub(crate) slow: Option<(Arc<mfh_types::ManualClock>, chrono::TimeDelta)>,
}

impl Ledger {
    pub(crate) fn new(table: Option<Database>, clock: Arc<dyn Clock>) -> Self {
        Self {
            own: Arc::default(),
            table,
            unreachable_until: AtomicI64::new(0),
            clock,
            #[cfg(test)]
            asked: AtomicI64::new(0),
            #[cfg(test)]
            slow: None,
        }
    }

    /// How often slots were asked for.
    #[cfg(test)]
    pub(crate) fn asked(&self) -> i64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// A process of its own that shares timelines kept in memory.
    #[cfg(test)]
    pub(crate) fn beside(&self) -> Self {
        Self {
            own: Arc::clone(&self.own),
            ..Self::new(None, Arc::clone(&self.clock))
        }
    }

    /// The next free slots of a timeline, or until when it is taken.
    pub(crate) async fn take(&self, key: &str, ask: Ask) -> Result<Stretch, Micros> {
        #[cfg(test)]
        {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if let Some((clock, by)) = &self.slow {
                clock.advance(*by);
            }
        }
        let Some(database) = &self.table else {
            return ask.stretch(self.own.take(key, ask.claim()));
        };
        let ttl = ask.latest / SECOND + KEPT_SECS;
        let limits = database.rate_limits();
        let turn = self
            .reach(Box::pin(limits.take_turn(key, ask.claim(), ask.is_idle, ttl)))
            .await;
        let (ask, turn) = match turn {
            Some(turn) => (ask, turn),
            None => (ask.cautious(), self.own.take(key, ask.cautious().claim())),
        };
        ask.stretch(turn)
    }

    /// Lets no process take anything of a timeline before `until`.
    pub(crate) async fn postpone(&self, key: &str, until: Micros) {
        self.own.postpone(key, until);
        if let Some(database) = &self.table {
            let ttl = until / SECOND + KEPT_SECS;
            let limits = database.rate_limits();
            self.reach(Box::pin(limits.postpone(key, until, ttl))).await;
        }
    }

    /// Joins a set.
    pub(crate) async fn join(&self, set: SetKey<'_>, member: &str) {
        self.own.join(&set, member);
        if let Some(database) = &self.table {
            let ttl = self.clock.unix() + KEPT_SECS;
            let (limits, name) = (database.rate_limits(), set.name());
            self.reach(Box::pin(limits.join(&name, member, ttl))).await;
        }
    }

    /// How many have joined a set, as far as it is known.
    pub(crate) async fn members(&self, set: SetKey<'_>) -> usize {
        let own = self.own.members(&set);
        match &self.table {
            None => own,
            Some(database) => {
                let (limits, name) = (database.rate_limits(), set.name());
                let all = self.reach(Box::pin(limits.members(&name))).await;
                all.unwrap_or_default().max(own)
            }
        }
    }

    /// The table's answer, if it gives one in time.
    async fn reach<T>(&self, call: TableCall<'_, T>) -> Option<T> {
        let now = self.clock.now().timestamp_micros();
        if now < self.unreachable_until.load(Ordering::Relaxed) {
            return None;
        }
        let failure = match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(
            error = failure,
            "the shared rate limits are out of reach; going on with a cautious share"
        );
        self.unreachable_until.store(now + RECOVERY, Ordering::Relaxed);
        None
    }
}
