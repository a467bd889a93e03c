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

/// How our client proves itself at a token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form.
    #[default]
    Body,
    /// HTTP Basic.
    Basic,
}

/// The method of a simple call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallMethod {
    /// Reads.
    #[default]
    Get,
    /// Sends a form, or nothing.
    Post,
}

/// What a revocation sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevokeStyle {
    /// The refresh token in a form, with our client's proof.
    Client,
    /// The refresh token in a form, alone.
    Token,
    /// Nothing but the access token in `Authorization: Bearer`.
    Bearer,
}

/// Where tokens are given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RevokeConfig {
    /// The address, always called by POST.
    pub url: String,
    /// What it takes.
    pub style: RevokeStyle,
}

/// What a sign-in must be, so that we can work with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InstallRule {
    /// Where the kind of sign-in is told, as in [`IdentityPaths`].
    pub path: String,
    /// The one kind that we take; an answer that does not tell passes.
    pub equals: String,
    /// What the user is told otherwise.
    pub message: String,
}

/// Where a vendor says who signed in: dotted paths into the answer of the token endpoint (`token.hub_id`) or of the
/// user-info call (`info.account.id`). The first that holds a text or number counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct IdentityPaths {
    /// The person.
    pub user_id: Vec<String>,
    /// Their address.
    pub email: Vec<String>,
    /// The account at the vendor: tenant, location, portal.
    pub app_id: Vec<String>,
    /// Its name.
    pub app_name: Vec<String>,
    /// Further facts to show with the connection, by their keys.
    pub metadata: BTreeMap<String, String>,
}

/// How a platform does OAuth. Everything in which vendors differ is here, so that sign-in, refresh and revocation
/// share it (`api-automation` §8.3, `connectors` §4.3).
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
    /// Whether the vendor takes PKCE with S256.
    #[serde(default)]
    pub pkce: bool,
    /// Further parameters of the address that the user is sent to.
    #[serde(default)]
    pub extra_authorize_params: BTreeMap<String, String>,
    /// Further parameters of every call of the token endpoint.
    #[serde(default)]
    pub extra_token_params: BTreeMap<String, String>,
    /// How our client proves itself when it exchanges a code, and wherever nothing else is said.
    #[serde(default)]
    pub token_auth: ClientAuth,
    /// How it proves itself when it refreshes, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub refresh_auth: Option<ClientAuth>,
    /// Whether every refresh ends the refresh token, so that unused connections have to be kept alive.
    #[serde(default)]
    pub rotates: bool,
    /// How the user-info address is called.
    #[serde(default)]
    pub user_info_method: CallMethod,
    /// Where tokens are given back, if the vendor has such a place.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub revoke: Option<RevokeConfig>,
    /// Who signed in.
    #[serde(default)]
    pub identity: IdentityPaths,
    /// Which sign-ins we take, where not all.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub install: Option<InstallRule>,
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

/// The cheapest authenticated call of a service, which tells whether its credentials work. Its texts may hold
/// templates such as `{api_key}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestCall {
    /// The HTTP method.
    #[serde(default)]
    pub method: CallMethod,
    /// The address.
    pub url: String,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The fields of a form; none sends an empty body.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// User name and password of HTTP Basic.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub basic: Option<BasicAuth>,
    /// A member of the JSON answer that must hold this value, for vendors that refuse with 200.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub success: Option<TestSuccess>,
}

/// User name and password of HTTP Basic; both may hold templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BasicAuth {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// What a good answer of a test call holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestSuccess {
    /// Dotted path of the member.
    pub path: String,
    /// Its value, as text.
    pub equals: String,
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
    /// What the value begins with, one of these; empty when anything goes.
    #[serde(
        default,
        deserialize_with = "blank_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub starts_with: Vec<String>,
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
    /// How its credentials are tried, where it is no CRM.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "blank_as_none")]
    pub test: Option<TestCall>,
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
