//! The API's paths.

mod automations;
mod consent;
mod contacts;
mod control;
mod lists;
mod notes;
mod owners;
mod properties;
mod search;

use axum::Router;
use axum::routing::{get, post, put};
use bytes::Bytes;
use mfh_types::TimestampMs;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::HubSpot;
use super::contact::time;
use super::error::ApiError;
use crate::account::Failure as _;

pub(crate) use control::show_state;

/// Everything that needs a token.
pub(crate) fn api() -> Router<HubSpot> {
    Router::new()
        .route("/crm/v3/objects/contacts", get(contacts::list).post(contacts::create))
        .route("/crm/v3/objects/contacts/search", post(search::search))
        .route("/crm/v3/objects/contacts/batch/read", post(contacts::batch_read))
        .route("/crm/v3/objects/contacts/batch/upsert", post(contacts::batch_upsert))
        .route(
            "/crm/v3/objects/contacts/{contact_id}",
            get(contacts::get).patch(contacts::update).delete(contacts::delete),
        )
        .route("/crm/v3/objects/notes", post(notes::create))
        .route("/crm/v3/properties/contacts", get(properties::list))
        .route("/crm/v3/owners", get(owners::list))
        .route("/crm/v3/lists", post(lists::create))
        .route("/crm/v3/lists/search", post(lists::search))
        .route("/crm/v3/lists/idmapping", get(lists::present_id))
        .route("/crm/v3/lists/{list_id}", get(lists::get))
        .route("/crm/v3/lists/{list_id}/memberships", get(lists::members))
        .route(
            "/crm/v3/lists/{list_id}/memberships/join-order",
            get(lists::members_by_age),
        )
        .route("/crm/v3/lists/{list_id}/memberships/add", put(lists::add))
        .route("/crm/v3/lists/{list_id}/memberships/remove", put(lists::remove))
        .route("/crm/v3/lists/records/memberships/batch/read", post(lists::of_contacts))
        .route(
            "/crm/v3/lists/records/{object_type_id}/{record_id}/memberships",
            get(lists::of_contact),
        )
        .route(
            "/automation/v2/workflows/{workflow_id}/enrollments/contacts/{email}",
            post(automations::enrol),
        )
        .route("/automation/v4/flows", get(automations::list))
        .route(
            "/automation/v4/workflow-id-mappings/batch/read",
            post(automations::workflow_ids),
        )
        .route("/communication-preferences/v4/definitions", get(consent::definitions))
        .route(
            "/communication-preferences/v4/statuses/{email}",
            get(consent::statuses).post(consent::set),
        )
        .route(
            "/communication-preferences/v4/statuses/{email}/unsubscribe-all",
            get(consent::all_mail).post(consent::unsubscribe_all),
        )
}

/// Reads a JSON body; a wrong one is a 400 that names the fault.
fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::unreadable(&error))
}

/// The present time as answers carry it.
fn now(hubspot: &HubSpot) -> TimestampMs {
    TimestampMs::now(hubspot.clock())
}

/// Where the next page begins, if there is one.
fn with_next(mut page: Value, after: Option<String>) -> Value {
    if let Some(after) = after {
        page["paging"] = json!({ "next": { "after": after, "link": format!("?after={after}") } });
    }
    page
}

/// The answer of a batch, which takes no time here.
fn batch(results: Vec<Value>, now: TimestampMs) -> Value {
    json!({ "status": "COMPLETE", "results": results, "startedAt": time(now), "completedAt": time(now) })
}

/// Cuts a list whose records are numbered; tells behind which number the next page begins.
fn cut<T>(records: impl Iterator<Item = (u64, T)>, after: u64, limit: usize) -> (Vec<T>, Option<String>) {
    let mut rest = records.filter(|(number, _)| *number > after).peekable();
    let mut page = Vec::new();
    let mut last = after;
    while page.len() < limit
        && let Some((number, record)) = rest.next()
    {
        last = number;
        page.push(record);
    }
    let more = rest.peek().is_some();
    (page, more.then(|| last.to_string()))
}
