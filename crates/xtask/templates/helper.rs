//! `new_helper`: stores a text in a field of the contact.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, RawText};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Stores a text in a field of the contact.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NewHelper {
    /// The contact field that receives the text.
    target_field: FieldKey,
    /// The text to store.
    #[serde(default)]
    text: RawText,
}

impl Helper for NewHelper {
    const META: Meta = Meta::new(
        "new_helper",
        "New Helper",
        Category::Data,
        "Stores a text in a field of the contact.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"target_field": "_Greeting", "text": "Hello"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        cx.set_field(&self.target_field, self.text.as_str().to_owned()).await?;
        Ok(Outcome::done(format!("{} set", self.target_field)))
    }
}

register!(NewHelper);
