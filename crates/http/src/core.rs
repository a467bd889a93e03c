//! What all services hold: database, token verifier, clock, randomness and settings.

use std::sync::Arc;

use mfh_aws::{Clients, Stage, Tables};
use mfh_database::Database;
use mfh_types::{Clock, Random, SystemClock, SystemRandom};

use crate::{JwtVerifier, RemoteKeys};

/// An environment variable that the service needs is not set.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingSetting(pub &'static str);

/// Settings of the deployment.
#[derive(Debug, Clone)]
pub struct Config {
    /// The version that health answers name.
    pub version: String,
    /// Where the web app lives, without a slash at the end.
    pub app_url: String,
}

impl Config {
    /// Reads `SERVICE_VERSION` and `APP_URL`.
    pub fn from_env() -> Self {
        let app_url = optional("APP_URL").unwrap_or("https://app.myfusionhelper.ai".to_owned());
        Self {
            version: optional("SERVICE_VERSION").unwrap_or(env!("CARGO_PKG_VERSION").to_owned()),
            app_url: app_url.trim_end_matches('/').to_owned(),
        }
    }
}

/// What the services of one process share; a service's state holds it in an `Arc` and hands it out by `FromRef`.
#[derive(Debug)]
pub struct Core {
    /// The tables.
    pub database: Database,
    /// Verifies access tokens.
    pub verifier: JwtVerifier,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The stage.
    pub stage: Stage,
    /// Settings of the deployment.
    pub config: Config,
}

impl Core {
    /// The core of a deployed service, from `STAGE`, `COGNITO_ISSUER`, `COGNITO_CLIENT_ID`, `COGNITO_JWKS_URI`
    /// (default: below the issuer) and the table names.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(clients: &Clients) -> Result<Arc<Self>, MissingSetting> {
        let stage = Stage::from_env();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let issuer = required("COGNITO_ISSUER")?;
        let jwks_uri = optional("COGNITO_JWKS_URI").unwrap_or_else(|| format!("{issuer}/.well-known/jwks.json"));
        let verifier = JwtVerifier::new(
            issuer,
            required("COGNITO_CLIENT_ID")?,
            Arc::new(RemoteKeys::new(jwks_uri)),
            clock.clone(),
        );
        let tables = Tables::from_env(&stage);
        Ok(Arc::new(Self {
            database: Database::new(clients.dynamodb().clone(), tables),
            verifier,
            clock,
            random: Arc::new(SystemRandom),
            stage,
            config: Config::from_env(),
        }))
    }
}

/// The variable's value; empty counts as absent.
pub(crate) fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &'static str) -> Result<String, MissingSetting> {
    optional(name).ok_or(MissingSetting(name))
}
