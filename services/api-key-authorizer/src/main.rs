//! The authorizer as a Lambda function.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_api_key_authorizer::{Request, authorize};
use mfh_aws::{Clients, Stage, Tables, logs};
use mfh_database::Database;
use mfh_types::SystemClock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
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
