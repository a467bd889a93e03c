//! The manual of the helpers: `docs/helpers/README.md` lists them, and each has a page with the texts that users read in
//! the web app.

use std::fmt::Write as _;

use mfh_helpers::{Category, Registration};
use serde_json::Value;

use super::{Generated, MARKER};

/// The manual of these helpers, which are sorted by category and type.
pub(super) fn files(helpers: &[&Registration]) -> Vec<Generated> {
    let pages = helpers.iter().map(|helper| Generated {
        path: format!("docs/helpers/{}.md", helper.meta.type_name).into(),
        contents: page(helper),
    });
    std::iter::once(index(helpers)).chain(pages).collect()
}

fn index(helpers: &[&Registration]) -> Generated {
    let mut page = format!(
        "<!-- {MARKER} -->\n# Helpers\n\n\
         A helper is a small unit of work on one contact. Its settings are a JSON object; the page of each helper \
         explains them and shows an example that works. On the terminal, `mfh helpers show <type>` says the same.\n"
    );
    for category in Category::ALL {
        let mut members = helpers
            .iter()
            .filter(|helper| helper.meta.category == category)
            .peekable();
        if members.peek().is_none() {
            continue;
        }
        line(&mut page, format_args!("\n## {}\n", capitalised(category.as_str())));
        line(
            &mut page,
            format_args!("| Helper | Type | What it does |\n| --- | --- | --- |"),
        );
        for helper in members {
            let meta = &helper.meta;
            let (name, type_name) = (meta.name, meta.type_name);
            let summary = cell(meta.summary);
            line(
                &mut page,
                format_args!("| [{name}]({type_name}.md) | `{type_name}` | {summary} |"),
            );
        }
    }
    Generated {
        path: "docs/helpers/README.md".into(),
        contents: page,
    }
}

fn page(helper: &Registration) -> String {
    let meta = &helper.meta;
    let mut page = format!("<!-- {MARKER} -->\n# {}\n\n{}\n", meta.name, meta.summary);
    for paragraph in helper.about().iter().skip(1) {
        line(&mut page, format_args!("\n{paragraph}"));
    }
    line(&mut page, format_args!("\n- Type: `{}`", meta.type_name));
    line(&mut page, format_args!("- Category: {}", meta.category));
    for condition in conditions(helper) {
        line(&mut page, format_args!("- {condition}"));
    }

    let mut rows = Vec::new();
    settings("", &helper.config_schema(), &mut rows);
    line(&mut page, format_args!("\n## Settings\n"));
    if rows.is_empty() {
        line(&mut page, format_args!("None."));
    } else {
        line(&mut page, format_args!("| Setting | Value | Required | Meaning |"));
        line(&mut page, format_args!("| --- | --- | --- | --- |"));
    }
    for row in rows {
        line(&mut page, format_args!("{row}"));
    }
    let example = unindented(helper.example);
    line(&mut page, format_args!("\n## Example\n\n```json\n{example}\n```"));
    page
}

/// JSON text without the indentation that it has inside Rust code, which is that of its last line.
fn unindented(example: &str) -> String {
    let example = example.trim();
    let last = example.lines().next_back().unwrap_or_default();
    let indent = &last[..last.len() - last.trim_start().len()];
    let lines: Vec<&str> = example
        .lines()
        .map(|line| line.strip_prefix(indent).unwrap_or(line))
        .collect();
    lines.join("\n")
}

/// What has to be there before it runs, a sentence each.
fn conditions(helper: &Registration) -> Vec<String> {
    let meta = &helper.meta;
    let mut conditions = vec![match (meta.requires_crm, meta.supported_crms) {
        (true, []) => "Needs a connected CRM".to_owned(),
        (true, crms) => format!("Needs one of these CRMs: {}", crms.join(", ")),
        (false, _) => "Works without a CRM".to_owned(),
    }];
    if meta.requires_crm && meta.contact_optional {
        conditions.push("Works without a contact".to_owned());
    }
    if !meta.services.is_empty() {
        conditions.push(format!("Needs a connection to {}", meta.services.join(", ")));
    }
    if meta.repeatable {
        conditions.push("Running it twice does no harm".to_owned());
    }
    conditions
}

/// One table row for each setting of an object schema, and for the settings inside its objects and lists of objects.
fn settings(prefix: &str, schema: &Value, rows: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let ordered: Vec<&str> = match schema["x-order"].as_array() {
        Some(order) => order.iter().filter_map(Value::as_str).collect(),
        None => properties.keys().map(String::as_str).collect(),
    };
    for name in ordered {
        let Some(property) = properties.get(name) else {
            continue;
        };
        let required = contains(&schema["required"], name);
        rows.push(format!(
            "| `{prefix}{name}` | {} | {} | {} |",
            cell(&kind(property)),
            if required { "yes" } else { "" },
            cell(&meaning(property)),
        ));
        settings(&format!("{prefix}{name}."), property, rows);
        settings(&format!("{prefix}{name}[]."), &property["items"], rows);
    }
}

fn contains(list: &Value, name: &str) -> bool {
    list.as_array()
        .is_some_and(|entries| entries.iter().any(|entry| entry == name))
}

/// The kind of value in the reader's words.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{}`", plain(value))).collect();
        return values.join(" or ");
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (_, Some("tag")) => "tag".to_owned(),
        (_, Some("crm_field")) => "contact field".to_owned(),
        (Some("array"), _) => format!("list of: {}", kind(&schema["items"])),
        (Some("boolean"), _) => "true or false".to_owned(),
        (Some("integer"), _) => "whole number".to_owned(),
        (Some("string"), _) => "text".to_owned(),
        (Some(other), _) => other.to_owned(),
        (None, _) => "any".to_owned(),
    }
}

fn meaning(schema: &Value) -> String {
    let mut text = schema["description"].as_str().unwrap_or_default().to_owned();
    if let Some(default) = schema.get("default").filter(|default| says_something(default)) {
        let _ = write!(text, " Default: `{}`.", plain(default));
    }
    for choice in schema["x-choices"].as_array().into_iter().flatten() {
        if let (Some(value), Some(about)) = (choice["value"].as_str(), choice["description"].as_str()) {
            let _ = write!(text, " `{value}`: {about}");
        }
    }
    text.trim().to_owned()
}

/// Whether a default tells more than that nothing is set.
fn says_something(default: &Value) -> bool {
    match default {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(entries) => !entries.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Text that stays within one table cell.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(schema: &Value) -> Vec<String> {
        let mut rows = Vec::new();
        settings("", schema, &mut rows);
        rows
    }

    #[test]
    fn settings_keep_the_order_of_the_helper() {
        let schema = json!({
            "x-order": ["tag_ids", "action"],
            "required": ["action"],
            "properties": {
                "action": {"type": "string", "enum": ["apply", "remove"], "description": "What to do."},
                "tag_ids": {"type": "array", "items": {"type": "string", "format": "tag"}, "description": "The\n tags."},
            },
        });
        assert_eq!(
            rows(&schema),
            [
                "| `tag_ids` | list of: tag |  | The tags. |",
                "| `action` | `apply` or `remove` | yes | What to do. |",
            ]
        );
    }

    #[test]
    fn settings_inside_a_list_have_a_path() {
        let schema = json!({"properties": {"rules": {
            "type": "array",
            "items": {"type": "object", "required": ["points"], "properties": {"points": {"type": "number"}}},
        }}});
        assert_eq!(rows(&schema)[1], "| `rules[].points` | number | yes |  |");
    }

    #[test]
    fn a_bar_does_not_end_the_cell() {
        let schema = json!({"properties": {"text": {"type": "string", "description": "a | b", "default": "x"}}});
        assert_eq!(rows(&schema), ["| `text` | text |  | a \\| b Default: `x`. |"]);
    }

    #[test]
    fn an_example_loses_the_indentation_of_the_code_around_it() {
        assert_eq!(unindented("{\n        \"a\": 1\n    }"), "{\n    \"a\": 1\n}");
        assert_eq!(unindented(" {\"a\": 1} "), "{\"a\": 1}");
    }

    #[test]
    fn every_helper_is_listed_and_has_a_page_with_its_example() {
        let helpers = mfh_helpers::catalogue();
        let files = files(&helpers);
        assert_eq!(files.len(), helpers.len() + 1);
        for (helper, page) in helpers.iter().zip(&files[1..]) {
            let type_name = helper.meta.type_name;
            assert!(files[0].contents.contains(&format!("({type_name}.md)")));
            assert_eq!(
                page.path.to_str(),
                Some(format!("docs/helpers/{type_name}.md").as_str())
            );
            assert!(page.contents.contains(&unindented(helper.example)));
        }
    }
}
