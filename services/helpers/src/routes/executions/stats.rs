//! `GET /executions/stats`.

use axum::extract;
use chrono::Duration;
use mfh_database::ExecutionFilter;
use mfh_http::{ApiError, Core, Envelope, ErrorBody, FieldFault, May, Query, Reply, ViewAnalytics, ok};
use mfh_types::{AccountId, TimestampMs};
use serde::Deserialize;

use super::list::{helper_id, list_error, time};
use crate::State;
use crate::stats::{Counts, Stats};

/// What is counted when no start is named.
const DEFAULT_DAYS: i64 = 30;

/// The longest time that is counted at once.
const MAX_DAYS: i64 = 366;

/// The most executions that are counted at once, the newest first.
const MAX_EXECUTIONS: usize = 10_000;

/// Executions read at once.
const PAGE: usize = 100;

/// What to count.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// From this time on (RFC 3339); 30 days before `to` when absent.
    from: Option<String>,
    /// Up to this time (RFC 3339); now when absent.
    to: Option<String>,
    /// Only this helper: full id, bare uuid or short key.
    helper_id: Option<String>,
}

/// Counts executions by status, day, helper and error.
#[utoipa::path(
    get,
    path = "/executions/stats",
    tag = "executions",
    params(Range),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Stats>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn stats(
    extract::State(state): extract::State<State>,
    member: May<ViewAnalytics>,
    Query(range): Query<Range>,
) -> Result<Reply<Stats>, ApiError> {
    let core = &state.core;
    let (from, to) = range.checked(TimestampMs::now(&*core.clock))?;
    let mut counts = Counts::between(from, to);
    let helper = range
        .helper_id
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let helper_id = match helper {
        None => None,
        Some(helper) => match helper_id(core, member.account_id(), helper).await? {
            Some(id) => Some(id),
            // No such helper, so nothing to count.
            None => return Ok(answer(counts, false)),
        },
    };
    let filter = ExecutionFilter {
        helper_id,
        from: Some(from),
        to: Some(to),
        ..ExecutionFilter::default()
    };
    let truncated = count(core, member.account_id(), &filter, &mut counts).await?;
    Ok(answer(counts, truncated))
}

fn answer(counts: Counts, truncated: bool) -> Reply<Stats> {
    ok("Statistics retrieved successfully", counts.finish(truncated))
}

/// Counts what the filter admits; tells whether older executions were left out.
async fn count(
    core: &Core,
    account: &AccountId,
    filter: &ExecutionFilter,
    counts: &mut Counts,
) -> Result<bool, ApiError> {
    let executions = core.database.executions();
    let mut token = None;
    loop {
        let page = executions.list(account, filter, PAGE, token.as_deref()).await;
        let page = page.map_err(list_error)?;
        for summary in &page.items {
            counts.add(summary);
        }
        match page.next_token {
            None => return Ok(false),
            Some(_) if counts.total() >= MAX_EXECUTIONS => return Ok(true),
            next => token = next,
        }
    }
}

impl Range {
    fn checked(&self, now: TimestampMs) -> Result<(TimestampMs, TimestampMs), ApiError> {
        let wrong = |fault: FieldFault| ApiError::invalid(vec![fault]);
        let to = time("to", self.to.as_deref()).map_err(wrong)?.unwrap_or(now);
        let from = match time("from", self.from.as_deref()).map_err(wrong)? {
            Some(from) => from,
            None => TimestampMs(to.0 - Duration::days(DEFAULT_DAYS)),
        };
        if from > to {
            return Err(ApiError::invalid_field("from", "must not be after `to`"));
        }
        if to.0 - from.0 > Duration::days(MAX_DAYS) {
            return Err(ApiError::invalid_field("from", "must be at most 366 days before `to`"));
        }
        Ok((from, to))
    }
}
