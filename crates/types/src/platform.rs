//! Platforms (CRMs and services that can be connected): table `platforms` (`data-model` §4.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AuthType, PlatformId, Timestamp, blank_as_default, blank_as_none};

/// Whether a platform is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlatformStatus {
    /// Offered.
    #[default]
    Active,
    /// No longer offered; its record stays for old connections.
    Retired,
}

/// How a platform does OAuth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OAuthConfig {
    /// Where the user is sent.
    pub auth_url: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: String,
    /// Who the user is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub user_info_url: Option<String>,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Always `code`.
    pub response_type: String,
}

/// Requests allowed per unit of time; 0 means not stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct RateLimits {
    /// A second.
    pub requests_per_second: u32,
    /// A minute.
    pub requests_per_minute: u32,
    /// An hour.
    pub requests_per_hour: u32,
    /// At once.
    pub burst_limit: u32,
}

/// How a platform's API is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApiConfig {
    /// Start of every address, without a trailing slash.
    pub base_url: String,
    /// How connections sign in.
    pub auth_type: AuthType,
    /// The cheapest authenticated read.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub test_endpoint: String,
    /// The vendor's limits.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub rate_limits: RateLimits,
    /// Headers every call carries; values may hold `{api_key}`-like templates.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub required_headers: BTreeMap<String, String>,
    /// The vendor's API version.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub version: String,
}

/// A test call for one kind of credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestEndpoint {
    /// The address.
    pub url: String,
    /// The HTTP method.
    pub method: String,
    /// The header that carries the credential.
    pub auth_header: String,
    /// The form of the header's value.
    pub auth_format: String,
}

/// How the web app draws the platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DisplayConfig {
    /// Main colour.
    pub color: String,
    /// Background colour.
    pub accent: String,
    /// The letters of the badge.
    pub initial: String,
    /// Short name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub short_name: Option<String>,
}

/// How a credential is typed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// Plain text.
    Text,
    /// Hidden text.
    Password,
    /// An https address.
    Url,
}

/// One credential that a user pastes to connect a platform by key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CredentialField {
    /// The name in `credentials`.
    pub key: String,
    /// What the form calls it.
    pub label: String,
    /// An example.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub placeholder: String,
    /// Where to find it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub hint: Option<String>,
    /// How it is typed in.
    pub input_type: InputType,
    /// Whether it must be given.
    pub required: bool,
}

/// A CRM or service that can be connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Platform {
    /// `platform:` and the slug.
    pub platform_id: PlatformId,
    /// Display name.
    pub name: String,
    /// Short name in addresses.
    pub slug: String,
    /// crm, webinar, productivity, storage, payments or data.
    pub category: String,
    /// How the web app groups it.
    #[serde(default)]
    pub types: Vec<String>,
    /// One sentence.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub description: String,
    /// Whether it is offered.
    #[serde(default)]
    pub status: PlatformStatus,
    /// The vendor's API version.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub version: String,
    /// Path of the logo in the web app.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub logo_url: String,
    /// The vendor's documentation.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub documentation_url: String,
    /// How it does OAuth, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub oauth: Option<OAuthConfig>,
    /// How its API is called.
    pub api_config: ApiConfig,
    /// Test calls per kind of credential.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub test_endpoints: Option<BTreeMap<String, TestEndpoint>>,
    /// How the web app draws it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub display_config: Option<DisplayConfig>,
    /// What a user pastes to connect by key; empty when only OAuth connects it.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub credential_fields: Vec<CredentialField>,
    /// What it can do.
    #[serde(default, deserialize_with = "blank_as_default")]
    pub capabilities: Vec<String>,
    /// When it was first seeded.
    pub created_at: Timestamp,
    /// When its content last changed.
    pub updated_at: Timestamp,
}
