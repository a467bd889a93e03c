//! The three records of a new user: user, account and membership, made together or not at all (D2, D3).

use mfh_database::Registration;
use mfh_http::{ApiError, Core};
use mfh_types::{
    Account, AccountId, AccountStatus, AccountUsage, MembershipStatus, Plan, Role, Timestamp, User, UserAccount,
    UserId, UserStatus,
};

/// What is known of a person who gets a user record.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) phone_number: Option<String>,
    pub(crate) company: Option<String>,
}

/// Makes the records of a user that the pool knows by `subject`; existing ones stay as they are.
///
/// # Errors
/// 503 when the tables cannot be written.
pub(crate) async fn open_account(core: &Core, subject: &str, person: Person) -> Result<User, ApiError> {
    let user_id = user_id(subject)?;
    let (user, account, membership) = records(core, user_id, subject, person);
    let users = core.database.users();
    let failure = match users.register(&user, &account, &membership).await {
        Ok(Registration::Registered) => return Ok(user),
        Ok(Registration::AlreadyExists) => None,
        Err(error) => Some(error),
    };
    // The records may exist all the same: the answer to our own write was lost, or two sign-ins came at once.
    match (users.get(&user.user_id).await, failure) {
        (Ok(Some(stored)), _) => Ok(stored),
        (_, Some(error)) | (Err(error), None) => Err(error.into()),
        (Ok(None), None) => Err(ApiError::unavailable("the records of a new user are incomplete")),
    }
}

/// The user id of a subject of the pool.
pub(crate) fn user_id(subject: &str) -> Result<UserId, ApiError> {
    UserId::parse(subject).map_err(|_| ApiError::unavailable("the user pool named an unusable subject"))
}

fn records(core: &Core, user_id: UserId, subject: &str, person: Person) -> (User, Account, UserAccount) {
    let now = Timestamp::now(&*core.clock);
    let account_id = AccountId::generate(&*core.clock, &*core.random);
    let account_name = person.company.as_ref().unwrap_or(&person.name).clone();
    let account = Account {
        account_id: account_id.clone(),
        owner_user_id: user_id.clone(),
        created_by_user_id: user_id.clone(),
        name: account_name.clone(),
        company: account_name,
        plan: Plan::Free,
        status: AccountStatus::Active,
        stripe_customer_id: None,
        settings: Plan::Free.into(),
        usage: AccountUsage::default(),
        usage_period: None,
        created_at: now,
        updated_at: now,
    };
    let membership = UserAccount {
        user_id: user_id.clone(),
        account_id: account_id.clone(),
        role: Role::Owner,
        status: MembershipStatus::OwnerActive,
        permissions: Some(Role::Owner.permissions()),
        invited_by: None,
        linked_at: now,
        updated_at: now,
    };
    let user = User {
        user_id,
        cognito_user_id: subject.to_owned(),
        email: person.email,
        name: person.name,
        phone_number: person.phone_number,
        company: person.company,
        status: UserStatus::Active,
        current_account_id: Some(account_id),
        onboarding_complete: false,
        notification_preferences: None,
        pending_email: None,
        email_verified_at: None,
        last_login_at: None,
        created_at: now,
        updated_at: now,
    };
    (user, account, membership)
}
