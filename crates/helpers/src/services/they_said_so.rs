//! They Said So: a quotation a day by topic. The public endpoint allows few calls an hour and asks for attribution.

use std::time::Duration;

use chrono::{Days, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::outside::Request;
use crate::{Context, HelperError};

/// The slug of its connection.
pub(crate) const SLUG: &str = "they_said_so";

const NAME: &str = "They Said So";
const BASE: &str = "https://quotes.rest";
const TIMEOUT: Duration = Duration::from_secs(10);

/// A quotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quotation {
    #[serde(default, deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) quote: String,
    #[serde(default, deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) author: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reply {
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    contents: Contents,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Contents {
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    quotes: Vec<Quotation>,
}

/// The quotation of the day on a topic: asked for once per topic and UTC day by all runs of a process.
///
/// # Errors
/// Permanent when the service refuses or has none, retryable when it is out of reach or busy.
pub(crate) async fn of_the_day(cx: &mut Context<'_>, topic: &str) -> Result<Quotation, HelperError> {
    let now = cx.clock();
    let key = format!("they_said_so:{topic}:{}", now.date_naive());
    let known = cx.shared_answers().and_then(|answers| answers.get(&key, now));
    if let Some(Ok(known)) = known.map(serde_json::from_value) {
        return Ok(known);
    }
    let url = format!("{}/qod.json", cx.endpoint(SLUG, BASE));
    let mut request = Request::get(url)
        .query(&[("category", topic), ("language", "en")])
        .within(TIMEOUT);
    if let Some(key) = cx.service(SLUG).and_then(|auth| auth.credentials.api_key.as_ref()) {
        request = request.header("x-theysaidso-api-secret", key.expose());
    }
    let reply: Reply = cx.call(NAME, &request).await?.json(NAME)?;
    let quotation = reply.contents.quotes.into_iter().next();
    let quotation = quotation
        .filter(|found| !found.quote.trim().is_empty())
        .ok_or_else(|| HelperError::permanent("NOT_FOUND", format!("{NAME} has no quotation for this topic today")))?;
    let midnight = now.date_naive() + Days::new(1);
    if let (Some(answers), Ok(kept)) = (cx.shared_answers(), serde_json::to_value(&quotation)) {
        answers.put(&key, kept, now, midnight.and_time(NaiveTime::MIN).and_utc());
    }
    Ok(quotation)
}
