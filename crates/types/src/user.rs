//! Users: table `users` (`api-identity` §12).

use serde::{Deserialize, Serialize};

use crate::{AccountId, JsonObject, Timestamp, UserId, blank_as_default, blank_as_none};

/// Whether a user may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserStatus {
    /// Signs in and works.
    #[default]
    Active,
    /// Invited, has not signed in yet.
    Invited,
    /// Locked out.
    Disabled,
}

/// A person who signs in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct User {
    /// `user:` and the subject of the user pool.
    pub user_id: UserId,
    /// The subject of the user pool.
    pub cognito_user_id: String,
    /// Lower-case e-mail address.
    pub email: String,
    /// Display name.
    pub name: String,
    /// E.164 phone number, never verified by us.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub phone_number: Option<String>,
    /// Company as given at registration.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub company: Option<String>,
    /// Whether the user may sign in.
    #[serde(default)]
    pub status: UserStatus,
    /// The account that requests act on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub current_account_id: Option<AccountId>,
    /// Whether the web app's first steps are done.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub onboarding_complete: bool,
    /// Which notifications the user wants; absent keys have their defaults.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    #[schema(value_type = Option<Object>)]
    pub notification_preferences: Option<JsonObject>,
    /// An address that is not confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub pending_email: Option<String>,
    /// When the address was proven.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub email_verified_at: Option<Timestamp>,
    /// When the user last signed in.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub last_login_at: Option<Timestamp>,
    /// When the user registered.
    pub created_at: Timestamp,
    /// When the record was last changed.
    pub updated_at: Timestamp,
}
