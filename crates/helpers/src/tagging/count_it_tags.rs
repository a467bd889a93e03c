//! `count_it_tags`: counts how many contacts carry a tag.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::settings::{FieldKey, Number, TagKey};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register};

/// Counts how many contacts carry a tag, tells the contact its place among them and tags it when a limit is reached or
/// not.
///
/// Use it for limited seats and early-bird offers: the first tagged contact has place 1, and a contact without the tag
/// has none. The count is taken once at the start of a run, so that tags which the run applies do not change it.
///
/// The limit counts as reached when there are at least as many contacts. A large list takes one call to the CRM for
/// each thousand contacts.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CountItTags {
    /// The tag whose contacts are counted.
    tag_id: TagKey,
    /// The limit to compare the count with; 0 or nothing: no comparison.
    #[serde(default)]
    threshold: Number,
    /// The tag for the contact when the limit is reached; "no_tag" or nothing: none.
    threshold_met_tag: Option<TagKey>,
    /// The tag for the contact while the limit is not reached; "no_tag" or nothing: none.
    threshold_not_met_tag: Option<TagKey>,
    /// The contact field that receives the count.
    save_count_to: Option<FieldKey>,
    /// The contact field that receives the contact's place, 1 for the first tagged.
    save_position_to: Option<FieldKey>,
}

/// Counted once a run, so that the run's own tags do not change the count when it is repeated.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Count {
    total: usize,
    /// 1 for the first, 0 when the contact is not among them.
    position: usize,
}

impl Helper for CountItTags {
    const META: Meta = Meta::new(
        "count_it_tags",
        "Count It Tags",
        Category::Tagging,
        "Counts how many contacts carry a tag, tells the contact its place among them and tags it when a limit is \
         reached or not.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str =
        r#"{"tag_id": "Early bird", "threshold": 100, "threshold_met_tag": "Sold out", "save_position_to": "_Seat"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let count = match cx.recall("count") {
            Some(count) => count,
            None => self.count(cx).await?,
        };
        cx.set_result("total_count", count.total);
        cx.set_result("position", count.position);

        let mut failures = Failures::new();
        if let Some(tag) = self.threshold_tag(count.total) {
            failures.note(format!("Tag {tag}"), cx.apply_tag(tag).await);
        }
        if let Some(field) = &self.save_count_to {
            failures.note("Count", cx.set_field(field, count.total.to_string()).await);
        }
        if let Some(field) = &self.save_position_to
            && count.position > 0
        {
            failures.note("Place", cx.set_field(field, count.position.to_string()).await);
        }
        failures.into_result()?;
        Ok(Outcome::done(format!("{} contacts carry the tag", count.total)))
    }
}

impl CountItTags {
    /// Counts, and remembers the count for later deliveries of this run.
    async fn count(&self, cx: &mut Context<'_>) -> Result<Count, HelperError> {
        let tag = cx.resolve_tag(&self.tag_id).await?;
        let contact = cx.contact_id()?.to_owned();
        let listed = cx.contacts_with_tag(&tag).await?;
        let position = listed.iter().position(|id| *id == contact).map_or(0, |index| index + 1);
        let count = Count {
            total: listed.len(),
            position,
        };
        cx.remember("count", &count);
        Ok(count)
    }

    /// The tag that the count asks for, if a limit is set.
    fn threshold_tag(&self, total: usize) -> Option<&TagKey> {
        if self.threshold.0 <= Decimal::ZERO {
            return None;
        }
        let met = Decimal::from(total) >= self.threshold.0;
        let tag = if met {
            &self.threshold_met_tag
        } else {
            &self.threshold_not_met_tag
        };
        tag.as_ref().filter(|tag| tag.as_str() != "no_tag")
    }
}

register!(CountItTags);
