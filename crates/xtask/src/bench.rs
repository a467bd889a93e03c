//! `cargo xtask bench`: what the product reaches on this machine, with release builds.

mod builds;
mod connectors;
mod instance;
mod latency;
mod throughput;
mod worker;

use std::path::Path;
use std::{env, fs, thread};

use anyhow::ensure;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::package::{self, Architecture};
use instance::Instance;

/// The worker whose start, memory and size are measured.
const WORKER: &str = "mfh-tag-it-worker";

/// One part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Executions a second, end to end
    Throughput,
    /// Time from the trigger to the end at a fixed rate
    Latency,
    /// Start and memory of a worker binary
    Worker,
    /// Size of a worker binary and its zip
    Size,
    /// Calls of a helper run at each CRM, and what a connector adds to a call
    Connectors,
}

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Measure only these parts
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "skip")]
    only: Vec<Part>,
    /// Leave these parts out
    #[arg(long, value_enum, value_delimiter = ',')]
    skip: Vec<Part>,
    /// Executions of the throughput part
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    executions: u32,
    /// Contacts they are spread over
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    contacts: u32,
    /// Connections that send them, each one request after another
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// Executions a second of the latency part
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Seconds of the latency part
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Starts of the worker, of which the median counts
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// Also builds everything anew in a folder of its own, which takes many minutes
    #[arg(long)]
    build_times: bool,
}

impl BenchArgs {
    fn wants(&self, part: Part) -> bool {
        (self.only.is_empty() || self.only.contains(&part)) && !self.skip.contains(&part)
    }
}

/// Builds what is to be measured, measures it and gives one JSON object.
///
/// # Errors
/// A build fails, the platform does not start, or an execution does not complete.
pub fn run(root: &Path, args: &BenchArgs) -> anyhow::Result<Value> {
    let mut report = Map::new();
    report.insert("machine".to_owned(), machine());
    if args.wants(Part::Throughput) || args.wants(Part::Latency) {
        let mfh = package::build_release(root, "mfh")?;
        Runtime::new()?.block_on(platform(&mfh, args, &mut report))?;
    }
    if args.wants(Part::Connectors) {
        eprintln!("connectors …");
        report.insert(
            "connectors".to_owned(),
            Runtime::new()?.block_on(connectors::measure())?,
        );
    }
    if args.wants(Part::Worker) {
        let binary = package::build_function(root, WORKER)?;
        eprintln!("worker: {} starts …", args.starts);
        report.insert("worker".to_owned(), worker::measure(&binary, args.starts)?);
    }
    if args.wants(Part::Size) {
        let built = package::package(root, WORKER, Architecture::Host)?;
        let size = json!({
            "binary": WORKER, "architecture": env::consts::ARCH,
            "binary_bytes": built.binary_len, "zip_bytes": built.zip_len,
        });
        report.insert("size".to_owned(), size);
    }
    if args.build_times {
        report.insert("build".to_owned(), builds::measure(root)?);
    }
    ensure!(report.len() > 1, "nothing is left to measure; skip fewer parts");
    Ok(Value::Object(report))
}

async fn platform(mfh: &Path, args: &BenchArgs, report: &mut Map<String, Value>) -> anyhow::Result<()> {
    let instance = Instance::start(mfh).await?;
    let contacts = instance.contacts(args.contacts).await?;
    if args.wants(Part::Throughput) {
        eprintln!("throughput: {} executions …", args.executions);
        let measured = throughput::measure(&instance, &contacts, args.executions, args.clients).await?;
        report.insert("throughput".to_owned(), measured);
    }
    if args.wants(Part::Latency) {
        eprintln!("latency: {} a second for {} s …", args.rate, args.seconds);
        let measured = latency::measure(&instance, &contacts, args.rate, args.seconds).await?;
        report.insert("latency".to_owned(), measured);
    }
    Ok(())
}

/// What the figures depend on.
fn machine() -> Value {
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let load = fs::read_to_string("/proc/loadavg").ok().and_then(|text| {
        let first = text.split_whitespace().next()?;
        first.parse::<f64>().ok()
    });
    json!({
        "os": env::consts::OS, "architecture": env::consts::ARCH, "processor": processor,
        "cores": thread::available_parallelism().map_or(0, usize::from), "load_at_start": load,
    })
}

/// The value that the fraction `part` of `sorted` does not exceed; none of an empty list.
fn percentile(sorted: &[f64], part: f64) -> Option<f64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// A duration or rate with as many digits as mean something.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_measured_values() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 0.5), Some(100.0));
        assert_eq!(percentile(&sorted, 0.99), Some(198.0));
        assert_eq!(percentile(&sorted, 1.0), Some(200.0));
        assert_eq!(percentile(&sorted[..1], 0.01), Some(1.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
