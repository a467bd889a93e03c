//! The vocabulary of the product: ids, domain records, plans, permissions, clock and randomness.
//!
//! One definition of a record serves JSON and DynamoDB alike, with the same snake_case names
//! (`data-model` §2). Nothing here does I/O or knows AWS.

mod account;
mod api_key;
mod blank;
mod connection;
mod execution;
mod helper;
mod ids;
mod membership;
mod message;
mod notification;
mod oauth_state;
mod permissions;
mod plan;
mod platform;
mod random;
mod secret;
mod time;
mod user;

pub use account::{Account, AccountSettings, AccountStatus, AccountUsage, UsagePeriod};
pub use api_key::{ApiKey, ApiKeyPermission, ApiKeySecret, ApiKeyStatus};
pub use blank::{blank_as_default, blank_as_none};
pub use connection::{
    AuthStatus, AuthType, ConnectionError, ConnectionSettings, ConnectionStatus, Credentials, PlatformConnection,
    PlatformConnectionAuth,
};
pub use execution::{
    Action, Attempt, Execution, ExecutionError, ExecutionOutput, ExecutionStatus, ExecutionSummary, MeterState,
    TriggerType,
};
pub use helper::{ConfigFault, Helper, HelperStatus, HelperType, ShortKey};
pub use ids::{AccountId, ApiKeyId, AuthId, ConnectionId, ExecutionId, HelperId, IdError, PlatformId, UserId};
pub use membership::{MembershipStatus, UserAccount};
pub use message::ExecutionMessage;
pub use notification::{Audience, ConnectionIssue, Notice, Notification};
pub use oauth_state::OAuthState;
pub use permissions::{Permission, Permissions, Role};
pub use plan::{Plan, PlanLimits};
pub use platform::{
    ApiConfig, BasicAuth, CallMethod, ClientAuth, CredentialField, DisplayConfig, IdentityPaths, InputType,
    InstallRule, OAuthConfig, Platform, PlatformStatus, RateLimits, RevokeConfig, RevokeStyle, TestCall, TestEndpoint,
    TestSuccess,
};
pub use random::{Random, SeededRandom, SystemRandom};
pub use secret::Secret;
pub use time::{Clock, ManualClock, SystemClock, Timestamp, TimestampMs};
pub use user::{User, UserStatus};

/// A free-form JSON object: helper configuration, execution input and output.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;
