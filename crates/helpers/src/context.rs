//! The only door of a helper to the world.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mfh_connectors::{Connector, ConnectorError, Contact, ContactQuery, ErrorKind, Tag};
use mfh_types::{Action, ExecutionOutput, JsonObject};
use serde_json::{Value, json};

use crate::journal::{Step, StepState};
use crate::settings::{FieldKey, TagKey};
use crate::{FailureKind, HelperError, Journal, JournalError, Meta};

/// At most this much log is kept with an execution (`pipeline` §8).
const MAX_LOG_LINES: usize = 200;
const MAX_LOG_BYTES: usize = 16 * 1024;

/// Contacts a page when a tag's contacts are listed.
const PAGE: u32 = 1_000;

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

/// Whether a step may be sent again when nobody knows what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Tags and fields: sending the same again changes nothing.
    Safe,
    /// Goals and automations: sending again would do it twice.
    Never,
}

/// The only door of a helper to the world: reads, journalled writes, results and log of one run.
pub struct Context<'a> {
    run: Run<'a>,
    journal: Journal<'a>,
    contact: Option<Contact>,
    tags: Option<Result<Vec<Tag>, ConnectorError>>,
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
            journal,
            contact: None,
            tags: None,
            results: JsonObject::new(),
            actions: Vec::new(),
            logs: Vec::new(),
            log_bytes: 0,
        }
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

    /// The start of the execution: every time of the run comes from it, so that a repeat computes the same.
    pub fn now(&self) -> DateTime<Utc> {
        self.run.started_at
    }

    /// Data of this run, where the helper's entry names keys of it.
    pub fn input(&self, key: &str) -> Option<&Value> {
        self.run.input?.get(key)
    }

    /// The contact, read once when it is first asked for.
    ///
    /// # Errors
    /// Permanent when there is no such contact, else by the kind of the failure.
    pub async fn contact(&mut self) -> Result<&Contact, HelperError> {
        if self.contact.is_none() {
            let id = self.contact_id()?.to_owned();
            let contact = self
                .crm()?
                .get_contact(&id)
                .await
                .map_err(|error| missing_contact(error, &id))?;
            self.contact = Some(contact);
        }
        self.contact
            .as_ref()
            .ok_or_else(|| HelperError::permanent("INTERNAL", "the contact was not loaded"))
    }

    /// The ids of the contact's tags in the CRM's order, each once.
    ///
    /// # Errors
    /// As [`Context::contact`].
    pub async fn contact_tag_ids(&mut self) -> Result<Vec<String>, HelperError> {
        let tags = self.contact().await?.tags.clone().unwrap_or_default();
        let mut seen = HashSet::new();
        Ok(tags
            .into_iter()
            .map(|tag| tag.id)
            .filter(|id| seen.insert(id.clone()))
            .collect())
    }

    /// The CRM's whole tag list, read once a run.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn tags(&mut self) -> Result<&[Tag], HelperError> {
        if self.tags.is_none() {
            let tags = self.crm()?.get_tags().await;
            self.tags = Some(tags);
        }
        match &self.tags {
            Some(Ok(tags)) => Ok(tags),
            Some(Err(error)) => Err(HelperError::from(error.clone()).context("The tags of the CRM cannot be read")),
            None => Ok(&[]),
        }
    }

    /// The id of a configured tag. All digits are an id; other text is an id of the tag list, else the name of a tag,
    /// else goes to the CRM as it is (`helpers/COMMON` §8).
    ///
    /// # Errors
    /// Never for a tag list that cannot be read; only when there is no CRM.
    pub async fn resolve_tag(&mut self, tag: &TagKey) -> Result<String, HelperError> {
        let configured = tag.as_str();
        if configured.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(configured.to_owned());
        }
        self.crm()?;
        let Ok(tags) = self.tags().await else {
            self.warn(format!(
                "The tag list could not be read; \"{configured}\" is used as it is"
            ));
            return Ok(configured.to_owned());
        };
        let by_id = tags.iter().find(|tag| tag.id == configured);
        let by_name = || tags.iter().find(|tag| same_name(&tag.name, configured));
        Ok(by_id
            .or_else(by_name)
            .map_or_else(|| configured.to_owned(), |tag| tag.id.clone()))
    }

    /// A field of the contact; one that the contact or the CRM does not have is null.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn get_field(&mut self, key: &FieldKey) -> Result<Value, HelperError> {
        let id = self.contact_id()?.to_owned();
        match self.crm()?.get_field_value(&id, key.as_str()).await {
            Ok(value) => Ok(value),
            Err(error) if error.kind == ErrorKind::UnknownField => {
                self.warn(format!("The CRM has no field \"{key}\"; it counts as empty"));
                Ok(Value::Null)
            }
            Err(error) => {
                Err(HelperError::from(missing_contact(error, &id)).context(format!("Field {key} cannot be read")))
            }
        }
    }

    /// The ids of all contacts with a tag, the longest tagged first where the CRM can sort by it.
    ///
    /// # Errors
    /// By the kind of the failure; permanent when the CRM repeats a page.
    pub async fn contacts_with_tag(&mut self, tag_id: &str) -> Result<Vec<String>, HelperError> {
        let crm = Arc::clone(self.crm()?);
        let mut query = ContactQuery {
            limit: Some(PAGE),
            tag_id: Some(tag_id.to_owned()),
            ids_only: true,
            ..ContactQuery::default()
        };
        let mut ids = Vec::new();
        loop {
            let page = crm.get_contacts(&query).await.map_err(|error| {
                HelperError::from(error).context(format!("The contacts with tag {tag_id} cannot be listed"))
            })?;
            ids.extend(page.contacts.into_iter().map(|contact| contact.id));
            match page.next_cursor {
                None => return Ok(ids),
                Some(cursor) if query.cursor.as_ref() == Some(&cursor) => {
                    return Err(HelperError::permanent(
                        "PROTOCOL",
                        "The CRM returned the same page of contacts twice",
                    ));
                }
                cursor => query.cursor = cursor,
            }
        }
    }

    /// A value that an earlier delivery of this run remembered under this name.
    pub fn recall<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.journal.remembered(name)?.clone()).ok()
    }

    /// Remembers a value that the run must not compute again; it is written down before the next step is sent.
    pub fn remember(&mut self, name: &str, value: &impl serde::Serialize) {
        if let Ok(value) = serde_json::to_value(value) {
            self.journal.remember(name, value);
        }
    }

    /// Sets a field of the contact.
    ///
    /// # Errors
    /// By the kind of the failure, naming the field.
    pub async fn set_field(&mut self, key: &FieldKey, value: impl Into<Value>) -> Result<(), HelperError> {
        let value = value.into();
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let done = Action {
            kind: "field_updated".to_owned(),
            target: key.to_string(),
            value: value.clone(),
        };
        self.step(
            "set_field",
            Repeat::Safe,
            key.as_str(),
            value.clone(),
            async move || {
                crm.set_field_value(&contact, key.as_str(), &value)
                    .await
                    .map(|()| Value::Null)
            },
        )
        .await
        .map_err(|error| error.context(format!("Field {key} cannot be written")))?;
        self.actions.push(done);
        Ok(())
    }

    /// Applies a configured tag to the contact.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn apply_tag(&mut self, tag: &TagKey) -> Result<(), HelperError> {
        let id = self.resolve_tag(tag).await?;
        self.apply_tag_id(&id, tag.as_str()).await
    }

    /// Removes a configured tag from the contact.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn remove_tag(&mut self, tag: &TagKey) -> Result<(), HelperError> {
        let id = self.resolve_tag(tag).await?;
        self.remove_tag_id(&id, tag.as_str()).await
    }

    /// Applies a tag by its id; the result shows it as `shown`.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn apply_tag_id(&mut self, id: &str, shown: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        self.step("apply_tag", Repeat::Safe, &target, json!(id), async move || {
            crm.apply_tag(&contact, id).await.map(|()| Value::Null)
        })
        .await?;
        self.did("tag_applied", target, shown);
        Ok(())
    }

    /// Removes a tag by its id; one that is gone already counts as removed.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn remove_tag_id(&mut self, id: &str, shown: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        self.step(
            "remove_tag",
            Repeat::Safe,
            &target,
            json!(id),
            async move || match crm.remove_tag(&contact, id).await {
                Err(error) if error.kind == ErrorKind::NotFound => Ok(Value::Null),
                result => result.map(|()| Value::Null),
            },
        )
        .await?;
        self.did("tag_removed", target, shown);
        Ok(())
    }

    /// Creates a tag and gives its id. Read the tag list first; a tag that somebody created meanwhile is used.
    ///
    /// # Errors
    /// By the kind of the failure.
    pub async fn create_tag(&mut self, name: &str) -> Result<String, HelperError> {
        let crm = Arc::clone(self.crm()?);
        // Safe to send again: the CRM keeps tag names unique, and the list was read before.
        let id = self
            .step("create_tag", Repeat::Safe, name, Value::Null, async move || {
                match crm.create_tag(name).await {
                    Ok(tag) => Ok(json!(tag.id)),
                    Err(error) if error.kind == ErrorKind::Conflict => {
                        let tags = crm.get_tags().await?;
                        let found = tags.into_iter().find(|tag| same_name(&tag.name, name));
                        found.map(|tag| json!(tag.id)).ok_or(error)
                    }
                    Err(error) => Err(error),
                }
            })
            .await
            .map_err(|error| error.context(format!("Tag \"{name}\" cannot be created")))?;
        let id = id.as_str().unwrap_or_default().to_owned();
        self.tags = None;
        self.did("tag_created", name.to_owned(), &id);
        Ok(id)
    }

    /// Achieves a goal for the contact; never sent twice.
    ///
    /// # Errors
    /// By the kind of the failure; unknown outcome when the answer was lost.
    pub async fn achieve_goal(&mut self, goal: &str, integration: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        self.step(
            "achieve_goal",
            Repeat::Never,
            &target,
            json!([goal, integration]),
            async move || {
                crm.achieve_goal(&contact, goal, integration)
                    .await
                    .map(|()| Value::Null)
            },
        )
        .await?;
        self.did("goal_achieved", target, goal);
        Ok(())
    }

    /// Puts the contact into an automation; never sent twice.
    ///
    /// # Errors
    /// By the kind of the failure; unknown outcome when the answer was lost.
    pub async fn trigger_automation(&mut self, automation_id: &str) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        self.step(
            "trigger_automation",
            Repeat::Never,
            &target,
            json!(automation_id),
            async move || {
                crm.trigger_automation(&contact, automation_id)
                    .await
                    .map(|()| Value::Null)
            },
        )
        .await?;
        self.did("automation_triggered", target, automation_id);
        Ok(())
    }

    /// Adds a value to the run's result (`modified_data`); a failed run keeps what it has.
    pub fn set_result(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.results.insert(key.into(), value.into());
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

    /// Takes one numbered step: skips what an earlier delivery did, writes down what must not be sent twice.
    async fn step<F>(
        &mut self,
        op: &str,
        repeat: Repeat,
        target: &str,
        value: Value,
        send: F,
    ) -> Result<Value, HelperError>
    where
        F: AsyncFnOnce() -> Result<Value, ConnectorError>,
    {
        let number = self.journal.next_number();
        let mut step = Step {
            op: op.to_owned(),
            target: target.to_owned(),
            value,
            state: StepState::Sent,
            result: Value::Null,
        };
        match self.journal.recorded(number, &step) {
            Some(recorded) if recorded.state == StepState::Done => return Ok(recorded.result),
            Some(recorded) if recorded.state == StepState::Sent && repeat == Repeat::Never => {
                return Err(HelperError::unknown_outcome(format!(
                    "An earlier attempt was interrupted while step {number} ({op}) was under way. \
                     Check in the CRM whether it was done before you run this again"
                )));
            }
            _ => {}
        }
        if self.run.dry_run {
            return Ok(json!("dry-run"));
        }
        match repeat {
            Repeat::Safe => self.journal.settle().await.map_err(journal_failure)?,
            Repeat::Never => self.journal.save(number, &step).await.map_err(journal_failure)?,
        }
        match send().await {
            Ok(result) => {
                step.state = StepState::Done;
                step.result = result.clone();
                match repeat {
                    Repeat::Safe => self.journal.keep(number, &step),
                    Repeat::Never => self.journal.save(number, &step).await.map_err(journal_failure)?,
                }
                Ok(result)
            }
            Err(error) if repeat == Repeat::Safe => Err(error.into()),
            Err(error) => {
                let failure = HelperError::of_once(error);
                if failure.kind != FailureKind::UnknownOutcome {
                    step.state = StepState::Refused;
                    self.journal.save(number, &step).await.map_err(journal_failure)?;
                }
                Err(failure)
            }
        }
    }
}

/// Whether two tag names are the same to a CRM: case and outer blanks do not count.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    left.trim().to_lowercase() == right.trim().to_lowercase()
}

fn missing_contact(error: ConnectorError, id: &str) -> ConnectorError {
    if error.kind == ErrorKind::NotFound {
        return ConnectorError {
            message: format!("Contact {id} not found"),
            ..error
        };
    }
    error
}

fn journal_failure(error: JournalError) -> HelperError {
    match error {
        JournalError::LeaseLost => HelperError::retryable("LEASE_LOST", "Another worker has taken over this run"),
        JournalError::Unavailable(reason) => HelperError::retryable(
            "UNAVAILABLE",
            format!("The journal of the run cannot be written: {reason}"),
        ),
    }
}
