//! Running a router as a Lambda function behind the HTTP API (payload format 2.0).

pub use lambda_http::Error;
use tracing_subscriber::EnvFilter;
use utoipa_axum::router::OpenApiRouter;

use crate::{finish, openapi};

/// Writes logs as JSON lines; `RUST_LOG` selects them (default `info`).
pub fn init_tracing() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails only where a subscriber is already set, whose choice then stands.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .try_init();
}

/// Answers invocations until the process ends; base64 bodies are decoded before they reach the router.
///
/// # Errors
/// When the runtime API of Lambda cannot be reached.
pub async fn run(router: OpenApiRouter) -> Result<(), Error> {
    let (router, _) = openapi::split(router, "");
    lambda_http::run(finish(router)).await
}
