//! `text_it`: adds, replaces, cuts, extracts or reverses text.

use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{required, store};
use crate::settings::{FieldKey, RawText, Separator, Whole};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, fields, register, text, values};

/// Adds, replaces, cuts, extracts or reverses text in a field.
///
/// Changes the text of a field, or writes the changed text to another field and leaves the first one alone. Texts to
/// add, find and replace are taken as you type them, blanks and capitals included; there are no wildcards. An empty
/// field counts as empty text.
///
/// Nothing is written when the text stays the same, unless the result goes to another field. A text without the domain
/// of a single e-mail address, or without a letter or digit for a page address, is left alone too.
///
/// Numbers are taken out as digits, with a point only between two of them: $1,234.50 gives 1234.50. The address of a
/// page has small letters without accents and hyphens between words: `Crème Brûlée!` gives `creme-brulee`. Cutting and
/// reversing keep accents and emoji whole.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TextIt {
    /// The contact field with the text.
    field: FieldKey,
    /// What to do with the text.
    operation: Operation,
    /// The text to add, to find or to remove, exactly as typed.
    value: Option<Separator>,
    /// The text that replaces what was found, exactly as typed.
    #[serde(default)]
    replace_with: RawText,
    /// How many characters to keep when the text is cut.
    #[schemars(range(min = 1))]
    max_length: Option<Whole>,
    /// The contact field that receives the result; left empty, the field itself.
    target_field: Option<FieldKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Operation {
    /// Put text in front.
    Prepend,
    /// Put text behind.
    Append,
    /// Replace every occurrence of a text.
    Replace,
    /// Remove every occurrence of a text.
    Remove,
    /// Cut the text to a number of characters.
    Truncate,
    /// Take the domain of an e-mail address.
    ExtractEmailDomain,
    /// Take the digits only.
    ExtractNumbers,
    /// Make it fit for the address of a page.
    Slug,
    /// Turn the text around.
    Reverse,
}

impl Helper for TextIt {
    const META: Meta = Meta::new(
        "text_it",
        "Text It",
        Category::Data,
        "Adds, replaces, cuts, extracts or reverses text in a field.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"field": "email", "operation": "extract_email_domain", "target_field": "_EmailDomain"}"#;

    fn check(&self) -> Vec<ConfigFault> {
        use Operation::{Append, Prepend, Remove, Replace, Truncate};
        let mut faults = Vec::new();
        match (self.operation, &self.value) {
            (Prepend | Append | Replace | Remove, None) => {
                faults.push(required("value", "for prepend, append, replace and remove"));
            }
            (Replace | Remove, Some(value)) if value.as_str().is_empty() => {
                faults.push(required("value", "to find something"));
            }
            _ => {}
        }
        if self.operation == Truncate && self.max_length.is_none() {
            faults.push(required("max_length", "to cut the text"));
        }
        faults
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let given = values::text(&cx.get_field(&self.field).await?);
        let target = self.target_field.as_ref().unwrap_or(&self.field);
        let Some(result) = self.apply(&given) else {
            return Ok(Outcome::done(format!("Nothing to extract from {}", self.field)));
        };
        if fields::same(target.as_str(), self.field.as_str()) && result == given {
            return Ok(Outcome::done(format!("{} stays as it is", self.field)));
        }
        store(cx, target, result).await?;
        Ok(Outcome::done(format!("{target} is changed")))
    }
}

impl TextIt {
    /// The new text; `None` when there is nothing to extract.
    fn apply(&self, given: &str) -> Option<String> {
        let value = self.value.as_ref().map_or("", Separator::as_str);
        let result = match self.operation {
            Operation::Prepend => format!("{value}{given}"),
            Operation::Append => format!("{given}{value}"),
            Operation::Replace => given.replace(value, self.replace_with.as_str()),
            Operation::Remove => given.replace(value, ""),
            Operation::Truncate => {
                let length = self.max_length.unwrap_or_default().0;
                text::truncate(given, usize::try_from(length).unwrap_or_default()).to_owned()
            }
            Operation::ExtractEmailDomain => text::email_domain(given)?.to_owned(),
            Operation::ExtractNumbers => text::digits_and_points(given),
            Operation::Slug => Some(text::slug(given)).filter(|slug| !slug.is_empty())?,
            Operation::Reverse => text::reverse(given),
        };
        Some(result)
    }
}

register!(TextIt);
