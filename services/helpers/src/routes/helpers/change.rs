//! What a change of a helper asks for, and whether it may be made.

use http::StatusCode;
use mfh_database::HelperChange;
use mfh_helpers::Registration;
use mfh_http::{ApiError, Core, ErrorCode, FieldFault};
use mfh_types::{Helper, JsonObject};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::{MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, too_long};
use crate::{config, connections, schedule, secrets};

/// A change of a helper; absent keys stay as they are, `null` or `""` clears where that makes sense.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub(crate) struct Change {
    /// Display name.
    #[serde(default)]
    name: Option<String>,
    /// What it is for; `null` clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// All settings; they replace the present ones.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    config: Option<JsonObject>,
    /// Whether it may run.
    #[serde(default)]
    enabled: Option<bool>,
    /// The connection it works on; `null` clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    connection_id: Option<Option<String>>,
    /// Whether it runs on a schedule.
    #[serde(default)]
    schedule_enabled: Option<bool>,
    /// `rate(15 minutes)` or `cron(0 9 * * ? *)`; `null` clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    cron_expression: Option<Option<String>>,
    /// The version that the change was made on; a newer helper refuses it.
    #[serde(default)]
    pub(super) version: Option<u64>,
}

/// Tells an explicit `null` from an absent key; a blank text counts as `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(Some(text.filter(|text| !text.trim().is_empty())))
}

impl Change {
    /// The change as it is stored, once it fits the helper as it is now.
    ///
    /// # Errors
    /// 400 for what is wrong, 409 for enabling an incomplete helper.
    pub(super) async fn checked(self, core: &Core, helper: &Helper) -> Result<HelperChange, ApiError> {
        self.check_texts()?;
        self.check_schedule(helper)?;
        let reschedules = self.schedule_enabled.is_some() || self.cron_expression.is_some();
        let mut change = HelperChange {
            name: self
                .name
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty()),
            description: self.description.map(Option::unwrap_or_default),
            enabled: self.enabled,
            schedule_enabled: self.schedule_enabled,
            cron_expression: self.cron_expression.map(|text| text.map(|text| text.trim().to_owned())),
            // The scheduler finds out when the changed schedule fires.
            next_scheduled_at: reschedules.then_some(None),
            ..HelperChange::default()
        };
        // What was complete once may lack something by now: a connection goes with its vendor, a type gains a setting.
        if self.config.is_some() || self.connection_id.is_some() || self.enabled == Some(true) {
            let registration = registration_of(helper)?;
            change.connection_id = match self.connection_id {
                None => None,
                Some(None) => Some(None),
                Some(Some(id)) => {
                    let id = connections::parse(&id)?;
                    let account = &helper.account_id;
                    connections::check(core, account, &registration.meta, &id).await?;
                    Some(Some(id))
                }
            };
            judge(core, helper, registration, self.config, &mut change).await?;
        }
        keep_drafts_disabled(helper, change)
    }

    fn check_texts(&self) -> Result<(), ApiError> {
        let description = self.description.iter().flatten();
        let name = self.name.iter();
        let faults: Vec<FieldFault> = name
            .map(|text| ("name", text, MAX_NAME_CHARS))
            .chain(description.map(|text| ("description", text, MAX_DESCRIPTION_CHARS)))
            .filter_map(|(field, text, max)| Some(FieldFault::new(field, too_long(text, max)?)))
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(faults))
        }
    }

    /// The schedule that the change leaves behind is one that can run.
    fn check_schedule(&self, helper: &Helper) -> Result<(), ApiError> {
        if self.schedule_enabled.is_none() && self.cron_expression.is_none() {
            return Ok(());
        }
        let enabled = self.schedule_enabled.unwrap_or(helper.schedule_enabled);
        let expression = match &self.cron_expression {
            Some(sent) => sent.as_deref(),
            None => helper.cron_expression.as_deref(),
        };
        let expected = match expression {
            Some(expression) => match schedule::check(expression) {
                Ok(()) => return Ok(()),
                Err(fault) => fault.0,
            },
            None if enabled => "is required while the schedule is enabled",
            None => return Ok(()),
        };
        let code = ErrorCode::ValidationFailed;
        Err(
            ApiError::new(StatusCode::BAD_REQUEST, code, "Invalid schedule expression")
                .fields(vec![FieldFault::new("cron_expression", expected)]),
        )
    }
}

fn registration_of(helper: &Helper) -> Result<&'static Registration, ApiError> {
    mfh_helpers::find(helper.helper_type.as_str()).ok_or_else(|| {
        let message = format!(
            "Helper type {} is no longer offered; delete the helper and create another one",
            helper.helper_type
        );
        ApiError::bad_request(message)
    })
}

/// Puts the settings, and what they lack together with the connection, into the change.
async fn judge(
    core: &Core,
    helper: &Helper,
    registration: &Registration,
    config: Option<JsonObject>,
    change: &mut HelperChange,
) -> Result<(), ApiError> {
    let connection = match &change.connection_id {
        Some(chosen) => chosen.as_ref(),
        None => helper.connection_id.as_ref(),
    };
    let missing = match config {
        // Settings that are not part of this change are not a reason to refuse it.
        None => config::faults(registration, &helper.config, connection),
        Some(sent) => {
            let schema = registration.config_schema();
            let config = secrets::restored(sent, &helper.config, &schema);
            let missing = config::check(registration, &config, connection)?;
            connections::check_services(core, &helper.account_id, &config).await?;
            change.config = Some(config);
            missing
        }
    };
    change.config_errors = Some(missing);
    Ok(())
}

/// A draft cannot be enabled, and a helper that becomes one is disabled (DECISIONS 15).
fn keep_drafts_disabled(helper: &Helper, mut change: HelperChange) -> Result<HelperChange, ApiError> {
    let missing = change.config_errors.as_ref().unwrap_or(&helper.config_errors);
    if missing.is_empty() {
        return Ok(change);
    }
    if change.enabled == Some(true) {
        return Err(ApiError::conflict(
            ErrorCode::HelperIncomplete,
            "Helper configuration is incomplete: fill in the settings that `fields` names, then enable it",
        )
        .fields(config::below_config(missing)));
    }
    change.enabled = Some(false);
    Ok(change)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_and_blank_clear_and_absent_keys_do_not() {
        let read = |value| serde_json::from_value::<Change>(value).unwrap();
        assert_eq!(read(json!({})).connection_id, None);
        assert_eq!(read(json!({"connection_id": null})).connection_id, Some(None));
        assert_eq!(read(json!({"connection_id": ""})).connection_id, Some(None));
        assert_eq!(
            read(json!({"connection_id": "connection:1"})).connection_id,
            Some(Some("connection:1".to_owned()))
        );
    }
}
