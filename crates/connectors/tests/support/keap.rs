//! The Keap connector in front of its simulator.

use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use mfh_connectors::Connector;
use mfh_simulators::faults::FaultRule;
use mfh_simulators::openapi::{Description, KEAP_GAPS, vendor_file};
use mfh_simulators::{Keap as Simulator, Server};
use mfh_types::{Clock, SeededRandom, Timestamp};
use serde_json::Value;

use crate::support::World;
use crate::{Seen, Subject};

pub struct Keap {
    pub world: World,
    pub simulator: Simulator,
    pub server: Server,
    pub connector: Arc<dyn Connector>,
}

impl Keap {
    pub async fn start() -> Self {
        let world = World::new();
        let random = Arc::new(SeededRandom::new(2));
        let simulator = Simulator::open(None, world.clock.clone(), random).unwrap();
        simulator.log().record_exchanges();
        let server = simulator.start().await.unwrap();
        let token = simulator.issue_tokens().unwrap().access_token;
        let connector = world.connect("keap", &server.base_url(), &token);
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

impl Subject for Keap {
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
            goals: texts(&state["goals_achieved"], "call_name"),
            automations: texts(&state["sequences_entered"], "sequence"),
            notes: texts(&state["notes"], "text"),
        }
    }

    fn goal(&self) -> (&'static str, &'static str) {
        ("formcompleted", "mfh")
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("21", "Welcome Series")
    }

    fn check_traffic(&self) {
        static DESCRIPTION: LazyLock<Option<Description>> = LazyLock::new(|| {
            let file = vendor_file("keap/keap-rest-v2.openapi.yml")?;
            Some(Description::load(&file).unwrap())
        });
        let Some(description) = &*DESCRIPTION else {
            let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!in_ci, "the vendor descriptions must be there in CI");
            println!("vendor descriptions not found, skipping");
            return;
        };
        let exchanges = self.simulator.log().exchanges();
        assert!(!exchanges.is_empty());
        let violations: Vec<String> = exchanges
            .iter()
            .flat_map(|exchange| description.check(exchange, KEAP_GAPS))
            .map(|violation| violation.to_string())
            .collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}
