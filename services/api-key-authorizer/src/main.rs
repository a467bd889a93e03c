//! The authorizer as a Lambda function.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_api_key_authorizer::{Request, authorize};
use mfh_aws::{Clients, Stage, Tables};
use mfh_database::Database;
use mfh_types::SystemClock;
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_current_span(false)
        .init();
    let clients = Clients::from_env().await;
    let database = Database::new(clients.dynamodb().clone(), Tables::from_env(&Stage::from_env()));
    let database = &database;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Request>| {
        // Boxed, or the type of the whole future outgrows the compiler.
        let decision = Box::pin(authorize(database, &SystemClock, &event.payload)).await;
        decision.map_err(Error::from)
    }))
    .await
}
