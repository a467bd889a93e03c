//! The contact's data in texts, and the fields of the contact by any of their names.

use mfh_connectors::CustomField;
use serde_json::Value;

use super::Context;
use crate::template::{Notation, Notations, Part, Token, split};
use crate::{HelperError, fields, values};

impl Context<'_> {
    /// The text with the contact's data in place of its placeholders; one without any needs no contact.
    ///
    /// # Errors
    /// When the contact is needed and cannot be read.
    pub async fn render(&mut self, text: &str) -> Result<String, HelperError> {
        self.render_with(text, Notations::default(), &str::to_owned).await
    }

    /// As [`Context::render`], with further notations and the values (not the text around them) escaped.
    ///
    /// # Errors
    /// When the contact is needed and cannot be read.
    pub async fn render_with(
        &mut self,
        text: &str,
        notations: Notations,
        escape: &(dyn Fn(&str) -> String + Sync),
    ) -> Result<String, HelperError> {
        let mut rendered = String::with_capacity(text.len());
        for part in split(text, notations) {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Name(token) => match self.fill(&token).await? {
                    Some(value) => rendered.push_str(&escape(&value)),
                    None => rendered.push_str(token.written),
                },
            }
        }
        Ok(rendered)
    }

    /// What stands for a placeholder; `None` when nobody knows the name.
    ///
    /// # Errors
    /// When the contact cannot be read.
    pub async fn fill(&mut self, token: &Token<'_>) -> Result<Option<String>, HelperError> {
        let value = match token.notation {
            Notation::SingleBraces => fields::standard_of_contact(self.contact().await?, token.name),
            _ => self.value_of(token.name).await?,
        };
        let value = match (value, token.notation, token.name.strip_prefix('_')) {
            (None, Notation::Tildes, Some(bare)) => self.value_of(bare).await?,
            (value, _, _) => value,
        };
        let Some(value) = value else {
            self.warn(format!("{} stays as it is: there is no such field", token.written));
            return Ok(None);
        };
        Ok(Some(match token.fallback {
            Some(fallback) if values::is_empty(&value) => fallback.to_owned(),
            _ => values::text(&value),
        }))
    }

    /// The value of a field of the loaded contact by any of its names, null when it is empty; `None` when neither the
    /// contact nor the CRM has such a field.
    ///
    /// # Errors
    /// When the contact cannot be read.
    pub async fn value_of(&mut self, name: &str) -> Result<Option<Value>, HelperError> {
        if let Some(value) = fields::of_contact(self.contact().await?, name) {
            return Ok(Some(value));
        }
        if let Some(key) = fields::further(name) {
            return Ok(Some(self.get_field(&crate::settings::FieldKey::new(key)).await?));
        }
        let Some(field) = fields::definition(self.definitions().await?, name).cloned() else {
            return Ok(None);
        };
        Ok(Some(fields::of_definition(self.contact().await?, &field)))
    }

    /// Whether two keys name the same field of the CRM.
    ///
    /// # Errors
    /// When no CRM is connected.
    pub async fn is_same_field(&mut self, left: &str, right: &str) -> Result<bool, HelperError> {
        if fields::same(left, right) {
            return Ok(true);
        }
        let standard = |key| fields::standard(key).or_else(|| fields::further(key)).is_some();
        if standard(left) || standard(right) {
            return Ok(false);
        }
        let definitions = self.definitions().await?;
        let field = |key| fields::definition(definitions, bare(key)).map(|field| &field.id);
        Ok(field(left).is_some() && field(left) == field(right))
    }

    /// The CRM's custom fields, read once a run; as if there were none when they cannot be read.
    async fn definitions(&mut self) -> Result<&[CustomField], HelperError> {
        if self.definitions.is_none() {
            let read = self.crm()?.get_custom_fields().await;
            if let Err(error) = &read {
                self.warn(format!("The custom fields of the CRM could not be read: {error}"));
            }
            self.definitions = Some(read.unwrap_or_default());
        }
        Ok(self.definitions.as_deref().unwrap_or_default())
    }
}

/// A key without the prefix that says how it is meant (`connectors` §3.3).
fn bare(key: &str) -> &str {
    let prefixes = ["id:", "key:", "label:"];
    let found = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix));
    found.unwrap_or(key).trim()
}
