//! The settings of a connection that say what contacts opt in to, against what the CRM has.

use std::collections::BTreeMap;

use http::StatusCode;
use mfh_connectors::{Connector, OptInSetting, OptInTarget};
use mfh_http::{ApiError, ErrorCode, FieldFault};
use mfh_types::{ConnectionSettings, Platform};
use serde_json::{Value, json};

use crate::upstream;

/// The longest id.
const MAX_CHARS: usize = 64;

/// Settings as a request carries them.
pub(crate) type Sent = BTreeMap<String, Value>;

/// The settings after a change: what is not sent stays, null and blanks clear.
///
/// # Errors
/// 400 for a setting that the platform does not have, or a value that is no id.
pub(crate) fn merged(
    platform: &Platform,
    present: &ConnectionSettings,
    sent: &Sent,
) -> Result<ConnectionSettings, ApiError> {
    let own = OptInSetting::of(&platform.slug);
    let (mut settings, mut faults) = (present.clone(), Vec::new());
    for (key, value) in sent {
        match (own.filter(|setting| setting.key == key), id(value)) {
            (Some(setting), Ok(id)) => settings = setting.write(settings, id),
            (Some(setting), Err(expected)) => faults.push(FieldFault::new(path(setting), expected)),
            (None, Ok(None)) => {}
            (None, _) => {
                let known = own
                    .map(|own| format!("; only {} can be set", own.key))
                    .unwrap_or_default();
                let message = format!("is no setting of a connection to {}{known}", platform.name);
                faults.push(FieldFault::new(unknown(key), message));
            }
        }
    }
    if faults.is_empty() {
        Ok(settings)
    } else {
        Err(ApiError::invalid(faults))
    }
}

/// An id, as text or as a whole number; none for null and blanks.
fn id(value: &Value) -> Result<Option<String>, &'static str> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return Err("must be an id: text or a whole number"),
    };
    if text.chars().count() > MAX_CHARS || text.contains(char::is_control) {
        return Err("must be an id of the CRM");
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn path(setting: OptInSetting) -> String {
    format!("settings.{}", setting.key)
}

/// A name that does not look like one is not repeated.
fn unknown(key: &str) -> String {
    let is_name_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if key.len() <= 32 && key.bytes().all(is_name_byte) {
        format!("settings.{key}")
    } else {
        "settings".to_owned()
    }
}

/// Asks the CRM whether it has what the settings name.
///
/// # Errors
/// 400 that lists what there is; where the CRM cannot be asked, what that means to our caller.
pub(crate) async fn check(
    crm: &dyn Connector,
    platform: &Platform,
    settings: &ConnectionSettings,
) -> Result<(), ApiError> {
    if wanted(platform, settings).is_none() {
        return Ok(());
    }
    let targets = crm.opt_in_targets().await;
    let targets = targets.map_err(|error| upstream::refusal(&error, "The settings could not be checked"))?;
    fits(platform, settings, &targets)
}

/// The setting that there is, and what it names.
pub(crate) fn wanted<'a>(platform: &Platform, settings: &'a ConnectionSettings) -> Option<(OptInSetting, &'a str)> {
    let setting = OptInSetting::of(&platform.slug)?;
    Some((setting, setting.read(settings)?))
}

/// Whether what the settings name is among these.
///
/// # Errors
/// 400 that lists them.
pub(crate) fn fits(
    platform: &Platform,
    settings: &ConnectionSettings,
    targets: &[OptInTarget],
) -> Result<(), ApiError> {
    let Some((setting, wanted)) = wanted(platform, settings) else {
        return Ok(());
    };
    let Err(message) = setting.choose(targets, Some(wanted)) else {
        return Ok(());
    };
    let fault = FieldFault::new(path(setting), message.clone());
    let refusal = ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::ValidationFailed, message).fields(vec![fault]);
    Err(refusal.data(json!({ "candidates": targets })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(slug: &str) -> Platform {
        let now = serde_json::from_value(json!("2026-03-10T00:00:00Z")).unwrap();
        let mut seeds = crate::seeds(now).into_iter();
        seeds.find(|platform| platform.slug == slug).unwrap()
    }

    fn merge(slug: &str, present: &str, sent: Value) -> Result<Option<String>, String> {
        let present = ConnectionSettings {
            default_list_id: Some(present.to_owned()).filter(|id| !id.is_empty()),
            default_subscription_id: None,
        };
        let sent = serde_json::from_value(sent).unwrap();
        let merged = merged(&platform(slug), &present, &sent);
        merged
            .map(|it| it.default_list_id)
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_setting_is_kept_changed_or_cleared() {
        for (sent, after) in [
            (json!({}), Some("1")),
            (json!({"default_list_id": " 2 "}), Some("2")),
            (json!({"default_list_id": 3}), Some("3")),
            (json!({"default_list_id": null}), None),
            (json!({"default_list_id": " "}), None),
            (json!({"default_subscription_id": null}), Some("1")),
        ] {
            let merged = merge("activecampaign", "1", sent.clone());
            assert_eq!(merged, Ok(after.map(str::to_owned)), "{sent}");
        }
    }

    #[test]
    fn what_the_platform_cannot_set_is_refused_by_name() {
        for (slug, sent, field) in [
            (
                "activecampaign",
                json!({"default_list_id": 1.5}),
                "settings.default_list_id",
            ),
            (
                "activecampaign",
                json!({"default_list_id": "a\nb"}),
                "settings.default_list_id",
            ),
            (
                "activecampaign",
                json!({"default_subscription_id": "1"}),
                "only default_list_id can be set",
            ),
            ("keap", json!({"default_list_id": "1"}), "settings.default_list_id"),
            ("keap", json!({"Secret Key": "1"}), "field: \"settings\""),
        ] {
            let refused = merge(slug, "", sent).unwrap_err();
            assert!(refused.contains(field) && !refused.contains("Secret"), "{refused}");
        }
    }
}
