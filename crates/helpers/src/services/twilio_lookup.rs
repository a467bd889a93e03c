//! Twilio Lookup: whether a phone number is assigned, and to what kind of line.

use std::time::Duration;

use mfh_types::{Secret, blank_as_default, blank_as_none};
use serde::{Deserialize, Serialize};

use crate::outside::Request;
use crate::{Context, HelperError};

/// The slug of its connection.
pub(crate) const SLUG: &str = "twilio";

const NAME: &str = "Twilio";
const BASE: &str = "https://lookups.twilio.com";
const TIMEOUT: Duration = Duration::from_secs(10);

/// What Twilio knows of a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    #[serde(deserialize_with = "blank_as_default")]
    pub(crate) valid: bool,
    /// In E.164 form.
    #[serde(deserialize_with = "blank_as_none")]
    pub(crate) phone_number: Option<String>,
    /// The ISO code of its country.
    #[serde(deserialize_with = "blank_as_none")]
    pub(crate) country_code: Option<String>,
    #[serde(deserialize_with = "blank_as_default")]
    pub(crate) line_type_intelligence: LineType,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LineType {
    #[serde(rename = "type", deserialize_with = "blank_as_none")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "blank_as_none")]
    pub(crate) carrier_name: Option<String>,
}

/// Asks about a number in E.164 form; nothing without a Twilio connection.
///
/// # Errors
/// Permanent when the connection lacks a credential or Twilio refuses it, retryable when Twilio is out of reach or busy.
pub(crate) async fn look_up(cx: &mut Context<'_>, number: &str) -> Result<Option<Line>, HelperError> {
    let Some(auth) = cx.service(SLUG) else {
        return Ok(None);
    };
    let (user, password) = sign_in(auth)?;
    let base = cx.endpoint(SLUG, BASE);
    let request = Request::get(format!("{base}/v2/PhoneNumbers/{number}"))
        .query(&[("Fields", "line_type_intelligence")])
        .basic(&user, &password)
        .within(TIMEOUT);
    let answer = cx.call(NAME, &request).await?;
    if answer.status == 404 {
        return Ok(Some(Line::default()));
    }
    answer.json(NAME).map(Some)
}

fn sign_in(auth: &crate::context::ServiceAuth) -> Result<(Secret, Secret), HelperError> {
    let credentials = &auth.credentials;
    match (&credentials.api_key, &credentials.api_secret) {
        (Some(key), Some(secret)) => Ok((key.clone(), secret.clone())),
        _ => Err(HelperError::permanent(
            "NOT_CONFIGURED",
            "The Twilio connection lacks its API key or its secret. Connect Twilio again",
        )),
    }
}
