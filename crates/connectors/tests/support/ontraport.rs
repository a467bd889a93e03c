//! The Ontraport connector in front of its simulator.

use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use mfh_connectors::{Connector, ConnectorConfig, build};
use mfh_simulators::faults::FaultRule;
use mfh_simulators::ontraport::{API_KEY, APP_ID};
use mfh_simulators::openapi::{Description, ONTRAPORT_GAPS, vendor_file};
use mfh_simulators::{Ontraport as Simulator, Server};
use mfh_types::{AuthType, Clock, SeededRandom, Timestamp};
use serde_json::Value;

use crate::support::{World, key};
use crate::{Seen, Subject};

pub struct Ontraport {
    pub world: World,
    pub simulator: Simulator,
    pub server: Server,
    pub connector: Arc<dyn Connector>,
}

impl Ontraport {
    pub async fn start() -> Self {
        let world = World::new();
        let simulator = Simulator::open(None, world.clock.clone(), Arc::new(SeededRandom::new(2))).unwrap();
        simulator.log().record_exchanges();
        let server = simulator.start().await.unwrap();
        let config = ConnectorConfig {
            auth_type: AuthType::ApiKey,
            app_id: Some(APP_ID.to_owned()),
            ..world.config(&server.base_url(), key("ontraport", API_KEY))
        };
        let connector = build("ontraport", config).unwrap();
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

impl Subject for Ontraport {
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
            automations: texts(&state["automations_entered"], "name"),
            notes: texts(&state["notes"], "text"),
        }
    }

    /// Ontraport has no goals.
    fn goal(&self) -> (&'static str, &'static str) {
        ("formcompleted", "mfh")
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("21", "New Lead Nurture")
    }

    fn check_traffic(&self) {
        static DESCRIPTION: LazyLock<Option<Description>> = LazyLock::new(|| {
            let file = vendor_file("ontraport/ontraport-objects.assembled.openapi.json")?;
            Some(Description::load(&file).unwrap())
        });
        let Some(description) = &*DESCRIPTION else {
            let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!in_ci, "the vendor descriptions must be there in CI");
            println!("vendor descriptions not found, skipping");
            return;
        };
        let mut exchanges = self.simulator.log().exchanges();
        assert!(!exchanges.is_empty());
        for exchange in &mut exchanges {
            // The description begins below the version.
            let path = exchange.request.path.strip_prefix("/1").map(str::to_owned);
            exchange.request.path = path.unwrap_or_default();
        }
        let violations: Vec<String> = exchanges
            .iter()
            .flat_map(|exchange| description.check(exchange, ONTRAPORT_GAPS))
            .map(|violation| violation.to_string())
            .collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }

    fn addresses_and_phones(&self) -> (usize, usize) {
        (1, 3)
    }

    /// Conditions are built by a serialiser, so any address can be searched for.
    fn unsearchable(&self) -> &'static [&'static str] {
        &["", "  "]
    }

    fn knows_order_of_tagging(&self) -> bool {
        false
    }

    fn has_tag_categories(&self) -> bool {
        false
    }

    fn note(&self, title: &str, body: &str) -> String {
        format!("{title}\n{body}").trim_start().to_owned()
    }
}
