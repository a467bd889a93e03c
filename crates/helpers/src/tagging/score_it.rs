//! `score_it`: scores a contact by its tags.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, Flag, Number, TagKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, numbers, register, values};

/// Scores a contact by the tags it has or lacks and stores the total.
///
/// Each rule looks for one tag and adds its points when the contact has it, or lacks it if the rule says so; negative
/// points subtract. The total replaces what the field held before: running the helper again after a tag was added
/// gives the new score.
///
/// Points are exact decimals: 0.1 and 0.2 make 0.3.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ScoreIt {
    /// Rules to check; each one that fits adds its points.
    #[schemars(length(min = 1))]
    rules: Vec<TagRule>,
    /// The contact field that receives the total.
    target_field: FieldKey,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct TagRule {
    /// The tag to look for.
    tag_id: TagKey,
    /// Whether the contact must have the tag (yes) or lack it (no) for the rule to fit.
    #[serde(default = "Flag::on")]
    has_tag: Flag,
    /// The points that the rule adds; negative points subtract.
    #[serde(default)]
    points: Number,
}

impl Helper for ScoreIt {
    const META: Meta = Meta::new(
        "score_it",
        "Score It",
        Category::Tagging,
        "Scores a contact by the tags it has or lacks and stores the total.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{
        "rules": [
            {"tag_id": "Customer", "has_tag": true, "points": 10},
            {"tag_id": "Unsubscribed", "has_tag": true, "points": -5},
            {"tag_id": "Webinar attended", "has_tag": false, "points": -0.5}
        ],
        "target_field": "_LeadScore"
    }"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let carried = cx.contact_tag_ids().await?;
        let mut total = Decimal::ZERO;
        for rule in &self.rules {
            let tag = cx.resolve_tag(&rule.tag_id).await?;
            if carried.contains(&tag) == rule.has_tag.0 {
                total = numbers::checked(total.checked_add(rule.points.0))?;
            }
        }
        let total = values::decimal_text(total);
        cx.set_field(&self.target_field, total.clone()).await?;
        cx.set_result(self.target_field.as_str(), total.clone());
        Ok(Outcome::done(format!("{total} points")))
    }
}

register!(ScoreIt);
