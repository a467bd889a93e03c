//! The Keap connector in front of its simulator.

use std::sync::LazyLock;

use mfh_simulators::Keap as Simulator;
use mfh_simulators::openapi::{Description, KEAP_GAPS};
use serde_json::Value;

use crate::support::{Bench, conform, descriptions};
use crate::{Seen, Subject, texts};

static DESCRIPTION: LazyLock<Option<Vec<Description>>> =
    LazyLock::new(|| descriptions(&["keap/keap-rest-v2.openapi.yml"]));

pub struct Keap(Bench);

impl Keap {
    pub async fn start() -> Self {
        let bench = Bench::start(Simulator::open, |world, simulator, url| {
            let token = simulator.issue_tokens().unwrap().access_token;
            world.connect("keap", url, &token)
        });
        Self(bench.await.0)
    }
}

impl Subject for Keap {
    fn bench(&self) -> &Bench {
        &self.0
    }

    fn seen(&self, state: &Value) -> Seen {
        Seen {
            goals: texts(&state["goals_achieved"], "call_name"),
            automations: texts(&state["sequences_entered"], "sequence"),
            notes: texts(&state["notes"], "text"),
            ..Seen::of(state, "custom_fields")
        }
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("21", "Welcome Series")
    }

    fn check_traffic(&self) {
        conform(DESCRIPTION.as_deref(), &self.0.exchanges(), KEAP_GAPS);
    }
}
