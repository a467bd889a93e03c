//! `field_to_field`: copies several fields in one step.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::settings::{FieldKey, Flag};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, fields, register, values};

/// Copies several fields to other fields in one step; swapping two fields works too.
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
        let keys: Vec<&FieldKey> = self.mappings.iter().flat_map(|mapping| self.reads(mapping)).collect();
        let mut found = cx.read_fields(&keys).await.into_iter();

        let mut failures = Failures::new();
        let mut written: Vec<&FieldKey> = Vec::new();
        for mapping in &self.mappings {
            let read: Result<Vec<Value>, HelperError> = found.by_ref().take(self.reads(mapping).count()).collect();
            let values = match read {
                Ok(values) => values,
                Err(error) => {
                    failures.note::<()>(format!("{} to {}", mapping.source, mapping.target), Err(error));
                    continue;
                }
            };
            let [value, before @ ..] = values.as_slice() else {
                continue;
            };
            let target = &mapping.target;
            let taken = |key: &&FieldKey| fields::same(key.as_str(), target.as_str());
            let filled = before.iter().any(|value| !values::is_empty(value)) || written.iter().any(taken);
            if values::is_empty(value) || (!self.overwrite.0 && filled) {
                continue;
            }
            let copied = cx.set_field(target, value.clone()).await;
            if failures.note(&mapping.source, copied) {
                cx.set_result(target.as_str(), value.clone());
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

impl FieldToField {
    /// What has to be read for a mapping, all before the first write: a value must not depend on an earlier mapping.
    fn reads<'m>(&self, mapping: &'m Mapping) -> impl Iterator<Item = &'m FieldKey> + use<'m> {
        let target = (!self.overwrite.0).then_some(&mapping.target);
        std::iter::once(&mapping.source).chain(target)
    }
}

register!(FieldToField);
