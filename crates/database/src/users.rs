//! Table `users`.

use mfh_types::{Account, AccountId, Timestamp, User, UserAccount, UserId, UserStatus};

use crate::expression::Update;
use crate::table::{Query, Table};
use crate::transaction::transact;
use crate::{Database, DatabaseError};

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// User, account and membership are stored.
    Registered,
    /// One of them existed; nothing was stored.
    AlreadyExists,
}

/// A change of a user's profile; what is `None` stays as it is, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileChange {
    /// Display name.
    pub name: Option<String>,
    /// The confirmed address, lower-case.
    pub email: Option<String>,
    /// Phone number.
    pub phone_number: Option<Option<String>>,
    /// Company.
    pub company: Option<Option<String>>,
    /// An address that is to be confirmed.
    pub pending_email: Option<Option<String>>,
}

/// Users.
#[derive(Debug, Clone, Copy)]
pub struct Users<'a>(pub(crate) &'a Database);

impl<'a> Users<'a> {
    fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.users, &["user_id"])
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, id: &UserId) -> Result<Option<User>, DatabaseError> {
        self.table().get(&[id.as_str()]).await
    }

    /// The user of this address, in any case. A user who registered within the last second may not be found yet.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn by_email(&self, email: &str) -> Result<Option<User>, DatabaseError> {
        let email = email.to_lowercase();
        if email.is_empty() {
            return Ok(None);
        }
        let query = Query::index("EmailIndex", "email", &email);
        let found = self.table().query_all::<User>(&query).await?;
        Ok(found.into_iter().next())
    }

    /// Stores a new user with their account and membership, all or nothing.
    ///
    /// # Errors
    /// The tables cannot be written.
    pub async fn register(
        &self,
        user: &User,
        account: &Account,
        membership: &UserAccount,
    ) -> Result<Registration, DatabaseError> {
        let (users, accounts) = (self.table(), self.0.accounts().table());
        let memberships = self.0.user_accounts().table();
        let writes = vec![
            users.put_action(users.encode(user)?, users.absent())?,
            accounts.put_action(accounts.encode(account)?, accounts.absent())?,
            memberships.put_action(memberships.encode(membership)?, memberships.absent())?,
        ];
        Ok(match transact(&self.0.client, writes).await? {
            Ok(()) => Registration::Registered,
            Err(_) => Registration::AlreadyExists,
        })
    }

    /// Changes a profile and returns the user as it is then; `None` when there is no such user.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn set_profile(
        &self,
        id: &UserId,
        change: ProfileChange,
        now: Timestamp,
    ) -> Result<Option<User>, DatabaseError> {
        let update = Update::when(self.table().exists())
            .set_some("name", change.name)
            .set_some("email", change.email.map(|email| email.to_lowercase()))
            .change("phone_number", change.phone_number)
            .change("company", change.company)
            .change("pending_email", change.pending_email)
            .set("updated_at", now);
        self.changed(id, update).await
    }

    /// Selects the account that requests act on; whether the user is a member is for the caller to check.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn set_current_account(
        &self,
        id: &UserId,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Option<User>, DatabaseError> {
        let update = Update::when(self.table().exists())
            .set("current_account_id", account)
            .set("updated_at", now);
        self.changed(id, update).await
    }

    /// Records that the web app's first steps are done.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn set_onboarding_complete(&self, id: &UserId, now: Timestamp) -> Result<Option<User>, DatabaseError> {
        let update = Update::when(self.table().exists())
            .set("onboarding_complete", true)
            .set("updated_at", now);
        self.changed(id, update).await
    }

    /// Records a sign-in; an invited user becomes active by it.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn record_login(&self, id: &UserId, now: Timestamp) -> Result<Option<User>, DatabaseError> {
        let invited = self
            .table()
            .exists()
            .and("#status = :invited")
            .bind("invited", UserStatus::Invited);
        let signed_in = Update::when(self.table().exists()).set("last_login_at", now);
        let Some(user) = self.changed(id, signed_in).await? else {
            return Ok(None);
        };
        if user.status != UserStatus::Invited {
            return Ok(Some(user));
        }
        let activated = Update::when(invited)
            .set("status", UserStatus::Active)
            .set("updated_at", now);
        match self.changed(id, activated).await? {
            Some(user) => Ok(Some(user)),
            None => self.get(id).await,
        }
    }

    async fn changed(&self, id: &UserId, update: Update) -> Result<Option<User>, DatabaseError> {
        let answer = self.table().update(&[id.as_str()], update).await?;
        answer.ok().map(|item| self.table().decode(item)).transpose()
    }
}
