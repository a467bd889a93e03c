//! `/lists` and `/contactLists`: who is subscribed to what.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::access_log::{Draft, RequestId};
use crate::activecampaign::ActiveCampaign;
use crate::activecampaign::contact::{show_list, show_lists};
use crate::activecampaign::error::ApiError;
use crate::activecampaign::params::{Params, body, number};
use crate::activecampaign::state::{Record, Subscription, status};

/// Source of a subscription that says: the person asked to come back.
const ASKED_TO_COME_BACK: u64 = 4;

pub(super) async fn list(Ctx(crm): Ctx<ActiveCampaign>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &[])?;
    crm.read(|state| {
        let lists = state.lists.iter();
        let shown = lists.map(|list| json!({ "id": list.id.to_string(), "name": list.name, "links": {} }));
        let (lists, meta) = params.page(shown.collect::<Vec<Value>>())?;
        Ok(Json(json!({ "lists": lists, "meta": meta })))
    })
}

pub(super) async fn of_contact(
    Ctx(crm): Ctx<ActiveCampaign>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &[])?;
    crm.read(|state| {
        let (rows, meta) = params.page(show_lists(state.contact(&contact_id)?))?;
        Ok(Json(json!({ "contactLists": rows, "meta": meta })))
    })
}

/// Sets a status. Somebody who left a list stays off it unless the request says that they asked to come back.
pub(super) async fn subscribe(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent = body(&bytes, "contactList", &["list", "contact", "status", "sourceid"])?;
    let (contact, list) = (number(&sent, "contact")?, number(&sent, "list")?);
    let wanted = match number(&sent, "status")? {
        1 => status::ACTIVE,
        2 => status::UNSUBSCRIBED,
        _ => return Err(ApiError::invalid("status", "field_invalid", "The status is not valid.")),
    };
    let asked = number(&sent, "sourceid").is_ok_and(|source| source == ASKED_TO_COME_BACK);
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.named_contact(contact)?.clone();
            if !tx.state.lists.iter().any(|known| known.id == list) {
                return Err(ApiError::related_missing("list"));
            }
            let known = contact.lists.iter().find(|row| row.list == list).cloned();
            let before = known.as_ref().map(|row| row.status);
            let stays_off = before == Some(status::UNSUBSCRIBED) && wanted == status::ACTIVE && !asked;
            let row = Subscription {
                id: known.map_or_else(|| tx.next_id("contactList"), |row| row.id),
                list,
                status: if stays_off { status::UNSUBSCRIBED } else { wanted },
                at: tx.now,
            };
            tx.log(Draft {
                op: "set_opt_in",
                contact_id: Some(contact.id.to_string()),
                fields: Some(json!({ "list": list.to_string(), "status": row.status.to_string() })),
                changed: before != Some(row.status),
                ..Draft::default()
            });
            let answer = show_list(&contact, &row);
            contact.lists.retain(|row| row.list != list);
            contact.lists.push(row);
            tx.put(Record::Contact(contact));
            Ok(answer)
        },
        |_, row| Json(json!({ "contacts": [], "contactList": row })),
    )
}
