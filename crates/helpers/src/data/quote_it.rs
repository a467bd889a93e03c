//! `quote_it`: puts text in quotes, or stores a quotation of the day.

use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{required, store};
use crate::services::they_said_so::{self, Quotation};
use crate::settings::{FieldKey, Flag, Separator};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register, values};

/// The name under which a run remembers its quotation.
const QUOTATION: &str = "quotation";

/// Puts a field's text in quotes or brackets, or stores an inspiring quote of the day on the contact.
///
/// With a source field it puts the field's text between quotes or brackets and writes it to the target field; an empty
/// text gives an empty pair of quotes. When source and target are the same field, every run adds another pair.
///
/// Without a source field it fetches the quotation of the day on a topic and writes it, with its author, to one field
/// or to two. An author who is not known is left out. All contacts of a day get the same quotation.
///
/// The quotations come from They Said So. Without a connection of your own there, only few runs an hour get one; the
/// others fail.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct QuoteIt {
    /// Whether to put a field in quotes or to store a quotation; left empty, a source field means quotes.
    mode: Option<Mode>,
    /// The contact field with the text to put in quotes.
    source_field: Option<FieldKey>,
    /// The contact field that receives the result.
    target_field: Option<FieldKey>,
    /// The quotes or brackets.
    #[serde(default)]
    quote_style: Style,
    /// The opening quote of the custom style, exactly as typed.
    custom_left: Option<Separator>,
    /// The closing quote of the custom style, exactly as typed.
    custom_right: Option<Separator>,
    /// Put a backslash before quotes inside the text.
    #[serde(default)]
    escape_quotes: Flag,
    /// The topic of the quotation.
    #[serde(default)]
    category: Topic,
    /// Whether the quotation goes to one line, to two lines, or to two fields.
    #[serde(default)]
    format: Format,
    /// The contact field that receives the quotation, for two fields.
    quote_field: Option<FieldKey>,
    /// The contact field that receives its author, for two fields.
    author_field: Option<FieldKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Put a field in quotes.
    Wrap,
    /// Store a quotation.
    Random,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Style {
    /// "Double quotes".
    #[default]
    Double,
    /// 'Single quotes'.
    Single,
    /// `Backticks`.
    Backtick,
    /// (Parentheses).
    Parentheses,
    /// [Brackets].
    Brackets,
    /// {Braces}.
    Braces,
    /// Your own.
    Custom,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Topic {
    /// Inspiration.
    #[default]
    Inspire,
    /// Management.
    Management,
    /// Sports.
    Sports,
    /// Life.
    Life,
    /// Humour.
    Funny,
    /// Love.
    Love,
    /// Art.
    Art,
    /// Students.
    Students,
}

impl Topic {
    fn as_str(self) -> &'static str {
        match self {
            Self::Inspire => "inspire",
            Self::Management => "management",
            Self::Sports => "sports",
            Self::Life => "life",
            Self::Funny => "funny",
            Self::Love => "love",
            Self::Art => "art",
            Self::Students => "students",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// Quotation - author.
    #[default]
    SingleLine,
    /// The quotation, and the author on a line of its own.
    MultiLine,
    /// The quotation in one field, the author in another.
    MultiField,
}

impl Helper for QuoteIt {
    const META: Meta = Meta::new(
        "quote_it",
        "Quote It",
        Category::Data,
        "Puts a field's text in quotes or brackets, or stores an inspiring quote of the day on the contact.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"category": "inspire", "format": "single_line", "target_field": "_Quote"}"#;

    fn check(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        let mut need = |missing: bool, field: &str, when: &str| {
            if missing {
                faults.push(required(field, when));
            }
        };
        let fields = self.mode() == Mode::Random && self.format == Format::MultiField;
        need(
            self.target_field.is_none() && !fields,
            "target_field",
            "to store the result",
        );
        need(self.quote_field.is_none() && fields, "quote_field", "for two fields");
        need(self.author_field.is_none() && fields, "author_field", "for two fields");
        if self.mode() == Mode::Wrap {
            let custom = self.quote_style == Style::Custom;
            need(self.source_field.is_none(), "source_field", "to put it in quotes");
            need(
                self.custom_left.is_none() && custom,
                "custom_left",
                "for the custom style",
            );
            need(
                self.custom_right.is_none() && custom,
                "custom_right",
                "for the custom style",
            );
        }
        faults
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        match (self.mode(), &self.source_field, &self.target_field) {
            (Mode::Wrap, Some(source), Some(target)) => self.wrap(cx, source, target).await,
            (Mode::Wrap, ..) => Err(HelperError::configuration(&self.check())),
            (Mode::Random, ..) => self.quote(cx).await,
        }
    }
}

impl QuoteIt {
    fn mode(&self) -> Mode {
        let wraps = self.source_field.is_some();
        self.mode.unwrap_or(if wraps { Mode::Wrap } else { Mode::Random })
    }

    fn delimiters(&self) -> (&str, &str) {
        match self.quote_style {
            Style::Double => ("\"", "\""),
            Style::Single => ("'", "'"),
            Style::Backtick => ("`", "`"),
            Style::Parentheses => ("(", ")"),
            Style::Brackets => ("[", "]"),
            Style::Braces => ("{", "}"),
            Style::Custom => (typed(self.custom_left.as_ref()), typed(self.custom_right.as_ref())),
        }
    }

    async fn wrap(&self, cx: &mut Context<'_>, source: &FieldKey, target: &FieldKey) -> Result<Outcome, HelperError> {
        let text = values::text(&cx.get_field(source).await?);
        let (left, right) = self.delimiters();
        let inner = if self.escape_quotes.0 && left == right {
            escaped(&text, left)
        } else {
            text.clone()
        };
        let quoted = format!("{left}{inner}{right}");
        store(cx, target, quoted.clone()).await?;
        cx.set_result(
            "quote_style",
            serde_json::to_value(self.quote_style).unwrap_or_default(),
        );
        cx.set_result("source_text", text);
        cx.set_result("quoted_text", quoted);
        Ok(Outcome::done(format!("{target} holds the text in quotes")))
    }

    async fn quote(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let Quotation { quote, author } = match cx.recall(QUOTATION) {
            Some(quotation) => quotation,
            None => {
                let quotation = they_said_so::of_the_day(cx, self.category.as_str()).await?;
                cx.remember(QUOTATION, &quotation);
                quotation
            }
        };
        let mut failures = Failures::new();
        for (field, text) in self.parts(&quote, &author) {
            failures.note("Quotation", store(cx, field, text).await);
        }
        cx.set_result("quote", quote);
        cx.set_result("author", author);
        cx.set_result("category", self.category.as_str());
        failures.into_result()?;
        Ok(Outcome::done("The quotation of the day is stored"))
    }

    /// Which field receives which text.
    fn parts(&self, quote: &str, author: &str) -> Vec<(&FieldKey, String)> {
        let join = match self.format {
            Format::SingleLine => " - ",
            Format::MultiLine => "\n",
            Format::MultiField => {
                let fields = [(&self.quote_field, quote), (&self.author_field, author)];
                return fields
                    .into_iter()
                    .filter(|(_, text)| !text.trim().is_empty())
                    .filter_map(|(field, text)| Some((field.as_ref()?, text.to_owned())))
                    .collect();
            }
        };
        let text = if author.trim().is_empty() {
            quote.to_owned()
        } else {
            format!("{quote}{join}{author}")
        };
        self.target_field.iter().map(|field| (field, text.clone())).collect()
    }
}

fn typed(custom: Option<&Separator>) -> &str {
    custom.map_or("", Separator::as_str)
}

/// Doubles every backslash, then puts one before each delimiter; only for a delimiter of one character.
fn escaped(text: &str, delimiter: &str) -> String {
    if delimiter.chars().count() != 1 {
        return text.to_owned();
    }
    text.replace('\\', "\\\\").replace(delimiter, &format!("\\{delimiter}"))
}

#[cfg(test)]
mod tests {
    use super::escaped;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_escaped_text_reads_back(text in "[a\"\\\\]{0,20}") {
            let mut back = String::new();
            let escaped = escaped(&text, "\"");
            let mut letters = escaped.chars();
            while let Some(letter) = letters.next() {
                prop_assert_ne!(letter, '"');
                back.extend(if letter == '\\' { letters.next() } else { Some(letter) });
            }
            prop_assert_eq!(back, text);
        }
    }
}

register!(QuoteIt);
