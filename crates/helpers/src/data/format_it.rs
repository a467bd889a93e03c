//! `format_it`: cleans up the capitals and outer blanks of a field.

use schemars::JsonSchema;
use serde::Deserialize;

use super::store;
use crate::settings::FieldKey;
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, fields, register, text, values};

/// Cleans up the capitals and the surrounding blanks of a field.
///
/// Rewrites the text of a field, or writes the rewritten text to another field and leaves the first one alone. Title
/// case turns `o'brien-smith` into `O'Brien-Smith` and leaves `It's` and `Martha's` with a small s.
///
/// An empty field stays empty and nothing is written. Nothing is written either when the text is right already, unless
/// the result goes to another field. A text of nothing but blanks, trimmed, empties the field.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FormatIt {
    /// The contact field with the text.
    field: FieldKey,
    /// How to rewrite the text.
    format: Format,
    /// The contact field that receives the result; left empty, the field itself.
    target_field: Option<FieldKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// ALL CAPITALS.
    Uppercase,
    /// all small letters.
    Lowercase,
    /// Capitals At The Start Of Words.
    TitleCase,
    /// Remove blanks at both ends.
    Trim,
    /// Remove blanks at both ends, then all capitals.
    TrimUppercase,
    /// Remove blanks at both ends, then all small letters.
    TrimLowercase,
    /// Remove blanks at both ends, then capitals at the start of words.
    TrimTitleCase,
}

impl Format {
    fn apply(self, given: &str) -> String {
        match self {
            Self::Uppercase => given.to_uppercase(),
            Self::Lowercase => given.to_lowercase(),
            Self::TitleCase => text::title_case(given),
            Self::Trim => given.trim().to_owned(),
            Self::TrimUppercase => given.trim().to_uppercase(),
            Self::TrimLowercase => given.trim().to_lowercase(),
            Self::TrimTitleCase => text::title_case(given.trim()),
        }
    }
}

impl Helper for FormatIt {
    const META: Meta = Meta::new(
        "format_it",
        "Format It",
        Category::Data,
        "Cleans up the capitals and the surrounding blanks of a field.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"field": "city", "format": "trim_title_case"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let given = values::text(&cx.get_field(&self.field).await?);
        if given.is_empty() {
            return Ok(Outcome::done(format!("{} is empty: nothing to format", self.field)));
        }
        let result = self.format.apply(&given);
        let target = self.target_field.as_ref().unwrap_or(&self.field);
        if fields::same(target.as_str(), self.field.as_str()) && result == given {
            return Ok(Outcome::done(format!("{} is formatted already", self.field)));
        }
        store(cx, target, result).await?;
        Ok(Outcome::done(format!("{target} is formatted")))
    }
}

register!(FormatIt);
