//! What the ActiveCampaign connector sends and how it reads the answers, against a scripted server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use mfh_connectors::{Connector, ContactQuery, ErrorKind, NewContact, OptInOutcome, OptInStatus, WriteOutcome, build};
use mfh_simulators::activecampaign::{API_KEY, ActiveCampaign as Simulator, Limits};
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_types::SeededRandom;
use serde_json::{Value, json};
use support::{World, fields, key};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

struct Scripted {
    server: MockServer,
    crm: Arc<dyn Connector>,
    world: World,
}

impl Scripted {
    /// A server that gives these answers with status 200.
    async fn new(answers: &[(&str, &str, Value)]) -> Self {
        let answers: Vec<_> = answers
            .iter()
            .map(|(verb, at, body)| (*verb, *at, 200, body.clone()))
            .collect();
        Self::answering(&answers).await
    }

    /// A server that gives these answers, by method and path.
    async fn answering(answers: &[(&str, &str, u16, Value)]) -> Self {
        let script = Self::silent().await;
        for (verb, at, status, body) in answers {
            let answer = ResponseTemplate::new(*status).set_body_json(body);
            script.add(verb, at, answer).await;
        }
        script
    }

    async fn silent() -> Self {
        let server = MockServer::start().await;
        let world = World::new();
        let crm = world.connect("activecampaign", &server.uri(), KEY);
        Self { server, crm, world }
    }

    async fn add(&self, verb: &str, at: &str, answer: ResponseTemplate) {
        let mock = Mock::given(method(verb)).and(path(format!("/api/3{at}")));
        mock.and(header("api-token", KEY))
            .respond_with(answer)
            .mount(&self.server)
            .await;
    }

    /// Gives this answer to the first such request only.
    async fn add_once(&self, verb: &str, at: &str, answer: ResponseTemplate) {
        let mock = Mock::given(method(verb)).and(path(format!("/api/3{at}")));
        let mock = mock.respond_with(answer).up_to_n_times(1).with_priority(1);
        mock.mount(&self.server).await;
    }

    /// The requests so far as `METHOD path`, in order.
    async fn calls(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        let named = requests.iter().map(|sent| {
            let path = sent.url.path().strip_prefix("/api/3").unwrap();
            format!("{} {path}", sent.method)
        });
        named.collect()
    }

    /// The bodies sent so far with this method.
    async fn bodies(&self, verb: &str) -> Vec<Value> {
        let requests = self.server.received_requests().await.unwrap();
        let sent = requests.iter().filter(|sent| sent.method.as_str() == verb);
        sent.map(|sent| serde_json::from_slice(&sent.body).unwrap_or_default())
            .collect()
    }

    /// The query of the request at this place.
    async fn query(&self, index: usize) -> BTreeMap<String, String> {
        let requests = self.server.received_requests().await.unwrap();
        requests[index].url.query_pairs().into_owned().collect()
    }
}

fn new(json: Value, tags: &[&str]) -> NewContact {
    NewContact {
        fields: fields(json),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

fn contact() -> Value {
    json!({
        "contact": {"id": "7", "email": "ada@example.com", "firstName": "Ada", "lastName": null, "phone": null,
            "cdate": "2020-05-19T02:45:00-05:00", "udate": "not a date", "orgname": "Old"},
        "fieldValues": [{"contact": "7", "field": "1", "value": "||Red||"}, {"contact": "7", "field": 2, "value": null}],
        "contactLists": [{"contact": "7", "list": "1", "status": "2"}],
        "contactAutomations": [{"contact": "7", "automation": "21"}],
        "accountContacts": [{"id": "70", "contact": "7", "account": "9", "jobTitle": "Countess"}],
        "deals": null
    })
}

fn definitions() -> Value {
    json!({
        "fields": [
            {"id": "1", "title": "Colors", "type": "checkbox", "perstag": "COLORS", "options": ["101", "102"]},
            {"id": "2", "title": "When", "type": "datetime", "perstag": "WHEN"},
            {"id": "3", "title": "Size", "type": "dropdown", "perstag": "SIZE"},
            {"id": "4", "title": "Since", "type": "date", "perstag": "SINCE"}
        ],
        "fieldOptions": [
            {"id": "102", "field": "1", "value": "Blue", "label": "Blue", "orderid": "2"},
            {"id": "101", "field": "1", "value": "Red", "label": "Red", "orderid": "1"},
            {"id": "103", "field": "3", "value": "L", "label": "Large", "orderid": "1"}
        ],
        "meta": {"total": "4"}
    })
}

fn refusal(code: &str, title: &str) -> Value {
    json!({"errors": [{"title": title, "detail": "", "code": code, "source": {"pointer": "/data/attributes/email"}}]})
}

#[test]
fn the_address_of_the_account_is_taken_in_every_spelling_and_must_be_public() {
    let world = World::new();
    let connect = |base: &str| build("activecampaign", world.config(base, key("activecampaign", KEY)));
    for given in [
        "https://x.api-us1.com",
        "https://x.api-us1.com/",
        "https://x.api-us1.com/api/3",
        "https://x.api-us1.com/api/3/",
    ] {
        assert_eq!(
            connect(given).unwrap().metadata().base_url,
            "https://x.api-us1.com/api/3"
        );
    }
    for refused in [
        "",
        "https://{account}.api-us1.com/api/3",
        "http://x.api-us1.com",
        "https://10.1.2.3",
        "https://[fd00::1]/",
        "https://localhost",
        "https://db.internal",
    ] {
        let error = connect(refused).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotConfigured, "{refused}");
        assert!(error.message.contains("api_url"), "{error}");
    }
}

#[tokio::test]
async fn a_contact_is_read_in_two_calls_and_one_for_its_company() {
    let script = Scripted::new(&[
        ("GET", "/contacts/7", contact()),
        (
            "GET",
            "/contacts/7/contactTags",
            json!({"contactTags": [{"id": "1", "tag": "5"}, {"id": "2", "tag": "5"}]}),
        ),
        (
            "GET",
            "/accounts/9",
            json!({"account": {"id": "9", "name": "Analytical"}}),
        ),
        ("GET", "/fields", definitions()),
        (
            "GET",
            "/tags",
            json!({"tags": [{"id": "5", "tag": "VIP", "tagType": "contact"}], "meta": {"total": "1"}}),
        ),
    ])
    .await;
    let read = script.crm.get_contact("7").await.unwrap();
    assert_eq!(
        (read.company.as_deref(), read.job_title.as_deref()),
        (Some("Analytical"), Some("Countess"))
    );
    assert_eq!(read.custom_fields, fields(json!({"COLORS": ["Red"]})));
    let tags = read.tags.unwrap();
    assert_eq!((tags.len(), tags[0].name.as_str()), (1, "VIP"));
    assert_eq!(
        (read.opt_in, read.last_name.as_str(), read.phone),
        (Some(OptInStatus::OptedOut), "", None)
    );
    assert_eq!(read.created_at.unwrap().to_string(), "2020-05-19T07:45:00Z");
    assert_eq!(read.updated_at, None, "an unreadable time is absent");
    assert_eq!(script.calls().await.len(), 5);
    script.crm.get_contact("7").await.unwrap();
    assert_eq!(script.calls().await.len(), 7, "names are remembered");
    let deleted = json!({"contact": {"id": "8", "deleted": "1"}});
    script
        .add("GET", "/contacts/8", ResponseTemplate::new(200).set_body_json(deleted))
        .await;
    let error = script.crm.get_field_value("8", "email").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_page_names_its_end_and_brings_everything_that_belongs_to_its_contacts() {
    let contacts: Vec<Value> = (11..=13)
        .map(|id| json!({"id": id.to_string(), "email": "x@example.com"}))
        .collect();
    let page = json!({
        "contacts": contacts, "meta": {"total": "250"},
        "fieldValues": [{"contact": "12", "field": "4", "value": "2026-03-01"}],
        "contactTags": [{"contact": "12", "tag": "5"}, {"contact": "11", "tag": "6"}],
        "contactLists": [{"contact": "13", "list": "1", "status": "1"}],
        "accountContacts": []
    });
    let names = json!({"tags": [{"id": "5", "tag": "A"}, {"id": "6", "tag": "B"}], "meta": {"total": "2"}});
    let script = Scripted::new(&[
        ("GET", "/contacts", page),
        ("GET", "/fields", definitions()),
        ("GET", "/tags", names),
    ])
    .await;
    let mut query = ContactQuery {
        limit: Some(3),
        ..ContactQuery::default()
    };
    let first = script.crm.get_contacts(&query).await.unwrap();
    assert_eq!(first.total, Some(250));
    assert_eq!(first.contacts[1].custom_fields, fields(json!({"SINCE": "2026-03-01"})));
    let tags: Vec<usize> = first
        .contacts
        .iter()
        .map(|contact| contact.tags.as_ref().unwrap().len())
        .collect();
    assert_eq!(tags, [1, 1, 0]);
    assert_eq!(first.contacts[2].opt_in, Some(OptInStatus::OptedIn));
    let sent = script.query(0).await;
    assert_eq!((sent["limit"].as_str(), sent["orders[id]"].as_str()), ("3", "ASC"));
    assert!(sent["include"].contains("fieldValues") && sent["include"].contains("contactTags"));
    assert!(!sent.contains_key("id_greater"));
    // The same page again is no next page.
    query.cursor = first.next_cursor;
    let error = script.crm.get_contacts(&query).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
    let calls = script.calls().await.len();
    assert_eq!(script.query(calls - 1).await["id_greater"], "13");
}

#[tokio::test]
async fn a_page_without_its_rows_is_completed_contact_by_contact() {
    let script = Scripted::new(&[
        (
            "GET",
            "/contacts",
            json!({"contacts": [{"id": "7"}, {"id": "8"}], "meta": []}),
        ),
        ("GET", "/contacts/7", contact()),
        (
            "GET",
            "/contacts/7/contactTags",
            json!({"contactTags": [], "meta": {"total": 0}}),
        ),
        (
            "GET",
            "/accounts/9",
            json!({"account": {"id": "9", "name": "Analytical"}}),
        ),
        ("GET", "/fields", definitions()),
    ])
    .await;
    let page = script.crm.get_contacts(&ContactQuery::default()).await.unwrap();
    assert_eq!(page.contacts.len(), 1, "the other one was deleted in between");
    assert_eq!(page.contacts[0].custom_fields, fields(json!({"COLORS": ["Red"]})));
    assert_eq!((page.total, page.next_cursor), (None, None));
}

#[tokio::test]
async fn queries_become_the_vendors_conditions() {
    let script = Scripted::new(&[("GET", "/contacts", json!({"contacts": [], "meta": {"total": "41"}}))]).await;
    let query = ContactQuery {
        tag_id: Some("5".to_owned()),
        email: Some(" Ada+x@example.com ".to_owned()),
        ..ContactQuery::default()
    };
    assert_eq!(script.crm.count_contacts(&query).await.unwrap(), 41);
    let sent = script.query(0).await;
    assert_eq!(
        (sent["tagid"].as_str(), sent["email"].as_str()),
        ("5", "Ada+x@example.com")
    );
    assert_eq!((sent["limit"].as_str(), sent.len()), ("1", 3));
    let since = ContactQuery {
        updated_since: serde_json::from_value(json!("2026-03-01T10:00:00Z")).unwrap(),
        ids_only: true,
        ..ContactQuery::default()
    };
    script.crm.get_contacts(&since).await.unwrap();
    let sent = script.query(1).await;
    assert_eq!(sent["filters[updated_after]"], "2026-03-01T09:59:59+00:00");
    assert!(!sent.contains_key("include"));
    for refused in [
        ContactQuery {
            tag_id: Some("VIP".to_owned()),
            ..ContactQuery::default()
        },
        ContactQuery {
            email: Some("nobody".to_owned()),
            ..ContactQuery::default()
        },
    ] {
        let error = script.crm.get_contacts(&refused).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
    }
    assert_eq!(
        script.calls().await.len(),
        2,
        "nothing is sent for what the vendor would not understand"
    );
}

#[tokio::test]
async fn two_hundred_and_fifty_tags_are_three_pages_without_those_of_templates() {
    let script = Scripted::silent().await;
    for (offset, ids) in [(0, 1..=100), (100, 101..=200), (200, 201..=250)] {
        let tags: Vec<Value> = ids
            .map(|id| {
                let kind = if id % 50 == 0 { "template" } else { "contact" };
                json!({"id": id.to_string(), "tag": format!("Tag {id}"), "tagType": kind, "description": ""})
            })
            .collect();
        Mock::given(method("GET"))
            .and(path("/api/3/tags"))
            .and(query_param("limit", "100"))
            .and(query_param("offset", offset.to_string()))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"tags": tags, "meta": {"total": "250"}})))
            .mount(&script.server)
            .await;
    }
    let tags = script.crm.get_tags().await.unwrap();
    assert_eq!((tags.len(), script.calls().await.len()), (245, 3));
    assert!(tags.iter().all(|tag| tag.description.is_none()));
    let stuck = json!({"tags": [{"id": "1", "tag": "x"}], "meta": {"total": "2"}});
    let script = Scripted::new(&[("GET", "/tags", stuck)]).await;
    assert_eq!(
        script.crm.get_tags().await.unwrap_err().kind,
        ErrorKind::Protocol,
        "the same page twice"
    );
    let all: Vec<Value> = (1..=100)
        .map(|id| json!({"id": id.to_string(), "tag": id.to_string()}))
        .collect();
    let script = Scripted::new(&[("GET", "/tags", json!({"tags": all}))]).await;
    assert_eq!(
        script.crm.get_tags().await.unwrap().len(),
        100,
        "a list without pages is read once more, not for ever"
    );
}

#[tokio::test]
async fn several_fields_are_one_write_in_the_vendors_form() {
    let script = Scripted::new(&[("GET", "/fields", definitions()), ("PUT", "/contacts/7", contact())]).await;
    let values = json!({
        "last_name": "King", "phone": null, "Colors": "blue, red", "%WHEN%": "2026-03-01T23:30:00-05:00",
        "size": "L", "id:4": "2026-03-01T23:30:00-05:00",
    });
    script.crm.set_field_values("7", &fields(values)).await.unwrap();
    assert_eq!(script.calls().await, ["GET /fields", "PUT /contacts/7"]);
    let mut body = script.bodies("PUT").await.remove(0);
    let values = body["contact"]["fieldValues"].take();
    assert_eq!(
        body,
        json!({"contact": {"lastName": "King", "phone": "", "fieldValues": null}})
    );
    let by_field: BTreeMap<_, _> = values
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["field"].as_str().unwrap(), row["value"].as_str().unwrap()))
        .collect();
    let expected = [
        ("1", "||Blue||Red||"),
        ("2", "2026-03-02T04:30:00+00:00"),
        ("3", "L"),
        ("4", "2026-03-01"),
    ];
    assert_eq!(by_field, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_tag_goes_by_numbers_and_a_missing_one_is_not_found() {
    let script = Scripted::answering(&[("POST", "/contactTags", 201, json!({"contactTag": {"id": "1"}}))]).await;
    script.crm.apply_tag(" 7 ", "5").await.unwrap();
    assert_eq!(
        script.bodies("POST").await,
        [json!({"contactTag": {"contact": 7, "tag": 5}})]
    );
    assert_eq!(
        script.crm.apply_tag("x", "5").await.unwrap_err().kind,
        ErrorKind::InvalidInput
    );
    assert_eq!(script.calls().await.len(), 1);
    for (status, body) in [
        (404, json!({"message": "No Result found for Tag with id 5"})),
        (422, refusal("related_missing", "The related tag does not exist.")),
        (200, refusal("related_missing", "The related tag does not exist.")),
    ] {
        let script = Scripted::answering(&[("POST", "/contactTags", status, body)]).await;
        let error = script.crm.apply_tag("7", "5").await.unwrap_err();
        assert_eq!(
            (error.kind, error.outcome),
            (ErrorKind::NotFound, WriteOutcome::NotApplied),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_tag_is_removed_as_often_as_it_is_attached() {
    let rows = json!({"contactTags": [
        {"id": "31", "tag": "5"}, {"id": "32", "tag": "6"}, {"id": "33", "tag": 5}
    ]});
    let script = Scripted::answering(&[
        ("GET", "/contacts/7/contactTags", 200, rows),
        ("DELETE", "/contactTags/31", 200, json!({})),
        ("DELETE", "/contactTags/33", 404, json!({"message": "No Result found"})),
    ])
    .await;
    script.crm.remove_tag("7", "5").await.unwrap();
    assert_eq!(
        script.calls().await,
        [
            "GET /contacts/7/contactTags",
            "DELETE /contactTags/31",
            "DELETE /contactTags/33"
        ]
    );
    script.crm.remove_tag("7", "99").await.unwrap();
    assert_eq!(script.calls().await.len(), 4, "a tag that is not there is not removed");
    assert_eq!(
        script.crm.remove_tag("8", "5").await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_tag_that_exists_is_a_conflict_however_the_vendor_says_so() {
    let known = json!({"tags": [{"id": "5", "tag": "vip", "tagType": "contact"}], "meta": {"total": "1"}});
    let script = Scripted::new(&[("GET", "/tags", known)]).await;
    assert_eq!(
        script.crm.create_tag(" VIP ").await.unwrap_err().kind,
        ErrorKind::Conflict
    );
    assert_eq!(script.calls().await, ["GET /tags"]);
    assert_eq!(script.query(0).await["filters[search][eq]"], "VIP");
    let of_templates = json!({"tags": [{"id": "5", "tag": "VIP", "tagType": "template"}], "meta": {"total": "1"}});
    let taken = json!({"message": "Could not process request", "error": "Duplicate entry 'contact-VIP' for key"});
    let script = Scripted::answering(&[("GET", "/tags", 200, of_templates), ("POST", "/tags", 422, taken)]).await;
    let error = script.crm.create_tag("VIP").await.unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Conflict, WriteOutcome::NotApplied)
    );
    assert_eq!(
        script.bodies("POST").await,
        [json!({"tag": {"tag": "VIP", "tagType": "contact"}})]
    );
}

#[tokio::test]
async fn a_conflict_stays_one_when_the_other_contact_cannot_be_looked_up() {
    let taken = refusal("duplicate", "Email address already exists in the system");
    for (email, calls) in [
        ("ada@example.com", &["POST /contacts", "GET /contacts"][..]),
        // A search for what is no address would find anybody.
        ("ada", &["POST /contacts"][..]),
    ] {
        let script = Scripted::answering(&[
            ("POST", "/contacts", 422, taken.clone()),
            ("GET", "/contacts", 400, json!({"message": "no"})),
        ])
        .await;
        let created = script.crm.create_contact(&new(json!({"email": email}), &[])).await;
        let error = created.unwrap_err();
        assert_eq!((error.kind, error.contact_id), (ErrorKind::Conflict, None), "{email}");
        assert_eq!(script.calls().await, calls, "{email}");
    }
}

#[tokio::test]
async fn a_contact_that_exists_is_a_conflict_with_its_id() {
    let found = json!({"contacts": [{"id": "7", "email": "ADA@example.com"}], "meta": {"total": "1"}});
    let script = Scripted::answering(&[
        (
            "POST",
            "/contacts",
            422,
            refusal("duplicate", "Email address already exists in the system"),
        ),
        ("GET", "/contacts", 200, found),
    ])
    .await;
    let error = script
        .crm
        .create_contact(&new(json!({"email": "ada@example.com"}), &[]))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.contact_id.as_deref()),
        (ErrorKind::Conflict, Some("7"))
    );
    assert_eq!(error.vendor_code.as_deref(), Some("duplicate"));
    assert!(!error.message.contains("ada@"), "{error}");
    let error = script
        .crm
        .create_contact(&new(json!({"first_name": "Ada"}), &[]))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    let error = script
        .crm
        .create_contact(&new(json!({"email": "b@example.com", "job_title": "Boss"}), &[]))
        .await
        .unwrap_err();
    assert!(
        error.kind == ErrorKind::InvalidInput && error.message.contains("company"),
        "{error}"
    );
    assert_eq!(
        script.calls().await.len(),
        2,
        "what cannot be stored is refused before it is sent"
    );
}

#[tokio::test]
async fn a_contact_is_created_with_its_company_and_every_failed_part_is_named() {
    let created = json!({"contact": {"id": "8", "email": "new@example.com"}});
    let script = Scripted::answering(&[
        ("POST", "/contacts", 201, created),
        (
            "GET",
            "/accounts",
            200,
            json!({"accounts": [{"id": "4", "name": "Navy Blue"}], "meta": {"total": "1"}}),
        ),
        (
            "POST",
            "/accounts",
            201,
            json!({"account": {"id": "9", "name": "Navy"}}),
        ),
        ("POST", "/accountContacts", 201, json!({"accountContact": {"id": "70"}})),
        (
            "POST",
            "/contactTags",
            422,
            refusal("related_missing", "The related tag does not exist."),
        ),
    ])
    .await;
    let wanted = json!({"email": "new@example.com", "company": "Navy", "job_title": "Admiral"});
    let contact = script.crm.create_contact(&new(wanted.clone(), &[])).await.unwrap();
    assert_eq!(
        (contact.company.as_deref(), contact.job_title.as_deref()),
        (Some("Navy"), Some("Admiral"))
    );
    let bodies = script.bodies("POST").await;
    assert_eq!(
        bodies[1],
        json!({"account": {"name": "Navy"}}),
        "a part of a name is another company"
    );
    assert_eq!(
        bodies[2],
        json!({"accountContact": {"contact": 8, "account": 9, "jobTitle": "Admiral"}})
    );
    let error = script.crm.create_contact(&new(wanted, &["5"])).await.unwrap_err();
    assert_eq!(
        (error.kind, error.contact_id.as_deref()),
        (ErrorKind::Partial, Some("8"))
    );
    assert!(error.message.contains("tag 5"), "{error}");
}

#[tokio::test]
async fn company_and_job_title_are_written_to_the_contacts_place() {
    let script = Scripted::new(&[
        ("GET", "/contacts/7", contact()),
        ("PUT", "/contacts/7", contact()),
        ("PUT", "/accountContacts/70", json!({"accountContact": {}})),
        ("DELETE", "/accountContacts/70", json!({})),
        (
            "GET",
            "/accounts",
            json!({"accounts": [{"id": "4", "name": "NAVY"}], "meta": {"total": "1"}}),
        ),
    ])
    .await;
    script
        .crm
        .set_field_value("7", "job_title", &json!("Boss"))
        .await
        .unwrap();
    assert_eq!(script.calls().await, ["GET /contacts/7", "PUT /accountContacts/70"]);
    let both = fields(json!({"company": "Navy", "first_name": "X"}));
    script.crm.set_field_values("7", &both).await.unwrap();
    let place =
        |account: u64, title: &str| json!({"accountContact": {"contact": 7, "account": account, "jobTitle": title}});
    let bodies = script.bodies("PUT").await;
    assert_eq!(
        bodies,
        [
            place(9, "Boss"),
            json!({"contact": {"firstName": "X"}}),
            place(4, "Countess")
        ]
    );
    script.crm.set_field_value("7", "company", &Value::Null).await.unwrap();
    assert_eq!(script.calls().await.last().unwrap(), "DELETE /accountContacts/70");
}

#[tokio::test]
async fn a_job_title_without_a_company_is_refused_before_anything_is_written() {
    let script = Scripted::new(&[("GET", "/contacts/7", json!({"contact": {"id": "7"}}))]).await;
    let values = fields(json!({"first_name": "X", "job_title": "Boss"}));
    let error = script.crm.set_field_values("7", &values).await.unwrap_err();
    assert!(
        error.kind == ErrorKind::InvalidInput && error.message.contains("company"),
        "{error}"
    );
    assert_eq!(script.calls().await, ["GET /contacts/7"]);
}

#[tokio::test]
async fn a_company_that_fails_after_the_contact_was_written_is_told() {
    for (status, kind, outcome) in [
        (422, ErrorKind::Partial, WriteOutcome::NotApplied),
        (503, ErrorKind::Unavailable, WriteOutcome::Unknown),
    ] {
        let script = Scripted::answering(&[
            ("GET", "/contacts/7", 200, contact()),
            ("PUT", "/contacts/7", 200, contact()),
            ("PUT", "/accountContacts/70", status, json!({"message": "no"})),
        ])
        .await;
        let values = fields(json!({"first_name": "X", "job_title": "Boss"}));
        let error = script.crm.set_field_values("7", &values).await.unwrap_err();
        assert_eq!((error.kind, error.outcome), (kind, outcome));
    }
}

#[tokio::test]
async fn an_upsert_is_one_sync_and_a_new_contact_is_not_read_again() {
    let answer = json!({"contact": {"id": "8", "email": "new@example.com"}});
    let script = Scripted::answering(&[("POST", "/contact/sync", 201, answer)]).await;
    let (contact, created) = script
        .crm
        .upsert_contact(&new(json!({"email": "new@example.com"}), &[]))
        .await
        .unwrap();
    assert_eq!((contact.id.as_str(), created), ("8", true));
    assert_eq!(script.calls().await, ["POST /contact/sync"]);
    assert_eq!(
        script.bodies("POST").await,
        [json!({"contact": {"email": "new@example.com"}})]
    );
    let unnamed = Scripted::new(&[("POST", "/contact/sync", json!({}))]).await;
    let error = unnamed
        .crm
        .upsert_contact(&new(json!({"email": "a@example.com"}), &[]))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Protocol, WriteOutcome::Unknown)
    );
}

#[tokio::test]
async fn an_automation_that_may_not_be_entered_again_counts_as_entered() {
    let script = Scripted::answering(&[
        ("POST", "/contactAutomations", 403, json!({"message": "not again"})),
        ("GET", "/users/me", 200, json!({"user": {"id": "1"}})),
        ("GET", "/contacts/7", 200, contact()),
    ])
    .await;
    script.crm.trigger_automation("7", "21").await.unwrap();
    assert_eq!(
        script.bodies("POST").await,
        [json!({"contactAutomation": {"contact": 7, "automation": 21}})]
    );
    let error = script.crm.trigger_automation("7", "22").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(error.message.contains("not again"), "{error}");
    assert_eq!(
        script.crm.trigger_automation("7", "x").await.unwrap_err().kind,
        ErrorKind::InvalidInput
    );
}

#[tokio::test]
async fn an_opt_out_leaves_every_active_list_and_notes_the_reason() {
    let rows = json!({"contactLists": [
        {"list": "1", "status": "1"}, {"list": "2", "status": 1}, {"list": "3", "status": "0"},
        {"list": "4", "status": "2"}
    ]});
    let script = Scripted::new(&[
        ("GET", "/contacts/7/contactLists", rows),
        ("POST", "/contactLists", json!({"contactList": {"status": "2"}})),
        ("POST", "/notes", json!({"note": {"id": "1"}})),
    ])
    .await;
    let outcome = script
        .crm
        .set_opt_in_status("7", false, "asked by phone")
        .await
        .unwrap();
    assert_eq!(outcome, OptInOutcome::Applied);
    let left = |list: &str| json!({"contactList": {"list": list, "contact": "7", "status": "2"}});
    let note = json!({"note": {"note": "Opted out\nasked by phone", "relid": "7", "reltype": "Subscriber"}});
    assert_eq!(script.bodies("POST").await, [left("1"), left("2"), note]);

    // One list that fails does not keep the contact on the others.
    script
        .add_once("POST", "/contactLists", ResponseTemplate::new(422))
        .await;
    let error = script.crm.set_opt_in_status("7", false, "").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(script.bodies("POST").await[3..], [left("1"), left("2")]);
}

#[tokio::test]
async fn nobody_who_left_a_list_is_put_back_on_it() {
    for (states, outcome) in [
        (vec!["2"], OptInOutcome::NotPermitted),
        (vec!["3"], OptInOutcome::NotPermitted),
        (vec!["0", "2"], OptInOutcome::NotPermitted),
        (vec!["0"], OptInOutcome::NeedsConfirmation),
        (vec!["2", "1"], OptInOutcome::Already),
    ] {
        let rows: Vec<Value> = (1..)
            .zip(&states)
            .map(|(list, status)| json!({"list": list, "status": status}))
            .collect();
        let script = Scripted::new(&[("GET", "/contacts/7/contactLists", json!({"contactLists": rows}))]).await;
        assert_eq!(
            script.crm.set_opt_in_status("7", true, "x").await.unwrap(),
            outcome,
            "{states:?}"
        );
        assert_eq!(script.calls().await, ["GET /contacts/7/contactLists"]);
    }
}

#[tokio::test]
async fn a_contact_on_no_list_opts_in_to_the_only_one() {
    let none = json!({"contactLists": [], "meta": {"total": "0"}});
    let lists = |names: &[&str]| {
        let rows: Vec<Value> = (1..)
            .zip(names)
            .map(|(id, name)| json!({"id": id, "name": name}))
            .collect();
        json!({"lists": rows, "meta": {"total": names.len().to_string()}})
    };
    for (status, outcome) in [
        ("1", OptInOutcome::Applied),
        ("0", OptInOutcome::NeedsConfirmation),
        ("2", OptInOutcome::NotPermitted),
    ] {
        let script = Scripted::new(&[
            ("GET", "/contacts/7/contactLists", none.clone()),
            ("GET", "/lists", lists(&["News"])),
            ("POST", "/contactLists", json!({"contactList": {"status": status}})),
        ])
        .await;
        assert_eq!(script.crm.set_opt_in_status("7", true, "").await.unwrap(), outcome);
        let body = json!({"contactList": {"list": "1", "contact": "7", "status": "1"}});
        assert_eq!(script.bodies("POST").await, [body]);
    }
    let script = Scripted::new(&[
        ("GET", "/contacts/7/contactLists", none),
        ("GET", "/lists", lists(&["News", "Offers"])),
    ])
    .await;
    let error = script.crm.set_opt_in_status("7", true, "").await.unwrap_err();
    let advice = "Set default_list_id in the settings of the connection to one of: 1 (News), 2 (Offers)";
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.ends_with(advice), "{error}");
}

#[tokio::test]
async fn a_wrong_key_is_told_from_a_missing_permission() {
    let forbidden = json!({"message": format!("No permission for {KEY} of ada@example.com")});
    let script = Scripted::answering(&[
        ("GET", "/contacts/7", 403, forbidden.clone()),
        ("GET", "/users/me", 403, forbidden.clone()),
    ])
    .await;
    let wrong = script.crm.test_connection().await.unwrap_err();
    assert_eq!((wrong.kind, wrong.status), (ErrorKind::Unauthorized, Some(403)));
    let wrong = script.crm.get_field_value("7", "email").await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Unauthorized);
    let script = Scripted::answering(&[
        ("GET", "/contacts/7", 403, forbidden),
        ("GET", "/users/me", 200, json!({"user": {"id": "1"}})),
    ])
    .await;
    let missing = script.crm.get_field_value("7", "email").await.unwrap_err();
    assert_eq!(missing.kind, ErrorKind::Forbidden);
    assert!(
        !missing.message.contains(KEY) && !missing.message.contains("ada@"),
        "{missing}"
    );
    let script = Scripted::answering(&[("GET", "/users/me", 401, json!({"message": "no"}))]).await;
    assert_eq!(
        script.crm.test_connection().await.unwrap_err().kind,
        ErrorKind::Unauthorized
    );
}

#[tokio::test]
async fn the_vendors_pause_is_kept_and_a_gateway_page_is_an_outage() {
    let script = Scripted::new(&[("GET", "/contacts/7", contact())]).await;
    let throttled = ResponseTemplate::new(429)
        .insert_header("retry-after", "3")
        .set_body_json(json!({"message": "slow down"}));
    script.add_once("GET", "/contacts/7", throttled).await;
    assert_eq!(
        script.crm.get_field_value("7", "first_name").await.unwrap(),
        json!("Ada")
    );
    assert_eq!(script.world.waits(), [3.0]);

    let script = Scripted::silent().await;
    let page = ResponseTemplate::new(502).set_body_raw("<html><h1>502 Bad Gateway</h1></html>", "text/html");
    script.add("PUT", "/contacts/7", page.clone()).await;
    script.add("POST", "/contacts", page).await;
    let error = script
        .crm
        .set_field_value("7", "first_name", &json!("X"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Unavailable, WriteOutcome::Unknown)
    );
    assert_eq!(script.calls().await.len(), 3, "a repeatable write is tried three times");
    let error = script
        .crm
        .create_contact(&new(json!({"email": "a@example.com"}), &[]))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.outcome),
        (ErrorKind::Unavailable, WriteOutcome::Unknown)
    );
    assert_eq!(script.calls().await.len(), 4, "a contact is created once at most");
}

#[tokio::test]
async fn a_success_that_reports_a_failure_is_one() {
    for body in [
        json!({"succeeded": 0, "contact": {}}),
        json!({"message": "Nothing was done"}),
    ] {
        let script = Scripted::new(&[("PUT", "/contacts/7", body.clone())]).await;
        let error = script
            .crm
            .set_field_value("7", "first_name", &json!("X"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.outcome),
            (ErrorKind::InvalidInput, WriteOutcome::NotApplied),
            "{body}"
        );
    }
    let script = Scripted::silent().await;
    script.add("PUT", "/contacts/7", ResponseTemplate::new(200)).await;
    script
        .crm
        .set_field_value("7", "first_name", &json!("X"))
        .await
        .unwrap();
    script
        .add_once(
            "PUT",
            "/contacts/7",
            ResponseTemplate::new(200).set_body_string("{\"contact\": }"),
        )
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

#[tokio::test]
async fn what_activecampaign_does_not_have_is_unsupported_without_a_request() {
    let script = Scripted::silent().await;
    let goal = script.crm.achieve_goal("7", "bought", "mfh").await.unwrap_err();
    let users = script.crm.list_users().await.unwrap_err();
    let owner = script.crm.set_owner("7", "1").await.unwrap_err();
    for error in [goal, users, owner] {
        assert_eq!(error.kind, ErrorKind::Unsupported);
    }
    assert!(script.calls().await.is_empty());
}

#[tokio::test]
async fn the_names_of_many_companies_are_read_page_by_page() {
    let ids: Vec<u64> = (1..=20).collect();
    let contacts: Vec<Value> = ids.iter().map(|id| json!({"id": id.to_string()})).collect();
    let places: Vec<Value> = ids
        .iter()
        .map(|id| json!({"id": id + 500, "contact": id.to_string(), "account": (id + 100).to_string()}))
        .collect();
    let accounts: Vec<Value> = ids
        .iter()
        .map(|id| json!({"id": (id + 100).to_string(), "name": format!("Company {id}")}))
        .collect();
    let page = json!({"contacts": contacts, "fieldValues": [], "contactTags": [], "accountContacts": places});
    let script = Scripted::new(&[
        ("GET", "/contacts", page),
        (
            "GET",
            "/accounts",
            json!({"accounts": accounts, "meta": {"total": "20"}}),
        ),
    ])
    .await;
    let page = script.crm.get_contacts(&ContactQuery::default()).await.unwrap();
    assert_eq!(page.contacts[19].company.as_deref(), Some("Company 20"));
    assert_eq!(script.calls().await, ["GET /contacts", "GET /accounts"]);
}

/// The connector in front of the simulator, with a limit of five requests a second.
async fn simulated() -> (World, Simulator, mfh_simulators::Server, Arc<dyn Connector>) {
    let world = World::new();
    let simulator = Simulator::open(None, world.clock.clone(), Arc::new(SeededRandom::new(3))).unwrap();
    simulator.set_limits(Limits { per_second: Some(5) });
    let server = simulator.start().await.unwrap();
    let crm = world.connect("activecampaign", &server.base_url(), API_KEY);
    (world, simulator, server, crm)
}

#[tokio::test]
async fn the_limit_of_an_account_is_never_hit() {
    let (_world, simulator, _server, crm) = simulated().await;
    for _ in 0..12 {
        crm.get_field_value("1001", "email").await.unwrap();
    }
    let refused = simulator
        .log()
        .requests()
        .iter()
        .filter(|request| request.status == 429)
        .count();
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn a_contact_whose_creation_was_not_answered_is_found_by_an_upsert() {
    let (_world, simulator, _server, crm) = simulated().await;
    simulator
        .faults()
        .add(FaultRule::new(Fault::CutAfter).on("POST", "/contacts"));
    let wanted = new(json!({"email": "lost@example.com", "company": "Navy"}), &["VIP"]);
    let error = crm.create_contact(&wanted).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Network, WriteOutcome::Unknown));
    let (contact, created) = crm.upsert_contact(&wanted).await.unwrap();
    assert!(!created);
    assert_eq!(
        (contact.company.as_deref(), contact.tags.unwrap().len()),
        (Some("Navy"), 1)
    );
    assert_eq!(crm.find_contacts_by_email("LOST@example.com").await.unwrap().len(), 1);
}
