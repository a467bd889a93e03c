//! `mfh` and `mfh serve`: starts everything and says how to use it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};
use clap::Args;
use mfh_pipeline::BurstLimits;
use tokio::net::TcpListener;

use super::{DataArgs, LogFormat, init_tracing};
use crate::data_dir::DataDir;
use crate::demo::{self, Demo};
use crate::gateway::aws_router;
use crate::platform::{Options, Platform};

/// Options of a start.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Port of the API (and, for signed requests, of the AWS services).
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// A further port for the AWS services alone.
    #[arg(long, value_name = "PORT")]
    aws_port: Option<u16>,
    #[command(flatten)]
    data: DataArgs,
    /// Delete all data first.
    #[arg(long)]
    reset: bool,
    /// Connect to the real CRMs instead of the simulators.
    #[arg(long)]
    live: bool,
    /// Accept any number of runs a minute (in the cloud: 100 a helper, 1000 an account).
    #[arg(long)]
    no_burst_limits: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "pretty")]
    log: LogFormat,
}

pub(super) async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    init_tracing(args.log);
    let listener = listen(args.port, "--port").await?;
    let aws_listener = match args.aws_port {
        Some(port) => Some(listen(port, "--aws-port").await?),
        None => None,
    };
    let url = format!("http://{}", listener.local_addr()?);
    eprintln!("Opening {} …", args.data.data_dir.display());
    let dir = DataDir::open(&args.data.data_dir)?;
    if args.reset {
        dir.reset()?;
    }
    dir.announce(&url)?;
    let demo_file = dir.join("demo.json");
    let burst = if args.no_burst_limits {
        BurstLimits::OFF
    } else {
        BurstLimits::from_env()
    };
    let options = Options {
        live: args.live,
        burst,
        ..Options::new(&url)
    };
    let platform = Platform::start(dir, options).await?;

    if let Some(listener) = aws_listener {
        let router = aws_router(platform.cloud.endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    let app = platform
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stop_asked()).await });
    if args.live {
        println!("{}", live_greeting(&url));
    } else {
        let demo = demo::ensure(&platform, &demo_file).await?;
        // A refused sign-in, as after many starts within a minute, is no reason to stop.
        let token = demo::token(&platform).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the demo user could not sign in");
            format!("<the token that POST {url}/auth/login answers>")
        });
        println!("{}", greeting(&url, &demo, &token));
    }
    server.await?.context("the server stopped")
}

async fn listen(port: u16, option: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!("Port {port} is in use. Stop the program that uses it, or choose another with {option} <port>")
        }
        Err(error) => Err(error).with_context(|| format!("Port {port} cannot be opened")),
    }
}

async fn stop_asked() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn live_greeting(url: &str) -> String {
    format!(
        "MyFusion Helper runs at {url} against the real CRMs. Register with POST {url}/auth/register; API: {url}/docs"
    )
}

fn greeting(url: &str, demo: &Demo, token: &str) -> String {
    let Demo {
        api_key,
        score_helper_id,
        tag_short_key,
    } = demo;
    let (email, password) = (demo::EMAIL, demo::PASSWORD);
    format!(
        r#"
MyFusion Helper runs at {url}

  API reference   {url}/docs
  simulated CRMs  {url}/_sim/keap/_state?contact_id=1007
                  and gohighlevel, activecampaign, ontraport, hubspot, stripe in place of keap
  demo login      {email} / {password}
  API key         {api_key}
  AWS tools       AWS_ENDPOINT_URL={url}

Score contact 1007 (signed in), and look at the run:

  TOKEN={token}
  curl -s -X POST {url}/helpers/{score_helper_id}/execute -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"contact_id":"1007"}}'
  curl -s "{url}/executions?limit=1" -H "Authorization: Bearer $TOKEN"

Tag contact 1007 (API key and short key, as a CRM campaign does):

  curl -s -X POST {url}/helper/{tag_short_key}/execute -H 'x-api-key: {api_key}' -H 'Content-Type: application/json' -d '{{"contact_id":"1007"}}'

Ctrl-C stops it; the data stays."#
    )
}
