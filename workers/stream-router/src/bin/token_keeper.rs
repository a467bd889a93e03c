//! Renews OAuth tokens that nobody used for weeks, as a Lambda function that runs twice a day.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_aws::{OAuthClients, Vault};
use mfh_connectors::{Loader, Shared, TokioSleeper, Transport};
use mfh_stream_router::Init;
use mfh_types::SystemRandom;
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
    let loader = &Loader::new(init.database, vault, apps, shared, init.clock);
    lambda_runtime::run(service_fn(async |_: LambdaEvent<Value>| {
        let kept = Box::pin(loader.keep_alive()).await?;
        tracing::info!(
            renewed = kept.renewed,
            failed = kept.failed,
            "idle sign-ins were kept alive"
        );
        Ok::<_, Error>(serde_json::to_value(kept)?)
    }))
    .await
}
