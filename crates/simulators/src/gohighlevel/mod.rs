//! GoHighLevel, edition 2021-07-28: one location, its token endpoint, and the vendor's habits.
//!
//! Where the vendor leaves a choice, this simulator takes the one that finds mistakes in clients: unknown body
//! properties are refused, hits of the search have names in lower case only, do-not-disturb settings and tags of an
//! update replace what was there, and an unknown tag name makes a tag.

mod auth;
mod contact;
mod custom_field;
mod error;
mod limits;
mod routes;
mod search;
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

pub use auth::{CLIENT_ID, CLIENT_SECRET, PRIVATE_INTEGRATION_TOKEN};
pub use limits::Limits;
pub use seed::DEMO_CONTACT_ID;

use self::error::ApiError;
use self::state::{State, Transaction};
use crate::account::{Account, Limited, Vendor};
use crate::tokens;

/// The location that the tokens belong to.
pub const LOCATION_ID: &str = "DemoLocation00000001";
/// The agency that the location belongs to.
pub const COMPANY_ID: &str = "DemoCompany000000001";

/// A GoHighLevel location: `/contacts/…`, `/oauth/token`, `/oauth/chooselocation` and others.
pub type GoHighLevel = Account<GoHighLevelVendor>;

/// What makes an account a location at GoHighLevel.
#[derive(Debug, Clone, Copy)]
pub struct GoHighLevelVendor;

impl Limited for GoHighLevelVendor {
    type Limits = Limits;
}

impl Vendor for GoHighLevelVendor {
    const SLUG: &'static str = "gohighlevel";
    const NAME: &'static str = "GoHighLevel";
    const CREDENTIALS: &'static [(&'static str, &'static str)] =
        &[("api_key", PRIVATE_INTEGRATION_TOKEN), ("location_id", LOCATION_ID)];
    const OAUTH_CLIENT: Option<(&'static str, &'static str)> = Some((CLIENT_ID, CLIENT_SECRET));
    const DEMO_CONTACT_ID: &'static str = DEMO_CONTACT_ID;

    type State = State;
    type Failure = ApiError;

    fn api() -> Router<GoHighLevel> {
        routes::api()
    }

    fn sign_in() -> Router<GoHighLevel> {
        Router::new()
            .route("/oauth/token", post(tokens::token::<Self>))
            .route("/oauth/chooselocation", get(tokens::authorize::<Self>))
            .route("/v2/oauth/chooselocation", get(tokens::authorize::<Self>))
    }

    fn refusal(crm: &GoHighLevel, headers: &HeaderMap) -> Option<Response> {
        auth::refusal(crm, headers)
    }

    async fn meter(crm: Ctx<GoHighLevel>, request: Request, next: Next) -> Response {
        limits::meter(crm, request, next).await
    }

    fn show(state: &State, contact_id: Option<&str>, _now: TimestampMs) -> Result<Value, ApiError> {
        routes::show_state(state, contact_id)
    }

    fn plant(tx: &mut Transaction<'_>) {
        seed::plant(tx);
    }

    fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
        seed::plant_contact(tx, index);
        Ok(())
    }
}
