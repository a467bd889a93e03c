//! Accounts (tenants): table `accounts` (`api-identity` §12, `data-model` §4.11).

use std::fmt;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{AccountId, Plan, Timestamp, UserId, blank_as_default, blank_as_none};

/// Whether an account may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// Works.
    #[default]
    Active,
    /// Locked by an operator.
    Suspended,
    /// Closed by its owner.
    Cancelled,
}

/// The limits in force; 0 means unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct AccountSettings {
    /// Helpers that may exist.
    pub max_helpers: u32,
    /// Connections that may exist.
    pub max_connections: u32,
    /// Active API keys.
    pub max_api_keys: u32,
    /// Members, invited ones included.
    pub max_team_members: u32,
    /// Executions a month.
    pub max_executions: u32,
    /// Reserved by the documents; nothing sets it.
    pub webhooks_enabled: bool,
}

impl From<Plan> for AccountSettings {
    fn from(plan: Plan) -> Self {
        let limits = plan.limits();
        Self {
            max_helpers: limits.helpers,
            max_connections: limits.connections,
            max_api_keys: limits.api_keys,
            max_team_members: limits.team_members,
            max_executions: limits.monthly_executions,
            webhooks_enabled: false,
        }
    }
}

/// Counters of what exists; kept in the transactions that create and delete.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct AccountUsage {
    /// Helpers that are not deleted.
    pub helpers: i64,
    /// Connections.
    pub connections: i64,
    /// API keys that are not revoked.
    pub api_keys: i64,
    /// Members, invited ones included.
    pub team_members: i64,
    /// Executions accepted in `usage_period`.
    pub monthly_executions: i64,
    /// Kept for the web app; nothing counts it.
    pub monthly_api_requests: i64,
}

/// A calendar month in UTC, written `YYYY-MM`: what monthly counters belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsagePeriod(NaiveDate);

impl UsagePeriod {
    /// The month that contains `now`.
    pub fn of(now: DateTime<Utc>) -> Self {
        let today = now.date_naive();
        Self(today.with_day(1).unwrap_or(today))
    }

    /// The first second of the next month, when counters start again.
    pub fn ends_at(self) -> Timestamp {
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(self.0);
        Timestamp(next.and_time(chrono::NaiveTime::MIN).and_utc())
    }
}

impl fmt::Display for UsagePeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m"))
    }
}

/// A tenant: everything a customer has belongs to one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Account {
    /// The id.
    pub account_id: AccountId,
    /// The user who owns it.
    pub owner_user_id: UserId,
    /// The user who made it.
    pub created_by_user_id: UserId,
    /// Display name.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub name: String,
    /// Company.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub company: String,
    /// What the account pays for.
    #[serde(default)]
    pub plan: Plan,
    /// Whether it may work.
    #[serde(default)]
    pub status: AccountStatus,
    /// Stripe customer, absent until the first checkout (a blank would break the index).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub stripe_customer_id: Option<String>,
    /// The limits in force.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub settings: AccountSettings,
    /// What exists.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub usage: AccountUsage,
    /// The month (`YYYY-MM`) that `usage.monthly_executions` counts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub usage_period: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the record was last changed.
    pub updated_at: Timestamp,
}

impl Account {
    /// Executions accepted in this month; a counter of an older month counts as 0.
    pub fn executions_in(&self, period: UsagePeriod) -> i64 {
        match &self.usage_period {
            Some(counted) if *counted == period.to_string() => self.usage.monthly_executions,
            _ => 0,
        }
    }

    /// The monthly cap that refuses runs, if the plan has one (DECISIONS 12).
    pub fn execution_cap(&self) -> Option<u32> {
        (self.plan.is_capped() && self.settings.max_executions > 0).then_some(self.settings.max_executions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_ends_with_its_month() {
        let december: DateTime<Utc> = "2026-12-31T23:59:59Z".parse().unwrap();
        let period = UsagePeriod::of(december);
        assert_eq!(period.to_string(), "2026-12");
        assert_eq!(period.ends_at().to_string(), "2027-01-01T00:00:00Z");
    }
}
