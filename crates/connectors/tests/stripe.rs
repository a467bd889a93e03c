//! The Stripe connector against its simulator, its traffic against the vendor's description (`connectors` §2.6).
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/stripe.rs"]
mod stripe_support;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use mfh_connectors::{Capability, ContactQuery, ContactUpdate, ErrorKind, NewContact, WriteOutcome};
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_simulators::stripe::{DEMO_CUSTOMER_ID, Limits, PUBLISHABLE_KEY};
use mfh_types::{JsonObject, Timestamp};
use serde_json::{Value, json};
use stripe_support::Stripe;
use support::{fields, new};

#[tokio::test]
async fn a_customer_is_a_contact() {
    let it = Stripe::start().await;
    let contact = it.connector.get_contact(DEMO_CUSTOMER_ID).await.unwrap();
    assert_eq!(
        (contact.first_name.as_str(), contact.last_name.as_str()),
        ("Ada", "Augusta Lovelace")
    );
    assert_eq!(contact.email, "customer.1@example.com");
    assert_eq!(contact.phone.as_deref(), Some("+1 555 010 0001"));
    assert_eq!(contact.address.unwrap().city.as_deref(), Some("London"));
    assert_eq!(contact.custom_fields["lead_score"], "5");
    assert_eq!((contact.source_crm.as_str(), contact.tags), ("stripe", None));
    assert!(contact.created_at.is_some());

    let missing = it.connector.get_contact("cus_none").await.unwrap_err();
    assert_eq!(
        (missing.kind, missing.vendor_code.as_deref()),
        (ErrorKind::NotFound, Some("resource_missing"))
    );
    it.check_traffic();
}

#[tokio::test]
async fn requests_carry_the_pinned_version_and_writes_an_idempotency_key() {
    let server = wiremock::MockServer::start().await;
    let answer = wiremock::ResponseTemplate::new(200).set_body_json(json!({"id": "cus_1"}));
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(answer)
        .mount(&server)
        .await;
    let stripe = support::World::new().connect("stripe", &server.uri(), "sk_test_1");
    stripe.get_contact("cus_1").await.unwrap();
    for score in [1, 2] {
        stripe.set_field_value("cus_1", "score", &json!(score)).await.unwrap();
    }
    let sent = server.received_requests().await.unwrap();
    let header = |n: usize, name: &str| {
        sent[n]
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    for n in 0..3 {
        assert_eq!(header(n, "stripe-version").as_deref(), Some("2020-08-27"));
        assert_eq!(header(n, "authorization").as_deref(), Some("Bearer sk_test_1"));
    }
    assert_eq!(header(0, "idempotency-key"), None);
    assert_eq!(
        header(1, "content-type").as_deref(),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(String::from_utf8_lossy(&sent[1].body), "metadata%5Bscore%5D=1");
    let (first, second) = (
        header(1, "idempotency-key").unwrap(),
        header(2, "idempotency-key").unwrap(),
    );
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_deleted_customer_is_not_found_and_deleting_again_is_fine() {
    let it = Stripe::start().await;
    for _ in 0..2 {
        it.connector.delete_contact(DEMO_CUSTOMER_ID).await.unwrap();
    }
    assert_eq!(it.state(DEMO_CUSTOMER_ID).await["deleted"], true);
    let read = it.connector.get_contact(DEMO_CUSTOMER_ID).await.unwrap_err();
    assert_eq!(read.kind, ErrorKind::NotFound);
    let values = it
        .connector
        .get_field_values(DEMO_CUSTOMER_ID, &["email"])
        .await
        .unwrap_err();
    assert_eq!(values.kind, ErrorKind::NotFound);
    let write = it
        .connector
        .set_field_value(DEMO_CUSTOMER_ID, "first_name", &json!("A"))
        .await
        .unwrap_err();
    assert_eq!(write.kind, ErrorKind::NotFound);
    it.check_traffic();
}

#[tokio::test]
async fn an_update_changes_the_given_fields_only() {
    let it = Stripe::start().await;
    let before = it.state(DEMO_CUSTOMER_ID).await;
    let update = ContactUpdate {
        fields: fields(json!({
            "FirstName": "Augusta", "phone": "", "zip": 1010, "city": null, "lead_score": 42, "plan": null, "vip": true,
        })),
    };
    it.connector.update_contact(DEMO_CUSTOMER_ID, &update).await.unwrap();
    let after = it.state(DEMO_CUSTOMER_ID).await;
    assert_eq!(after["name"], "Augusta Augusta Lovelace");
    assert_eq!(after["phone"], Value::Null);
    assert_eq!(after["email"], before["email"]);
    assert_eq!(
        after["address"],
        json!({
            "line1": "12 St James's Square", "line2": null, "city": null, "state": null, "postal_code": "1010", "country": "GB"
        })
    );
    assert_eq!(after["metadata"], json!({ "lead_score": "42", "vip": "true" }));
    // One read for the other part of the name, one write.
    assert_eq!(it.requests(), 2);
    it.connector
        .update_contact(DEMO_CUSTOMER_ID, &ContactUpdate::default())
        .await
        .unwrap();
    assert_eq!(it.requests(), 2);
    it.check_traffic();
}

#[tokio::test]
async fn fields_are_read_in_one_call_by_any_of_their_names() {
    let it = Stripe::start().await;
    let keys = [
        "full_name",
        "LastName",
        "Email",
        "std:city",
        "lead_score",
        "key:plan",
        "nobody_wrote_this",
    ];
    let values = it.connector.get_field_values(DEMO_CUSTOMER_ID, &keys).await.unwrap();
    let expected = [
        "Ada Augusta Lovelace",
        "Augusta Lovelace",
        "customer.1@example.com",
        "London",
        "5",
        "growth",
    ];
    for (key, expected) in keys.iter().zip(expected) {
        assert_eq!(values[*key], expected, "{key}");
    }
    assert_eq!(values["nobody_wrote_this"], Value::Null);
    assert_eq!(it.requests(), 1);
    let unknown = it
        .connector
        .get_field_value(DEMO_CUSTOMER_ID, "std:company")
        .await
        .unwrap_err();
    assert_eq!((unknown.kind, it.requests()), (ErrorKind::UnknownField, 1));
    it.check_traffic();
}

#[tokio::test]
async fn pages_visit_every_customer_once() {
    let it = Stripe::start().await;
    let mut query = ContactQuery {
        limit: Some(50),
        ..ContactQuery::default()
    };
    let mut ids = Vec::new();
    loop {
        let page = it.connector.get_contacts(&query).await.unwrap();
        assert_eq!(page.total, None);
        ids.extend(page.contacts.into_iter().map(|contact| contact.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), distinct.len()), (120, 120));
    assert_eq!(
        it.connector.count_contacts(&ContactQuery::default()).await.unwrap(),
        120
    );
    // A cursor belongs to its query.
    let first = it
        .connector
        .get_contacts(&ContactQuery {
            limit: Some(5),
            ..ContactQuery::default()
        })
        .await
        .unwrap();
    let other = ContactQuery {
        cursor: first.next_cursor,
        email: Some("customer.1@example.com".to_owned()),
        ..ContactQuery::default()
    };
    assert_eq!(
        it.connector.get_contacts(&other).await.unwrap_err().kind,
        ErrorKind::InvalidInput
    );
    it.check_traffic();
}

#[tokio::test]
async fn what_stripe_cannot_do_is_refused_before_any_request() {
    let it = Stripe::start().await;
    let crm = &it.connector;
    let by_tag = ContactQuery {
        tag_id: Some("1".to_owned()),
        ..ContactQuery::default()
    };
    let since = ContactQuery {
        updated_since: Some(Timestamp::now(&*it.world.clock)),
        ..ContactQuery::default()
    };
    let tagged = NewContact {
        tags: vec!["1".to_owned()],
        ..new(json!({"email": "x@example.com"}))
    };
    for error in [
        crm.get_contacts(&by_tag).await.unwrap_err(),
        crm.get_contacts(&since).await.unwrap_err(),
        crm.count_contacts(&since).await.unwrap_err(),
        crm.create_contact(&tagged).await.unwrap_err(),
        crm.upsert_contact(&tagged).await.unwrap_err(),
        crm.get_tags().await.unwrap_err(),
        crm.create_tag("x").await.unwrap_err(),
        crm.apply_tag("cus_1", "1").await.unwrap_err(),
        crm.remove_tag("cus_1", "1").await.unwrap_err(),
        crm.list_automations().await.unwrap_err(),
        crm.trigger_automation("cus_1", "1").await.unwrap_err(),
        crm.achieve_goal("cus_1", "x", "").await.unwrap_err(),
        crm.set_opt_in_status("cus_1", true, "").await.unwrap_err(),
        crm.get_opt_in_status("cus_1").await.unwrap_err(),
        crm.add_note("cus_1", "x", "y").await.unwrap_err(),
        crm.list_users().await.unwrap_err(),
        crm.set_owner("cus_1", "1").await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    }
    assert_eq!(it.requests(), 0);
    assert_eq!(crm.capabilities(), [Capability::Contacts, Capability::CustomFields]);
}

#[tokio::test]
async fn metadata_that_stripe_would_refuse_is_not_sent() {
    let it = Stripe::start().await;
    for (key, value) in [
        ("k".repeat(41), "v".to_owned()),
        ("k".to_owned(), "v".repeat(501)),
        ("a[b]".to_owned(), "v".to_owned()),
    ] {
        let values = JsonObject::from_iter([(key, json!(value))]);
        let error = it
            .connector
            .set_field_values(DEMO_CUSTOMER_ID, &values)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
    }
    assert_eq!(it.requests(), 0);
    // How many keys there are already only Stripe knows.
    let many = (0..50).map(|n| (format!("k{n}"), json!("v"))).collect();
    let error = it
        .connector
        .set_field_values(DEMO_CUSTOMER_ID, &many)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::InvalidInput, Some(400)));
}

#[tokio::test]
async fn contacts_are_found_by_address_in_any_case() {
    let it = Stripe::start().await;
    let created = it
        .connector
        .create_contact(&new(json!({"email": "Mixed.Case@example.com"})))
        .await
        .unwrap();
    let found = async |email: &str| {
        let contacts = it.connector.find_contacts_by_email(email).await.unwrap();
        contacts.into_iter().map(|contact| contact.id).collect::<Vec<_>>()
    };
    assert_eq!(found("Mixed.Case@example.com").await, std::slice::from_ref(&created.id));
    assert_eq!(found(" CUSTOMER.2@example.com ").await, ["cus_demo000002"]);
    assert_eq!(found("nobody@example.com").await, [""; 0]);
    assert_eq!(
        it.connector.find_contacts_by_email(" ").await.unwrap_err().kind,
        ErrorKind::InvalidInput
    );
    it.check_traffic();
}

#[tokio::test]
async fn an_upsert_creates_once_and_then_updates() {
    let it = Stripe::start().await;
    let given = new(json!({"email": "new@example.com", "first_name": "Nia", "last_name": "Okoro", "plan": "scale"}));
    let (created, is_new) = it.connector.upsert_contact(&given).await.unwrap();
    assert!(is_new);
    let (updated, is_new) = it
        .connector
        .upsert_contact(&new(json!({"Email": "new@example.com", "last_name": "Obi"})))
        .await
        .unwrap();
    assert_eq!((is_new, &updated.id), (false, &created.id));
    assert_eq!(
        (updated.full_name().as_str(), &updated.custom_fields["plan"]),
        ("Nia Obi", &json!("scale"))
    );
    assert_eq!(it.applied("create_contact"), 1);
    let nameless = it
        .connector
        .upsert_contact(&new(json!({"first_name": "Nia"})))
        .await
        .unwrap_err();
    assert_eq!(nameless.kind, ErrorKind::InvalidInput);
    it.check_traffic();
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_repeated_and_made_once() {
    for fault in [Fault::CutAfter, Fault::Malformed] {
        let it = Stripe::start().await;
        it.simulator
            .faults()
            .add(FaultRule::new(fault.clone()).on("POST", "/customers"));
        let contact = it
            .connector
            .create_contact(&new(json!({"email": "once@example.com"})))
            .await
            .unwrap();
        assert_eq!((it.requests(), it.applied("create_contact")), (2, 1), "{fault:?}");
        assert_eq!(it.state(&contact.id).await["email"], "once@example.com");
    }
    // When it stays lost, nobody knows.
    let it = Stripe::start().await;
    it.simulator
        .faults()
        .add(FaultRule::new(Fault::CutAfter).on("POST", "/customers").always());
    let error = it
        .connector
        .create_contact(&new(json!({"email": "once@example.com"})))
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Network, WriteOutcome::Unknown));
    assert_eq!((it.requests(), it.applied("create_contact")), (3, 1));
}

#[tokio::test]
async fn refusals_have_their_kinds_and_hold_no_secret() {
    let it = Stripe::start().await;
    let wrong = it
        .connector
        .create_contact(&new(json!({"email": "not an address"})))
        .await
        .unwrap_err();
    assert_eq!(
        (wrong.kind, wrong.vendor_code.as_deref()),
        (ErrorKind::InvalidInput, Some("email_invalid"))
    );
    it.check_traffic();
    for (fault, kind) in [
        (FaultRule::status(402), ErrorKind::InvalidInput),
        (FaultRule::status(403), ErrorKind::Forbidden),
        (FaultRule::status(409), ErrorKind::Conflict),
        (FaultRule::status(500).always(), ErrorKind::Unavailable),
        (FaultRule::new(Fault::Html).always(), ErrorKind::Unavailable),
    ] {
        it.simulator.faults().clear();
        it.simulator.faults().add(fault.clone());
        let error = it.connector.get_contact(DEMO_CUSTOMER_ID).await.unwrap_err();
        assert_eq!(error.kind, kind, "{fault:?}");
    }
    for key in [PUBLISHABLE_KEY, "sk_test_wrong"] {
        let it = Stripe::start_with_key(key).await;
        let error = it.connector.test_connection().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        assert!(!format!("{error:?}").contains(key));
    }
    it.simulator.faults().clear();
    it.connector.test_connection().await.unwrap();
}

#[tokio::test]
async fn the_limit_of_test_mode_is_kept_and_a_refusal_is_waited_out() {
    let it = Stripe::start().await;
    it.simulator.set_limits(Limits { per_second: Some(25) });
    for _ in 0..60 {
        it.connector.get_contact(DEMO_CUSTOMER_ID).await.unwrap();
    }
    let statuses: Vec<u16> = it
        .simulator
        .log()
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [200; 60]);
    let busy = Fault::Status {
        status: 429,
        retry_after: Some(60),
        body: None,
    };
    it.simulator.faults().add(FaultRule::new(busy));
    let error = it.connector.get_contact(DEMO_CUSTOMER_ID).await.unwrap_err();
    assert_eq!(
        (error.kind, error.retry_after),
        (ErrorKind::RateLimited, Some(Duration::from_secs(60)))
    );
    it.check_traffic();
}
