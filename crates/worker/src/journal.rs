//! The journal of a run lies in its execution record and is only written by the holder of the lease.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mfh_database::Database;
use mfh_helpers::{JournalError, JournalStore};
use mfh_types::ExecutionId;
use serde_json::Value;

pub(crate) struct RecordJournal<'a> {
    pub(crate) database: &'a Database,
    pub(crate) execution: &'a ExecutionId,
    pub(crate) owner: &'a str,
}

#[async_trait]
impl JournalStore for RecordJournal<'_> {
    async fn write(&mut self, entries: &BTreeMap<String, Value>) -> Result<(), JournalError> {
        match self
            .database
            .executions()
            .journal(self.execution, self.owner, entries)
            .await
        {
            Ok(true) => Ok(()),
            Ok(false) => Err(JournalError::LeaseLost),
            Err(error) => Err(JournalError::Unavailable(error.to_string())),
        }
    }
}
