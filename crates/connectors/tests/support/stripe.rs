//! The Stripe connector in front of its simulator.

use std::sync::{Arc, LazyLock};

use mfh_connectors::Connector;
use mfh_simulators::openapi::{Description, STRIPE_GAPS, vendor_file};
use mfh_simulators::stripe::SECRET_KEY;
use mfh_simulators::{Server, Stripe as Simulator};
use mfh_types::SeededRandom;
use serde_json::Value;

use crate::support::World;

pub struct Stripe {
    pub world: World,
    pub simulator: Simulator,
    pub server: Server,
    pub connector: Arc<dyn Connector>,
}

impl Stripe {
    pub async fn start() -> Self {
        Self::start_with_key(SECRET_KEY).await
    }

    pub async fn start_with_key(key: &str) -> Self {
        let world = World::new();
        let random = Arc::new(SeededRandom::new(2));
        let simulator = Simulator::open(None, world.clock.clone(), random).unwrap();
        simulator.log().record_exchanges();
        let server = simulator.start().await.unwrap();
        let connector = world.connect("stripe", &server.base_url(), key);
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

    pub fn requests(&self) -> usize {
        self.simulator.log().requests().len()
    }

    /// The writes of this kind that were applied.
    pub fn applied(&self, op: &str) -> usize {
        let writes = self.simulator.log().writes();
        writes.iter().filter(|write| write.op == op).count()
    }

    /// Fails when a request or an answer is not as the vendor's description has it.
    pub fn check_traffic(&self) {
        static DESCRIPTION: LazyLock<Option<Description>> = LazyLock::new(|| {
            let file = vendor_file("stripe/stripe-customers.trimmed.openapi.json")?;
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
            .flat_map(|exchange| description.check(exchange, STRIPE_GAPS))
            .map(|violation| violation.to_string())
            .collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}
