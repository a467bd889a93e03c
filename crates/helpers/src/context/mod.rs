//! The only door of a helper to the world.

mod ask;
mod call;
mod contact;
mod reads;
mod step;
mod templates;
mod world;
mod writes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mfh_connectors::{Connector, ConnectorError, Contact, CustomField, Tag};
use mfh_types::{AccountId, Action, ExecutionId, ExecutionOutput, HelperId, JsonObject, UserId};
use serde_json::{Value, json};

pub(crate) use self::ask::MASK;
pub(crate) use self::reads::same_name;
pub use self::world::{Counters, History, MemoryCounters, Sealer, ServiceAuth, SharedAnswers, StoreError, World};
use crate::{HelperError, Journal, Meta, ObjectStore};

/// At most this much log is kept with an execution (`pipeline` §8).
const MAX_LOG_LINES: usize = 200;
const MAX_LOG_BYTES: usize = 16 * 1024;

/// What a run is given.
#[derive(Debug)]
pub struct Run<'a> {
    /// The contact to work on.
    pub contact_id: Option<String>,
    /// The connected CRM.
    pub crm: Option<Arc<dyn Connector>>,
    /// Data of this run.
    pub input: Option<&'a JsonObject>,
    /// The start of the execution, from which every time of the run comes.
    pub started_at: DateTime<Utc>,
    /// Whether writes are only recorded, not sent.
    pub dry_run: bool,
}

/// Whose run it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant.
    pub account_id: AccountId,
    /// Who started it, if it was a person.
    pub user_id: Option<UserId>,
    /// The configured helper.
    pub helper_id: HelperId,
    /// The execution.
    pub execution_id: ExecutionId,
}

/// The only door of a helper to the world: reads, journalled writes, results and log of one run.
pub struct Context<'a> {
    run: Run<'a>,
    caller: Option<Caller>,
    objects: Option<&'a dyn ObjectStore>,
    world: World,
    journal: Journal<'a>,
    contact: Option<Contact>,
    tags: Option<Result<Vec<Tag>, ConnectorError>>,
    definitions: Option<Vec<CustomField>>,
    /// How often fields were read: a redelivered run reads in the same order.
    reads: u32,
    lease_lost: bool,
    results: JsonObject,
    actions: Vec<Action>,
    logs: Vec<String>,
    log_bytes: usize,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// The context of one run.
    pub fn new(run: Run<'a>, journal: Journal<'a>) -> Self {
        Self {
            run,
            caller: None,
            objects: None,
            world: World::offline(),
            journal,
            contact: None,
            tags: None,
            definitions: None,
            reads: 0,
            lease_lost: false,
            results: JsonObject::new(),
            actions: Vec::new(),
            logs: Vec::new(),
            log_bytes: 0,
        }
    }

    /// Says whose run it is; without it helpers that store something for the account fail.
    #[must_use]
    pub fn called_by(mut self, caller: Caller) -> Self {
        self.caller = Some(caller);
        self
    }

    /// What the run reaches besides its CRM; without it there is no network.
    #[must_use]
    pub fn in_world(mut self, world: World) -> Self {
        self.world = world;
        self
    }

    /// Where the run may store objects of the account.
    #[must_use]
    pub fn storing_in(mut self, objects: &'a dyn ObjectStore) -> Self {
        self.objects = Some(objects);
        self
    }

    /// Checks that the run has what its type needs, before anything is called (`helpers/COMMON` §1).
    pub(crate) fn admit(&self, meta: &Meta) -> Result<(), HelperError> {
        if !meta.requires_crm {
            return Ok(());
        }
        let Some(crm) = &self.run.crm else {
            return Err(HelperError::permanent(
                "CRM_REQUIRED",
                "This helper works on a CRM, but none is connected to it. Choose a connection in its settings",
            ));
        };
        let slug = crm.metadata().platform_slug;
        if !meta.supported_crms.is_empty() && !meta.supported_crms.contains(&slug) {
            let message = format!("{} does not work with {slug}", meta.name);
            return Err(HelperError::permanent("CRM_NOT_SUPPORTED", message));
        }
        if !meta.contact_optional {
            self.contact_id()?;
        }
        Ok(())
    }

    /// The contact that the run works on.
    ///
    /// # Errors
    /// Permanent when the trigger named none.
    pub fn contact_id(&self) -> Result<&str, HelperError> {
        let id = self
            .run
            .contact_id
            .as_deref()
            .map(str::trim)
            .filter(|id| !id.is_empty());
        id.ok_or_else(|| {
            HelperError::permanent(
                "CONTACT_REQUIRED",
                "This helper works on a contact. Send its id as contact_id with the request",
            )
        })
    }

    /// Whose run it is.
    ///
    /// # Errors
    /// Permanent when the run has no record.
    pub fn caller(&self) -> Result<&Caller, HelperError> {
        self.caller.as_ref().ok_or_else(|| {
            HelperError::permanent(
                "NO_RECORD",
                "This helper keeps something for your account. Run it through the API instead of on its own",
            )
        })
    }

    /// The slug of the connected CRM.
    ///
    /// # Errors
    /// Permanent when none is connected.
    pub fn platform(&self) -> Result<&'static str, HelperError> {
        Ok(self.crm()?.metadata().platform_slug)
    }

    /// The start of the execution: every time of the run comes from it, so that a repeat computes the same.
    pub fn now(&self) -> DateTime<Utc> {
        self.run.started_at
    }

    /// Data of this run, where the helper's entry names keys of it.
    pub fn input(&self, key: &str) -> Option<&Value> {
        self.run.input?.get(key)
    }

    /// A value that an earlier delivery of this run remembered under this name.
    pub fn recall<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.journal.remembered(name)?.clone())
            .inspect_err(|error| tracing::warn!(name, %error, "a remembered value cannot be read and is made again"))
            .ok()
    }

    /// Remembers a value that the run must not compute again; it is written down before the next step is sent.
    pub fn remember(&mut self, name: &str, value: &impl serde::Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => self.journal.remember(name, value),
            Err(error) => tracing::error!(name, %error, "a value cannot be remembered"),
        }
    }

    /// Notes the failure of a step that the run can do without; tells whether the step worked.
    pub fn tolerate<T>(&mut self, what: impl fmt::Display, result: Result<T, HelperError>) -> bool {
        match result {
            Ok(_) => true,
            Err(error) => {
                self.warn(format!("{what}: {error}"));
                false
            }
        }
    }

    /// Adds a value to the run's result (`modified_data`); a failed run keeps what it has.
    pub fn set_result(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.results.insert(key.into(), value.into());
    }

    /// The run's result so far.
    pub fn results(&self) -> &JsonObject {
        &self.results
    }

    /// Notes something for the user that is no failure.
    pub fn warn(&mut self, line: impl Into<String>) {
        let line = line.into();
        if self.logs.len() < MAX_LOG_LINES && self.log_bytes + line.len() <= MAX_LOG_BYTES {
            self.log_bytes += line.len();
            self.logs.push(line);
        }
    }

    /// What the run reports besides success and message, and the journal entries that are not written yet.
    pub(crate) fn finish(self) -> (ExecutionOutput, BTreeMap<String, Value>) {
        let output = ExecutionOutput {
            modified_data: (!self.results.is_empty()).then_some(self.results),
            actions: self.actions,
            logs: self.logs,
            ..ExecutionOutput::default()
        };
        (output, self.journal.into_unsaved())
    }

    fn crm(&self) -> Result<&Arc<dyn Connector>, HelperError> {
        self.run
            .crm
            .as_ref()
            .ok_or_else(|| HelperError::permanent("CRM_REQUIRED", "No CRM is connected"))
    }

    fn did(&mut self, kind: &str, target: String, value: &str) {
        self.actions.push(Action {
            kind: kind.to_owned(),
            target,
            value: json!(value),
        });
    }
}
