//! The consumer of all dead-letter queues as a Lambda function.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_pipeline::{DeadLetter, DeadLetters};
use mfh_stream_router::Init;
use mfh_worker::{BatchResponse, SqsEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let init = Init::from_env().await;
    let bucket = std::env::var("DATA_BUCKET").unwrap_or_else(|_| format!("mfh-data-{}", init.stage));
    let letters = &DeadLetters::new(init.database, init.clients.s3().clone(), bucket, init.clock);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let mut response = BatchResponse::default();
        for delivery in &event.payload.records {
            let letter = DeadLetter {
                queue: delivery.queue(),
                message_id: &delivery.message_id,
                body: &delivery.body,
            };
            if !Box::pin(letters.handle(&letter)).await {
                response.fail(&delivery.message_id);
            }
        }
        Ok::<_, Error>(response)
    }))
    .await
}
