//! Helpers.

use mfh_database::{Creation, Deletion, HelperChange, HelperUpdate};
use mfh_types::{ConfigFault, Helper, HelperId, HelperStatus, ShortKey};
use serde_json::json;

use crate::support::*;

impl Tested {
    async fn add(&self, helper: &Helper) {
        assert_eq!(self.database.helpers().create(helper, 0).await, Ok(Creation::Created));
    }
}

fn updated(answer: HelperUpdate) -> Helper {
    match answer {
        HelperUpdate::Updated(helper) => *helper,
        other => panic!("not updated: {other:?}"),
    }
}

#[tokio::test]
async fn two_creations_at_the_limit_cannot_both_pass() {
    let tested = Tested::with_accounts().await;
    let helpers = tested.database.helpers();
    let (first, second) = (helper("a", "1"), helper("a", "2"));
    let (first, second) = tokio::join!(helpers.create(&first, 1), helpers.create(&second, 1));
    let mut outcomes = [first.unwrap(), second.unwrap()];
    outcomes.sort_by_key(|outcome| *outcome != Creation::Created);
    assert_eq!(outcomes, [Creation::Created, Creation::LimitReached { used: 1 }]);
    assert_eq!(tested.account().await.usage.helpers, 1);
}

#[tokio::test]
async fn a_helper_is_found_by_id_bare_uuid_and_short_key() {
    let tested = Tested::with_accounts().await;
    let uuid = "0198c7e2-aaaa-7bbb-8ccc-0123456789ab";
    tested.add(&helper("a", uuid)).await;
    let mut short = helper("a", "2");
    short.short_key = ShortKey::parse("abc_DEF-1234").unwrap();
    tested.add(&short).await;
    let helpers = tested.database.helpers();
    for (identifier, expected) in [
        (uuid.to_owned(), helper_id(uuid)),
        (format!("helper:{uuid}"), helper_id(uuid)),
        ("abc_DEF-1234".to_owned(), helper_id("2")),
    ] {
        let found = helpers.resolve(&account_id("a"), &identifier).await.unwrap().unwrap();
        assert_eq!(found.helper_id, expected, "{identifier}");
        assert_eq!(
            helpers.resolve(&account_id("b"), &identifier).await,
            Ok(None),
            "{identifier}"
        );
    }
    for identifier in [
        "",
        "nope",
        "helper:",
        "with blank",
        "0198c7e2-aaaa-7bbb-8ccc-000000000000",
    ] {
        assert_eq!(
            helpers.resolve(&account_id("a"), identifier).await,
            Ok(None),
            "{identifier}"
        );
    }
    assert!(
        helpers
            .short_key_taken(&ShortKey::parse("abc_DEF-1234").unwrap())
            .await
            .unwrap()
    );
    assert!(
        !helpers
            .short_key_taken(&ShortKey::parse("abc_DEF-1235").unwrap())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_foreign_helper_is_absent() {
    let tested = Tested::with_accounts().await;
    tested.add(&helper("a", "1")).await;
    let (helpers, b, id) = (tested.database.helpers(), account_id("b"), helper_id("1"));
    assert_eq!(helpers.get(&b, &id).await, Ok(None));
    assert_eq!(helpers.list(&b).await, Ok(Vec::new()));
    let update = helpers.update(&b, &id, HelperChange::default(), None, at(NOW)).await;
    assert_eq!(update, Ok(HelperUpdate::Missing));
    assert_eq!(helpers.delete(&b, &id, at(NOW)).await, Ok(Deletion::Missing));
    assert_eq!(helpers.mark_scheduled(&b, &id, at(NOW), None).await, Ok(false));
    assert_eq!(
        helpers.get(&account_id("a"), &id).await.unwrap().unwrap(),
        helper("a", "1")
    );
    assert!(helpers.get_any(&id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_change_touches_only_what_it_names_and_bumps_the_version() {
    let tested = Tested::with_accounts().await;
    tested.add(&helper("a", "1")).await;
    let (helpers, account, id) = (tested.database.helpers(), account_id("a"), helper_id("1"));
    let fault = ConfigFault {
        field: "rules".to_owned(),
        message: "is required".to_owned(),
    };
    let first = HelperChange {
        config: Some(
            json!({"status": "x", "deep": {"n": 1.5, "list": [null, ""]}})
                .as_object()
                .unwrap()
                .clone(),
        ),
        config_errors: Some(vec![fault.clone()]),
        connection_id: Some(Some(connection_id("k"))),
        cron_expression: Some(Some("rate(1 day)".to_owned())),
        schedule_enabled: Some(true),
        ..HelperChange::default()
    };
    let helper = updated(helpers.update(&account, &id, first, None, at(NOW + 1)).await.unwrap());
    assert_eq!(helper.config["deep"], json!({"n": 1.5, "list": [null, ""]}));
    assert_eq!(
        (helper.name.as_str(), helper.version, helper.updated_at),
        ("1", 1, at(NOW + 1))
    );
    assert_eq!(helper.config_errors, [fault]);

    let second = HelperChange {
        connection_id: Some(None),
        cron_expression: Some(None),
        config_errors: Some(Vec::new()),
        enabled: Some(false),
        ..HelperChange::default()
    };
    let helper = updated(
        helpers
            .update(&account, &id, second, Some(1), at(NOW + 2))
            .await
            .unwrap(),
    );
    assert_eq!((helper.connection_id, helper.cron_expression), (None, None));
    assert!(helper.config_errors.is_empty() && !helper.enabled && helper.schedule_enabled);

    let stale = helpers
        .update(&account, &id, HelperChange::default(), Some(1), at(NOW))
        .await;
    assert_eq!(stale, Ok(HelperUpdate::Modified));
    let missing = helpers
        .update(&account, &helper_id("9"), HelperChange::default(), Some(1), at(NOW))
        .await;
    assert_eq!(missing, Ok(HelperUpdate::Missing));
    assert!(
        helpers
            .mark_scheduled(&account, &id, at(NOW + 3), Some(at(NOW + 9)))
            .await
            .unwrap()
    );
    let helper = helpers.get(&account, &id).await.unwrap().unwrap();
    assert_eq!((helper.version, helper.next_scheduled_at), (2, Some(at(NOW + 9))));
}

#[tokio::test]
async fn a_helper_of_an_earlier_version_without_a_version_can_be_changed_against_zero() {
    let tested = Tested::with_accounts().await;
    let old = [
        ("helper_id", s("helper:1")),
        ("account_id", s("account:a")),
        ("created_by", s("user:a")),
        ("short_key", s("abcdefghijkl")),
        ("connection_id", s("")),
        ("name", s("Old")),
        ("description", s("")),
        ("helper_type", s("tag_it")),
        ("category", s("tagging")),
        ("status", s("active")),
        ("config", null()),
        ("config_schema", null()),
        ("enabled", aws_sdk_dynamodb::types::AttributeValue::Bool(true)),
        ("execution_count", n(0)),
        ("created_at", s("2025-01-01T00:00:00.123456789Z")),
        ("updated_at", s("2025-01-01T00:00:00Z")),
    ];
    tested.put_raw(&tested.tables.helpers, &old).await;
    let helpers = tested.database.helpers();
    let read = helpers.get(&account_id("a"), &helper_id("1")).await.unwrap().unwrap();
    assert_eq!((read.connection_id, read.config.len(), read.version), (None, 0, 0));
    let change = HelperChange {
        name: Some("New".to_owned()),
        ..HelperChange::default()
    };
    let answer = helpers
        .update(&account_id("a"), &helper_id("1"), change, Some(0), at(NOW))
        .await;
    assert_eq!(updated(answer.unwrap()).version, 1);
}

#[tokio::test]
async fn a_deleted_helper_is_gone_for_its_account_and_counted_off_once() {
    let tested = Tested::with_accounts().await;
    tested.add(&helper("a", "1")).await;
    let (helpers, account, id) = (tested.database.helpers(), account_id("a"), helper_id("1"));
    let (first, second) = tokio::join!(
        helpers.delete(&account, &id, at(NOW)),
        helpers.delete(&account, &id, at(NOW))
    );
    assert_ne!(first.unwrap(), second.unwrap());
    assert_eq!(tested.account().await.usage.helpers, 0);
    assert_eq!(helpers.get(&account, &id).await, Ok(None));
    assert_eq!(helpers.resolve(&account, "key-1").await, Ok(None));
    assert_eq!(helpers.list(&account).await, Ok(Vec::new()));
    let update = helpers
        .update(&account, &id, HelperChange::default(), None, at(NOW))
        .await;
    assert_eq!(update, Ok(HelperUpdate::Missing));
    let kept = helpers.get_any(&id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.enabled), (HelperStatus::Deleted, false));
    assert_eq!((kept.deleted_at, kept.ttl), (Some(at(NOW)), Some(NOW + 30 * 86_400)));
}

#[tokio::test]
async fn a_list_goes_over_all_pages_newest_first_without_the_broken_row() {
    let tested = Tested::with_accounts().await;
    // 60 rows of 30 KB are more than the 1 MB of one answer.
    for number in 0..60 {
        let mut helper = helper("a", &format!("{number:02}"));
        helper.created_at = at(NOW + number);
        helper.config.insert("text".to_owned(), json!("x".repeat(30_000)));
        tested.add(&helper).await;
    }
    let broken = [
        ("helper_id", s("helper:bad")),
        ("account_id", s("account:a")),
        ("status", s("odd")),
    ];
    tested.put_raw(&tested.tables.helpers, &broken).await;
    let ids: Vec<HelperId> = tested
        .database
        .helpers()
        .list(&account_id("a"))
        .await
        .unwrap()
        .into_iter()
        .map(|h| h.helper_id)
        .collect();
    let expected: Vec<HelperId> = (0..60).rev().map(|number| helper_id(&format!("{number:02}"))).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_connection_that_goes_is_taken_from_its_helpers() {
    let tested = Tested::with_accounts().await;
    let mut works_on = helper("a", "1");
    works_on.connection_id = Some(connection_id("k"));
    let mut names = helper("a", "2");
    names.config.insert(
        "service_connection_ids".to_owned(),
        json!({"zoom": "connection:k", "box": 7}),
    );
    let mut other = helper("a", "3");
    other.connection_id = Some(connection_id("k2"));
    for helper in [&works_on, &names, &other] {
        tested.add(helper).await;
    }
    let (helpers, account, k) = (tested.database.helpers(), account_id("a"), connection_id("k"));
    assert_eq!(helpers.using_connection(&account, &k).await.unwrap().len(), 2);
    assert!(helpers.using_connection(&account_id("b"), &k).await.unwrap().is_empty());
    let mut detached = helpers.detach_connection(&account, &k, at(NOW)).await.unwrap();
    detached.sort();
    assert_eq!(detached, [helper_id("1"), helper_id("2")]);
    let first = helpers.get(&account, &helper_id("1")).await.unwrap().unwrap();
    assert_eq!((first.connection_id, first.enabled), (None, false));
    assert!(!helpers.get(&account, &helper_id("2")).await.unwrap().unwrap().enabled);
    assert!(helpers.get(&account, &helper_id("3")).await.unwrap().unwrap().enabled);
}
