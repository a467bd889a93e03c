//! Connections and their credentials.

use aws_sdk_dynamodb::types::AttributeValue;
use mfh_aws::SealedSecrets;
use mfh_database::{Connecting, ConnectionChange, DatabaseError, NewConnection, NewSecrets, Renaming, StoredSecrets};
use mfh_types::{AuthId, AuthStatus, ConnectionError, ConnectionStatus, PlatformConnection};

use crate::support::*;

fn auth_id(name: &str) -> AuthId {
    id(name)
}

fn sealed(text: &str) -> SealedSecrets {
    SealedSecrets {
        bytes: text.as_bytes().to_vec(),
        key_id: "key".to_owned(),
    }
}

fn secrets(text: &str) -> NewSecrets {
    NewSecrets {
        sealed: sealed(text),
        expires_at: Some(NOW + 3_600),
        scope: None,
        token_type: None,
    }
}

fn new(account: &str, name: &str) -> NewConnection {
    NewConnection {
        connection: connection(account, name),
        auth: auth(account, name),
        sealed: sealed("first"),
    }
}

async fn with_connection() -> Tested {
    let tested = Tested::with_accounts().await;
    let answer = tested.database.connections().create(new("a", "k"), 1).await;
    assert_eq!(answer, Ok(Connecting::Created));
    tested
}

impl Tested {
    async fn stored(&self) -> (mfh_types::PlatformConnectionAuth, StoredSecrets) {
        let auths = self.database.auths();
        let stored = auths.get(&account_id("a"), &connection_id("k"), &auth_id("k")).await;
        stored.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_connection_comes_with_its_credentials_and_counts() {
    let tested = with_connection().await;
    let connections = tested.database.connections();
    let stored = connections.get(&account_id("a"), &connection_id("k")).await.unwrap();
    assert_eq!(stored, Some(connection("a", "k")));
    assert_eq!(
        tested.stored().await,
        (auth("a", "k"), StoredSecrets::Sealed(sealed("first")))
    );
    assert_eq!(tested.account().await.usage.connections, 1);

    let second = connections.create(new("a", "k2"), 1).await;
    assert_eq!(second, Ok(Connecting::LimitReached { used: 1 }));
    assert!(
        tested
            .raw(&tested.tables.platform_connection_auths, "auth_id", "auth:k2")
            .await
            .is_none()
    );
    assert_eq!(connections.create(new("a", "k"), 5).await, Ok(Connecting::Taken));
    let mut same_id = new("a", "k");
    same_id.connection.name = "Another name".to_owned();
    assert_eq!(connections.create(same_id, 5).await, Err(DatabaseError::Conflict));
}

#[tokio::test]
async fn two_connections_at_the_limit_cannot_both_pass() {
    let tested = Tested::with_accounts().await;
    let connections = tested.database.connections();
    let (first, second) = tokio::join!(
        connections.create(new("a", "k1"), 1),
        connections.create(new("a", "k2"), 1)
    );
    let created = [first.unwrap(), second.unwrap()]
        .iter()
        .filter(|o| **o == Connecting::Created)
        .count();
    assert_eq!(created, 1);
    assert_eq!(connections.list(&account_id("a")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_touches_only_what_it_names() {
    let tested = with_connection().await;
    let connections = tested.database.connections();
    let error = ConnectionError {
        code: "REAUTH".to_owned(),
        message: "Connect again.".to_owned(),
        at: at(NOW),
    };
    let broken = ConnectionChange {
        status: Some(ConnectionStatus::Error),
        last_error: Some(Some(error.clone())),
        reauth_required: Some(true),
        base_url: Some(Some("https://x.example.com".to_owned())),
        ..ConnectionChange::default()
    };
    let (account, id) = (account_id("a"), connection_id("k"));
    let changed = connections
        .update(&account, &id, broken, at(NOW + 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (changed.status, changed.last_error),
        (ConnectionStatus::Error, Some(error))
    );
    assert_eq!((changed.name.as_str(), changed.version), ("k", 1));

    let works = ConnectionChange::works(at(NOW + 2));
    let changed = connections
        .update(&account, &id, works, at(NOW + 2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (changed.status, changed.last_error, changed.reauth_required),
        (ConnectionStatus::Active, None, false)
    );
    assert_eq!(changed.base_url.as_deref(), Some("https://x.example.com"));
    assert_eq!(changed.last_connected, Some(at(NOW + 2)));
}

#[tokio::test]
async fn another_account_can_neither_see_nor_change_a_connection() {
    let tested = with_connection().await;
    let (connections, auths) = (tested.database.connections(), tested.database.auths());
    let (b, k) = (account_id("b"), connection_id("k"));
    assert_eq!(connections.get(&b, &k).await, Ok(None));
    assert_eq!(connections.list(&b).await, Ok(Vec::new()));
    assert_eq!(
        connections.update(&b, &k, ConnectionChange::default(), at(NOW)).await,
        Ok(None)
    );
    assert_eq!(connections.delete(&b, &k).await, Ok(false));
    let replaced = connections
        .replace_credentials(
            &PlatformConnection {
                account_id: b.clone(),
                ..connection("a", "k")
            },
            &auth_id("k"),
            secrets("x"),
            0,
            ConnectionChange::default(),
            at(NOW),
        )
        .await;
    assert_eq!(replaced, Ok(false));
    assert_eq!(auths.get(&b, &k, &auth_id("k")).await, Ok(None));
    assert_eq!(
        auths
            .get(&account_id("a"), &connection_id("other"), &auth_id("k"))
            .await,
        Ok(None)
    );
    assert_eq!(
        auths.seal_legacy(&b, &k, &auth_id("k"), &sealed("x"), 0, at(NOW)).await,
        Ok(false)
    );
    assert_eq!(
        auths
            .store_refreshed(&b, &k, &auth_id("k"), secrets("x"), 0, at(NOW))
            .await,
        Ok(false)
    );
    assert_eq!(tested.stored().await.1, StoredSecrets::Sealed(sealed("first")));
    assert!(connections.get(&account_id("a"), &k).await.unwrap().is_some());
}

#[tokio::test]
async fn a_deletion_takes_the_credentials_along_and_counts_off_once() {
    let tested = with_connection().await;
    let connections = tested.database.connections();
    let (account, k) = (account_id("a"), connection_id("k"));
    let (first, second) = tokio::join!(connections.delete(&account, &k), connections.delete(&account, &k));
    let mut answers = [first.unwrap(), second.unwrap()];
    answers.sort_unstable();
    assert_eq!(answers, [false, true]);
    assert_eq!(tested.account().await.usage.connections, 0);
    assert!(
        tested
            .raw(&tested.tables.platform_connection_auths, "auth_id", "auth:k")
            .await
            .is_none()
    );

    // A late write makes no ghost of it.
    let late = connections
        .update(&account, &k, ConnectionChange::works(at(NOW)), at(NOW))
        .await;
    assert_eq!(late, Ok(None));
    let auths = tested.database.auths();
    assert_eq!(
        auths
            .store_refreshed(&account, &k, &auth_id("k"), secrets("x"), 0, at(NOW))
            .await,
        Ok(false)
    );
    auths.touch_used(&account, &k, &auth_id("k"), at(NOW)).await.unwrap();
    assert!(
        tested
            .raw(&tested.tables.platform_connection_auths, "auth_id", "auth:k")
            .await
            .is_none()
    );
}

#[tokio::test]
async fn a_connection_whose_credentials_are_gone_can_be_deleted() {
    let tested = with_connection().await;
    let delete = tested
        .client
        .delete_item()
        .table_name(&tested.tables.platform_connection_auths);
    delete.key("auth_id", s("auth:k")).send().await.unwrap();
    let answer = tested
        .database
        .connections()
        .delete(&account_id("a"), &connection_id("k"))
        .await;
    assert_eq!(answer, Ok(true));
    assert_eq!(tested.account().await.usage.connections, 0);
}

#[tokio::test]
async fn new_credentials_win_only_against_the_version_they_replace() {
    let tested = with_connection().await;
    let connections = tested.database.connections();
    let (account, k, auth) = (account_id("a"), connection_id("k"), auth_id("k"));
    let broken = ConnectionChange {
        status: Some(ConnectionStatus::Error),
        reauth_required: Some(true),
        ..ConnectionChange::default()
    };
    connections.update(&account, &k, broken, at(NOW)).await.unwrap();
    let named = ConnectionChange {
        external_app_id: Some(Some("app".to_owned())),
        ..ConnectionChange::default()
    };
    let before = connections.get(&account, &k).await.unwrap().unwrap();
    let replace = |text: &'static str, version| {
        connections.replace_credentials(&before, &auth, secrets(text), version, named.clone(), at(NOW + 7))
    };
    assert_eq!(replace("second", 0).await, Ok(true));
    assert_eq!(replace("stale", 0).await, Ok(false));
    let (record, stored) = tested.stored().await;
    assert_eq!(stored, StoredSecrets::Sealed(sealed("second")));
    assert_eq!((record.version, record.expires_at), (1, Some(NOW + 3_600)));
    let connection = connections.get(&account, &k).await.unwrap().unwrap();
    assert_eq!(
        (connection.status, connection.reauth_required),
        (ConnectionStatus::Active, false)
    );
    assert_eq!(connection.external_app_id.as_deref(), Some("app"));
    assert_eq!(connection.last_connected, Some(at(NOW + 7)));
}

#[tokio::test]
async fn one_caller_refreshes_and_the_losers_see_its_version() {
    let tested = with_connection().await;
    let auths = tested.database.auths();
    let (account, k, auth) = (account_id("a"), connection_id("k"), auth_id("k"));
    let lock = |owner: &'static str, now| auths.lock_refresh(&account, &k, &auth, 0, (owner, now + 30), at(now));
    let (first, second) = tokio::join!(lock("w1", NOW), lock("w2", NOW));
    assert_ne!(first.unwrap(), second.unwrap());
    assert_eq!(lock("w3", NOW + 30).await, Ok(false), "still reserved");
    assert_eq!(lock("w3", NOW + 31).await, Ok(true), "the winner died");

    let stored = auths
        .store_refreshed(&account, &k, &auth, secrets("second"), 0, at(NOW + 32))
        .await;
    assert_eq!(stored, Ok(true));
    assert_eq!(lock("w4", NOW + 33).await, Ok(false), "the version is another");
    let (record, _) = tested.stored().await;
    assert_eq!((record.version, record.last_refresh_at), (1, Some(NOW + 32)));

    let failed = auths
        .refresh_failed(
            &account,
            &k,
            &auth,
            1,
            ("vendor unreachable", Some(NOW + 60)),
            at(NOW + 40),
        )
        .await;
    assert_eq!(failed, Ok(true));
    let (record, stored) = tested.stored().await;
    assert_eq!((record.status, record.refresh_attempts), (AuthStatus::Active, 1));
    assert_eq!(record.refresh_retry_at, Some(NOW + 60));
    assert_eq!(
        stored,
        StoredSecrets::Sealed(sealed("second")),
        "tokens are never cleared"
    );
    let refused = auths
        .refresh_failed(&account, &k, &auth, 1, ("refused", None), at(NOW + 41))
        .await;
    assert_eq!(refused, Ok(true));
    assert_eq!(tested.stored().await.0.status, AuthStatus::ReauthRequired);
}

#[tokio::test]
async fn plain_credentials_of_an_earlier_version_are_read_and_sealed_once() {
    let tested = with_connection().await;
    let plain = [
        ("auth_id", s("auth:k")),
        ("connection_id", s("connection:k")),
        ("account_id", s("account:a")),
        ("user_id", s("user:a")),
        ("platform_id", s("platform:keap")),
        ("auth_type", s("oauth2")),
        ("status", s("active")),
        ("version", n(0)),
        ("access_token", s("plain-access")),
        ("refresh_token", s("plain-refresh")),
        ("api_key", s("")),
        ("expires_at", null()),
        ("created_at", n(NOW)),
        ("updated_at", n(NOW)),
        ("refresh_attempts", n(0)),
    ];
    let table = &tested.tables.platform_connection_auths;
    tested.put_raw(table, &plain).await;
    let (record, StoredSecrets::Plain(credentials)) = tested.stored().await else {
        panic!("expected plain credentials");
    };
    assert_eq!(credentials.access_token.unwrap().expose(), "plain-access");
    assert_eq!((credentials.api_key, record.expires_at), (None, None));

    let auths = tested.database.auths();
    let (account, k, auth) = (account_id("a"), connection_id("k"), auth_id("k"));
    let again = sealed("again");
    let seal = || auths.seal_legacy(&account, &k, &auth, &again, 0, at(NOW));
    assert_eq!(seal().await, Ok(true));
    assert_eq!(seal().await, Ok(false));
    let item = tested.raw(table, "auth_id", "auth:k").await.unwrap();
    for gone in ["access_token", "refresh_token", "api_key", "api_secret"] {
        assert!(!item.contains_key(gone), "{gone}");
    }
    assert!(matches!(item["secrets"], AttributeValue::B(_)));
}

#[tokio::test]
async fn a_use_is_recorded_every_fifteen_minutes() {
    let tested = with_connection().await;
    let auths = tested.database.auths();
    for (now, expected) in [(0, 0), (899, 0), (900, 900)] {
        auths
            .touch_used(&account_id("a"), &connection_id("k"), &auth_id("k"), at(NOW + now))
            .await
            .unwrap();
        assert_eq!(tested.stored().await.0.last_used_at, Some(NOW + expected), "at {now}");
    }
    assert_eq!(tested.stored().await.0.version, 0);
}

fn named(id: &str, name: &str, user: Option<&str>) -> NewConnection {
    let mut new = new("a", id);
    new.connection.name = name.to_owned();
    new.connection.external_user_id = user.map(str::to_owned);
    new
}

#[tokio::test]
async fn of_two_connections_with_one_name_or_one_account_at_the_vendor_only_one_is_made() {
    let tested = Tested::with_accounts().await;
    let connections = tested.database.connections();
    let (first, second) = tokio::join!(
        connections.create(named("k1", "Main", None), 0),
        connections.create(named("k2", "MAIN", None), 0)
    );
    let mut answers = [first.unwrap(), second.unwrap()];
    answers.sort_by_key(|answer| *answer == Connecting::Taken);
    assert_eq!(answers, [Connecting::Created, Connecting::Taken]);
    assert_eq!(tested.account().await.usage.connections, 1);

    let create = |id: &'static str, name: &'static str| connections.create(named(id, name, Some("u")), 0);
    assert_eq!(create("k3", "Third").await, Ok(Connecting::Created));
    assert_eq!(create("k4", "Fourth").await, Ok(Connecting::Taken));
    assert_eq!(connections.list(&account_id("a")).await.unwrap().len(), 2);
    // A deletion frees both.
    assert_eq!(
        connections.delete(&account_id("a"), &connection_id("k3")).await,
        Ok(true)
    );
    assert_eq!(create("k5", "Third").await, Ok(Connecting::Created));
}

#[tokio::test]
async fn a_new_name_frees_the_old_one_and_cannot_be_that_of_another() {
    let tested = Tested::with_accounts().await;
    let connections = tested.database.connections();
    for (id, name) in [("k1", "One"), ("k2", "Two")] {
        assert_eq!(
            connections.create(named(id, name, None), 0).await,
            Ok(Connecting::Created)
        );
    }
    let (account, k1) = (account_id("a"), connection_id("k1"));
    let one = connections.get(&account, &k1).await.unwrap().unwrap();
    assert_eq!(connections.rename(&one, "two", at(NOW)).await, Ok(Renaming::Taken));
    assert_eq!(connections.rename(&one, "ONE", at(NOW)).await, Ok(Renaming::Renamed));
    assert_eq!(connections.rename(&one, "Uno", at(NOW)).await, Ok(Renaming::Changed));
    let one = connections.get(&account, &k1).await.unwrap().unwrap();
    assert_eq!(connections.rename(&one, "Uno", at(NOW)).await, Ok(Renaming::Renamed));
    assert_eq!(
        connections.create(named("k3", "One", None), 0).await,
        Ok(Connecting::Created)
    );
}

#[tokio::test]
async fn only_active_oauth_credentials_that_were_not_renewed_are_idle() {
    let tested = Tested::with_accounts().await;
    let connections = tested.database.connections();
    for name in ["old", "renewed", "dead", "key"] {
        let mut new = new("a", name);
        new.auth.auth_type = mfh_types::AuthType::OAuth2;
        match name {
            "renewed" => new.auth.last_refresh_at = Some(NOW + 500),
            "dead" => new.auth.status = AuthStatus::ReauthRequired,
            "key" => new.auth.auth_type = mfh_types::AuthType::ApiKey,
            _ => {}
        }
        assert_eq!(connections.create(new, 0).await, Ok(Connecting::Created));
    }
    let idle = tested.database.auths().idle_since(NOW + 100).await.unwrap();
    let ids: Vec<&str> = idle.iter().map(|auth| auth.auth_id.as_str()).collect();
    assert_eq!(ids, ["auth:old"]);
    assert!(tested.database.auths().idle_since(NOW).await.unwrap().is_empty());
}
