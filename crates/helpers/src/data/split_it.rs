//! `split_it`: divides contacts evenly over two to five variants.

use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::required;
use super::split::Variant;
use crate::settings::{FieldKey, GoalKey, IntegrationKey, TagKey, Whole};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register, values};

const LETTERS: [&str; 5] = ["A", "B", "C", "D", "E"];

/// The name under which a run remembers its variant.
const VARIANT: &str = "variant";

/// Divides contacts evenly over two to five variants of a campaign by tag or goal.
///
/// Applies the tag, or achieves the goal, of one variant per run. With a state field each contact remembers its letter,
/// A to E: its next run takes the next variant and after the last one starts over. A contact without a letter takes the
/// next variant in turn, so that new contacts are spread evenly from the first one on.
///
/// With the counter method nothing is stored on the contact: every run takes the next variant in turn.
///
/// When the tag or goal fails, the letter stays as it was. Tags of earlier variants are not removed. Goals exist in
/// Keap only.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SplitIt {
    /// Whether a variant applies a tag or achieves a goal.
    mode: Mode,
    /// Whether the contact remembers its variant, or only the runs are counted.
    #[serde(default)]
    split_method: Method,
    /// The number of variants.
    #[serde(default = "two")]
    #[schemars(range(min = 2, max = 5))]
    split_count: Whole,
    /// The tag or goal of variant A.
    option_a: Choice,
    /// The tag or goal of variant B.
    option_b: Choice,
    /// The tag or goal of variant C.
    option_c: Option<Choice>,
    /// The tag or goal of variant D.
    option_d: Option<Choice>,
    /// The tag or goal of variant E.
    option_e: Option<Choice>,
    /// The contact field that holds the letter of the variant.
    state_field: Option<FieldKey>,
    /// The integration name under which the goals are set up in Keap.
    #[serde(default = "own_integration")]
    integration: IntegrationKey,
}

/// A tag or a goal; the mode says which.
type Choice = TagKey;

fn two() -> Whole {
    Whole(2)
}

fn own_integration() -> IntegrationKey {
    IntegrationKey::new("mfh")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Apply a tag.
    Tag,
    /// Achieve a goal.
    Goal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// Remember the variant on the contact and take the next one at its next run.
    #[default]
    StateField,
    /// Count the runs and take the variants in turn.
    Counter,
}

impl Helper for SplitIt {
    const META: Meta = Meta::new(
        "split_it",
        "Split It",
        Category::Data,
        "Divides contacts evenly over two to five variants of a campaign by tag or goal.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"mode": "tag", "split_count": 3, "option_a": "Offer A", "option_b": "Offer B",
        "option_c": "Offer C", "state_field": "_Offer"}"#;

    fn check(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        let count = self.count();
        for (name, option, from) in [
            ("option_c", &self.option_c, 3),
            ("option_d", &self.option_d, 4),
            ("option_e", &self.option_e, 5),
        ] {
            if count >= from && option.is_none() {
                faults.push(required(name, &format!("for {count} variants")));
            }
        }
        if self.split_method == Method::StateField && self.state_field.is_none() {
            faults.push(required("state_field", "to remember the variant on the contact"));
        }
        faults
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let chosen = match cx.recall(VARIANT) {
            Some(chosen) => chosen,
            None => {
                let chosen = self.choose(cx).await?;
                cx.remember(VARIANT, &chosen);
                chosen
            }
        };
        let (Some(letter), Some(option)) = (LETTERS.get(chosen), self.option(chosen)) else {
            return Err(HelperError::permanent(
                "INTERNAL",
                "The variant does not exist any more",
            ));
        };
        let variant = match self.mode {
            Mode::Tag => Variant::Tag(option.clone()),
            Mode::Goal => Variant::Goal(GoalKey::new(option.as_str())),
        };
        variant.enter(cx, &self.integration, false).await?;
        match self.remembering() {
            Some(field) => super::store(cx, field, *letter).await?,
            None => cx.set_result("variant", *letter),
        }
        Ok(Outcome::done(format!("The contact is in variant {letter}")))
    }
}

impl SplitIt {
    fn count(&self) -> usize {
        usize::try_from(self.split_count.0).unwrap_or_default()
    }

    fn option(&self, at: usize) -> Option<&Choice> {
        let options = [
            Some(&self.option_a),
            Some(&self.option_b),
            self.option_c.as_ref(),
            self.option_d.as_ref(),
            self.option_e.as_ref(),
        ];
        options.get(at).copied().flatten()
    }

    /// The field that remembers the variant, where that is the method.
    fn remembering(&self) -> Option<&FieldKey> {
        self.state_field
            .as_ref()
            .filter(|_| self.split_method == Method::StateField)
    }

    /// The variant after the contact's last one; for new contacts the next in turn.
    async fn choose(&self, cx: &mut Context<'_>) -> Result<usize, HelperError> {
        let count = self.count().max(1);
        if let Some(field) = self.remembering() {
            let state = values::text(&cx.get_field(field).await?).trim().to_uppercase();
            let last = LETTERS.iter().take(count).position(|letter| *letter == state);
            if let Some(last) = last {
                return Ok((last + 1) % count);
            }
        }
        let number = cx.take_number().await?;
        Ok(usize::try_from(number % count as u64).unwrap_or_default())
    }
}

register!(SplitIt);
