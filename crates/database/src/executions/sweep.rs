//! What router and sweeper do with executions that are not ended (`pipeline` §4.4).

use mfh_types::{Attempt, Execution, ExecutionId, ExecutionStatus, ExecutionSummary, Timestamp, blank_as_none};
use serde::Deserialize;

use super::{Executions, PENDING_WORDS, pending_shard};
use crate::DatabaseError;
use crate::expression::{Condition, Update};
use crate::table::Query;

/// An open execution that somebody has to look at: what the index holds of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DueExecution {
    /// What lists show.
    #[serde(flatten)]
    pub summary: ExecutionSummary,
    /// When it was due, Unix seconds.
    pub next_action_at: i64,
    /// Until when a worker holds it, Unix seconds.
    #[serde(default, deserialize_with = "blank_as_none")]
    pub lease_until: Option<i64>,
    /// Not before this time, Unix seconds.
    #[serde(default, deserialize_with = "blank_as_none")]
    pub next_attempt_at: Option<i64>,
    /// When it was put into its queue, Unix seconds.
    #[serde(default, deserialize_with = "blank_as_none")]
    pub routed_at: Option<i64>,
}

/// Why an execution stands still that is to be sent again.
#[derive(Debug, Clone, PartialEq)]
pub enum Stalled {
    /// It waited and is due.
    Waiting,
    /// Its worker died; the attempt is noted.
    Running(Option<Attempt>),
}

impl Executions<'_> {
    /// Open executions of a shard that were due at or before `before` (Unix seconds), longest due first.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn due(&self, shard: &str, before: i64, limit: u32) -> Result<Vec<DueExecution>, DatabaseError> {
        let key = Condition::new("#pending_shard = :shard AND #next_action_at <= :before")
            .bind("shard", shard)
            .bind("before", before);
        let query = Query {
            index: Some("PendingIndex"),
            key,
            filter: Condition::default(),
            newest_first: false,
        };
        let limit = i32::try_from(limit.max(1)).unwrap_or(i32::MAX);
        let slice = self.table().query_slice(&query, Some(limit), None).await?;
        let due = slice
            .items
            .into_iter()
            .filter_map(|item| self.table().decode_or_skip(item));
        Ok(due.collect())
    }

    /// Records that an execution lies in its queue, and when to look at it again (Unix seconds); tells whether it was
    /// still pending.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn mark_routed(
        &self,
        id: &ExecutionId,
        now: Timestamp,
        next_action_at: i64,
    ) -> Result<bool, DatabaseError> {
        let pending = self
            .table()
            .exists()
            .and("#status IN (:pending, :queued)")
            .bind("pending", PENDING_WORDS[0])
            .bind("queued", PENDING_WORDS[1]);
        let update = Update::when(pending)
            .set("routed_at", now.0.timestamp())
            .set("next_action_at", next_action_at)
            .set("pending_shard", pending_shard(id));
        self.table().apply(&[id.as_str()], update).await
    }

    /// Makes an execution pending again that waited or whose worker died, and returns it, to be sent; `None` when it
    /// is no longer so. `next_action_at` (Unix seconds) is when to look at it again.
    ///
    /// # Errors
    /// The table cannot be written, or the record cannot be read.
    pub async fn reopen(
        &self,
        id: &ExecutionId,
        stalled: Stalled,
        now: Timestamp,
        next_action_at: i64,
    ) -> Result<Option<Execution>, DatabaseError> {
        let (status, over, attempt) = match stalled {
            Stalled::Waiting => (
                ExecutionStatus::Waiting,
                "(attribute_not_exists(#next_attempt_at) OR #next_attempt_at <= :now)",
                None,
            ),
            Stalled::Running(attempt) => (
                ExecutionStatus::Running,
                "(attribute_not_exists(#lease_until) OR #lease_until < :now)",
                attempt,
            ),
        };
        let condition = self
            .table()
            .exists()
            .and("#status = :stalled")
            .and(over)
            .bind("stalled", status)
            .bind("now", now.0.timestamp());
        let mut update = Update::when(condition)
            .set("status", ExecutionStatus::Pending)
            .set("next_action_at", next_action_at)
            .set("pending_shard", pending_shard(id))
            .remove(&["lease_owner", "lease_until", "next_attempt_at", "routed_at"]);
        if let Some(attempt) = attempt {
            update = update
                .set_to("attempts", "list_append(if_not_exists(#attempts, :none), :attempt)")
                .bind("none", Vec::<Attempt>::new())
                .bind("attempt", [attempt]);
        }
        let answer = self.table().update(&[id.as_str()], update).await?;
        answer.ok().map(|item| self.table().decode(item)).transpose()
    }

    /// Puts off the next look at an open execution (Unix seconds); tells whether it was still open.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn look_again(&self, id: &ExecutionId, next_action_at: i64) -> Result<bool, DatabaseError> {
        let open = self.table().exists().and("attribute_exists(#pending_shard)");
        let update = Update::when(open).set("next_action_at", next_action_at);
        self.table().apply(&[id.as_str()], update).await
    }

    /// Ends the lease of a running execution whose worker is known to be dead; tells whether it was running. Only for
    /// a platform that has just started and knows that no worker of before is alive.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn break_lease(&self, id: &ExecutionId) -> Result<bool, DatabaseError> {
        let running = self
            .table()
            .exists()
            .and("#status = :running")
            .bind("running", ExecutionStatus::Running);
        let update = Update::when(running).set("lease_until", 0);
        self.table().apply(&[id.as_str()], update).await
    }
}
