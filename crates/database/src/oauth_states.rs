//! Table `oauth-states`.

use mfh_types::{OAuthState, Timestamp};

use crate::table::Table;
use crate::{Database, DatabaseError};

/// One-time OAuth states.
#[derive(Debug, Clone, Copy)]
pub struct OAuthStates<'a>(pub(crate) &'a Database);

impl<'a> OAuthStates<'a> {
    fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.oauth_states, &["state"])
    }

    /// Stores a new state.
    ///
    /// # Errors
    /// The table cannot be written, or the state exists (`Conflict`).
    pub async fn put(&self, state: &OAuthState) -> Result<(), DatabaseError> {
        let table = self.table();
        if table.put(table.encode(state)?, table.absent()).await? {
            Ok(())
        } else {
            Err(DatabaseError::Conflict)
        }
    }

    /// Takes the state with this hash out of the table; an unknown, used or expired one is `None`.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn consume(&self, state_hash: &str, now: Timestamp) -> Result<Option<OAuthState>, DatabaseError> {
        if state_hash.is_empty() {
            return Ok(None);
        }
        let table = self.table();
        let taken = table.delete(&[state_hash], table.exists()).await?;
        let state = taken.map(|item| table.decode::<OAuthState>(item)).transpose()?;
        Ok(state.filter(|state| state.expires_at > now.0.timestamp()))
    }
}
