//! The GoHighLevel connector in front of its simulator.

use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use mfh_connectors::{Connector, build};
use mfh_simulators::access_log::Exchange;
use mfh_simulators::faults::FaultRule;
use mfh_simulators::gohighlevel::LOCATION_ID;
use mfh_simulators::openapi::{Description, GOHIGHLEVEL_GAPS, Violation, vendor_file};
use mfh_simulators::{GoHighLevel as Simulator, Server};
use mfh_types::{Clock, SeededRandom, Timestamp};
use serde_json::{Value, json};

use crate::support::{World, key};
use crate::{Seen, Subject};

pub struct GoHighLevel {
    pub world: World,
    pub simulator: Simulator,
    pub server: Server,
    pub connector: Arc<dyn Connector>,
}

impl GoHighLevel {
    pub async fn start() -> Self {
        let world = World::new();
        let random = Arc::new(SeededRandom::new(3));
        let simulator = Simulator::open(None, world.clock.clone(), random).unwrap();
        simulator.log().record_exchanges();
        let server = simulator.start().await.unwrap();
        let token = simulator.issue_tokens().unwrap().access_token;
        let mut config = world.config(&server.base_url(), key("gohighlevel", &token));
        config.external_app_id = Some(LOCATION_ID.to_owned());
        let connector = build("gohighlevel", config).unwrap();
        Self {
            world,
            simulator,
            server,
            connector,
        }
    }

    pub async fn state(&self, contact_id: &str) -> Value {
        let url = format!("{}/_state?contact_id={contact_id}", self.server.origin());
        let answer = reqwest::get(url).await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }
}

fn texts(list: &Value, member: &str) -> Vec<String> {
    let members = list.as_array().unwrap().iter();
    members
        .map(|entry| entry[member].as_str().unwrap().to_owned())
        .collect()
}

/// The vendor describes each part of the API in a file of its own; none when they are not there.
fn descriptions() -> Option<&'static [Description]> {
    static DESCRIPTIONS: LazyLock<Option<Vec<Description>>> = LazyLock::new(|| {
        let files = ["contacts", "locations", "workflows", "users", "oauth"];
        let load = |name| {
            let file = vendor_file(&format!("gohighlevel/{name}.json"))?;
            Some(Description::load(&file).unwrap())
        };
        files.into_iter().map(load).collect()
    });
    DESCRIPTIONS.as_deref()
}

/// What is wrong with an exchange by the file that has its operation.
fn check(descriptions: &[Description], exchange: &Exchange) -> Vec<Violation> {
    let (method, path) = (&exchange.request.method, &exchange.request.path);
    let has_it = |description: &&Description| description.operation_of(method, path).is_some();
    let description = descriptions.iter().find(has_it).unwrap_or(&descriptions[0]);
    description.check(exchange, GOHIGHLEVEL_GAPS)
}

impl Subject for GoHighLevel {
    fn crm(&self) -> &dyn Connector {
        &*self.connector
    }

    fn advance(&self, by: TimeDelta) {
        self.world.clock.advance(by);
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.world.clock.now())
    }

    fn add_fault(&self, rule: FaultRule) {
        self.simulator.faults().add(rule);
    }

    fn requests(&self) -> usize {
        self.simulator.log().requests().len()
    }

    async fn seen(&self, contact_id: &str) -> Seen {
        let state = self.state(contact_id).await;
        let names = state["tags"].as_array().unwrap().iter();
        Seen {
            tags: names.map(|name| name.as_str().unwrap().to_owned()).collect(),
            custom_fields: state["custom_fields"].as_object().cloned().unwrap_or_default(),
            goals: Vec::new(),
            automations: texts(&state["workflows_entered"], "workflow"),
            notes: texts(&state["notes"], "body"),
        }
    }

    fn goal(&self) -> (&'static str, &'static str) {
        ("formcompleted", "mfh")
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("5a1f0c52-7d0e-4b51-9a53-0d6f1c1e0001", "New Lead Nurture")
    }

    fn check_traffic(&self) {
        let Some(descriptions) = descriptions() else {
            let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!in_ci, "the vendor descriptions must be there in CI");
            println!("vendor descriptions not found, skipping");
            return;
        };
        let exchanges = self.simulator.log().exchanges();
        assert!(!exchanges.is_empty());
        let violations: Vec<String> = exchanges
            .iter()
            .flat_map(|exchange| check(descriptions, exchange))
            .map(|violation| violation.to_string())
            .collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }

    fn addresses_and_phones(&self) -> (usize, usize) {
        (1, 1)
    }

    fn knows_order_of_tagging(&self) -> bool {
        false
    }

    fn has_tag_categories(&self) -> bool {
        false
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["email2", "phone2", "job_title"]
    }

    fn tag_name(&self, name: &str) -> String {
        name.to_lowercase()
    }

    fn tags_follow_creation(&self) -> bool {
        false
    }

    fn shows(&self, key: &str, value: &Value) -> Value {
        match key {
            "phone" => json!("+16025550100"),
            _ => value.clone(),
        }
    }
}
