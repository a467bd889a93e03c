//! ip-api.com: where an IP address is. The free service is HTTP only and allows 45 calls a minute from one address.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::outside::{Answer, Request};
use crate::{Context, HelperError};

/// The slug by which its address can be replaced.
pub(crate) const SLUG: &str = "ip_api";

const NAME: &str = "The IP location service";
const FREE: &str = "http://ip-api.com";
const PAID: &str = "https://pro.ip-api.com";
const TIMEOUT: Duration = Duration::from_secs(10);

/// An address moves rarely.
const GOOD_FOR: TimeDelta = TimeDelta::hours(24);

/// The answer that holds when the quota is open again.
const PAUSE: &str = "ip_api:pause";

/// Where an address is; texts are empty and numbers 0 where the service does not know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Place {
    #[serde(skip_serializing)]
    status: String,
    #[serde(skip_serializing)]
    message: String,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) country: String,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) country_code: String,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) region_name: String,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) city: String,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) zip: String,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) lat: f64,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) lon: f64,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) timezone: String,
    #[serde(deserialize_with = "mfh_types::blank_as_default")]
    pub(crate) isp: String,
}

/// Where this address is: from an answer of the last day, else from the service.
///
/// # Errors
/// Permanent when the service refuses the address or answers in another way than it describes, retryable when it is out
/// of reach or busy.
pub(crate) async fn locate(cx: &mut Context<'_>, address: &str) -> Result<Place, HelperError> {
    let key = format!("ip_api:{address}");
    if let Some(known) = remembered(cx, &key) {
        return Ok(known);
    }
    wait_for_quota(cx).await?;
    let answer = cx.call(NAME, &request(cx, address)).await?;
    note_quota(cx, &answer);
    let place: Place = answer.json(NAME)?;
    if place.status != "success" {
        let why = match place.message.trim() {
            "" => "it gave no reason",
            why => why,
        };
        let why: String = why.chars().take(300).collect();
        return Err(HelperError::permanent(
            "NOT_FOUND",
            format!("{NAME} cannot tell where the address is: {why}"),
        ));
    }
    let now = cx.clock();
    if let (Some(answers), Ok(known)) = (cx.shared_answers(), serde_json::to_value(&place)) {
        answers.put(&key, known, now, now + GOOD_FOR);
    }
    Ok(place)
}

fn request(cx: &Context<'_>, address: &str) -> Request {
    let key = cx.ip_api_key();
    let own = if key.is_some() { PAID } else { FREE };
    let request = Request::get(format!("{}/json/{address}", cx.endpoint(SLUG, own))).within(TIMEOUT);
    match key {
        Some(key) => request.query(&[("key", key.expose())]),
        None => request,
    }
}

fn remembered(cx: &Context<'_>, key: &str) -> Option<Place> {
    serde_json::from_value(cx.shared_answers()?.get(key, cx.clock())?).ok()
}

/// The service says in `X-Rl` how many calls are left and in `X-Ttl` after how many seconds there are new ones.
fn note_quota(cx: &Context<'_>, answer: &Answer) {
    let number = |name| answer.header(name).and_then(|text| text.trim().parse::<i64>().ok());
    if let (Some(0), Some(seconds), Some(answers)) = (number("x-rl"), number("x-ttl"), cx.shared_answers()) {
        let now = cx.clock();
        let until = now + TimeDelta::seconds(seconds.clamp(0, 3_600));
        answers.put(PAUSE, json!(until), now, until);
    }
}

async fn wait_for_quota(cx: &mut Context<'_>) -> Result<(), HelperError> {
    let pause = cx.shared_answers().and_then(|answers| answers.get(PAUSE, cx.clock()));
    match pause.map(serde_json::from_value) {
        Some(Ok(until)) => cx.wait_until(until, NAME).await,
        Some(Err(_)) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_does_not_know_is_empty() {
        let place: Place = serde_json::from_value(json!({"status": "success", "city": null, "lat": 1.5})).unwrap();
        assert_eq!((place.city.as_str(), place.lat, place.lon), ("", 1.5, 0.0));
        let kept = serde_json::to_value(&place).unwrap();
        assert_eq!(kept["lat"], 1.5);
        assert!(kept.get("status").is_none());
    }
}
