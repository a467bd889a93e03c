//! Runs a helper once and reports what came of it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::{Either, select};
use mfh_types::{ExecutionOutput, JsonObject};
use serde_json::Value;

use crate::{Context, HelperError, Outcome, Registration};

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What the execution record shows.
    pub output: ExecutionOutput,
    /// Why the run failed; `None` when it succeeded.
    pub failure: Option<HelperError>,
    /// Journal entries that are not written yet, for the record of a run that has to wait.
    pub unsaved: BTreeMap<String, Value>,
}

impl Report {
    /// A run that failed before it began.
    pub fn of_failure(failure: HelperError) -> Self {
        let output = ExecutionOutput {
            message: failure.message.clone(),
            ..ExecutionOutput::default()
        };
        Self {
            output,
            failure: Some(failure),
            unsaved: BTreeMap::new(),
        }
    }
}

/// Runs a helper with this configuration, which is validated as a whole before anything is called.
///
/// A run that is not over when `deadline` is, and one that panics, fail with what they did until then: neither may take
/// the worker down, because other runs wait behind it.
pub async fn execute(
    registration: &Registration,
    config: &JsonObject,
    mut cx: Context<'_>,
    deadline: impl Future<Output = ()>,
) -> Report {
    let result = guarded(registration, config, &mut cx, deadline).await;
    let (mut output, unsaved) = cx.finish();
    let failure = match result {
        Ok(outcome) => {
            output.success = true;
            output.message = outcome.message;
            None
        }
        Err(error) => {
            output.message.clone_from(&error.message);
            Some(error)
        }
    };
    Report {
        output,
        failure,
        unsaved,
    }
}

async fn guarded(
    registration: &Registration,
    config: &JsonObject,
    cx: &mut Context<'_>,
    deadline: impl Future<Output = ()>,
) -> Result<Outcome, HelperError> {
    // The context is only read for its results after a panic; each of its methods leaves it whole.
    let run = AssertUnwindSafe(registration.run(config, cx)).catch_unwind();
    match select(std::pin::pin!(run), std::pin::pin!(deadline)).await {
        Either::Left((Ok(result), _)) => result,
        Either::Left((Err(_), _)) => {
            tracing::error!(helper_type = registration.meta.type_name, "the helper panicked");
            Err(HelperError::permanent(
                "INTERNAL",
                "The helper failed because of an error in our software. We have been told about it",
            ))
        }
        Either::Right(((), _)) => Err(HelperError::permanent(
            "TIMEOUT",
            "The run took too long and was stopped. What it did until then is listed; run it again to do the rest",
        )),
    }
}
