//! `copy_it`: copies a field to another.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, Flag};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register, values};

/// Copies the value of one field to another field of the same contact.
///
/// The value is copied as it is: numbers stay numbers and lists stay lists. The source keeps its value; use Move It to
/// empty it.
///
/// An empty source copies nothing, so the target is never blanked. With `overwrite` off, a target that has a value
/// stays as it is; blanks count as empty, 0 does not. If a field cannot be read, the run fails and nothing is changed.
///
/// The result shows the target field and its new value.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CopyIt {
    /// The field to copy from.
    source_field: FieldKey,
    /// The field to copy to.
    target_field: FieldKey,
    /// Replace a value that is already there.
    #[serde(default = "Flag::on")]
    overwrite: Flag,
}

impl Helper for CopyIt {
    const META: Meta = Meta::new(
        "copy_it",
        "Copy It",
        Category::Contact,
        "Copies the value of one field to another field of the same contact.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"source_field": "phone", "target_field": "_OldPhone", "overwrite": false}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let (source, target) = (&self.source_field, &self.target_field);
        let value = cx.get_field(source).await?;
        if values::is_empty(&value) {
            return Ok(Outcome::done(format!("{source} is empty: nothing to copy")));
        }
        if !self.overwrite.0 && !values::is_empty(&cx.get_field(target).await?) {
            return Ok(Outcome::done(format!(
                "{target} has a value already and stays as it is"
            )));
        }
        cx.set_field(target, value.clone()).await?;
        cx.set_result(target.as_str(), value);
        Ok(Outcome::done(format!("{source} copied to {target}")))
    }
}

register!(CopyIt);
