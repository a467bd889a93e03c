//! The location itself, its custom fields, workflows and users.

use axum::Json;
use axum::extract::{Path, State as Ctx};
use serde_json::{Value, json};

use super::{Query, check_location};
use crate::gohighlevel::error::ApiError;
use crate::gohighlevel::{COMPANY_ID, GoHighLevel, LOCATION_ID, contact, custom_field};

pub(super) async fn get(Path(location_id): Path<String>) -> Result<Json<Value>, ApiError> {
    contact::check_location(Some(&location_id.into()))?;
    Ok(Json(json!({ "location": {
        "id": LOCATION_ID,
        "companyId": COMPANY_ID,
        "name": "Demo Location",
        "country": "US",
        "timezone": "America/Phoenix",
        "settings": { "allowDuplicateContact": false },
    }})))
}

pub(super) async fn custom_fields(
    Ctx(crm): Ctx<GoHighLevel>,
    Path(location_id): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    contact::check_location(Some(&location_id.into()))?;
    let of_contacts = match query.get("model").map(String::as_str) {
        None | Some("contact" | "all") => true,
        Some("opportunity") => false,
        Some(_) => return Err(ApiError::property("model must be contact, opportunity or all")),
    };
    let fields: Vec<Value> = crm.read(|state| {
        let fields = state.custom_fields.values().filter(|_| of_contacts);
        fields.map(custom_field::show).collect()
    });
    Ok(Json(json!({ "customFields": fields })))
}

pub(super) async fn workflows(Ctx(crm): Ctx<GoHighLevel>, query: Query) -> Result<Json<Value>, ApiError> {
    check_location(&query)?;
    let workflows: Vec<Value> = crm.read(|state| {
        let workflows = state.workflows.iter();
        let shown = workflows.map(|workflow| {
            json!({
                "id": workflow.id,
                "name": workflow.name,
                "status": if workflow.published { "published" } else { "draft" },
                "version": 1,
                "createdAt": "2025-01-06T08:00:00.000Z",
                "updatedAt": "2025-01-06T08:00:00.000Z",
                "locationId": LOCATION_ID,
            })
        });
        shown.collect()
    });
    Ok(Json(json!({ "workflows": workflows })))
}

pub(super) async fn users(Ctx(crm): Ctx<GoHighLevel>, query: Query) -> Result<Json<Value>, ApiError> {
    check_location(&query)?;
    let users: Vec<Value> = crm.read(|state| {
        let users = state.users.iter();
        let shown = users.map(|user| {
            json!({
                "id": user.id,
                "name": format!("{} {}", user.first_name, user.last_name),
                "firstName": user.first_name,
                "lastName": user.last_name,
                "email": user.email,
                "deleted": user.deleted,
                "roles": { "type": "account", "role": "user", "locationIds": [LOCATION_ID] },
            })
        });
        shown.collect()
    });
    Ok(Json(json!({ "users": users })))
}
