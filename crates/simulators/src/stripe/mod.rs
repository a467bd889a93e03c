//! Stripe: customers under `/v1`, API version 2020-08-27, and the vendor's habits.
//!
//! A deleted customer is still answered, with `deleted: true`; lists begin with the newest; addresses are compared
//! exactly; unknown parameters are refused; a repeated `Idempotency-Key` gets the first answer again.

mod auth;
mod customer;
mod error;
mod form;
mod limits;
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

pub use auth::{PUBLISHABLE_KEY, SECRET_KEY};
pub use limits::Limits;
pub use seed::DEMO_CUSTOMER_ID;

use self::error::ApiError;
use self::state::{Record, State, Transaction};
use crate::account::{Account, Limited, Vendor};

/// A Stripe account: `/v1/…`.
pub type Stripe = Account<StripeVendor>;

/// What makes an account one at Stripe.
#[derive(Debug, Clone, Copy)]
pub struct StripeVendor;

impl Limited for StripeVendor {
    type Limits = Limits;
}

impl Vendor for StripeVendor {
    const SLUG: &'static str = "stripe";
    const NAME: &'static str = "Stripe";
    const BASE_PATH: &'static str = "/v1";
    const CREDENTIALS: &'static [(&'static str, &'static str)] = &[("api_key", SECRET_KEY)];
    const DEMO_CONTACT_ID: &'static str = DEMO_CUSTOMER_ID;
    const CONTACTS: usize = seed::CUSTOMERS;

    type State = State;
    type Failure = ApiError;

    fn api() -> Router<Stripe> {
        routes::api()
    }

    fn refusal(_stripe: &Stripe, headers: &HeaderMap) -> Option<Response> {
        auth::refusal(headers)
    }

    async fn meter(stripe: Ctx<Stripe>, request: Request, next: Next) -> Response {
        limits::meter(stripe, request, next).await
    }

    fn show(state: &State, contact_id: Option<&str>, _now: TimestampMs) -> Result<Value, ApiError> {
        routes::show_state(state, contact_id)
    }

    fn plant_contact(tx: &mut Transaction<'_>, index: usize) -> Result<(), ApiError> {
        tx.put(Record::Customer(seed::customer(index, tx.now)));
        Ok(())
    }
}
