//! Ontraport: REST 1 under `/1`, with app id and key, and the vendor's habits.
//!
//! Where the vendor's documentation leaves a choice, this simulator takes the one that finds mistakes in clients:
//! unknown properties are refused, a longer page than 50 is cut in silence, ids that select nothing are a success,
//! any number is taken as an owner, every value is a text, and what was never set is `""`, `"0"` or `null` by its
//! type. Deleting a whole collection (`DELETE /objects`) is not offered.

mod auth;
mod contact;
mod error;
mod field;
mod filter;
mod limits;
mod params;
mod routes;
mod seed;
mod state;

use axum::Router;
use axum::extract::{Request, State as Ctx};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use mfh_types::TimestampMs;
use serde_json::Value;

pub use auth::{API_KEY, APP_ID};
pub use limits::Limits;
pub use seed::DEMO_CONTACT_ID;

use self::error::ApiError;
use self::state::{State, Transaction};
use crate::account::{Account, Limited, Vendor};

/// The account that the key belongs to, as every answer says it.
pub const ACCOUNT_ID: &str = "187153";

/// An Ontraport account: `/1/…`.
pub type Ontraport = Account<OntraportVendor>;

/// What makes an account one at Ontraport.
#[derive(Debug, Clone, Copy)]
pub struct OntraportVendor;

impl Limited for OntraportVendor {
    type Limits = Limits;
}

impl Vendor for OntraportVendor {
    const SLUG: &'static str = "ontraport";
    const NAME: &'static str = "Ontraport";
    const BASE_PATH: &'static str = "/1";
    const CREDENTIALS: &'static [(&'static str, &'static str)] = &[("app_id", APP_ID), ("api_key", API_KEY)];
    const DEMO_CONTACT_ID: &'static str = DEMO_CONTACT_ID;

    type State = State;
    type Failure = ApiError;

    fn api() -> Router<Ontraport> {
        routes::api()
    }

    fn refusal(_ontraport: &Ontraport, headers: &HeaderMap) -> Option<Response> {
        auth::refusal(headers)
    }

    async fn meter(ontraport: Ctx<Ontraport>, request: Request, next: Next) -> Response {
        limits::meter(ontraport, request, next).await
    }

    fn show(state: &State, contact_id: Option<&str>, _now: TimestampMs) -> Result<Value, ApiError> {
        routes::show_state(state, contact_id)
    }

    fn plant(tx: &mut Transaction<'_>) {
        seed::plant(tx);
    }

    fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
        seed::plant_contact(tx, index)
    }
}
