//! The auth service: registration, sign-in, profile, passwords (`/auth/*`, `api-identity` §2).

mod limits;
mod pool;
mod profile;
mod routes;
mod session;

use std::sync::Arc;

use axum::extract::FromRef;
use mfh_aws::Clients;
use mfh_http::{Core, MissingSetting};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use limits::{Limit, Limits};
pub use pool::UserPool;

/// The name of the service.
pub const SERVICE: &str = "mfh-auth";

/// What the routes work with.
#[derive(Debug, Clone)]
pub struct AuthState {
    /// What all services share.
    pub core: Arc<Core>,
    /// The user pool.
    pub pool: UserPool,
    /// How often strangers may call.
    pub limits: Limits,
}

impl AuthState {
    /// The state of the deployed service, from `COGNITO_USER_POOL_ID` and `COGNITO_CLIENT_ID`.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(core: Arc<Core>, clients: &Clients) -> Result<Self, MissingSetting> {
        Ok(Self {
            core,
            pool: UserPool::from_env(clients)?,
            limits: Limits::default(),
        })
    }
}

impl FromRef<AuthState> for Arc<Core> {
    fn from_ref(state: &AuthState) -> Self {
        state.core.clone()
    }
}

/// The routes of the service.
pub fn router(state: AuthState) -> OpenApiRouter {
    use routes::{challenge, health, password, profile, register, session};

    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(register::register))
        .routes(routes!(session::login))
        .routes(routes!(session::refresh))
        .routes(routes!(session::logout))
        .routes(routes!(challenge::new_password))
        .routes(routes!(challenge::mfa))
        .routes(routes!(profile::status))
        .routes(routes!(profile::update))
        .routes(routes!(
            profile::complete_onboarding,
            profile::complete_onboarding_by_post
        ))
        .routes(routes!(password::change))
        .routes(routes!(password::forgot))
        .routes(routes!(password::reset))
        .with_state(state)
}
