//! Roles and the seven permissions (`api-identity` §1.6).

use serde::{Deserialize, Serialize};

/// What a member of an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Create, change and delete helpers.
    ManageHelpers,
    /// Run helpers, cancel and repeat executions.
    ExecuteHelpers,
    /// Connect, change and delete CRM connections.
    ManageConnections,
    /// Invite, change and remove members.
    ManageTeam,
    /// Change the plan and see invoices.
    ManageBilling,
    /// See execution statistics.
    ViewAnalytics,
    /// Create and revoke API keys.
    ManageApiKeys,
}

/// The permissions stored with a membership; an absent key is derived from the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Permissions {
    /// Create, change and delete helpers.
    pub can_manage_helpers: bool,
    /// Run helpers, cancel and repeat executions.
    pub can_execute_helpers: bool,
    /// Connect, change and delete CRM connections.
    pub can_manage_connections: bool,
    /// Invite, change and remove members.
    pub can_manage_team: bool,
    /// Change the plan and see invoices.
    pub can_manage_billing: bool,
    /// See execution statistics.
    pub can_view_analytics: bool,
    /// Create and revoke API keys.
    pub can_manage_api_keys: bool,
}

impl Permissions {
    /// Whether this permission is granted.
    pub fn allows(&self, permission: Permission) -> bool {
        match permission {
            Permission::ManageHelpers => self.can_manage_helpers,
            Permission::ExecuteHelpers => self.can_execute_helpers,
            Permission::ManageConnections => self.can_manage_connections,
            Permission::ManageTeam => self.can_manage_team,
            Permission::ManageBilling => self.can_manage_billing,
            Permission::ViewAnalytics => self.can_view_analytics,
            Permission::ManageApiKeys => self.can_manage_api_keys,
        }
    }
}

/// The role of a member; the creator of an account is its `Owner` (spelled so on the wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub enum Role {
    /// The creator of the account.
    Owner,
    /// May do everything.
    #[serde(rename = "admin")]
    Admin,
    /// Works with helpers and connections.
    #[serde(rename = "member")]
    Member,
    /// Looks on.
    #[serde(rename = "viewer")]
    Viewer,
    /// A role this version does not know: no permissions.
    #[serde(rename = "unknown")]
    Unknown,
}

impl Role {
    /// The default permissions of the role.
    pub fn permissions(self) -> Permissions {
        let (manage, work, look) = match self {
            Self::Owner | Self::Admin => (true, true, true),
            Self::Member => (false, true, true),
            Self::Viewer => (false, false, true),
            Self::Unknown => (false, false, false),
        };
        Permissions {
            can_manage_helpers: work,
            can_execute_helpers: work,
            can_manage_connections: work,
            can_manage_team: manage,
            can_manage_billing: manage,
            can_view_analytics: look,
            can_manage_api_keys: manage,
        }
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.to_ascii_lowercase().as_str() {
            "owner" => Self::Owner,
            "admin" => Self::Admin,
            "member" => Self::Member,
            "viewer" => Self::Viewer,
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_roles_holds() {
        let may = |role: Role| {
            let p = role.permissions();
            [
                p.can_manage_helpers,
                p.can_execute_helpers,
                p.can_manage_connections,
                p.can_manage_team,
                p.can_manage_billing,
                p.can_view_analytics,
                p.can_manage_api_keys,
            ]
        };
        assert_eq!(may(Role::Owner), [true; 7]);
        assert_eq!(may(Role::Admin), [true; 7]);
        assert_eq!(may(Role::Member), [true, true, true, false, false, true, false]);
        assert_eq!(may(Role::Viewer), [false, false, false, false, false, true, false]);
        assert_eq!(may(Role::Unknown), [false; 7]);
    }

    #[test]
    fn roles_are_read_in_any_case_and_written_as_the_web_app_expects() {
        assert_eq!(serde_json::from_str::<Role>("\"OWNER\"").unwrap(), Role::Owner);
        assert_eq!(serde_json::to_string(&Role::Owner).unwrap(), "\"Owner\"");
        assert_eq!(serde_json::to_string(&Role::Admin).unwrap(), "\"admin\"");
    }
}
