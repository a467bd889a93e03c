//! `mfh helpers`: the catalogue on the terminal.

use anyhow::Context;
use mfh_helpers::{Registration, catalogue, find};
use serde_json::Value;

pub(super) fn list() -> anyhow::Result<()> {
    let mut category = None;
    for helper in catalogue() {
        if category != Some(helper.meta.category) {
            category = Some(helper.meta.category);
            println!("{}", helper.meta.category);
        }
        println!("  {:<24} {}", helper.meta.type_name, helper.meta.summary);
    }
    println!("\nmfh helpers show <type> explains one.");
    Ok(())
}

pub(super) fn show(helper_type: &str) -> anyhow::Result<()> {
    let helper = find(helper_type)
        .with_context(|| format!("There is no helper type \"{helper_type}\". See them all with: mfh helpers"))?;
    print!("{}", manual(helper));
    Ok(())
}

/// The manual page of a helper type.
fn manual(helper: &Registration) -> String {
    let schema = helper.config_schema();
    let mut page = format!(
        "{} ({})\n{}\n",
        helper.meta.name, helper.meta.type_name, helper.meta.summary
    );
    for paragraph in helper.about().iter().skip(1) {
        page.push_str(&format!("\n{paragraph}\n"));
    }
    page.push_str("\nSettings\n");
    settings(&schema, 2, &mut page);
    let example: Value = serde_json::from_str(helper.example).unwrap_or_default();
    let example = serde_json::to_string_pretty(&example).unwrap_or_default();
    page.push_str(&format!("\nExample\n{}\n", indent(&example, 2)));
    page
}

fn settings(schema: &Value, depth: usize, page: &mut String) {
    let order: Vec<&str> = match schema["x-order"].as_array() {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect(),
    };
    for name in order {
        let property = &schema["properties"][name];
        let required = schema["required"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == name));
        let mut facts = vec![kind(property)];
        if required {
            facts.push("required".to_owned());
        }
        if let Some(default) = property.get("default").filter(|default| !default.is_null()) {
            facts.push(format!("default {default}"));
        }
        let about = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        page.push_str(&format!(
            "{:depth$}{name} ({})\n{:depth$}  {about}\n",
            "",
            facts.join(", "),
            ""
        ));
        for choice in property["x-choices"].as_array().into_iter().flatten() {
            let (value, about) = (choice["value"].as_str(), choice["description"].as_str());
            page.push_str(&format!(
                "{:depth$}    {}: {}\n",
                "",
                value.unwrap_or_default(),
                about.unwrap_or_default()
            ));
        }
        let nested = property.get("items").unwrap_or(property);
        if nested.get("properties").is_some() {
            settings(nested, depth + 4, page);
        }
    }
}

fn kind(property: &Value) -> String {
    if let Some(choices) = property["enum"].as_array() {
        return choices.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    match (property["type"].as_str(), property["format"].as_str()) {
        (_, Some("tag")) => "tag".to_owned(),
        (_, Some("crm_field")) => "contact field".to_owned(),
        (Some("array"), _) => format!("list of {}", plural(&kind(&property["items"]))),
        (Some("string"), _) => "text".to_owned(),
        (Some("boolean"), _) => "yes or no".to_owned(),
        (Some(kind), _) => kind.to_owned(),
        (None, _) => "any value".to_owned(),
    }
}

fn plural(word: &str) -> String {
    format!("{word}s")
}

fn indent(text: &str, by: usize) -> String {
    text.lines()
        .map(|line| format!("{:by$}{line}", ""))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_of_every_type_names_each_setting() {
        for helper in catalogue() {
            let page = manual(helper);
            for name in helper.config_schema()["properties"].as_object().unwrap().keys() {
                assert!(page.contains(&format!("  {name} (")), "{name} in\n{page}");
            }
            assert!(page.contains("Example\n  {"), "{page}");
        }
    }
}
