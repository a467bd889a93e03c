//! `combine_it`: joins the values of fields in one.

use schemars::JsonSchema;
use serde::Deserialize;

use super::joining::join_into;
use crate::settings::{FieldKey, Flag, Separator};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Joins the values of several fields into one field, with the separator you like.
///
/// The values are joined in the order of your list with the separator between them, and the result replaces what the
/// target field held. Values are kept as they are, with their blanks; lists are written with commas.
///
/// Empty fields are left out, so that no separator stands alone; when all are empty, nothing is written. Switch
/// `skip_empty` off to keep their places, for example in a line of fixed columns.
///
/// If one of the fields cannot be read, the run fails and the target keeps its value. When the target is also one of
/// the sources, the text grows with every run.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CombineIt {
    /// The fields to join, in this order; a field may come twice.
    #[schemars(length(min = 1))]
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

impl Helper for CombineIt {
    const META: Meta = Meta::new(
        "combine_it",
        "Combine It",
        Category::Contact,
        "Joins the values of several fields into one field, with the separator you like.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"source_fields": ["zip", "city"], "target_field": "_Place", "separator": " "}"#;

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

register!(CombineIt);
