//! The API's paths.

mod contacts;
mod control;
mod locations;
mod notes;
mod tags;

use std::collections::BTreeMap;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::GoHighLevel;
use super::error::ApiError;
use crate::account::Failure as _;

pub(crate) use control::show_state;

/// A query, decoded.
type Query = axum::extract::Query<BTreeMap<String, String>>;

/// Everything that needs a token.
pub(crate) fn api() -> Router<GoHighLevel> {
    Router::new()
        .route("/contacts/", post(contacts::create))
        .route("/contacts/upsert", post(contacts::upsert))
        .route("/contacts/search", post(contacts::search))
        .route("/contacts/search/duplicate", get(contacts::duplicate))
        .route(
            "/contacts/{contact_id}",
            get(contacts::get).put(contacts::update).delete(contacts::delete),
        )
        .route("/contacts/{contact_id}/tags", post(tags::add).delete(tags::remove))
        .route("/contacts/{contact_id}/notes", get(notes::list).post(notes::create))
        .route(
            "/contacts/{contact_id}/workflow/{workflow_id}",
            post(contacts::enter_workflow).delete(contacts::leave_workflow),
        )
        .route("/locations/{location_id}", get(locations::get))
        .route("/locations/{location_id}/tags", get(tags::list).post(tags::create))
        .route("/locations/{location_id}/customFields", get(locations::custom_fields))
        .route("/workflows/", get(locations::workflows))
        .route("/users/", get(locations::users))
}

/// Reads a JSON body; a wrong one is a 422 that names the fault.
fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::unreadable(&error))
}

/// The location of a query must be the token's.
fn check_location(query: &Query) -> Result<(), ApiError> {
    let location = query.get("locationId").map(|id| id.as_str().into());
    super::contact::check_location(location.as_ref())
}
