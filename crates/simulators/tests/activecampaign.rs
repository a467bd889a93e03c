//! The ActiveCampaign simulator over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use chrono::Duration;
use mfh_simulators::activecampaign::{API_KEY, ActiveCampaign, DEMO_CONTACT_ID, Limits};
use mfh_simulators::faults::FaultRule;
use reqwest::{Method, Response};
use serde_json::{Value, json};

type Fixture = support::Fixture<ActiveCampaign>;

impl Fixture {
    async fn new() -> Self {
        Self::open(None).await
    }

    async fn open(dir: Option<&Path>) -> Self {
        Self::start(|clock, random| ActiveCampaign::open(dir, clock, random), API_KEY).await
    }

    async fn answer(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.server.base_url()));
        request = request.header("Api-Token", API_KEY);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.answer(method, path, body).await;
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default(),
        )
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn state(&self, contact_id: &str) -> Value {
        let url = format!("{}/_state?contact_id={contact_id}", self.server.origin());
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

fn ids(rows: &Value) -> Vec<u64> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn paging_by_id_visits_each_contact_once() {
    let it = Fixture::new().await;
    let (mut seen, mut last) = (Vec::<u64>::new(), 0);
    loop {
        let (_, page) = it
            .get(&format!("/contacts?limit=30&orders[id]=ASC&id_greater={last}"))
            .await;
        let page = ids(&page["contacts"]);
        seen.extend(&page);
        match page.last() {
            Some(id) => last = *id,
            None => break,
        }
    }
    assert_eq!((seen.len(), BTreeSet::from_iter(&seen).len()), (200, 200));
    let (_, page) = it.get("/contacts?limit=1000&offset=150").await;
    assert_eq!(
        (page["contacts"].as_array().unwrap().len(), &page["meta"]["total"]),
        (50, &json!("200"))
    );
    let (_, page) = it.get("/contacts").await;
    let newest = ids(&page["contacts"]);
    assert_eq!(newest.len(), 20);
    assert!(
        newest.is_sorted_by(|a, b| a > b),
        "without an order the newest come first"
    );
}

#[tokio::test]
async fn rows_come_beside_contacts_only_when_they_are_asked_for() {
    let it = Fixture::new().await;
    let (_, bare) = it.get("/contacts?limit=5").await;
    assert!(bare.get("fieldValues").is_none());
    let (_, page) = it
        .get("/contacts?limit=100&include=fieldValues,contactTags&orders[id]=ASC")
        .await;
    let demo = |rows: &Value| {
        let rows = rows.as_array().unwrap().iter();
        rows.filter(|row| row["contact"] == DEMO_CONTACT_ID).count()
    };
    assert!(demo(&page["fieldValues"]) > 3 && demo(&page["contactTags"]) > 1);
    let (_, one) = it.get(&format!("/contacts/{DEMO_CONTACT_ID}")).await;
    assert_eq!(one["accountContacts"].as_array().unwrap().len(), 1);
    assert_eq!(one["contact"]["cdate"], "2025-01-06T13:00:00-05:00");
    assert!(one.get("contactTags").is_none(), "tags have a path of their own");
}

#[tokio::test]
async fn contacts_are_found_by_condition() {
    let it = Fixture::new().await;
    let total = async |query: &str| {
        let (status, page) = it.get(&format!("/contacts?limit=1&{query}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        page["meta"]["total"].as_str().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(total("email=AMARA.1@example.com").await, 1);
    assert_eq!(total("listid=1&status=2").await, 20);
    assert_eq!(total("filters[updated_after]=2026-01-01").await, 0);
    it.clock.advance(Duration::hours(1));
    let change = json!({"contact": {"firstName": "Grace"}});
    assert_eq!(it.send(Method::PUT, "/contacts/1050", Some(change)).await.0, 200);
    assert_eq!(total("filters[updated_after]=2026-03-01T10:30:00-00:00").await, 1);
    let tagged = total("tagid=101").await;
    let body = json!({"contactTag": {"contact": "1050", "tag": 101}});
    let before = it.state("1050").await["tags"].as_array().unwrap().len();
    assert_eq!(it.post("/contactTags", body.clone()).await.0, 201);
    assert_eq!(
        it.post("/contactTags", body).await.0,
        200,
        "the second time it is there already"
    );
    assert_eq!(
        (
            total("tagid=101").await,
            it.state("1050").await["tags"].as_array().unwrap().len()
        ),
        (tagged + 1, before + 1)
    );
    for wrong in [
        "shoe_size=42",
        "tagid=VIP",
        "orders[id]=up",
        "include=everything",
        "filters[updated_after]=soon",
    ] {
        assert_eq!(it.get(&format!("/contacts?{wrong}")).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn bodies_are_checked_like_the_vendors() {
    let it = Fixture::new().await;
    let code = async |body: Value| {
        let (status, answer) = it.post("/contacts", json!({"contact": body})).await;
        let code = answer["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
        (status, code)
    };
    let refused = |code: &str| (422, code.to_owned());
    assert_eq!(
        code(json!({"email": "Amara.1@EXAMPLE.com"})).await,
        refused("duplicate")
    );
    assert_eq!(code(json!({"firstName": "Ada"})).await, refused("email_invalid"));
    let value =
        |field: u64, value: &str| json!({"email": "v@example.com", "fieldValues": [{"field": field, "value": value}]});
    assert_eq!(code(value(99, "x")).await, refused("related_missing"));
    for (field, wrong) in [
        (5, "3/1/2026"),
        (6, "2026-03-01 10:00"),
        (7, "Mauve"),
        (8, "Coaching"),
        (10, "||Sunday||"),
    ] {
        assert_eq!(code(value(field, wrong)).await, refused("field_invalid"), "{wrong}");
    }
    assert_eq!(code(json!({"email": "v@example.com", "shoeSize": 42})).await.0, 400);
    assert_eq!(code(value(10, "||Monday||Friday||")).await.0, 201);
    let (status, answer) = it
        .post(
            "/contact/sync",
            json!({"contact": {"email": "V@example.com", "phone": "1"}}),
        )
        .await;
    assert_eq!((status, &answer["contact"]["phone"]), (200, &json!("1")));
    let (status, answer) = it
        .post("/tags", json!({"tag": {"tag": "vip", "tagType": "contact"}}))
        .await;
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().unwrap().contains("Duplicate entry"));
}

#[tokio::test]
async fn somebody_who_left_a_list_comes_back_only_on_their_own_wish() {
    let it = Fixture::new().await;
    let status = async |body: Value| {
        let (code, answer) = it.post("/contactLists", json!({"contactList": body})).await;
        assert_eq!(code, 200, "{answer}");
        answer["contactList"]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        status(json!({"contact": "1001", "list": "1", "status": "2"})).await,
        "2"
    );
    assert_eq!(
        status(json!({"contact": "1001", "list": "1", "status": "1"})).await,
        "2"
    );
    assert_eq!(
        status(json!({"contact": "1001", "list": "1", "status": "1", "sourceid": 4})).await,
        "1"
    );
    it.crm.subscribe("1001", 1, 3).unwrap();
    assert_eq!(it.state("1001").await["lists"]["Newsletter"], 3);
    assert!(it.crm.subscribe("9", 1, 1).is_err());
}

#[tokio::test]
async fn an_automation_is_entered_once_unless_it_may_be_entered_again() {
    let it = Fixture::new().await;
    let enter = async |automation: u64| {
        let body = json!({"contactAutomation": {"contact": 1001, "automation": automation}});
        it.post("/contactAutomations", body).await.0
    };
    assert_eq!((enter(21).await, enter(21).await), (201, 403));
    assert_eq!((enter(22).await, enter(22).await), (201, 201));
    assert_eq!((enter(23).await, enter(99).await), (403, 422));
}

#[tokio::test]
async fn only_the_key_opens_the_account() {
    let it = Fixture::new().await;
    let url = format!("{}/users/me", it.server.base_url());
    for request in [
        it.http.get(&url),
        it.http.get(&url).header("Api-Token", "wrong"),
        it.http.get(&url).bearer_auth(API_KEY),
    ] {
        assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
    }
    assert_eq!(it.get("/users/me").await.0, 200);
    assert_eq!(it.get("/nothing").await.0, 404);
    assert_eq!(it.send(Method::DELETE, "/tags", None).await.0, 405);
}

#[tokio::test]
async fn a_limit_is_told_and_kept_within_its_second() {
    let it = Fixture::new().await;
    assert!(
        !it.answer(Method::GET, "/users/me", None)
            .await
            .headers()
            .contains_key("ratelimit-limit")
    );
    it.crm.set_limits(Limits { per_second: Some(2) });
    for left in ["1", "0"] {
        let answer = it.answer(Method::GET, "/users/me", None).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["ratelimit-remaining"]),
            (200, &left.parse().unwrap())
        );
    }
    let answer = it.answer(Method::GET, "/users/me", None).await;
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "1")
    );
    it.clock.advance(Duration::seconds(1));
    assert_eq!(it.get("/users/me").await.0, 200);
}

#[tokio::test]
async fn what_was_answered_survives_a_restart_and_a_reset_undoes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (id, writes) = {
        let it = Fixture::open(Some(folder.path())).await;
        let (_, answer) = it
            .post("/contacts", json!({"contact": {"email": "stay@example.com"}}))
            .await;
        let id = answer["contact"]["id"].as_str().unwrap().to_owned();
        it.post("/contactTags", json!({"contactTag": {"contact": id, "tag": "105"}}))
            .await;
        it.post(
            "/notes",
            json!({"note": {"note": "Rang", "relid": id, "reltype": "Subscriber"}}),
        )
        .await;
        let account = json!({"accountContact": {"contact": id, "account": "301", "jobTitle": "Pilot"}});
        assert_eq!(it.post("/accountContacts", account.clone()).await.0, 201);
        assert_eq!(it.post("/accountContacts", account).await.0, 422, "one account at most");
        (id, it.crm.log().writes())
    };
    let it = Fixture::open(Some(folder.path())).await;
    let state = it.state(&id).await;
    assert_eq!(
        (&state["tags"], &state["notes"][0]["text"]),
        (&json!(["VIP"]), &json!("Rang"))
    );
    assert_eq!(
        (&state["job_title"], state["company"].is_string()),
        (&json!("Pilot"), true)
    );
    assert_eq!(it.crm.log().writes(), writes);
    let (_, next) = it
        .post("/contacts", json!({"contact": {"email": "next@example.com"}}))
        .await;
    assert_ne!(next["contact"]["id"], id.as_str(), "ids do not come back");
    it.crm.faults().add(FaultRule::status(503).always());
    it.crm.reset().unwrap();
    let (status, page) = it.get("/contacts?limit=1").await;
    assert_eq!((status, &page["meta"]["total"]), (200, &json!("200")));
}
