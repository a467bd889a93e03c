//! `GET /platforms/health`.

use std::sync::Arc;

use axum::extract::State;
use mfh_http::{Core, Envelope, Health, Reply};

use crate::SERVICE;

/// Tells that the service runs.
#[utoipa::path(
    get,
    path = "/platforms/health",
    tag = "platforms",
    responses((status = 200, body = Envelope<Health>))
)]
pub(crate) async fn health(State(core): State<Arc<Core>>) -> Reply<Health> {
    mfh_http::health(SERVICE, &core)
}
