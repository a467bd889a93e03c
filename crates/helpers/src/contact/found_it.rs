//! `found_it`: tags by whether a field has a value.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, GoalKey, IntegrationKey, TagKey};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register, values};

/// Checks whether a field has a value and applies one tag or goal if it has and another if it has not.
///
/// A field with blanks only, or an empty list, counts as empty; 0 and "no" are values. The tag is applied first, then
/// the goal is achieved. If nothing is set for the case that comes up, nothing happens.
///
/// Tag and goal are both tried: when one fails, the other is still done, and the run fails and names it. Tags of the
/// other case are not taken away. Only Keap has goals.
///
/// The result lists the tag and the goal.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FoundIt {
    /// The field to look at.
    check_field: FieldKey,
    /// The tag for the contact when the field has a value.
    found_tag_id: Option<TagKey>,
    /// The tag for the contact when the field is empty.
    not_found_tag_id: Option<TagKey>,
    /// The goal that the contact achieves when the field has a value.
    found_goal: Option<GoalKey>,
    /// The goal that the contact achieves when the field is empty.
    not_found_goal: Option<GoalKey>,
    /// The integration name of the goals in Keap; empty: "mfh".
    integration: Option<IntegrationKey>,
}

impl Helper for FoundIt {
    const META: Meta = Meta::new(
        "found_it",
        "Found It",
        Category::Contact,
        "Checks whether a field has a value and applies one tag or goal if it has and another if it has not.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"check_field": "phone", "found_tag_id": "Has phone", "not_found_tag_id": "No phone"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let found = !values::is_empty(&cx.get_field(&self.check_field).await?);
        let (tag, goal) = if found {
            (&self.found_tag_id, &self.found_goal)
        } else {
            (&self.not_found_tag_id, &self.not_found_goal)
        };
        let mut failures = Failures::new();
        if let Some(tag) = tag {
            failures.note(format!("Tag {tag}"), cx.apply_tag(tag).await);
        }
        if let Some(goal) = goal {
            let integration = self.integration.as_ref().map_or("mfh", IntegrationKey::as_str);
            let achieved = cx.achieve_goal(goal.as_str(), integration).await;
            failures.note(format!("Goal {goal}"), achieved);
        }
        failures.into_result()?;
        let state = if found { "has a value" } else { "is empty" };
        Ok(Outcome::done(format!("{} {state}", self.check_field)))
    }
}

register!(FoundIt);
