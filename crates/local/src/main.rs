//! `mfh`: MyFusion Helper on one machine.

use std::process::ExitCode;

use clap::Parser;
use mfh_local::cli::Cli;

/// Every call of an embedded service is written and read as JSON: the system's allocator takes a fifth of a run's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
