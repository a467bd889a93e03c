//! `POST /helpers`.

use axum::extract;
use http::StatusCode;
use mfh_database::Creation;
use mfh_helpers::Registration;
use mfh_http::{
    ApiError, Core, Envelope, ErrorBody, ErrorCode, FieldFault, Json, ManageHelpers, May, Member, Reply, created,
};
use mfh_types::{
    ConnectionId, Helper, HelperId, HelperStatus, HelperType, JsonObject, ShortKey, Timestamp, blank_as_default,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, too_long};
use crate::outcome::upgrade_url;
use crate::views::HelperDetail;
use crate::{State, config, connections};

/// Tries to find a short key that no helper has; the second is already improbable.
const SHORT_KEY_TRIES: usize = 5;

/// A new helper.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewHelper {
    /// Display name.
    #[serde(default, deserialize_with = "blank_as_default")]
    name: String,
    /// A type of the catalogue.
    #[serde(default, deserialize_with = "blank_as_default")]
    helper_type: String,
    /// What it is for.
    #[serde(default, deserialize_with = "blank_as_default")]
    description: String,
    /// The connection it works on.
    #[serde(default, deserialize_with = "blank_as_default")]
    connection_id: String,
    /// Its settings; what is missing can follow later.
    #[serde(default, deserialize_with = "blank_as_default")]
    #[schema(value_type = Object)]
    config: JsonObject,
}

impl NewHelper {
    /// The type, once every text is what it must be.
    fn checked(&self) -> Result<(&'static Registration, HelperType), ApiError> {
        let mut faults = Vec::new();
        let mut fault = |message: String, field: &str, expected: &str| {
            faults.push((message, FieldFault::new(field, expected)));
        };
        if self.name.trim().is_empty() {
            fault("Name is required".to_owned(), "name", "is required");
        }
        for (field, text, max) in [
            ("name", &self.name, MAX_NAME_CHARS),
            ("description", &self.description, MAX_DESCRIPTION_CHARS),
        ] {
            if let Some(expected) = too_long(text, max) {
                fault(format!("{field} {expected}"), field, &expected);
            }
        }
        let known = mfh_helpers::find(&self.helper_type).zip(HelperType::parse(&self.helper_type));
        if self.helper_type.is_empty() {
            fault("Helper type is required".to_owned(), "helper_type", "is required");
        } else if known.is_none() {
            let message = format!("Unknown helper type: {}", self.helper_type);
            fault(message, "helper_type", "must be a type that GET /helpers/types lists");
        }
        match (faults.first(), known) {
            (None, Some(known)) => Ok(known),
            (first, _) => {
                let message = first.map_or_else(String::new, |(message, _)| message.clone());
                let fields = faults.into_iter().map(|(_, field)| field).collect();
                Err(refusal(message).fields(fields))
            }
        }
    }
}

fn refusal(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::ValidationFailed, message)
}

/// Creates a helper. Where settings are missing it is a draft: disabled, with `config_errors`.
#[utoipa::path(
    post,
    path = "/helpers",
    tag = "helpers",
    security(("bearer" = [])),
    request_body = NewHelper,
    responses(
        (status = 201, body = Envelope<HelperDetail>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, description = "Not permitted, or the plan includes no more helpers", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn create(
    extract::State(state): extract::State<State>,
    member: May<ManageHelpers>,
    Json(request): Json<NewHelper>,
) -> Result<Reply<HelperDetail>, ApiError> {
    let core = &state.core;
    let (registration, helper_type) = request.checked()?;
    let connection_id = connection(core, &member, registration, &request.connection_id).await?;
    let config_errors = config::check(registration, &request.config, connection_id.as_ref())?;
    connections::check_services(core, member.account_id(), &request.config).await?;

    let now = Timestamp::now(&*core.clock);
    let helper = Helper {
        helper_id: HelperId::generate(&*core.clock, &*core.random),
        account_id: member.account_id().clone(),
        created_by: member.user_id().clone(),
        short_key: free_short_key(core).await?,
        connection_id,
        name: request.name.trim().to_owned(),
        description: request.description,
        helper_type,
        category: registration.meta.category.as_str().to_owned(),
        status: HelperStatus::Active,
        config: request.config,
        enabled: config_errors.is_empty(),
        config_errors,
        execution_count: 0,
        last_executed_at: None,
        schedule_enabled: false,
        cron_expression: None,
        last_scheduled_at: None,
        next_scheduled_at: None,
        version: 1,
        deleted_at: None,
        ttl: None,
        created_at: now,
        updated_at: now,
    };
    let limit = member.account.settings.max_helpers;
    match core.database.helpers().create(&helper, limit).await? {
        Creation::Created => Ok(created("Helper created successfully", helper.into())),
        Creation::LimitReached { used } => Err(limit_reached(core, &member, limit, used)),
    }
}

/// The connection that was chosen, if any, once it is known to fit.
async fn connection(
    core: &Core,
    member: &Member,
    registration: &Registration,
    id: &str,
) -> Result<Option<ConnectionId>, ApiError> {
    if id.is_empty() {
        return Ok(None);
    }
    let id = connections::parse(id)?;
    connections::check(core, member.account_id(), &registration.meta, &id).await?;
    Ok(Some(id))
}

/// Two helpers of one short key would make one of them unreachable by it.
async fn free_short_key(core: &Core) -> Result<ShortKey, ApiError> {
    for _ in 0..SHORT_KEY_TRIES {
        let key = ShortKey::generate(&*core.random);
        if !core.database.helpers().short_key_taken(&key).await? {
            return Ok(key);
        }
    }
    Err(ApiError::internal("every short key tried was taken"))
}

fn limit_reached(core: &Core, member: &Member, limit: u32, used: i64) -> ApiError {
    let plan = member.account.plan;
    let message = format!(
        "Your {} plan allows {limit} helpers. Upgrade to add more.",
        plan.label()
    );
    ApiError::new(StatusCode::FORBIDDEN, ErrorCode::PlanLimitReached, message).data(json!({
        "resource": "helpers",
        "limit": limit,
        "used": used,
        "plan": plan,
        "upgrade_url": upgrade_url(&core.config.app_url),
    }))
}
