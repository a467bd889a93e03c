//! The helpers service: helpers, their catalogue, triggers and executions (`api-automation` §2–5).

mod body;
mod config;
mod connections;
mod outcome;
mod request;
mod routes;
mod schedule;
mod secrets;
mod stats;
mod storable;
mod views;

use std::sync::Arc;

use axum::extract::FromRef;
use mfh_http::Core;
use mfh_pipeline::{Accept, BurstLimits};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The name of the service.
pub const SERVICE: &str = "mfh-helpers";

/// What the routes work with.
#[derive(Debug, Clone)]
pub struct State {
    /// What all services share.
    pub core: Arc<Core>,
    /// The way in for executions.
    pub accept: Accept,
}

impl State {
    /// Accepts executions into the core's database, at most `limits` a minute.
    pub fn new(core: Arc<Core>, limits: BurstLimits) -> Self {
        let accept = Accept::new(core.database.clone(), core.clock.clone(), core.random.clone(), limits);
        Self { core, accept }
    }

    /// The state of the deployed service, with the limits that the environment sets.
    pub fn from_env(core: Arc<Core>) -> Self {
        Self::new(core, BurstLimits::from_env())
    }
}

impl FromRef<State> for Arc<Core> {
    fn from_ref(state: &State) -> Self {
        state.core.clone()
    }
}

/// The routes of the service.
pub fn router(state: State) -> OpenApiRouter {
    use routes::{catalogue, execute, executions, health, helpers, trigger};

    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(catalogue::types))
        .routes(routes!(catalogue::one_type))
        .routes(routes!(helpers::list::list, helpers::create::create))
        .routes(routes!(
            helpers::get::get,
            helpers::update::update,
            helpers::delete::delete
        ))
        .routes(routes!(execute::execute))
        .routes(routes!(trigger::by_header))
        .routes(routes!(trigger::by_path, trigger::by_link))
        .routes(routes!(executions::list::list))
        .routes(routes!(executions::stats::stats))
        .routes(routes!(executions::get::get))
        .routes(routes!(executions::cancel::cancel))
        .routes(routes!(executions::retry::retry))
        .with_state(state)
}
