//! `/fields` and `/fieldValues`.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::access_log::{Draft, RequestId};
use crate::activecampaign::ActiveCampaign;
use crate::activecampaign::contact::{show_value, show_values, write_value};
use crate::activecampaign::error::ApiError;
use crate::activecampaign::field;
use crate::activecampaign::params::{Params, body, number};
use crate::activecampaign::state::Record;

/// Definitions, with the choices of all fields beside them.
pub(super) async fn list(Ctx(crm): Ctx<ActiveCampaign>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &[])?;
    crm.read(|state| {
        let (fields, meta) = params.page(state.fields.iter().collect())?;
        let options: Vec<Value> = fields.iter().flat_map(|field| field::show_options(field)).collect();
        let fields: Vec<Value> = fields.into_iter().map(field::show).collect();
        Ok(Json(
            json!({ "fieldOptions": options, "fieldRels": [], "fields": fields, "meta": meta }),
        ))
    })
}

pub(super) async fn of_contact(
    Ctx(crm): Ctx<ActiveCampaign>,
    Path(contact_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    crm.read(|state| {
        let rows = show_values(state.contact(&contact_id)?);
        Ok(Json(json!({ "fieldValues": rows })))
    })
}

/// Creates or overwrites a value.
pub(super) async fn set(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "fieldValue", &["contact", "field", "value"])?;
    let contact = number(&sent, "contact")?;
    crm.write(
        &request_id,
        |tx| {
            let before = tx.state.named_contact(contact)?;
            let mut after = before.clone();
            let field = write_value(tx, &mut after, &sent)?;
            after.updated = tx.now;
            let value = |contact: &crate::activecampaign::state::Contact| {
                contact.values.get(&field).map(|value| value.value.clone())
            };
            tx.log(Draft {
                op: "update_contact",
                contact_id: Some(after.id.to_string()),
                fields: Some(json!({ "fieldValues": [{ "field": field.to_string(), "value": value(&after) }] })),
                changed: value(before) != value(&after),
                ..Draft::default()
            });
            tx.put(Record::Contact(after.clone()));
            Ok((after, field))
        },
        |_, (contact, field)| {
            let value = contact.values.get(&field);
            let row = value.map_or(Value::Null, |value| show_value(&contact, field, value));
            (StatusCode::CREATED, Json(json!({ "fieldValue": row })))
        },
    )
}
