//! Table `user-accounts`: who belongs to which account.

use mfh_types::{AccountId, UserAccount, UserId};

use crate::expression::Condition;
use crate::table::{Query, Table};
use crate::{Database, DatabaseError};

/// Memberships.
#[derive(Debug, Clone, Copy)]
pub struct UserAccounts<'a>(pub(crate) &'a Database);

impl<'a> UserAccounts<'a> {
    pub(crate) fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.user_accounts, &["user_id", "account_id"])
    }

    /// The membership of a user in an account, whatever its status.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, user: &UserId, account: &AccountId) -> Result<Option<UserAccount>, DatabaseError> {
        self.table().get(&[user.as_str(), account.as_str()]).await
    }

    /// All memberships of a user.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn of_user(&self, user: &UserId) -> Result<Vec<UserAccount>, DatabaseError> {
        let query = Query {
            index: None,
            key: Condition::new("#user_id = :user").bind("user", user),
            filter: Condition::default(),
            newest_first: false,
        };
        self.table().query_all(&query).await
    }

    /// All memberships in an account.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn of_account(&self, account: &AccountId) -> Result<Vec<UserAccount>, DatabaseError> {
        let query = Query::index("AccountIdIndex", "account_id", account.as_str());
        self.table().query_all(&query).await
    }
}
