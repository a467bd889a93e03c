//! Memberships of users in accounts: table `user-accounts` (`api-identity` §12).

use serde::{Deserialize, Serialize};

use crate::{AccountId, Permissions, Role, Timestamp, UserId, blank_as_none};

/// Whether a membership grants anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub enum MembershipStatus {
    /// The creator's membership (spelled so on the wire).
    #[serde(rename = "Active")]
    OwnerActive,
    /// A member.
    #[serde(rename = "active")]
    Active,
    /// Invited; grants nothing yet.
    Pending,
    /// Locked.
    #[serde(rename = "suspended")]
    Suspended,
}

impl MembershipStatus {
    /// Whether the membership grants anything.
    pub fn is_active(self) -> bool {
        matches!(self, Self::OwnerActive | Self::Active)
    }
}

impl<'de> Deserialize<'de> for MembershipStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "Active" => Self::OwnerActive,
            other if other.eq_ignore_ascii_case("active") => Self::Active,
            other if other.eq_ignore_ascii_case("pending") => Self::Pending,
            _ => Self::Suspended,
        })
    }
}

/// A user's place in an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UserAccount {
    /// The member.
    pub user_id: UserId,
    /// The account.
    pub account_id: AccountId,
    /// The member's role.
    pub role: Role,
    /// Whether the membership grants anything.
    pub status: MembershipStatus,
    /// The stored permissions; absent when they follow from the role.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub permissions: Option<Permissions>,
    /// Who invited the member.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub invited_by: Option<UserId>,
    /// When the membership began.
    pub linked_at: Timestamp,
    /// When the record was last changed.
    pub updated_at: Timestamp,
}

impl UserAccount {
    /// What the member may do: the stored map, else what the role gives.
    pub fn permissions(&self) -> Permissions {
        self.permissions.unwrap_or_else(|| self.role.permissions())
    }
}
