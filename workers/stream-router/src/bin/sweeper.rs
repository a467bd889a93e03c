//! The sweeper as a Lambda function that runs every minute.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_pipeline::Sweeper;
use mfh_stream_router::Init;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let init = Init::from_env().await;
    let sweeper = &Sweeper::new(init.database, init.clients.sqs().clone(), init.queues, init.clock);
    lambda_runtime::run(service_fn(async |_: LambdaEvent<Value>| {
        let sweep = Box::pin(sweeper.sweep()).await?;
        tracing::info!(sent = sweep.sent, ended = sweep.ended, left = sweep.left, "swept");
        Ok::<_, Error>(json!({ "sent": sweep.sent, "ended": sweep.ended, "left": sweep.left }))
    }))
    .await
}
