//! What a worker does with an execution: claim, journal, release, finish.

use std::collections::BTreeMap;

use mfh_types::{
    AccountId, Attempt, Execution, ExecutionError, ExecutionId, ExecutionOutput, ExecutionStatus, HelperId, MeterState,
    Timestamp,
};
use serde_json::Value;

use super::{Executions, OPEN_ONLY, PENDING_WORDS, pending_shard};
use crate::DatabaseError;
use crate::expression::{Condition, Update};
use crate::table::{Item, number, text};
use crate::transaction::transact;

/// How long after the end of a lease, or of a planned repeat, the sweeper looks, in seconds.
const GRACE: i64 = 120;

/// An update expression holds 4 KB.
const ENTRIES_PER_UPDATE: usize = 50;

/// What became of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The caller holds the lease; this is the execution now.
    Claimed(Box<Execution>),
    /// It ended before.
    Ended(ExecutionStatus),
    /// Another worker holds a lease.
    Leased {
        /// Until when, Unix seconds.
        until: i64,
    },
    /// It waits; the sweeper sends it when it is due.
    NotDue {
        /// When that is, Unix seconds.
        at: i64,
    },
    /// There is no such execution.
    Missing,
}

/// Where a run goes back to that did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// To its queue, whose message comes again.
    Pending,
    /// Until the sweeper sends it.
    Waiting,
}

/// A run that did not end and is given back.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Where it goes.
    pub status: Return,
    /// Not before this time, Unix seconds.
    pub next_attempt_at: i64,
    /// Why it did not end.
    pub error: ExecutionError,
    /// The attempt; without one, it does not count.
    pub attempt: Option<Attempt>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// `Completed`, `Failed` or `Cancelled`.
    pub status: ExecutionStatus,
    /// What it reported.
    pub output: Option<ExecutionOutput>,
    /// Why it failed or was cancelled.
    pub error: Option<ExecutionError>,
    /// Wall time of the attempt in milliseconds.
    pub duration_ms: Option<u64>,
    /// Whether it is to be reported for billing.
    pub meter_state: MeterState,
    /// Whether the account gets the run back, if its month is not over.
    pub refund: bool,
}

impl Executions<'_> {
    /// Takes the lease of an execution that is pending, or whose lease is over, until `lease_until` (Unix seconds).
    ///
    /// # Errors
    /// The table cannot be written, or the record cannot be read.
    pub async fn claim(
        &self,
        id: &ExecutionId,
        owner: &str,
        now: Timestamp,
        lease_until: i64,
    ) -> Result<Claim, DatabaseError> {
        let update = Update::when(self.startable(now))
            .set("status", ExecutionStatus::Running)
            .set("lease_owner", owner)
            .set("lease_until", lease_until)
            .set("next_action_at", lease_until + GRACE)
            .set("pending_shard", pending_shard(id))
            .set_to("started_at", "if_not_exists(#started_at, :now_text)")
            .set_to("journal", "if_not_exists(#journal, :empty)")
            .bind("now_text", now)
            .bind("empty", serde_json::Map::new())
            .remove(&["next_attempt_at"])
            .add("attempt", 1);
        match self.table().update(&[id.as_str()], update).await? {
            Ok(item) => Ok(Claim::Claimed(Box::new(self.table().decode(item)?))),
            Err(refused) => {
                // An endpoint that does not return the refused item is asked for it: a run must not count as gone.
                let item = match refused.0 {
                    Some(item) => Some(item),
                    None => self.table().get_item(&[id.as_str()]).await?,
                };
                item.map_or(Ok(Claim::Missing), |item| self.why_not(item, owner, lease_until))
            }
        }
    }

    /// The condition that a run may begin: pending, or left by a worker that died.
    fn startable(self, now: Timestamp) -> Condition {
        self.table()
            .exists()
            .and(
                "(#status IN (:pending, :queued) OR (#status = :running \
                 AND (attribute_not_exists(#lease_until) OR #lease_until < :now)))",
            )
            .bind("pending", PENDING_WORDS[0])
            .bind("queued", PENDING_WORDS[1])
            .bind("running", ExecutionStatus::Running)
            .bind("now", now.0.timestamp())
    }

    fn why_not(self, item: Item, owner: &str, lease_until: i64) -> Result<Claim, DatabaseError> {
        let until = number(&item, "lease_until").unwrap_or(0);
        let status = text(&item, "status").and_then(ExecutionStatus::parse);
        Ok(match status {
            // The call was repeated because its first answer got lost.
            Some(ExecutionStatus::Running) if until == lease_until && text(&item, "lease_owner") == Some(owner) => {
                Claim::Claimed(Box::new(self.table().decode(item)?))
            }
            Some(ExecutionStatus::Waiting) => Claim::NotDue {
                at: number(&item, "next_attempt_at").unwrap_or(0),
            },
            Some(status) if status.is_terminal() => Claim::Ended(status),
            Some(_) => Claim::Leased { until },
            None => {
                // Reading the record says what is wrong with its status.
                let record: Execution = self.table().decode(item)?;
                Claim::Ended(record.summary.status)
            }
        })
    }

    fn leased_to(self, owner: &str) -> Condition {
        self.table()
            .exists()
            .and("#status = :running AND #lease_owner = :owner")
            .bind("running", ExecutionStatus::Running)
            .bind("owner", owner)
    }

    /// Writes steps into the journal, over those of the same key; tells whether the caller still holds the lease.
    ///
    /// # Errors
    /// The table cannot be written; `TooLarge` when the record has no room for them.
    pub async fn journal(
        &self,
        id: &ExecutionId,
        owner: &str,
        entries: &BTreeMap<String, Value>,
    ) -> Result<bool, DatabaseError> {
        let entries: Vec<_> = entries.iter().collect();
        for part in entries.chunks(ENTRIES_PER_UPDATE) {
            let update = Update::when(self.leased_to(owner));
            let update = part
                .iter()
                .fold(update, |update, (key, value)| update.set_entry("journal", key, value));
            if !self.table().apply(&[id.as_str()], update).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends the lease of a worker on a run that it could not bring to an end; tells whether it had one.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn let_go(&self, id: &ExecutionId, owner: &str) -> Result<bool, DatabaseError> {
        let update = Update::when(self.leased_to(owner)).set("lease_until", 0);
        self.table().apply(&[id.as_str()], update).await
    }

    /// Gives a run back that did not end, and notes the attempt if it counts; tells whether the caller still held the lease.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn release(
        &self,
        id: &ExecutionId,
        owner: &str,
        release: Release,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let due = release.next_attempt_at.max(now.0.timestamp());
        let (status, look_at) = match release.status {
            Return::Pending => (ExecutionStatus::Pending, due + GRACE),
            Return::Waiting => (ExecutionStatus::Waiting, due),
        };
        let mut update = Update::when(self.leased_to(owner))
            .set("status", status)
            .set("next_attempt_at", release.next_attempt_at)
            .set("next_action_at", look_at)
            .set("error_code", release.error.code)
            .set("error_message", release.error.message)
            .remove(&["lease_owner", "lease_until"]);
        update = match release.attempt {
            Some(attempt) => update
                .set_to("attempts", "list_append(if_not_exists(#attempts, :none), :attempt)")
                .bind("none", Vec::<Attempt>::new())
                .bind("attempt", [attempt]),
            None => update.add("attempt", -1),
        };
        if release.status == Return::Waiting {
            update = update.remove(&["routed_at"]);
        }
        self.table().apply(&[id.as_str()], update).await
    }

    /// Ends a run, counts it on its helper where that still exists, and gives its usage back if asked to, all
    /// together; tells whether the caller still held the lease.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn finish(
        &self,
        id: &ExecutionId,
        owner: &str,
        finish: Finish,
        helper: Option<(&AccountId, &HelperId)>,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        self.end(id, self.leased_to(owner), finish, helper, now).await
    }

    /// Ends an execution that no worker holds: for router, dead-letter queues and sweeper. Tells whether it was open
    /// and free.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn end_unclaimed(&self, id: &ExecutionId, finish: Finish, now: Timestamp) -> Result<bool, DatabaseError> {
        let free = self
            .table()
            .exists()
            .and(
                "(#status IN (:pending, :queued, :waiting) OR (#status = :running \
                 AND (attribute_not_exists(#lease_until) OR #lease_until < :now)))",
            )
            .bind("pending", PENDING_WORDS[0])
            .bind("queued", PENDING_WORDS[1])
            .bind("waiting", ExecutionStatus::Waiting)
            .bind("running", ExecutionStatus::Running)
            .bind("now", now.0.timestamp());
        self.end(id, free, finish, None, now).await
    }

    async fn end(
        &self,
        id: &ExecutionId,
        condition: Condition,
        finish: Finish,
        helper: Option<(&AccountId, &HelperId)>,
        now: Timestamp,
    ) -> Result<bool, DatabaseError> {
        let refund = if finish.refund {
            self.counted_in(id).await?
        } else {
            None
        };
        let (code, message) = finish.error.map(|error| (error.code, error.message)).unzip();
        let update = Update::when(condition)
            .set("status", finish.status)
            .set("completed_at", now)
            .set("meter_state", finish.meter_state)
            .set_some("output", finish.output)
            .set_some("duration_ms", finish.duration_ms)
            .set_or_remove("error_code", code)
            .set_or_remove("error_message", message)
            .remove(&OPEN_ONLY);

        let (mut helper, mut refund) = (helper, refund);
        loop {
            let mut writes = vec![self.table().update_action(&[id.as_str()], update.clone())?];
            if let Some((account, helper)) = helper {
                let count = Update::when(self.0.helpers().live(account))
                    .set("last_executed_at", now)
                    .add("execution_count", 1);
                writes.push(self.0.helpers().table().update_action(&[helper.as_str()], count)?);
            }
            if let Some((account, period)) = &refund {
                writes.push(self.refund_action(account, period)?);
            }
            match transact(&self.0.client, writes).await {
                Ok(Ok(())) => return Ok(true),
                Ok(Err(refusals)) if refusals.refused(0) => return Ok(false),
                Ok(Err(refusals)) => {
                    // What is left out is a statistic of a deleted helper, or usage of a month that is over.
                    let at_helper = helper.is_some() && refusals.refused(1);
                    let at_refund = refund.is_some() && refusals.refused(if helper.is_some() { 2 } else { 1 });
                    helper = helper.filter(|_| !at_helper);
                    refund = refund.filter(|_| !at_refund);
                    if !at_helper && !at_refund {
                        return Err(DatabaseError::Conflict);
                    }
                }
                // The end of a run matters more than the statistic of a helper that many runs share.
                Err(DatabaseError::Throttled) if helper.is_some() => helper = None,
                Err(error) => return Err(error),
            }
        }
    }

    /// The account and month that an execution is counted in.
    async fn counted_in(&self, id: &ExecutionId) -> Result<Option<(AccountId, String)>, DatabaseError> {
        let execution = self.get_any(id).await?;
        Ok(execution.and_then(|execution| Some((execution.summary.account_id, execution.usage_period?))))
    }

    /// The write that gives a run back to its month; refused when the account counts another month by now.
    pub(super) fn refund_action(
        self,
        account: &AccountId,
        period: &str,
    ) -> Result<aws_sdk_dynamodb::types::TransactWriteItem, DatabaseError> {
        let condition = Condition::new("#usage_period = :period AND #usage.#monthly_executions > :none")
            .bind("period", period)
            .bind("none", 0);
        let update = Update::when(condition).add_usage("monthly_executions", -1);
        self.0.accounts().table().update_action(&[account.as_str()], update)
    }
}
