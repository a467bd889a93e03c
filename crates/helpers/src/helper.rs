//! What a helper is.

use std::fmt;

use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Context, HelperError};

/// The eight categories of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Category {
    Analytics,
    Automation,
    Contact,
    Data,
    Integration,
    Notification,
    Platform,
    Tagging,
}

impl Category {
    /// Every category, in the catalogue's order.
    pub const ALL: [Self; 8] = [
        Self::Analytics,
        Self::Automation,
        Self::Contact,
        Self::Data,
        Self::Integration,
        Self::Notification,
        Self::Platform,
        Self::Tagging,
    ];

    /// The name on the wire, which is also the folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::Automation => "automation",
            Self::Contact => "contact",
            Self::Data => "data",
            Self::Integration => "integration",
            Self::Notification => "notification",
            Self::Platform => "platform",
            Self::Tagging => "tagging",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a helper's worker needs beyond the common template; the worker's Serverless file follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Reads and writes countdown timers.
    CountdownTimers,
    /// Reads and writes the cache of checked addresses.
    EmailValidations,
    /// Writes backups and snapshots to the data bucket.
    BackupBucket,
    /// Starts other helpers.
    Chain,
    /// Looks through earlier executions of the account.
    History,
}

/// The fixed facts about a helper type.
#[derive(Debug, Clone, Copy)]
pub struct Meta {
    /// The type's name, such as `score_it`.
    pub type_name: &'static str,
    /// The name users read, such as `Score It`.
    pub name: &'static str,
    /// One sentence for users.
    pub summary: &'static str,
    /// Where the catalogue lists it.
    pub category: Category,
    /// Whether it works on a connected CRM.
    pub requires_crm: bool,
    /// Whether it works without a contact although it needs a CRM.
    pub contact_optional: bool,
    /// The CRMs it works with; empty means all.
    pub supported_crms: &'static [&'static str],
    /// The services that have to be connected.
    pub services: &'static [&'static str],
    /// Whether running it twice leaves what running it once does.
    pub repeatable: bool,
    /// Whether its runs are tried for 14 days before they fail, because a legal duty hangs on them.
    pub patient: bool,
    /// What its worker needs beyond the common template.
    pub needs: &'static [Need],
}

impl Meta {
    /// A helper that needs neither CRM nor services.
    pub const fn new(type_name: &'static str, name: &'static str, category: Category, summary: &'static str) -> Self {
        Self {
            type_name,
            name,
            summary,
            category,
            requires_crm: false,
            contact_optional: false,
            supported_crms: &[],
            services: &[],
            repeatable: false,
            patient: false,
            needs: &[],
        }
    }

    /// It works on a contact of a connected CRM.
    pub const fn needs_crm(mut self) -> Self {
        self.requires_crm = true;
        self
    }

    /// It works with these CRMs only.
    pub const fn only_on(mut self, slugs: &'static [&'static str]) -> Self {
        self.supported_crms = slugs;
        self
    }

    /// Its worker needs more than the common template.
    pub const fn with_needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// Its runs are tried for 14 days before they fail (DECISIONS 28).
    pub const fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Running it twice leaves what running it once does.
    pub const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

/// A run that did everything it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// One sentence for the user.
    pub message: String,
}

impl Outcome {
    /// Everything asked for was done, or there was nothing to do; the sentence says which.
    pub fn done(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// A helper type: its settings, what they mean and what a run does.
///
/// Settings are read by their field types (see [`crate::settings`]), so that every helper forgives the same spellings;
/// only rules between settings belong into [`Helper::check`].
pub trait Helper: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The fixed facts about the type.
    const META: Meta;

    /// A configuration that works, as JSON; shown to users and executed by tests.
    const EXAMPLE: &'static str;

    /// Faults that no single setting shows, such as a setting that only one mode requires.
    fn check(&self) -> Vec<ConfigFault> {
        Vec::new()
    }

    /// Runs the helper once. The context is the only door to the world.
    ///
    /// # Errors
    /// A failed run carries what it did in the context's actions; see [`HelperError`] for what may be repeated.
    fn run(&self, cx: &mut Context<'_>) -> impl Future<Output = Result<Outcome, HelperError>> + Send;
}
