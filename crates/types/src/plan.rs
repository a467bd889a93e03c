//! Plans and their limits (DECISIONS 13).

use serde::{Deserialize, Serialize};

/// What an account pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// "Sandbox": free of charge, blocked at its limit.
    #[default]
    Free,
    /// The smallest paid plan.
    Start,
    /// The middle plan.
    Grow,
    /// The largest plan.
    Deliver,
}

/// How much of each resource a plan includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// Helpers that may exist.
    pub helpers: u32,
    /// Connections that may exist.
    pub connections: u32,
    /// Active API keys.
    pub api_keys: u32,
    /// Members, invited ones included.
    pub team_members: u32,
    /// Executions a calendar month (UTC).
    pub monthly_executions: u32,
}

impl Plan {
    /// The limits of the plan.
    pub fn limits(self) -> PlanLimits {
        let [helpers, connections, api_keys, team_members, monthly_executions] = match self {
            Self::Free => [1, 1, 1, 1, 100],
            Self::Start => [10, 2, 2, 2, 5_000],
            Self::Grow => [50, 5, 10, 5, 25_000],
            Self::Deliver => [999_999, 20, 100, 100, 100_000],
        };
        PlanLimits {
            helpers,
            connections,
            api_keys,
            team_members,
            monthly_executions,
        }
    }

    /// The name users know the plan by.
    pub fn label(self) -> &'static str {
        match self {
            Self::Free => "Sandbox",
            Self::Start => "Start",
            Self::Grow => "Grow",
            Self::Deliver => "Deliver",
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Start => "start",
            Self::Grow => "grow",
            Self::Deliver => "deliver",
        }
    }

    /// Whether runs over the monthly limit are refused (free) rather than metered (paid; DECISIONS 12).
    pub fn is_capped(self) -> bool {
        self == Self::Free
    }
}

impl<'de> Deserialize<'de> for Plan {
    /// An unknown plan counts as free (`data-model` §4.11).
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "start" => Self::Start,
            "grow" => Self::Grow,
            "deliver" => Self::Deliver,
            _ => Self::Free,
        })
    }
}
