//! Time from the trigger to the end of the execution at a fixed rate.

use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::instance::Instance;
use super::{percentile, rounded};

/// How often each execution is asked for.
const POLL: Duration = Duration::from_millis(4);

/// An execution that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Triggers `rate` executions a second for `seconds`, whether or not earlier ones have ended, and asks for each
/// until it has.
pub(super) async fn measure(
    instance: &Instance,
    contacts: &[String],
    rate: u32,
    seconds: u32,
) -> anyhow::Result<Value> {
    // The first requests open connections and fill caches.
    for contact in contacts.iter().take(20) {
        ended(instance, contact, Instant::now()).await?;
    }
    let started = Instant::now() + Duration::from_millis(100);
    let runs = (0..rate * seconds).map(|n| {
        let due = started + Duration::from_secs(1) * n / rate;
        let contact = &contacts[n as usize % contacts.len()];
        async move {
            tokio::time::sleep_until(due).await;
            ended(instance, contact, due).await
        }
    });
    let mut millis = try_join_all(runs).await?;
    instance.expect_all_completed().await?;
    millis.sort_unstable_by(f64::total_cmp);
    let at = |part| percentile(&millis, part).map(rounded);
    Ok(json!({
        "rate": rate, "seconds": seconds, "executions": millis.len(),
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0),
        "polled_every_ms": POLL.as_millis(),
    }))
}

/// Runs the helper and waits for the end; milliseconds since `due`, when the trigger was to be sent.
async fn ended(instance: &Instance, contact: &str, due: Instant) -> anyhow::Result<f64> {
    let path = format!("/executions/{}", instance.trigger(contact).await?);
    loop {
        let execution = instance.get(&path).await?;
        match execution["data"]["status"].as_str() {
            Some("completed") => return Ok(due.elapsed().as_secs_f64() * 1000.0),
            Some("failed" | "cancelled") => anyhow::bail!("an execution did not complete: {execution}"),
            _ => {}
        }
        ensure!(due.elapsed() < PATIENCE, "an execution did not end: {execution}");
        tokio::time::sleep(POLL).await;
    }
}
