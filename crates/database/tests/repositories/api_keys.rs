//! API keys.

use mfh_database::{Creation, DatabaseError, Revocation};
use mfh_types::{ApiKeyId, ApiKeyStatus};

use crate::support::*;

fn key_id(name: &str) -> ApiKeyId {
    id(name)
}

#[tokio::test]
async fn two_creations_at_the_limit_cannot_both_pass() {
    let tested = Tested::with_accounts().await;
    let keys = tested.database.api_keys();
    let (first, second) = (api_key("a", "1"), api_key("a", "2"));
    let (first, second) = tokio::join!(keys.create(&first, 1), keys.create(&second, 1));
    let mut outcomes = [first.unwrap(), second.unwrap()];
    outcomes.sort_by_key(|outcome| *outcome != Creation::Created);
    assert_eq!(outcomes, [Creation::Created, Creation::LimitReached { used: 1 }]);
    assert_eq!(keys.list(&account_id("a")).await.unwrap().len(), 1);
    assert_eq!(tested.account().await.usage.api_keys, 1);
}

#[tokio::test]
async fn a_limit_of_zero_does_not_limit() {
    let tested = Tested::with_accounts().await;
    for name in ["1", "2", "3"] {
        let key = api_key("a", name);
        assert_eq!(tested.database.api_keys().create(&key, 0).await, Ok(Creation::Created));
    }
    assert_eq!(tested.account().await.usage.api_keys, 3);
}

#[tokio::test]
async fn a_taken_id_counts_nothing_and_a_missing_account_is_told() {
    let tested = Tested::with_accounts().await;
    let keys = tested.database.api_keys();
    keys.create(&api_key("a", "1"), 5).await.unwrap();
    assert_eq!(keys.create(&api_key("a", "1"), 5).await, Err(DatabaseError::Conflict));
    assert_eq!(tested.account().await.usage.api_keys, 1);
    let orphan = keys.create(&api_key("ghost", "2"), 5).await.unwrap_err();
    assert!(matches!(orphan, DatabaseError::Corrupt { .. }));
    assert_eq!(keys.by_hash("hash-2").await, Ok(None));
}

#[tokio::test]
async fn an_account_stored_without_counters_gets_them() {
    let tested = Tested::with_accounts().await;
    tested.set_account("usage", null()).await;
    let keys = tested.database.api_keys();
    assert_eq!(keys.create(&api_key("a", "1"), 1).await, Ok(Creation::Created));
    assert_eq!(
        keys.create(&api_key("a", "2"), 1).await,
        Ok(Creation::LimitReached { used: 1 })
    );
    assert_eq!(tested.account().await.usage.api_keys, 1);
}

#[tokio::test]
async fn a_key_is_revoked_and_counted_off_once() {
    let tested = Tested::with_accounts().await;
    let keys = tested.database.api_keys();
    keys.create(&api_key("a", "1"), 5).await.unwrap();
    let revoke = || async {
        keys.revoke(&account_id("a"), &key_id("1"), &user_id("a"), at(NOW + 1))
            .await
            .unwrap()
    };
    let (first, second) = tokio::join!(revoke(), revoke());
    assert!(first == Revocation::Revoked || second == Revocation::Revoked);
    assert!(first == Revocation::AlreadyRevoked || second == Revocation::AlreadyRevoked);
    assert_eq!(tested.account().await.usage.api_keys, 0);
    let key = keys.get(&account_id("a"), &key_id("1")).await.unwrap().unwrap();
    assert_eq!(key.status, ApiKeyStatus::Revoked);
    assert_eq!(
        (key.revoked_by, key.revoked_at),
        (Some(user_id("a")), Some(at(NOW + 1)))
    );
    assert_eq!(keys.list(&account_id("a")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_counter_that_is_too_low_does_not_keep_a_key_alive() {
    let tested = Tested::with_accounts().await;
    let keys = tested.database.api_keys();
    keys.create(&api_key("a", "1"), 5).await.unwrap();
    let usage = std::collections::HashMap::from([("api_keys".to_owned(), n(0))]);
    tested
        .set_account("usage", aws_sdk_dynamodb::types::AttributeValue::M(usage))
        .await;
    let answer = keys
        .revoke(&account_id("a"), &key_id("1"), &user_id("a"), at(NOW))
        .await;
    assert_eq!(answer, Ok(Revocation::Revoked));
    assert_eq!(tested.account().await.usage.api_keys, 0);
}

#[tokio::test]
async fn a_foreign_key_is_absent() {
    let tested = Tested::with_accounts().await;
    let keys = tested.database.api_keys();
    keys.create(&api_key("a", "1"), 5).await.unwrap();
    assert_eq!(keys.get(&account_id("b"), &key_id("1")).await, Ok(None));
    assert_eq!(keys.list(&account_id("b")).await, Ok(Vec::new()));
    let answer = keys
        .revoke(&account_id("b"), &key_id("1"), &user_id("b"), at(NOW))
        .await;
    assert_eq!(answer, Ok(Revocation::Missing));
    let key = keys.get(&account_id("a"), &key_id("1")).await.unwrap().unwrap();
    assert_eq!(key.status, ApiKeyStatus::Active);
    let answer = keys
        .revoke(&account_id("a"), &key_id("9"), &user_id("a"), at(NOW))
        .await;
    assert_eq!(answer, Ok(Revocation::Missing));
}

#[tokio::test]
async fn a_key_is_found_by_its_hash() {
    let tested = Tested::with_accounts().await;
    let keys = tested.database.api_keys();
    keys.create(&api_key("a", "1"), 5).await.unwrap();
    assert_eq!(keys.by_hash("hash-1").await.unwrap().unwrap().key_id, key_id("1"));
    assert_eq!(
        keys.by_hash_patiently("hash-1").await.unwrap().unwrap().key_id,
        key_id("1")
    );
    assert_eq!(keys.by_hash_patiently("hash-0").await, Ok(None));
    assert_eq!(keys.by_hash("").await, Ok(None));
}

#[tokio::test]
async fn a_use_is_recorded_at_most_once_a_minute() {
    let tested = Tested::with_accounts().await;
    let keys = tested.database.api_keys();
    keys.create(&api_key("a", "1"), 5).await.unwrap();
    let stored = || async { keys.get(&account_id("a"), &key_id("1")).await.unwrap().unwrap() };
    let last_used = || async { stored().await.last_used_at };
    let unused = stored().await;
    for (now, expected) in [(0, 0), (59, 0), (60, 60), (200, 200)] {
        // As two requests at once have read it.
        keys.touch(&unused, at(NOW + now)).await.unwrap();
        keys.touch(&stored().await, at(NOW + now)).await.unwrap();
        assert_eq!(last_used().await, Some(at(NOW + expected)), "at {now}");
    }
    tested
        .set_raw(&tested.tables.api_keys, ("key_id", "apikey:1"), "last_used_at", null())
        .await;
    keys.touch(&stored().await, at(NOW + 201)).await.unwrap();
    assert_eq!(last_used().await, Some(at(NOW + 201)));

    keys.touch(&api_key("a", "ghost"), at(NOW)).await.unwrap();
    assert!(
        tested
            .raw(&tested.tables.api_keys, "key_id", "apikey:ghost")
            .await
            .is_none()
    );
}
