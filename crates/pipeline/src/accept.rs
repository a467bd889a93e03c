//! Accepting an execution: the one way in for every trigger (`pipeline` §3, §9.2).
//!
//! An accepted execution is durable: record and usage are written in one transaction, and the answer is only given
//! after it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use mfh_database::{Acceptance, Database, DatabaseError, Reservation};
use mfh_types::{
    Account, AccountStatus, ApiKeyId, Clock, ConfigFault, Execution, ExecutionId, ExecutionStatus, ExecutionSummary,
    Helper, HelperId, JsonObject, MeterState, Plan, Random, Timestamp, TimestampMs, TriggerType, UsagePeriod, UserId,
};
use uuid::Uuid;

/// How long executions are kept (DECISIONS 14).
const RETENTION_DAYS: i64 = 30;

/// Runs accepted a minute before further ones are refused; 0 switches a limit off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstLimits {
    /// For one helper.
    pub per_helper: u32,
    /// For all helpers of an account.
    pub per_account: u32,
}

impl Default for BurstLimits {
    fn default() -> Self {
        Self {
            per_helper: 100,
            per_account: 1_000,
        }
    }
}

impl BurstLimits {
    /// No limits: for load tests on one machine.
    pub const OFF: Self = Self {
        per_helper: 0,
        per_account: 0,
    };

    /// Reads `BURST_LIMIT_PER_HELPER` and `BURST_LIMIT_PER_ACCOUNT`; the defaults where they are not set.
    pub fn from_env() -> Self {
        let read = |name, default| setting(name).unwrap_or(default);
        let default = Self::default();
        Self {
            per_helper: read("BURST_LIMIT_PER_HELPER", default.per_helper),
            per_account: read("BURST_LIMIT_PER_ACCOUNT", default.per_account),
        }
    }
}

/// What starts an execution.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The way in.
    pub trigger_type: TriggerType,
    /// The user who started it.
    pub user_id: Option<UserId>,
    /// The API key that started it (its id, never the key).
    pub api_key_id: Option<ApiKeyId>,
    /// The contact to work on.
    pub contact_id: Option<String>,
    /// Data of this run.
    pub input: Option<JsonObject>,
    /// The query string of the request.
    pub query_params: Option<BTreeMap<String, String>>,
    /// A repeat with the same key is the same execution.
    pub idempotency_key: Option<String>,
}

impl Trigger {
    /// A trigger with nothing but its way in.
    pub fn new(trigger_type: TriggerType) -> Self {
        Self {
            trigger_type,
            user_id: None,
            api_key_id: None,
            contact_id: None,
            input: None,
            query_params: None,
            idempotency_key: None,
        }
    }
}

/// An execution that is durable now.
#[derive(Debug)]
pub struct Accepted {
    /// The execution.
    pub execution: Execution,
    /// Whether an earlier request with the same idempotency key had made it already.
    pub duplicate: bool,
}

/// An execution was not accepted; nothing was stored and no quota used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The helper is switched off.
    #[error("Helper is disabled")]
    HelperDisabled,
    /// The helper's configuration is not complete.
    #[error("Helper configuration is incomplete")]
    HelperIncomplete(Vec<ConfigFault>),
    /// The account is suspended or closed.
    #[error("Account is not active")]
    AccountInactive,
    /// Too many runs in this minute.
    #[error("Rate limit exceeded")]
    Burst {
        /// Runs a minute.
        limit: u32,
        /// Runs asked for in this minute, this one included.
        used: u32,
        /// When the next minute begins.
        reset_at: Timestamp,
        /// Seconds until then.
        retry_after: u32,
    },
    /// The free plan's runs of this month are used up.
    #[error("You've used all {limit} sandbox executions this month. Pick a plan to continue.")]
    PlanCap {
        /// Runs a month.
        limit: u32,
        /// Runs accepted.
        used: i64,
        /// When the next month begins.
        reset_at: Timestamp,
        /// The plan.
        plan: Plan,
        /// Seconds until then.
        retry_after: u32,
    },
    /// The tables are out of reach.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The one way in for executions.
#[derive(Debug, Clone)]
pub struct Accept {
    database: Database,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    limits: BurstLimits,
    retention: Duration,
}

impl Accept {
    /// Accepts into `database`. `EXECUTION_RETENTION_DAYS` replaces the 30 days that executions are kept.
    pub fn new(database: Database, clock: Arc<dyn Clock>, random: Arc<dyn Random>, limits: BurstLimits) -> Self {
        let retention = Duration::days(setting("EXECUTION_RETENTION_DAYS").unwrap_or(RETENTION_DAYS));
        Self {
            database,
            clock,
            random,
            limits,
            retention,
        }
    }

    /// Accepts a run of `helper`, which belongs to `account`.
    ///
    /// # Errors
    /// Why the run was refused, in the order helper, account, burst limit, plan.
    pub async fn accept(&self, account: &Account, helper: &Helper, trigger: Trigger) -> Result<Accepted, Refusal> {
        if helper.is_draft() {
            return Err(Refusal::HelperIncomplete(helper.config_errors.clone()));
        }
        if !helper.enabled {
            return Err(Refusal::HelperDisabled);
        }
        let execution = self.execution_of(account, helper, trigger);
        self.store(account, execution).await
    }

    /// Accepts a repeat of an ended execution with its frozen configuration and input.
    ///
    /// # Errors
    /// As [`Accept::accept`].
    pub async fn repeat(&self, account: &Account, original: &Execution, user: &UserId) -> Result<Accepted, Refusal> {
        let now = self.clock.now();
        let id = ExecutionId::generate(&*self.clock, &*self.random);
        let old = &original.summary;
        let summary = ExecutionSummary {
            user_id: Some(user.clone()),
            parent_execution_id: Some(old.execution_id.clone()),
            helper_type: old.helper_type.clone(),
            helper_name: old.helper_name.clone(),
            connection_id: old.connection_id.clone(),
            contact_id: old.contact_id.clone(),
            ..pending(id, account, old.helper_id.clone(), TriggerType::Retry, now)
        };
        let execution = Execution {
            config: original.config.clone(),
            input: original.input.clone(),
            query_params: original.query_params.clone(),
            ..self.record(summary, now)
        };
        self.store(account, execution).await
    }

    fn execution_of(&self, account: &Account, helper: &Helper, trigger: Trigger) -> Execution {
        let now = self.clock.now();
        let id = match &trigger.idempotency_key {
            Some(key) => deterministic_id(account, &helper.helper_id, key),
            None => ExecutionId::generate(&*self.clock, &*self.random),
        };
        let summary = ExecutionSummary {
            helper_type: Some(helper.helper_type.clone()),
            helper_name: Some(helper.name.clone()),
            user_id: trigger.user_id,
            connection_id: helper.connection_id.clone(),
            contact_id: trigger.contact_id,
            ..pending(id, account, helper.helper_id.clone(), trigger.trigger_type, now)
        };
        Execution {
            api_key_id: trigger.api_key_id,
            config: helper.config.clone(),
            input: trigger.input,
            query_params: trigger.query_params,
            ..self.record(summary, now)
        }
    }

    fn record(&self, summary: ExecutionSummary, now: DateTime<Utc>) -> Execution {
        Execution {
            pending_shard: None,
            next_action_at: None,
            usage_period: None,
            ttl: (now + self.retention).timestamp(),
            summary,
            api_key_id: None,
            config: JsonObject::new(),
            input: None,
            query_params: None,
            output: None,
            attempts: Vec::new(),
            journal: BTreeMap::new(),
            lease_owner: None,
            lease_until: None,
            next_attempt_at: None,
            routed_at: None,
            root_execution_id: None,
            chain_depth: 0,
            meter_state: MeterState::None,
        }
    }

    async fn store(&self, account: &Account, execution: Execution) -> Result<Accepted, Refusal> {
        if account.status != AccountStatus::Active {
            return Err(Refusal::AccountInactive);
        }
        let now = self.clock.now();
        self.check_burst(account, &execution.summary.helper_id, now).await?;
        let period = UsagePeriod::of(now);
        let reservation = Reservation {
            period,
            cap: account.execution_cap(),
        };
        match self.database.executions().accept(&execution, reservation).await? {
            Acceptance::Accepted => Ok(Accepted {
                execution,
                duplicate: false,
            }),
            Acceptance::Duplicate(execution) => Ok(Accepted {
                execution: *execution,
                duplicate: true,
            }),
            Acceptance::AccountInactive | Acceptance::AccountMissing => Err(Refusal::AccountInactive),
            Acceptance::CapReached { used } => {
                let reset_at = period.ends_at();
                Err(Refusal::PlanCap {
                    limit: account.settings.max_executions,
                    used,
                    reset_at,
                    plan: account.plan,
                    retry_after: seconds_until(reset_at, now),
                })
            }
        }
    }

    /// Counts this run against the minute's limits. A counter that cannot be reached lets the run pass: a broken limiter
    /// must not stop a customer's campaign.
    async fn check_burst(&self, account: &Account, helper: &HelperId, now: DateTime<Utc>) -> Result<(), Refusal> {
        let minute = now.timestamp().div_euclid(60);
        let windows = [
            (self.limits.per_helper, format!("rl:{helper}:{minute}")),
            (self.limits.per_account, format!("rl:{}:{minute}", account.account_id)),
        ];
        for (limit, key) in windows {
            if limit == 0 {
                continue;
            }
            let used = match self
                .database
                .rate_limits()
                .hit(&key, now.timestamp() + 120, now.into())
                .await
            {
                Ok(used) => used,
                Err(error) => {
                    tracing::error!(%error, "the burst limit cannot be counted; the run is let through");
                    continue;
                }
            };
            if used > limit {
                let reset_at = Timestamp(DateTime::from_timestamp((minute + 1) * 60, 0).unwrap_or(now));
                return Err(Refusal::Burst {
                    limit,
                    used,
                    reset_at,
                    retry_after: seconds_until(reset_at, now),
                });
            }
        }
        Ok(())
    }
}

/// A number from the environment; one that cannot be read counts as not set.
fn setting<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    text.parse()
        .inspect_err(|error| tracing::warn!(name, text, %error, "a setting is no number of its kind and is ignored"))
        .ok()
}

fn pending(
    execution_id: ExecutionId,
    account: &Account,
    helper_id: HelperId,
    trigger_type: TriggerType,
    now: DateTime<Utc>,
) -> ExecutionSummary {
    ExecutionSummary {
        execution_id,
        account_id: account.account_id.clone(),
        helper_id,
        helper_type: None,
        helper_name: None,
        user_id: None,
        connection_id: None,
        contact_id: None,
        status: ExecutionStatus::Pending,
        trigger_type,
        error_message: None,
        error_code: None,
        duration_ms: None,
        created_at: TimestampMs(now),
        started_at: None,
        completed_at: None,
        attempt: 0,
        parent_execution_id: None,
    }
}

/// The same account, helper and key always give the same id, so that a repeated request meets its own record.
fn deterministic_id(account: &Account, helper: &HelperId, key: &str) -> ExecutionId {
    let text = format!("{}|{helper}|{key}", account.account_id);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    ExecutionId::from_uuid(Uuid::new_v8(bytes))
}

fn seconds_until(end: Timestamp, now: DateTime<Utc>) -> u32 {
    u32::try_from((end.0 - now).num_seconds().max(1)).unwrap_or(u32::MAX)
}
