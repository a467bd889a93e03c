//! The Lambda Runtime API on this machine: runs a real function binary for one event.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use mfh_aws::{REGION, Stage};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::aws::cognito::{DEFAULT_CLIENT_ID, DEFAULT_POOL_ID};
use crate::cloud::{DATA_BUCKET, SECRETS_KEY, issuer};

/// The time an invocation has: the timeout of the worker functions.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A function: its binary and where it runs.
#[derive(Debug, Clone)]
pub struct Function {
    /// The binary that Lambda would call `bootstrap`.
    pub binary: PathBuf,
    /// The stage, whose tables and queues it uses.
    pub stage: Stage,
    /// Address of the AWS services.
    pub url: String,
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// JSON: the response, or the error.
    pub body: String,
    /// Whether it is an error.
    pub failed: bool,
}

impl Function {
    /// Starts the function, hands it one event and stops it when it has answered. What it prints goes to standard
    /// error.
    ///
    /// # Errors
    /// It cannot be started, ends without an answer, or gives none in the time of an invocation.
    pub async fn invoke(&self, event: String) -> anyhow::Result<Answer> {
        let (runtime, answer) = RuntimeApi::start(event).await?;
        let mut child = self.start(&runtime)?;
        let answer = tokio::select! {
            answer = answer => answer.context("the runtime API stopped")?,
            status = child.wait() => bail!("{} ended without an answer ({})", self.binary.display(), status?),
            () = tokio::time::sleep(TIMEOUT) => {
                bail!("{} gave no answer within {} s", self.binary.display(), TIMEOUT.as_secs())
            }
        };
        child.kill().await?;
        Ok(answer)
    }

    fn start(&self, runtime: &str) -> anyhow::Result<Child> {
        let name = self
            .binary
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("function");
        let mut command = Command::new(&self.binary);
        command
            .env("AWS_LAMBDA_RUNTIME_API", runtime)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", self.stage.as_str())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("STAGE", self.stage.as_str())
            .env("SECRETS_KEY_ID", SECRETS_KEY)
            .env("DATA_BUCKET", DATA_BUCKET)
            .env("COGNITO_ISSUER", issuer(&self.url))
            .env("COGNITO_CLIENT_ID", DEFAULT_CLIENT_ID)
            .env("COGNITO_USER_POOL_ID", DEFAULT_POOL_ID)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(std::io::stderr());
        command
            .spawn()
            .with_context(|| format!("{} cannot be started", self.binary.display()))
    }
}

/// The Runtime API for one invocation (AWS Lambda, "Using the Lambda runtime API", version 2018-06-01).
struct RuntimeApi {
    event: Mutex<Option<String>>,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
}

impl RuntimeApi {
    /// Listens on a free port; gives its address and what the function will answer.
    async fn start(event: String) -> anyhow::Result<(String, oneshot::Receiver<Answer>)> {
        let (sender, receiver) = oneshot::channel();
        let api = Arc::new(Self {
            event: Mutex::new(Some(event)),
            answer: Mutex::new(Some(sender)),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
            .route("/2018-06-01/runtime/init/error", post(failure))
            .with_state(api);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((address, receiver))
    }

    fn finish(&self, body: String, failed: bool) -> StatusCode {
        let sender = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match sender.map(|sender| sender.send(Answer { body, failed })) {
            Some(Ok(())) => StatusCode::ACCEPTED,
            _ => StatusCode::GONE,
        }
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    let event = api.event.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(event) = event else {
        // One invocation only: the function waits until it is stopped.
        return std::future::pending().await;
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    let mut headers = HeaderMap::new();
    headers.insert(
        "lambda-runtime-aws-request-id",
        HeaderValue::from_static("00000000-0000-4000-8000-000000000001"),
    );
    headers.insert(
        "lambda-runtime-deadline-ms",
        HeaderValue::from(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)),
    );
    headers.insert(
        "lambda-runtime-invoked-function-arn",
        HeaderValue::from_static("arn:aws:lambda:us-west-2:000000000000:function:local"),
    );
    (headers, event).into_response()
}

async fn response(State(api): State<Arc<RuntimeApi>>, body: String) -> StatusCode {
    api.finish(body, false)
}

async fn failure(State(api): State<Arc<RuntimeApi>>, body: String) -> StatusCode {
    api.finish(body, true)
}
