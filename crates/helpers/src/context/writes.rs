//! Writes of a run, each a numbered step of the journal.

use std::sync::Arc;

use mfh_connectors::ErrorKind;
use mfh_types::Action;
use serde_json::{Value, json};

use super::Context;
use super::reads::same_name;
use super::step::Repeat;
use crate::HelperError;
use crate::settings::{FieldKey, TagKey};

impl Context<'_> {
    /// Sets a field of the contact.
    ///
    /// # Errors
    /// By the kind of the failure, naming the field.
    pub async fn set_field(&mut self, key: &FieldKey, value: impl Into<Value>) -> Result<(), HelperError> {
        let value = value.into();
        self.write_field(key, &value).await?;
        self.actions.push(Action {
            kind: "field_updated".to_owned(),
            target: key.to_string(),
            value,
        });
        Ok(())
    }

    pub(super) async fn write_field(&mut self, key: &FieldKey, value: &Value) -> Result<(), HelperError> {
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let send = async move || {
            let written = crm.set_field_value(&contact, key.as_str(), value).await;
            written.map(|()| Value::Null)
        };
        self.step("set_field", Repeat::Safe, key.as_str(), value.clone(), send)
            .await
            .map_err(|error| error.context(format!("Field {key} cannot be written")))?;
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

    /// Takes a tag off before it is applied afresh, so that campaigns that listen to it start again: done once, not
    /// listed, and one that cannot be taken off does not fail the run.
    ///
    /// # Errors
    /// Only when the run may not go on.
    pub async fn lift_tag(&mut self, tag: &TagKey) -> Result<(), HelperError> {
        let id = self.resolve_tag(tag).await?;
        let contact = self.contact_id()?.to_owned();
        let crm = Arc::clone(self.crm()?);
        let target = contact.clone();
        let lifted = self
            .step("lift_tag", Repeat::Never, &target, json!(id), async move || {
                crm.remove_tag(&contact, &id).await.map(|()| Value::Null)
            })
            .await;
        match lifted {
            Err(error) if error.code == "LEASE_LOST" => Err(error),
            Err(error) => {
                self.warn(format!("Tag {tag} could not be taken off first: {error}"));
                Ok(())
            }
            Ok(_) => Ok(()),
        }
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
        self.achieve_goal_of(&contact, goal, integration).await
    }

    /// Achieves a goal for any contact; never sent twice.
    ///
    /// # Errors
    /// By the kind of the failure; unknown outcome when the answer was lost.
    pub async fn achieve_goal_of(&mut self, contact: &str, goal: &str, integration: &str) -> Result<(), HelperError> {
        let crm = Arc::clone(self.crm()?);
        let target = contact.to_owned();
        let send = async move || crm.achieve_goal(contact, goal, integration).await.map(|()| Value::Null);
        self.step("achieve_goal", Repeat::Never, &target, json!([goal, integration]), send)
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
}
