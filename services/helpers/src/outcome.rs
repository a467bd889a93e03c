//! How accepting a run is answered: 202 with the execution, or why not (`api-automation` §4.1, §4.3; DECISIONS 30).

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use mfh_http::{ApiError, ErrorBody, ErrorCode, accepted};
use mfh_pipeline::{Accepted, Refusal};
use mfh_types::{Account, ExecutionId, ExecutionStatus, HelperId, Plan, Timestamp};
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use crate::config::below_config;

/// An execution that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Queued {
    execution_id: ExecutionId,
    helper_id: HelperId,
    /// `pending` for a new execution.
    status: ExecutionStatus,
    /// When it was accepted.
    started_at: Timestamp,
    /// Present when an earlier request with the same idempotency key had made the execution.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// How a run may be refused on every route that asks for one.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes answers that `ApiError` writes")]
pub(crate) enum RunRefusals {
    #[response(status = 400)]
    BadRequest(ErrorBody),
    #[response(status = 401)]
    Unauthenticated(ErrorBody),
    #[response(status = 403)]
    Forbidden(ErrorBody),
    #[response(status = 404)]
    NotFound(ErrorBody),
    #[response(status = 409, description = "The helper is disabled or incomplete")]
    NotReady(ErrorBody),
    #[response(
        status = 429,
        description = "Too many runs in this minute, or the free plan's month is used up"
    )]
    TooMany(ErrorBody),
    #[response(status = 503)]
    Unavailable(ErrorBody),
}

/// 202 with the execution and where to look it up.
pub(crate) fn queued(accepted_run: Accepted) -> Response {
    let summary = accepted_run.execution.summary;
    let location = HeaderValue::from_str(&format!("/executions/{}", summary.execution_id));
    let data = Queued {
        execution_id: summary.execution_id,
        helper_id: summary.helper_id,
        status: summary.status,
        started_at: Timestamp(summary.created_at.0),
        duplicate: accepted_run.duplicate,
    };
    let mut response = accepted("Helper execution queued", data).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Where a user raises the limits of the plan.
pub(crate) fn upgrade_url(app_url: &str) -> String {
    format!("{app_url}/settings?tab=billing")
}

/// The answer to a run that was not accepted.
pub(crate) fn refused(refusal: Refusal, account: &Account, app_url: &str) -> ApiError {
    match refusal {
        Refusal::HelperDisabled => disabled(),
        Refusal::HelperIncomplete(missing) => ApiError::conflict(
            ErrorCode::HelperIncomplete,
            "Helper configuration is incomplete: fill in the settings that `fields` names",
        )
        .fields(below_config(&missing)),
        Refusal::AccountInactive => ApiError::forbidden("Account is not active: contact support"),
        Refusal::Burst {
            limit,
            used,
            reset_at,
            retry_after,
        } => {
            let message = "Rate limit exceeded: wait until the next minute".to_owned();
            let usage = Usage {
                limit,
                used: used.into(),
                reset_at,
                plan: account.plan,
            };
            too_many(ErrorCode::RateLimited, message, &usage, retry_after, app_url)
        }
        Refusal::PlanCap {
            limit,
            used,
            reset_at,
            plan,
            retry_after,
        } => {
            let message = format!("You've used all {limit} sandbox executions this month. Pick a plan to continue.");
            let usage = Usage {
                limit,
                used,
                reset_at,
                plan,
            };
            too_many(ErrorCode::PlanLimitReached, message, &usage, retry_after, app_url)
        }
        Refusal::Database(error) => error.into(),
    }
}

/// 409 for a helper that is switched off.
pub(crate) fn disabled() -> ApiError {
    ApiError::conflict(
        ErrorCode::HelperDisabled,
        "Helper is disabled: enable it, then run it again",
    )
}

struct Usage {
    limit: u32,
    used: i64,
    reset_at: Timestamp,
    plan: Plan,
}

fn too_many(code: ErrorCode, message: String, usage: &Usage, retry_after_secs: u32, app_url: &str) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, message)
        .retry_after(retry_after_secs.into())
        .data(json!({
            "limit": usage.limit,
            "used": usage.used,
            "reset_at": usage.reset_at,
            "plan": usage.plan,
            "upgrade_url": upgrade_url(app_url),
        }))
}
