//! `group_it`: puts contacts with the same field value into a common group.

use std::collections::HashSet;

use mfh_connectors::Tag;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::context::same_name;
use crate::settings::{FieldKey, Flag, RawText};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register, values};

/// Puts contacts with the same field value into a common group by means of a tag made of a prefix and the value.
///
/// A contact in Arizona with the prefix `State: ` gets the tag `State: AZ`. A tag that does not exist yet is created,
/// unless you switch that off. A contact whose field is empty joins no group and keeps the ones it has.
///
/// With `exclusive`, the contact leaves every other group with the same prefix, so that it moves when its value
/// changes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GroupIt {
    /// The contact field whose value names the group.
    field: FieldKey,
    /// The text before the value in the tag's name, kept as typed.
    #[serde(default)]
    tag_prefix: RawText,
    /// Create the tag in the CRM when it does not exist.
    #[serde(default = "Flag::on")]
    create_missing: Flag,
    /// Take the contact out of its other groups with the same prefix.
    #[serde(default)]
    exclusive: Flag,
}

impl Helper for GroupIt {
    const META: Meta = Meta::new(
        "group_it",
        "Group It",
        Category::Tagging,
        "Puts contacts with the same field value into a common group by means of a tag made of a prefix and the value.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"field": "state", "tag_prefix": "State: ", "exclusive": true}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let value = cx.get_field(&self.field).await?;
        if values::is_empty(&value) {
            return Ok(Outcome::done(format!(
                "{} is empty: the contact joins no group",
                self.field
            )));
        }
        let name = format!("{}{}", self.tag_prefix.as_str(), values::text(&value).trim());
        let id = self.group_tag(cx, &name).await?;
        cx.apply_tag_id(&id, &id).await?;
        if self.exclusive.0 && !self.tag_prefix.as_str().is_empty() {
            self.leave_other_groups(cx, &id).await?;
        }
        Ok(Outcome::done(format!("The contact is in the group \"{name}\"")))
    }
}

impl GroupIt {
    /// The id of the group's tag, created when there is none.
    async fn group_tag(&self, cx: &mut Context<'_>, name: &str) -> Result<String, HelperError> {
        let tags = cx.tags().await?;
        let exact = tags.iter().find(|tag| tag.name == name);
        if let Some(tag) = exact.or_else(|| tags.iter().find(|tag| same_name(&tag.name, name))) {
            return Ok(tag.id.clone());
        }
        if !self.create_missing.0 {
            return Err(HelperError::permanent(
                "NOT_FOUND",
                format!("There is no tag \"{name}\". Create it in the CRM, or let this helper create missing tags"),
            ));
        }
        cx.create_tag(name).await
    }

    async fn leave_other_groups(&self, cx: &mut Context<'_>, current: &str) -> Result<(), HelperError> {
        let prefix = self.tag_prefix.as_str().to_lowercase();
        let carried = cx.contact().await?.tags.clone().unwrap_or_default();
        let tags: Vec<Tag> = cx.tags().await?.to_vec();
        let name_of = |id: &str, given: &str| match given {
            "" => tags
                .iter()
                .find(|tag| tag.id == id)
                .map_or_else(String::new, |tag| tag.name.clone()),
            given => given.to_owned(),
        };
        let mut failures = Failures::new();
        let mut seen = HashSet::from([current.to_owned()]);
        for tag in carried {
            let belongs = name_of(&tag.id, &tag.name).to_lowercase().starts_with(&prefix);
            if belongs && seen.insert(tag.id.clone()) {
                failures.note(format!("Tag {}", tag.id), cx.remove_tag_id(&tag.id, &tag.id).await);
            }
        }
        failures.into_result()
    }
}

register!(GroupIt);
