//! What contacts opt in to: set on a connection by HTTP, checked at the CRM, and used by runs.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use mfh_connectors::NewContact;
use mfh_simulators::faults::FaultRule;
use mfh_types::{AccountId, ConnectionId};
use serde_json::{Value, json};
use support::{Tenant, World};

/// A CRM that gives consent for each list or subscription type of its own.
struct Crm {
    slug: &'static str,
    setting: &'static str,
    /// The ids of its lists or types, one that it does not choose by itself at the end.
    targets: &'static [&'static str],
}

const ACTIVECAMPAIGN: Crm = Crm {
    slug: "activecampaign",
    setting: "default_list_id",
    targets: &["1", "2", "3"],
};

const HUBSPOT: Crm = Crm {
    slug: "hubspot",
    setting: "default_subscription_id",
    targets: &["7001", "7004"],
};

impl Crm {
    fn connections(&self) -> String {
        format!("/platforms/{}/connections", self.slug)
    }

    fn settings(&self, value: impl Into<Value>) -> Value {
        json!({ self.setting: value.into() })
    }

    /// The request that connects the simulated account.
    fn request(&self, world: &World, name: &str, settings: &Value) -> Value {
        let vendor = world.platform.vendors.iter().find(|vendor| vendor.slug() == self.slug);
        let mut credentials = json!({});
        for (key, value) in vendor.unwrap().credentials() {
            credentials[*key] = json!(value);
        }
        if self.slug == "activecampaign" {
            credentials["api_url"] = json!(format!("{}/_sim/{}", world.url, self.slug));
        }
        json!({ "name": name, "credentials": credentials, "settings": settings })
    }

    /// The path and the id of a new connection.
    async fn connect(&self, world: &World, tenant: &Tenant<'_>, settings: Value) -> (String, String) {
        let request = self.request(world, self.slug, &settings);
        let (status, answer) = tenant.call("POST", &self.connections(), request).await;
        assert_eq!(status, 201, "{answer}");
        assert_eq!(answer["data"]["settings"], settings);
        let id = answer["data"]["connection_id"].as_str().unwrap().to_owned();
        (format!("{}/{id}", self.connections()), id)
    }

    /// Checks that an answer refuses a setting and lists what there is.
    #[track_caller]
    fn refuses(&self, (status, answer): &(u16, Value)) {
        assert_eq!(
            (*status, &answer["code"]),
            (400, &json!("VALIDATION_FAILED")),
            "{answer}"
        );
        assert_eq!(answer["fields"][0]["field"], format!("settings.{}", self.setting));
        let candidates = answer["data"]["candidates"].as_array().unwrap();
        let ids: Vec<&str> = candidates.iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids, self.targets);
        for candidate in candidates {
            let name = candidate["name"].as_str().unwrap();
            assert!(answer["error"].as_str().unwrap().contains(name), "{answer}");
        }
    }
}

async fn a_setting_is_checked_at(crm: &Crm) {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let wrong = crm.request(&world, "Wrong", &crm.settings("999"));
    crm.refuses(&tenant.call("POST", &crm.connections(), wrong).await);
    let (_, listed) = tenant.call("GET", &crm.connections(), Value::Null).await;
    assert_eq!(listed["data"]["total"], 0, "nothing is stored: {listed}");

    let (path, _) = crm.connect(&world, &tenant, crm.settings(crm.targets[0])).await;
    let shown = async || tenant.call("GET", &path, Value::Null).await.1["data"]["settings"].clone();
    assert_eq!(shown().await, crm.settings(crm.targets[0]));
    let (_, listed) = tenant.call("GET", &crm.connections(), Value::Null).await;
    assert_eq!(
        listed["data"]["connections"][0]["settings"],
        crm.settings(crm.targets[0])
    );

    let put = async |body: Value| tenant.call("PUT", &path, body).await;
    crm.refuses(&put(json!({ "settings": crm.settings("999") })).await);
    let own = crm.request(&world, crm.slug, &crm.settings("999"));
    crm.refuses(&put(json!({ "credentials": own["credentials"], "settings": own["settings"] })).await);
    let (status, answer) = put(json!({ "settings": { "default_thing_id": "1" } })).await;
    assert_eq!(
        (status, &answer["fields"][0]["field"]),
        (400, &json!("settings.default_thing_id"))
    );
    assert_eq!(shown().await, crm.settings(crm.targets[0]));

    let second: u64 = crm.targets[1].parse().unwrap();
    let (status, answer) = put(json!({ "settings": crm.settings(second) })).await;
    assert_eq!(
        (status, &answer["data"]["settings"]),
        (200, &crm.settings(crm.targets[1]))
    );
    // A new name and the same credentials leave it, as does nothing.
    let more = json!({ "name": "Renamed", "credentials": own["credentials"] });
    assert_eq!(put(more).await.0, 200);
    assert_eq!(put(json!({ "settings": {} })).await.0, 200);
    assert_eq!(shown().await, crm.settings(crm.targets[1]));
    let (status, answer) = put(json!({ "settings": crm.settings(Value::Null) })).await;
    assert_eq!((status, &answer["data"]["settings"]), (200, &json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_activecampaign_is_checked_and_shown() {
    a_setting_is_checked_at(&ACTIVECAMPAIGN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_type_of_hubspot_is_checked_and_shown() {
    a_setting_is_checked_at(&HUBSPOT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crm_with_one_consent_for_everything_has_no_such_setting() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let path = format!("/platforms/keap/connections/{}", tenant.connection_id);
    for setting in ["default_list_id", "default_subscription_id"] {
        let (status, answer) = tenant.call("PUT", &path, json!({ "settings": { setting: "1" } })).await;
        assert_eq!(
            (status, &answer["fields"][0]["field"]),
            (400, &json!(format!("settings.{setting}")))
        );
        let (status, _) = tenant
            .call("PUT", &path, json!({ "settings": { setting: null } }))
            .await;
        assert_eq!(status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crm_that_cannot_be_asked_leaves_the_settings_as_they_are() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let (path, _) = ACTIVECAMPAIGN
        .connect(&world, &tenant, ACTIVECAMPAIGN.settings("1"))
        .await;
    let vendor = world
        .platform
        .vendors
        .iter()
        .find(|vendor| vendor.slug() == "activecampaign");
    let rule = FaultRule::status(503).on("GET", "/lists").always();
    vendor.unwrap().faults().add(rule);
    let (status, answer) = tenant
        .call("PUT", &path, json!({ "settings": ACTIVECAMPAIGN.settings("2") }))
        .await;
    assert_eq!(status, 502, "{answer}");
    let (_, shown) = tenant.call("GET", &path, Value::Null).await;
    assert_eq!(shown["data"]["settings"], ACTIVECAMPAIGN.settings("1"));
    assert_eq!(shown["data"]["status"], "active");
}

/// Runs `opt_in` on a new contact by a connection; the contact and the execution.
async fn opt_in(world: &World, tenant: &Tenant<'_>, connection: &str, email: &str) -> (String, Value) {
    let account = AccountId::parse(&tenant.account_id).unwrap();
    let id = ConnectionId::parse(connection).unwrap();
    let crm = world.platform.loader.load(&account, &id).await.unwrap().connector;
    let new = NewContact {
        fields: json!({ "email": email }).as_object().cloned().unwrap(),
        tags: Vec::new(),
    };
    let contact = crm.create_contact(&new).await.unwrap().id;
    let body = json!({
        "name": email, "helper_type": "opt_in", "connection_id": connection, "config": { "reason": "form" },
    });
    let (status, helper) = tenant.call("POST", "/helpers", body).await;
    assert_eq!(status, 201, "{helper}");
    let execution = tenant.execute(&helper["data"], &contact).await;
    let ended = tenant.ended(&execution).await;
    (contact, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_activecampaign_says_what_to_set_and_then_subscribes_to_it() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let (path, id) = ACTIVECAMPAIGN.connect(&world, &tenant, json!({})).await;
    let (_, failed) = opt_in(&world, &tenant, &id, "first@example.com").await;
    assert_eq!(failed["status"], "failed");
    let message = failed["error_message"].as_str().unwrap();
    assert!(
        message.contains(
            "Set default_list_id in the settings of the connection to one of: 1 (Newsletter), 2 (Product News), \
             3 (Events)"
        ),
        "{message}"
    );

    let (status, _) = tenant
        .call("PUT", &path, json!({ "settings": ACTIVECAMPAIGN.settings("3") }))
        .await;
    assert_eq!(status, 200);
    let (contact, ended) = opt_in(&world, &tenant, &id, "second@example.com").await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let state = format!("/_sim/activecampaign/_state?contact_id={contact}");
    let (_, shown) = world.call("GET", &state, None, Value::Null).await;
    assert_eq!(shown["lists"], json!({ "Events": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_hubspot_subscribes_to_the_type_of_the_connection() {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let (_, id) = HUBSPOT.connect(&world, &tenant, HUBSPOT.settings("7004")).await;
    let (contact, ended) = opt_in(&world, &tenant, &id, "ada@example.com").await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let state = format!("/_sim/hubspot/_state?contact_id={contact}");
    let (_, shown) = world.call("GET", &state, None, Value::Null).await;
    assert_eq!(shown["consent"]["subscriptions"], json!({ "7004": true }));
}
