//! The health answer of a service; it touches no dependency (`api-identity` U7).

use mfh_types::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Core, Reply, ok};

/// What `GET /{service}/health` says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Health {
    /// The service, for example `mfh-auth`.
    pub service: &'static str,
    /// Its version.
    pub version: String,
    /// The stage it runs in.
    pub stage: String,
    /// The present time.
    pub timestamp: Timestamp,
}

/// The answer of this service.
pub fn health(service: &'static str, core: &Core) -> Reply<Health> {
    ok(
        "Healthy",
        Health {
            service,
            version: core.config.version.clone(),
            stage: core.stage.to_string(),
            timestamp: Timestamp::now(&*core.clock),
        },
    )
}
