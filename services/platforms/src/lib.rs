//! The platforms service: what can be connected, the account's connections, and signing in at vendors
//! (`api-automation` §6–8).

mod address;
mod credentials;
mod opt_in;
mod records;
mod routes;
mod seeds;
mod settings;
mod upstream;
mod view;

use std::sync::Arc;

use axum::extract::FromRef;
use mfh_aws::{Clients, OAuthClients, SharedQueues, Vault};
use mfh_connectors::{Loader, Shared, TokioSleeper, Transport};
use mfh_http::{Core, lambda};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use seeds::{Seeded, seed, seeds};
pub use settings::OAuthSettings;

/// The name of the service.
pub const SERVICE: &str = "mfh-platforms";

/// What the routes work with.
#[derive(Debug, Clone)]
pub struct State {
    /// What all services share.
    pub core: Arc<Core>,
    /// Builds connectors, and seals and opens credentials.
    pub loader: Loader,
    /// The addresses of OAuth sign-ins.
    pub oauth: Arc<OAuthSettings>,
}

impl State {
    /// The state over what all services share and the connectors of this process.
    pub fn new(core: Arc<Core>, loader: Loader, oauth: OAuthSettings) -> Self {
        Self {
            core,
            loader,
            oauth: Arc::new(oauth),
        }
    }

    /// The state of the deployed service; `SECRETS_KEY_ID` names the key that seals credentials.
    ///
    /// # Errors
    /// When the HTTP client cannot be built, or a variable is missing.
    pub fn from_env(core: Arc<Core>, clients: &Clients) -> Result<Self, lambda::Error> {
        let key = std::env::var("SECRETS_KEY_ID").unwrap_or_else(|_| format!("alias/mfh-{}-secrets", core.stage));
        let vault = Vault::new(clients.kms().clone(), key);
        let (clock, random) = (core.clock.clone(), core.random.clone());
        let sleeper = Arc::new(TokioSleeper);
        let shared = Shared::in_fleet(core.database.clone(), Transport::new()?, clock.clone(), random, sleeper);
        let apps = OAuthClients::new(clients.ssm().clone(), core.stage.clone());
        let loader = Loader::new(core.database.clone(), vault, apps, shared, clock)
            .sending_to(SharedQueues::new(clients.sqs(), &core.stage));
        let oauth = OAuthSettings::from_env(&core.config.app_url)?;
        Ok(Self::new(core, loader, oauth))
    }
}

impl FromRef<State> for Arc<Core> {
    fn from_ref(state: &State) -> Self {
        state.core.clone()
    }
}

/// The routes of the service.
pub fn router(state: State) -> OpenApiRouter {
    use routes::{connections, health, oauth, platforms};

    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(platforms::list))
        .routes(routes!(platforms::get))
        .routes(routes!(connections::list::all))
        .routes(routes!(connections::list::of_platform, connections::create::create))
        .routes(routes!(
            connections::get::get,
            connections::update::update,
            connections::delete::delete
        ))
        .routes(routes!(connections::test::test))
        .routes(routes!(connections::crm::fields))
        .routes(routes!(connections::crm::tags))
        .routes(routes!(oauth::start::start))
        .routes(routes!(oauth::callback::callback))
        .with_state(state)
}
