//! `/crm/v3/properties/contacts`.

use axum::Json;
use axum::extract::{RawQuery, State as Ctx};
use serde_json::{Value, json};

use super::now;
use crate::hubspot::HubSpot;
use crate::hubspot::error::ApiError;
use crate::hubspot::params::Params;

/// All of them at once, the vendor's and the account's.
pub(super) async fn list(Ctx(hubspot): Ctx<HubSpot>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    Params::only(
        query.as_deref(),
        &["archived", "properties", "locale", "dataSensitivity"],
    )?;
    let now = now(&hubspot);
    hubspot.read(|state| {
        let shown: Vec<Value> = state.properties.iter().map(|property| property.show(now)).collect();
        Ok(Json(json!({ "results": shown })))
    })
}
