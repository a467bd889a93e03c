//! Time from the trigger to the end of the execution at a fixed rate.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use futures::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::instance::Instance;
use super::{percentile, rounded};

/// How often one of the executions that have not ended is asked for, in turn. The rate does not rise with their number:
/// if each had a reader of its own, the readers would take the time that the late ones need.
const POLL: Duration = Duration::from_millis(4);

/// Questions that wait for their answers at a time.
const READERS: usize = 8;

/// An execution that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// An execution that was accepted.
struct Started {
    id: String,
    /// When its trigger was to be sent.
    due: Instant,
}

/// Triggers `rate` executions a second for `seconds`, whether or not earlier ones have ended, and asks for them until
/// all have.
pub(super) async fn measure(
    instance: &Instance,
    contacts: &[String],
    rate: u32,
    seconds: u32,
) -> anyhow::Result<Value> {
    // The first requests open connections and fill caches.
    for contact in contacts.iter().take(20) {
        let id = instance.trigger(contact).await?;
        let due = Instant::now();
        while !has_ended(instance, &Started { id: id.clone(), due }).await? {}
    }
    let began = Instant::now() + Duration::from_millis(100);
    let (started, accepted) = mpsc::unbounded_channel();
    let triggers = (0..rate * seconds).map(|n| {
        let due = began + Duration::from_secs(1) * n / rate;
        let contact = &contacts[n as usize % contacts.len()];
        let started = started.clone();
        async move {
            tokio::time::sleep_until(due).await;
            let id = instance.trigger(contact).await?;
            started.send(Started { id, due })?;
            anyhow::Ok(())
        }
    });
    let triggers = try_join_all(triggers.collect::<Vec<_>>());
    drop(started);
    let (_, mut millis) = tokio::try_join!(triggers, watch(instance, accepted))?;
    instance.expect_all_completed().await?;
    millis.sort_unstable_by(f64::total_cmp);
    let at = |part| percentile(&millis, part).map(rounded);
    Ok(json!({
        "rate": rate, "seconds": seconds, "executions": millis.len(),
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0),
        "one_is_read_every_ms": POLL.as_millis(),
    }))
}

/// Asks for the executions in turn until no more come and all have ended; milliseconds of each.
async fn watch(instance: &Instance, mut accepted: mpsc::UnboundedReceiver<Started>) -> anyhow::Result<Vec<f64>> {
    let (mut open, mut asked, mut millis) = (VecDeque::new(), FuturesUnordered::new(), Vec::new());
    let mut more = true;
    let mut tick = interval(POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while more || !open.is_empty() || !asked.is_empty() {
        tokio::select! {
            execution = accepted.recv(), if more => match execution {
                Some(execution) => open.push_back(execution),
                None => more = false,
            },
            Some(answer) = asked.next() => match answer? {
                (execution, false) => open.push_back(execution),
                (execution, true) => millis.push(execution.due.elapsed().as_secs_f64() * 1000.0),
            },
            _ = tick.tick(), if !open.is_empty() && asked.len() < READERS => {
                asked.extend(open.pop_front().map(|execution| ask(instance, execution)));
            }
        }
    }
    Ok(millis)
}

/// The execution, and whether it has ended.
async fn ask(instance: &Instance, execution: Started) -> anyhow::Result<(Started, bool)> {
    let ended = has_ended(instance, &execution).await?;
    Ok((execution, ended))
}

async fn has_ended(instance: &Instance, execution: &Started) -> anyhow::Result<bool> {
    let answer = instance.get(&format!("/executions/{}", execution.id)).await?;
    match answer["data"]["status"].as_str() {
        Some("completed") => return Ok(true),
        Some("failed" | "cancelled") => anyhow::bail!("an execution did not complete: {answer}"),
        _ => {}
    }
    ensure!(execution.due.elapsed() < PATIENCE, "an execution did not end: {answer}");
    Ok(false)
}
