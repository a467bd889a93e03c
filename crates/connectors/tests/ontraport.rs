//! What Ontraport is sent, request by request, and how its answers are judged (`connectors` §2.4, §7.1, §7.3).
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mfh_connectors::{
    Connector, ConnectorConfig, ContactQuery, DataType, ErrorKind, NewContact, OptInOutcome, OptInStatus, WriteOutcome,
    build,
};
use mfh_simulators::Ontraport as Simulator;
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_simulators::ontraport::{API_KEY, APP_ID, DEMO_CONTACT_ID, Limits};
use mfh_types::{SeededRandom, Timestamp};
use serde_json::{Value, json};
use support::script::{Scripted, query};
use support::{World, fields, key, new};
use wiremock::matchers::{method, path};
use wiremock::{Mock, Request, ResponseTemplate};

fn connect(
    world: &World,
    base_url: &str,
    app_id: Option<&str>,
    secret: &str,
) -> mfh_connectors::Result<Arc<dyn Connector>> {
    let config = ConnectorConfig {
        app_id: app_id.map(str::to_owned),
        ..world.config(base_url, key("ontraport", secret))
    };
    build("ontraport", config)
}

async fn scripted(answers: &[(&str, &str, Value)]) -> Scripted {
    let script = Scripted::silent(|world, url| connect(world, url, Some("2_1_app"), "key-0000").unwrap()).await;
    for (verb, at, data) in answers {
        script.say(verb, at, &enveloped(data)).await;
    }
    script
}

fn enveloped(data: &Value) -> Value {
    json!({"code": 0, "data": data, "account_id": "187153"})
}

fn meta() -> Value {
    json!({"0": {"name": "Contact", "fields": {
        "firstname": {"alias": "First Name", "type": "text"}, "fax": {"alias": "Fax", "type": "phone"},
        "f11": {"alias": "Color", "type": "drop", "editable": 1, "options": {"21": "Red", "22": "Blue"}},
        "f12": {"alias": "Interests", "type": "list", "options": {"31": "Art", "32": "Golf"}},
        "f13": {"alias": "Renewal", "type": "fulldate"}, "f14": {"alias": "News", "type": "check"},
        "f15": {"alias": "Locked", "type": "text", "editable": 0}
    }}})
}

fn contact() -> Value {
    json!({"id": "7", "firstname": "Ada", "email": "ada@example.com", "bulk_mail": "1", "contact_cat": "*/*5*/*"})
}

#[tokio::test]
async fn app_id_and_key_are_sent_and_nothing_works_without_the_app_id() {
    let script = scripted(&[("GET", "/objects/getInfo", json!({"count": "3"}))]).await;
    script.crm.test_connection().await.unwrap();
    let sent = &script.requests().await[0];
    assert_eq!(
        (&sent.headers["api-appid"], &sent.headers["api-key"]),
        (&"2_1_app".parse().unwrap(), &"key-0000".parse().unwrap())
    );
    assert!(!sent.headers.contains_key("authorization"));
    assert_eq!(query(sent), BTreeMap::from([("objectID".to_owned(), "0".to_owned())]));
    for missing in [None, Some(" ")] {
        let error = connect(&script.world, &script.server.uri(), missing, "k").unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotConfigured);
        assert!(error.message.contains("app_id"), "{error}");
    }
}

#[tokio::test]
async fn an_address_with_quotes_and_backslashes_makes_a_valid_condition() {
    let email = r#"o"hara\"}],"OR",{@example.com"#;
    let own = json!([{"id": "7", "email": email.to_uppercase()}, {"id": "8", "email": "other@example.com"}]);
    let script = scripted(&[("GET", "/objects", own)]).await;
    let found = script.crm.find_contacts_by_email(email).await.unwrap();
    assert_eq!(found.len(), 1, "what the CRM finds too much is left out");
    let condition: Value = serde_json::from_str(&script.last().await.0["condition"]).unwrap();
    assert_eq!(
        condition,
        json!([{"field": {"field": "email"}, "op": "=", "value": {"value": email}}])
    );
}

/// A CRM with this many contacts, in pages by id.
fn many(total: u64) -> impl Fn(&Request) -> ResponseTemplate {
    move |request: &Request| {
        let query = query(request);
        let condition: Value = query
            .get("condition")
            .map_or(json!([]), |text| serde_json::from_str(text).unwrap());
        let after = condition
            .pointer("/0/value/value")
            .and_then(Value::as_str)
            .unwrap_or("0");
        let after: u64 = after.parse().unwrap();
        let range: u64 = query["range"].parse().unwrap();
        let ids = (after + 1..=total).take(range as usize);
        let page: Vec<Value> = ids.map(|id| json!({"id": id.to_string(), "contact_cat": ""})).collect();
        ResponseTemplate::new(200).set_body_json(enveloped(&page.into()))
    }
}

#[tokio::test]
async fn a_hundred_and_twenty_contacts_are_three_pages_by_id() {
    let script = scripted(&[]).await;
    let mock = Mock::given(method("GET")).and(path("/objects")).respond_with(many(120));
    mock.mount(&script.server).await;
    let mut asked = ContactQuery {
        limit: Some(1_000),
        ..ContactQuery::default()
    };
    let mut ids = Vec::new();
    loop {
        let page = script.crm.get_contacts(&asked).await.unwrap();
        ids.extend(page.contacts.into_iter().map(|contact| contact.id));
        match page.next_cursor {
            Some(cursor) => asked.cursor = Some(cursor),
            None => break,
        }
    }
    assert!(
        ids.iter()
            .map(String::as_str)
            .eq((1..=120).map(|id| id.to_string()).collect::<Vec<_>>().iter())
    );
    assert_eq!(script.calls().await.len(), 3);
    let (query, _) = script.last().await;
    for (name, value) in [("range", "50"), ("sort", "id"), ("sortDir", "asc"), ("objectID", "0")] {
        assert_eq!(query[name], value);
    }
}

#[tokio::test]
async fn a_page_that_comes_again_is_an_error() {
    let page: Vec<Value> = (1..=50).map(|id| json!({"id": id.to_string()})).collect();
    let script = scripted(&[("GET", "/objects", page.into())]).await;
    let mut query = ContactQuery::default();
    query.cursor = script.crm.get_contacts(&query).await.unwrap().next_cursor;
    let error = script.crm.get_contacts(&query).await.unwrap_err();
    assert_eq!((error.kind, error.is_retryable()), (ErrorKind::Protocol, false));
    assert_eq!(script.crm.list_users().await.unwrap_err().kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn all_conditions_of_a_query_are_sent_together() {
    let script = scripted(&[
        ("GET", "/objects/tag", json!([])),
        ("GET", "/objects/getInfo", json!({"count": 4})),
    ])
    .await;
    let since = chrono::DateTime::from_timestamp(1_772_323_200, 0).unwrap();
    let mut query = ContactQuery {
        tag_id: Some("5".to_owned()),
        email: Some("a@example.com".to_owned()),
        updated_since: Some(Timestamp(since)),
        ids_only: true,
        limit: Some(10),
        ..ContactQuery::default()
    };
    script.crm.get_contacts(&query).await.unwrap();
    let (sent, _) = script.last().await;
    assert_eq!((sent["tag_id"].as_str(), sent["range"].as_str()), ("5", "10"));
    assert_eq!(sent["listFields"], "id,email");
    let condition: Value = serde_json::from_str(&sent["condition"]).unwrap();
    assert_eq!(
        condition,
        json!([
            {"field": {"field": "email"}, "op": "=", "value": {"value": "a@example.com"}}, "AND",
            {"field": {"field": "dlm"}, "op": ">=", "value": {"value": "1772323200"}}
        ])
    );
    query.tag_id = None;
    assert_eq!(script.crm.count_contacts(&query).await.unwrap(), 4);
    query.tag_id = Some("5,6".to_owned());
    let sent = script.calls().await.len();
    for refused in [
        script.crm.count_contacts(&query).await.map(drop),
        script.crm.get_contacts(&query).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind, ErrorKind::InvalidInput);
    }
    assert_eq!(script.calls().await.len(), sent);
}

#[tokio::test]
async fn custom_fields_are_those_with_a_number() {
    let script = scripted(&[("GET", "/objects/meta", meta())]).await;
    let found = script.crm.get_custom_fields().await.unwrap();
    let keys: Vec<&str> = found.iter().map(|field| field.key.as_str()).collect();
    assert_eq!(keys, ["f11", "f12", "f13", "f14", "f15"]);
    assert_eq!(
        (found[0].data_type, &found[0].options),
        (DataType::Select, &vec!["Red".to_owned(), "Blue".to_owned()])
    );
    let (query, _) = script.last().await;
    assert_eq!((query["objectID"].as_str(), query["format"].as_str()), ("0", "byId"));
}

#[tokio::test]
async fn several_fields_are_one_write_with_ids_of_choices_and_days_as_seconds() {
    let script = scripted(&[
        ("GET", "/objects/meta", meta()),
        ("PUT", "/objects", json!({"attrs": {"id": "7", "dlm": "1"}})),
    ])
    .await;
    let values = fields(json!({
        "first_name": "Grace", "Phone1": null, "country": "Germany", "Color": "blue", "interests": "Golf, Art",
        "Renewal": "2026-03-01T23:30:00-05:00", "News": true, "birthday": "1906-12-09",
    }));
    script.crm.set_field_values("7", &values).await.unwrap();
    assert_eq!(script.calls().await, ["GET /objects/meta", "PUT /objects"]);
    assert_eq!(
        script.last().await.1,
        json!({
            "objectID": 0, "id": "7", "firstname": "Grace", "office_phone": "", "country": "DE", "f11": "22",
            "f12": "*/*32*/*31*/*", "f13": "1772323200", "f14": "1", "birthday": "-1990137600"
        })
    );
    let error = script
        .crm
        .set_field_value("7", "Locked", &json!("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    let error = script
        .crm
        .set_field_value("7", "Color", &json!("mauve"))
        .await
        .unwrap_err();
    assert!(
        error.kind == ErrorKind::InvalidInput && error.message.contains("Red"),
        "{error}"
    );
}

#[tokio::test]
async fn a_contact_with_odd_values_is_read_all_the_same() {
    let odd = json!({
        "id": 7, "firstname": null, "lastname": 12, "email": "a@example.com", "birthday": "0", "owner": 0, "dlm": null,
        "date": 1_772_323_200, "bulk_mail": 9, "f11": "99", "f12": "*/*31*/*77*/*", "f13": "0", "f14": "0",
        "f15": {"new": "shape"}, "f99": "kept", "news": [1], "contact_cat": null
    });
    let script = scripted(&[("GET", "/object", odd), ("GET", "/objects/meta", meta())]).await;
    let read = script.crm.get_contact("7").await.unwrap();
    assert_eq!(
        (read.id.as_str(), read.first_name.as_str(), read.last_name.as_str()),
        ("7", "", "12")
    );
    assert_eq!((read.birthday, read.owner_id, read.updated_at), (None, None, None));
    assert_eq!(read.created_at.unwrap().to_string(), "2026-03-01T00:00:00Z");
    assert_eq!((read.opt_in, read.tags), (Some(OptInStatus::Unknown), Some(Vec::new())));
    let expected =
        json!({"f11": "99", "f12": ["Art", "77"], "f14": false, "f15": "{\"new\":\"shape\"}", "f99": "kept"});
    assert_eq!(read.custom_fields, fields(expected));
    for nothing in [json!([]), json!(null), json!(false)] {
        let script = scripted(&[("GET", "/object", nothing)]).await;
        assert_eq!(script.crm.get_contact("7").await.unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_contact_is_created_in_one_request_and_its_tags_in_another() {
    let tags = json!([{"tag_id": "5", "tag_name": "VIP"}, {"tag_id": "6", "tag_name": "Gold", "object_type_id": 0}]);
    let script = scripted(&[
        ("GET", "/objects?objectID=14", tags),
        (
            "POST",
            "/objects",
            json!({"id": "9", "firstname": "Ada", "contact_cat": ""}),
        ),
        ("PUT", "/objects/tag", json!("The tag is now being processed.")),
    ])
    .await;
    let wanted = NewContact {
        tags: vec!["vip".to_owned(), "6".to_owned()],
        ..new(json!({"first_name": "Ada"}))
    };
    let created = script.crm.create_contact(&wanted).await.unwrap();
    let names: Vec<String> = created.tags.unwrap().into_iter().map(|tag| tag.name).collect();
    assert_eq!(names, ["VIP", "Gold"]);
    assert_eq!(
        script.calls().await,
        ["GET /objects", "POST /objects", "PUT /objects/tag"]
    );
    assert_eq!(
        script.last().await.1,
        json!({"objectID": 0, "ids": "9", "add_list": "5,6"})
    );
}

#[tokio::test]
async fn an_upsert_tells_a_new_contact_from_a_merged_one() {
    let at = "/objects/saveorupdate";
    let ada = json!({"id": "7", "firstname": "Ada", "email": "ada@example.com"});
    let wanted = new(json!({"email": "ada@example.com", "last_name": ""}));
    let script = scripted(&[("POST", at, ada.clone())]).await;
    let (made, created) = script.crm.upsert_contact(&wanted).await.unwrap();
    assert_eq!((made.id.as_str(), created), ("7", true));
    assert_eq!(
        script.last().await.1,
        json!({"objectID": 0, "email": "ada@example.com", "lastname": ""})
    );
    for (attrs, created) in [
        (json!({"id": 7, "dlm": "5"}), false),
        (json!({"id": "7", "date": "5"}), true),
    ] {
        let script = scripted(&[("POST", at, json!({"attrs": attrs})), ("GET", "/object", ada.clone())]).await;
        let (merged, is_new) = script.crm.upsert_contact(&wanted).await.unwrap();
        assert_eq!((merged.first_name.as_str(), is_new), ("Ada", created));
        assert_eq!(script.calls().await.len(), 2);
    }
    let script = scripted(&[("POST", at, json!({"attrs": {"id": "7"}}))]).await;
    let error = script.crm.upsert_contact(&wanted).await.unwrap_err();
    assert_eq!(
        (error.kind, error.contact_id.as_deref()),
        (ErrorKind::Partial, Some("7"))
    );
    let script = scripted(&[("POST", at, json!([]))]).await;
    let error = script.crm.upsert_contact(&wanted).await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
    let error = script
        .crm
        .upsert_contact(&new(json!({"first_name": "Ada"})))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(script.calls().await.len(), 1);
}

#[tokio::test]
async fn a_tag_is_written_only_when_it_changes_something() {
    let script = scripted(&[
        (
            "GET",
            "/objects?objectID=14",
            json!([{"tag_id": "5"}, {"tag_id": "6"}, {"tag_id": "8", "object_type_id": "149"}]),
        ),
        ("GET", "/object", contact()),
        ("PUT", "/objects/tag", json!("")),
        ("DELETE", "/objects/tag", json!("")),
    ])
    .await;
    script.crm.apply_tag("7", "5").await.unwrap();
    script.crm.remove_tag("7", "6").await.unwrap();
    assert_eq!(script.calls().await, ["GET /objects", "GET /object", "GET /object"]);
    script.crm.apply_tag("7", "6").await.unwrap();
    assert_eq!(
        script.last().await.1,
        json!({"objectID": 0, "ids": "7", "add_list": "6"})
    );
    script.crm.remove_tag("7", "5").await.unwrap();
    let (query, body) = script.last().await;
    let expected = [("ids", "7"), ("objectID", "0"), ("remove_list", "5")];
    assert!(
        query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .eq(expected)
    );
    assert_eq!(body, Value::Null);
    let sent = script.calls().await.len();
    assert_eq!(
        script.crm.apply_tag("7", "8").await.unwrap_err().kind,
        ErrorKind::NotFound,
        "a tag of deals"
    );
    for several in ["7,8", "", "*", "-7"] {
        assert_eq!(
            script.crm.apply_tag(several, "5").await.unwrap_err().kind,
            ErrorKind::InvalidInput
        );
        assert_eq!(
            script.crm.delete_contact(several).await.unwrap_err().kind,
            ErrorKind::InvalidInput
        );
    }
    assert_eq!(script.calls().await.len(), sent, "ids are numbers, and only one");
}

#[tokio::test]
async fn a_hundred_and_twenty_tags_are_three_pages() {
    let script = scripted(&[]).await;
    let page = |request: &Request| {
        let start: usize = query(request)["start"].parse().unwrap();
        let ids = (1..=120).skip(start).take(50);
        let tags: Vec<Value> = ids
            .map(|id| json!({"tag_id": id, "tag_name": format!("T{id}")}))
            .collect();
        ResponseTemplate::new(200).set_body_json(enveloped(&tags.into()))
    };
    Mock::given(method("GET"))
        .and(path("/objects"))
        .respond_with(page)
        .mount(&script.server)
        .await;
    let tags = script.crm.get_tags().await.unwrap();
    assert_eq!((tags.len(), tags[119].name.as_str()), (120, "T120"));
    assert_eq!(script.calls().await.len(), 3);
}

#[tokio::test]
async fn a_tag_name_is_looked_for_before_it_is_created() {
    let script = scripted(&[
        (
            "GET",
            "/objects",
            json!([{"tag_id": "5", "tag_name": "Other", "object_type_id": "0"}]),
        ),
        ("POST", "/objects", json!({"tag_id": "6"})),
    ])
    .await;
    let tag = script.crm.create_tag(" New ").await.unwrap();
    assert_eq!((tag.id.as_str(), tag.name.as_str()), ("6", "New"));
    assert_eq!(script.last().await.1, json!({"objectID": 14, "tag_name": "New"}));
    let error = script.crm.create_tag("OTHER").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(script.calls().await, ["GET /objects", "POST /objects", "GET /objects"]);
}

#[tokio::test]
async fn an_automation_is_named_by_a_number_and_a_legacy_sequence_by_its_prefix() {
    let script = scripted(&[
        ("GET", "/object?objectID=0", contact()),
        (
            "GET",
            "/object?id=12",
            json!({"id": "12", "object_type_id": "0", "deleted": "false"}),
        ),
        ("GET", "/object?id=13", json!({"id": "13", "deleted": "true"})),
        ("GET", "/object?id=14", json!({"id": "14", "object_type_id": "149"})),
        ("GET", "/object?objectID=5", json!({"drip_id": "31"})),
        ("PUT", "/objects/subscribe", json!("")),
    ])
    .await;
    for (id, add_list, sub_type) in [("12", "12", "Campaign"), (" sequence: 31", "31", "Sequence")] {
        script.crm.trigger_automation("7", id).await.unwrap();
        let body = json!({"objectID": 0, "ids": "7", "add_list": add_list, "sub_type": sub_type});
        assert_eq!(script.last().await.1, body);
    }
    for gone in ["13", "14"] {
        let error = script.crm.trigger_automation("7", gone).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
    let sent = script.calls().await.len();
    for wrong in ["", "x", "12,13", "sequence:", "sequence:x", "1:2"] {
        let error = script.crm.trigger_automation("7", wrong).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{wrong}");
    }
    let error = script.crm.achieve_goal("7", "bought", "mfh").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert_eq!(script.calls().await.len(), sent);
}

#[tokio::test]
async fn a_deleted_contact_is_named_in_the_query_of_a_single_object() {
    let script = scripted(&[("DELETE", "/object", json!(null))]).await;
    script.crm.delete_contact("7").await.unwrap();
    assert_eq!(script.calls().await, ["DELETE /object"]);
    let (query, body) = script.last().await;
    assert_eq!(
        (query["objectID"].as_str(), query["id"].as_str(), body),
        ("0", "7", Value::Null)
    );
}

#[tokio::test]
async fn an_unknown_owner_is_refused_because_ontraport_takes_any_number() {
    let script = scripted(&[
        (
            "GET",
            "/objects?objectID=2",
            json!([{"id": "3", "firstname": "Dana", "lastname": "Whitlock"}]),
        ),
        ("PUT", "/objects", json!({"attrs": {}})),
    ])
    .await;
    script.crm.set_owner("7", "3").await.unwrap();
    assert_eq!(script.last().await.1, json!({"objectID": 0, "id": "7", "owner": "3"}));
    script.crm.set_field_value("7", "owner", &json!(3)).await.unwrap();
    assert_eq!(script.calls().await, ["GET /objects", "PUT /objects", "PUT /objects"]);
    let error = script.crm.set_owner("7", "4").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(script.calls().await.len(), 3);
}

#[tokio::test]
async fn a_bounce_and_a_review_are_not_undone_and_a_confirmed_consent_is_not_lowered() {
    for (number, opted_in, outcome) in [
        ("-2", true, OptInOutcome::NotPermitted),
        ("-5", true, OptInOutcome::NotPermitted),
        ("-2", false, OptInOutcome::NotPermitted),
        ("2", true, OptInOutcome::Already),
        ("1", true, OptInOutcome::Already),
        ("0", false, OptInOutcome::Already),
    ] {
        let script = scripted(&[("GET", "/object", json!({"id": "7", "bulk_mail": number}))]).await;
        let said = script.crm.set_opt_in_status("7", opted_in, "asked").await.unwrap();
        assert_eq!(said, outcome, "{number} {opted_in}");
        assert_eq!(script.calls().await, ["GET /object"]);
    }
}

#[tokio::test]
async fn consent_is_believed_only_when_it_reads_back() {
    let changes = json!({"attrs": {"id": "7", "bulk_mail": "1"}});
    let script = scripted(&[
        ("GET", "/object", json!({"id": "7", "bulk_mail": "0"})),
        ("PUT", "/objects", changes),
    ])
    .await;
    let said = script.crm.set_opt_in_status("7", true, "asked").await.unwrap();
    assert_eq!(said, OptInOutcome::NotPermitted);
    assert_eq!(script.calls().await, ["GET /object", "PUT /objects", "GET /object"]);
    assert_eq!(
        serde_json::from_slice::<Value>(&script.requests().await[1].body).unwrap(),
        json!({"objectID": 0, "id": "7", "bulk_mail": "1"})
    );
}

/// The connector in front of the simulator.
async fn simulated() -> (World, Simulator, mfh_simulators::Server, Arc<dyn Connector>) {
    let world = World::new();
    let simulator = Simulator::open(None, world.clock.clone(), Arc::new(SeededRandom::new(3))).unwrap();
    let server = simulator.start().await.unwrap();
    let crm = connect(&world, &server.base_url(), Some(APP_ID), API_KEY).unwrap();
    (world, simulator, server, crm)
}

fn writes(simulator: &Simulator) -> Vec<String> {
    simulator.log().writes().into_iter().map(|write| write.op).collect()
}

#[tokio::test]
async fn who_asked_for_no_more_mail_is_not_opted_in_and_a_reason_becomes_a_note() {
    let (_world, simulator, _server, crm) = simulated().await;
    // The ninth seeded contact unsubscribed; the vendor answers with success and keeps the status.
    assert_eq!(
        crm.set_opt_in_status("1009", true, "x").await.unwrap(),
        OptInOutcome::NotPermitted
    );
    assert_eq!(crm.get_opt_in_status("1009").await.unwrap(), OptInStatus::OptedOut);
    let outcome = crm
        .set_opt_in_status(DEMO_CONTACT_ID, false, " asked by phone ")
        .await
        .unwrap();
    assert_eq!(outcome, OptInOutcome::Applied);
    let log = simulator.log().writes();
    assert_eq!(log.last().unwrap().fields, Some(json!({"data": "asked by phone"})));
    simulator.faults().add(FaultRule::status(403).on("POST", "/objects"));
    let error = crm.set_opt_in_status(DEMO_CONTACT_ID, true, "again").await.unwrap_err();
    assert_eq!(
        (error.kind, error.contact_id.as_deref()),
        (ErrorKind::Partial, Some(DEMO_CONTACT_ID))
    );
    assert_eq!(
        crm.get_opt_in_status(DEMO_CONTACT_ID).await.unwrap(),
        OptInStatus::OptedIn
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_again_only_where_that_changes_nothing() {
    let (_world, simulator, _server, crm) = simulated().await;
    simulator
        .faults()
        .add(FaultRule::new(Fault::CutAfter).on("PUT", "/objects/tag"));
    crm.apply_tag("1002", "VIP").await.unwrap();
    simulator
        .faults()
        .add(FaultRule::new(Fault::CutAfter).on("PUT", "/objects/subscribe"));
    let error = crm.trigger_automation("1002", "21").await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Network, WriteOutcome::Unknown));
    simulator
        .faults()
        .add(FaultRule::new(Fault::CutAfter).on("POST", "/objects"));
    let error = crm
        .create_contact(&new(json!({"email": "once@example.com"})))
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Network, WriteOutcome::Unknown));
    assert_eq!(crm.find_contacts_by_email("once@example.com").await.unwrap().len(), 1);
    simulator
        .faults()
        .add(FaultRule::new(Fault::CutAfter).on("POST", "/saveorupdate"));
    crm.upsert_contact(&new(json!({"email": "twice@example.com"})))
        .await
        .unwrap();
    assert_eq!(crm.find_contacts_by_email("twice@example.com").await.unwrap().len(), 1);
    assert_eq!(
        writes(&simulator),
        [
            "apply_tag",
            "apply_tag",
            "enter_automation",
            "create_contact",
            "create_contact",
            "update_contact"
        ]
    );
}

#[tokio::test]
async fn a_used_up_minute_is_waited_for_when_it_ends_soon_and_told_when_not() {
    let (world, simulator, _server, crm) = simulated().await;
    simulator.set_limits(Limits { per_minute: Some(1) });
    crm.test_connection().await.unwrap();
    world.clock.advance(chrono::TimeDelta::seconds(20));
    let error = crm.test_connection().await.unwrap_err();
    // The first answer said that nothing is left: there is no need to ask to know.
    assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, None));
    assert_eq!(error.retry_after, Some(Duration::from_secs(40)));
    world.clock.advance(chrono::TimeDelta::seconds(35));
    crm.test_connection().await.unwrap();
    assert!(world.waits().iter().any(|wait| *wait >= 4.5), "{:?}", world.waits());
}

#[tokio::test]
async fn a_quota_that_runs_out_slows_down_the_next_request() {
    let script = scripted(&[]).await;
    let headers = ResponseTemplate::new(200)
        .set_body_json(enveloped(&json!({"count": 1})))
        .insert_header("X-Rate-Limit-Limit", "180")
        .insert_header("X-Rate-Limit-Remaining", "3")
        .insert_header("X-Rate-Limit-Reset", "40");
    script.answer("GET", "/objects/getInfo", headers).await;
    script.crm.test_connection().await.unwrap();
    assert!(script.world.waits().is_empty());
    script.crm.test_connection().await.unwrap();
    assert_eq!(script.world.waits(), [2.0]);
}

#[tokio::test]
async fn failures_keep_their_kind_and_tell_what_the_vendor_said_without_private_parts() {
    let said = "Contact ada@example.com has key-0000 and 602-555-0199 wrong";
    let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    for (status, body, kind) in [
        (400, said, ErrorKind::InvalidInput),
        (401, said, ErrorKind::Unauthorized),
        (403, said, ErrorKind::Forbidden),
        (404, "Object not found", ErrorKind::NotFound),
        (409, said, ErrorKind::Conflict),
        (
            422,
            r#"{"code": 99, "message": "Invalid value"}"#,
            ErrorKind::InvalidInput,
        ),
        (500, "oops", ErrorKind::Unavailable),
        (502, page, ErrorKind::Unavailable),
        (503, "", ErrorKind::Unavailable),
    ] {
        let script = scripted(&[]).await;
        script
            .answer("PUT", "/objects", ResponseTemplate::new(status).set_body_string(body))
            .await;
        let error = script
            .crm
            .set_field_value("7", "first_name", &json!("X"))
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.status), (kind, Some(status)));
        assert_eq!(error.is_retryable(), status >= 500);
        let tries = if status >= 500 { 3 } else { 1 };
        assert_eq!(script.calls().await.len(), tries, "{status}");
        for private in ["ada@", "key-0000", "0199", "<html>"] {
            assert!(!error.message.contains(private), "{error}");
        }
    }
}

#[tokio::test]
async fn a_code_other_than_zero_is_a_failure_whatever_the_status() {
    let script = scripted(&[]).await;
    let refused = json!({"code": "-1", "data": "No such field for ada@example.com"});
    script
        .answer("PUT", "/objects", ResponseTemplate::new(200).set_body_json(refused))
        .await;
    let error = script
        .crm
        .set_field_value("7", "first_name", &json!("X"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::InvalidInput, WriteOutcome::NotApplied)
    );
    assert_eq!(error.vendor_code.as_deref(), Some("-1"));
    assert!(
        error.message.contains("No such field") && !error.message.contains("ada@"),
        "{error}"
    );
    let script = scripted(&[]).await;
    script
        .answer("PUT", "/objects", ResponseTemplate::new(200).set_body_string("<html>"))
        .await;
    let error = script
        .crm
        .set_field_value("7", "first_name", &json!("X"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
}
