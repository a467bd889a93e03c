//! The Stripe connector in front of its simulator.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use mfh_simulators::Stripe as Simulator;
use mfh_simulators::openapi::{Description, STRIPE_GAPS};
use mfh_simulators::stripe::SECRET_KEY;
use mfh_types::SeededRandom;

use crate::support::{Bench, World, conform, descriptions};

static DESCRIPTION: LazyLock<Option<Vec<Description>>> =
    LazyLock::new(|| descriptions(&["stripe/stripe-customers.trimmed.openapi.json"]));

pub struct Stripe {
    bench: Bench,
    pub simulator: Simulator,
}

impl Deref for Stripe {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl Stripe {
    pub async fn start() -> Self {
        Self::start_with_key(SECRET_KEY).await
    }

    pub async fn start_with_key(key: &str) -> Self {
        let world = World::new();
        let random = Arc::new(SeededRandom::new(2));
        let simulator = Simulator::open(None, world.clock.clone(), random).unwrap();
        let server = simulator.start().await.unwrap();
        let connector = world.connect("stripe", &server.base_url(), key);
        Self {
            bench: Bench::new(world, server, connector, simulator.faults(), simulator.log()),
            simulator,
        }
    }

    /// The writes of this kind that were applied.
    pub fn applied(&self, op: &str) -> usize {
        let writes = self.log.writes();
        writes.iter().filter(|write| write.op == op).count()
    }

    /// Fails when a request or an answer is not as the vendor's description has it.
    pub fn check_traffic(&self) {
        conform(DESCRIPTION.as_deref(), &self.exchanges(), STRIPE_GAPS);
    }
}
