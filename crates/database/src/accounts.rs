//! Table `accounts`.

use mfh_types::{Account, AccountId};

use crate::table::Table;
use crate::{Database, DatabaseError};

/// Accounts.
#[derive(Debug, Clone, Copy)]
pub struct Accounts<'a>(pub(crate) &'a Database);

impl<'a> Accounts<'a> {
    pub(crate) fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.accounts, &["account_id"])
    }

    /// The account of this id.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, id: &AccountId) -> Result<Option<Account>, DatabaseError> {
        self.table().get(&[id.as_str()]).await
    }
}
