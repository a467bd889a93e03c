//! The stream router as a Lambda function on the stream of the executions table.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_pipeline::{Router, StreamEvent};
use mfh_stream_router::Init;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let init = Init::from_env().await;
    let router = &Router::new(init.database, init.clients.sqs().clone(), init.queues, init.clock);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<StreamEvent>| {
        Ok::<_, Error>(Box::pin(router.route(event.payload)).await)
    }))
    .await
}
