//! The API-keys service: keys with which programs run helpers (`api-identity` §4).

mod routes;
mod view;

use std::sync::Arc;

use axum::extract::FromRef;
use mfh_http::Core;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The name of the service.
pub const SERVICE: &str = "mfh-api-keys";

/// What the routes work with.
#[derive(Debug, Clone)]
pub struct State {
    /// What all services share.
    pub core: Arc<Core>,
}

impl State {
    /// The state over what all services share.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

impl FromRef<State> for Arc<Core> {
    fn from_ref(state: &State) -> Self {
        state.core.clone()
    }
}

/// The routes of the service.
pub fn router(state: State) -> OpenApiRouter {
    use routes::{create, health, list, revoke};

    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(list::list, create::create))
        .routes(routes!(revoke::revoke))
        .with_state(state)
}
