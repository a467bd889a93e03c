//! ActiveCampaign: API v3 under `/api/3`, and the vendor's habits.
//!
//! There is no description of it that could be held against this simulator; it is built from `connectors` §2.3. Where
//! that leaves a choice, it takes the one that finds mistakes in clients: query parameters and body members that are
//! not known are refused, lists come newest first unless an order is asked for, choices must be written exactly as
//! they are defined, and a wrong key is answered with 403.

mod auth;
mod contact;
mod error;
mod field;
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

pub use auth::API_KEY;
pub use limits::Limits;
pub use seed::DEMO_CONTACT_ID;

use self::error::ApiError;
use self::state::{Record, State, Subscription, Transaction};
use crate::account::{Account, Limited, Vendor};

/// An ActiveCampaign account: `/api/3/…`.
pub type ActiveCampaign = Account<ActiveCampaignVendor>;

/// What makes an account one at ActiveCampaign.
#[derive(Debug, Clone, Copy)]
pub struct ActiveCampaignVendor;

impl Limited for ActiveCampaignVendor {
    type Limits = Limits;
}

impl Vendor for ActiveCampaignVendor {
    const SLUG: &'static str = "activecampaign";
    const NAME: &'static str = "ActiveCampaign";
    const BASE_PATH: &'static str = "/api/3";
    const CREDENTIALS: &'static [(&'static str, &'static str)] = &[("api_key", API_KEY)];
    const DEMO_CONTACT_ID: &'static str = DEMO_CONTACT_ID;

    type State = State;
    type Failure = ApiError;

    fn api() -> Router<ActiveCampaign> {
        routes::api()
    }

    fn refusal(_crm: &ActiveCampaign, headers: &HeaderMap) -> Option<Response> {
        auth::refusal(headers)
    }

    async fn meter(crm: Ctx<ActiveCampaign>, request: Request, next: Next) -> Response {
        limits::meter(crm, request, next).await
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

impl ActiveCampaign {
    /// Puts a contact on a list with a status, as if the person had filled in or left a form; past the API.
    ///
    /// # Errors
    /// When there is no such contact or the change cannot be stored.
    pub fn subscribe(&self, contact_id: &str, list_id: u64, status: u8) -> anyhow::Result<()> {
        self.change(|tx| {
            let contact = tx.state.contact(contact_id);
            let mut contact = contact
                .map_err(|_| anyhow::anyhow!("there is no contact {contact_id}"))?
                .clone();
            contact.lists.retain(|row| row.list != list_id);
            contact.lists.push(Subscription {
                id: tx.next_id("contactList"),
                list: list_id,
                status,
                at: tx.now,
            });
            tx.put(Record::Contact(contact));
            Ok(())
        })?
    }
}
