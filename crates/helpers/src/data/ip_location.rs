//! `ip_location`: fills in where a contact's IP address is.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::store_optional;
use crate::services::ip_api;
use crate::settings::FieldKey;
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register, values};

/// The name under which a run remembers the answer.
const PLACE: &str = "place";

/// Looks up where a contact's IP address is and fills in city, state, country and postal code.
///
/// Reads the IP address from a field, asks a location service once, and fills the fields you choose: city, state,
/// country, postal code. What the service does not know is not written, and the field keeps what it holds. The result
/// also shows country code, latitude, longitude, time zone and internet provider.
///
/// A contact without an address is left alone. A host name, an address with a port, and an address that the service
/// cannot place, such as one of a private network, fail the run.
///
/// A location tells where the internet provider is, which is often the next larger city. Mobile phones and company
/// networks may appear far away.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct IpLocation {
    /// The contact field with the IP address.
    ip_field: FieldKey,
    /// The contact field that receives the city.
    city_field: Option<FieldKey>,
    /// The contact field that receives the state or region.
    state_field: Option<FieldKey>,
    /// The contact field that receives the country.
    country_field: Option<FieldKey>,
    /// The contact field that receives the postal code.
    zip_field: Option<FieldKey>,
}

impl Helper for IpLocation {
    const META: Meta = Meta::new(
        "ip_location",
        "IP Location",
        Category::Data,
        "Looks up where a contact's IP address is and fills in city, state, country and postal code.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"ip_field": "_SignupIp", "city_field": "city", "state_field": "state", "country_field": "country"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let address = values::text(&cx.get_field(&self.ip_field).await?).trim().to_owned();
        if address.is_empty() {
            return Ok(Outcome::done(format!("{} is empty: nothing to look up", self.ip_field)));
        }
        if address.parse::<IpAddr>().is_err() {
            let message = format!("Field {} holds no IP address, such as 203.0.113.7", self.ip_field);
            return Err(HelperError::permanent("INVALID_INPUT", message));
        }
        let place = match cx.recall(PLACE) {
            Some(place) => place,
            None => {
                let place = ip_api::locate(cx, &address).await?;
                cx.remember(PLACE, &place);
                place
            }
        };

        let mut failures = Failures::new();
        for (what, field, value) in [
            ("City", &self.city_field, &place.city),
            ("State", &self.state_field, &place.region_name),
            ("Country", &self.country_field, &place.country),
            ("Postal code", &self.zip_field, &place.zip),
        ] {
            if !value.is_empty() {
                store_optional(cx, &mut failures, what, field.as_ref(), value.as_str().into()).await;
            }
        }
        for (name, value) in [
            ("ip_address", &address),
            ("city", &place.city),
            ("state", &place.region_name),
            ("country", &place.country),
            ("country_code", &place.country_code),
            ("zip", &place.zip),
            ("timezone", &place.timezone),
            ("isp", &place.isp),
        ] {
            cx.set_result(name, value.as_str());
        }
        cx.set_result("latitude", place.lat);
        cx.set_result("longitude", place.lon);
        failures.into_result()?;
        Ok(Outcome::done("The address was found"))
    }
}

register!(IpLocation);
