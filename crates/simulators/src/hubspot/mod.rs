//! HubSpot: CRM v3, lists v3, communication preferences v4, automation v2 and v4, the token endpoint, and the vendor's
//! habits.
//!
//! Where the vendor's documentation leaves a choice, this simulator takes the one that finds mistakes in clients:
//! unknown members and query parameters are refused, required arrays must be sent even when they are empty, values must
//! be texts, only the properties asked for are shown, and who wants no mail at all cannot be subscribed again.
//! Searches see a write at once; at the vendor they lag behind.

mod auth;
mod contact;
mod error;
mod limits;
mod params;
mod property;
mod routes;
mod seed;
mod state;

use axum::Router;
use axum::extract::{Request, State as Ctx};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use mfh_types::TimestampMs;
use serde_json::Value;

pub use auth::{CLIENT_ID, CLIENT_SECRET, PRIVATE_APP_TOKEN};
pub use limits::Limits;
pub use seed::DEMO_CONTACT_ID;

use self::error::ApiError;
use self::state::{State, Transaction};
use crate::account::{Account, Limited, Vendor};
use crate::tokens;

/// The account (portal) that the tokens belong to.
pub const HUB_ID: u64 = 24_680_135;

/// A HubSpot account: `/crm/v3/…`, `/oauth/v3/token`, `/oauth/authorize` and others.
pub type HubSpot = Account<HubSpotVendor>;

/// What makes an account one at HubSpot.
#[derive(Debug, Clone, Copy)]
pub struct HubSpotVendor;

impl Limited for HubSpotVendor {
    type Limits = Limits;
}

impl Vendor for HubSpotVendor {
    const SLUG: &'static str = "hubspot";
    const NAME: &'static str = "HubSpot";
    const EVERYTHING: &'static [&'static str] = &[
        "/crm/{*path}",
        "/automation/{*path}",
        "/communication-preferences/{*path}",
    ];
    const CREDENTIALS: &'static [(&'static str, &'static str)] = &[("api_key", PRIVATE_APP_TOKEN)];
    const OAUTH_CLIENT: Option<(&'static str, &'static str)> = Some((CLIENT_ID, CLIENT_SECRET));
    const DEMO_CONTACT_ID: &'static str = DEMO_CONTACT_ID;

    type State = State;
    type Failure = ApiError;

    fn api() -> Router<HubSpot> {
        routes::api()
    }

    fn sign_in() -> Router<HubSpot> {
        Router::new()
            .route("/oauth/v3/token", post(auth::token))
            .route("/oauth/2026-03/token/revoke", post(auth::revoke))
            .route("/oauth/authorize", get(tokens::authorize::<Self>))
    }

    fn refusal(hubspot: &HubSpot, headers: &HeaderMap) -> Option<Response> {
        auth::refusal(hubspot, headers)
    }

    async fn meter(hubspot: Ctx<HubSpot>, request: Request, next: Next) -> Response {
        limits::meter(hubspot, request, next).await
    }

    fn show(state: &State, contact_id: Option<&str>, now: TimestampMs) -> Result<Value, ApiError> {
        routes::show_state(state, contact_id, now)
    }

    fn plant(tx: &mut Transaction<'_>) {
        seed::plant(tx);
    }

    fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
        seed::plant_contact(tx, index)
    }
}
