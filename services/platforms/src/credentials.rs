//! Pasted credentials against the form of their platform (`api-automation` §7.3; DECISIONS 23).

use std::collections::BTreeMap;

use http::StatusCode;
use mfh_http::{ApiError, ErrorCode, FieldFault};
use mfh_types::{AuthType, CredentialField, Credentials, InputType, JsonObject, Platform, Secret};
use url::Url;

use crate::address;

/// Stands for a secret that is not shown; sent back, it means "unchanged".
const MASK: &str = "********";

/// The longest credential in characters.
const MAX_CHARS: usize = 4_096;

/// Credentials as a request carries them.
pub(crate) type Sent = BTreeMap<String, Option<Secret>>;

/// Credentials that fit the form of their platform.
#[derive(Debug, PartialEq)]
pub(crate) struct Checked {
    /// The values.
    pub credentials: Credentials,
    /// What of them may be shown.
    pub metadata: JsonObject,
    /// The user's own host, where the platform asks for it.
    pub base_url: Option<String>,
}

impl Checked {
    /// The account at the vendor as the credentials name it: a location, an app, or the customer's own host.
    pub fn external_app_id(&self) -> Option<String> {
        let host = || Some(Url::parse(self.base_url.as_deref()?).ok()?.host_str()?.to_owned());
        mfh_connectors::external_app_id(&self.credentials).or_else(host)
    }
}

/// How a new connection signs in: by key wherever credentials are given, since OAuth has a flow of its own.
///
/// # Errors
/// 400 for a kind that is unknown, or that wants the OAuth flow.
pub(crate) fn auth_type(platform: &Platform, wanted: Option<&str>, sent: &Sent) -> Result<AuthType, ApiError> {
    let wanted = match wanted.map(str::trim).filter(|text| !text.is_empty()) {
        None => platform.api_config.auth_type,
        Some("oauth2") => AuthType::OAuth2,
        Some("api_key") => AuthType::ApiKey,
        Some(_) => return Err(ApiError::invalid_field("auth_type", "must be oauth2 or api_key")),
    };
    let has_form = !platform.credential_fields.is_empty();
    let gives_any = sent.values().any(|value| !is_blank(value.as_ref()));
    if !has_form || (wanted == AuthType::OAuth2 && !gives_any) {
        let fault = FieldFault::new("auth_type", "cannot be used here");
        return Err(refusal("Use the OAuth flow for this platform", vec![fault]));
    }
    Ok(AuthType::ApiKey)
}

/// Checks the credentials of a new connection.
///
/// # Errors
/// 400 that names every wrong one.
pub(crate) fn check(platform: &Platform, sent: &Sent) -> Result<Checked, ApiError> {
    let fields = &platform.credential_fields;
    let mut faults: Vec<(String, FieldFault)> = sent
        .keys()
        .filter(|key| fields.iter().all(|field| field.key != **key))
        .map(|key| unknown(platform, key))
        .collect();
    for field in fields {
        let value = sent.get(&field.key).and_then(Option::as_ref);
        if let Some((message, expected)) = fault(platform, field, value) {
            faults.push((message, FieldFault::new(path(&field.key), expected)));
        }
    }
    match faults.first() {
        None => Ok(accept(platform, sent)),
        Some((first, _)) => {
            let first = first.clone();
            Err(refusal(&first, faults.into_iter().map(|(_, fault)| fault).collect()))
        }
    }
}

/// The fault of a credential that the platform does not ask for. A name that does not look like one is not repeated:
/// it may be the secret itself, pasted into the wrong place.
fn unknown(platform: &Platform, key: &str) -> (String, FieldFault) {
    let is_name_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let (shown, field) = if key.len() <= 32 && key.bytes().all(is_name_byte) {
        (format!("credential \"{key}\""), path(key))
    } else {
        ("credential of that name".to_owned(), "credentials".to_owned())
    };
    let message = format!("{} takes no {shown}", platform.name);
    (message, FieldFault::new(field, "is not a credential of this platform"))
}

/// The message for people and what is expected of the field, where its value is wrong.
fn fault(platform: &Platform, field: &CredentialField, value: Option<&Secret>) -> Option<(String, String)> {
    let label = &field.label;
    let Some(value) = value.filter(|value| !is_blank(Some(value))) else {
        let missing = || (format!("{label} is required"), "is required".to_owned());
        return field.required.then(missing);
    };
    let text = value.expose();
    let expected = if text.trim() == MASK {
        "must be entered again: all credentials are replaced together".to_owned()
    } else if text.chars().count() > MAX_CHARS {
        format!("must have at most {MAX_CHARS} characters")
    } else if text.trim().contains(|c: char| c.is_control() || c.is_whitespace()) {
        "must be one word, without line breaks".to_owned()
    } else if !field.starts_with.is_empty() && !field.starts_with.iter().any(|start| text.trim().starts_with(start)) {
        format!("must begin with {}", field.starts_with.join(" or "))
    } else {
        match field.input_type {
            InputType::Url => address::fault(platform, text)?,
            InputType::Text | InputType::Password => return None,
        }
    };
    Some((format!("{label} {expected}"), expected))
}

fn accept(platform: &Platform, sent: &Sent) -> Checked {
    let mut checked = Checked {
        credentials: Credentials::default(),
        metadata: JsonObject::new(),
        base_url: None,
    };
    for field in &platform.credential_fields {
        let Some(value) = sent.get(&field.key).and_then(Option::as_ref) else {
            continue;
        };
        let value = Secret::new(value.expose().trim());
        if value.expose().is_empty() {
            continue;
        }
        match field.input_type {
            InputType::Password => {
                let last4 = value.last4();
                if !last4.is_empty() {
                    checked.metadata.insert(format!("{}_last4", field.key), last4.into());
                }
            }
            InputType::Text => drop(checked.metadata.insert(field.key.clone(), value.expose().into())),
            InputType::Url => {
                checked.metadata.insert(field.key.clone(), value.expose().into());
                // A platform that leads to a simulator on this machine leads nowhere else.
                if platform.api_config.base_url.starts_with("https://") {
                    checked.base_url = Some(address::api_base(platform, value.expose()));
                }
            }
        }
        checked.credentials.set(&field.key, value);
    }
    checked
}

/// Whether a change leaves the credentials as they are: nothing is sent but blanks and masks.
pub(crate) fn is_unchanged(sent: &Sent) -> bool {
    sent.values()
        .all(|value| is_blank(value.as_ref()) || value.as_ref().is_some_and(|value| value.expose().trim() == MASK))
}

fn is_blank(value: Option<&Secret>) -> bool {
    value.is_none_or(|value| value.expose().trim().is_empty())
}

fn path(key: &str) -> String {
    format!("credentials.{key}")
}

fn refusal(message: &str, fields: Vec<FieldFault>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::ValidationFailed, message.to_owned()).fields(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "KeapAK-0123456789abcdef";

    fn platform(auth_type: &str, fields: Value) -> Platform {
        serde_json::from_value(json!({
            "platform_id": "acme", "name": "Acme", "slug": "acme", "category": "crm",
            "api_config": {"base_url": "https://{account}.acme.com/api/3", "auth_type": auth_type},
            "credential_fields": fields,
            "created_at": "2026-03-10T00:00:00Z", "updated_at": "2026-03-10T00:00:00Z",
        }))
        .unwrap()
    }

    fn with_host() -> Platform {
        platform(
            "api_key",
            json!([
                {"key": "api_url", "label": "API URL", "input_type": "url", "required": true},
                {"key": "api_key", "label": "API key", "input_type": "password", "required": true},
                {"key": "app_id", "label": "App ID", "input_type": "text", "required": false},
            ]),
        )
    }

    fn sent(value: Value) -> Sent {
        serde_json::from_value(value).unwrap()
    }

    fn refused(value: Value) -> String {
        format!("{:?}", check(&with_host(), &sent(value)).unwrap_err())
    }

    #[test]
    fn what_may_be_shown_is_kept_apart_from_what_may_not() {
        let given = sent(json!({"api_url": "https://acme.acme.com/", "api_key": format!(" {KEY}\n"), "app_id": "7_x"}));
        let checked = check(&with_host(), &given).unwrap();
        assert_eq!(checked.credentials.get("api_key").unwrap().expose(), KEY);
        assert_eq!(checked.credentials.get("app_id").unwrap().expose(), "7_x");
        assert_eq!(checked.base_url.as_deref(), Some("https://acme.acme.com/api/3"));
        assert_eq!(checked.external_app_id().as_deref(), Some("7_x"));
        assert_eq!(
            Value::Object(checked.metadata),
            json!({"api_url": "https://acme.acme.com/", "api_key_last4": "cdef", "app_id": "7_x"})
        );
    }

    #[test]
    fn missing_unknown_and_private_values_are_named_by_their_label() {
        let error = refused(json!({"api_key": "  ", "token": "x"}));
        for part in ["credentials.token", "credentials.api_url", "credentials.api_key"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(refused(json!({"api_url": "https://a.acme.com"})).contains("message: \"API key is required\""));
        assert!(refused(json!({"api_url": "https://10.0.0.1", "api_key": KEY})).contains("credentials.api_url"));
        assert!(refused(json!({"api_url": "https://a.acme.com", "api_key": "a\nb"})).contains("one word"));
    }

    #[test]
    fn a_key_of_the_wrong_kind_is_named_by_how_it_must_begin() {
        let stripe = platform(
            "api_key",
            json!([{"key": "api_key", "label": "Secret key", "input_type": "password", "required": true,
                "starts_with": ["sk_", "rk_"]}]),
        );
        let error = check(&stripe, &sent(json!({"api_key": "pk_live_0123456789"}))).unwrap_err();
        assert!(
            format!("{error:?}").contains("Secret key must begin with sk_ or rk_"),
            "{error:?}"
        );
        assert!(check(&stripe, &sent(json!({"api_key": "rk_live_0123456789"}))).is_ok());
    }

    #[test]
    fn no_error_repeats_a_value() {
        let error = refused(json!({"api_url": "http://hunter2.example", "api_key": "hunter2 x", "more": "hunter2"}));
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn masks_and_blanks_change_nothing_and_a_mask_beside_a_new_value_is_refused() {
        assert!(is_unchanged(&sent(json!({}))));
        assert!(is_unchanged(&sent(
            json!({"api_key": MASK, "api_url": "", "app_id": null})
        )));
        assert!(!is_unchanged(&sent(json!({"api_key": KEY}))));
        assert!(refused(json!({"api_url": "https://b.acme.com", "api_key": MASK})).contains("entered again"));
    }

    #[test]
    fn oauth_has_its_own_flow_unless_credentials_are_given() {
        let fields = json!([{"key": "api_key", "label": "Key", "input_type": "password", "required": true}]);
        let (both, oauth_only) = (platform("oauth2", fields), platform("oauth2", json!([])));
        let given = sent(json!({"api_key": KEY}));
        let of = |platform, wanted, sent: &Sent| auth_type(platform, wanted, sent).map_err(|error| error.status());
        assert_eq!(of(&both, None, &given), Ok(AuthType::ApiKey));
        assert_eq!(of(&both, Some("oauth2"), &given), Ok(AuthType::ApiKey));
        // What is missing is then named by the check of the fields.
        assert_eq!(of(&both, Some("api_key"), &Sent::new()), Ok(AuthType::ApiKey));
        for refused in [
            of(&both, None, &sent(json!({"api_key": ""}))),
            of(&both, Some("oauth2"), &Sent::new()),
            of(&oauth_only, None, &given),
            of(&oauth_only, Some("api_key"), &given),
            of(&both, Some("basic"), &given),
        ] {
            assert_eq!(refused, Err(StatusCode::BAD_REQUEST));
        }
    }
}
