//! `word_count_it`: counts the words or characters of a field.

use schemars::JsonSchema;
use serde::Deserialize;

use super::store;
use crate::settings::FieldKey;
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register, values};

/// Counts the words or characters of a field and keeps the number.
///
/// Counts what the field holds and writes the number to the target field, also 0 for an empty field. Words are whatever
/// stands between blanks or line breaks, with their punctuation; characters include blanks, and an emoji may count as
/// several.
///
/// Amounts are counted as they are shown: 1234567 has seven characters.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WordCountIt {
    /// The contact field with the text.
    source_field: FieldKey,
    /// The contact field that receives the number.
    target_field: FieldKey,
    /// What to count.
    count_type: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unit {
    /// Words, separated by white space.
    Words,
    /// Characters, white space included.
    Characters,
}

impl Helper for WordCountIt {
    const META: Meta = Meta::new(
        "word_count_it",
        "Word Count It",
        Category::Data,
        "Counts the words or characters of a field and keeps the number.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"source_field": "_Feedback", "target_field": "_FeedbackWords", "count_type": "words"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let text = values::text(&cx.get_field(&self.source_field).await?);
        let (count, unit) = match self.count_type {
            Unit::Words => (text.split_whitespace().count(), "words"),
            Unit::Characters => (text.chars().count(), "characters"),
        };
        store(cx, &self.target_field, count.to_string()).await?;
        Ok(Outcome::done(format!("{count} {unit}")))
    }
}

register!(WordCountIt);
