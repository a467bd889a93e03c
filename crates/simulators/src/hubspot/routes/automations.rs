//! `/automation`: workflows by their flows, the ids of both, and enrolment.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{batch, body, cut, now, with_next};
use crate::access_log::RequestId;
use crate::hubspot::HubSpot;
use crate::hubspot::contact::time;
use crate::hubspot::error::ApiError;
use crate::hubspot::params::Params;
use crate::hubspot::state::{Record, Transaction, Workflow};

fn show(workflow: &Workflow) -> Value {
    json!({
        "id": workflow.flow_id.to_string(),
        "name": workflow.name,
        "flowType": "WORKFLOW",
        "isEnabled": workflow.is_enabled,
        "objectTypeId": workflow.object_type_id,
        "revisionId": "1",
        "createdAt": time(workflow.created_at),
        "updatedAt": time(workflow.created_at),
    })
}

pub(super) async fn list(Ctx(hubspot): Ctx<HubSpot>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::only(query.as_deref(), &["limit", "after"])?;
    let (limit, after) = (params.limit(100, 100)?, params.after()?);
    hubspot.read(|state| {
        let flows = state
            .workflows
            .iter()
            .map(|workflow| (workflow.flow_id, show(workflow)));
        let (page, next) = cut(flows, after, limit);
        Ok(Json(with_next(json!({ "results": page }), next)))
    })
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum MappingInput {
    #[serde(rename = "FLOW_ID", rename_all = "camelCase")]
    Flow { flow_id: String },
    #[serde(rename = "WORKFLOW_ID", rename_all = "camelCase")]
    Workflow { workflow_id: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mappings {
    inputs: Vec<MappingInput>,
}

/// Ids that belong to nothing are only counted.
pub(super) async fn workflow_ids(
    Ctx(hubspot): Ctx<HubSpot>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: Mappings = body(&bytes)?;
    let now = now(&hubspot);
    hubspot.read(|state| {
        let is = |workflow: &Workflow, input: &MappingInput| match input {
            MappingInput::Flow { flow_id } => workflow.flow_id.to_string() == *flow_id,
            MappingInput::Workflow { workflow_id } => workflow.id.to_string() == *workflow_id,
        };
        let found = sent.inputs.iter().filter_map(|input| {
            let workflow = state.workflows.iter().find(|workflow| is(workflow, input))?;
            Some(json!({ "flowId": workflow.flow_id, "workflowId": workflow.id }))
        });
        let found: Vec<Value> = found.collect();
        let missing = sent.inputs.len() - found.len();
        let mut answer = batch(found, now);
        if missing == 0 {
            return Ok((StatusCode::OK, Json(answer)));
        }
        answer["numErrors"] = missing.into();
        Ok((StatusCode::MULTI_STATUS, Json(answer)))
    })
}

/// Takes a contact by its address; being in the workflow already changes nothing.
pub(super) async fn enrol(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    Path((workflow_id, email)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    if !bytes.is_empty() {
        return Err(ApiError::invalid("enrolment takes no body"));
    }
    let plan = |tx: &mut Transaction<'_>| {
        let mut workflows = tx.state.workflows.iter();
        let workflow = workflows.find(|it| it.id.to_string() == workflow_id && it.object_type_id == "0-1");
        let workflow = workflow.ok_or_else(|| ApiError::missing("workflow", &workflow_id))?;
        let contact = tx.state.contact_of(&email);
        let contact = contact.ok_or_else(|| ApiError::missing("contact", &email))?;
        if !workflow.is_enabled {
            return Err(ApiError::invalid(format!("workflow {workflow_id} is turned off")));
        }
        let new = !contact.workflows.contains_key(&workflow.id);
        tx.log_contact("enrol", contact.id, Some(json!({ "workflow_id": workflow_id })), new);
        if new {
            let mut contact = contact.clone();
            contact.workflows.insert(workflow.id, tx.now);
            tx.put(Record::Contact(contact));
        }
        Ok(())
    };
    hubspot.write(&request_id, plan, |_, ()| StatusCode::NO_CONTENT)
}
