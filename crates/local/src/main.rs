//! `mfh`: MyFusion Helper on one machine.

use std::process::ExitCode;

use clap::Parser;
use mfh_local::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().execute().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
