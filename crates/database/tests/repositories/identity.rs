//! Users, accounts and memberships.

use mfh_database::{DatabaseError, ProfileChange, Registration};
use mfh_types::{MembershipStatus, UserStatus};

use crate::support::*;

#[tokio::test]
async fn a_registration_stores_all_three_records_or_none() {
    let tested = Tested::with_accounts().await;
    let database = &tested.database;
    assert_eq!(database.users().get(&user_id("a")).await.unwrap().unwrap(), user("a"));
    assert_eq!(
        database.accounts().get(&account_id("a")).await.unwrap().unwrap(),
        account("a")
    );
    let membership_a = database.user_accounts().get(&user_id("a"), &account_id("a")).await;
    assert_eq!(membership_a.unwrap().unwrap().status, MembershipStatus::OwnerActive);

    // The account exists, so neither the new user nor the membership may appear.
    let mut membership_c = membership("c");
    membership_c.account_id = account_id("a");
    let again = database
        .users()
        .register(&user("c"), &account("a"), &membership_c)
        .await;
    assert_eq!(again, Ok(Registration::AlreadyExists));
    assert_eq!(database.users().get(&user_id("c")).await, Ok(None));
    assert!(
        database
            .user_accounts()
            .get(&user_id("c"), &account_id("a"))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_user_is_found_by_address_in_any_case() {
    let tested = Tested::with_accounts().await;
    let users = tested.database.users();
    assert_eq!(
        users.by_email("A@Example.COM").await.unwrap().unwrap().user_id,
        user_id("a")
    );
    assert_eq!(users.by_email("nobody@example.com").await, Ok(None));
    assert_eq!(users.by_email("").await, Ok(None));
}

#[tokio::test]
async fn a_profile_change_touches_only_what_it_names() {
    let tested = Tested::with_accounts().await;
    let users = tested.database.users();
    let first = ProfileChange {
        name: Some("New".to_owned()),
        phone_number: Some(Some("+15550100".to_owned())),
        company: Some(Some("Co".to_owned())),
        pending_email: Some(Some("new@example.com".to_owned())),
        ..ProfileChange::default()
    };
    let changed = users
        .set_profile(&user_id("a"), first, at(NOW + 5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.email.as_str()),
        ("New", "a@example.com")
    );
    assert_eq!(changed.updated_at, at(NOW + 5));
    assert_eq!(changed.created_at, at(NOW));

    let second = ProfileChange {
        email: Some("New@Example.com".to_owned()),
        pending_email: Some(None),
        phone_number: Some(None),
        ..ProfileChange::default()
    };
    let changed = users
        .set_profile(&user_id("a"), second, at(NOW + 6))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(changed.email, "new@example.com");
    assert_eq!((changed.pending_email, changed.phone_number), (None, None));
    assert_eq!(changed.company.as_deref(), Some("Co"));
}

#[tokio::test]
async fn changes_of_a_missing_user_make_no_user() {
    let tested = Tested::with_accounts().await;
    let (users, ghost) = (tested.database.users(), user_id("ghost"));
    assert_eq!(
        users.set_profile(&ghost, ProfileChange::default(), at(NOW)).await,
        Ok(None)
    );
    assert_eq!(
        users.set_current_account(&ghost, &account_id("a"), at(NOW)).await,
        Ok(None)
    );
    assert_eq!(users.set_onboarding_complete(&ghost, at(NOW)).await, Ok(None));
    assert_eq!(users.record_login(&ghost, at(NOW)).await, Ok(None));
    assert_eq!(users.get(&ghost).await, Ok(None));
}

#[tokio::test]
async fn the_first_sign_in_makes_an_invited_user_active_and_a_disabled_one_stays() {
    let tested = Tested::with_accounts().await;
    let users = tested.database.users();
    let key = ("user_id", "user:a");
    tested.set_raw(&tested.tables.users, key, "status", s("invited")).await;
    let user = users.record_login(&user_id("a"), at(NOW + 9)).await.unwrap().unwrap();
    assert_eq!(user.status, UserStatus::Active);
    assert_eq!(user.last_login_at, Some(at(NOW + 9)));

    tested.set_raw(&tested.tables.users, key, "status", s("disabled")).await;
    let user = users.record_login(&user_id("a"), at(NOW + 10)).await.unwrap().unwrap();
    assert_eq!(user.status, UserStatus::Disabled);

    let user = users
        .set_onboarding_complete(&user_id("a"), at(NOW))
        .await
        .unwrap()
        .unwrap();
    assert!(user.onboarding_complete);
    let user = users
        .set_current_account(&user_id("a"), &account_id("b"), at(NOW))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(user.current_account_id, Some(account_id("b")));
}

#[tokio::test]
async fn memberships_are_listed_from_both_sides() {
    let tested = Tested::with_accounts().await;
    let guest = [
        ("user_id", s("user:b")),
        ("account_id", s("account:a")),
        ("role", s("member")),
        ("status", s("Pending")),
        ("permissions", null()),
        ("invited_by", s("")),
        ("linked_at", s("2026-03-10T00:00:00.123456789Z")),
        ("updated_at", s("2026-03-10T00:00:00Z")),
    ];
    tested.put_raw(&tested.tables.user_accounts, &guest).await;
    let memberships = tested.database.user_accounts();
    assert_eq!(memberships.of_user(&user_id("b")).await.unwrap().len(), 2);
    let members = memberships.of_account(&account_id("a")).await.unwrap();
    assert_eq!(members.len(), 2);
    let guest = members.iter().find(|member| member.user_id == user_id("b")).unwrap();
    assert_eq!(
        (guest.status, guest.permissions, guest.invited_by.clone()),
        (MembershipStatus::Pending, None, None)
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_alone_and_left_out_of_a_list() {
    let tested = Tested::with_accounts().await;
    let broken = [("user_id", s("user:b")), ("account_id", s("account:a")), ("role", n(7))];
    tested.put_raw(&tested.tables.user_accounts, &broken).await;
    let memberships = tested.database.user_accounts();
    let alone = memberships.get(&user_id("b"), &account_id("a")).await.unwrap_err();
    assert!(
        matches!(&alone, DatabaseError::Corrupt { key, .. } if key == "user_id=user:b account_id=account:a"),
        "{alone}"
    );
    assert!(!alone.is_retryable());
    let listed = memberships.of_account(&account_id("a")).await.unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_unavailable() {
    let tested = Tested::start().await;
    let tables = mfh_aws::Tables {
        accounts: "mfh-test-nowhere".to_owned(),
        ..tested.tables.clone()
    };
    let database = mfh_database::Database::new(tested.client.clone(), tables);
    let error = database.accounts().get(&account_id("a")).await.unwrap_err();
    assert!(
        matches!(&error, DatabaseError::Unavailable(text) if text.contains("nowhere")),
        "{error}"
    );
    assert!(error.is_retryable());
}
