//! `GET /helpers`.

use axum::extract;
use mfh_http::{ApiError, Envelope, ErrorBody, Member, Query, Reply, ok};
use mfh_types::{ConnectionId, Helper};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::State;
use crate::views::HelperItem;

/// Which helpers to list; without parameters all of them.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this category.
    category: Option<String>,
    /// Only of this type.
    helper_type: Option<String>,
    /// Only with this connection.
    connection_id: Option<String>,
    /// Only those that are switched on, or off.
    enabled: Option<bool>,
}

impl Filter {
    fn admits(&self, helper: &Helper) -> bool {
        let connection = self.connection_id.as_deref();
        let connection = connection.map(|id| ConnectionId::parse(id).ok());
        self.category
            .as_ref()
            .is_none_or(|category| helper.category == *category)
            && self
                .helper_type
                .as_ref()
                .is_none_or(|name| helper.helper_type.as_str() == name)
            && connection.is_none_or(|id| id.is_some() && helper.connection_id == id)
            && self.enabled.is_none_or(|enabled| helper.enabled == enabled)
    }
}

/// The account's helpers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HelperList {
    /// The newest first.
    helpers: Vec<HelperItem>,
    total_count: usize,
}

/// Lists the account's helpers, the newest first.
#[utoipa::path(
    get,
    path = "/helpers",
    tag = "helpers",
    params(Filter),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<HelperList>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn list(
    extract::State(state): extract::State<State>,
    member: Member,
    Query(filter): Query<Filter>,
) -> Result<Reply<HelperList>, ApiError> {
    let mut helpers = state.core.database.helpers().list(member.account_id()).await?;
    helpers.retain(|helper| filter.admits(helper));
    let helpers: Vec<HelperItem> = helpers.into_iter().map(HelperItem::from).collect();
    Ok(ok(
        "Helpers retrieved successfully",
        HelperList {
            total_count: helpers.len(),
            helpers,
        },
    ))
}
