//! `move_it`: moves a value to another field.

use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, Flag};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, fields, register, values};

/// Moves a value from one field to another and empties the field it came from.
///
/// The value is written to the target first, as it is, and the source is emptied only after that has worked: a value
/// is never lost on the way. If the source cannot be emptied, both fields have the value and the run fails; run it
/// again.
///
/// An empty source moves nothing. With `preserve` on, or `overwrite` off, a target that has a value already keeps it,
/// and the source keeps its value too. If a field cannot be read, the run fails and nothing is changed.
///
/// The result shows both fields. Two names of the same field are refused.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MoveIt {
    /// The field to move from; it is empty afterwards.
    source_field: FieldKey,
    /// The field to move to; it must be another field.
    target_field: FieldKey,
    /// Leave both fields alone if the target already has a value.
    #[serde(default)]
    preserve: Flag,
    /// Replace a value that the target already has; off means the same as preserve on.
    #[serde(default = "Flag::on")]
    overwrite: Flag,
}

impl Helper for MoveIt {
    const META: Meta = Meta::new(
        "move_it",
        "Move It",
        Category::Contact,
        "Moves a value from one field to another and empties the field it came from.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"source_field": "_NewPhone", "target_field": "phone", "overwrite": true}"#;

    fn check(&self) -> Vec<ConfigFault> {
        let same = fields::same(self.source_field.as_str(), self.target_field.as_str());
        let fault = || ConfigFault {
            field: "target_field".to_owned(),
            message: "must be another field than the one to move from".to_owned(),
        };
        same.then(fault).into_iter().collect()
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let (source, target) = (&self.source_field, &self.target_field);
        let value = cx.get_field(source).await?;
        if values::is_empty(&value) {
            return Ok(Outcome::done(format!("{source} is empty: nothing to move")));
        }
        let preserve = self.preserve.0 || !self.overwrite.0;
        if preserve && !values::is_empty(&cx.get_field(target).await?) {
            return Ok(Outcome::done(format!("{target} has a value already: both fields stay")));
        }
        // Two names of one custom field would lose the value; only the CRM can tell.
        if cx.is_same_field(source.as_str(), target.as_str()).await? {
            return Err(HelperError::permanent(
                "SAME_FIELD",
                format!("{source} and {target} are the same field of the CRM. Choose another field to move to"),
            ));
        }
        cx.set_field(target, value.clone()).await?;
        cx.set_result(target.as_str(), value);
        cx.set_field(source, "")
            .await
            .map_err(|error| error.context(format!("{target} has the value now, but {source} still has it too")))?;
        cx.set_result(source.as_str(), "");
        Ok(Outcome::done(format!("{source} moved to {target}")))
    }
}

register!(MoveIt);
