//! The template of new helpers is compiled here as if it lay in `mfh-helpers`, and is a helper like any other.

#![allow(clippy::unwrap_used, reason = "tests")]

use mfh_helpers::{Category, Context, Helper, HelperError, Meta, Outcome, register, settings};

#[path = "../templates/helper.rs"]
mod helper;

#[test]
fn the_template_is_a_helper_whose_example_is_valid() {
    let registration = mfh_helpers::find("new_helper").unwrap();
    let example = serde_json::from_str(registration.example).unwrap();
    assert_eq!(registration.validate(&example), Ok(()));
    assert_eq!(registration.struct_name(), "NewHelper");
    assert_eq!(helper::NewHelper::META.name, "New Helper");
}

#[test]
fn every_setting_of_the_template_has_a_help_text() {
    let registration = mfh_helpers::find("new_helper").unwrap();
    let schema = registration.config_schema();
    for (name, property) in schema["properties"].as_object().unwrap() {
        assert!(property["description"].is_string(), "{name}");
    }
}
