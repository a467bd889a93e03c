//! What Keap is sent, request by request, and how its answers are judged (`connectors` §2.1, §7.3).
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use mfh_connectors::{ContactQuery, ErrorKind, NewContact, OptInOutcome, WriteOutcome};
use serde_json::{Value, json};
use support::fields;
use support::script::{Scripted, query};

async fn scripted(answers: &[(&str, &str, Value)]) -> Scripted {
    let script = Scripted::silent(|world, url| world.connect("keap", url, "token-0000")).await;
    for (verb, at, body) in answers {
        script.say(verb, at, body).await;
    }
    script
}

fn contact() -> Value {
    json!({
        "id": "7", "given_name": "Ada",
        "email_addresses": [
            {"email": "a@example.com", "field": "EMAIL1", "is_opt_in": true, "email_opt_status": "LIST_UNSUBSCRIBE"},
            {"email": "b@example.com", "field": "EMAIL2", "opt_in_reason": "form"}
        ],
        "phone_numbers": [{"number": "1", "field": "PHONE1"}, {"number": "2", "field": "PHONE2"}],
        "custom_fields": [{"id": "11", "content": "red"}, {"id": "12", "content": null}, {"id": "13", "content": "x"}],
        "tag_ids": ["101", "102"], "owner_id": "0", "create_time": "2026-01-02T03:04:05.678+0000",
        "birth_date": "1815-12-10T00:00:00.000Z"
    })
}

fn model() -> Value {
    let field = |id: &str, name: &str, kind: &str| json!({"id": id, "field_name": name, "label": name, "field_type": kind, "record_type": "CONTACT"});
    json!({"custom_fields": [
        field("11", "Color", "TEXT"), field("12", "Score", "WHOLE_NUMBER"), field("13", "When", "DATE_TIME"),
        {"id": "99", "field_name": "Deal", "label": "Deal", "field_type": "TEXT", "record_type": "OPPORTUNITY"}
    ]})
}

#[tokio::test]
async fn one_address_changes_and_the_mask_names_only_what_is_touched() {
    let script = scripted(&[("GET", "/contacts/7", contact()), ("PATCH", "/contacts/7", contact())]).await;
    let values = fields(json!({"email": "new@example.com", "last_name": "King"}));
    script.crm.set_field_values("7", &values).await.unwrap();
    assert_eq!(script.calls().await, ["GET /contacts/7", "PATCH /contacts/7"]);
    let (query, body) = script.last().await;
    assert_eq!(query["update_mask"], "email_addresses,family_name");
    assert_eq!(
        body,
        json!({"family_name": "King", "email_addresses": [
            {"email": "new@example.com", "field": "EMAIL1"}, {"email": "b@example.com", "field": "EMAIL2"}
        ]})
    );
}

#[tokio::test]
async fn a_plain_field_is_one_request_and_needs_no_definitions() {
    let script = scripted(&[("PATCH", "/contacts/7", contact())]).await;
    script
        .crm
        .set_field_value("7", "JobTitle", &json!("Countess"))
        .await
        .unwrap();
    script.crm.set_owner("7", "3").await.unwrap();
    assert_eq!(script.calls().await, ["PATCH /contacts/7", "PATCH /contacts/7"]);
    let (query, body) = script.last().await;
    assert_eq!(
        (query["update_mask"].as_str(), body),
        ("owner_id", json!({"owner_id": "3"}))
    );
}

#[tokio::test]
async fn custom_values_are_merged_into_the_list_and_take_keaps_form() {
    let script = scripted(&[
        ("GET", "/contacts/model", model()),
        ("GET", "/contacts/7", contact()),
        ("PATCH", "/contacts/7", contact()),
    ])
    .await;
    let values = fields(json!({"When": "2026-03-01T23:30:00-05:00", "Score": "5"}));
    script.crm.set_field_values("7", &values).await.unwrap();
    let (query, body) = script.last().await;
    assert_eq!(query["update_mask"], "custom_fields");
    assert_eq!(
        body["custom_fields"],
        json!([
            {"id": "11", "content": "red"}, {"id": "12", "content": 5},
            {"id": "13", "content": "2026-03-02T04:30:00.000Z"}
        ])
    );
    let unknown = script.crm.get_field_value("7", "Deal").await.unwrap_err();
    assert_eq!(
        unknown.kind,
        ErrorKind::UnknownField,
        "fields of other records are none of contacts"
    );
}

#[tokio::test]
async fn two_writes_to_one_contact_do_not_lose_each_other() {
    let script = scripted(&[("GET", "/contacts/7", contact()), ("PATCH", "/contacts/7", contact())]).await;
    let (one, two) = (json!("x"), json!("y"));
    let (first, second) = tokio::join!(
        script.crm.set_field_value("7", "phone", &one),
        script.crm.set_field_value("7", "email", &two),
    );
    first.unwrap();
    second.unwrap();
    let calls = script.calls().await;
    assert_eq!(
        calls,
        [
            "GET /contacts/7",
            "PATCH /contacts/7",
            "GET /contacts/7",
            "PATCH /contacts/7"
        ]
    );
}

#[tokio::test]
async fn a_contact_is_read_with_named_fields_and_shown_in_our_model() {
    let tags = json!({"tags": [{"id": "101", "name": "VIP", "category": {"id": "1"}}]});
    let script = scripted(&[
        ("GET", "/contacts/7", contact()),
        ("GET", "/contacts/model", model()),
        ("GET", "/tags", tags),
        ("GET", "/tags/categories", json!({"tag_categories": []})),
    ])
    .await;
    let read = script.crm.get_contact("7").await.unwrap();
    assert_eq!(read.custom_fields, fields(json!({"Color": "red", "When": "x"})));
    let tags = read.tags.unwrap();
    assert_eq!(
        (tags[0].name.as_str(), tags[1].id.as_str(), tags[1].name.as_str()),
        ("VIP", "102", "")
    );
    assert_eq!((read.owner_id, read.birthday.as_deref()), (None, Some("1815-12-10")));
    assert_eq!(read.created_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
    let first = &script.server.received_requests().await.unwrap()[0];
    let query = query(first);
    assert!(query["fields"].contains("custom_fields") && query["fields"].contains("tag_ids"));
    let cost = script.calls().await.len();
    script.crm.get_contact("7").await.unwrap();
    assert_eq!(script.calls().await.len(), cost + 1, "names come from the cache");
}

#[tokio::test]
async fn a_list_without_the_names_it_needs_fails_rather_than_showing_ids() {
    let script = scripted(&[("GET", "/contacts/7", contact())]).await;
    let error = script.crm.get_contact("7").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol, "the contact is there");
    let script = scripted(&[("GET", "/contacts/7", json!({"id": "7", "given_name": "Ada"}))]).await;
    script.crm.get_contact("7").await.unwrap();
    assert_eq!(script.calls().await.len(), 1, "nothing to name, nothing to load");
}

#[tokio::test]
async fn a_numeric_tag_goes_to_keap_as_it_is() {
    let results = |verdict: &str| json!({"results": {"7": verdict}});
    let at = "/tags/2024/contacts:applyTags";
    for (verdict, expected) in [
        ("SUCCESS", Ok(())),
        ("DUPLICATE", Ok(())),
        ("CONTACT_DOES_NOT_EXIST", Err(ErrorKind::NotFound)),
        ("FAILED", Err(ErrorKind::InvalidInput)),
    ] {
        let script = scripted(&[("POST", at, results(verdict))]).await;
        let applied = script.crm.apply_tag("7", "2024").await;
        assert_eq!(applied.map_err(|error| error.kind), expected);
        assert_eq!(script.calls().await.len(), 1);
        assert_eq!(script.last().await.1, json!({"contact_ids": ["7"]}));
    }
    let script = scripted(&[("POST", at, json!({"results": {"8": "SUCCESS"}}))]).await;
    let error = script.crm.apply_tag("7", "2024").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
}

#[tokio::test]
async fn a_goal_needs_a_success_among_its_results() {
    let at = "/automations/goals/achieve";
    let script = scripted(&[("POST", at, json!({"results": [{"success": false}, {"success": true}]}))]).await;
    script.crm.achieve_goal("7", "bought", " ").await.unwrap();
    assert_eq!(
        script.last().await.1,
        json!({"contact_id": 7, "integration": "mfh", "call_name": "bought"})
    );
    let said = "Goal of ada@example.com was not found";
    let script = scripted(&[("POST", at, json!({"results": [{"success": false, "message": said}]}))]).await;
    let error = script.crm.achieve_goal("7", "bought", "x").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(
        error.message.contains("was not found") && !error.message.contains("ada@"),
        "{error}"
    );
    let script = scripted(&[("POST", at, json!({"results": []}))]).await;
    let error = script.crm.achieve_goal("7", "bought", "x").await.unwrap_err();
    assert!(error.kind == ErrorKind::NotFound && error.message.contains("bought"));
    assert_eq!(
        script.crm.achieve_goal("x", "y", "z").await.unwrap_err().kind,
        ErrorKind::InvalidInput
    );
}

#[tokio::test]
async fn an_opt_in_that_keap_does_not_take_is_not_permitted() {
    let status = |opted_in: bool| json!({"email": "a@example.com", "opted_in": opted_in, "status": "LIST_UNSUBSCRIBE"});
    let mut asked = contact();
    asked["email_addresses"][0]["is_opt_in"] = json!(false);
    let at = "/emailAddresses/a%40example.com/status";
    let script = scripted(&[("GET", "/contacts/7", asked.clone()), ("PATCH", at, status(false))]).await;
    let outcome = script.crm.set_opt_in_status("7", true, "").await.unwrap();
    assert_eq!(outcome, OptInOutcome::NotPermitted);
    assert_eq!(
        script.last().await.1,
        json!({"opted_in": true, "reason": "Updated by automation"})
    );
    // Someone who unsubscribed by mail needs no second opt-out.
    let outcome = script.crm.set_opt_in_status("7", false, "").await.unwrap();
    assert_eq!(outcome, OptInOutcome::Already);
    let script = scripted(&[("GET", "/contacts/7", json!({"id": "7"}))]).await;
    let error = script.crm.set_opt_in_status("7", true, "").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_consent_of_another_address_is_set_for_that_address_alone() {
    let at = "/emailAddresses/b%40example.com/status";
    let status = json!({"email": "b@example.com", "opted_in": true, "status": "SINGLE_OPT_IN"});
    let script = scripted(&[("PATCH", at, status)]).await;
    let outcome = script
        .crm
        .set_address_opt_in("7", " b@example.com ", true, "form")
        .await
        .unwrap();
    assert_eq!(outcome, OptInOutcome::Applied);
    assert_eq!(script.last().await.1, json!({"opted_in": true, "reason": "form"}));
    assert_eq!(script.calls().await.len(), 1);
}

#[tokio::test]
async fn an_automation_is_named_by_itself_or_with_its_sequence() {
    let answer = json!({"add_to_automation_sequence_results": {"7": "ALREADY_IN_SEQUENCE"}});
    let script = scripted(&[
        ("POST", "/automations/5/sequences/6:addContacts", answer),
        (
            "GET",
            "/campaigns/5/sequences",
            json!({"sequences": [{"id": "6", "name": "One"}]}),
        ),
        (
            "GET",
            "/campaigns/8/sequences",
            json!({"sequences": [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}]}),
        ),
        ("GET", "/campaigns/9/sequences", json!({"sequences": []})),
    ])
    .await;
    for id in ["5:6", "5/6", " 5 : 6 "] {
        script.crm.trigger_automation("7", id).await.unwrap();
    }
    assert_eq!(script.calls().await.len(), 3);
    script.crm.trigger_automation("7", "5").await.unwrap();
    assert_eq!(script.calls().await.len(), 5);
    let error = script.crm.trigger_automation("7", "8").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(
        error.message.contains("8:1 (A)") && error.message.contains("8:2 (B)"),
        "{error}"
    );
    for wrong in ["9", "", "x", "1:", "1:2:3"] {
        let error = script.crm.trigger_automation("7", wrong).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{wrong}");
    }
}

#[tokio::test]
async fn a_contact_nobody_could_reach_is_refused_before_it_is_sent() {
    let script = scripted(&[]).await;
    let new = NewContact {
        fields: fields(json!({"first_name": "Ada"})),
        tags: Vec::new(),
    };
    let error = script.crm.create_contact(&new).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(script.calls().await.is_empty());
}

#[tokio::test]
async fn an_upsert_of_a_new_address_leaves_the_race_to_keap() {
    let script = scripted(&[
        ("GET", "/contacts", json!({"contacts": []})),
        ("POST", "/contacts", json!({"id": "8"})),
    ])
    .await;
    let new = NewContact {
        fields: fields(json!({"email": "new@example.com"})),
        tags: Vec::new(),
    };
    let (contact, created) = script.crm.upsert_contact(&new).await.unwrap();
    // 200 instead of 201: somebody else was faster.
    assert_eq!((contact.id.as_str(), created), ("8", false));
    assert_eq!(script.last().await.0["duplicate_option"], "Email");
}

#[tokio::test]
async fn the_tagged_are_read_in_batches_and_ids_alone_need_none() {
    let ids: Vec<Value> = (1..=450).map(|id| json!({"id": id.to_string()})).collect();
    let script = scripted(&[
        (
            "GET",
            "/tags/9/contacts",
            json!({"contacts": ids, "next_page_token": "t"}),
        ),
        ("GET", "/contacts", json!({"contacts": [{"id": "450"}, {"id": "2"}]})),
    ])
    .await;
    let mut query = ContactQuery {
        tag_id: Some("9".to_owned()),
        limit: Some(450),
        ..ContactQuery::default()
    };
    let page = script.crm.get_contacts(&query).await.unwrap();
    let read: Vec<&str> = page.contacts.iter().map(|contact| contact.id.as_str()).collect();
    assert_eq!((read, page.next_cursor.is_some()), (vec!["2", "450"], true));
    assert_eq!(script.calls().await.len(), 4);
    query.ids_only = true;
    assert_eq!(script.crm.get_contacts(&query).await.unwrap().contacts.len(), 450);
    assert_eq!(script.calls().await.len(), 5);
}

#[tokio::test]
async fn the_author_of_notes_is_looked_up_once() {
    let users =
        json!({"users": [{"id": "3", "status": "INACTIVE"}, {"id": "4", "given_name": "Dana", "status": "ACTIVE"}]});
    let script = scripted(&[
        ("GET", "/users", users),
        ("POST", "/contacts/7/notes", json!({"id": "1"})),
    ])
    .await;
    script.crm.add_note("7", "Call", "text").await.unwrap();
    assert_eq!(
        script.last().await.1,
        json!({"user_id": "4", "title": "Call", "text": "text"})
    );
    script.crm.add_note("7", " ", "text").await.unwrap();
    assert_eq!(
        script.last().await.1,
        json!({"user_id": "4", "type": "Other", "text": "text"})
    );
    for (kind, expected) in [("call", "Call"), ("general", "Other"), ("Site visit", "Site visit")] {
        // More calls at once would have to wait for their turn.
        script.world.clock.advance(chrono::TimeDelta::seconds(1));
        script.crm.add_note_of_kind("7", kind, "Title", "text").await.unwrap();
        assert_eq!(
            script.last().await.1,
            json!({"user_id": "4", "title": "Title", "type": expected, "text": "text"})
        );
    }
    assert_eq!(script.calls().await.len(), 6);
    assert!(script.world.waits().is_empty());
}
