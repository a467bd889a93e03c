//! `POST /api-keys`.

use axum::extract;
use http::StatusCode;
use mfh_database::Creation;
use mfh_http::{
    ApiError, Core, Envelope, ErrorBody, ErrorCode, FieldFault, Json, ManageApiKeys, May, Member, Reply, check, created,
};
use mfh_types::{
    ApiKey, ApiKeyId, ApiKeyPermission, ApiKeySecret, ApiKeyStatus, Timestamp, blank_as_default, blank_as_none,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::State;
use crate::view::NewApiKeyView;

/// The longest name.
const MAX_NAME_CHARS: usize = 100;

/// A new API key.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewApiKey {
    /// Display name.
    #[serde(default, deserialize_with = "blank_as_default")]
    name: String,
    /// What the key may do: `execute_helpers`, which is also meant when nothing is sent.
    #[serde(default)]
    permissions: Option<Vec<String>>,
    /// When the key stops working, in the future; nothing means never.
    #[serde(default, deserialize_with = "blank_as_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// What a request asks for, once every value is what it must be.
#[derive(Debug, PartialEq)]
struct Wanted {
    name: String,
    permissions: Vec<ApiKeyPermission>,
    expires_at: Option<Timestamp>,
}

impl NewApiKey {
    /// Checks all values and names every wrong one.
    fn checked(self, now: Timestamp) -> Result<Wanted, ApiError> {
        let mut faults = Vec::new();
        let name = check::text("name", &self.name, MAX_NAME_CHARS)
            .map_err(|fault| faults.push(fault))
            .unwrap_or_default();
        let permissions = permissions(self.permissions.as_deref(), &mut faults);
        if self.expires_at.is_some_and(|end| end <= now) {
            faults.push(FieldFault::new("expires_at", "must be in the future"));
        }
        if faults.is_empty() {
            Ok(Wanted {
                name,
                permissions,
                expires_at: self.expires_at,
            })
        } else {
            Err(ApiError::invalid(faults))
        }
    }
}

fn permissions(sent: Option<&[String]>, faults: &mut Vec<FieldFault>) -> Vec<ApiKeyPermission> {
    let Some(sent) = sent else {
        return vec![ApiKeyPermission::ExecuteHelpers];
    };
    if sent.is_empty() {
        faults.push(FieldFault::new("permissions", "must name at least execute_helpers"));
    }
    let mut known = Vec::new();
    for (at, name) in sent.iter().enumerate() {
        match serde_json::from_value(name.as_str().into()) {
            Ok(permission) if known.contains(&permission) => {}
            Ok(permission) => known.push(permission),
            Err(_) => faults.push(FieldFault::new(format!("permissions[{at}]"), "must be execute_helpers")),
        }
    }
    known
}

/// Makes an API key. Its secret is shown in this answer only.
#[utoipa::path(
    post,
    path = "/api-keys",
    tag = "api-keys",
    security(("bearer" = [])),
    request_body = NewApiKey,
    responses(
        (status = 201, body = Envelope<NewApiKeyView>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, description = "Not permitted, or the plan includes no more keys", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn create(
    extract::State(state): extract::State<State>,
    member: May<ManageApiKeys>,
    Json(request): Json<NewApiKey>,
) -> Result<Reply<NewApiKeyView>, ApiError> {
    let core = &state.core;
    let now = Timestamp::now(&*core.clock);
    let wanted = request.checked(now)?;
    let secret = ApiKeySecret::generate(&*core.random);
    let key = ApiKey {
        key_id: ApiKeyId::generate(&*core.clock, &*core.random),
        account_id: member.account_id().clone(),
        created_by: member.user_id().clone(),
        name: wanted.name,
        key_hash: secret.hash(),
        key_prefix: secret.shown_prefix(),
        permissions: wanted.permissions,
        status: ApiKeyStatus::Active,
        last_used_at: None,
        expires_at: wanted.expires_at,
        revoked_at: None,
        revoked_by: None,
        created_at: now,
    };
    let limit = member.account.settings.max_api_keys;
    match core.database.api_keys().create(&key, limit).await? {
        Creation::Created => Ok(created(
            "API key created successfully",
            NewApiKeyView::new(key, &secret),
        )),
        Creation::LimitReached { used } => Err(limit_reached(core, &member, limit, used)),
    }
}

fn limit_reached(core: &Core, member: &Member, limit: u32, used: i64) -> ApiError {
    let plan = member.account.plan;
    let message = format!(
        "Your {} plan allows {limit} API keys. Revoke one or upgrade to add more.",
        plan.label()
    );
    ApiError::new(StatusCode::FORBIDDEN, ErrorCode::PlanLimitReached, message).data(json!({
        "resource": "api_keys",
        "limit": limit,
        "used": used,
        "plan": plan,
        "upgrade_url": format!("{}/settings?tab=billing", core.config.app_url),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn now() -> Timestamp {
        serde_json::from_value("2026-03-10T00:00:00Z".into()).unwrap()
    }

    fn check(body: Value) -> Result<Wanted, String> {
        let request: NewApiKey = serde_json::from_value(body).unwrap();
        request.checked(now()).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_name_is_enough_and_lasts_for_ever() {
        let wanted = check(json!({"name": " CI ", "permissions": null, "expires_at": ""})).unwrap();
        assert_eq!(
            wanted,
            Wanted {
                name: "CI".to_owned(),
                permissions: vec![ApiKeyPermission::ExecuteHelpers],
                expires_at: None,
            }
        );
    }

    #[test]
    fn permissions_are_a_closed_set_without_doubles() {
        let twice = check(json!({"name": "x", "permissions": ["execute_helpers", "execute_helpers"]})).unwrap();
        assert_eq!(twice.permissions, [ApiKeyPermission::ExecuteHelpers]);
        for (sent, field) in [
            (json!([]), "permissions"),
            (json!([""]), "permissions[0]"),
            (json!(["execute_helpers", "*"]), "permissions[1]"),
        ] {
            let error = check(json!({"name": "x", "permissions": sent})).unwrap_err();
            assert!(error.contains(&format!("{field:?}")), "{error}");
        }
    }

    #[test]
    fn every_wrong_value_is_named_at_once() {
        let error = check(json!({"name": "", "permissions": ["admin"], "expires_at": "2026-03-10T00:00:00Z"}));
        let error = error.unwrap_err();
        for field in ["\"name\"", "\"permissions[0]\"", "\"expires_at\""] {
            assert!(error.contains(field), "{field}: {error}");
        }
        assert!(check(json!({"name": "x".repeat(101)})).is_err());
        assert!(check(json!({"name": "x".repeat(100), "expires_at": "2026-03-10T00:00:01Z"})).is_ok());
    }
}
