//! `/crm/v3/owners`.

use axum::Json;
use axum::extract::{RawQuery, State as Ctx};
use serde_json::{Value, json};

use super::{cut, with_next};
use crate::hubspot::HubSpot;
use crate::hubspot::contact::time;
use crate::hubspot::error::ApiError;
use crate::hubspot::params::Params;
use crate::hubspot::state::Owner;

fn show(owner: &Owner) -> Value {
    json!({
        "id": owner.id.to_string(),
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": owner.id + 9_000_000,
        "createdAt": time(owner.created_at),
        "updatedAt": time(owner.created_at),
        "archived": owner.archived,
    })
}

pub(super) async fn list(Ctx(hubspot): Ctx<HubSpot>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::only(query.as_deref(), &["limit", "after", "email", "archived"])?;
    let (limit, after) = (params.limit(100, 500)?, params.after()?);
    let archived = params.get("archived") == Some("true");
    hubspot.read(|state| {
        let owners = state.owners.iter().filter(|owner| owner.archived == archived);
        let owners = owners.filter(|owner| params.get("email").is_none_or(|email| email == owner.email));
        let (page, next) = cut(owners.map(|owner| (owner.id, show(owner))), after, limit);
        Ok(Json(with_next(json!({ "results": page }), next)))
    })
}
