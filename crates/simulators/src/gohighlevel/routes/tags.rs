//! Tags of contacts, which are names, and tags of the location.

use axum::extract::{Path, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use crate::access_log::{Draft, RequestId};
use crate::gohighlevel::contact::{check_location, tag_names};
use crate::gohighlevel::error::ApiError;
use crate::gohighlevel::state::{Record, Tag};
use crate::gohighlevel::{GoHighLevel, LOCATION_ID};

/// The names of a body that may hold nothing else.
fn names_of(bytes: &Bytes) -> Result<Vec<String>, ApiError> {
    let sent: JsonObject = body(bytes)?;
    if let Some(name) = sent.keys().find(|name| *name != "tags") {
        return Err(ApiError::property(format!("property {name} should not exist")));
    }
    tag_names(sent.get("tags"))
}

/// Adds tags; a name that the location does not have becomes a tag of it.
pub(super) async fn add(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let names = names_of(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.contact(&contact_id)?.clone();
            tx.ensure_tags(&names);
            for name in names {
                let new = !contact.tags.contains(&name);
                tx.log_tag("apply_tag", &contact_id, &name, new);
                if new {
                    contact.tags.push(name);
                    contact.date_updated = tx.now;
                }
            }
            let tags = contact.tags.clone();
            tx.put(Record::Contact(Box::new(contact)));
            Ok(tags)
        },
        |_, tags| (StatusCode::CREATED, Json(json!({ "tags": tags }))),
    )
}

pub(super) async fn remove(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let names = names_of(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.contact(&contact_id)?.clone();
            for name in names {
                let had = contact.tags.contains(&name);
                tx.log_tag("remove_tag", &contact_id, &name, had);
                if had {
                    contact.tags.retain(|tag| *tag != name);
                    contact.date_updated = tx.now;
                }
            }
            let tags = contact.tags.clone();
            tx.put(Record::Contact(Box::new(contact)));
            Ok(tags)
        },
        |_, tags| Json(json!({ "tags": tags })),
    )
}

fn show(tag: &Tag) -> Value {
    json!({ "id": tag.id, "name": tag.name, "locationId": LOCATION_ID })
}

pub(super) async fn list(Ctx(crm): Ctx<GoHighLevel>, Path(location_id): Path<String>) -> Result<Json<Value>, ApiError> {
    check_location(Some(&location_id.into()))?;
    let tags: Vec<Value> = crm.read(|state| state.tags.values().map(show).collect());
    Ok(Json(json!({ "tags": tags })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTag {
    name: String,
}

pub(super) async fn create(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path(location_id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    check_location(Some(&location_id.into()))?;
    let NewTag { name } = body(&bytes)?;
    let name = name.trim().to_lowercase();
    if name.is_empty() {
        return Err(ApiError::property("name should not be empty"));
    }
    crm.write(
        &request_id,
        |tx| {
            if tx.state.tags.values().any(|tag| tag.name == name) {
                return Err(ApiError::bad("The tag name is already exist."));
            }
            let tag = Tag { id: tx.new_id(), name };
            tx.log(Draft {
                op: "create_tag",
                tag_id: Some(tag.name.clone()),
                changed: true,
                ..Draft::default()
            });
            let shown = show(&tag);
            tx.put(Record::Tag(tag));
            Ok(shown)
        },
        |_, shown| Json(json!({ "tag": shown })),
    )
}
