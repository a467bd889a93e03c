//! `/automations` and `/contactAutomations`.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::access_log::{Draft, RequestId};
use crate::activecampaign::ActiveCampaign;
use crate::activecampaign::contact::{show_automation, show_automations};
use crate::activecampaign::error::ApiError;
use crate::activecampaign::params::{Params, body, number};
use crate::activecampaign::state::{Entered, Record};

pub(super) async fn list(Ctx(crm): Ctx<ActiveCampaign>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &[])?;
    crm.read(|state| {
        let shown = state.automations.iter().map(|automation| {
            let status = if automation.active { "1" } else { "2" };
            json!({ "id": automation.id.to_string(), "name": automation.name, "status": status, "links": {} })
        });
        let (automations, meta) = params.page(shown.collect::<Vec<Value>>())?;
        Ok(Json(json!({ "automations": automations, "meta": meta })))
    })
}

pub(super) async fn of_contact(
    Ctx(crm): Ctx<ActiveCampaign>,
    Path(contact_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    crm.read(|state| {
        let rows = show_automations(state.contact(&contact_id)?);
        Ok(Json(json!({ "contactAutomations": rows })))
    })
}

/// Puts a contact into an automation that is active, and that it has not been in where only one run is allowed.
pub(super) async fn enter(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "contactAutomation", &["contact", "automation"])?;
    let (contact, automation) = (number(&sent, "contact")?, number(&sent, "automation")?);
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.named_contact(contact)?.clone();
            let mut automations = tx.state.automations.iter();
            let known = automations.find(|known| known.id == automation);
            let known = known.ok_or_else(|| ApiError::related_missing("automation"))?;
            if !known.active {
                return Err(ApiError::forbidden("The automation is not active"));
            }
            let was_in = contact.automations.iter().any(|row| row.automation == automation);
            if was_in && !known.reentry {
                return Err(ApiError::forbidden("The contact may not enter this automation again"));
            }
            let row = Entered {
                id: tx.next_id("contactAutomation"),
                automation,
                at: tx.now,
            };
            tx.log(Draft {
                op: "start_automation",
                contact_id: Some(contact.id.to_string()),
                fields: Some(json!({ "automation_id": automation.to_string() })),
                changed: true,
                ..Draft::default()
            });
            let answer = show_automation(&contact, &row);
            contact.automations.push(row);
            tx.put(Record::Contact(contact));
            Ok(answer)
        },
        |_, row| {
            (
                StatusCode::CREATED,
                Json(json!({ "contacts": [], "contactAutomation": row })),
            )
        },
    )
}
