//! Table `executions`: every transition of `pipeline` §2.4 is one conditional write.

mod accept;
mod cancel;
mod list;
mod run;
mod surroundings;
mod sweep;

use mfh_types::{AccountId, Execution, ExecutionId};

pub use accept::{Acceptance, Reservation};
pub use cancel::Cancellation;
pub use list::{ExecutionFilter, ListError, Page};
pub use run::{Claim, Finish, Release, Return};
pub use surroundings::Surroundings;
pub use sweep::{DueExecution, Stalled};

use crate::table::Table;
use crate::{Database, DatabaseError};

/// The hash keys of the index of executions that are not ended; the sweeper reads all of them.
pub const PENDING_SHARDS: [&str; 16] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f",
];

/// The shard of an execution while it is not ended, from the last digit of its id, which is random.
pub fn pending_shard(id: &ExecutionId) -> &'static str {
    let last = id.as_str().bytes().last().unwrap_or(b'0');
    let digit = char::from(last).to_digit(16).unwrap_or(u32::from(last) % 16);
    // A digit is below 16 by construction.
    PENDING_SHARDS[digit as usize % PENDING_SHARDS.len()]
}

/// The words for a run that was accepted and not started; `queued` is an earlier one.
const PENDING_WORDS: [&str; 2] = ["pending", "queued"];

/// The attributes that only a run which is not ended has.
const OPEN_ONLY: [&str; 6] = [
    "pending_shard",
    "next_action_at",
    "next_attempt_at",
    "lease_owner",
    "lease_until",
    "journal",
];

/// Executions.
#[derive(Debug, Clone, Copy)]
pub struct Executions<'a>(pub(crate) &'a Database);

impl<'a> Executions<'a> {
    fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.executions, &["execution_id"])
    }

    /// The execution of this id.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, account: &AccountId, id: &ExecutionId) -> Result<Option<Execution>, DatabaseError> {
        let execution = self.get_any(id).await?;
        Ok(execution.filter(|execution| execution.summary.account_id == *account))
    }

    /// The execution of this id, whosever it is: for workers, which have the id from their queue.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get_any(&self, id: &ExecutionId) -> Result<Option<Execution>, DatabaseError> {
        self.table().get(&[id.as_str()]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_a_shard_and_random_ids_use_all_of_them() {
        let shard = |text: &str| pending_shard(&ExecutionId::parse(text).unwrap());
        assert_eq!(shard("exec:0198c7e2-aaaa-7bbb-8ccc-0123456789ab"), "b");
        assert_eq!(shard("exec:0198c7e2-aaaa-7bbb-8ccc-0123456789a0"), "0");
        assert!(PENDING_SHARDS.contains(&shard("exec:odd-Z")));
    }
}
