//! Keap: REST v2 under `/rest/v2`, the token endpoint, and the vendor's habits.
//!
//! Where the vendor's description leaves a choice, this simulator takes the one that finds mistakes in clients:
//! unknown body properties are refused, `fields` must be named to see more than a few properties, custom fields
//! without a value are listed with a null content, and the last page has an empty `next_page_token`.

mod auth;
mod contact;
mod custom_field;
mod error;
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
use axum::routing::{get, post};
use mfh_types::TimestampMs;
use serde_json::Value;

pub use auth::{CLIENT_ID, CLIENT_SECRET, PERSONAL_ACCESS_TOKEN};
pub use limits::Limits;

use self::error::ApiError;
use self::state::{State, Transaction};
use crate::account::{Account, Limited, Vendor};
use crate::tokens;

/// A contact of the demo data.
pub const DEMO_CONTACT_ID: &str = "1007";

/// The tenant that the tokens belong to, as `userinfo` says it.
pub const TENANT_ID: &str = "kd241";

/// A Keap account: `/rest/v2/…`, `/token` and `/app/oauth/authorize`.
pub type Keap = Account<KeapVendor>;

/// What makes an account one at Keap.
#[derive(Debug, Clone, Copy)]
pub struct KeapVendor;

impl Limited for KeapVendor {
    type Limits = Limits;
}

impl Vendor for KeapVendor {
    const SLUG: &'static str = "keap";
    const NAME: &'static str = "Keap";
    const BASE_PATH: &'static str = "/rest/v2";
    const CREDENTIALS: &'static [(&'static str, &'static str)] = &[("api_key", PERSONAL_ACCESS_TOKEN)];
    const OAUTH_CLIENT: Option<(&'static str, &'static str)> = Some((CLIENT_ID, CLIENT_SECRET));
    const DEMO_CONTACT_ID: &'static str = DEMO_CONTACT_ID;

    type State = State;
    type Failure = ApiError;

    fn api() -> Router<Keap> {
        routes::api()
    }

    fn sign_in() -> Router<Keap> {
        Router::new()
            .route("/token", post(tokens::token::<Self>))
            .route("/app/oauth/authorize", get(tokens::authorize::<Self>))
    }

    fn refusal(keap: &Keap, headers: &HeaderMap) -> Option<Response> {
        auth::refusal(keap, headers)
    }

    async fn meter(keap: Ctx<Keap>, request: Request, next: Next) -> Response {
        limits::meter(keap, request, next).await
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
