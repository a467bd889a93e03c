//! `count_tags`: counts the tags of a contact.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, FreeText};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Counts the tags of a contact, on request only those of one category, and stores the number in a field.
///
/// Each tag counts once. With a category, only tags count that the CRM lists in exactly that category; a contact
/// without any has 0 written to the field. The field is overwritten at every run.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CountTags {
    /// The contact field that receives the number.
    target_field: FieldKey,
    /// Count only tags of this category, exactly as in the CRM; empty: all tags.
    category: Option<FreeText>,
}

impl Helper for CountTags {
    const META: Meta = Meta::new(
        "count_tags",
        "Count Tags",
        Category::Tagging,
        "Counts the tags of a contact, on request only those of one category, and stores the number in a field.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"target_field": "_TagCount", "category": "Interests"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let mut ids = cx.contact_tag_ids().await?;
        if let Some(category) = &self.category {
            let tags = cx.tags().await?;
            ids.retain(|id| {
                tags.iter()
                    .any(|tag| tag.id == *id && tag.category.as_deref() == Some(category.as_str()))
            });
        }
        let count = ids.len().to_string();
        cx.set_field(&self.target_field, count.clone()).await?;
        cx.set_result(self.target_field.as_str(), count.clone());
        Ok(Outcome::done(format!("{count} tags")))
    }
}

register!(CountTags);
