//! The Ontraport connector in front of its simulator.

use std::sync::LazyLock;

use mfh_connectors::{ConnectorConfig, build};
use mfh_simulators::Ontraport as Simulator;
use mfh_simulators::ontraport::{API_KEY, APP_ID};
use mfh_simulators::openapi::{Description, ONTRAPORT_GAPS};
use mfh_types::AuthType;
use serde_json::Value;

use crate::support::{Bench, conform, descriptions, key};
use crate::{Seen, Subject, texts};

static DESCRIPTION: LazyLock<Option<Vec<Description>>> =
    LazyLock::new(|| descriptions(&["ontraport/ontraport-objects.assembled.openapi.json"]));

pub struct Ontraport(Bench);

impl Ontraport {
    pub async fn start() -> Self {
        let bench = Bench::start(Simulator::open, |world, _, url| {
            let config = ConnectorConfig {
                auth_type: AuthType::ApiKey,
                app_id: Some(APP_ID.to_owned()),
                ..world.config(url, key("ontraport", API_KEY))
            };
            build("ontraport", config).unwrap()
        });
        Self(bench.await.0)
    }
}

impl Subject for Ontraport {
    fn bench(&self) -> &Bench {
        &self.0
    }

    fn seen(&self, state: &Value) -> Seen {
        Seen {
            automations: texts(&state["automations_entered"], "name"),
            notes: texts(&state["notes"], "text"),
            ..Seen::of(state, "custom_fields")
        }
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("21", "New Lead Nurture")
    }

    fn check_traffic(&self) {
        let mut exchanges = self.0.exchanges();
        for exchange in &mut exchanges {
            // The description begins below the version.
            let path = exchange.request.path.strip_prefix("/1").map(str::to_owned);
            exchange.request.path = path.unwrap_or_default();
        }
        conform(DESCRIPTION.as_deref(), &exchanges, ONTRAPORT_GAPS);
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
