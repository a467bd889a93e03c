//! Reads of a run: the contact, its fields, the CRM's tags.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use mfh_connectors::{ConnectorError, Contact, ContactQuery, ErrorKind, Tag};
use serde_json::{Map, Value};

use super::Context;
use crate::HelperError;
use crate::settings::{FieldKey, TagKey};

/// Contacts a page when a tag's contacts are listed.
const PAGE: u32 = 1_000;

impl Context<'_> {
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
        let tags = match self.tags().await {
            Ok(tags) => tags,
            Err(error) => {
                tracing::warn!(%error, "the tag list could not be read");
                self.warn(format!(
                    "The tag list could not be read; \"{configured}\" is used as it is"
                ));
                return Ok(configured.to_owned());
            }
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
        let mut values = self.get_fields(&[key]).await?;
        Ok(values.pop().unwrap_or_default())
    }

    /// Several fields of the contact in one read, in the order asked.
    ///
    /// # Errors
    /// Of the first field that cannot be read, by the kind of the failure.
    pub async fn get_fields(&mut self, keys: &[&FieldKey]) -> Result<Vec<Value>, HelperError> {
        self.read_fields(keys).await.into_iter().collect()
    }

    /// Several fields of the contact in one read, in the order asked, each with what came of it.
    ///
    /// What was read is written down before the next step: a redelivered run that has changed a field meanwhile must
    /// not take its own value for the contact's.
    pub async fn read_fields(&mut self, keys: &[&FieldKey]) -> Vec<Result<Value, HelperError>> {
        self.reads += 1;
        let name = format!("read_{}", self.reads);
        let mut values: Map<String, Value> = self.recall(&name).unwrap_or_default();
        let mut wanted: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
        wanted.retain(|key| !values.contains_key(*key));
        wanted.sort_unstable();
        wanted.dedup();

        let mut failures = BTreeMap::new();
        if !wanted.is_empty() {
            self.load_fields(&wanted, &mut values, &mut failures).await;
            self.remember(&name, &values);
        }
        let answer = keys.iter().map(|key| match failures.get(key.as_str()) {
            Some(failure) => Err(HelperError::clone(failure).context(format!("Field {key} cannot be read"))),
            None => Ok(values.get(key.as_str()).cloned().unwrap_or_default()),
        });
        answer.collect()
    }

    /// Reads all keys at once; when the CRM objects to one of them, each on its own.
    async fn load_fields(
        &mut self,
        keys: &[&str],
        values: &mut Map<String, Value>,
        failures: &mut BTreeMap<String, HelperError>,
    ) {
        match self.ask_fields(keys).await {
            Ok(found) => values.extend(found),
            Err(error) if keys.len() > 1 && error.concerns_the_field() => {
                for key in keys {
                    match self.ask_fields(&[key]).await {
                        Ok(found) => values.extend(found),
                        Err(error) => self.note_unread(key, error, values, failures),
                    }
                }
            }
            Err(error) => {
                for key in keys {
                    self.note_unread(key, error.clone(), values, failures);
                }
            }
        }
    }

    async fn ask_fields(&mut self, keys: &[&str]) -> Result<Map<String, Value>, Unread> {
        let id = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let found = crm.get_field_values(&id, keys).await;
        found.map_err(|error| Unread::Crm(missing_contact(error, &id)))
    }

    fn note_unread(
        &mut self,
        key: &str,
        error: Unread,
        values: &mut Map<String, Value>,
        failures: &mut BTreeMap<String, HelperError>,
    ) {
        match error {
            Unread::Crm(error) if error.kind == ErrorKind::UnknownField => {
                self.warn(format!("The CRM has no field \"{key}\"; it counts as empty"));
                values.insert(key.to_owned(), Value::Null);
            }
            Unread::Crm(error) => drop(failures.insert(key.to_owned(), error.into())),
            Unread::Run(error) => drop(failures.insert(key.to_owned(), error)),
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
}

/// Why fields could not be read.
#[derive(Debug, Clone)]
enum Unread {
    /// The run has no contact or no CRM.
    Run(HelperError),
    /// The CRM refused.
    Crm(ConnectorError),
}

impl From<HelperError> for Unread {
    fn from(error: HelperError) -> Self {
        Self::Run(error)
    }
}

impl Unread {
    /// Whether the other fields of the same read may still be readable.
    fn concerns_the_field(&self) -> bool {
        matches!(self, Self::Crm(error) if matches!(error.kind, ErrorKind::UnknownField | ErrorKind::InvalidInput))
    }
}

/// Whether two tag names are the same to a CRM: case and outer blanks do not count.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    left.trim().to_lowercase() == right.trim().to_lowercase()
}

pub(super) fn missing_contact(error: ConnectorError, id: &str) -> ConnectorError {
    if error.kind == ErrorKind::NotFound {
        return ConnectorError {
            message: format!("Contact {id} not found"),
            ..error
        };
    }
    error
}
