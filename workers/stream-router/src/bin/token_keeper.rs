//! Keeps sign-ins at vendors alive, as a Lambda function: twice a day it renews OAuth tokens that nobody used for
//! weeks, and for messages of the recovery queue it stores renewed tokens that the table did not take at first.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_aws::{OAuthClients, SharedQueues, Vault};
use mfh_connectors::{Loader, Shared, TokioSleeper, Transport};
use mfh_stream_router::Init;
use mfh_types::SystemRandom;
use mfh_worker::{BatchResponse, SqsEvent};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let init = Init::from_env().await;
    let key = std::env::var("SECRETS_KEY_ID").unwrap_or_else(|_| format!("alias/mfh-{}-secrets", init.stage));
    let vault = Vault::new(init.clients.kms().clone(), key);
    let apps = OAuthClients::new(init.clients.ssm().clone(), init.stage.clone());
    let shared = Shared::new(
        Transport::new()?,
        init.clock.clone(),
        Arc::new(SystemRandom),
        Arc::new(TokioSleeper),
    );
    let queues = SharedQueues::new(init.clients.sqs(), &init.stage);
    let loader = &Loader::new(init.database, vault, apps, shared, init.clock).sending_to(queues);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let answer = if event.payload.get("Records").is_some() {
            let messages = serde_json::from_value(event.payload)?;
            serde_json::to_value(recover(loader, messages).await)?
        } else {
            serde_json::to_value(keep_alive(loader).await?)?
        };
        Ok::<_, Error>(answer)
    }))
    .await
}

async fn keep_alive(loader: &Loader) -> Result<mfh_connectors::oauth::KeptAlive, Error> {
    let kept = Box::pin(loader.keep_alive()).await?;
    tracing::info!(
        renewed = kept.renewed,
        failed = kept.failed,
        "idle sign-ins were kept alive"
    );
    Ok(kept)
}

/// Stores kept tokens; what cannot be stored yet stays in the queue.
async fn recover(loader: &Loader, messages: SqsEvent) -> BatchResponse {
    let mut response = BatchResponse::default();
    for message in &messages.records {
        match Box::pin(loader.recover(&message.body)).await {
            Ok(recovered) => tracing::info!(?recovered, "kept tokens were looked at"),
            Err(error) => {
                tracing::error!(%error, "kept tokens could not be stored yet");
                response.fail(&message.message_id);
            }
        }
    }
    response
}
