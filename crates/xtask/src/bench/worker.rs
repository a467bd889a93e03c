//! A worker binary from the start of its process to its first poll, and the memory it has used by then.

use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::{percentile, rounded};

/// What a function asks the Runtime API for when it is ready.
const POLL: &[u8] = b"GET /2018-06-01/runtime/invocation/next ";

/// The longest that a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the worker `starts` times.
pub(super) fn measure(binary: &Path, starts: u32) -> anyhow::Result<Value> {
    let mut millis = Vec::new();
    let mut peak_kib = Vec::new();
    for _ in 0..starts {
        let start = start(binary)?;
        millis.push(start.took.as_secs_f64() * 1000.0);
        peak_kib.extend(start.peak_kib);
    }
    millis.sort_unstable_by(f64::total_cmp);
    let mib = |kib: &u64| rounded(f64::from(u32::try_from(*kib).unwrap_or(u32::MAX)) / 1024.0);
    Ok(json!({
        "binary": binary.file_name().and_then(|name| name.to_str()), "starts": starts,
        "first_poll_ms": {
            "median": percentile(&millis, 0.5).map(rounded), "min": millis.first().map(|&ms| rounded(ms)),
            "max": millis.last().map(|&ms| rounded(ms)),
        },
        "peak_memory_mib": peak_kib.iter().max().map(mib),
    }))
}

struct Start {
    took: Duration,
    /// Where the system tells it.
    peak_kib: Option<u64>,
}

/// Ends the process when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where this fails.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Starts the worker against a Runtime API that never has an event.
fn start(binary: &Path) -> anyhow::Result<Start> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut command = function(binary, &listener.local_addr()?.to_string());
    let began = Instant::now();
    let process = command
        .spawn()
        .with_context(|| format!("{} cannot be started", binary.display()))?;
    let mut process = Running(process);
    let mut connection = accept(&listener, &mut process.0)?;
    read_request(&mut connection)?;
    let took = began.elapsed();
    let status = fs::read_to_string(format!("/proc/{}/status", process.0.id())).ok();
    Ok(Start {
        took,
        peak_kib: status.as_deref().and_then(peak_memory),
    })
}

fn function(binary: &Path, runtime: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime)
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        .env("AWS_REGION", "us-west-2")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("STAGE", "local")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

/// The worker's connection; looks every 50 µs whether it is there or the worker has gone.
fn accept(listener: &TcpListener, worker: &mut Child) -> anyhow::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let began = Instant::now();
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                connection.set_nonblocking(false)?;
                return Ok(connection);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = worker.try_wait()? {
            bail!("the worker ended before its first poll ({status})");
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "the worker did not poll within {} s",
            PATIENCE.as_secs()
        );
        thread::sleep(Duration::from_micros(50));
    }
}

/// Reads the head of the first request, which must be a poll.
fn read_request(connection: &mut TcpStream) -> anyhow::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut part = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        let read = connection.read(&mut part)?;
        ensure!(read > 0, "the worker closed the connection");
        head.extend_from_slice(&part[..read]);
    }
    ensure!(
        head.starts_with(POLL),
        "the worker did not poll but sent: {}",
        String::from_utf8_lossy(&head)
    );
    Ok(())
}

/// The largest resident set so far in KiB, from the text of `/proc/<pid>/status`.
fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status_of_a_process() {
        let status = "Name:\tworker\nVmPeak:\t  999 kB\nVmHWM:\t   12345 kB\nVmRSS:\t  10 kB\n";
        assert_eq!(peak_memory(status), Some(12_345));
        assert_eq!(peak_memory("Name:\tworker\n"), None);
    }
}
