//! Which account a user acts in (`api-identity` §1.5, D8).

use mfh_types::{Account, AccountStatus, Timestamp, User, UserAccount};

use crate::{ApiError, Core};

/// A user's place in the account that requests act on.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The membership; always an active one.
    pub membership: UserAccount,
    /// The account, whatever its status.
    pub account: Account,
}

impl Standing {
    /// Refuses an account that does not work.
    ///
    /// # Errors
    /// 403 for an account that is suspended or closed.
    pub fn require_working(&self) -> Result<(), ApiError> {
        match self.account.status {
            AccountStatus::Active => Ok(()),
            AccountStatus::Suspended => Err(ApiError::forbidden("This account is suspended; contact support")),
            AccountStatus::Cancelled => Err(ApiError::forbidden("This account is closed; switch to another one")),
        }
    }
}

/// The user's current account; a dangling one is replaced by the first active membership, and the user row repaired.
///
/// # Errors
/// 503 when the tables cannot be read. `None` means that the user belongs to no account.
pub async fn standing(core: &Core, user: &User) -> Result<Option<Standing>, ApiError> {
    let memberships = core.database.user_accounts();
    let accounts = core.database.accounts();
    if let Some(current) = &user.current_account_id {
        let (membership, account) = tokio::try_join!(memberships.get(&user.user_id, current), accounts.get(current))?;
        if let (Some(membership), Some(account)) = (membership, account)
            && membership.status.is_active()
        {
            return Ok(Some(Standing { membership, account }));
        }
    }
    let mut rest = memberships.of_user(&user.user_id).await?;
    rest.retain(|membership| membership.status.is_active());
    rest.sort_by(|a, b| a.account_id.cmp(&b.account_id));
    for membership in rest {
        if let Some(account) = accounts.get(&membership.account_id).await? {
            let now = Timestamp::now(&*core.clock);
            core.database
                .users()
                .set_current_account(&user.user_id, &account.account_id, now)
                .await?;
            return Ok(Some(Standing { membership, account }));
        }
    }
    Ok(None)
}
