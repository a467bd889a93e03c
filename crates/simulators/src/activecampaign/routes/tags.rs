//! `/tags` and `/contactTags`: tags, and which contacts have them.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::access_log::{Draft, RequestId};
use crate::activecampaign::ActiveCampaign;
use crate::activecampaign::contact::{show_tag, show_tags};
use crate::activecampaign::error::ApiError;
use crate::activecampaign::params::{Params, body, number, text};
use crate::activecampaign::state::{Record, Tag, Tagged, shown};

fn show(tag: &Tag) -> Value {
    json!({
        "id": tag.id.to_string(), "tag": tag.name, "tagType": tag.kind, "description": tag.description,
        "cdate": shown(tag.created), "links": {},
    })
}

pub(super) async fn list(Ctx(crm): Ctx<ActiveCampaign>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &["search", "filters[search][eq]"])?;
    let part = params.get("search").map(str::to_lowercase);
    let exact = params.get("filters[search][eq]").map(str::to_lowercase);
    crm.read(|state| {
        let tags = state.tags.values().filter(|tag| {
            let name = tag.name.to_lowercase();
            part.as_ref().is_none_or(|part| name.contains(part)) && exact.as_ref().is_none_or(|exact| name == *exact)
        });
        let (tags, meta) = params.page(tags.map(show).collect())?;
        Ok(Json(json!({ "tags": tags, "meta": meta })))
    })
}

pub(super) async fn create(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "tag", &["tag", "tagType", "description"])?;
    let name = text(&sent, "tag")?.unwrap_or_default().trim().to_owned();
    let kind = text(&sent, "tagType")?.unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(ApiError::invalid("tag", "field_missing", "The tag is required."));
    }
    if kind != "contact" && kind != "template" {
        return Err(ApiError::invalid(
            "tagType",
            "field_invalid",
            "The tagType is not valid.",
        ));
    }
    let description = text(&sent, "description")?.unwrap_or_default().to_owned();
    crm.write(
        &request_id,
        |tx| {
            let mut tags = tx.state.tags.values();
            if tags.any(|tag| tag.kind == kind && tag.name.to_lowercase() == name.to_lowercase()) {
                return Err(ApiError::duplicate_entry(&format!("{kind}-{name}"), "typetag"));
            }
            let tag = Tag {
                id: tx.next_id("tag"),
                name,
                kind,
                description,
                created: tx.now,
            };
            tx.log(Draft {
                op: "create_tag",
                tag_id: Some(tag.id.to_string()),
                fields: Some(json!({ "name": tag.name })),
                changed: true,
                ..Draft::default()
            });
            tx.put(Record::Tag(tag.clone()));
            Ok(tag)
        },
        |_, tag| (StatusCode::CREATED, Json(json!({ "tag": show(&tag) }))),
    )
}

pub(super) async fn of_contact(
    Ctx(crm): Ctx<ActiveCampaign>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &[])?;
    crm.read(|state| {
        let (rows, meta) = params.page(show_tags(state.contact(&contact_id)?))?;
        Ok(Json(json!({ "contactTags": rows, "meta": meta })))
    })
}

/// 201 for a new row, 200 with the old one when the contact has the tag.
pub(super) async fn apply(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "contactTag", &["contact", "tag"])?;
    let (contact, tag) = (number(&sent, "contact")?, number(&sent, "tag")?);
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.named_contact(contact)?.clone();
            if !tx.state.tags.contains_key(&tag) {
                return Err(ApiError::related_missing("tag"));
            }
            let known = contact.tags.iter().find(|row| row.tag == tag).cloned();
            tx.log_tag("apply_tag", contact.id, tag, known.is_none());
            if let Some(row) = known {
                return Ok((StatusCode::OK, show_tag(&contact, &row)));
            }
            let row = Tagged {
                id: tx.next_id("contactTag"),
                tag,
                at: tx.now,
            };
            let answer = show_tag(&contact, &row);
            contact.tags.push(row);
            contact.updated = tx.now;
            tx.put(Record::Contact(contact));
            Ok((StatusCode::CREATED, answer))
        },
        |_, (status, row)| (status, Json(json!({ "contactTag": row }))),
    )
}

pub(super) async fn remove(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    Path(row): Path<String>,
) -> Result<Json<Value>, ApiError> {
    crm.write(
        &request_id,
        |tx| {
            let is_row = |tagged: &Tagged| tagged.id.to_string() == row;
            let owner = tx.state.owner_of(|contact| contact.tags.iter().any(is_row));
            let mut contact = owner.ok_or_else(|| ApiError::missing("SubscriberTag", &row))?.clone();
            for tagged in contact.tags.iter().filter(|tagged| is_row(tagged)) {
                tx.log_tag("remove_tag", contact.id, tagged.tag, true);
            }
            contact.tags.retain(|tagged| !is_row(tagged));
            contact.updated = tx.now;
            tx.put(Record::Contact(contact));
            Ok(())
        },
        |_, ()| Json(json!({})),
    )
}
