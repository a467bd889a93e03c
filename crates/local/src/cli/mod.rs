//! The command line of `mfh`.

mod helpers;
mod invoke;
mod run;
mod serve;
mod vectors;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

/// MyFusion Helper on one machine: the API, the workers and a simulated CRM, with no cloud account.
#[derive(Debug, Parser)]
#[command(name = "mfh", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything (the default).
    Serve(serve::ServeArgs),
    /// List the helper types, or show one.
    Helpers {
        #[command(subcommand)]
        command: Option<HelpersCommand>,
    },
    /// Run one helper on one contact of the simulated CRM and print what it did.
    Run(run::RunArgs),
    /// Run a real Lambda binary once behind a local Runtime API.
    Invoke(invoke::InvokeArgs),
    /// Run every helper vector (*.jsonl) below a folder.
    Vectors {
        /// The folder.
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum HelpersCommand {
    /// Show the settings of a type and an example.
    Show {
        /// The type, such as tag_it.
        helper_type: String,
    },
}

/// Where the data lies.
#[derive(Debug, Clone, Args)]
struct DataArgs {
    /// Folder for all data.
    #[arg(long, default_value = ".mfh", value_name = "FOLDER")]
    data_dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Pretty,
    /// A JSON object a line.
    Json,
}

impl Cli {
    /// Does what the command line asks for.
    ///
    /// # Errors
    /// A sentence for the user.
    pub async fn execute(self) -> anyhow::Result<()> {
        match self.command {
            None => serve::serve(self.serve).await,
            Some(Command::Serve(args)) => serve::serve(args).await,
            Some(Command::Helpers { command: None }) => helpers::list(),
            Some(Command::Helpers {
                command: Some(HelpersCommand::Show { helper_type }),
            }) => helpers::show(&helper_type),
            Some(Command::Run(args)) => run::run(args).await,
            Some(Command::Invoke(args)) => invoke::invoke(args).await,
            Some(Command::Vectors { folder }) => vectors::run(&folder).await,
        }
    }
}

/// Starts logging to standard error; `RUST_LOG` replaces the default.
fn init_tracing(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,mfh=info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Fails only where a subscriber is already set, whose choice then stands.
    let _already_set = match format {
        LogFormat::Pretty => lines.with_target(false).compact().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
