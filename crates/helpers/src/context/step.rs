//! Numbered steps: what an earlier delivery did is skipped, what must not be sent twice is written down first.

use mfh_connectors::ConnectorError;
use serde_json::{Value, json};

use super::Context;
use crate::journal::{Step, StepState};
use crate::{FailureKind, HelperError, JournalError};

/// Whether a step may be sent again when nobody knows what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Tags and fields: sending the same again changes nothing.
    Safe,
    /// Goals and automations: sending again would do it twice.
    Never,
}

/// What a step can fail with.
pub(super) trait StepError: Into<HelperError> {
    /// The failure of a step that must not be sent twice.
    fn of_once(self) -> HelperError;
}

impl StepError for ConnectorError {
    fn of_once(self) -> HelperError {
        HelperError::of_once(self)
    }
}

impl StepError for HelperError {
    /// Whoever made the error knows already whether the outcome is.
    fn of_once(self) -> HelperError {
        self
    }
}

impl Context<'_> {
    /// Takes one numbered step: skips what an earlier delivery did, writes down what must not be sent twice.
    pub(super) async fn step<F, E>(
        &mut self,
        op: &str,
        repeat: Repeat,
        target: &str,
        value: Value,
        send: F,
    ) -> Result<Value, HelperError>
    where
        F: AsyncFnOnce() -> Result<Value, E>,
        E: StepError,
    {
        let number = self.journal.next_number();
        let mut step = Step {
            op: op.to_owned(),
            target: target.to_owned(),
            value,
            state: StepState::Sent,
            result: Value::Null,
        };
        match self.journal.recorded(number, &step) {
            Some(recorded) if recorded.state == StepState::Done => return Ok(recorded.result),
            Some(recorded) if recorded.state == StepState::Sent && repeat == Repeat::Never => {
                return Err(HelperError::unknown_outcome(format!(
                    "An earlier attempt was interrupted while step {number} ({op}) was under way. \
                     Check in the CRM whether it was done before you run this again"
                )));
            }
            _ => {}
        }
        if self.run.dry_run {
            return Ok(json!("dry-run"));
        }
        match repeat {
            Repeat::Safe => self.settle().await?,
            Repeat::Never => self.save(number, &step).await?,
        }
        match send().await {
            Ok(result) => {
                step.state = StepState::Done;
                step.result = result.clone();
                match repeat {
                    Repeat::Safe => self.journal.keep(number, &step),
                    Repeat::Never => self.save(number, &step).await?,
                }
                Ok(result)
            }
            Err(error) if repeat == Repeat::Safe => Err(error.into()),
            Err(error) => {
                let failure = error.of_once();
                if failure.kind != FailureKind::UnknownOutcome {
                    step.state = StepState::Refused;
                    self.save(number, &step).await?;
                }
                Err(failure)
            }
        }
    }

    async fn settle(&mut self) -> Result<(), HelperError> {
        if self.lease_lost {
            return Err(lease_lost());
        }
        let settled = self.journal.settle().await;
        settled.map_err(|error| self.journal_failure(error))
    }

    async fn save(&mut self, number: u32, step: &Step) -> Result<(), HelperError> {
        if self.lease_lost {
            return Err(lease_lost());
        }
        let saved = self.journal.save(number, step).await;
        saved.map_err(|error| self.journal_failure(error))
    }

    /// A run that lost its lease takes no further step, also where the failure of one is tolerated.
    fn journal_failure(&mut self, error: JournalError) -> HelperError {
        match error {
            JournalError::LeaseLost => {
                self.lease_lost = true;
                lease_lost()
            }
            JournalError::Unavailable(reason) => HelperError::retryable(
                "UNAVAILABLE",
                format!("The journal of the run cannot be written: {reason}"),
            ),
        }
    }
}

fn lease_lost() -> HelperError {
    HelperError::retryable("LEASE_LOST", "Another worker has taken over this run")
}
