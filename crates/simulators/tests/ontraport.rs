//! The Ontraport simulator over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;

use chrono::Duration;
use mfh_simulators::Ontraport;
use mfh_simulators::ontraport::{API_KEY, APP_ID, DEMO_CONTACT_ID, Limits};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use support::read;

type Fixture = support::Fixture<Ontraport>;

impl Fixture {
    async fn open(dir: Option<&Path>) -> Self {
        Self::start(|clock, random| Ontraport::open(dir, clock, random), API_KEY).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = if path.starts_with("/_") {
            self.server.origin().to_owned()
        } else {
            self.server.base_url()
        };
        let request = self.http.request(method, format!("{base}{path}"));
        request.header("Api-Appid", APP_ID).header("Api-Key", API_KEY)
    }

    async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        read(request.send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.request(Method::GET, path)).await
    }

    async fn write(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.send(self.request(method, path).json(&body)).await
    }

    /// The data of a request that must succeed.
    async fn data(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!((status, &body["code"]), (200, &json!(0)), "{path}: {body}");
        body["data"].clone()
    }

    async fn state(&self) -> (Value, Value) {
        (self.get("/_state").await.1, self.get("/_log").await.1)
    }
}

fn ids(list: &Value) -> Vec<&str> {
    let records = list.as_array().unwrap().iter();
    records.map(|record| record["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn only_the_app_with_its_key_is_let_in() {
    let it = Fixture::open(None).await;
    let url = format!("{}/objects/getInfo?objectID=0", it.server.base_url());
    let plain = it.http.get(&url);
    let wrong = it.http.get(&url).header("Api-Appid", APP_ID).header("Api-Key", "x");
    let other = it.http.get(&url).header("Api-Appid", "x").header("Api-Key", API_KEY);
    for refused in [plain, wrong, other] {
        let (status, body) = it.send(refused).await;
        assert_eq!(
            (status, body),
            (401, json!("Your App ID and API key do not authenticate."))
        );
    }
    assert_eq!(it.data("/objects/getInfo?objectID=0").await["count"], "200");
}

#[tokio::test]
async fn a_page_has_at_most_fifty_records_whatever_is_asked_for() {
    let it = Fixture::open(None).await;
    let page = it.data("/objects?objectID=0&range=1000&sort=id&sortDir=asc").await;
    assert_eq!((ids(&page).len(), ids(&page)[0]), (50, DEMO_CONTACT_ID));
    let last = it.data("/objects?objectID=0&start=190&sort=id&sortDir=asc").await;
    assert_eq!(ids(&last), (1191..=1200).map(|id| id.to_string()).collect::<Vec<_>>());
    let descending = it
        .data("/objects?objectID=0&range=1&sort=id&sortDir=desc&listFields=email")
        .await;
    assert_eq!(descending, json!([{"id": "1200", "email": "talia.200@example.com"}]));
    assert_eq!(
        it.data("/objects?objectID=14&start=30").await[0]["object_type_id"],
        "149"
    );
    for wrong in ["range=0", "range=x", "sort=shoe", "sortDir=up", "condition=id"] {
        assert_eq!(it.get(&format!("/objects?objectID=0&{wrong}")).await.0, 400, "{wrong}");
    }
    assert_eq!(it.get("/objects?objectID=77").await.0, 400);
    assert_eq!(it.get("/objects").await.0, 400);
}

#[tokio::test]
async fn every_value_is_a_text_and_what_was_never_set_differs_by_type() {
    let it = Fixture::open(None).await;
    let bare = it.data("/object?objectID=0&id=1002").await;
    let fields = it.data("/objects/meta?objectID=0&format=byId").await["0"]["fields"].clone();
    let of = |kind: &str| {
        let mut all = fields.as_object().unwrap().iter();
        let (key, _) = all
            .find(|(key, meta)| key.starts_with("f15") && meta["type"] == kind)
            .unwrap();
        bare[key].clone()
    };
    assert_eq!(
        (of("check"), of("drop"), of("fulldate")),
        (json!("0"), json!("0"), json!("0"))
    );
    assert_eq!(
        (of("text"), of("list"), of("numeric")),
        (json!(""), json!(""), Value::Null)
    );
    let texts = bare.as_object().unwrap().values();
    assert!(texts.into_iter().all(|value| value.is_string() || value.is_null()));
}

#[tokio::test]
async fn a_contact_is_created_merged_changed_and_deleted() {
    let it = Fixture::open(None).await;
    let body = json!({"objectID": 0, "email": "nia@example.com", "firstname": "Nia"});
    let (_, made) = it.write(Method::POST, "/objects", body.clone()).await;
    assert_eq!(
        (made["data"]["id"].as_str(), made["data"]["bulk_mail"].as_str()),
        (Some("1201"), Some("0"))
    );
    let (_, twin) = it.write(Method::POST, "/objects", body).await;
    assert_eq!(twin["data"]["id"], "1202", "duplicates are allowed");
    it.clock.advance(Duration::seconds(9));
    let merge =
        json!({"objectID": 0, "email": "NIA@example.com", "firstname": "", "title": "Boss", "ignore_blanks": true});
    let (_, merged) = it.write(Method::POST, "/objects/saveorupdate", merge).await;
    assert_eq!(
        merged["data"],
        json!({"attrs": {"id": "1201", "dlm": "1772359209", "dla": "1772359209", "email": "NIA@example.com", "title": "Boss"}})
    );
    let found = it
        .data("/object/getByEmail?objectID=0&email=nia@EXAMPLE.com&all=1")
        .await;
    assert_eq!(found, json!({"ids": ["1201", "1202"]}));
    assert_eq!(
        it.get("/object/getByEmail?objectID=0&email=nobody@example.com").await.0,
        404
    );
    let (status, body) = it.send(it.request(Method::DELETE, "/object?objectID=0&id=1202")).await;
    assert_eq!((status, &body["code"]), (200, &json!(0)));
    let (status, body) = it.get("/object?objectID=0&id=1202").await;
    assert_eq!((status, body), (404, json!("Object not found")));
    // Deleting a collection is not offered.
    assert_eq!(it.send(it.request(Method::DELETE, "/objects?objectID=0")).await.0, 405);
}

#[tokio::test]
async fn a_wrong_property_is_refused_and_nothing_is_written() {
    let it = Fixture::open(None).await;
    for (property, value) in [
        ("note", json!("x")),
        ("id_card", json!("x")),
        ("dlm", json!("5")),
        ("email", json!("nobody")),
        ("country", json!("Germany")),
        ("birthday", json!("1906-12-09")),
        ("f1504", json!("many")),
        ("f1507", json!("yes")),
        ("f1508", json!("Red")),
        ("f1509", json!(["Coaching"])),
        ("f1509", json!("*/*1*/*")),
        ("bulk_mail", json!("2")),
    ] {
        let body = json!({"objectID": 0, "id": DEMO_CONTACT_ID, property: value});
        let (status, said) = it.write(Method::PUT, "/objects", body).await;
        assert_eq!(status, 422, "{property}");
        assert!(said.as_str().unwrap().contains(property), "{said}");
    }
    let (status, _) = it
        .write(Method::PUT, "/objects", json!({"objectID": 0, "id": "9", "title": "x"}))
        .await;
    assert_eq!(status, 404);
    assert!(it.crm.log().writes().is_empty());
}

#[tokio::test]
async fn ids_that_select_nothing_are_a_success_and_names_make_tags() {
    let it = Fixture::open(None).await;
    for body in [
        json!({"objectID": 0, "ids": "9,1001", "add_list": "999,105"}),
        json!({"objectID": "0", "ids": [1001], "add_list": [105]}),
    ] {
        assert_eq!(it.write(Method::PUT, "/objects/tag", body).await.0, 200);
    }
    let applied: Vec<_> = it
        .crm
        .log()
        .writes()
        .iter()
        .map(|write| (write.op.clone(), write.changed))
        .collect();
    assert_eq!(
        applied,
        [("apply_tag".to_owned(), true), ("apply_tag".to_owned(), false)]
    );
    let tagged = it
        .data("/objects/tag?objectID=0&tag_id=105&sort=id&listFields=id")
        .await;
    assert_eq!(ids(&tagged)[0], DEMO_CONTACT_ID);
    let count = it.data("/objects/tag?objectID=0&tag_id=105&count=true").await;
    assert_eq!(count["count"], ids(&tagged).len().to_string());
    let form = it
        .request(Method::PUT, "/objects/tag")
        .form(&[("objectID", "0"), ("ids", "1002"), ("add_list", "105")]);
    assert_eq!(it.send(form).await.0, 200);
    let by_name = json!({"objectID": 0, "ids": ["1001"], "add_names": ["vip", "Brand New"]});
    assert_eq!(it.write(Method::PUT, "/objects/tagByName", by_name).await.0, 200);
    let shown = it.get("/_state?contact_id=1001").await.1;
    let has = |name: &str| shown["tags"].as_array().unwrap().contains(&json!(name));
    assert!(has("VIP") && has("Brand New"));
    let remove = it.request(Method::DELETE, "/objects/tag?objectID=0&ids=1001&remove_list=105");
    assert_eq!(it.send(remove).await.0, 200);
    let shown = it.get("/_state?contact_id=1001").await.1;
    assert!(!shown["tags"].as_array().unwrap().contains(&json!("VIP")));
    let (status, _) = it
        .write(Method::PUT, "/objects/tag", json!({"objectID": 0, "add_list": "105"}))
        .await;
    assert_eq!(status, 400, "without a criterion it would be everybody");
}

#[tokio::test]
async fn contacts_enter_automations_and_sequences_once() {
    let it = Fixture::open(None).await;
    for body in [
        json!({"objectID": 0, "ids": "1001", "add_list": "21,24,25,99", "sub_type": "Campaign"}),
        json!({"objectID": 0, "ids": "1001", "add_list": "21"}),
        json!({"objectID": 0, "ids": "1001", "add_list": "31", "sub_type": "Sequence"}),
    ] {
        assert_eq!(it.write(Method::PUT, "/objects/subscribe", body).await.0, 200);
    }
    let shown = it.get("/_state?contact_id=1001").await.1;
    let names = |member: &str| -> Vec<String> {
        let entered = shown[member].as_array().unwrap().iter();
        entered.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names("automations_entered"),
        ["New Lead Nurture"],
        "neither deleted ones nor those for deals"
    );
    assert_eq!(names("sequences_entered"), ["Classic Welcome"]);
    let wrong = json!({"objectID": 0, "ids": "1001", "add_list": "21", "sub_type": "Funnel"});
    assert_eq!(it.write(Method::PUT, "/objects/subscribe", wrong).await.0, 400);
}

#[tokio::test]
async fn every_answer_tells_the_quota_and_a_limit_is_enforced_until_the_minute_is_over() {
    let it = Fixture::open(None).await;
    let told = async || {
        let response = it
            .request(Method::GET, "/objects/getInfo?objectID=0")
            .send()
            .await
            .unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
        let quota = ["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"].map(header);
        assert!(!response.headers().contains_key("retry-after"));
        (response.status().as_u16(), quota)
    };
    assert_eq!(told().await, (200, [180, 179, 60]));
    it.crm.set_limits(Limits { per_minute: Some(2) });
    it.clock.advance(Duration::seconds(15));
    assert_eq!(told().await, (200, [2, 0, 45]));
    assert_eq!(told().await, (429, [2, 0, 45]));
    it.clock.advance(Duration::seconds(45));
    assert_eq!(told().await, (200, [2, 1, 60]));
}

#[tokio::test]
async fn a_restart_keeps_state_and_log_and_a_reset_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let before = {
        let it = Fixture::open(Some(dir.path())).await;
        it.write(
            Method::POST,
            "/objects",
            json!({"objectID": 0, "email": "stay@example.com", "f1504": 5}),
        )
        .await;
        it.write(
            Method::PUT,
            "/objects/tag",
            json!({"objectID": 0, "ids": "1201", "add_list": "101"}),
        )
        .await;
        it.write(
            Method::POST,
            "/objects",
            json!({"objectID": 12, "contact_id": 1201, "data": "Hello"}),
        )
        .await;
        it.write(Method::POST, "/objects", json!({"objectID": 14, "tag_name": "Kept"}))
            .await;
        it.send(it.request(Method::DELETE, "/object?objectID=0&id=1005")).await;
        // The files as a killed process leaves them behind: nothing was closed or flushed.
        for file in ["ontraport.sqlite", "ontraport.sqlite-wal"] {
            std::fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
        }
        it.state().await
    };
    assert_eq!(before.1.as_array().unwrap().len(), 5);
    let killed = Fixture::open(Some(crashed.path())).await;
    assert_eq!(killed.state().await, before);
    let it = Fixture::open(Some(dir.path())).await;
    assert_eq!(it.state().await, before);
    let (_, next) = it
        .write(Method::POST, "/objects", json!({"objectID": 0, "firstname": "Next"}))
        .await;
    assert_eq!(next["data"]["id"], "1202");
    assert_eq!(it.send(it.request(Method::POST, "/_reset")).await.0, 204);
    let fresh = Fixture::open(None).await;
    assert_eq!(
        it.state().await,
        fresh.state().await,
        "the demo account is the same every time"
    );
}

#[tokio::test]
async fn faults_and_limits_are_set_over_http() {
    let it = Fixture::open(None).await;
    let rule = json!({"method": "GET", "path_contains": "/object", "kind": "status", "status": 403});
    assert_eq!(it.write(Method::POST, "/_control/faults", rule).await.0, 200);
    let (status, body) = it.get("/objects/getInfo?objectID=0").await;
    assert_eq!((status, body), (403, json!("You do not have permission to do this.")));
    assert_eq!(it.get("/objects/getInfo?objectID=0").await.0, 200);
    assert_eq!(
        it.write(Method::POST, "/_control/limits", json!({"per_minute": 1}))
            .await
            .0,
        200
    );
    assert_eq!(it.get("/objects/getInfo?objectID=0").await.0, 429);
    assert_eq!(it.get("/_log/requests").await.1.as_array().unwrap().len(), 3);
}

/// What the connector never asks for fits the vendor's description as well.
#[cfg(feature = "conformance")]
#[tokio::test]
async fn every_answer_fits_the_description() {
    use mfh_simulators::openapi::{Description, ONTRAPORT_GAPS, vendor_file};

    let Some(file) = vendor_file("ontraport/ontraport-objects.assembled.openapi.json") else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "the vendor descriptions are missing: set MFH_VENDOR_DIR to their folder"
        );
        println!("vendor descriptions not found, skipping");
        return;
    };
    let it = Fixture::open(None).await;
    it.crm.log().record_exchanges();
    for kind in [0, 2, 5, 12, 14, 138, 140] {
        it.get(&format!("/objects?objectID={kind}&range=5&search=a")).await;
        it.get(&format!("/object?objectID={kind}&id=31")).await;
    }
    for path in [
        "/object/getByEmail?objectID=0&email=amara.1@example.com&all=1",
        "/object/getByEmail?objectID=0&email=amara.1@example.com",
        "/objects/meta?objectID=0&format=byName",
        "/objects/fieldeditor?objectID=0",
        "/objects/getInfo?objectID=14",
        "/objects/tag?objectID=0&tag_name=vip",
    ] {
        assert_eq!(it.get(path).await.0, 200, "{path}");
    }
    for (method, path, body) in [
        (
            Method::POST,
            "/objects",
            json!({"objectID": 12, "contact_id": 1001, "data": "Hello"}),
        ),
        (
            Method::PUT,
            "/objects/tagByName",
            json!({"objectID": 0, "ids": "1001", "add_names": ["New"]}),
        ),
        (
            Method::DELETE,
            "/objects/tagByName",
            json!({"objectID": 0, "ids": "1001", "remove_names": ["New"]}),
        ),
        (
            Method::PUT,
            "/objects/sequence",
            json!({"objectID": 0, "ids": "1001", "add_list": "31"}),
        ),
        (
            Method::DELETE,
            "/objects/sequence",
            json!({"objectID": 0, "ids": "1001", "remove_list": "31"}),
        ),
        (
            Method::DELETE,
            "/objects/subscribe",
            json!({"objectID": 0, "ids": "1001", "remove_list": "21"}),
        ),
        (
            Method::DELETE,
            "/objects/tag",
            json!({"objectID": 0, "ids": "1001", "remove_list": "101"}),
        ),
    ] {
        assert_eq!(it.write(method, path, body).await.0, 200, "{path}");
    }
    let description = Description::load(&file).unwrap();
    let mut faults = Vec::new();
    for mut exchange in it.crm.log().exchanges() {
        exchange.request.path = exchange.request.path.trim_start_matches("/1").to_owned();
        faults.extend(description.check(&exchange, ONTRAPORT_GAPS));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
