//! Running a router as a Lambda function behind the HTTP API (payload format 2.0).

pub use lambda_http::Error;
use utoipa_axum::router::OpenApiRouter;

use crate::{finish, openapi};

/// Answers invocations until the process ends; base64 bodies are decoded before they reach the router.
///
/// # Errors
/// When the runtime API of Lambda cannot be reached.
pub async fn run(router: OpenApiRouter) -> Result<(), Error> {
    let (router, _) = openapi::split(router, "");
    lambda_http::run(finish(router)).await
}
