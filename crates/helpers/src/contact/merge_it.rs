//! `merge_it`: brings the values of two or more fields together.

use schemars::JsonSchema;
use serde::Deserialize;

use super::joining::join_into;
use crate::settings::{FieldKey, Flag, Separator};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Brings the values of two or more fields together in one field.
///
/// The values are joined in the order of your list with the separator between them, and the result replaces what the
/// target field held. It takes at least two fields; Combine It does the same with one.
///
/// Empty fields are left out, so that no separator stands alone; when all are empty, nothing is written. Switch
/// `skip_empty` off to keep their places.
///
/// If one of the fields cannot be read, the run fails and the target keeps its value. When the target is also one of
/// the sources, the text grows with every run. Duplicate contacts are not merged by this helper.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MergeIt {
    /// The fields to bring together, in this order; a field may come twice.
    #[schemars(length(min = 2))]
    source_fields: Vec<FieldKey>,
    /// The field that receives the joined text; it may be one of the sources.
    target_field: FieldKey,
    /// The text between two values, kept as typed; empty: nothing between them.
    #[serde(default)]
    separator: Separator,
    /// Leave empty fields out instead of keeping their place.
    #[serde(default = "Flag::on")]
    skip_empty: Flag,
}

impl Helper for MergeIt {
    const META: Meta = Meta::new(
        "merge_it",
        "Merge It",
        Category::Contact,
        "Brings the values of two or more fields together in one field.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"source_fields": ["first_name", "last_name"], "target_field": "_DisplayName"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        join_into(
            cx,
            &self.source_fields,
            &self.target_field,
            &self.separator,
            self.skip_empty.0,
        )
        .await
    }
}

register!(MergeIt);
