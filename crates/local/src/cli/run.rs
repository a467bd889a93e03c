//! `mfh run`: one helper on one contact of a simulated CRM, without queue and record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::Utc;
use clap::Args;
use mfh_connectors::{Connector, ConnectorConfig, Shared, StaticToken, TokioSleeper, Transport, build};
use mfh_helpers::outside::LiveClient;
use mfh_helpers::{Context, Journal, MemoryJournal, MemoryObjects, Run, World, execute, find};
use mfh_simulators::services::FOLDERS;
use mfh_simulators::{Server, Services, Simulator};
use mfh_types::{
    AuthType, Clock, ConnectionId, ConnectionSettings, JsonObject, Random, RateLimits, Secret, SystemClock,
    SystemRandom,
};

use super::{DataArgs, LogFormat, init_tracing};
use crate::data_dir::{DataDir, running};

/// One run.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The helper type, such as tag_it.
    helper_type: String,
    /// Its settings as JSON, or @file.
    #[arg(long)]
    config: String,
    /// The simulated CRM: keap, gohighlevel, activecampaign, ontraport, hubspot or stripe.
    #[arg(long, default_value = "keap", value_name = "SLUG")]
    crm: String,
    /// The contact, by its id in the simulated CRM.
    #[arg(long)]
    contact: Option<String>,
    /// Data of the run as JSON.
    #[arg(long)]
    input: Option<String>,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: RunArgs) -> anyhow::Result<()> {
    init_tracing(LogFormat::Pretty);
    let registration = find(&args.helper_type).with_context(|| {
        format!(
            "There is no helper type \"{}\". See them all with: mfh helpers",
            args.helper_type
        )
    })?;
    let config = object(&args.config, "--config")?;
    let input = args.input.as_deref().map(|text| object(text, "--input")).transpose()?;
    let crm = SimulatedCrm::reach(&args.data, &args.crm).await?;

    let mut store = MemoryJournal::default();
    let run = Run {
        contact_id: args.contact,
        crm: Some(crm.connector.clone()),
        input: input.as_ref(),
        started_at: Utc::now(),
        dry_run: args.dry_run,
    };
    let world = World {
        outside: Arc::new(LiveClient::new()?),
        endpoints: crm.endpoints.clone(),
        ..World::offline()
    };
    // What a run files away is shown, but not kept: there is no account to keep it for.
    let objects = MemoryObjects::default();
    let cx = Context::new(run, Journal::new(BTreeMap::new(), &mut store))
        .in_world(world)
        .storing_in(&objects);
    let report = execute(registration, &config, cx, std::future::pending()).await;

    let verb = if args.dry_run { "would be done" } else { "done" };
    println!("{}", report.output.message);
    for action in &report.output.actions {
        println!("  {verb}: {} {} {}", action.kind, action.target, action.value);
    }
    for line in &report.output.logs {
        println!("  note: {line}");
    }
    if let Some(data) = &report.output.modified_data {
        println!("  data: {}", serde_json::Value::Object(data.clone()));
    }
    match report.failure {
        Some(failure) => bail!("the run failed ({})", failure.code),
        None => Ok(()),
    }
}

/// The simulated CRM: of the instance that runs on the data folder, else opened for this run.
struct SimulatedCrm {
    connector: Arc<dyn Connector>,
    /// Where the simulated services are, by slug.
    endpoints: BTreeMap<String, String>,
    _opened: Option<(DataDir, [Server; 2])>,
}

impl SimulatedCrm {
    async fn reach(data: &DataArgs, slug: &str) -> anyhow::Result<Self> {
        let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let (origin, services, opened, vendor) = match DataDir::open(&data.data_dir) {
            Ok(dir) => {
                let vendor = vendor(Some(dir.path()), slug, &clock, &random)?;
                let server = Server::start(vendor.router(), vendor.base_path()).await?;
                let services = Services::new().start().await?;
                let (origin, services_origin) = (server.origin().to_owned(), services.origin().to_owned());
                (origin, services_origin, Some((dir, [server, services])), vendor)
            }
            Err(error) => match running(&data.data_dir) {
                Some(instance) => {
                    let simulators = format!("{}/_sim", instance.url);
                    let (origin, services) = (format!("{simulators}/{slug}"), format!("{simulators}/services"));
                    (origin, services, None, vendor(None, slug, &clock, &random)?)
                }
                None => return Err(error),
            },
        };
        let credential = |key: &str| {
            let found = vendor.credentials().iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        let key = Secret::new(credential("api_key").unwrap_or_default());
        let config = ConnectorConfig {
            connection_id: ConnectionId::parse("simulated")?,
            base_url: Some(format!("{origin}{}", vendor.base_path())),
            auth_type: AuthType::ApiKey,
            credentials: Arc::new(StaticToken::new(vendor.slug(), key)),
            app_id: credential("app_id"),
            settings: ConnectionSettings::default(),
            external_app_id: credential("location_id"),
            rate_limits: RateLimits {
                requests_per_second: 1_000,
                burst_limit: 1_000,
                ..RateLimits::default()
            },
            user_host: false,
            throttle_key: None,
            shared: Shared::new(Transport::new()?, clock, random, Arc::new(TokioSleeper)),
        };
        Ok(Self {
            connector: build(slug, config)?,
            endpoints: FOLDERS
                .map(|(slug, folder)| (slug.to_owned(), format!("{services}/{folder}")))
                .into(),
            _opened: opened,
        })
    }
}

fn vendor(
    dir: Option<&Path>,
    slug: &str,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<Arc<dyn Simulator>> {
    let (_, vendors) = mfh_simulators::all(dir, clock, random)?;
    let known: Vec<&str> = vendors.iter().map(|vendor| vendor.slug()).collect();
    let unknown = format!(
        "There is no simulated CRM \"{slug}\". Choose one of: {}",
        known.join(", ")
    );
    vendors
        .into_iter()
        .find(|vendor| vendor.slug() == slug)
        .context(unknown)
}

fn object(text: &str, option: &str) -> anyhow::Result<JsonObject> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text)
        .with_context(|| format!("{option} takes a JSON object, such as '{{\"key\": \"value\"}}'"))
}
