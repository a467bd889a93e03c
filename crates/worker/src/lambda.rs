//! A helper worker as a Lambda function: `main` names its one helper type and calls [`run`].

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use mfh_aws::{Clients, OAuthClients, SharedQueues, Stage, Tables, Vault, logs};
use mfh_connectors::{Loader, Shared, TokioSleeper, Transport};
use mfh_database::Database;
use mfh_helpers::outside::LiveClient;
use mfh_helpers::{Helper, Registration};
use mfh_types::{Clock, Secret, SystemClock, SystemRandom};

use crate::{BatchResponse, Outputs, Reach, SqsEvent, Worker};

/// Runs the worker of `H` until Lambda stops it.
pub fn run<H: Helper>() -> ExitCode {
    // Only this is generic: the rest is compiled once, and a worker holds no helper but its own.
    run_type(const { &Registration::of::<H>() })
}

fn run_type(registration: &'static Registration) -> ExitCode {
    logs::init();
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::from)
        .and_then(|runtime| runtime.block_on(serve(registration)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the worker stopped");
            ExitCode::FAILURE
        }
    }
}

async fn serve(registration: &'static Registration) -> Result<(), Error> {
    let worker = worker(registration, &Clients::from_env().await)?;
    let worker = &worker;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let remaining = remaining(event.context.deadline);
        Ok::<BatchResponse, Error>(worker.handle(event.payload, remaining, &event.context.request_id).await)
    }))
    .await
}

fn worker(registration: &'static Registration, clients: &Clients) -> Result<Worker, Error> {
    let stage = Stage::from_env();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = Database::new(clients.dynamodb().clone(), Tables::from_env(&stage));
    let key = std::env::var("SECRETS_KEY_ID").unwrap_or_else(|_| format!("alias/mfh-{stage}-secrets"));
    let bucket = std::env::var("DATA_BUCKET").unwrap_or_else(|_| format!("mfh-data-{stage}"));
    let vault = Vault::new(clients.kms().clone(), key);
    let shared = Shared::in_fleet(
        database.clone(),
        Transport::new()?,
        clock.clone(),
        Arc::new(SystemRandom),
        Arc::new(TokioSleeper),
    );
    let apps = OAuthClients::new(clients.ssm().clone(), stage.clone());
    let loader = Loader::new(database.clone(), vault, apps, shared, clock.clone())
        .sending_to(SharedQueues::new(clients.sqs(), &stage));
    let outputs = Outputs::new(clients.s3().clone(), bucket);
    let mut reach = Reach::new(Arc::new(LiveClient::new()?));
    reach.ip_api_key = std::env::var("IP_API_KEY")
        .ok()
        .filter(|key| !key.is_empty())
        .map(Secret::new);
    Ok(Worker::new(
        registration,
        stage,
        database,
        loader,
        clients.sqs().clone(),
        outputs,
        clock,
    )
    .reaching(reach))
}

/// What is left until `deadline` (Unix milliseconds).
fn remaining(deadline: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(deadline).saturating_sub(now)
}
