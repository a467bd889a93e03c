//! The API's paths.

mod control;
mod meta;
mod objects;
mod subscriptions;
mod tags;

use axum::routing::{get, post, put};
use axum::{Json, Router};
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::error::ApiError;
use super::filter::Filter;
use super::params::{Params, text};
use super::state::State;
use super::{ACCOUNT_ID, Ontraport};

pub(crate) use control::show_state;

/// Everything below `/1`.
pub(crate) fn api() -> Router<Ontraport> {
    Router::new()
        .route("/object", get(objects::get).delete(objects::delete))
        .route("/object/getByEmail", get(objects::get_by_email))
        .route(
            "/objects",
            get(objects::list).post(objects::create).put(objects::update),
        )
        .route("/objects/saveorupdate", post(objects::save_or_update))
        .route("/objects/getInfo", get(objects::info))
        .route("/objects/meta", get(meta::meta))
        .route("/objects/fieldeditor", get(meta::field_editor))
        .route("/objects/tag", get(tags::list).put(tags::add).delete(tags::remove))
        .route(
            "/objects/tagByName",
            put(tags::add_by_name).delete(tags::remove_by_name),
        )
        .route(
            "/objects/subscribe",
            put(subscriptions::subscribe).delete(subscriptions::unsubscribe),
        )
        .route(
            "/objects/sequence",
            put(subscriptions::add_to_sequence).delete(subscriptions::remove_from_sequence),
        )
}

/// What every answer comes in.
fn envelope(data: impl Into<Value>) -> Json<Value> {
    Json(json!({ "code": 0, "data": data.into(), "account_id": ACCOUNT_ID }))
}

/// The records that `condition`, `search` and `ids` leave.
fn selected(
    state: &State,
    kind: u64,
    params: &Params,
    mut records: Vec<JsonObject>,
) -> Result<Vec<JsonObject>, ApiError> {
    let filter = Filter::parse(params.get("condition"), &state.properties(kind)?)?;
    records.retain(|record| filter.holds(record));
    if let Some(search) = params.get("search") {
        let search = search.to_lowercase();
        let hit = |value: &Value| text(Some(value)).to_lowercase().contains(&search);
        records.retain(|record| record.values().any(hit));
    }
    if let Some(ids) = params.get("ids") {
        let property = super::state::id_property(kind);
        records.retain(|record| ids.split(',').any(|id| text(record.get(property)) == id.trim()));
    }
    Ok(records)
}

/// Keeps the id and what `listFields` names.
fn narrowed(params: &Params, mut records: Vec<JsonObject>) -> Value {
    if let Some(names) = params.get("listFields") {
        for record in &mut records {
            record.retain(|name, _| name == "id" || names.split(',').any(|wanted| wanted.trim() == name));
        }
    }
    records.into_iter().map(Value::Object).collect()
}
