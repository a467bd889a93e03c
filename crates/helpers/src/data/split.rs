//! What the split helpers share: putting a contact into its variant.

use crate::settings::{GoalKey, IntegrationKey, TagKey};
use crate::{Context, HelperError};

/// What a variant does with a contact.
pub(super) enum Variant {
    /// Applies a tag.
    Tag(TagKey),
    /// Achieves a goal.
    Goal(GoalKey),
}

impl Variant {
    /// Puts the contact into the variant. With `afresh` a tag is taken off first, so that campaigns that listen to it
    /// start again; a tag that cannot be taken off is none of the user's concern.
    pub(super) async fn enter(
        &self,
        cx: &mut Context<'_>,
        integration: &IntegrationKey,
        afresh: bool,
    ) -> Result<(), HelperError> {
        match self {
            Self::Tag(tag) => {
                if afresh {
                    cx.lift_tag(tag).await?;
                }
                let applied = cx.apply_tag(tag).await;
                applied.map_err(|error| error.context(format!("Tag {tag}")))
            }
            Self::Goal(goal) => {
                let achieved = cx.achieve_goal(goal.as_str(), integration.as_str()).await;
                achieved.map_err(|error| error.context(format!("Goal {goal}")))
            }
        }
    }
}
