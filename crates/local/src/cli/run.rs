//! `mfh run`: one helper on one contact of the simulated CRM, without queue and record.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::Utc;
use clap::Args;
use mfh_connectors::{Connector, ConnectorConfig, Shared, StaticToken, TokioSleeper, Transport, build};
use mfh_helpers::{Context, Journal, MemoryJournal, Run, execute, find};
use mfh_simulators::Keap;
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use mfh_types::{AuthType, ConnectionId, JsonObject, RateLimits, Secret, SystemClock, SystemRandom};

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
    let crm = SimulatedCrm::reach(&args.data).await?;

    let mut store = MemoryJournal::default();
    let run = Run {
        contact_id: args.contact,
        crm: Some(crm.connector.clone()),
        input: input.as_ref(),
        started_at: Utc::now(),
        dry_run: args.dry_run,
    };
    let cx = Context::new(run, Journal::new(BTreeMap::new(), &mut store));
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
    _opened: Option<(DataDir, mfh_simulators::Server)>,
}

impl SimulatedCrm {
    async fn reach(data: &DataArgs) -> anyhow::Result<Self> {
        let (base_url, opened) = match DataDir::open(&data.data_dir) {
            Ok(dir) => {
                let keap = Keap::open(Some(&dir.join("keap")), Arc::new(SystemClock), Arc::new(SystemRandom))?;
                let server = keap.start().await?;
                (server.base_url(), Some((dir, server)))
            }
            Err(error) => match running(&data.data_dir) {
                Some(instance) => (format!("{}/_sim/keap/rest/v2", instance.url), None),
                None => return Err(error),
            },
        };
        let clock = Arc::new(SystemClock);
        let shared = Shared::new(Transport::new()?, clock, Arc::new(SystemRandom), Arc::new(TokioSleeper));
        let config = ConnectorConfig {
            connection_id: ConnectionId::parse("simulated")?,
            base_url: Some(base_url),
            auth_type: AuthType::ApiKey,
            credentials: Arc::new(StaticToken::new("keap", Secret::new(PERSONAL_ACCESS_TOKEN))),
            app_id: None,
            external_app_id: None,
            rate_limits: RateLimits {
                requests_per_second: 1_000,
                burst_limit: 1_000,
                ..RateLimits::default()
            },
            user_host: false,
            throttle_key: None,
            shared,
        };
        Ok(Self {
            connector: build("keap", config)?,
            _opened: opened,
        })
    }
}

fn object(text: &str, option: &str) -> anyhow::Result<JsonObject> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text)
        .with_context(|| format!("{option} takes a JSON object, such as '{{\"key\": \"value\"}}'"))
}
