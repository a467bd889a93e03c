//! What HubSpot is sent, request by request, and how its answers are judged (`connectors` §2.5, §7.1, §7.3).
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mfh_connectors::{
    Connector, ConnectorConfig, ContactQuery, ErrorKind, NewContact, OptInOutcome, OptInStatus, WriteOutcome, build,
};
use mfh_types::{ConnectionId, Timestamp};
use serde_json::{Value, json};
use support::{Renewable, World, fields, key};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const CONTACTS: &str = "/crm/v3/objects/contacts";
const CONTACT: &str = "/crm/v3/objects/contacts/7";
const PROPERTIES: &str = "/crm/v3/properties/contacts";
const LISTS_OF_7: &str = "/crm/v3/lists/records/0-1/7/memberships";
const LISTS: &str = "/crm/v3/lists/search";
const ADD_TO_5: &str = "/crm/v3/lists/5/memberships/add";
const DEFINITIONS: &str = "/communication-preferences/v4/definitions";
const CONSENT: &str = "/communication-preferences/v4/statuses/ada%40example.com";
const ALL_MAIL: &str = "/communication-preferences/v4/statuses/ada%40example.com/unsubscribe-all";

struct Scripted {
    server: MockServer,
    hubspot: Arc<dyn Connector>,
}

/// The status and body of an answer, and what it answers.
type Line = (&'static str, &'static str, u16, Value);

impl Scripted {
    async fn new(lines: &[Line]) -> Self {
        let server = MockServer::start().await;
        for (verb, at, status, body) in lines {
            let answer = ResponseTemplate::new(*status).set_body_json(body);
            Mock::given(method(*verb))
                .and(path(*at))
                .respond_with(answer)
                .mount(&server)
                .await;
        }
        let hubspot = World::new().connect("hubspot", &server.uri(), "token-0000");
        Self { server, hubspot }
    }

    /// The requests so far as `METHOD path`, in order.
    async fn calls(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .map(|sent| format!("{} {}", sent.method, sent.url.path()))
            .collect()
    }

    /// Query and body of a request, counted from the first.
    async fn sent(&self, index: usize) -> (BTreeMap<String, String>, Value) {
        let requests = self.server.received_requests().await.unwrap();
        let sent = &requests[index];
        let query = sent.url.query_pairs().into_owned().collect();
        (query, serde_json::from_slice(&sent.body).unwrap_or_default())
    }

    async fn last(&self) -> (BTreeMap<String, String>, Value) {
        self.sent(self.calls().await.len() - 1).await
    }
}

fn contact(properties: Value) -> Value {
    json!({"id": "7", "properties": properties, "createdAt": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-01-03T03:04:05.678Z", "archived": false})
}

fn ada() -> Value {
    contact(json!({"email": "ada@example.com", "firstname": "Ada", "hs_email_optout": null}))
}

fn definitions() -> Value {
    let field =
        |name: &str, kind: &str, form: &str| json!({"name": name, "label": name, "type": kind, "fieldType": form});
    let mut color = field("color", "enumeration", "checkbox");
    color["options"] = json!([{"label": "Light blue", "value": "blue_1"}, {"label": "Red", "value": "red"}]);
    let mut stage = field("lifecyclestage", "enumeration", "radio");
    stage["hubspotDefined"] = json!(true);
    let mut secret = field("hs_secret", "string", "text");
    secret["hidden"] = json!(true);
    json!({"results": [
        field("email", "string", "text"), stage, secret, field("Score", "number", "number"),
        field("When", "datetime", "date"), color
    ]})
}

fn manual_lists() -> Value {
    json!({"lists": [{"listId": "5", "name": "VIP", "processingType": "MANUAL"}], "hasMore": false, "offset": 1})
}

fn subscriptions() -> Value {
    json!({"results": [
        {"id": "31", "name": "Sales", "purpose": "Sales", "isActive": true},
        {"id": "32", "name": "News", "purpose": "Marketing", "communicationMethod": "Email", "isActive": true}
    ]})
}

fn refusal(category: &str, message: &str) -> Value {
    json!({"status": "error", "category": category, "message": message, "correlationId": "c"})
}

#[tokio::test]
async fn a_contact_is_read_with_what_the_account_made_and_its_own_lists() {
    let values = json!({"firstname": null, "lastname": "", "email": "ada@example.com", "Score": "12", "When": null,
        "color": "blue_1;red", "hs_timezone": "america_slash_new_york", "country": "Germany"});
    let script = Scripted::new(&[
        ("GET", PROPERTIES, 200, definitions()),
        ("GET", CONTACT, 200, contact(values)),
        (
            "GET",
            LISTS_OF_7,
            200,
            json!({"results": [{"listId": "88"}, {"listId": 5}], "total": 2}),
        ),
        ("POST", LISTS, 200, manual_lists()),
    ])
    .await;
    let read = script.hubspot.get_contact("7").await.unwrap();
    assert_eq!(
        read.custom_fields,
        fields(json!({"Score": 12, "color": ["Light blue", "Red"]}))
    );
    assert_eq!(
        (read.first_name.as_str(), read.timezone.as_deref()),
        ("", Some("America/New_York"))
    );
    assert_eq!(read.address.unwrap().country.as_deref(), Some("DE"));
    let tags = read.tags.unwrap();
    assert_eq!(
        (tags.len(), tags[0].id.as_str(), tags[0].name.as_str()),
        (1, "5", "VIP")
    );
    assert_eq!(read.created_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
    let (query, _) = script.sent(1).await;
    let asked: Vec<&str> = query["properties"].split(',').collect();
    assert!(
        ["firstname", "hubspot_owner_id", "Score", "color"]
            .iter()
            .all(|name| asked.contains(name))
    );
    assert!(
        !["lifecyclestage", "hs_secret"].iter().any(|name| asked.contains(name)),
        "{asked:?}"
    );
    let at = script
        .calls()
        .await
        .iter()
        .position(|call| call.ends_with(LISTS))
        .unwrap();
    assert_eq!(
        script.sent(at).await.1,
        json!({"objectTypeId": "0-1", "processingTypes": ["MANUAL", "SNAPSHOT"], "offset": 0, "count": 500,
            "additionalProperties": []})
    );
    // The list that HubSpot fills may have been a new tag, so the tags were loaded twice; now it is known.
    let cost = script.calls().await.len();
    assert_eq!(cost, 5);
    script.hubspot.get_contact("7").await.unwrap();
    assert_eq!(script.calls().await.len(), cost + 2);
}

#[tokio::test]
async fn an_account_with_many_properties_is_read_by_a_batch() {
    let long = |index: usize| json!({"name": format!("a_rather_long_name_of_a_property_{index}"), "type": "string"});
    let many: Vec<Value> = (0..100).map(long).collect();
    let script = Scripted::new(&[
        ("GET", PROPERTIES, 200, json!({ "results": many })),
        ("GET", CONTACT, 200, ada()),
        (
            "POST",
            "/crm/v3/objects/contacts/batch/read",
            200,
            json!({"results": [ada()]}),
        ),
        ("GET", LISTS_OF_7, 200, json!({"results": []})),
    ])
    .await;
    assert_eq!(script.hubspot.get_contact("7").await.unwrap().first_name, "Ada");
    let at = script
        .calls()
        .await
        .iter()
        .position(|call| call.ends_with("batch/read"))
        .unwrap();
    let (_, body) = script.sent(at).await;
    assert_eq!(
        (&body["inputs"], &body["propertiesWithHistory"]),
        (&json!([{"id": "7"}]), &json!([]))
    );
    assert!(body["properties"].as_array().unwrap().len() > 100);
}

#[tokio::test]
async fn an_unknown_property_is_refused_and_nothing_is_sent_about_the_contact() {
    let script = Scripted::new(&[("GET", PROPERTIES, 200, definitions())]).await;
    for key in ["hs_secret", "Shoe size"] {
        let error = script.hubspot.get_field_value("7", key).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownField, "{key}");
        let error = script.hubspot.set_field_value("7", key, &json!(1)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownField, "{key}");
    }
    assert_eq!(script.calls().await, [format!("GET {PROPERTIES}")]);
}

#[tokio::test]
async fn values_go_as_texts_in_hubspots_own_form_and_null_clears() {
    let script = Scripted::new(&[("GET", PROPERTIES, 200, definitions()), ("PATCH", CONTACT, 200, ada())]).await;
    let values = fields(json!({
        "Score": 1e3, "When": "2026-03-01T23:30:00-05:00", "color": "red, light blue", "lifecyclestage": "lead",
        "job_title": "", "mobile": null, "owner_id": 61, "timezone": "America/New_York"
    }));
    script.hubspot.set_field_values("7", &values).await.unwrap();
    let expected = json!({"properties": {
        "Score": "1000", "When": "2026-03-02T04:30:00Z", "color": "red;blue_1", "lifecyclestage": "lead",
        "jobtitle": "", "mobilephone": "", "hubspot_owner_id": "61", "hs_timezone": "america_slash_new_york"
    }});
    assert_eq!(script.last().await.1, expected);
    assert_eq!(script.calls().await.len(), 2);
}

#[tokio::test]
async fn a_contact_is_created_without_empty_values_and_a_duplicate_names_the_other() {
    let script = Scripted::new(&[("POST", CONTACTS, 201, ada())]).await;
    let mut new = NewContact {
        fields: fields(json!({"email": "ada@example.com", "first_name": "Ada", "phone": "", "city": null})),
        tags: Vec::new(),
    };
    let created = script.hubspot.create_contact(&new).await.unwrap();
    assert_eq!((created.id.as_str(), created.tags), ("7", Some(Vec::new())));
    assert_eq!(
        script.last().await.1,
        json!({"properties": {"email": "ada@example.com", "firstname": "Ada"}, "associations": []})
    );
    new.fields = fields(json!({"phone": "1"}));
    let error = script.hubspot.create_contact(&new).await.unwrap_err();
    assert_eq!((error.kind, script.calls().await.len()), (ErrorKind::InvalidInput, 1));

    let body = refusal("CONFLICT", "Contact already exists. Existing ID: 123456789012");
    let script = Scripted::new(&[("POST", CONTACTS, 409, body)]).await;
    new.fields = fields(json!({"email": "ada@example.com"}));
    let error = script.hubspot.create_contact(&new).await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Conflict, WriteOutcome::NotApplied)
    );
    assert_eq!(error.contact_id.as_deref(), Some("123456789012"));
}

#[tokio::test]
async fn an_upsert_is_matched_by_hubspot_itself() {
    let at = "/crm/v3/objects/contacts/batch/upsert";
    let mut written = ada();
    written["new"] = json!(true);
    let new = NewContact {
        fields: fields(json!({"email": "Ada@Example.com", "first_name": "Ada"})),
        tags: Vec::new(),
    };
    let script = Scripted::new(&[("POST", at, 200, json!({"status": "COMPLETE", "results": [written]}))]).await;
    let (contact, is_new) = script.hubspot.upsert_contact(&new).await.unwrap();
    assert_eq!(
        (contact.id.as_str(), is_new, script.calls().await.len()),
        ("7", true, 1)
    );
    assert_eq!(
        script.last().await.1,
        json!({"inputs": [{"id": "ada@example.com", "idProperty": "email",
            "properties": {"email": "Ada@Example.com", "firstname": "Ada"}}]})
    );
    let failed = json!({"results": [], "numErrors": 1, "errors": [{"message": "ada@example.com is odd"}]});
    let script = Scripted::new(&[("POST", at, 207, failed)]).await;
    let error = script.hubspot.upsert_contact(&new).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(
        error.message.contains("is odd") && !error.message.contains("ada@"),
        "{error}"
    );
    let script = Scripted::new(&[("POST", at, 200, json!({"results": []}))]).await;
    let error = script.hubspot.upsert_contact(&new).await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
    let nameless = NewContact::default();
    let error = script.hubspot.upsert_contact(&nameless).await.unwrap_err();
    assert_eq!((error.kind, script.calls().await.len()), (ErrorKind::InvalidInput, 1));
}

#[tokio::test]
async fn a_record_that_the_list_does_not_find_is_a_missing_contact() {
    let changed =
        |missing: &[&str]| json!({"recordsIdsAdded": [], "recordIdsRemoved": [], "recordIdsMissing": missing});
    for (missing, expected) in [
        (vec![], Ok(())),
        (vec!["7"], Err(ErrorKind::NotFound)),
        (vec!["8"], Ok(())),
    ] {
        let script = Scripted::new(&[("PUT", ADD_TO_5, 200, changed(&missing))]).await;
        let applied = script.hubspot.apply_tag(" 7", "5").await;
        assert_eq!(applied.map_err(|error| error.kind), expected, "{missing:?}");
        assert_eq!(script.last().await.1, json!(["7"]));
        assert_eq!(script.calls().await.len(), 1);
    }
}

#[tokio::test]
async fn an_old_list_id_is_looked_up_only_when_there_is_no_such_list() {
    let script = Scripted::new(&[
        (
            "GET",
            "/crm/v3/lists/idmapping",
            200,
            json!({"legacyListId": "2", "listId": "5"}),
        ),
        ("PUT", ADD_TO_5, 200, json!({})),
    ])
    .await;
    script.hubspot.apply_tag("7", "2").await.unwrap();
    assert_eq!(
        script.calls().await,
        [
            "PUT /crm/v3/lists/2/memberships/add",
            "GET /crm/v3/lists/idmapping",
            "PUT /crm/v3/lists/5/memberships/add"
        ]
    );
    assert_eq!(script.sent(1).await.0["legacyListId"], "2");
    let script = Scripted::new(&[
        (
            "GET",
            "/crm/v3/lists/idmapping",
            200,
            json!({"legacyListId": "2", "listId": "5"}),
        ),
        ("GET", "/crm/v3/objects/contacts/ada%40example.com", 200, ada()),
        ("GET", LISTS_OF_7, 200, json!({"results": [{"listId": "5"}]})),
        ("POST", LISTS, 200, manual_lists()),
    ])
    .await;
    let mut query = ContactQuery {
        email: Some("ada@example.com".to_owned()),
        ids_only: true,
        ..ContactQuery::default()
    };
    for (tag, found) in [("2", 1), ("5", 1)] {
        query.tag_id = Some(tag.to_owned());
        assert_eq!(
            script.hubspot.get_contacts(&query).await.unwrap().contacts.len(),
            found,
            "{tag}"
        );
    }
    let script = Scripted::new(&[("GET", "/crm/v3/lists/idmapping", 503, json!({}))]).await;
    let error = script.hubspot.remove_tag("7", "2").await.unwrap_err();
    assert!(error.is_retryable(), "it may be an old id: {error:?}");
}

#[tokio::test]
async fn a_list_that_hubspot_fills_is_no_tag_to_apply() {
    let body = refusal("VALIDATION_ERROR", "Memberships of a DYNAMIC list cannot be changed");
    let script = Scripted::new(&[("PUT", ADD_TO_5, 400, body)]).await;
    let error = script.hubspot.apply_tag("7", "5").await.unwrap_err();
    assert_eq!((error.kind, error.is_retryable()), (ErrorKind::InvalidInput, false));
    assert!(error.message.contains("DYNAMIC"));
}

#[tokio::test]
async fn a_list_whose_name_is_taken_is_a_conflict() {
    let mut body = refusal("VALIDATION_ERROR", "not unique");
    body["subCategory"] = json!("ILS.DUPLICATE_LIST_NAMES");
    let script = Scripted::new(&[("POST", "/crm/v3/lists", 400, body)]).await;
    let error = script.hubspot.create_tag(" VIP ").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(
        script.last().await.1,
        json!({"name": "VIP", "objectTypeId": "0-1", "processingType": "MANUAL"})
    );
}

#[tokio::test]
async fn enrolment_takes_the_address_of_the_contact_and_no_body() {
    let odd = contact(json!({"email": "a+b/c@example.com"}));
    let at = "/automation/v2/workflows/41/enrollments/contacts/a%2Bb%2Fc%40example.com";
    let script = Scripted::new(&[("GET", CONTACT, 200, odd), ("POST", at, 204, Value::Null)]).await;
    script.hubspot.trigger_automation("7", "41").await.unwrap();
    assert_eq!(script.calls().await, [format!("GET {CONTACT}"), format!("POST {at}")]);
    let nobody = contact(json!({"email": null}));
    let script = Scripted::new(&[("GET", CONTACT, 200, nobody)]).await;
    let error = script.hubspot.trigger_automation("7", "41").await.unwrap_err();
    assert_eq!((error.kind, script.calls().await.len()), (ErrorKind::InvalidInput, 1));
}

#[tokio::test]
async fn the_id_of_a_flow_is_mapped_to_its_workflow() {
    let mapping = "/automation/v4/workflow-id-mappings/batch/read";
    let at = "/automation/v2/workflows/41/enrollments/contacts/ada%40example.com";
    let script = Scripted::new(&[
        ("GET", CONTACT, 200, ada()),
        (
            "POST",
            mapping,
            200,
            json!({"results": [{"flowId": 9_041, "workflowId": 41}]}),
        ),
        ("POST", at, 204, Value::Null),
    ])
    .await;
    script.hubspot.trigger_automation("7", "9041").await.unwrap();
    assert_eq!(
        script.sent(2).await.1,
        json!({"inputs": [{"type": "FLOW_ID", "flowId": "9041"}]})
    );
    assert_eq!(script.calls().await.len(), 4);
    let error = script.hubspot.trigger_automation("7", "77").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn automations_are_the_workflows_of_contacts_under_the_ids_that_enrolment_wants() {
    let flows = json!({"results": [
        {"id": "9041", "name": "Nurture", "isEnabled": true, "objectTypeId": "0-1"},
        {"id": "9042", "name": "Deals", "isEnabled": true, "objectTypeId": "0-3"},
        {"id": "9043", "isEnabled": false, "objectTypeId": "0-1"}, {"id": "9044", "objectTypeId": "0-1"}
    ]});
    let ids = json!({"results": [{"flowId": 9_041, "workflowId": 41}, {"flowId": "9043", "workflowId": "43"}]});
    let script = Scripted::new(&[
        ("GET", "/automation/v4/flows", 200, flows),
        ("POST", "/automation/v4/workflow-id-mappings/batch/read", 207, ids),
    ])
    .await;
    let listed = script.hubspot.list_automations().await.unwrap();
    let shown: Vec<_> = listed
        .iter()
        .map(|it| (it.id.as_str(), it.name.as_str(), it.status.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [("41", "Nurture", Some("enabled")), ("43", "43", Some("disabled"))]
    );
}

#[tokio::test]
async fn a_search_sends_every_required_member() {
    let found = json!({"total": 1, "results": [ada()]});
    let script = Scripted::new(&[
        ("GET", PROPERTIES, 200, json!({"results": []})),
        ("POST", "/crm/v3/objects/contacts/search", 200, found),
        (
            "POST",
            "/crm/v3/lists/records/memberships/batch/read",
            200,
            json!({"results": []}),
        ),
    ])
    .await;
    let since = Timestamp(chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap());
    let query = ContactQuery {
        email: Some("ADA@example.com".to_owned()),
        updated_since: Some(since),
        limit: Some(1_000),
        ..ContactQuery::default()
    };
    let page = script.hubspot.get_contacts(&query).await.unwrap();
    assert_eq!((page.contacts.len(), page.total, page.next_cursor), (1, Some(1), None));
    let (_, mut body) = script.sent(1).await;
    assert!(body["properties"].as_array().unwrap().contains(&json!("firstname")));
    body["properties"] = json!([]);
    let filters = json!([
        {"propertyName": "email", "operator": "EQ", "value": "ada@example.com"},
        {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1767225600000"}
    ]);
    let expected = json!({"filterGroups": [{ "filters": filters }], "sorts": [], "properties": [], "limit": 200,
        "after": "0"});
    assert_eq!(body, expected);
    assert_eq!(
        script.hubspot.count_contacts(&ContactQuery::default()).await.unwrap(),
        1
    );
    let expected = json!({"filterGroups": [], "sorts": [], "properties": [], "limit": 1, "after": "0"});
    assert_eq!(script.last().await.1, expected);
}

#[tokio::test]
async fn more_changes_than_a_search_shows_are_taken_from_the_list() {
    let mut old = contact(json!({}));
    old["id"] = json!("8");
    old["updatedAt"] = json!("2025-01-01T00:00:00Z");
    let listed = json!({"results": [ada(), old], "paging": {"next": {"after": "9"}}});
    let script = Scripted::new(&[
        (
            "POST",
            "/crm/v3/objects/contacts/search",
            200,
            json!({"total": 10_001, "results": [ada()]}),
        ),
        ("GET", CONTACTS, 200, listed),
    ])
    .await;
    let mut query = ContactQuery {
        updated_since: Some(Timestamp(chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap())),
        ids_only: true,
        ..ContactQuery::default()
    };
    let page = script.hubspot.get_contacts(&query).await.unwrap();
    let ids: Vec<&str> = page.contacts.iter().map(|contact| contact.id.as_str()).collect();
    assert_eq!(ids, ["7"], "the other one did not change");
    query.cursor = page.next_cursor;
    // The same page leads to itself now, which must not go on for ever.
    let error = script.hubspot.get_contacts(&query).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert_eq!(script.last().await.0["after"], "9");
    assert_eq!(script.calls().await.len(), 3);
}

#[tokio::test]
async fn the_members_of_a_list_are_read_a_hundred_at_a_time() {
    let members: Vec<Value> = (1..=150).map(|id| json!({"recordId": id.to_string()})).collect();
    let script = Scripted::new(&[
        ("GET", PROPERTIES, 200, json!({"results": []})),
        (
            "GET",
            "/crm/v3/lists/5/memberships/join-order",
            200,
            json!({"results": members, "paging": {"next": {"after": "t"}}}),
        ),
        (
            "POST",
            "/crm/v3/objects/contacts/batch/read",
            200,
            json!({"results": [{"id": "150"}, {"id": "2"}]}),
        ),
        (
            "POST",
            "/crm/v3/lists/records/memberships/batch/read",
            200,
            json!({"results": []}),
        ),
    ])
    .await;
    let mut query = ContactQuery {
        tag_id: Some("5".to_owned()),
        ..ContactQuery::default()
    };
    let page = script.hubspot.get_contacts(&query).await.unwrap();
    let read: Vec<&str> = page.contacts.iter().map(|contact| contact.id.as_str()).collect();
    assert_eq!((read, page.next_cursor.is_some()), (vec!["2", "150"], true));
    assert_eq!(script.sent(1).await.0["limit"], "250");
    assert_eq!(script.calls().await.len(), 5);
    query.ids_only = true;
    assert_eq!(script.hubspot.get_contacts(&query).await.unwrap().contacts.len(), 150);
    assert_eq!(script.calls().await.len(), 6);
}

#[tokio::test]
async fn opting_out_stops_all_mail() {
    let script = Scripted::new(&[("GET", CONTACT, 200, ada()), ("POST", ALL_MAIL, 200, json!({}))]).await;
    let outcome = script.hubspot.set_opt_in_status("7", false, "asked").await.unwrap();
    assert_eq!(outcome, OptInOutcome::Applied);
    let (query, body) = script.last().await;
    assert_eq!((query["channel"].as_str(), body), ("EMAIL", Value::Null));
    let gone = contact(json!({"email": "ada@example.com", "hs_email_optout": "true"}));
    let script = Scripted::new(&[("GET", CONTACT, 200, gone)]).await;
    let outcome = script.hubspot.set_opt_in_status("7", false, "").await.unwrap();
    assert_eq!((outcome, script.calls().await.len()), (OptInOutcome::Already, 1));
    assert_eq!(
        script.hubspot.get_opt_in_status("7").await.unwrap(),
        OptInStatus::OptedOut
    );
}

#[tokio::test]
async fn opting_in_subscribes_to_marketing_mail_and_the_answer_is_compared() {
    let answer = |status: &str, reason: &str| json!({"results": [{"subscriptionId": 32, "status": status, "setStatusSuccessReason": reason}]});
    for (body, expected) in [
        (answer("SUBSCRIBED", "REQUESTED_CHANGE_OCCURRED"), OptInOutcome::Applied),
        (answer("SUBSCRIBED", "NO_STATUS_CHANGE"), OptInOutcome::Already),
        (answer("UNSUBSCRIBED", "NO_STATUS_CHANGE"), OptInOutcome::NotPermitted),
    ] {
        let script = Scripted::new(&[
            ("GET", CONTACT, 200, ada()),
            ("GET", DEFINITIONS, 200, subscriptions()),
            ("POST", CONSENT, 200, body),
        ])
        .await;
        assert_eq!(
            script.hubspot.set_opt_in_status("7", true, " form ").await.unwrap(),
            expected
        );
        assert_eq!(
            script.last().await.1,
            json!({"channel": "EMAIL", "statusState": "SUBSCRIBED", "subscriptionId": 32,
                "legalBasis": "CONSENT_WITH_NOTICE", "legalBasisExplanation": "form"})
        );
        script.hubspot.set_opt_in_status("7", true, "").await.unwrap();
        assert_eq!(script.calls().await.len(), 5, "the subscription is looked up once");
        assert_eq!(script.last().await.1["legalBasisExplanation"], "Updated by automation");
    }
}

#[tokio::test]
async fn a_refused_opt_in_is_not_permitted_only_when_the_address_opted_out() {
    let refused = refusal("VALIDATION_ERROR", "cannot be subscribed again");
    for (status, expected) in [
        ("UNSUBSCRIBED", Ok(OptInOutcome::NotPermitted)),
        ("NOT_SPECIFIED", Err(ErrorKind::InvalidInput)),
    ] {
        let script = Scripted::new(&[
            ("GET", CONTACT, 200, ada()),
            ("GET", DEFINITIONS, 200, subscriptions()),
            ("POST", CONSENT, 400, refused.clone()),
            (
                "GET",
                CONSENT,
                200,
                json!({"results": [{"subscriptionId": "32", "status": status}]}),
            ),
        ])
        .await;
        let outcome = script.hubspot.set_opt_in_status("7", true, "").await;
        assert_eq!(outcome.map_err(|error| error.kind), expected);
    }
    // A subscription that is taken while all mail stays stopped is no opt-in.
    let gone = contact(json!({"email": "ada@example.com", "hs_email_optout": "true"}));
    let script = Scripted::new(&[
        ("GET", CONTACT, 200, gone),
        ("GET", DEFINITIONS, 200, subscriptions()),
        (
            "POST",
            CONSENT,
            200,
            json!({"results": [{"subscriptionId": 32, "status": "SUBSCRIBED"}]}),
        ),
        (
            "GET",
            ALL_MAIL,
            200,
            json!({"results": [{"status": "UNSUBSCRIBED", "wideStatusType": "PORTAL_WIDE"}]}),
        ),
    ])
    .await;
    let outcome = script.hubspot.set_opt_in_status("7", true, "").await.unwrap();
    assert_eq!(outcome, OptInOutcome::NotPermitted);
}

#[tokio::test]
async fn several_subscriptions_to_marketing_mail_are_not_guessed_between() {
    let several = json!({"results": [
        {"id": "1", "name": "News", "purpose": "Marketing"}, {"id": "2", "name": "Offers", "purpose": "Marketing"}
    ]});
    let script = Scripted::new(&[("GET", CONTACT, 200, ada()), ("GET", DEFINITIONS, 200, several)]).await;
    let error = script.hubspot.set_opt_in_status("7", true, "").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotConfigured);
    let advice = "Set default_subscription_id in the settings of the connection to one of: 1 (News), 2 (Offers)";
    assert!(error.message.ends_with(advice), "{error}");
    assert_eq!(script.calls().await.len(), 2);
}

#[tokio::test]
async fn a_note_is_dated_and_belongs_to_the_contact() {
    let at = "/crm/v3/objects/notes";
    let script = Scripted::new(&[("POST", at, 201, json!({"id": "1"}))]).await;
    script.hubspot.add_note("7", "Call", "Rang twice").await.unwrap();
    assert_eq!(
        script.last().await.1,
        json!({
            "properties": {"hs_note_body": "Call\nRang twice", "hs_timestamp": "2026-03-01T00:00:00.000Z"},
            "associations": [{"to": {"id": "7"}, "types": [
                {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}
            ]}]
        })
    );
    let error = script.hubspot.add_note("7", "", &"x".repeat(65_537)).await.unwrap_err();
    assert_eq!((error.kind, script.calls().await.len()), (ErrorKind::InvalidInput, 1));
}

#[tokio::test]
async fn what_hubspot_cannot_do_is_refused_before_anything_is_sent() {
    let script = Scripted::new(&[]).await;
    let error = script.hubspot.achieve_goal("7", "bought", "mfh").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    let query = ContactQuery {
        email: Some("no address".to_owned()),
        ..ContactQuery::default()
    };
    let error = script.hubspot.get_contacts(&query).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(script.calls().await.is_empty());
}

#[tokio::test]
async fn a_creation_whose_end_nobody_knows_is_not_sent_again() {
    let script = Scripted::new(&[("POST", CONTACTS, 500, json!({}))]).await;
    let new = NewContact {
        fields: fields(json!({"email": "ada@example.com"})),
        tags: Vec::new(),
    };
    let error = script.hubspot.create_contact(&new).await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Unavailable, WriteOutcome::Unknown)
    );
    assert_eq!(script.calls().await.len(), 1);
    let script = Scripted::new(&[("POST", CONTACTS, 201, json!({"properties": {}}))]).await;
    let error = script.hubspot.create_contact(&new).await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
}

/// Answers the first `times` requests with `first`, the others with a contact.
async fn at_first(first: ResponseTemplate, times: u64) -> (MockServer, World, Arc<dyn Connector>) {
    let server = MockServer::start().await;
    Mock::given(path(CONTACTS))
        .respond_with(first)
        .up_to_n_times(times)
        .mount(&server)
        .await;
    let then = ResponseTemplate::new(200).set_body_json(json!({"results": []}));
    Mock::given(path(CONTACTS)).respond_with(then).mount(&server).await;
    let world = World::new();
    let hubspot = world.connect("hubspot", &server.uri(), "token-0000");
    (server, world, hubspot)
}

#[tokio::test]
async fn a_full_interval_is_waited_for_and_a_used_up_day_is_left_to_the_caller() {
    let limited = ResponseTemplate::new(429)
        .insert_header("x-hubspot-ratelimit-max", "100")
        .insert_header("x-hubspot-ratelimit-remaining", "0")
        .insert_header("x-hubspot-ratelimit-interval-milliseconds", "7000")
        .set_body_json(json!({"status": "error", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}));
    let (server, world, hubspot) = at_first(limited.clone(), 1).await;
    hubspot.test_connection().await.unwrap();
    assert_eq!(
        (server.received_requests().await.unwrap().len(), world.waits()),
        (2, vec![7.0])
    );

    let daily = limited.insert_header("x-hubspot-ratelimit-daily-remaining", "0");
    let (server, world, hubspot) = at_first(daily, 9).await;
    let error = hubspot.test_connection().await.unwrap_err();
    assert_eq!(
        (error.kind, error.retry_after),
        (ErrorKind::RateLimited, Some(Duration::from_secs(3_600)))
    );
    assert_eq!(error.vendor_code.as_deref(), Some("TEN_SECONDLY_ROLLING"));
    assert_eq!(
        (server.received_requests().await.unwrap().len(), world.waits()),
        (1, vec![])
    );
}

#[tokio::test]
async fn an_expired_token_is_renewed_once() {
    let expired = ResponseTemplate::new(401).set_body_json(refusal("EXPIRED_AUTHENTICATION", "expired"));
    let (server, world, _) = at_first(expired, 1).await;
    let tokens = Arc::new(Renewable::default());
    let hubspot = build("hubspot", world.config(&server.uri(), tokens.clone())).unwrap();
    hubspot.test_connection().await.unwrap();
    assert_eq!(*tokens.refreshes.lock().unwrap(), 1);
    let requests = server.received_requests().await.unwrap();
    let bearer = |index: usize| requests[index].headers["authorization"].to_str().unwrap().to_owned();
    assert_eq!(
        (bearer(0), bearer(1)),
        ("Bearer token-old".to_owned(), "Bearer token-new".to_owned())
    );
}

#[tokio::test]
async fn refusals_and_outages_are_told_apart_and_texts_hold_no_secrets() {
    let said = "ada@example.com at +1 602 555 0100 with token-0000 may not";
    for (status, kind, retryable) in [
        (400, ErrorKind::InvalidInput, false),
        (403, ErrorKind::Forbidden, false),
        (404, ErrorKind::NotFound, false),
        (409, ErrorKind::Conflict, false),
        (500, ErrorKind::Unavailable, true),
        (503, ErrorKind::Unavailable, true),
    ] {
        let script = Scripted::new(&[("GET", CONTACTS, status, refusal("SOMETHING", said))]).await;
        let error = script.hubspot.test_connection().await.unwrap_err();
        assert_eq!((error.kind, error.is_retryable()), (kind, retryable), "{status}");
        for secret in ["ada@", "555", "token-0000"] {
            assert!(!error.message.contains(secret), "{error}");
        }
    }
    let page = ResponseTemplate::new(502).set_body_raw("<html>Bad Gateway</html>", "text/html");
    let (server, _, hubspot) = at_first(page, 2).await;
    hubspot.test_connection().await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_connections_of_one_account_share_its_limit() {
    let (server, world, _) = at_first(ResponseTemplate::new(200).set_body_json(json!({})), 99).await;
    let connect = |id: &str, portal: &str| {
        let config = ConnectorConfig {
            connection_id: ConnectionId::parse(id).unwrap(),
            external_app_id: Some(portal.to_owned()),
            ..world.config(&server.uri(), key("hubspot", "token-0000"))
        };
        build("hubspot", config).unwrap()
    };
    let (one, two, other) = (connect("one", "11"), connect("two", "11"), connect("three", "12"));
    for _ in 0..9 {
        one.test_connection().await.unwrap();
    }
    other.test_connection().await.unwrap();
    let waited = || world.waits().iter().sum::<f64>();
    assert!(waited() < 0.1, "{:?}", world.waits());
    two.test_connection().await.unwrap();
    assert!(waited() >= 0.1, "{:?}", world.waits());
}
