//! The demo customers: the same every time.

use mfh_types::Clock;

use super::state::Customer;

/// A customer with a name of three words, an address and metadata.
pub const DEMO_CUSTOMER_ID: &str = "cus_demo000001";

const CUSTOMERS: u64 = 120;
const GIVEN: [&str; 8] = ["Ada", "Björn", "Chidi", "Dolores", "Emil", "Fatima", "Grace", "Hugo"];
const FAMILY: [&str; 7] = [
    "Lovelace",
    "Byron",
    "O'Hara",
    "de la Cruz",
    "Nakamura",
    "Weiß",
    "Okafor",
];
const PLANS: [&str; 3] = ["starter", "growth", "scale"];
const DAY: i64 = 86_400;

/// The customers, the oldest first.
pub(crate) fn customers(clock: &dyn Clock) -> impl Iterator<Item = Customer> {
    let now = clock.unix();
    (1..=CUSTOMERS).map(move |n| customer(n, now))
}

fn customer(n: u64, now: i64) -> Customer {
    let pick = |names: &[&str]| names.get(index(n, names.len())).copied().unwrap_or_default().to_owned();
    let mut customer = Customer {
        id: format!("cus_demo{n:06}"),
        n,
        created: now - DAY * (CUSTOMERS - n + 1).cast_signed(),
        name: Some(format!("{} {}", pick(&GIVEN), pick(&FAMILY))),
        email: Some(format!("customer.{n}@example.com")),
        ..Customer::default()
    };
    if n == 1 {
        customer.name = Some("Ada Augusta Lovelace".to_owned());
        customer.phone = Some("+1 555 010 0001".to_owned());
        customer.address = members(&[("line1", "12 St James's Square"), ("city", "London"), ("country", "GB")]);
    }
    // Every tenth came through a form that asked for the address only.
    if n.is_multiple_of(10) {
        customer.name = None;
    }
    if !n.is_multiple_of(3) || n == 1 {
        customer.metadata = members(&[("plan", &pick(&PLANS)), ("lead_score", &(n * 5).to_string())]);
    }
    customer
}

fn members(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn index(n: u64, length: usize) -> usize {
    usize::try_from(n).unwrap_or_default() % length.max(1)
}
