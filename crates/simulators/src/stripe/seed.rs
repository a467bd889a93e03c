//! The demo customers: the same every time.

use mfh_types::TimestampMs;

use super::state::Customer;
use crate::demo::Person;
use crate::limits::DAY;

/// A customer with a name of three words, an address and metadata.
pub const DEMO_CUSTOMER_ID: &str = "cus_demo000001";

/// How many customers the demo account has.
pub(crate) const CUSTOMERS: usize = 120;
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

/// One of the customers, the oldest first; `index` counts from 0.
pub(crate) fn customer(index: usize, now: TimestampMs) -> Customer {
    let n = u64::try_from(index).unwrap_or_default() + 1;
    let person = Person { index: index + 1 };
    let age = i64::try_from(CUSTOMERS - index).unwrap_or_default();
    let mut customer = Customer {
        id: format!("cus_demo{n:06}"),
        n,
        created: now.0.timestamp() - DAY * age,
        name: Some(format!("{} {}", person.pick(&GIVEN), person.pick(&FAMILY))),
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
        customer.metadata = members(&[("plan", person.pick(&PLANS)), ("lead_score", &(n * 5).to_string())]);
    }
    customer
}

fn members(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
