//! `GET /api-keys`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, ManageApiKeys, May, Query, Reply, ok};
use mfh_types::ApiKeyStatus;
use serde::Deserialize;

use crate::State;
use crate::view::ApiKeyView;

/// Which keys to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Revoked keys as well.
    #[serde(default)]
    include_revoked: bool,
}

/// Lists the account's API keys, the newest first.
#[utoipa::path(
    get,
    path = "/api-keys",
    tag = "api-keys",
    params(Filter),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Vec<ApiKeyView>>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn list(
    extract::State(state): extract::State<State>,
    member: May<ManageApiKeys>,
    Query(filter): Query<Filter>,
) -> Result<Reply<Vec<ApiKeyView>>, ApiError> {
    let mut keys = state.core.database.api_keys().list(member.account_id()).await?;
    keys.retain(|key| filter.include_revoked || key.status == ApiKeyStatus::Active);
    // Ids hold the time in milliseconds: they order keys made within one second.
    keys.sort_by(|a, b| (b.created_at, &b.key_id).cmp(&(a.created_at, &a.key_id)));
    let keys = keys.into_iter().map(ApiKeyView::from).collect();
    Ok(ok("API keys listed successfully", keys))
}
