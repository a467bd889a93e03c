//! The services that helpers look things up at, as one in-process HTTP server: ip-api.com, Twilio Lookup, They Said So.
//!
//! Each keeps its vendor's paths below a folder of its own, so that a service's address is replaced by
//! `{origin}/{folder}`.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Server;
use crate::faults::{self, Faults};

/// The key and secret that the simulated Twilio takes.
pub const TWILIO_KEY: (&str, &str) = ("SKsimulated", "simulated-secret");

/// The folders of the services, by the slug that their address is replaced under.
pub const FOLDERS: [(&str, &str); 3] = [
    ("ip_api", "ip-api"),
    ("twilio", "twilio-lookups"),
    ("they_said_so", "they-said-so"),
];

/// The simulated services.
#[derive(Debug, Clone)]
pub struct Services {
    faults: Faults,
}

impl Default for Services {
    fn default() -> Self {
        Self::new()
    }
}

impl Services {
    /// All services in order.
    pub fn new() -> Self {
        Self {
            faults: Faults::new(|_| json!({ "message": "simulated fault" })),
        }
    }

    /// The services' paths, each below its folder.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/ip-api/json/{address}", get(ip_location))
            .route("/twilio-lookups/v2/PhoneNumbers/{number}", get(phone_number))
            .route("/they-said-so/qod.json", get(quotation))
            .layer(axum::middleware::from_fn_with_state(self.faults.clone(), faults::spoil))
            .with_state(())
    }

    /// The rules for what goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Serves the router on a free local port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(&self) -> anyhow::Result<Server> {
        Server::start(self.router(), "").await
    }
}

/// Private addresses are refused with status 200, as the vendor does; the quota is told in headers.
async fn ip_location(State(()): State<()>, Path(address): Path<String>) -> Response {
    let quota = [("x-rl", "44"), ("x-ttl", "60")];
    let fail = |message: &str| json!({ "status": "fail", "message": message, "query": address });
    let body = match address.parse::<std::net::IpAddr>() {
        Err(_) => fail("invalid query"),
        Ok(std::net::IpAddr::V4(ip)) if ip.is_private() => fail("private range"),
        Ok(ip) if ip.is_loopback() => fail("reserved range"),
        Ok(_) => json!({
            "status": "success", "country": "United States", "countryCode": "US", "region": "CA",
            "regionName": "California", "city": "Mountain View", "zip": "94043", "lat": 37.422, "lon": -122.084,
            "timezone": "America/Los_Angeles", "isp": "Example Networks", "query": address,
        }),
    };
    (quota, Json(body)).into_response()
}

/// Numbers of the North American plan with an exchange of 555 are assigned to nobody.
async fn phone_number(headers: HeaderMap, Path(number): Path<String>, RawQuery(query): RawQuery) -> Response {
    let (key, secret) = TWILIO_KEY;
    let wanted = format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")));
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    if given != Some(wanted.as_str()) {
        let body = json!({ "code": 20003, "message": "Authenticate", "status": 401 });
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    let digits = number.strip_prefix('+').unwrap_or_default();
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let body = json!({ "code": 20404, "message": "The requested resource was not found", "status": 404 });
        return (StatusCode::NOT_FOUND, Json(body)).into_response();
    }
    let valid = !(digits.starts_with('1') && digits.get(4..7) == Some("555"));
    let line = query.is_some_and(|query| query.contains("line_type_intelligence"));
    let faults: &[&str] = if valid { &[] } else { &["INVALID_BUT_POSSIBLE"] };
    let mut body = json!({
        "calling_country_code": "1", "country_code": "US", "phone_number": number, "national_format": digits,
        "valid": valid, "validation_errors": faults, "line_type_intelligence": Value::Null,
    });
    if line && valid {
        body["line_type_intelligence"] = json!({ "type": "mobile", "carrier_name": "Example Wireless" });
    }
    Json(body).into_response()
}

async fn quotation(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let category = pairs
        .find(|(name, _)| name == "category")
        .map_or_else(|| "inspire".into(), |(_, value)| value);
    Json(json!({
        "success": { "total": 1 },
        "contents": {
            "quotes": [{ "quote": "Well begun is half done.", "author": "A proverb", "category": category }],
        },
    }))
    .into_response()
}
