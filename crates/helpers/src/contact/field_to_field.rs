//! `field_to_field`: copies several fields in one step.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::settings::{FieldKey, Flag};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, fields, register, values};

/// Copies several fields to other fields in one step; swapping two fields works too.
///
/// All fields are read before the first is written. So you can swap two fields by listing both ways, and no value
/// depends on an earlier line of your list. Values are copied as they are: numbers stay numbers.
///
/// An empty source is skipped and never blanks its target. When several lines have the same target, the last one with
/// a value wins; with `overwrite` off it is the first, and targets that have a value already stay as they are.
///
/// Every line is tried: when one fails, the others are still done, and the run fails and names it. The result lists
/// the targets with their new values. Running a swap again swaps back.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FieldToField {
    /// Which field goes where, in the order in which it is done.
    #[schemars(length(min = 1))]
    mappings: Vec<Mapping>,
    /// Replace values that are already there.
    #[serde(default = "Flag::on")]
    overwrite: Flag,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Mapping {
    /// The field to copy from.
    source: FieldKey,
    /// The field to copy to.
    target: FieldKey,
}

impl Helper for FieldToField {
    const META: Meta = Meta::new(
        "field_to_field",
        "Field to Field",
        Category::Contact,
        "Copies several fields to other fields in one step; swapping two fields works too.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{
        "mappings": [{"source": "phone", "target": "_OldPhone"}, {"source": "_Mobile", "target": "phone"}]
    }"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        // Everything is read before the first write: a value must not depend on an earlier mapping.
        let sources = self.mappings.iter().map(|mapping| &mapping.source);
        let targets = self.mappings.iter().map(|mapping| &mapping.target);
        let keys: Vec<&FieldKey> = sources.chain(targets.filter(|_| !self.overwrite.0)).collect();
        let mut read = cx.read_fields(&keys).await.into_iter();
        let found: Vec<_> = read.by_ref().take(self.mappings.len()).collect();

        let mut failures = Failures::new();
        let mut written: Vec<&FieldKey> = Vec::new();
        for (mapping, value) in self.mappings.iter().zip(found) {
            let target = &mapping.target;
            let (value, before) = match both(value, read.next()) {
                Ok(values) => values,
                Err(error) => {
                    failures.note::<()>(format!("{} to {target}", mapping.source), Err(error));
                    continue;
                }
            };
            let taken = |key: &&FieldKey| fields::same(key.as_str(), target.as_str());
            let filled = !values::is_empty(&before) || written.iter().any(taken);
            if values::is_empty(&value) || (!self.overwrite.0 && filled) {
                continue;
            }
            let copied = cx.set_field(target, value.clone()).await;
            if failures.note(&mapping.source, copied) {
                cx.set_result(target.as_str(), value);
                written.push(target);
            }
        }
        failures.into_result()?;
        Ok(Outcome::done(match written.len() {
            0 => "Nothing to copy".to_owned(),
            count => format!("{count} fields copied"),
        }))
    }
}

/// The value of a source and what its target held, if that was read.
fn both(
    source: Result<Value, HelperError>,
    target: Option<Result<Value, HelperError>>,
) -> Result<(Value, Value), HelperError> {
    Ok((source?, target.transpose()?.unwrap_or_default()))
}

register!(FieldToField);
