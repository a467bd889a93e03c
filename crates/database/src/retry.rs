//! Repeats what a busy table refused.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::time::Instant;

use crate::DatabaseError;

/// No further try begins after this time.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Runs `operation` up to eight times within three seconds, with growing, jittered pauses, while it is throttled
/// or conflicts with a transaction; anything else is returned at once.
pub(crate) async fn with_retries<T, F>(operation: impl FnMut() -> F) -> Result<T, DatabaseError>
where
    F: Future<Output = Result<T, DatabaseError>>,
{
    let started = Instant::now();
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(15))
        .with_max_delay(Duration::from_millis(400))
        .with_max_times(7)
        .with_jitter();
    operation
        .retry(pauses)
        .when(|error| *error == DatabaseError::Throttled && started.elapsed() < PATIENCE)
        .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_conflict_is_repeated_and_given_up_within_three_seconds() {
        let (tries, started) = (Cell::new(0), Instant::now());
        let answer: Result<(), _> = with_retries(|| {
            tries.set(tries.get() + 1);
            async { Err(DatabaseError::Throttled) }
        })
        .await;
        assert_eq!(answer, Err(DatabaseError::Throttled));
        assert_eq!(tries.get(), 8);
        assert!(started.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_conflict_that_ends_is_not_seen_and_other_errors_are_not_repeated() {
        let tries = Cell::new(0);
        let answer = with_retries(|| {
            tries.set(tries.get() + 1);
            let tried = tries.get();
            async move {
                if tried < 3 {
                    Err(DatabaseError::Throttled)
                } else {
                    Ok(tried)
                }
            }
        })
        .await;
        assert_eq!(answer, Ok(3));

        tries.set(0);
        let answer: Result<(), _> = with_retries(|| {
            tries.set(tries.get() + 1);
            async { Err(DatabaseError::TooLarge) }
        })
        .await;
        assert_eq!((answer, tries.get()), (Err(DatabaseError::TooLarge), 1));
    }
}
