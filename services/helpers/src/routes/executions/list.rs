//! `GET /executions`.

use axum::extract;
use mfh_database::{ExecutionFilter, ListError};
use mfh_http::{ApiError, Core, Envelope, ErrorBody, FieldFault, Member, Query, Reply, ok};
use mfh_types::{AccountId, ConnectionId, ExecutionStatus, HelperId, ShortKey, Timestamp, TimestampMs, TriggerType};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::State;
use crate::views::ExecutionItem;

/// The page length when none, or none that can be read, is asked for.
const DEFAULT_LIMIT: usize = 20;

/// The longest page.
const MAX_LIMIT: usize = 100;

/// Which executions to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this helper: full id, bare uuid or short key.
    helper_id: Option<String>,
    /// Only in these statuses, separated by commas; `queued` means `pending`.
    status: Option<String>,
    /// Only started this way: `manual`, `api`, `scheduled`, `chain`, `retry` or `webhook`.
    trigger_type: Option<String>,
    /// Only on this contact.
    contact_id: Option<String>,
    /// Only on this connection.
    connection_id: Option<String>,
    /// Only accepted at or after this time (RFC 3339).
    from: Option<String>,
    /// Only accepted at or before this time (RFC 3339).
    to: Option<String>,
    /// Length of the page, 1 to 100; 20 when absent.
    limit: Option<String>,
    /// Where the last page ended.
    next_token: Option<String>,
}

/// A page of executions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExecutionList {
    /// The newest first.
    executions: Vec<ExecutionItem>,
    /// Executions on this page.
    total_count: usize,
    /// Leads to the next page; empty at the end.
    next_token: String,
    has_more: bool,
}

/// Lists the account's executions, the newest first.
#[utoipa::path(
    get,
    path = "/executions",
    tag = "executions",
    params(Filter),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<ExecutionList>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn list(
    extract::State(state): extract::State<State>,
    member: Member,
    Query(sent): Query<Filter>,
) -> Result<Reply<ExecutionList>, ApiError> {
    let account = member.account_id();
    let limit = page_length(sent.limit.as_deref());
    let token = given(sent.next_token.as_deref());
    let mut filter = sent.checked()?;
    if let Some(helper) = given(sent.helper_id.as_deref()) {
        match helper_id(&state.core, account, helper).await? {
            Some(id) => filter.helper_id = Some(id),
            // No such helper, so nothing that it ran.
            None => return Ok(answer(Vec::new(), None)),
        }
    }
    let executions = state.core.database.executions();
    let page = executions.list(account, &filter, limit, token).await;
    let page = page.map_err(list_error)?;
    let items = page.items.into_iter().map(ExecutionItem::from).collect();
    Ok(answer(items, page.next_token))
}

fn answer(executions: Vec<ExecutionItem>, next_token: Option<String>) -> Reply<ExecutionList> {
    ok(
        "Executions retrieved successfully",
        ExecutionList {
            total_count: executions.len(),
            executions,
            has_more: next_token.is_some(),
            next_token: next_token.unwrap_or_default(),
        },
    )
}

pub(crate) fn list_error(error: ListError) -> ApiError {
    match error {
        ListError::InvalidToken => ApiError::bad_request("Invalid next_token: start again without it")
            .fields(vec![FieldFault::new("next_token", "must be that of the last page")]),
        ListError::Database(error) => error.into(),
    }
}

/// Empty parameters count as absent.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn page_length(limit: Option<&str>) -> usize {
    match given(limit).map(str::parse) {
        Some(Ok(limit @ 1..)) => limit.min(MAX_LIMIT),
        _ => DEFAULT_LIMIT,
    }
}

/// The helper that a list is restricted to. Ids are not looked up: the runs of a deleted helper stay visible.
///
/// # Errors
/// 503 when the tables cannot be read.
pub(crate) async fn helper_id(
    core: &Core,
    account: &AccountId,
    identifier: &str,
) -> Result<Option<HelperId>, ApiError> {
    if identifier.starts_with(HelperId::PREFIX) || identifier.len() > ShortKey::MAX_LEN {
        return Ok(HelperId::parse(identifier).ok());
    }
    let helper = core.database.helpers().resolve(account, identifier).await?;
    Ok(helper.map(|helper| helper.helper_id))
}

impl Filter {
    /// The filter without its helper, with every wrong parameter named at once.
    fn checked(&self) -> Result<ExecutionFilter, ApiError> {
        let mut faults = Vec::new();
        let filter = ExecutionFilter {
            helper_id: None,
            statuses: read(&mut faults, statuses(self.status.as_deref())),
            trigger_type: read(&mut faults, trigger_type(self.trigger_type.as_deref())),
            contact_id: given(self.contact_id.as_deref()).map(str::to_owned),
            connection_id: read(&mut faults, connection_id(self.connection_id.as_deref())),
            from: read(&mut faults, time("from", self.from.as_deref())),
            to: read(&mut faults, time("to", self.to.as_deref())),
        };
        if faults.is_empty() {
            Ok(filter)
        } else {
            Err(ApiError::invalid(faults))
        }
    }
}

fn read<T: Default>(faults: &mut Vec<FieldFault>, value: Result<T, FieldFault>) -> T {
    value.unwrap_or_else(|fault| {
        faults.push(fault);
        T::default()
    })
}

fn statuses(text: Option<&str>) -> Result<Vec<ExecutionStatus>, FieldFault> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(|word| {
            ExecutionStatus::parse(word).ok_or_else(|| {
                let known = ExecutionStatus::ALL.map(ExecutionStatus::as_str).join(", ");
                FieldFault::new("status", format!("must be one or more of {known}"))
            })
        })
        .collect()
}

fn trigger_type(text: Option<&str>) -> Result<Option<TriggerType>, FieldFault> {
    let parse = |text: &str| {
        serde_json::from_value(text.into()).map_err(|_| {
            let expected = "must be one of manual, api, scheduled, chain, retry, webhook";
            FieldFault::new("trigger_type", expected)
        })
    };
    given(text).map(parse).transpose()
}

fn connection_id(text: Option<&str>) -> Result<Option<ConnectionId>, FieldFault> {
    let parse =
        |text| ConnectionId::parse(text).map_err(|_| FieldFault::new("connection_id", "must be a connection id"));
    given(text).map(parse).transpose()
}

/// A time of the query string.
///
/// # Errors
/// A fault of `field` that says what is expected.
pub(crate) fn time(field: &str, text: Option<&str>) -> Result<Option<TimestampMs>, FieldFault> {
    let parse = |text: &str| {
        // In a query string a plus sign means a blank.
        let text = text.replace(' ', "+");
        let time: Result<Timestamp, _> = serde_json::from_value(text.into());
        time.map(|time| TimestampMs(time.0))
            .map_err(|_| FieldFault::new(field, "must be a time such as 2026-03-01T10:00:00Z"))
    };
    given(text).map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_length_that_makes_no_sense_is_the_default_and_a_long_one_is_cut() {
        for text in [None, Some(""), Some("0"), Some("-1"), Some("many")] {
            assert_eq!(page_length(text), 20, "{text:?}");
        }
        assert_eq!(page_length(Some("7")), 7);
        assert_eq!(page_length(Some("200")), 100);
    }

    #[test]
    fn a_status_list_is_read_and_queued_means_pending() {
        use ExecutionStatus::{Failed, Pending};
        assert_eq!(statuses(Some("queued, failed,")).unwrap(), [Pending, Failed]);
        assert_eq!(statuses(None).unwrap(), []);
        assert_eq!(statuses(Some("done")).unwrap_err().field, "status");
    }

    #[test]
    fn a_plus_sign_in_a_time_survives_the_query_string() {
        let read = time("from", Some("2026-03-01T12:00:00 02:00")).unwrap().unwrap();
        assert_eq!(read.to_string(), "2026-03-01T10:00:00.000Z");
        assert!(time("from", Some("yesterday")).is_err());
    }
}
