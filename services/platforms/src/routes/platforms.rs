//! `GET /platforms` and `GET /platforms/{platform_id}`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, Member, Path, Query, Reply, ok};
use mfh_types::{Platform, PlatformStatus, blank_as_none};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::State;

/// Which platforms to list; without parameters all that are offered.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this category, such as `crm`.
    #[serde(default, deserialize_with = "blank_as_none")]
    category: Option<String>,
    /// Only of this status; `active` when it is not given.
    #[serde(default, deserialize_with = "blank_as_none")]
    #[param(value_type = Option<PlatformStatus>)]
    status: Option<PlatformStatus>,
}

/// Platforms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlatformList {
    /// By category and name.
    platforms: Vec<Platform>,
    total: usize,
}

/// Lists what can be connected.
#[utoipa::path(
    get,
    path = "/platforms",
    tag = "platforms",
    params(Filter),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<PlatformList>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn list(
    extract::State(state): extract::State<State>,
    _: Member,
    Query(filter): Query<Filter>,
) -> Result<Reply<PlatformList>, ApiError> {
    let status = filter.status.unwrap_or_default();
    let category = filter.category;
    let mut platforms = state.core.database.platforms().list().await?;
    platforms.retain(|platform| {
        platform.status == status && category.as_ref().is_none_or(|name| platform.category == *name)
    });
    platforms.sort_by(|a, b| (&a.category, &a.name).cmp(&(&b.category, &b.name)));
    let total = platforms.len();
    Ok(ok("Platforms listed successfully", PlatformList { platforms, total }))
}

/// A platform, and whether the account has connected it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlatformDetail {
    platform: Platform,
    /// Whether the account has a connection to it, working or not.
    has_connection: bool,
}

/// Shows a platform.
#[utoipa::path(
    get,
    path = "/platforms/{platform_id}",
    tag = "platforms",
    params(("platform_id" = String, Path, description = "Id or slug")),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<PlatformDetail>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn get(
    extract::State(state): extract::State<State>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Reply<PlatformDetail>, ApiError> {
    let platform = find(&state, &id).await?;
    let connections = super::connections::of_account(&state, member.account_id()).await?;
    let has_connection = connections
        .iter()
        .any(|connection| connection.platform_id == platform.platform_id);
    Ok(ok(
        "Platform retrieved successfully",
        PlatformDetail {
            platform,
            has_connection,
        },
    ))
}

/// The platform of this id or slug, offered or not.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn find(state: &State, id_or_slug: &str) -> Result<Platform, ApiError> {
    let found = state.core.database.platforms().resolve(id_or_slug).await?;
    found.ok_or_else(|| ApiError::not_found("Platform not found"))
}
