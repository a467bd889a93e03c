//! The API's paths.

mod accounts;
mod automations;
mod contacts;
mod control;
mod fields;
mod lists;
mod notes;
mod tags;

use axum::Router;
use axum::routing::{delete, get, post, put};

use super::ActiveCampaign;

pub(crate) use control::show_state;

/// Everything below `/api/3`.
pub(crate) fn api() -> Router<ActiveCampaign> {
    Router::new()
        .route("/users/me", get(accounts::me))
        .route("/contacts", get(contacts::list).post(contacts::create))
        .route("/contact/sync", post(contacts::sync))
        .route(
            "/contacts/{contact_id}",
            get(contacts::get).put(contacts::update).delete(contacts::delete),
        )
        .route("/contacts/{contact_id}/contactTags", get(tags::of_contact))
        .route("/contacts/{contact_id}/contactLists", get(lists::of_contact))
        .route(
            "/contacts/{contact_id}/contactAutomations",
            get(automations::of_contact),
        )
        .route("/contacts/{contact_id}/fieldValues", get(fields::of_contact))
        .route("/tags", get(tags::list).post(tags::create))
        .route("/contactTags", post(tags::apply))
        .route("/contactTags/{row}", delete(tags::remove))
        .route("/fields", get(fields::list))
        .route("/fieldValues", post(fields::set))
        .route("/lists", get(lists::list))
        .route("/contactLists", post(lists::subscribe))
        .route("/automations", get(automations::list))
        .route("/contactAutomations", post(automations::enter))
        .route("/accounts", get(accounts::list).post(accounts::create))
        .route("/accounts/{account_id}", get(accounts::get))
        .route("/accountContacts", post(accounts::join))
        .route("/accountContacts/{row}", put(accounts::change).delete(accounts::leave))
        .route("/notes", post(notes::create))
}
