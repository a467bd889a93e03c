//! The GoHighLevel connector in front of its simulator.

use std::sync::LazyLock;

use mfh_connectors::build;
use mfh_simulators::GoHighLevel as Simulator;
use mfh_simulators::gohighlevel::LOCATION_ID;
use mfh_simulators::openapi::{Description, GOHIGHLEVEL_GAPS};
use serde_json::{Value, json};

use crate::support::{Bench, conform, descriptions, key};
use crate::{Seen, Subject, texts};

/// The vendor describes each part of the API in a file of its own.
static DESCRIPTIONS: LazyLock<Option<Vec<Description>>> = LazyLock::new(|| {
    descriptions(&[
        "gohighlevel/contacts.json",
        "gohighlevel/locations.json",
        "gohighlevel/workflows.json",
        "gohighlevel/users.json",
        "gohighlevel/oauth.json",
    ])
});

pub struct GoHighLevel(Bench);

impl GoHighLevel {
    pub async fn start() -> Self {
        let bench = Bench::start(Simulator::open, |world, simulator, url| {
            let token = simulator.issue_tokens().unwrap().access_token;
            let mut config = world.config(url, key("gohighlevel", &token));
            config.external_app_id = Some(LOCATION_ID.to_owned());
            build("gohighlevel", config).unwrap()
        });
        Self(bench.await.0)
    }
}

impl Subject for GoHighLevel {
    fn bench(&self) -> &Bench {
        &self.0
    }

    fn seen(&self, state: &Value) -> Seen {
        Seen {
            automations: texts(&state["workflows_entered"], "workflow"),
            notes: texts(&state["notes"], "body"),
            ..Seen::of(state, "custom_fields")
        }
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("5a1f0c52-7d0e-4b51-9a53-0d6f1c1e0001", "New Lead Nurture")
    }

    fn check_traffic(&self) {
        conform(DESCRIPTIONS.as_deref(), &self.0.exchanges(), GOHIGHLEVEL_GAPS);
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
