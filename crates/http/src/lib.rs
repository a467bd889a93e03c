//! What every API service shares: envelope, errors, request layer, authentication, permissions, OpenAPI.
//!
//! A handler's arguments state its policy: [`SignedIn`] (a user), [`Member`] (a member of the current account),
//! [`May`] (a member with one permission), [`KeyHolder`] (an API key). None of them means the route is public.

pub mod account;
mod auth;
pub mod check;
mod client;
mod core;
mod envelope;
mod error;
mod extract;
mod health;
mod jwt;
mod keys;
pub mod lambda;
mod middleware;
pub mod openapi;
#[cfg(feature = "testing")]
pub mod testing;

pub use account::Standing;
pub use auth::{
    ExecuteHelpers, KeyHolder, ManageApiKeys, ManageBilling, ManageConnections, ManageHelpers, ManageTeam, May, Member,
    Requirement, SignedIn, ViewAnalytics,
};
pub use client::{BearerToken, ClientIp, RequestId};
pub use core::{Config, Core, MissingSetting};
pub use envelope::{Envelope, NoData, Reply, accepted, created, done, ok};
pub use error::{ApiError, ErrorBody, ErrorCode, FieldFault};
pub use extract::{Json, Path, Query};
pub use health::{Health, health};
pub use jwt::{Claims, JwtVerifier, TokenFault, subject_of_issued_token};
pub use keys::{FixedKeys, KeySource, KeysUnavailable, RemoteKeys};
pub use middleware::{BODY_LIMIT, finish};
