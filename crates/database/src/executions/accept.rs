//! Accepting an execution: the record and its place in the account's usage are one transaction (`pipeline` §9.2).

use mfh_types::{AccountStatus, Execution, UsagePeriod};

use super::{Executions, pending_shard};
use crate::DatabaseError;
use crate::counters::{add_usage_map, usage};
use crate::expression::Update;
use crate::table::{Item, number, text};
use crate::transaction::transact;

/// How often a reservation is tried while others change the same counter.
const TRIES: u32 = 4;

/// When the sweeper first looks at an accepted execution, in seconds.
const FIRST_LOOK_AFTER: i64 = 5 * 60;

/// The place in the month's usage that an execution takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The present month.
    pub period: UsagePeriod,
    /// The number of runs that a month may have (`Account::execution_cap`).
    pub cap: Option<u32>,
}

/// What became of an acceptance.
#[derive(Debug, Clone, PartialEq)]
pub enum Acceptance {
    /// It is stored and counted.
    Accepted,
    /// The account accepted an execution of this id before: this one. Nothing was counted.
    Duplicate(Box<Execution>),
    /// The month's runs are used up.
    CapReached {
        /// How many there were.
        used: i64,
    },
    /// The account is suspended or cancelled.
    AccountInactive,
    /// There is no such account.
    AccountMissing,
}

/// The month a run is counted in, and how its counter is there.
#[derive(Debug, Clone)]
enum Count {
    /// The counter belongs to this month.
    Within(String),
    /// The counter belongs to an older month, or to none, and starts again.
    StartOver { period: String, old: Option<String> },
}

impl Count {
    fn period(&self) -> &str {
        match self {
            Self::Within(period) | Self::StartOver { period, .. } => period,
        }
    }
}

impl Executions<'_> {
    /// Stores an execution and counts it, all or nothing. An execution that is not ended gets its place in the
    /// sweeper's index; `usage_period` is set to the month it is counted in.
    ///
    /// # Errors
    /// The tables cannot be written; `Conflict` when the id is another account's.
    pub async fn accept(&self, execution: &Execution, reservation: Reservation) -> Result<Acceptance, DatabaseError> {
        let mut count = Count::Within(reservation.period.to_string());
        for _ in 0..TRIES {
            let refusals = match self.try_accept(execution, &count, reservation.cap).await? {
                Ok(()) => return Ok(Acceptance::Accepted),
                Err(refusals) => refusals,
            };
            let mut refusals = refusals;
            if let Some(item) = refusals.take_item(0) {
                return self.duplicate(execution, item);
            }
            let Some(account) = refusals.item(1) else {
                return Ok(Acceptance::AccountMissing);
            };
            if !is_active(account) {
                return Ok(Acceptance::AccountInactive);
            }
            let Some(counters) = usage(account) else {
                add_usage_map(self.0, &execution.summary.account_id).await?;
                continue;
            };
            let stored = text(account, "usage_period").filter(|period| !period.is_empty());
            let period = reservation.period.to_string();
            let used = number(counters, "monthly_executions").unwrap_or(0);
            count = match stored {
                // Another process may have seen the new month first: its counter is the one that counts.
                Some(stored) if stored >= period.as_str() => {
                    if reservation.cap.is_some_and(|cap| used >= i64::from(cap)) {
                        return Ok(Acceptance::CapReached { used });
                    }
                    Count::Within(stored.to_owned())
                }
                old => Count::StartOver {
                    period,
                    old: old.map(str::to_owned),
                },
            };
        }
        Err(DatabaseError::Conflict)
    }

    async fn try_accept(
        &self,
        execution: &Execution,
        count: &Count,
        cap: Option<u32>,
    ) -> Result<Result<(), crate::transaction::Refusals>, DatabaseError> {
        let (table, accounts) = (self.table(), self.0.accounts().table());
        let item = table.encode(&prepared(execution, count))?;

        let mut condition = accounts
            .exists()
            .and("(attribute_not_exists(#status) OR #status = :active)")
            .bind("active", AccountStatus::Active)
            .and("attribute_type(#usage, :map)")
            .bind("map", "M");
        let update = match count {
            Count::Within(period) => {
                condition = condition.and("#usage_period = :period").bind("period", period);
                if let Some(cap) = cap {
                    condition = condition
                        .and(
                            "(attribute_not_exists(#usage.#monthly_executions) \
                             OR #usage.#monthly_executions < :cap)",
                        )
                        .bind("cap", cap);
                }
                Update::when(condition).add_usage("monthly_executions", 1)
            }
            Count::StartOver { period, old } => {
                let clause = "(attribute_not_exists(#usage_period) OR attribute_type(#usage_period, :null) \
                              OR #usage_period = :old)";
                condition = condition
                    .and(clause)
                    .bind("null", "NULL")
                    .bind("old", old.as_deref().unwrap_or_default());
                Update::when(condition)
                    .set_entry("usage", "monthly_executions", 1)
                    .set("usage_period", period)
            }
        };
        let account = execution.summary.account_id.as_str();
        let writes = vec![
            table.put_action(item, table.absent())?,
            accounts.update_action(&[account], update)?,
        ];
        transact(&self.0.client, writes).await
    }

    fn duplicate(&self, execution: &Execution, item: Item) -> Result<Acceptance, DatabaseError> {
        let earlier: Execution = self.table().decode(item)?;
        if earlier.summary.account_id == execution.summary.account_id {
            Ok(Acceptance::Duplicate(Box::new(earlier)))
        } else {
            Err(DatabaseError::Conflict)
        }
    }
}

/// The record as it is stored: counted in its month and, while it is open, in the sweeper's index.
fn prepared(execution: &Execution, count: &Count) -> Execution {
    let mut record = execution.clone();
    record.usage_period = Some(count.period().to_owned());
    if !record.summary.status.is_terminal() {
        let first_look = record.summary.created_at.0.timestamp() + FIRST_LOOK_AFTER;
        record.pending_shard = Some(pending_shard(&record.summary.execution_id).to_owned());
        record.next_action_at = record.next_action_at.or(record.next_attempt_at).or(Some(first_look));
    }
    record
}

fn is_active(account: &Item) -> bool {
    text(account, "status").is_none_or(|status| status == "active")
}
