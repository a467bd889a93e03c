//! When a failed run is tried again (DECISIONS 10 and 28), and when one that a limit held back.

use std::time::Duration;

/// A message is received at most this often.
pub(crate) const MAX_RECEIVES: u32 = 3;

/// An execution is tried at most this often, over all its messages.
const MAX_ATTEMPTS: usize = 5;

/// Attempts of an execution that nobody saw the end of; so many mean that the run itself ends its process, for one that is
/// killed from outside loses the same runs again and again, too. A queue that counts its deliveries gives up long before;
/// that of one machine begins anew with every start.
const MAX_LOST: usize = 100;

/// A longer wait does not block the contact's queue: the execution waits in the table instead.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(15 * 60);

/// How long after its acceptance a run that must not be given up early is still tried.
const PATIENCE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long such a run waits once its usual attempts are used up.
const PATIENT_WAIT: Duration = Duration::from_secs(6 * 60 * 60);

/// How long a run waits in the table once its message has been received as often as it may be: longer than the five
/// minutes for which a queue knows a message again, as the next one has the same number.
const HELD_BACK_WAIT: Duration = Duration::from_secs(6 * 60);

/// What becomes of a run that failed and may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// The message stays in its queue and is seen again after this time.
    Visible(Duration),
    /// The execution waits in the table; the sweeper sends a new message after this time.
    Wait(Duration),
    /// That was the last attempt.
    GiveUp,
}

/// Decides after `failed` attempts, this one included, on the `receive_count`-th delivery of the message.
pub(crate) fn decide(receive_count: u32, failed: usize, retry_after: Option<Duration>) -> Retry {
    let asked = retry_after.unwrap_or_default();
    if failed >= MAX_ATTEMPTS {
        return Retry::GiveUp;
    }
    if asked > LONGEST_VISIBILITY {
        return Retry::Wait(asked);
    }
    match receive_count {
        0 | 1 => Retry::Visible(asked.max(Duration::from_secs(30))),
        count if count < MAX_RECEIVES => Retry::Visible(asked.max(Duration::from_secs(300))),
        _ => Retry::GiveUp,
    }
}

/// The same for a run that was only held back by a limit, and was accepted `age` ago. Nothing failed, so nothing counts
/// against it: it waits until it has its turn.
pub(crate) fn decide_held_back(receive_count: u32, age: Duration, retry_after: Option<Duration>) -> Retry {
    let asked = retry_after.unwrap_or_default();
    match decide(receive_count, 0, retry_after) {
        Retry::GiveUp if age < PATIENCE => Retry::Wait(asked.max(HELD_BACK_WAIT)),
        Retry::Wait(_) if age >= PATIENCE => Retry::GiveUp,
        decided => decided,
    }
}

/// The same for a run that must not be given up early and was accepted `age` ago.
pub(crate) fn decide_patiently(decided: Retry, age: Duration, retry_after: Option<Duration>) -> Retry {
    match decided {
        Retry::GiveUp if age < PATIENCE => Retry::Wait(retry_after.unwrap_or_default().max(PATIENT_WAIT)),
        decided => decided,
    }
}

/// Whether the attempt that begins is one too many: neither an end nor a reason is known of the `attempt - 1 - known`
/// before it.
pub(crate) fn is_lost(attempt: u32, known: usize) -> bool {
    (attempt as usize).saturating_sub(1 + known) >= MAX_LOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_lost_when_it_began_often_and_nobody_saw_it_end() {
        assert!(!is_lost(0, 0));
        assert!(!is_lost(100, 0));
        assert!(is_lost(101, 0));
        assert!(!is_lost(101, 1));
        assert!(is_lost(140, 39));
    }

    #[test]
    fn a_run_that_must_not_be_given_up_goes_on_for_fourteen_days() {
        let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
        let patiently = |age, asked| decide_patiently(Retry::GiveUp, age, asked);
        assert_eq!(patiently(hours(1), None), Retry::Wait(hours(6)));
        assert_eq!(patiently(hours(14 * 24 - 1), Some(hours(9))), Retry::Wait(hours(9)));
        assert_eq!(patiently(hours(14 * 24), None), Retry::GiveUp);
        let soon = Retry::Visible(Duration::from_secs(30));
        assert_eq!(decide_patiently(soon, hours(1), None), soon);
    }

    #[test]
    fn a_run_that_is_held_back_waits_for_its_turn_and_is_not_given_up_before_fourteen_days() {
        let secs = Duration::from_secs;
        let (young, old) = (secs(60), PATIENCE);
        assert_eq!(decide_held_back(1, young, Some(secs(12))), Retry::Visible(secs(30)));
        assert_eq!(decide_held_back(2, young, Some(secs(12))), Retry::Visible(secs(300)));
        assert_eq!(decide_held_back(3, young, Some(secs(12))), Retry::Wait(HELD_BACK_WAIT));
        assert_eq!(decide_held_back(3, young, Some(secs(3_600))), Retry::Wait(secs(3_600)));
        assert_eq!(decide_held_back(1, young, Some(secs(3_600))), Retry::Wait(secs(3_600)));
        assert_eq!(decide_held_back(1, old, Some(secs(3_600))), Retry::GiveUp);
        assert_eq!(decide_held_back(3, old, None), Retry::GiveUp);
    }

    #[test]
    fn the_waits_of_the_decisions_hold() {
        let secs = Duration::from_secs;
        assert_eq!(decide(1, 1, None), Retry::Visible(secs(30)));
        assert_eq!(decide(1, 1, Some(secs(90))), Retry::Visible(secs(90)));
        assert_eq!(decide(2, 2, None), Retry::Visible(secs(300)));
        assert_eq!(decide(2, 2, Some(secs(600))), Retry::Visible(secs(600)));
        assert_eq!(decide(3, 3, None), Retry::GiveUp);
        assert_eq!(decide(1, 1, Some(secs(901))), Retry::Wait(secs(901)));
        assert_eq!(decide(3, 3, Some(secs(901))), Retry::Wait(secs(901)));
        assert_eq!(decide(1, 5, Some(secs(901))), Retry::GiveUp);
    }
}
