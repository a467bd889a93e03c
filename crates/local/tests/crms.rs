//! Every helper on every CRM, through the API and the queues, against the simulators.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use mfh_connectors::{Connector, DataType};
use mfh_helpers::Registration;
use mfh_simulators::Simulator;
use mfh_types::{AccountId, ConnectionId};
use serde_json::{Map, Value, json};
use support::{Tenant, World};

/// How a run may end besides completing: the CRM lacks what the helper works with, or keeps the address as it is.
const HONEST: [&str; 2] = ["UNSUPPORTED", "OPT_IN_NOT_PERMITTED"];

/// A tenant's connection to one simulated CRM, with names of its account to fill into settings.
struct Connected<'a> {
    tenant: &'a Tenant<'a>,
    vendor: Arc<dyn Simulator>,
    connection_id: String,
    crm: Arc<dyn Connector>,
    tags: Vec<String>,
    /// Keys of text fields.
    fields: Vec<String>,
    owner: Option<String>,
}

impl<'a> Connected<'a> {
    async fn to(world: &'a World, tenant: &'a Tenant<'a>, slug: &str) -> Self {
        let vendor = world.platform.vendors.iter().find(|vendor| vendor.slug() == slug);
        let vendor = Arc::clone(vendor.unwrap());
        let pairs = vendor.credentials().iter();
        let mut credentials: Map<String, Value> = pairs.map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        if slug == "activecampaign" {
            credentials.insert("api_url".to_owned(), json!(format!("{}/_sim/{slug}", world.url)));
        }
        let connection = json!({ "name": format!("My {slug}"), "credentials": credentials });
        let path = format!("/platforms/{slug}/connections");
        let (status, answer) = tenant.call("POST", &path, connection).await;
        assert_eq!(status, 201, "{slug}: {answer}");
        let connection_id = answer["data"]["connection_id"].as_str().unwrap().to_owned();
        let account = AccountId::parse(&tenant.account_id).unwrap();
        let id = ConnectionId::parse(&connection_id).unwrap();
        let crm = world.platform.loader.load(&account, &id).await.unwrap().connector;
        let tags = crm.get_tags().await.unwrap().into_iter().map(|tag| tag.name);
        let fields = crm.get_custom_fields().await.unwrap().into_iter();
        let texts = fields.filter(|field| field.data_type == DataType::Text && !field.read_only);
        let owner = crm
            .list_users()
            .await
            .ok()
            .and_then(|users| Some(users.first()?.id.clone()));
        Self {
            tenant,
            vendor,
            connection_id,
            tags: tags.collect(),
            fields: texts.map(|field| field.key).collect(),
            owner,
            crm,
        }
    }

    /// The example of a helper with tags, fields, users, goals and contacts that this account has.
    async fn config(&self, helper: &Registration) -> Value {
        let schema = helper.config_schema();
        let mut example: Value = serde_json::from_str(helper.example).unwrap();
        let mut named = Vec::new();
        Self::named_fields(&example, &schema, &mut named);
        let mut known = BTreeMap::new();
        for field in named {
            let value = self.crm.get_field_value(self.vendor.demo_contact_id(), &field).await;
            if value.is_ok() {
                known.insert(field.clone(), field);
            }
        }
        self.fit(&mut example, &schema, &mut known);
        example
    }

    fn named_fields(value: &Value, schema: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    Self::named_fields(member, &schema["properties"][name], found);
                }
            }
            Value::Array(entries) => entries
                .iter()
                .for_each(|entry| Self::named_fields(entry, &schema["items"], found)),
            Value::String(text) if schema["format"] == "crm_field" && !text.starts_with('_') => {
                found.push(text.clone());
            }
            _ => {}
        }
    }

    fn fit(&self, value: &mut Value, schema: &Value, known: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    self.fit(member, &schema["properties"][name], known);
                }
            }
            Value::Array(entries) => {
                for entry in entries {
                    self.fit(entry, &schema["items"], known);
                }
            }
            Value::String(text) => {
                let pool: &[String] = match schema["format"].as_str() {
                    Some("tag") => &self.tags,
                    Some("crm_field") => &self.fields,
                    Some("crm_user") => self.owner.as_slice(),
                    Some("goal") => return "formcompleted".clone_into(text),
                    _ => return,
                };
                let count = known.len();
                let known = known.entry(text.clone());
                let chosen = known.or_insert_with(|| pool.get(count % pool.len().max(1)).cloned().unwrap_or_default());
                text.clone_from(chosen);
            }
            Value::Number(_) if schema["format"] == "crm_user" => *value = json!(self.owner),
            _ => {}
        }
    }

    /// Runs a helper on the demo contact by HTTP; the execution when it is over.
    async fn run(&self, helper: &Registration, config: Value) -> Value {
        let body = json!({
            "name": helper.meta.name, "helper_type": helper.meta.type_name, "connection_id": self.connection_id,
            "config": config,
        });
        let (status, answer) = self.tenant.call("POST", "/helpers", body).await;
        assert_eq!(status, 201, "{}: {answer}", helper.meta.type_name);
        let id = self
            .tenant
            .execute(&answer["data"], self.vendor.demo_contact_id())
            .await;
        self.tenant.ended(&id).await
    }

    /// Gives every text field that the settings name something that the helper can read.
    async fn prepare(&self, helper: &Registration) {
        let text = match helper.meta.type_name {
            "date_calc" | "when_is_it" => "2026-03-01T12:00:00Z",
            "ip_location" => "203.0.113.7",
            _ => "12.5",
        };
        let values = self.fields.iter().map(|key| (key.clone(), json!(text)));
        let mut values: Map<String, Value> = values.collect();
        values.insert("phone".to_owned(), json!("+14155550132"));
        let contact = self.vendor.demo_contact_id();
        self.crm.set_field_values(contact, &values).await.unwrap();
    }
}

/// Whether this account has all that the helper needs: no account at a service, a CRM it supports, users to own contacts.
fn fits(helper: &Registration, crm: &Connected<'_>) -> bool {
    let meta = &helper.meta;
    let supported = meta.supported_crms.is_empty() || meta.supported_crms.contains(&crm.vendor.slug());
    let sets_owner = matches!(meta.type_name, "assign_it" | "own_it");
    meta.services.is_empty() && supported && (crm.owner.is_some() || !sets_owner)
}

/// Runs every helper that fits; how many completed.
async fn every_helper_on(slug: &str) -> usize {
    let world = World::start().await;
    let tenant = world.tenant("ada").await;
    let crm = Connected::to(&world, &tenant, slug).await;
    let mut completed = 0;
    for helper in mfh_helpers::catalogue() {
        if !fits(helper, &crm) {
            continue;
        }
        let type_name = helper.meta.type_name;
        let mut config = crm.config(helper).await;
        match type_name {
            "contact_updater" => config = json!({ "fields": { "company": "Acme", crm.fields[0].clone(): "active" } }),
            "field_to_field" => {
                config = json!({ "mappings": [{ "source": "first_name", "target": crm.fields[0] }] });
            }
            "move_it" => config = json!({ "source_field": crm.fields[0], "target_field": "last_name" }),
            // The integration under which the simulated account knows its goals.
            "phone_lookup" => config["integration"] = json!("mfh"),
            _ => {}
        }
        crm.prepare(helper).await;
        let execution = crm.run(helper, config.clone()).await;
        let code = execution["error_code"]
            .as_str()
            .or_else(|| execution["error"]["code"].as_str());
        match execution["status"].as_str() {
            Some("completed") => completed += 1,
            Some("failed") if code.is_some_and(|code| HONEST.contains(&code)) => {
                println!("{slug} cannot run {type_name}: {}", execution["error_message"]);
            }
            _ => panic!("{type_name} on {slug} with {config}: {execution}"),
        }
    }
    completed
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_run_on_keap() {
    // Every one but opt_in: Keap keeps the address of the demo contact as it is.
    assert_eq!(every_helper_on("keap").await, mfh_helpers::catalogue().len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_run_on_gohighlevel() {
    assert!(every_helper_on("gohighlevel").await >= 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_run_on_activecampaign() {
    assert!(every_helper_on("activecampaign").await >= 28);
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_run_on_ontraport() {
    assert!(every_helper_on("ontraport").await >= 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn helpers_run_on_hubspot() {
    assert!(every_helper_on("hubspot").await >= 30);
}
