//! Executions a second, from the first POST to the end of the last execution.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::instance::Instance;
use super::rounded;

/// How often the number of ended executions is asked for.
const SAMPLE: Duration = Duration::from_millis(50);

/// Nothing ended for this long: something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Executions of which the throughput is told apart, so that slowing down shows.
const STEP: u64 = 1_000;

/// How many executions had ended at a time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    secs: f64,
    ended: u64,
}

/// Sends `executions` triggers over `clients` keep-alive connections and waits for their ends.
pub(super) async fn measure(
    instance: &Instance,
    contacts: &[String],
    executions: u32,
    clients: u32,
) -> anyhow::Result<Value> {
    let before = instance.ended().await?;
    let idle = instance.processor_time();
    let next = AtomicU32::new(0);
    let started = Instant::now();
    let send = async {
        let client = async || {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= executions {
                    return anyhow::Ok(());
                }
                instance.trigger(&contacts[n as usize % contacts.len()]).await?;
            }
        };
        try_join_all((0..clients).map(|_| client())).await?;
        anyhow::Ok(started.elapsed().as_secs_f64())
    };
    let (accepted_secs, samples) = tokio::try_join!(send, watch(instance, before, executions.into(), started))?;
    instance.expect_all_completed().await?;
    let used = instance
        .processor_time()
        .zip(idle)
        .map(|(after, before)| after - before);
    let total = samples.last().map_or(0.0, |last| last.secs);
    Ok(json!({
        "executions": executions, "contacts": contacts.len(), "clients": clients,
        "seconds": rounded(total), "per_second": rounded(f64::from(executions) / total),
        "accepted_per_second": rounded(f64::from(executions) / accepted_secs),
        "processor_ms_per_execution": used.map(|used| rounded(used.as_secs_f64() * 1e3 / f64::from(executions))),
        "per_second_by_thousand": by_step(&samples, executions.into()),
        "ended_is_read_every_ms": SAMPLE.as_millis(),
    }))
}

/// Counts ended executions until there are `wanted` more than `before`.
async fn watch(instance: &Instance, before: u64, wanted: u64, started: Instant) -> anyhow::Result<Vec<Sample>> {
    let mut samples = vec![Sample { secs: 0.0, ended: 0 }];
    let mut last_change = Instant::now();
    loop {
        let ended = instance.ended().await? - before;
        let sample = Sample {
            secs: started.elapsed().as_secs_f64(),
            ended,
        };
        if samples.last().is_some_and(|last| ended > last.ended) {
            last_change = Instant::now();
            samples.push(sample);
        }
        if ended >= wanted {
            return Ok(samples);
        }
        ensure!(
            last_change.elapsed() < PATIENCE,
            "{ended} of {wanted} executions ended, then none for {} s",
            PATIENCE.as_secs()
        );
        tokio::time::sleep(SAMPLE).await;
    }
}

/// Executions a second of each thousand in the order of their ends; times between samples are interpolated.
fn by_step(samples: &[Sample], executions: u64) -> Vec<f64> {
    let mut rates = Vec::new();
    let (mut from, mut began) = (0, 0.0);
    while from < executions {
        let to = (from + STEP).min(executions);
        let ended = time_of(samples, to);
        #[allow(clippy::cast_precision_loss, reason = "at most a thousand")]
        rates.push(rounded((to - from) as f64 / (ended - began)));
        (from, began) = (to, ended);
    }
    rates
}

/// When `count` executions had ended.
#[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 executions")]
fn time_of(samples: &[Sample], count: u64) -> f64 {
    let after = samples.partition_point(|sample| sample.ended < count);
    match (after.checked_sub(1).map(|at| samples[at]), samples.get(after)) {
        (Some(a), Some(b)) => a.secs + (b.secs - a.secs) * (count - a.ended) as f64 / (b.ended - a.ended) as f64,
        (Some(sample), None) => sample.secs,
        (None, sample) => sample.map_or(0.0, |sample| sample.secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thousand_has_its_own_throughput() {
        let samples = [(0.0, 0), (1.0, 500), (3.0, 1_500), (4.0, 2_000), (8.0, 2_200)];
        let samples = samples.map(|(secs, ended)| Sample { secs, ended });
        assert_eq!(by_step(&samples, 2_200), [500.0, 500.0, 50.0]);
    }
}
