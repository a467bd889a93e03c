//! `mfh invoke`: a real Lambda binary behind a local Runtime API, against the AWS services of the running instance.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use mfh_aws::Stage;

use super::{DataArgs, LogFormat, init_tracing};
use crate::cloud::STAGE;
use crate::data_dir::running;
use crate::runtime_api::Function;

/// One invocation.
#[derive(Debug, Args)]
pub(super) struct InvokeArgs {
    /// The binary: its name, such as mfh-tag-it-worker, or a path.
    binary: String,
    /// The event, a JSON file; `-` reads standard input.
    event: String,
    /// Address of the AWS services; default: AWS_ENDPOINT_URL, else the instance that runs on the data folder.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn invoke(args: InvokeArgs) -> anyhow::Result<()> {
    init_tracing(LogFormat::Pretty);
    let binary = find_binary(&args.binary)?;
    let event = read_event(&args.event)?;
    let url = match args.endpoint_url.or_else(|| std::env::var("AWS_ENDPOINT_URL").ok()) {
        Some(url) => url,
        None => {
            running(&args.data.data_dir)
                .context("No mfh runs here: start one with `mfh`, or give --endpoint-url")?
                .url
        }
    };
    let answer = Function {
        binary,
        stage: Stage::new(STAGE),
        url,
    }
    .invoke(event)
    .await?;
    println!("{}", answer.body);
    if answer.failed {
        bail!("the function reported an error")
    } else {
        Ok(())
    }
}

/// A path as it is, or a binary of this name beside `mfh` itself.
fn find_binary(name: &str) -> anyhow::Result<PathBuf> {
    let given = PathBuf::from(name);
    if given.components().count() > 1 && given.is_file() {
        return Ok(given);
    }
    let beside = std::env::current_exe()?.with_file_name(name);
    if beside.is_file() {
        return Ok(beside);
    }
    bail!("There is no binary {name} beside mfh. Build it first: cargo build --bin {name}")
}

fn read_event(path: &str) -> anyhow::Result<String> {
    let text = if path == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?
    };
    serde_json::from_str::<serde_json::Value>(&text).with_context(|| format!("{path} is not JSON"))?;
    Ok(text)
}
