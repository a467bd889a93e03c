//! What GoHighLevel is sent, request by request, and how its answers are judged (`connectors` §2.2, §7.3).
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use mfh_connectors::{ContactQuery, ErrorKind, NewContact, OptInOutcome, OptInStatus, WriteOutcome, build};
use serde_json::{Value, json};
use support::script::Scripted;
use support::{Renewable, World, fields, key};
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";

async fn scripted(answers: &[(&str, &str, Value)]) -> Scripted {
    let script = Scripted::silent(|world, url| {
        let mut config = world.config(url, key("gohighlevel", "token-0000"));
        config.external_app_id = Some(LOCATION.to_owned());
        build("gohighlevel", config).unwrap()
    });
    let script = script.await;
    for (verb, at, body) in answers {
        script.say(verb, at, body).await;
    }
    script
}

async fn respond(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    let mock = Mock::given(method(verb)).and(path(at));
    mock.respond_with(answer).mount(server).await;
}

fn contact(more: Value) -> Value {
    let mut contact = json!({
        "id": "c1", "locationId": LOCATION, "firstName": "Ada", "email": "ada@example.com", "tags": [],
        "customFields": [], "dnd": false
    });
    contact.as_object_mut().unwrap().extend(fields(more));
    json!({ "contact": contact })
}

fn saved(more: Value) -> Value {
    let mut answer = contact(more);
    answer["succeded"] = json!(true);
    answer
}

fn tags() -> Value {
    let tag = |id: &str, name: &str| json!({"id": id, "name": name, "locationId": LOCATION});
    json!({"tags": [tag("T1aaaaaaaaaaaaaaaaaa", "vip"), tag("T2aaaaaaaaaaaaaaaaaa", "2024")]})
}

fn tags_path() -> String {
    format!("/locations/{LOCATION}/tags")
}

#[tokio::test]
async fn every_request_names_the_edition_and_signs_in_as_bearer() {
    let script = scripted(&[]).await;
    Mock::given(method("GET"))
        .and(path(format!("/locations/{LOCATION}")))
        .and(header("version", "2021-07-28"))
        .and(header("authorization", "Bearer token-0000"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"location": {}})))
        .mount(&script.server)
        .await;
    script.crm.test_connection().await.unwrap();
}

#[tokio::test]
async fn a_connection_without_a_location_is_refused() {
    let world = World::new();
    let config = world.config("http://127.0.0.1:1", key("gohighlevel", "x"));
    let error = build("gohighlevel", config).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotConfigured);
    assert!(error.message.contains("location_id"), "{error}");
}

#[tokio::test]
async fn an_opt_out_sets_do_not_disturb_and_an_opt_in_lifts_it() {
    let sms = json!({"status": "active", "message": "STOP"});
    let with = |email: &str| json!({"dndSettings": {"SMS": sms, "Email": {"status": email}}});
    for (before, wanted, after) in [("inactive", false, "active"), ("active", true, "inactive")] {
        let script = scripted(&[
            ("GET", "/contacts/c1", contact(with(before))),
            ("PUT", "/contacts/c1", saved(with(after))),
            ("POST", "/contacts/c1/notes", json!({"note": {"id": "n1"}})),
        ])
        .await;
        let outcome = script.crm.set_opt_in_status("c1", wanted, " asked by phone ").await;
        assert_eq!(outcome.unwrap(), OptInOutcome::Applied);
        assert_eq!(
            script.calls().await,
            ["GET /contacts/c1", "PUT /contacts/c1", "POST /contacts/c1/notes"]
        );
        let sent: Value = serde_json::from_slice(&script.requests().await[1].body).unwrap();
        assert_eq!(
            sent,
            json!({"dndSettings": {"SMS": sms, "Email": {"status": after, "message": "asked by phone"}}})
        );
        assert_eq!(script.last().await.1["body"], "asked by phone");
    }
}

#[tokio::test]
async fn a_permanent_or_whole_do_not_disturb_is_left_alone() {
    for (state, wanted, expected) in [
        (
            json!({"dndSettings": {"Email": {"status": "permanent"}}}),
            true,
            OptInOutcome::NotPermitted,
        ),
        (
            json!({"dndSettings": {"Email": {"status": "permanent"}}}),
            false,
            OptInOutcome::Already,
        ),
        (json!({"dnd": true}), true, OptInOutcome::NotPermitted),
        (
            json!({"dndSettings": {"Email": {"status": "active"}}}),
            false,
            OptInOutcome::Already,
        ),
    ] {
        let script = scripted(&[("GET", "/contacts/c1", contact(state))]).await;
        assert_eq!(script.crm.set_opt_in_status("c1", wanted, "x").await.unwrap(), expected);
        assert_eq!(script.calls().await, ["GET /contacts/c1"], "nothing is written");
        assert_eq!(script.crm.get_opt_in_status("c1").await.unwrap(), OptInStatus::OptedOut);
    }
}

#[tokio::test]
async fn consent_that_the_answer_does_not_show_is_not_called_applied() {
    let kept = json!({"dndSettings": {"Email": {"status": "active"}}});
    let script = scripted(&[
        ("GET", "/contacts/c1", contact(kept.clone())),
        ("PUT", "/contacts/c1", saved(kept)),
    ])
    .await;
    let outcome = script.crm.set_opt_in_status("c1", true, "x").await.unwrap();
    assert_eq!(outcome, OptInOutcome::NotPermitted);
    let script = scripted(&[
        ("GET", "/contacts/c1", contact(json!({}))),
        ("PUT", "/contacts/c1", json!({"succeded": true})),
    ])
    .await;
    let error = script.crm.set_opt_in_status("c1", true, "x").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
}

#[tokio::test]
async fn a_reason_that_cannot_be_noted_does_not_undo_the_consent() {
    let inactive = json!({"dndSettings": {"Email": {"status": "inactive"}}});
    let script = scripted(&[
        ("GET", "/contacts/c1", contact(json!({}))),
        ("PUT", "/contacts/c1", saved(inactive)),
    ])
    .await;
    let outcome = script.crm.set_opt_in_status("c1", true, "form").await.unwrap();
    assert_eq!(outcome, OptInOutcome::Applied);
}

#[tokio::test]
async fn a_tag_goes_by_its_name_whatever_it_was_called_by() {
    let applied = json!({"tags": ["vip", "2024"]});
    let list = tags_path();
    let script = scripted(&[("GET", &list, tags()), ("POST", "/contacts/c1/tags", applied)]).await;
    for (given, name) in [
        ("vip", "vip"),
        (" VIP ", "vip"),
        ("T1aaaaaaaaaaaaaaaaaa", "vip"),
        ("id:T1aaaaaaaaaaaaaaaaaa", "vip"),
        ("2024", "2024"),
    ] {
        script.crm.apply_tag("c1", given).await.unwrap();
        assert_eq!(script.last().await.1, json!({"tags": [name]}), "{given}");
    }
    let cost = script.calls().await.len();
    assert_eq!(cost, 1 + 5, "the list is asked for once");
    for unknown in ["gold", "999999", "id:vip2", "T3aaaaaaaaaaaaaaaaaa"] {
        let error = script.crm.apply_tag("c1", unknown).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{unknown}");
        let error = script.crm.remove_tag("c1", unknown).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{unknown}");
    }
    let list = format!("GET {list}");
    let calls = script.calls().await;
    assert!(
        calls[cost..].iter().all(|call| *call == list),
        "an unknown name is never sent"
    );
}

#[tokio::test]
async fn a_tag_is_removed_by_its_name_in_the_body() {
    let list = tags_path();
    let script = scripted(&[
        ("GET", &list, tags()),
        ("DELETE", "/contacts/c1/tags", json!({"tags": []})),
    ])
    .await;
    script.crm.remove_tag("c1", "T1aaaaaaaaaaaaaaaaaa").await.unwrap();
    assert_eq!(script.last().await.1, json!({"tags": ["vip"]}));
}

#[tokio::test]
async fn a_missing_list_of_tags_is_not_a_missing_tag() {
    let script = scripted(&[]).await;
    let error = script.crm.apply_tag("c1", "2024").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn a_company_that_an_update_did_not_take_is_told() {
    let given = fields(json!({"company": "Analytical", "first_name": "Ada"}));
    let script = scripted(&[("PUT", "/contacts/c1", saved(json!({"companyName": "analytical "})))]).await;
    script.crm.set_field_values("c1", &given).await.unwrap();
    assert_eq!(
        script.last().await.1,
        json!({"companyName": "Analytical", "firstName": "Ada"})
    );
    let script = scripted(&[("PUT", "/contacts/c1", saved(json!({"companyName": "Other"})))]).await;
    let error = script.crm.set_field_values("c1", &given).await.unwrap_err();
    assert_eq!(
        (error.kind, error.contact_id.as_deref()),
        (ErrorKind::Partial, Some("c1"))
    );
    // Without a company nothing is compared.
    script
        .crm
        .set_field_value("c1", "first_name", &json!("Ada"))
        .await
        .unwrap();
}

#[tokio::test]
async fn several_fields_are_one_write_in_the_vendors_forms() {
    let definitions = json!({"customFields": [
        {"id": "f1", "name": "Job Title", "fieldKey": "contact.job_title", "dataType": "TEXT", "model": "contact"},
        {"id": "f2", "name": "Score", "fieldKey": "contact.score", "dataType": "NUMERICAL"},
        {"id": "f3", "name": "Worth", "fieldKey": "contact.worth", "dataType": "MONETORY"},
        {"id": "f4", "name": "Day", "fieldKey": "contact.day", "dataType": "DATE"},
        {"id": "f5", "name": "Likes", "fieldKey": "contact.likes", "dataType": "CHECKBOX",
            "picklistOptions": ["Tea", "Jam"]},
        {"id": "f6", "name": "Deal", "fieldKey": "opportunity.deal", "dataType": "TEXT", "model": "opportunity"}
    ]});
    let at = format!("/locations/{LOCATION}/customFields");
    let script = scripted(&[("GET", &at, definitions), ("PUT", "/contacts/c1", saved(json!({})))]).await;
    let values = fields(json!({
        "job_title": "Countess", "contact.score": 3.50, "Worth": "12.50", "Day": "2026-03-01T23:30:00-05:00",
        "likes": "jam, Tea", "birthday": "12/10/1815", "country": "Germany"
    }));
    script.crm.set_field_values("c1", &values).await.unwrap();
    let mut sent = script.last().await.1;
    sent["customFields"]
        .as_array_mut()
        .unwrap()
        .sort_by_key(|field| field["id"].to_string());
    assert_eq!(
        sent,
        json!({"dateOfBirth": "1815-12-10", "country": "DE", "customFields": [
            {"id": "f1", "field_value": "Countess"}, {"id": "f2", "field_value": "3.5"},
            {"id": "f3", "field_value": "12.50"}, {"id": "f4", "field_value": "2026-03-01"},
            {"id": "f5", "field_value": ["Jam", "Tea"]}
        ]})
    );
    assert_eq!(script.calls().await.len(), 2);
    for absent in ["Deal", "address2", "email2"] {
        let error = script.crm.get_field_value("c1", absent).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownField, "{absent}");
    }
}

#[tokio::test]
async fn a_duplicate_is_a_conflict_that_names_the_contact() {
    let script = scripted(&[]).await;
    let refusal = json!({
        "statusCode": 400, "message": "This location does not allow duplicated contacts.",
        "meta": {"contactId": "c9", "contactName": "ada lovelace", "matchingField": "email"}
    });
    let answer = ResponseTemplate::new(400).set_body_json(refusal);
    respond(&script.server, "POST", "/contacts/", answer).await;
    let new = NewContact {
        fields: fields(json!({"email": "ada@example.com", "phone": ""})),
        tags: Vec::new(),
    };
    let error = script.crm.create_contact(&new).await.unwrap_err();
    assert_eq!(
        (error.kind, error.contact_id.as_deref()),
        (ErrorKind::Conflict, Some("c9"))
    );
    assert_eq!(error.outcome, WriteOutcome::NotApplied);
    assert!(!error.message.contains("lovelace"), "{error}");
    assert_eq!(
        script.last().await.1,
        json!({"locationId": LOCATION, "email": "ada@example.com"})
    );
}

#[tokio::test]
async fn a_new_contact_gets_its_tags_in_the_same_request() {
    let list = tags_path();
    let script = scripted(&[
        ("GET", &list, tags()),
        ("POST", "/contacts/", contact(json!({"tags": ["vip"]}))),
    ])
    .await;
    let new = NewContact {
        fields: fields(json!({"email": "ada@example.com"})),
        tags: vec!["T1aaaaaaaaaaaaaaaaaa".to_owned(), "VIP".to_owned()],
    };
    let created = script.crm.create_contact(&new).await.unwrap();
    assert_eq!(created.tags.unwrap()[0].id, "vip");
    assert_eq!(script.last().await.1["tags"], json!(["vip"]));
    let script = scripted(&[("POST", "/contacts/", json!({"contact": {}}))]).await;
    let error = script
        .crm
        .create_contact(&NewContact {
            tags: Vec::new(),
            ..new
        })
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
}

#[tokio::test]
async fn an_upsert_never_sends_tags_and_adds_those_that_are_missing() {
    let list = tags_path();
    let mut answer = contact(json!({"tags": ["vip"]}));
    answer["new"] = json!(false);
    let script = scripted(&[
        ("GET", &list, tags()),
        ("POST", "/contacts/upsert", answer),
        ("POST", "/contacts/c1/tags", json!({"tags": ["vip", "2024"]})),
    ])
    .await;
    let new = NewContact {
        fields: fields(json!({"email": "ada@example.com"})),
        tags: vec!["vip".to_owned(), "2024".to_owned()],
    };
    let (contact, created) = script.crm.upsert_contact(&new).await.unwrap();
    assert_eq!((contact.tags.unwrap().len(), created), (2, false));
    let sent: Value = serde_json::from_slice(&script.requests().await[1].body).unwrap();
    assert_eq!(sent, json!({"locationId": LOCATION, "email": "ada@example.com"}));
    assert_eq!(script.last().await.1, json!({"tags": ["2024"]}));
    let forbidden = ResponseTemplate::new(403).set_body_json(json!({"statusCode": 403, "message": "no"}));
    script.server.reset().await;
    let mut answer = contact_named("c1");
    answer["new"] = json!(true);
    let upserted = ResponseTemplate::new(200).set_body_json(answer);
    respond(&script.server, "POST", "/contacts/upsert", upserted).await;
    respond(&script.server, "POST", "/contacts/c1/tags", forbidden).await;
    let error = script.crm.upsert_contact(&new).await.unwrap_err();
    assert_eq!(
        (error.kind, error.contact_id.as_deref()),
        (ErrorKind::Partial, Some("c1"))
    );
}

fn contact_named(id: &str) -> Value {
    contact(json!({ "id": id }))
}

fn hit(id: &str, more: Value) -> Value {
    let mut hit = json!({
        "id": id, "firstNameLowerCase": "ada", "email": "ada@example.com", "additionalEmails": ["second@example.com"],
        "tags": [], "customFields": [], "searchAfter": [1_772_323_200_000_u64, id]
    });
    hit.as_object_mut().unwrap().extend(fields(more));
    hit
}

#[tokio::test]
async fn a_list_is_searched_and_hits_that_are_not_whole_are_read_again() {
    let hits = json!({"contacts": [hit("c1", json!({})), hit("c2", json!({"firstName": "Bo"}))], "total": 7});
    let script = scripted(&[
        ("POST", "/contacts/search", hits),
        ("GET", "/contacts/c1", contact(json!({"firstName": "Ada"}))),
    ])
    .await;
    let query = ContactQuery {
        limit: Some(2),
        ..ContactQuery::default()
    };
    let page = script.crm.get_contacts(&query).await.unwrap();
    let names: Vec<&str> = page
        .contacts
        .iter()
        .map(|contact| contact.first_name.as_str())
        .collect();
    assert_eq!((names, page.total), (vec!["Ada", "Bo"], Some(7)));
    assert_eq!(page.contacts[1].emails.len(), 2);
    assert_eq!(script.calls().await, ["POST /contacts/search", "GET /contacts/c1"]);
    let sent: Value = serde_json::from_slice(&script.requests().await[0].body).unwrap();
    let expected = json!({
        "locationId": LOCATION, "pageLimit": 2, "sort": [{"field": "dateAdded", "direction": "asc"}]
    });
    assert_eq!(sent, expected);
    let next = ContactQuery {
        cursor: page.next_cursor,
        ids_only: true,
        ..query
    };
    // The same page again would never end.
    let error = script.crm.get_contacts(&next).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert_eq!(
        script.last().await.1["searchAfter"],
        json!([1_772_323_200_000_u64, "c2"])
    );
}

#[tokio::test]
async fn every_option_of_a_query_becomes_a_filter() {
    let list = tags_path();
    let hits = json!({"contacts": [hit("c1", json!({})), hit("c2", json!({"email": "x@example.com"}))], "total": "2"});
    let script = scripted(&[("GET", &list, tags()), ("POST", "/contacts/search", hits)]).await;
    let query = ContactQuery {
        tag_id: Some("T1aaaaaaaaaaaaaaaaaa".to_owned()),
        email: Some(" Ada@Example.com".to_owned()),
        updated_since: Some(mfh_types::Timestamp(chrono::DateTime::UNIX_EPOCH)),
        ids_only: true,
        ..ContactQuery::default()
    };
    let page = script.crm.get_contacts(&query).await.unwrap();
    assert_eq!(page.contacts.len(), 1, "a hit with another address is left out");
    let sent = script.last().await.1;
    assert_eq!(
        sent["filters"],
        json!([
            {"field": "email", "operator": "eq", "value": "Ada@Example.com"},
            {"field": "dateUpdated", "operator": "range", "value": {"gte": "1970-01-01T00:00:00.000Z"}},
            {"field": "tags", "operator": "eq", "value": "vip"}
        ])
    );
    assert_eq!(sent["pageLimit"], 500);
    assert_eq!(script.crm.count_contacts(&query).await.unwrap(), 2);
    assert_eq!(script.last().await.1["pageLimit"], 1);
}

#[tokio::test]
async fn a_full_page_without_a_place_to_go_on_is_not_the_last() {
    let hits = json!({"contacts": [{"id": "c1", "tags": [], "customFields": []}]});
    let script = scripted(&[("POST", "/contacts/search", hits)]).await;
    let query = ContactQuery {
        limit: Some(1),
        ..ContactQuery::default()
    };
    assert_eq!(
        script.crm.get_contacts(&query).await.unwrap_err().kind,
        ErrorKind::Protocol
    );
    assert_eq!(
        script.crm.count_contacts(&query).await.unwrap_err().kind,
        ErrorKind::Protocol
    );
}

#[tokio::test]
async fn a_contact_that_was_deleted_since_the_index_saw_it_is_left_out() {
    let script = scripted(&[("POST", "/contacts/search", json!({"contacts": [hit("c1", json!({}))]}))]).await;
    let gone = ResponseTemplate::new(400).set_body_json(json!({"statusCode": 400, "message": "Contact not found"}));
    respond(&script.server, "GET", "/contacts/c1", gone).await;
    let page = script.crm.get_contacts(&ContactQuery::default()).await.unwrap();
    assert!(page.contacts.is_empty());
}

#[tokio::test]
async fn contacts_by_address_are_those_that_have_it() {
    let at = "/contacts/search/duplicate";
    let script = scripted(&[("GET", at, contact(json!({})))]).await;
    let found = script.crm.find_contacts_by_email("ADA@example.com").await.unwrap();
    assert_eq!(found[0].id, "c1");
    let sent = &script.requests().await[0];
    assert_eq!(
        sent.url.query(),
        Some("locationId=ve9EPM428h8vShlRW1KT&email=ADA%40example.com")
    );
    assert!(
        script
            .crm
            .find_contacts_by_email("bo@example.com")
            .await
            .unwrap()
            .is_empty()
    );
    for nothing in [json!({}), json!({"contact": null})] {
        let script = scripted(&[("GET", at, nothing)]).await;
        assert!(
            script
                .crm
                .find_contacts_by_email("ada@example.com")
                .await
                .unwrap()
                .is_empty()
        );
    }
    let script = scripted(&[]).await;
    respond(&script.server, "GET", at, ResponseTemplate::new(200)).await;
    assert!(
        script
            .crm
            .find_contacts_by_email("ada@example.com")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn null_and_unknown_members_are_no_trouble() {
    let odd = json!({
        "lastName": null, "phone": 6025550100_u64, "dateAdded": "2026-01-02T03:04:05.678Z", "tags": null,
        "customFields": null, "dndSettings": null, "country": "Narnia", "brandNew": {"a": [1]}, "assignedTo": null
    });
    let script = scripted(&[("GET", "/contacts/c1", contact(odd))]).await;
    let read = script.crm.get_contact("c1").await.unwrap();
    assert_eq!(
        (read.last_name.as_str(), read.phone.as_deref()),
        ("", Some("6025550100"))
    );
    assert_eq!((read.tags, read.owner_id), (None, None));
    assert_eq!(read.address.unwrap().country.as_deref(), Some("Narnia"));
    assert_eq!(read.created_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
    let deleted = scripted(&[("GET", "/contacts/c1", contact(json!({"deleted": true})))]).await;
    assert_eq!(
        deleted.crm.get_contact("c1").await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    let empty = scripted(&[("GET", "/contacts/c1", json!({"contact": "c1"}))]).await;
    assert_eq!(empty.crm.get_contact("c1").await.unwrap_err().kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn refusals_are_told_apart_and_tell_no_personal_data() {
    let said = |status: u16, message: Value| json!({"statusCode": status, "message": message, "traceId": "trace-1"});
    for (status, body, kind) in [
        (403, said(403, json!("Forbidden resource")), ErrorKind::Forbidden),
        (404, said(404, json!("x")), ErrorKind::NotFound),
        (400, said(400, json!("Contact not found")), ErrorKind::NotFound),
        (409, said(409, json!("x")), ErrorKind::Conflict),
        (
            422,
            said(422, json!(["email ada@example.com is wrong", "y"])),
            ErrorKind::InvalidInput,
        ),
        (
            401,
            said(401, json!("The token is not authorized for this scope.")),
            ErrorKind::Forbidden,
        ),
        (
            500,
            said(500, json!("record not found by ada@example.com")),
            ErrorKind::Unavailable,
        ),
    ] {
        let script = scripted(&[]).await;
        respond(
            &script.server,
            "PUT",
            "/contacts/c1",
            ResponseTemplate::new(status).set_body_json(body),
        )
        .await;
        let error = script.crm.set_owner("c1", "u1").await.unwrap_err();
        assert_eq!(error.kind, kind, "{status}");
        assert_eq!(error.vendor_code.as_deref(), Some("trace-1"));
        assert!(
            !error.message.contains("ada@") && !error.message.contains("token-0000"),
            "{error}"
        );
    }
    let script = scripted(&[]).await;
    let page = ResponseTemplate::new(502).set_body_raw("<html>502 Bad Gateway</html>", "text/html");
    respond(&script.server, "POST", "/contacts/c1/notes", page).await;
    let error = script.crm.add_note("c1", "", "text").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Unavailable, WriteOutcome::Unknown)
    );
    assert!(!error.message.contains("html"));
    assert_eq!(script.calls().await.len(), 1, "a note is not sent twice");
}

#[tokio::test]
async fn after_a_429_the_window_is_waited_for() {
    let script = scripted(&[]).await;
    let busy = ResponseTemplate::new(429)
        .insert_header("x-ratelimit-interval-milliseconds", "4000")
        .insert_header("x-ratelimit-daily-remaining", "5");
    Mock::given(method("GET"))
        .respond_with(busy)
        .up_to_n_times(1)
        .mount(&script.server)
        .await;
    respond(
        &script.server,
        "GET",
        "/contacts/c1",
        ResponseTemplate::new(200).set_body_json(contact(json!({}))),
    )
    .await;
    script.crm.get_contact("c1").await.unwrap();
    assert_eq!(script.world.waits(), [4.0]);
}

#[tokio::test]
async fn a_spent_day_is_given_back_to_the_caller() {
    let script = scripted(&[]).await;
    let spent = ResponseTemplate::new(429)
        .insert_header("x-ratelimit-interval-milliseconds", "4000")
        .insert_header("x-ratelimit-daily-remaining", "0");
    respond(&script.server, "GET", "/contacts/c1", spent).await;
    let error = script.crm.get_contact("c1").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert_eq!(error.retry_after.map(|wait| wait.as_secs()), Some(3_600));
    assert!(script.world.waits().is_empty() && error.is_retryable());
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once() {
    let server = MockServer::start().await;
    let denied = json!({"statusCode": 401, "message": "Invalid JWT", "error": "Unauthorized"});
    respond(
        &server,
        "GET",
        "/contacts/c1",
        ResponseTemplate::new(401).set_body_json(denied),
    )
    .await;
    let world = World::new();
    let tokens = Arc::new(Renewable::default());
    let mut config = world.config(&server.uri(), tokens.clone());
    config.external_app_id = Some(LOCATION.to_owned());
    let crm = build("gohighlevel", config).unwrap();
    let error = crm.get_contact("c1").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert_eq!(*tokens.refreshes.lock().unwrap(), 1);
    server.reset().await;
    Mock::given(method("GET"))
        .and(header("authorization", "Bearer token-new"))
        .respond_with(ResponseTemplate::new(200).set_body_json(contact(json!({}))))
        .mount(&server)
        .await;
    crm.get_contact("c1").await.unwrap();
}

#[tokio::test]
async fn a_workflow_is_started_with_an_empty_body_and_never_twice() {
    let at = "/contacts/c1/workflow/w1";
    let script = scripted(&[("POST", at, json!({"succeded": true}))]).await;
    script.crm.trigger_automation("c1", "w1").await.unwrap();
    assert_eq!(script.last().await.1, json!({}));
    let script = scripted(&[("POST", at, json!({"succeded": false}))]).await;
    let error = script.crm.trigger_automation("c1", "w1").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    let script = scripted(&[]).await;
    respond(&script.server, "POST", at, ResponseTemplate::new(503)).await;
    let error = script.crm.trigger_automation("c1", "w1").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Unavailable, WriteOutcome::Unknown)
    );
    assert_eq!(script.calls().await.len(), 1);
}

#[tokio::test]
async fn goals_are_unsupported_and_nothing_is_sent() {
    let script = scripted(&[]).await;
    let error = script.crm.achieve_goal("c1", "bought", "mfh").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(script.calls().await.is_empty());
}

#[tokio::test]
async fn lists_are_asked_for_with_the_location_and_the_vendors_slashes() {
    let users = json!({"users": [
        {"id": "u1", "name": "Dana Whitlock", "email": "dana@example.com"},
        {"id": "u2", "firstName": "Ruth", "deleted": true}, {"id": "u3", "firstName": "Yuki", "lastName": null}
    ]});
    let workflows = json!({"workflows": [{"id": "w1", "name": "Nurture", "status": "published"}, {"name": "no id"}]});
    let script = scripted(&[("GET", "/users/", users), ("GET", "/workflows/", workflows)]).await;
    let users = script.crm.list_users().await.unwrap();
    let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["Dana Whitlock", "Yuki"]);
    let automations = script.crm.list_automations().await.unwrap();
    assert_eq!(
        (automations.len(), automations[0].status.as_deref()),
        (1, Some("published"))
    );
    let query = format!("locationId={LOCATION}");
    assert!(
        script
            .requests()
            .await
            .iter()
            .all(|sent| sent.url.query() == Some(&query))
    );
}

#[tokio::test]
async fn a_doubled_tag_is_a_conflict() {
    let script = scripted(&[]).await;
    let list = tags_path();
    let refusal = json!({"statusCode": 400, "message": "The tag name is already exist."});
    Mock::given(method("POST"))
        .and(path(&list))
        .and(body_partial_json(json!({"name": "vip"})))
        .respond_with(ResponseTemplate::new(400).set_body_json(refusal))
        .mount(&script.server)
        .await;
    let error = script.crm.create_tag(" vip ").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Conflict, WriteOutcome::NotApplied)
    );
}
