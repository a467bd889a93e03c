//! The ActiveCampaign connector in front of its simulator.

use std::sync::Arc;

use mfh_connectors::{Connector, OptInOutcome, OptInStatus};
use mfh_simulators::activecampaign::{API_KEY, ActiveCampaign as Simulator};
use mfh_types::ConnectionSettings;
use serde_json::Value;

use crate::support::{Bench, World};
use crate::{Seen, Subject, texts};

/// The simulator's lists.
const NEWSLETTER: u64 = 1;
const PRODUCT_NEWS: u64 = 2;
const EVENTS: u64 = 3;

pub struct ActiveCampaign {
    bench: Bench,
    simulator: Simulator,
}

impl ActiveCampaign {
    pub async fn start() -> Self {
        let connect = |world: &World, _: &Simulator, url: &str| world.connect("activecampaign", url, API_KEY);
        let (bench, simulator) = Bench::start(Simulator::open, connect).await;
        Self { bench, simulator }
    }
}

/// Whether a value is one of the numbers that some bodies want as such.
fn is_id(value: &Value) -> bool {
    value.is_u64()
}

impl Subject for ActiveCampaign {
    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn seen(&self, state: &Value) -> Seen {
        Seen {
            automations: texts(&state["automations"], "automation"),
            notes: texts(&state["notes"], "text"),
            ..Seen::of(state, "custom_fields")
        }
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("21", "Welcome Series")
    }

    /// No description of the vendor's may be used, so these are the rules that `connectors` §2.3 states.
    fn check_traffic(&self) {
        for exchange in self.bench.exchanges() {
            let (request, body) = (&exchange.request, exchange.request_body.unwrap_or_default());
            let path = request.path.strip_prefix("/api/3").unwrap();
            let query = request.query.clone().unwrap_or_default();
            let at = format!("{} {path}?{query} {body}", request.method);
            assert!(!matches!(request.status, 400 | 405), "{at}: the request is malformed");
            match (request.method.as_str(), path) {
                ("POST", "/contactTags") => {
                    let row = &body["contactTag"];
                    assert!(is_id(&row["contact"]) && is_id(&row["tag"]), "{at}");
                }
                ("POST", "/contactAutomations") => {
                    let row = &body["contactAutomation"];
                    assert!(is_id(&row["contact"]) && is_id(&row["automation"]), "{at}");
                }
                ("POST", "/contactLists") => {
                    assert!(
                        matches!(body["contactList"]["status"].as_str(), Some("1" | "2")),
                        "{at}"
                    );
                    assert!(
                        body["contactList"].get("sourceid").is_none(),
                        "{at}: nobody is put back on a list"
                    );
                }
                ("POST", "/notes") => assert_eq!(body["note"]["reltype"], "Subscriber", "{at}"),
                ("POST", "/contacts" | "/contact/sync") | ("PUT", _) => {
                    let values = body["contact"]["fieldValues"].as_array().cloned().unwrap_or_default();
                    assert!(
                        values
                            .iter()
                            .all(|row| row["field"].is_string() && row["value"].is_string()),
                        "{at}"
                    );
                }
                ("GET", "/contacts") => assert!(query.contains("limit="), "{at}"),
                ("GET", _) => assert!(body.is_null(), "{at}"),
                _ => {}
            }
        }
    }

    fn addresses_and_phones(&self) -> (usize, usize) {
        (1, 1)
    }

    fn unsearchable(&self) -> &'static [&'static str] {
        &["", "*", "a b@example.com"]
    }

    fn knows_order_of_tagging(&self) -> bool {
        false
    }

    fn has_tag_categories(&self) -> bool {
        false
    }

    fn lacks(&self) -> &'static [&'static str] {
        &[
            "address1", "birthday", "city", "country", "email2", "owner_id", "phone2", "state", "timezone", "website",
            "zip",
        ]
    }

    /// Text, long text, date, date and time, one choice, several choices.
    fn data_types(&self) -> usize {
        6
    }

    /// Consent is given per list, and nobody who has left a list is put back on it.
    async fn consent_steps(&self, contact_id: &str) -> Vec<(bool, OptInOutcome, OptInStatus)> {
        for (list, status) in [(NEWSLETTER, 1), (PRODUCT_NEWS, 1), (EVENTS, 0)] {
            self.simulator.subscribe(contact_id, list, status).unwrap();
        }
        vec![
            (true, OptInOutcome::Already, OptInStatus::OptedIn),
            (false, OptInOutcome::Applied, OptInStatus::OptedOut),
            (false, OptInOutcome::Already, OptInStatus::OptedOut),
            (true, OptInOutcome::NotPermitted, OptInStatus::OptedOut),
        ]
    }

    fn opting_in_to(&self, target: Option<&str>) -> Option<Arc<dyn Connector>> {
        let settings = ConnectionSettings {
            default_list_id: target.map(str::to_owned),
            ..ConnectionSettings::default()
        };
        let (world, address) = (&self.bench.world, self.bench.server.base_url());
        Some(world.connect_with("activecampaign", &address, API_KEY, settings))
    }

    async fn opted_in_to(&self, contact_id: &str) -> Vec<String> {
        let state = self.bench.state(contact_id).await;
        let lists = state["lists"].as_object().unwrap();
        let named = [
            ("Newsletter", NEWSLETTER),
            ("Product News", PRODUCT_NEWS),
            ("Events", EVENTS),
        ];
        let active = named
            .into_iter()
            .filter(|(name, _)| lists.get(*name) == Some(&1.into()));
        active.map(|(_, id)| id.to_string()).collect()
    }

    /// Notes have no title: it is the first line.
    fn note(&self, title: &str, body: &str) -> String {
        if title.is_empty() {
            body.to_owned()
        } else {
            format!("{title}\n{body}")
        }
    }
}
