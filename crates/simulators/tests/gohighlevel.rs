//! What the GoHighLevel simulator promises: pages, limits, tokens, strictness and a restart that loses nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeDelta;
use mfh_simulators::GoHighLevel;
use mfh_simulators::gohighlevel::{
    CLIENT_ID, CLIENT_SECRET, DEMO_CONTACT_ID, LOCATION_ID, Limits, PRIVATE_INTEGRATION_TOKEN,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use support::read;

type Fixture = support::Fixture<GoHighLevel>;

impl Fixture {
    async fn open(dir: Option<&Path>) -> Self {
        let open = |clock, random| GoHighLevel::open(dir, clock, random);
        Self::start(open, PRIVATE_INTEGRATION_TOKEN).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.server.base_url());
        self.http.request(method, url).header("version", "2021-07-28")
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth(PRIVATE_INTEGRATION_TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn search(&self, body: Value) -> (u16, Value) {
        let mut whole = json!({"locationId": LOCATION_ID, "pageLimit": 30});
        whole
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().cloned().unwrap());
        self.post("/contacts/search", whole).await
    }

    async fn grant(&self, more: &[(&str, &str)]) -> (u16, Value) {
        let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        let form: Vec<_> = client.iter().chain(more).collect();
        let request = self.http.post(format!("{}/oauth/token", self.server.origin()));
        let encoded = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.into_iter().map(|(name, value)| (name, value)))
            .finish();
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        read(request.body(encoded).send().await.unwrap()).await
    }
}

fn contact_path() -> String {
    format!("/contacts/{DEMO_CONTACT_ID}")
}

#[tokio::test]
async fn following_search_after_visits_every_contact_once() {
    let it = Fixture::open(None).await;
    let mut seen = BTreeSet::new();
    let mut after = Value::Null;
    for page in 1.. {
        let sort = json!([{"field": "dateAdded", "direction": "asc"}]);
        let body = match &after {
            Value::Null => json!({"sort": sort}),
            after => json!({"sort": sort, "searchAfter": after}),
        };
        let (status, answer) = it.search(body).await;
        assert_eq!((status, &answer["total"]), (200, &json!(200)));
        let hits = answer["contacts"].as_array().unwrap();
        for hit in hits {
            assert!(seen.insert(hit["id"].to_string()), "a contact came twice");
            assert!(hit.get("firstName").is_none(), "names are in lower case only");
        }
        if hits.len() < 30 {
            assert_eq!(page, 7);
            break;
        }
        after = hits[29]["searchAfter"].clone();
    }
    assert_eq!(seen.len(), 200);
}

#[tokio::test]
async fn a_search_filters_by_group_and_refuses_what_it_does_not_know() {
    let it = Fixture::open(None).await;
    let any = json!([{"group": "OR", "filters": [
        {"field": "firstNameLowerCase", "operator": "eq", "value": "anouk"},
        {"field": "tags", "operator": "eq", "value": "VIP"}
    ]}, {"field": "email", "operator": "exists"}]);
    let (_, found) = it.search(json!({"filters": any})).await;
    let total = found["total"].as_u64().unwrap();
    assert!(total > 10 && total < 100, "{total}");
    let range = json!([{"field": "dateUpdated", "operator": "range", "value": {"gte": "2026-01-01T00:00:00.000Z"}}]);
    assert_eq!(it.search(json!({"filters": range})).await.1["total"], 0);
    for wrong in [
        json!({"pageLimit": 501}),
        json!({"page": 1, "searchAfter": [1, "x"]}),
        json!({"limit": 5}),
        json!({"filters": [{"field": "shoeSize", "operator": "eq", "value": 1}]}),
        json!({"filters": [{"field": "email", "operator": "like", "value": "x"}]}),
        json!({"filters": [{"field": "email", "operator": "eq", "value": "x".repeat(76)}]}),
    ] {
        assert_eq!(it.search(wrong.clone()).await.0, 422, "{wrong}");
    }
    assert_eq!(it.search(json!({"locationId": "elsewhere"})).await.0, 401);
}

#[tokio::test]
async fn a_limit_is_enforced_and_told_in_headers() {
    let it = Fixture::open(None).await;
    it.crm.set_limits(Limits {
        per_ten_seconds: Some(2),
        per_day: Some(3),
    });
    let send = async || {
        let request = it
            .request(Method::GET, &contact_path())
            .bearer_auth(PRIVATE_INTEGRATION_TOKEN);
        let response = request.send().await.unwrap();
        let number = |name: &str| response.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
        let left = (number("x-ratelimit-remaining"), number("x-ratelimit-daily-remaining"));
        assert_eq!(
            (number("x-ratelimit-max"), number("x-ratelimit-interval-milliseconds")),
            (2, 10_000)
        );
        (response.status().as_u16(), left)
    };
    assert_eq!(send().await, (200, (1, 2)));
    assert_eq!(send().await, (200, (0, 1)));
    assert_eq!(send().await, (429, (0, 1)));
    it.clock.advance(TimeDelta::seconds(10));
    assert_eq!(send().await, (200, (1, 0)));
    it.clock.advance(TimeDelta::seconds(10));
    assert_eq!(send().await, (429, (2, 0)), "the day is spent");
    it.clock.advance(TimeDelta::days(1));
    assert_eq!(send().await.0, 200);
}

#[tokio::test]
async fn tokens_rotate_expire_and_open_only_what_they_should() {
    let it = Fixture::open(None).await;
    let code = it.crm.authorize_code("http://localhost/back").unwrap();
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("user_type", "Location"),
    ];
    let (status, first) = it.grant(&exchange).await;
    assert_eq!(
        (status, &first["locationId"], &first["userType"]),
        (200, &json!(LOCATION_ID), &json!("Location"))
    );
    assert_eq!(first["expires_in"], 86_399);
    assert_eq!(it.grant(&exchange).await.0, 400, "a code is good for one exchange");
    let with = async |token: &Value, edition: &str| {
        let url = format!("{}{}", it.server.base_url(), contact_path());
        let request = it.http.get(url).bearer_auth(token.as_str().unwrap());
        request
            .header("version", edition)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(with(&first["access_token"], "2021-07-28").await, 200);
    assert_eq!(
        with(&first["access_token"], "v1").await,
        401,
        "the edition must be named"
    );
    assert_eq!(with(&first["refresh_token"], "2021-07-28").await, 401);
    let refresh_token = first["refresh_token"].as_str().unwrap();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    let (status, second) = it.grant(&refresh).await;
    assert_eq!(status, 200);
    let (status, refused) = it.grant(&refresh).await;
    assert_eq!(
        (status, &refused["error"]),
        (400, &json!("invalid_grant")),
        "a refresh token is good for one use"
    );
    it.clock.advance(TimeDelta::seconds(86_399));
    assert_eq!(with(&second["access_token"], "2021-07-28").await, 401);
    let third = it.crm.issue_tokens().unwrap();
    assert_eq!(with(&json!(third.access_token), "2021-07-28").await, 200);
    it.crm.expire_tokens().unwrap();
    assert_eq!(with(&json!(third.access_token), "2021-07-28").await, 401);
    let company = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("user_type", "Company"),
    ];
    assert_eq!(it.grant(&company).await.1["error"], "invalid_request");
    let stranger = it.grant(&[("client_secret", "wrong")]).await;
    assert_eq!(stranger.0, 401);
}

#[tokio::test]
async fn a_body_with_something_unknown_is_refused_whole() {
    let it = Fixture::open(None).await;
    let before = it.get(&contact_path()).await.1;
    for wrong in [
        json!({"firstName": "X", "jobTitle": "Boss"}),
        json!({"firstName": 5}),
        json!({"email": "nonsense"}),
        json!({"postalCode": null}),
        json!({"country": "Germany"}),
        json!({"locationId": LOCATION_ID}),
        json!({"dndSettings": {"Email": {"status": "off"}}}),
        json!({"dndSettings": {"Pigeon": {"status": "active"}}}),
        json!({"customFields": [{"id": "DemoField00000000005", "value": "Red"}]}),
        json!({"customFields": [{"id": "DemoField00000000005", "field_value": "Mauve"}]}),
    ] {
        let (status, answer) = it.send(Method::PUT, &contact_path(), Some(wrong.clone())).await;
        assert_eq!((status, &answer["statusCode"]), (422, &json!(422)), "{wrong}");
    }
    assert_eq!(it.get(&contact_path()).await.1, before);
    assert_eq!(it.get("/contacts/nobody").await.0, 400);
    assert_eq!(it.get("/elsewhere").await.0, 404);
    let twin = json!({"locationId": LOCATION_ID, "email": before["contact"]["email"]});
    let (status, answer) = it.post("/contacts/", twin).await;
    assert_eq!((status, &answer["meta"]["contactId"]), (400, &json!(DEMO_CONTACT_ID)));
}

#[tokio::test]
async fn do_not_disturb_is_replaced_as_a_whole_but_a_permanent_one_stays() {
    let it = Fixture::open(None).await;
    let put = async |settings: Value| {
        let body = json!({"dndSettings": settings});
        it.send(Method::PUT, &contact_path(), Some(body)).await.1["contact"]["dndSettings"].clone()
    };
    let sms = json!({"SMS": {"status": "permanent"}, "Call": {"status": "active"}});
    assert_eq!(put(sms.clone()).await, sms);
    assert_eq!(
        put(json!({"Email": {"status": "active"}, "SMS": {"status": "inactive"}})).await,
        json!({"Email": {"status": "active"}, "SMS": {"status": "permanent"}})
    );
}

#[tokio::test]
async fn an_unknown_tag_name_makes_a_tag_and_an_update_replaces_all() {
    let it = Fixture::open(None).await;
    let path = format!("{}/tags", contact_path());
    let (status, answer) = it.post(&path, json!({"tags": ["Brand New", "vip"]})).await;
    assert_eq!((status, &answer["tags"]), (201, &json!(["brand new", "vip"])));
    let names = it.get(&format!("/locations/{LOCATION_ID}/tags")).await.1;
    let names: Vec<&Value> = names["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    assert!(names.contains(&&json!("brand new")) && names.len() == 31);
    let (_, answer) = it
        .send(Method::PUT, &contact_path(), Some(json!({"tags": ["lead"]})))
        .await;
    assert_eq!(answer["contact"]["tags"], json!(["lead"]));
}

#[tokio::test]
async fn a_restart_keeps_everything_and_a_reset_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let token;
    let state;
    {
        let it = Fixture::open(Some(dir.path())).await;
        token = it.crm.issue_tokens().unwrap();
        let new = json!({"locationId": LOCATION_ID, "email": "kept@example.com", "tags": ["kept"]});
        assert_eq!(it.post("/contacts/", new).await.0, 201);
        let note = json!({"body": "kept", "title": "Note"});
        assert_eq!(it.post(&format!("{}/notes", contact_path()), note).await.0, 201);
        let workflow = format!("{}/workflow/5a1f0c52-7d0e-4b51-9a53-0d6f1c1e0001", contact_path());
        assert_eq!(it.post(&workflow, json!({})).await.0, 200);
        state = it.get("/_state").await.1;
    }
    let it = Fixture::open(Some(dir.path())).await;
    assert_eq!(it.get("/_state").await.1, state);
    let ops: Vec<String> = it.crm.log().writes().into_iter().map(|write| write.op).collect();
    assert_eq!(ops, ["create_contact", "add_note", "add_to_workflow"]);
    let reset = it.request(Method::POST, "/_reset").send().await.unwrap();
    assert_eq!(reset.status(), 204);
    assert_ne!(it.get("/_state").await.1, state);
    assert_eq!(it.get("/_state").await.1["contacts"].as_array().unwrap().len(), 200);
    let request = it
        .request(Method::GET, &contact_path())
        .bearer_auth(&token.access_token);
    assert_eq!(request.send().await.unwrap().status(), 200, "tokens stay good");
}

#[tokio::test]
async fn the_whole_sign_in_runs_on_one_machine() {
    let it = Fixture::open(None).await;
    let url = format!(
        "{}/oauth/chooselocation?response_type=code&client_id={CLIENT_ID}&redirect_uri={}&state=s1",
        it.server.origin(),
        "http%3A%2F%2Flocalhost%2Fback"
    );
    let answer = it.http.get(url).send().await.unwrap();
    let target = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    let query: std::collections::BTreeMap<_, _> = target.query_pairs().into_owned().collect();
    assert_eq!(query["state"], "s1");
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", &query["code"]),
        ("redirect_uri", "http://localhost/back"),
    ];
    assert_eq!(it.grant(&grant).await.0, 200);
}
