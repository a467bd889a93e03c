//! `cargo xtask`: what a developer runs besides cargo's own commands.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, ffi::OsString};

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand};
use xtask::bench::{self, BenchArgs};
use xtask::generate::{self, Drift};
use xtask::package::{self, Architecture};
use xtask::{new_helper, workspace_root};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Generates derived files, starts new helpers, packages binaries, measures"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Writes the worker folders and docs/helpers/ from the catalogue of helpers
    Gen {
        /// Writes nothing; lists the files that differ and fails if there are any
        #[arg(long)]
        check: bool,
    },
    /// Writes the file of a new helper from a template and generates its worker
    NewHelper {
        /// The folder under crates/helpers/src, such as tagging
        category: String,
        /// The name of the type, such as score_it
        r#type: String,
    },
    /// Builds one binary for release and packs it into target/lambda/<binary>/bootstrap.zip
    Package {
        /// The binary, such as mfh-tag-it-worker
        binary: String,
        /// Builds for Lambda's arm64 with cargo-lambda (`pip install cargo-lambda`) instead of for this machine
        #[arg(long)]
        arm64: bool,
    },
    /// Measures throughput, latency, worker start, memory and size with release builds; prints one JSON object
    Bench(BenchArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    let root = workspace_root(&env::current_dir()?)?;
    match task {
        Task::Gen { check: true } => check(&root),
        Task::Gen { check: false } => generate(&root).map(|()| ExitCode::SUCCESS),
        Task::NewHelper { category, r#type } => start_helper(&root, &category, &r#type).map(|()| ExitCode::SUCCESS),
        Task::Package { binary, arm64 } => {
            let architecture = if arm64 { Architecture::Arm64 } else { Architecture::Host };
            let package = package::package(&root, &binary, architecture)?;
            println!(
                "{}: binary {} KiB, zip {} KiB",
                package.path.display(),
                package.binary_len.div_ceil(1024),
                package.zip_len.div_ceil(1024)
            );
            Ok(ExitCode::SUCCESS)
        }
        Task::Bench(args) => {
            println!("{:#}", bench::run(&root, &args)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(root: &Path) -> anyhow::Result<ExitCode> {
    let found = generate::drift(root, &generate::all())?;
    for difference in &found {
        println!("{difference}");
    }
    if found.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "{} generated files differ; run `cargo xtask gen` and commit the result",
        found.len()
    );
    Ok(ExitCode::FAILURE)
}

fn generate(root: &Path) -> anyhow::Result<()> {
    let found = generate::write(root, &generate::all())?;
    for difference in &found {
        println!("{difference}");
    }
    let is_manifest = |difference: &Drift| {
        let (Drift::Missing(path) | Drift::Changed(path) | Drift::Stale(path)) = difference;
        path.ends_with("Cargo.toml")
    };
    if found.iter().any(is_manifest) {
        // The lock file lists the workers too, and builds use it as it is.
        cargo(root, ["update", "--workspace", "--quiet", "--offline"])?;
    }
    Ok(())
}

fn start_helper(root: &Path, category: &str, type_name: &str) -> anyhow::Result<()> {
    let written = new_helper::create(root, category, type_name)?;
    for file in &written {
        println!("written  {}", file.strip_prefix(root).unwrap_or(file).display());
    }
    cargo(root, ["fmt", "--package", "mfh-helpers"])?;
    // This program was built without the new helper: the next build knows it.
    cargo(root, ["run", "--quiet", "--package", "xtask", "--", "gen"])?;
    println!(
        "\nNow write what it does, its examples in crates/helpers/vectors/{type_name}.jsonl, \
         and run `cargo test -p mfh-helpers`."
    );
    Ok(())
}

fn cargo<const N: usize>(root: &Path, arguments: [&str; N]) -> anyhow::Result<()> {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(program)
        .current_dir(root)
        .args(arguments)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}
