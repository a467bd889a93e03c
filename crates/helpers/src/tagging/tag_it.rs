//! `tag_it`: applies tags to a contact or takes them away.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{Distinct, TagKey};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register};

/// Applies tags to a contact or takes them away.
///
/// Tags are given by id or by name; a name that the CRM does not know makes the run fail instead of creating a tag. A tag
/// that is there already, or gone already, counts as done. Every tag is tried: when one fails, the others are still
/// done, and the run names those that failed.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TagIt {
    /// What to do with the tags.
    action: TagAction,
    /// The tags, by id or name, in the order they are handled.
    #[schemars(length(min = 1))]
    tag_ids: Distinct<TagKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TagAction {
    /// Put the tags on the contact.
    Apply,
    /// Take the tags off the contact.
    Remove,
}

impl Helper for TagIt {
    const META: Meta = Meta::new(
        "tag_it",
        "Tag It",
        Category::Tagging,
        "Applies tags to a contact or takes them away.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"action": "apply", "tag_ids": ["Newsletter", "104"]}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let mut failures = Failures::new();
        for tag in &self.tag_ids {
            let result = match self.action {
                TagAction::Apply => cx.apply_tag(tag).await,
                TagAction::Remove => cx.remove_tag(tag).await,
            };
            failures.note(format!("Tag {tag}"), result);
        }
        failures.into_result()?;

        let count = self.tag_ids.len();
        Ok(Outcome::done(match self.action {
            TagAction::Apply => format!("{count} tags applied"),
            TagAction::Remove => format!("{count} tags removed"),
        }))
    }
}

register!(TagIt);
