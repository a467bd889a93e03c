//! Calls that a helper run costs at each CRM, and what the connector adds to the time of a call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mfh_connectors::{
    Capability, Connector, ConnectorConfig, DataType, Shared, StaticToken, TokioSleeper, Transport, build,
};
use mfh_helpers::{Context, Journal, MemoryJournal, Run, execute, find};
use mfh_simulators::{Server, Simulator};
use mfh_types::{
    AuthType, Clock, ConnectionId, ConnectionSettings, JsonObject, Random, RateLimits, Secret, SystemClock,
    SystemRandom,
};
use serde_json::{Map, Value, json};

use super::{percentile, rounded};

/// Calls of which the time is taken.
const CALLS: usize = 300;

/// More requests than one machine can send.
const UNLIMITED: RateLimits = RateLimits {
    requests_per_second: 100_000,
    requests_per_minute: 0,
    requests_per_hour: 0,
    burst_limit: 100_000,
};

/// A connector in front of its simulator.
struct Connected {
    vendor: Arc<dyn Simulator>,
    server: Server,
    crm: Arc<dyn Connector>,
}

/// Measures every CRM; one object by slug.
pub(super) async fn measure() -> anyhow::Result<Value> {
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let (_, vendors) = mfh_simulators::all(None, &clock, &random)?;
    let mut report = Map::new();
    for vendor in vendors {
        let connected = connect(vendor, &clock, &random).await?;
        if !connected.crm.can(Capability::Tags) {
            continue;
        }
        let (first, later) = calls(&connected).await?;
        let measured = json!({
            "calls_first_run": first, "calls_later_runs": later, "overhead": overhead(&connected).await?,
        });
        report.insert(connected.vendor.slug().to_owned(), measured);
    }
    Ok(Value::Object(report))
}

async fn connect(
    vendor: Arc<dyn Simulator>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<Connected> {
    let server = Server::start(vendor.router(), vendor.base_path()).await?;
    let credential = |key: &str| {
        let found = vendor.credentials().iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    };
    let key = Secret::new(credential("api_key").unwrap_or_default());
    let sleeper = Arc::new(TokioSleeper);
    let config = ConnectorConfig {
        connection_id: ConnectionId::parse("bench")?,
        base_url: Some(server.base_url()),
        auth_type: AuthType::ApiKey,
        credentials: Arc::new(StaticToken::new(vendor.slug(), key)),
        app_id: credential("app_id"),
        settings: ConnectionSettings::default(),
        external_app_id: credential("location_id"),
        user_host: false,
        rate_limits: UNLIMITED,
        throttle_key: None,
        shared: Shared::new(Transport::new()?, clock.clone(), random.clone(), sleeper),
    };
    let crm = build(vendor.slug(), config)?;
    Ok(Connected { vendor, server, crm })
}

/// The settings of the measured helpers with names that the account has.
async fn cases(crm: &dyn Connector) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let tags = crm.get_tags().await?;
    let fields = crm.get_custom_fields().await?;
    let texts = fields
        .iter()
        .filter(|field| field.data_type == DataType::Text && !field.read_only);
    let text = &texts.clone().next().context("every simulator has a text field")?.key;
    let [first, second, ..] = tags.as_slice() else {
        anyhow::bail!("every simulator has tags");
    };
    Ok(vec![
        ("tag_it", json!({ "action": "apply", "tag_ids": [first.id] })),
        (
            "score_it",
            json!({ "rules": [{ "tag_id": first.name, "points": 5 }, { "tag_id": second.name, "points": 3 }], "target_field": text }),
        ),
        ("count_tags", json!({ "target_field": text })),
        ("group_it", json!({ "field": "last_name", "tag_prefix": "Family " })),
        ("clear_tags", json!({ "mode": "prefix", "prefix": "Family " })),
        ("copy_it", json!({ "source_field": "first_name", "target_field": text })),
        (
            "combine_it",
            json!({ "source_fields": ["first_name", "last_name"], "target_field": text }),
        ),
        ("found_it", json!({ "check_field": "email", "found_tag_id": second.id })),
        (
            "text_it",
            json!({ "operation": "slug", "field": "first_name", "target_field": text }),
        ),
        ("opt_out", json!({ "reason": "bench" })),
    ])
}

/// Calls of each helper: when nothing of the CRM is known yet, and later.
async fn calls(
    connected: &Connected,
) -> anyhow::Result<(BTreeMap<&'static str, usize>, BTreeMap<&'static str, usize>)> {
    let cases = cases(&*connected.crm).await?;
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let (mut first, mut later) = (BTreeMap::new(), BTreeMap::new());
    for (helper, config) in cases {
        let fresh = connect(Arc::clone(&connected.vendor), &clock, &random).await?;
        if let Some(count) = run(&fresh, helper, &config).await? {
            first.insert(helper, count);
        }
        if let Some(count) = run(connected, helper, &config).await? {
            later.insert(helper, count);
        }
    }
    Ok((first, later))
}

/// The calls of one run; none where the settings do not fit the helper or the CRM cannot do it.
async fn run(connected: &Connected, helper: &str, config: &Value) -> anyhow::Result<Option<usize>> {
    let registration = find(helper).with_context(|| format!("there is no helper {helper}"))?;
    let config: JsonObject = serde_json::from_value(config.clone())?;
    ensure!(
        registration.validate(&config).is_ok(),
        "the settings of {helper} are not valid: {:?}",
        registration.validate(&config)
    );
    let before = connected.vendor.log().requests().len();
    let mut store = MemoryJournal::default();
    let run = Run {
        contact_id: Some(connected.vendor.demo_contact_id().to_owned()),
        crm: Some(Arc::clone(&connected.crm)),
        input: None,
        started_at: chrono::Utc::now(),
        dry_run: false,
    };
    let cx = Context::new(run, Journal::new(BTreeMap::new(), &mut store));
    let report = execute(registration, &config, cx, std::future::pending()).await;
    let calls = connected.vendor.log().requests().len() - before;
    Ok(report.failure.is_none().then_some(calls))
}

/// The median time of reading a contact through the connector, and of the same requests sent plainly.
async fn overhead(connected: &Connected) -> anyhow::Result<Value> {
    let contact = connected.vendor.demo_contact_id();
    let before = connected.vendor.log().requests().len();
    connected.crm.get_contact(contact).await?;
    let requests = connected.vendor.log().requests().split_off(before);
    let mut through = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        connected.crm.get_contact(contact).await?;
        through.push(millis(started.elapsed()));
    }
    let client = reqwest::Client::new();
    let addresses: Vec<String> = requests
        .iter()
        .map(|request| {
            let query = request
                .query
                .as_ref()
                .map_or_else(String::new, |query| format!("?{query}"));
            format!("{}{}{query}", connected.server.origin(), request.path)
        })
        .collect();
    let mut plain = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        for address in &addresses {
            // Refused for want of a key, which costs the simulator less than an answer: the overhead is an upper bound.
            client.get(address).send().await?.bytes().await?;
        }
        plain.push(millis(started.elapsed()));
    }
    let median = |mut times: Vec<f64>| {
        times.sort_unstable_by(f64::total_cmp);
        percentile(&times, 0.5)
    };
    let (through, plain) = (median(through), median(plain));
    let added = through
        .zip(plain)
        .map(|(through, plain)| rounded((through - plain) / addresses.len() as f64));
    Ok(json!({
        "calls_of_get_contact": addresses.len(), "get_contact_ms": through.map(rounded), "added_ms_per_call": added,
    }))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
