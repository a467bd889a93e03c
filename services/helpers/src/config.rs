//! Configurations as users send them: what is incomplete makes a draft, what is wrong is refused (DECISIONS 15, 22).

use http::StatusCode;
use mfh_helpers::Registration;
use mfh_http::{ApiError, ErrorCode, FieldFault};
use mfh_types::{ConfigFault, ConnectionId, JsonObject};
use serde_json::Value;

use crate::storable;

/// The largest configuration in bytes of JSON.
const MAX_BYTES: usize = 64 * 1024;

/// The key under which a configuration names the connections of services.
pub(crate) const SERVICE_CONNECTIONS: &str = "service_connection_ids";

/// Whether a fault only says that something is still missing, which a draft may lack.
fn is_incomplete(fault: &ConfigFault) -> bool {
    let message = &fault.message;
    message == "is required" || message.starts_with("needs at least") || message.contains("is required in")
}

/// What a configuration of this type still lacks.
///
/// # Errors
/// 400 that lists everything that is wrong, not only missing, with paths below `config`.
pub(crate) fn check(
    registration: &Registration,
    config: &JsonObject,
    connection: Option<&ConnectionId>,
) -> Result<Vec<ConfigFault>, ApiError> {
    check_size(config)?;
    storable::check("config", config)?;
    let all = faults(registration, config, connection);
    let (missing, wrong): (Vec<_>, Vec<_>) = all.into_iter().partition(is_incomplete);
    match wrong.first() {
        None => Ok(missing),
        Some(first) => Err(refusal(format!("Invalid config: {first}"), &wrong)),
    }
}

/// Everything that keeps a configuration from running.
pub(crate) fn faults(
    registration: &Registration,
    config: &JsonObject,
    connection: Option<&ConnectionId>,
) -> Vec<ConfigFault> {
    let meta = &registration.meta;
    let mut faults = registration.validate(config).err().unwrap_or_default();
    let mut require = |field: String| {
        faults.push(ConfigFault {
            field,
            message: "is required".to_owned(),
        });
    };
    if meta.requires_crm && connection.is_none() {
        require("connection_id".to_owned());
    }
    for service in meta.services {
        if service_connection(config, service).is_none() {
            require(format!("{SERVICE_CONNECTIONS}.{service}"));
        }
    }
    faults
}

fn service_connection<'a>(config: &'a JsonObject, service: &str) -> Option<&'a str> {
    let id = config.get(SERVICE_CONNECTIONS)?.get(service)?.as_str()?;
    Some(id).filter(|id| !id.is_empty())
}

fn check_size(config: &JsonObject) -> Result<(), ApiError> {
    let size = serde_json::to_vec(config).map_or(0, |json| json.len());
    if size > MAX_BYTES {
        return Err(ApiError::invalid_field(
            "config",
            "must have at most 64 KB; shorten its texts",
        ));
    }
    Ok(())
}

fn refusal(message: String, faults: &[ConfigFault]) -> ApiError {
    let code = ErrorCode::ValidationFailed;
    ApiError::new(StatusCode::BAD_REQUEST, code, message).fields(below_config(faults))
}

/// The faults with their paths in the request.
pub(crate) fn below_config(faults: &[ConfigFault]) -> Vec<FieldFault> {
    let path = |field: &str| match field {
        "" => "config".to_owned(),
        "connection_id" => field.to_owned(),
        _ => format!("config.{field}"),
    };
    faults
        .iter()
        .map(|fault| FieldFault::new(path(&fault.field), &fault.message))
        .collect()
}

/// The service connections that a configuration names: slug and connection id, as sent.
///
/// # Errors
/// 400 when they are not a map of texts.
pub(crate) fn service_connections(config: &JsonObject) -> Result<Vec<(&str, &str)>, ApiError> {
    let wrong = |field: String| ApiError::invalid_field(field, "must be a connection id");
    let field = format!("config.{SERVICE_CONNECTIONS}");
    match config.get(SERVICE_CONNECTIONS) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(map)) => map
            .iter()
            .filter(|(_, id)| !id.is_null() && id.as_str() != Some(""))
            .map(|(slug, id)| match id.as_str() {
                Some(id) => Ok((slug.as_str(), id)),
                None => Err(wrong(format!("{field}.{slug}"))),
            })
            .collect(),
        Some(_) => Err(ApiError::invalid_field(
            field,
            "must be an object of service names and connection ids",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(type_name: &str, config: Value) -> Result<Vec<String>, ApiError> {
        let registration = mfh_helpers::find(type_name).unwrap();
        let connection = ConnectionId::parse("c1").unwrap();
        let config = config.as_object().cloned().unwrap();
        let missing = check(registration, &config, Some(&connection))?;
        Ok(missing.iter().map(|fault| fault.field.clone()).collect())
    }

    #[test]
    fn what_is_missing_makes_a_draft() {
        assert_eq!(checked("tag_it", json!({})).unwrap(), ["action", "tag_ids"]);
        let empty_list = json!({"action": "apply", "tag_ids": []});
        assert_eq!(checked("tag_it", empty_list).unwrap(), ["tag_ids"]);
        let complete = json!({"action": "apply", "tag_ids": ["1"]});
        assert!(checked("tag_it", complete).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_path_even_when_more_is_missing() {
        let error = checked("tag_it", json!({"action": "explode"})).unwrap_err();
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        let shown = format!("{error:?}");
        assert!(shown.contains("config.action"), "{shown}");
        assert!(!shown.contains("config.tag_ids"), "{shown}");
    }

    #[test]
    fn every_wording_of_missing_counts_and_others_do_not() {
        let incomplete = |message: &str| {
            is_incomplete(&ConfigFault {
                field: "x".to_owned(),
                message: message.to_owned(),
            })
        };
        assert!(incomplete("is required"));
        assert!(incomplete("needs at least 2 entries"));
        assert!(incomplete("is required in mode \"append\""));
        assert!(!incomplete("must be at least 2"));
        assert!(!incomplete("found `x`, expected `y`"));
    }

    #[test]
    fn a_crm_helper_without_connection_is_incomplete() {
        let registration = mfh_helpers::find("tag_it").unwrap();
        let config = json!({"action": "apply", "tag_ids": ["1"]});
        let config = config.as_object().unwrap();
        let missing = check(registration, config, None).unwrap();
        assert_eq!(missing[0].field, "connection_id");
        assert_eq!(below_config(&missing)[0].field, "connection_id");
    }

    #[test]
    fn service_connections_are_a_map_of_ids_and_blanks_count_as_absent() {
        let read = |value: Value| {
            let config = JsonObject::from_iter([(SERVICE_CONNECTIONS.to_owned(), value)]);
            service_connections(&config)
                .map(|pairs| pairs.len())
                .map_err(|error| error.status())
        };
        assert_eq!(
            read(json!({"slack": "connection:1", "zoom": "", "trello": null})),
            Ok(1)
        );
        assert_eq!(read(json!(null)), Ok(0));
        assert_eq!(read(json!(["x"])), Err(StatusCode::BAD_REQUEST));
        assert_eq!(read(json!({"slack": 7})), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_config_over_64_kilobytes_is_refused() {
        let error = checked("tag_it", json!({"note": "x".repeat(MAX_BYTES)})).unwrap_err();
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    }
}
