//! Calls to services outside, as runs make them: repeated where that is safe, journalled where it is not.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use mfh_types::Secret;
use serde_json::{Value, json};

use super::Context;
use super::step::Repeat;
use super::world::{ServiceAuth, SharedAnswers, World};
use crate::HelperError;
use crate::outside::{Answer, Broken, Request};

/// Attempts of one call.
const ATTEMPTS: u32 = 3;

/// A service that asks for a longer pause gets it from the queue, not from a waiting worker.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How an attempt failed.
struct Failed {
    error: HelperError,
    /// How long the service asked us to wait.
    wait: Option<Duration>,
    /// Whether the service has certainly not acted.
    harmless: bool,
}

impl Context<'_> {
    /// A call that may be made again: a read, or one that the service takes once only by itself. Any answer that a
    /// repeat would not change is given back, whatever its status.
    ///
    /// # Errors
    /// Retryable when the service stays out of reach or busy, with how long it asked to wait.
    pub async fn call(&mut self, service: &str, request: &Request) -> Result<Answer, HelperError> {
        attempts(&self.world, service, request, true).await
    }

    /// A call that creates or sends something: a numbered step of the journal, never made twice.
    ///
    /// # Errors
    /// As [`Context::call`], and an unknown outcome when the answer was lost.
    pub async fn call_once(&mut self, service: &str, request: &Request) -> Result<Answer, HelperError> {
        let world = self.world.clone();
        let recorded = self
            .step("call", Repeat::Never, service, Value::Null, async move || {
                attempts(&world, service, request, false)
                    .await
                    .map(|answer| record(&answer))
            })
            .await?;
        Ok(replay(&recorded))
    }

    /// What a connected service is called with.
    pub fn service(&self, slug: &str) -> Option<&ServiceAuth> {
        self.world.services.get(slug)
    }

    /// The start of a service's addresses: a simulator's, the connection's, else the service's own.
    pub(crate) fn endpoint(&self, slug: &str, own: &str) -> String {
        let connection = || {
            self.service(slug)?
                .base_url
                .clone()
                .filter(|url| !url.trim().is_empty())
        };
        let base = self.world.endpoints.get(slug).cloned().or_else(connection);
        base.map_or_else(|| own.to_owned(), |base| base.trim_end_matches('/').to_owned())
    }

    /// The deployment's key for ip-api.com.
    pub(crate) fn ip_api_key(&self) -> Option<Secret> {
        self.world.ip_api_key.clone()
    }

    /// Answers that the process shares, if it keeps some.
    pub(crate) fn shared_answers(&self) -> Option<&SharedAnswers> {
        self.world.answers.as_deref()
    }

    /// The clock as it is now, for caches and waits; the times of a run come from [`Context::now`].
    pub(crate) fn clock(&self) -> DateTime<Utc> {
        self.world.clock.now()
    }

    /// Waits until then, or puts the run back when that is long.
    pub(crate) async fn wait_until(&mut self, then: DateTime<Utc>, service: &str) -> Result<(), HelperError> {
        let wait = self.world.until(then);
        if wait > LONGEST_WAIT {
            let mut error = busy(service);
            error.retry_after = Some(wait);
            return Err(error);
        }
        if !wait.is_zero() {
            self.world.sleeper.sleep(wait).await;
        }
        Ok(())
    }
}

async fn attempts(world: &World, service: &str, request: &Request, repeatable: bool) -> Result<Answer, HelperError> {
    let mut attempt = 1;
    loop {
        let failed = match world.outside.send(request).await {
            Ok(answer) => match unavailable(world, service, &answer, repeatable) {
                Some(failed) => failed,
                None => return Ok(answer),
            },
            Err(broken) => no_answer(service, broken, repeatable),
        };
        let again = (repeatable || failed.harmless) && failed.error.kind == crate::FailureKind::Retryable;
        let too_long = failed.wait.is_some_and(|wait| wait > LONGEST_WAIT);
        if !again || too_long || attempt == ATTEMPTS {
            return Err(failed.error);
        }
        match failed.wait {
            Some(wait) => world.sleeper.sleep(wait).await,
            None => world.wait_about(Duration::from_secs(1 << (attempt - 1))).await,
        }
        attempt += 1;
    }
}

/// Why an answer is worth another attempt; `None` for answers that are final.
fn unavailable(world: &World, service: &str, answer: &Answer, repeatable: bool) -> Option<Failed> {
    let wait = retry_after(answer, world.clock.now());
    let mut failed = match answer.status {
        429 => Failed {
            error: busy(service),
            wait,
            harmless: true,
        },
        408 | 425 | 500.. if repeatable => Failed {
            error: HelperError::retryable(
                "UNAVAILABLE",
                format!("{service} is not available at the moment (status {})", answer.status),
            ),
            wait,
            harmless: false,
        },
        408 | 500.. => Failed {
            error: lost(service),
            wait,
            harmless: false,
        },
        425 => Failed {
            error: busy(service),
            wait,
            harmless: false,
        },
        _ => return None,
    };
    failed.error.retry_after = failed.wait;
    Some(failed)
}

fn no_answer(service: &str, broken: Broken, repeatable: bool) -> Failed {
    let error = match broken {
        Broken::NotConnected => HelperError::retryable("NETWORK", format!("{service} could not be reached")),
        Broken::Lost if repeatable => HelperError::retryable("TIMEOUT", format!("{service} did not answer in time")),
        Broken::Lost => lost(service),
        Broken::TooLarge => HelperError::permanent("PROTOCOL", format!("{service} answered with more than 1 MB")),
        Broken::Forbidden => HelperError::permanent(
            "INVALID_INPUT",
            format!("The address of {service} may not be called. Correct it"),
        ),
    };
    Failed {
        error,
        wait: None,
        harmless: broken == Broken::NotConnected,
    }
}

fn busy(service: &str) -> HelperError {
    HelperError::retryable(
        "RATE_LIMITED",
        format!("{service} takes no more requests for the moment"),
    )
}

fn lost(service: &str) -> HelperError {
    HelperError::unknown_outcome(format!(
        "{service} got the request but did not confirm it. \
         It may have been done all the same: check there before you run this again"
    ))
}

/// `Retry-After` in seconds or as a date.
fn retry_after(answer: &Answer, now: DateTime<Utc>) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date: DateTime<Utc> = httpdate::parse_http_date(text).ok()?.into();
    (date - now).max(TimeDelta::zero()).to_std().ok()
}

/// What the journal keeps of an answer.
fn record(answer: &Answer) -> Value {
    json!({ "status": answer.status, "body": STANDARD.encode(&answer.body) })
}

/// The answer that the journal kept; a dry run has none and counts as an empty success. So does one that cannot be
/// read: the call was made and must not be made again.
fn replay(recorded: &Value) -> Answer {
    let status = recorded["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let body = recorded["body"].as_str().and_then(|body| STANDARD.decode(body).ok());
    Answer {
        status: status.unwrap_or(200),
        headers: BTreeMap::new(),
        body: body.unwrap_or_else(|| b"{}".to_vec()),
    }
}
