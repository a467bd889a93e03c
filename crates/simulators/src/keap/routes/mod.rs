//! The API's paths.

mod automations;
mod contacts;
mod control;
mod emails;
mod models;
mod notes;
mod sales;
mod tags;
mod users;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Keap;
use super::error::ApiError;
use crate::account::Failure as _;

pub(crate) use control::show_state;

/// Everything below `/rest/v2`.
pub(crate) fn api() -> Router<Keap> {
    Router::new()
        .route("/contacts", get(contacts::list).post(contacts::create))
        .route("/contacts/model", get(models::contact_model))
        .route("/contacts/model/customFields", post(models::create_custom_field))
        .route(
            "/contacts/{contact_id}",
            get(contacts::get).patch(contacts::update).delete(contacts::delete),
        )
        .route("/contacts/{contact_id}/tags", get(tags::of_contact))
        .route("/contacts/{contact_id}/notes", get(notes::list).post(notes::create))
        .route(
            "/contacts/{contact_id}/notes/{note_id}",
            get(notes::get).patch(notes::update).delete(notes::delete),
        )
        .route("/tags", get(tags::list).post(tags::create))
        .route(
            "/tags/categories",
            get(tags::list_categories).post(tags::create_category),
        )
        .route("/tags/categories/{tag_category_id}", get(tags::get_category))
        .route("/tags/{tag_id}", get(tags::get))
        .route("/tags/{tag_id}/contacts", get(tags::contacts))
        .route("/tags/{tag_id}/contacts:applyTags", post(tags::apply))
        .route("/tags/{tag_id}/contacts:removeTags", post(tags::remove))
        .route("/automations", get(automations::list))
        .route("/automations/goals/achieve", post(automations::achieve_goal))
        .route("/automations/{automation_id}", get(automations::get))
        // A path segment cannot end in fixed text here, so `{sequence_id}:addContacts` is taken apart in the handler.
        .route(
            "/automations/{automation_id}/sequences/{sequence_and_action}",
            post(automations::change_sequence),
        )
        .route("/campaigns", get(automations::list_campaigns))
        .route("/campaigns/{campaign_id}", get(automations::get_campaign))
        .route(
            "/campaigns/{campaign_id}/sequences",
            get(automations::campaign_sequences),
        )
        .route("/campaigns/{campaign_id}/goals", get(automations::campaign_goals))
        .route(
            "/campaigns/{campaign_id}/sequences/{sequence_and_action}",
            post(automations::change_campaign_sequence),
        )
        .route("/orders", get(sales::orders))
        .route("/subscriptions", get(sales::subscriptions))
        .route("/opportunities", get(sales::opportunities))
        .route("/paymentMethods", get(sales::payment_methods))
        .route("/sales/transactions", get(sales::transactions))
        .route("/emails", get(sales::emails))
        .route("/emailAddresses", get(emails::list))
        .route(
            "/emailAddresses/{email}/status",
            get(emails::status).patch(emails::update),
        )
        .route("/users", get(users::list))
        .route("/users/{user_id}", get(users::get))
        .route("/oauth/connect/userinfo", get(users::userinfo))
}

/// Reads a JSON body; a wrong one is a 400 that names the fault.
fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::unreadable(&error))
}

/// Adds members that have a value.
fn with_present<const N: usize>(mut shown: Value, members: [(&str, Option<Value>); N]) -> Value {
    if let Some(object) = shown.as_object_mut() {
        object.extend(
            members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect::<JsonObject>(),
        );
    }
    shown
}
