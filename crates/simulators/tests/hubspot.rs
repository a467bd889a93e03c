//! The HubSpot simulator over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use chrono::Duration;
use mfh_simulators::HubSpot;
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_simulators::hubspot::{CLIENT_ID, CLIENT_SECRET, DEMO_CONTACT_ID, HUB_ID, Limits, PRIVATE_APP_TOKEN};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use support::{read, start_time};

const CONTACTS: &str = "/crm/v3/objects/contacts";

type Fixture = support::Fixture<HubSpot>;

impl Fixture {
    async fn new() -> Self {
        Self::open(None).await
    }

    async fn open(dir: Option<&Path>) -> Self {
        Self::start(|clock, random| HubSpot::open(dir, clock, random), PRIVATE_APP_TOKEN).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server.origin()));
        request.bearer_auth(&self.token)
    }

    async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        read(request.send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    async fn patch(&self, path: &str, properties: Value) -> (u16, Value) {
        let body = json!({ "properties": properties });
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    async fn create(&self, properties: Value) -> (u16, Value) {
        let body = json!({ "properties": properties, "associations": [] });
        self.post(CONTACTS, body).await
    }

    /// Tokens for a code or refresh token.
    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        let form: Vec<_> = client.iter().chain(form).collect();
        let url = format!("{}/oauth/v3/token", self.server.origin());
        self.send(self.http.post(url).form(&form)).await
    }
}

fn search(extra: Value) -> Value {
    let mut body = json!({"filterGroups": [], "sorts": [], "properties": [], "limit": 200, "after": "0"});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().cloned().unwrap());
    body
}

#[tokio::test]
async fn every_list_visits_each_contact_once() {
    let it = Fixture::new().await;
    let (mut ids, mut after) = (BTreeSet::new(), "0".to_owned());
    loop {
        let (status, page) = it.get(&format!("{CONTACTS}?limit=30&after={after}")).await;
        assert_eq!(status, 200);
        let results = page["results"].as_array().unwrap();
        assert!(
            results
                .iter()
                .all(|contact| ids.insert(contact["id"].as_str().unwrap().to_owned()))
        );
        match page["paging"]["next"]["after"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(ids.len(), 200);
    let (_, first) = it
        .post(&format!("{CONTACTS}/search"), search(json!({"limit": 150})))
        .await;
    assert_eq!(
        (&first["total"], &first["paging"]["next"]["after"]),
        (&json!(200), &json!("150"))
    );
    let (_, second) = it
        .post(&format!("{CONTACTS}/search"), search(json!({"after": "150"})))
        .await;
    assert_eq!(second["results"].as_array().unwrap().len(), 50);
    assert!(second.get("paging").is_none());
    for wrong in ["limit=101", "limit=0", "after=x", "page=2"] {
        assert_eq!(it.get(&format!("{CONTACTS}?{wrong}")).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_contact_shows_only_what_is_asked_for() {
    let it = Fixture::new().await;
    let (_, plain) = it.get(&format!("{CONTACTS}/{DEMO_CONTACT_ID}")).await;
    assert_eq!(plain["properties"].as_object().unwrap().len(), 6);
    let asked = "properties=favorite_color,fax,no_such_thing";
    let (_, shown) = it.get(&format!("{CONTACTS}/{DEMO_CONTACT_ID}?{asked}")).await;
    assert_eq!(
        (&shown["properties"]["favorite_color"], &shown["properties"]["fax"]),
        (&json!("red"), &Value::Null)
    );
    assert!(shown["properties"].get("no_such_thing").is_none());
    let by_second = format!("{CONTACTS}/HOME1%40example.com?idProperty=email");
    assert_eq!(it.get(&by_second).await.1["id"], DEMO_CONTACT_ID);
    let (status, body) = it.get(&format!("{CONTACTS}/99")).await;
    assert_eq!((status, body["category"].as_str()), (404, Some("OBJECT_NOT_FOUND")));
}

#[tokio::test]
async fn a_body_without_its_required_members_or_with_others_is_refused() {
    let it = Fixture::new().await;
    let email = json!({"email": "new@example.com"});
    for (path, body) in [
        (CONTACTS.to_owned(), json!({ "properties": email })),
        (
            CONTACTS.to_owned(),
            json!({"properties": email, "associations": [], "tags": []}),
        ),
        (
            format!("{CONTACTS}/search"),
            json!({"filterGroups": [], "properties": [], "limit": 1, "after": "0"}),
        ),
        (
            format!("{CONTACTS}/batch/read"),
            json!({"inputs": [{"id": "1001"}], "properties": []}),
        ),
        ("/crm/v3/lists/search".to_owned(), json!({"offset": 0, "count": 5})),
    ] {
        let (status, answer) = it.post(&path, body).await;
        assert_eq!(
            (status, answer["category"].as_str()),
            (400, Some("VALIDATION_ERROR")),
            "{path}"
        );
    }
    assert_eq!(it.crm.log().writes(), []);
}

#[tokio::test]
async fn a_wrong_value_is_refused_with_the_property_at_fault() {
    let it = Fixture::new().await;
    for (name, value, error) in [
        ("shoe_size", json!("43"), "PROPERTY_DOESNT_EXIST"),
        ("lead_score", json!("many"), "INVALID_INTEGER"),
        ("favorite_color", json!("Blue"), "INVALID_OPTION"),
        ("interests", json!("courses;sailing"), "INVALID_OPTION"),
        ("renewal_date", json!("1772327700000"), "INVALID_DATE"),
        ("next_appointment", json!("2026-03-01"), "INVALID_LONG"),
        ("email", json!("not-an-address"), "INVALID_EMAIL"),
        ("hubspot_owner_id", json!("64"), "INVALID_OWNER_ID"),
        ("tag_points", json!("1"), "READ_ONLY_VALUE"),
        ("hs_email_optout", json!("true"), "READ_ONLY_VALUE"),
        ("lead_score", json!(5), "must be a string"),
    ] {
        let (status, body) = it.patch(&format!("{CONTACTS}/1002"), json!({ name: value })).await;
        assert_eq!(status, 400, "{name}");
        let said = body["message"].as_str().unwrap();
        assert!(said.contains(error) && said.contains(name), "{said}");
    }
    let values = json!({"renewal_date": "1772323200000", "favorite_color": "blue_1", "tag_count": "4", "email": "UP@EXAMPLE.COM"});
    let (_, shown) = it.patch(&format!("{CONTACTS}/1002"), values).await;
    let shown = &shown["properties"];
    assert_eq!(
        (&shown["renewal_date"], &shown["tag_points"]),
        (&json!("2026-03-01"), &json!("8"))
    );
    assert_eq!(shown["email"], "up@example.com");
}

#[tokio::test]
async fn an_address_belongs_to_one_contact() {
    let it = Fixture::new().await;
    let (status, new) = it.create(json!({"email": "Nia@example.com", "firstname": "Nia"})).await;
    assert_eq!((status, new["id"].as_str()), (201, Some("1201")));
    let (status, body) = it.create(json!({"email": "nia@EXAMPLE.com"})).await;
    assert_eq!(
        (status, body["message"].as_str()),
        (409, Some("Contact already exists. Existing ID: 1201"))
    );
    assert_eq!(
        it.patch(&format!("{CONTACTS}/1002"), json!({"email": "nia@example.com"}))
            .await
            .0,
        409
    );
    let upsert =
        |email: &str| json!({"inputs": [{"id": email, "idProperty": "email", "properties": {"lastname": "O"}}]});
    let path = format!("{CONTACTS}/batch/upsert");
    let (_, body) = it.post(&path, upsert("NIA@example.com")).await;
    assert_eq!(
        (&body["results"][0]["id"], &body["results"][0]["new"]),
        (&json!("1201"), &json!(false))
    );
    let (_, body) = it.post(&path, upsert("other@example.com")).await;
    assert_eq!(
        (&body["results"][0]["id"], &body["results"][0]["new"]),
        (&json!("1202"), &json!(true))
    );
    let delete = |id: &str| it.send(it.request(Method::DELETE, &format!("{CONTACTS}/{id}")));
    assert_eq!(delete("1202").await.0, 204);
    assert_eq!(delete("1202").await.0, 404);
    assert_eq!(
        it.create(json!({"firstname": "Next"})).await.1["id"],
        "1203",
        "the id does not come back"
    );
    assert_eq!(it.create(json!({"phone": "1"})).await.0, 400);
}

#[tokio::test]
async fn a_search_filters_by_the_kind_of_the_property() {
    let it = Fixture::new().await;
    it.clock.advance(Duration::hours(1));
    it.patch(&format!("{CONTACTS}/1050"), json!({"jobtitle": "Pilot"}))
        .await;
    let found = async |filters: Value| {
        let groups = json!({"filterGroups": [{ "filters": filters }]});
        let (status, body) = it.post(&format!("{CONTACTS}/search"), search(groups)).await;
        (status, body["total"].as_u64())
    };
    let filter =
        |name: &str, operator: &str, value: &str| json!({"propertyName": name, "operator": operator, "value": value});
    let since = start_time().timestamp_millis().to_string();
    assert_eq!(
        found(json!([filter("lastmodifieddate", "GTE", &since)])).await,
        (200, Some(1))
    );
    assert_eq!(
        found(json!([filter("email", "EQ", "AMARA.1@example.com")])).await,
        (200, Some(1))
    );
    assert_eq!(found(json!([filter("lead_score", "GT", "95")])).await, (200, Some(3)));
    let both = json!([
        filter("firstname", "EQ", "Amara"),
        filter("lastname", "EQ", "Abernathy")
    ]);
    assert_eq!(found(both).await, (200, Some(1)));
    assert_eq!(found(json!([filter("shoe_size", "EQ", "43")])).await.0, 400);
    assert_eq!(found(json!([filter("lead_score", "GT", "many")])).await.0, 400);
    assert_eq!(found(json!([filter("email", "LIKE", "x")])).await.0, 400);
    let (status, _) = it
        .post(&format!("{CONTACTS}/search"), search(json!({"after": "9900"})))
        .await;
    assert_eq!(status, 400, "a search ends at ten thousand");
}

#[tokio::test]
async fn lists_take_members_unless_a_filter_fills_them() {
    let it = Fixture::new().await;
    let body = json!({"processingTypes": ["MANUAL", "SNAPSHOT"], "count": 500, "additionalProperties": []});
    let (_, lists) = it.post("/crm/v3/lists/search", body).await;
    assert_eq!((&lists["total"], &lists["hasMore"]), (&json!(30), &json!(false)));
    let add = "/crm/v3/lists/101/memberships/add";
    let (_, first) = it.put(add, json!(["1001", "99"])).await;
    assert_eq!(
        first,
        json!({"recordsIdsAdded": ["1001"], "recordIdsRemoved": [], "recordIdsMissing": ["99"]})
    );
    let (_, again) = it.put(add, json!(["1001"])).await;
    assert_eq!(again["recordsIdsAdded"], json!([]));
    let changed: Vec<bool> = it.crm.log().writes().iter().map(|write| write.changed).collect();
    assert_eq!(changed, [true, false]);
    let (_, of) = it.get("/crm/v3/lists/records/0-1/1001/memberships").await;
    assert_eq!(of["total"], 2, "the other list is filled by a filter");
    let (status, refused) = it.put("/crm/v3/lists/131/memberships/remove", json!(["1001"])).await;
    assert_eq!(
        (status, refused["subCategory"].as_str()),
        (400, Some("ILS.INVALID_LIST_PROCESSING_TYPE"))
    );
    assert_eq!(it.put("/crm/v3/lists/99/memberships/add", json!(["1001"])).await.0, 404);
    assert_eq!(it.put(add, json!([1001])).await.0, 400, "ids are texts");
    let (_, mapped) = it.get("/crm/v3/lists/idmapping?legacyListId=11").await;
    assert_eq!(mapped["listId"], "101");
    let (_, by_age) = it.get("/crm/v3/lists/101/memberships/join-order?limit=250").await;
    let members = by_age["results"].as_array().unwrap();
    assert_eq!(members.last().unwrap()["recordId"], "1001", "who came last stands last");
    let list = |name: &str| json!({"name": name, "objectTypeId": "0-1", "processingType": "MANUAL"});
    assert_eq!(it.post("/crm/v3/lists", list("vip")).await.0, 400);
    assert_eq!(it.post("/crm/v3/lists", list("Fresh")).await.1["list"]["listId"], "132");
}

#[tokio::test]
async fn the_members_of_a_list_come_in_pages() {
    let it = Fixture::new().await;
    let ids: Vec<String> = (1001..=1040).map(|id| id.to_string()).collect();
    it.post(
        "/crm/v3/lists",
        json!({"name": "Forty", "objectTypeId": "0-1", "processingType": "MANUAL"}),
    )
    .await;
    it.put("/crm/v3/lists/132/memberships/add", json!(ids)).await;
    for order in ["memberships", "memberships/join-order"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let (_, page) = it
                .get(&format!("/crm/v3/lists/132/{order}?limit=15&after={after}"))
                .await;
            let results = page["results"].as_array().unwrap();
            seen.extend(results.iter().map(|it| it["recordId"].as_str().unwrap().to_owned()));
            match page["paging"]["next"]["after"].as_str() {
                Some(next) => next.clone_into(&mut after),
                None => break,
            }
        }
        assert_eq!(seen, ids, "{order}");
    }
}

#[tokio::test]
async fn an_access_token_expires_and_its_refresh_token_stays_good() {
    let mut it = Fixture::new().await;
    let redirect = "https://app.example.com/back?x=1";
    // The verifier and its SHA-256 as RFC 7636 gives them in its appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let query = [
        ("client_id", CLIENT_ID),
        ("redirect_uri", redirect),
        ("scope", "oauth"),
        ("state", "s1"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let authorize = it
        .http
        .get(format!("{}/oauth/authorize", it.server.origin()))
        .query(&query);
    let answer = authorize.send().await.unwrap();
    let target = answer.headers()["location"].to_str().unwrap().to_owned();
    let code = target
        .split("code=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    assert!(target.starts_with(redirect) && target.ends_with("state=s1"), "{target}");
    let grant = |verifier: &'static str| {
        let form = vec![
            ("grant_type", "authorization_code"),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        form.into_iter().chain([("code", code.as_str())]).collect::<Vec<_>>()
    };
    let (status, body) = it.token(&grant("another")).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")));
    let (status, tokens) = it.token(&grant(verifier)).await;
    assert_eq!(
        (status, &tokens["expires_in"], &tokens["hub_id"]),
        (200, &json!(1800), &json!(HUB_ID))
    );
    assert_eq!(it.token(&grant(verifier)).await.0, 400, "a code is good once");

    let refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
    it.token = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(it.get(CONTACTS).await.0, 200);
    it.clock.advance(Duration::minutes(30));
    let (status, body) = it.get(CONTACTS).await;
    assert_eq!(
        (status, body["category"].as_str()),
        (401, Some("EXPIRED_AUTHENTICATION"))
    );
    for _ in 0..2 {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.as_str()),
        ];
        let (status, renewed) = it.token(&form).await;
        assert_eq!(
            (status, renewed["refresh_token"].as_str()),
            (200, Some(refresh_token.as_str()))
        );
        it.token = renewed["access_token"].as_str().unwrap().to_owned();
        assert_eq!(it.get(CONTACTS).await.0, 200);
    }
    it.crm.remove_app().unwrap();
    assert_eq!(it.get(CONTACTS).await.1["category"], "INVALID_AUTHENTICATION");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
    ];
    assert_eq!(it.token(&form).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn the_token_endpoint_wants_everything_in_the_body() {
    let it = Fixture::new().await;
    let pair = it.crm.issue_tokens().unwrap();
    let url = format!("{}/oauth/v3/token", it.server.origin());
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", pair.refresh_token.as_str()),
    ];
    let basic = it
        .http
        .post(&url)
        .basic_auth(CLIENT_ID, Some(CLIENT_SECRET))
        .form(&form);
    assert_eq!(it.send(basic).await.1["error"], "invalid_client");
    let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    let in_address = it.http.post(&url).query(&client).form(&form);
    assert_eq!(it.send(in_address).await.1["error"], "invalid_request");
    assert_eq!(it.token(&form).await.0, 200);
    assert_eq!(
        it.token(&[("grant_type", "password")]).await.1["error"],
        "unsupported_grant_type"
    );
    let without = it.http.get(format!("{}{CONTACTS}", it.server.origin()));
    assert_eq!(it.send(without).await.0, 401);
}

#[tokio::test]
async fn limits_are_told_and_enforced_and_searches_count_apart() {
    let it = Fixture::new().await;
    it.crm.set_limits(Limits {
        per_ten_seconds: Some(2),
        per_day: None,
        searches_per_second: Some(1),
    });
    let send = async || {
        let answer = it.request(Method::GET, CONTACTS).send().await.unwrap();
        let remaining = answer.headers()["x-hubspot-ratelimit-remaining"]
            .to_str()
            .unwrap()
            .to_owned();
        (answer.status().as_u16(), remaining)
    };
    assert_eq!(send().await, (200, "1".to_owned()));
    let path = format!("{CONTACTS}/search");
    assert_eq!(it.post(&path, search(json!({}))).await.0, 200);
    let (status, body) = it.post(&path, search(json!({}))).await;
    assert_eq!((status, body["policyName"].as_str()), (429, Some("SECONDLY")));
    assert_eq!(send().await, (200, "0".to_owned()));
    assert_eq!(send().await, (429, "0".to_owned()));
    it.clock.advance(Duration::seconds(10));
    assert_eq!(send().await, (200, "1".to_owned()));
    it.crm.set_limits(Limits {
        per_day: Some(1),
        ..Limits::default()
    });
    let answer = it.request(Method::GET, CONTACTS).send().await.unwrap();
    assert_eq!(answer.headers()["x-hubspot-ratelimit-daily-remaining"], "0");
    assert_eq!(read(answer).await.1["policyName"], "DAILY");
}

#[tokio::test]
async fn enrolment_and_consent_go_by_address() {
    let it = Fixture::new().await;
    let enrol = |workflow: &str, email: &str| {
        let path = format!("/automation/v2/workflows/{workflow}/enrollments/contacts/{email}");
        it.send(it.request(Method::POST, &path))
    };
    assert_eq!(enrol("4021", "amara.1%40example.com").await.0, 204);
    assert_eq!(enrol("4021", "1001").await.0, 404, "an id is no address");
    assert_eq!(
        enrol("904021", "amara.1%40example.com").await.0,
        404,
        "a flow is no workflow"
    );
    assert_eq!(enrol("4023", "amara.1%40example.com").await.0, 400, "it is turned off");
    let status = "/communication-preferences/v4/statuses/amara.1%40example.com";
    let subscribe = json!({"channel": "EMAIL", "statusState": "SUBSCRIBED", "subscriptionId": 7004});
    let (_, body) = it.post(status, subscribe.clone()).await;
    assert_eq!(
        body["results"][0]["setStatusSuccessReason"],
        "REQUESTED_CHANGE_OCCURRED"
    );
    let all = format!("{status}/unsubscribe-all");
    assert_eq!(
        it.send(it.request(Method::POST, &all)).await.0,
        400,
        "channel is required"
    );
    let all = format!("{all}?channel=EMAIL");
    assert_eq!(it.send(it.request(Method::POST, &all)).await.0, 200);
    assert_eq!(it.get(&all).await.1["results"][0]["status"], "UNSUBSCRIBED");
    assert_eq!(it.post(status, subscribe).await.0, 400, "who left for good stays out");
    let (_, shown) = it.get(&format!("{CONTACTS}/1001?properties=hs_email_optout")).await;
    assert_eq!(shown["properties"]["hs_email_optout"], "true");
}

#[tokio::test]
async fn what_was_answered_survives_a_restart_and_a_reset_brings_the_demo_back() {
    let dir = tempfile::tempdir().unwrap();
    let (state, tokens) = {
        let it = Fixture::open(Some(dir.path())).await;
        it.create(json!({"email": "kept@example.com"})).await;
        it.put("/crm/v3/lists/101/memberships/add", json!(["1201"])).await;
        it.patch(&format!("{CONTACTS}/1001"), json!({"lead_score": "77"})).await;
        let note = json!({
            "properties": {"hs_note_body": "Hi", "hs_timestamp": "2026-03-01T10:00:00Z"},
            "associations": [{"to": {"id": "1201"}, "types": [
                {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}
            ]}]
        });
        assert_eq!(it.post("/crm/v3/objects/notes", note).await.0, 201);
        let all = "/communication-preferences/v4/statuses/kept%40example.com/unsubscribe-all?channel=EMAIL";
        it.send(it.request(Method::POST, all)).await;
        (it.get("/_state").await.1, it.crm.issue_tokens().unwrap())
    };
    let mut it = Fixture::open(Some(dir.path())).await;
    assert_eq!(it.get("/_state").await.1["contacts"], state["contacts"]);
    assert_eq!(it.crm.log().writes().len(), 5);
    it.token = tokens.access_token;
    let (_, shown) = it.get("/_state?contact_id=1201").await;
    assert_eq!(
        (&shown["tags"], &shown["notes"][0]["text"]),
        (&json!(["Prospect"]), &json!("Hi"))
    );
    assert_eq!(it.send(it.request(Method::POST, "/_reset")).await.0, 204);
    assert_eq!(
        it.get(&format!("{CONTACTS}/1201")).await.0,
        404,
        "the token is still good"
    );
    assert_eq!(
        it.get(&format!("{CONTACTS}/1001?properties=lead_score")).await.1["properties"]["lead_score"],
        "0"
    );
    assert_eq!(it.crm.log().writes(), []);
}

#[tokio::test]
async fn faults_have_the_vendors_bodies() {
    let it = Fixture::new().await;
    for (status, category) in [
        (403, "MISSING_SCOPES"),
        (404, "OBJECT_NOT_FOUND"),
        (503, "INTERNAL_ERROR"),
    ] {
        it.crm.faults().add(FaultRule::status(status));
        let (answered, body) = it.get(CONTACTS).await;
        assert_eq!((answered, body["category"].as_str()), (status, Some(category)));
    }
    it.crm.faults().add(FaultRule::new(Fault::Html));
    assert_eq!(it.get(CONTACTS).await.0, 502);
    assert_eq!(it.get("/crm/v3/nowhere").await.0, 404);
    assert_eq!(it.send(it.request(Method::PUT, CONTACTS)).await.0, 405);
}
