//! Why a run failed, and whether a repeat may help (`helpers/COMMON` §9).

use std::fmt;
use std::time::Duration;

use mfh_connectors::{ConnectorError, ErrorKind, WriteOutcome};
use mfh_types::ConfigFault;

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The settings are wrong; nothing was called.
    Configuration,
    /// A repeat cannot help.
    Permanent,
    /// A later repeat may help.
    Retryable,
    /// A step that must not be sent twice may or may not have been done.
    UnknownOutcome,
}

/// A run failed; the text is for the user.
#[derive(Debug, Clone, PartialEq)]
pub struct HelperError {
    /// What to do about it.
    pub kind: FailureKind,
    /// A stable code.
    pub code: &'static str,
    /// Which setting, field, tag or service, and what was said; no secrets, no contact values.
    pub message: String,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
    /// Nothing but a limit stood in the way, so that waiting is all that it takes: this does not count as a try.
    pub held_back: bool,
}

impl HelperError {
    /// A repeat cannot help.
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Permanent,
            code,
            message: message.into(),
            retry_after: None,
            held_back: false,
        }
    }

    /// A later repeat may help.
    pub fn retryable(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Retryable,
            code,
            message: message.into(),
            retry_after: None,
            held_back: false,
        }
    }

    /// A step that must not be sent twice may or may not have been done.
    pub fn unknown_outcome(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::UnknownOutcome,
            code: "UNKNOWN_OUTCOME",
            message: message.into(),
            retry_after: None,
            held_back: false,
        }
    }

    /// The settings are wrong: every fault in one text.
    pub fn configuration(faults: &[ConfigFault]) -> Self {
        let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Self {
            kind: FailureKind::Configuration,
            code: "INVALID_CONFIG",
            message: format!("The configuration has to be corrected: {}", list.join("; ")),
            retry_after: None,
            held_back: false,
        }
    }

    /// Says what was being done when the error came.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl From<ConnectorError> for HelperError {
    fn from(error: ConnectorError) -> Self {
        let kind = if error.is_retryable() {
            FailureKind::Retryable
        } else {
            FailureKind::Permanent
        };
        Self {
            kind,
            code: error.kind.code(),
            message: error.message,
            retry_after: error.retry_after,
            held_back: error.held_back,
        }
    }
}

impl HelperError {
    /// The failure of a step that must not be sent twice: lost answers are not repeated.
    pub(crate) fn of_once(error: ConnectorError) -> Self {
        let lost = error.outcome == WriteOutcome::Unknown && error.kind != ErrorKind::RateLimited;
        if lost {
            return Self::unknown_outcome(format!(
                "{}. It may have been done all the same: check in the CRM before you run this again",
                error.message
            ));
        }
        error.into()
    }
}

impl fmt::Display for HelperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HelperError {}

/// Collects the failures of independent steps, all of which are tried.
#[derive(Debug, Default)]
pub struct Failures(Vec<HelperError>);

impl Failures {
    /// No failure yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes the failure of one step, saying which; tells whether the step worked.
    pub fn note<T>(&mut self, what: impl fmt::Display, result: Result<T, HelperError>) -> bool {
        match result {
            Ok(_) => true,
            Err(error) => {
                self.0.push(error.context(what));
                false
            }
        }
    }

    /// One error that names every failure, or nothing when all steps worked.
    ///
    /// # Errors
    /// The run may be repeated when one of the steps may be: those that worked are not sent again.
    pub fn into_result(self) -> Result<(), HelperError> {
        let mut failures = self.0.into_iter();
        let Some(mut whole) = failures.next() else {
            return Ok(());
        };
        for failure in failures {
            whole.message = format!("{}; {}", whole.message, failure.message);
            whole.retry_after = whole.retry_after.max(failure.retry_after);
            if outweighs(failure.kind, whole.kind) {
                whole.kind = failure.kind;
                whole.code = failure.code;
                whole.held_back = failure.held_back;
            } else if failure.kind == whole.kind {
                whole.held_back &= failure.held_back;
            }
        }
        Err(whole)
    }
}

/// An unknown outcome must not be repeated, whatever else failed; otherwise one repeatable step is worth a repeat.
fn outweighs(new: FailureKind, old: FailureKind) -> bool {
    let weight = |kind| match kind {
        FailureKind::UnknownOutcome => 2,
        FailureKind::Retryable => 1,
        FailureKind::Permanent | FailureKind::Configuration => 0,
    };
    weight(new) > weight(old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_named_and_one_repeatable_step_is_worth_a_repeat() {
        let mut failures = Failures::new();
        assert!(failures.note("tag 1", Ok(())));
        assert!(!failures.note::<()>("tag 2", Err(HelperError::permanent("FORBIDDEN", "no"))));
        assert!(!failures.note::<()>("tag 3", Err(HelperError::retryable("RATE_LIMITED", "slow"))));
        let error = failures.into_result().unwrap_err();
        assert_eq!(error.kind, FailureKind::Retryable);
        assert_eq!(error.code, "RATE_LIMITED");
        assert_eq!(error.message, "tag 2: no; tag 3: slow");
    }

    #[test]
    fn a_run_was_only_held_back_when_nothing_else_is_worth_a_repeat() {
        let held_back = || HelperError {
            held_back: true,
            ..HelperError::retryable("RATE_LIMITED", "slow")
        };
        let down = || HelperError::retryable("UNAVAILABLE", "down");
        let wrong = || HelperError::permanent("NOT_FOUND", "no");
        for (steps, expected) in [
            ([held_back(), held_back()], true),
            ([wrong(), held_back()], true),
            ([held_back(), wrong()], true),
            ([down(), held_back()], false),
            ([held_back(), down()], false),
        ] {
            let mut failures = Failures::new();
            for step in steps {
                failures.note::<()>("step", Err(step));
            }
            assert_eq!(failures.into_result().unwrap_err().held_back, expected);
        }
    }

    #[test]
    fn no_failure_is_a_success() {
        assert!(Failures::new().into_result().is_ok());
    }
}
