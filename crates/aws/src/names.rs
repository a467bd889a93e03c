//! Names by convention (`deploy` §1.1), each of which its environment variable may replace.

use std::fmt;

/// A deployment stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stage(String);

impl Stage {
    /// The stage of this name: `dev`, `staging`, `prod`, or `local` for one machine.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Reads `STAGE`; `dev` when it is not set.
    pub fn from_env() -> Self {
        Self(std::env::var("STAGE").unwrap_or_else(|_| "dev".to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $field:ident, $name:literal, $env:literal;)*) => {
        /// The names of the tables (`data-model` §1).
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Tables {
            $($(#[$doc])* pub $field: String,)*
        }

        impl Tables {
            /// The environment variables that name tables, with the part of the name after the stage.
            pub const VARIABLES: &'static [(&'static str, &'static str)] = &[$(($env, $name)),*];

            /// `mfh-{stage}-{name}` for every table.
            pub fn by_convention(stage: &Stage) -> Self {
                Self { $($field: format!("mfh-{stage}-{}", $name),)* }
            }

            /// The environment's names, by convention where it has none.
            pub fn from_env(stage: &Stage) -> Self {
                let mut tables = Self::by_convention(stage);
                $(if let Some(name) = std::env::var($env).ok().filter(|name| !name.is_empty()) {
                    tables.$field = name;
                })*
                tables
            }
        }
    };
}

tables! {
    /// Users.
    users, "users", "USERS_TABLE";
    /// Accounts.
    accounts, "accounts", "ACCOUNTS_TABLE";
    /// Memberships.
    user_accounts, "user-accounts", "USER_ACCOUNTS_TABLE";
    /// API keys.
    api_keys, "api-keys", "API_KEYS_TABLE";
    /// Connections.
    connections, "connections", "CONNECTIONS_TABLE";
    /// Credentials of connections.
    platform_connection_auths, "platform-connection-auths", "PLATFORM_CONNECTION_AUTHS_TABLE";
    /// Helpers.
    helpers, "helpers", "HELPERS_TABLE";
    /// Executions.
    executions, "executions", "EXECUTIONS_TABLE";
    /// Platforms.
    platforms, "platforms", "PLATFORMS_TABLE";
    /// OAuth states.
    oauth_states, "oauth-states", "OAUTH_STATES_TABLE";
    /// Rate limits and counters.
    rate_limits, "rate-limits", "RATE_LIMITS_TABLE";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_convention() {
        let tables = Tables::by_convention(&Stage::new("prod"));
        assert_eq!(tables.user_accounts, "mfh-prod-user-accounts");
        assert_eq!(tables.platform_connection_auths, "mfh-prod-platform-connection-auths");
        assert_eq!(Tables::VARIABLES.len(), 11);
    }
}
