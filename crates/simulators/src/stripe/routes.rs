//! The API's paths, and the simulator's own.

use axum::extract::{Path, Query, RawQuery, State as Ctx};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use chrono::Duration;
use mfh_types::TimestampMs;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::form::Form;
use super::state::{Change, Customer, Record, Replay, State};
use super::{Limits, Stripe, customer};
use crate::access_log::{Draft, RequestId};

/// How long an idempotency key is remembered.
const REMEMBERED_HOURS: i64 = 24;

/// Everything below `/v1`.
pub(crate) fn api() -> Router<Stripe> {
    Router::new()
        .route("/customers", get(list).post(create))
        .route("/customers/{id}", get(read).post(update).delete(delete))
        .route("/balance", get(balance))
}

/// `GET /_state`, `POST /_reset` and `POST /_control/limits`.
pub(crate) fn control() -> Router<Stripe> {
    Router::new()
        .route("/_state", get(show_state))
        .route("/_reset", post(reset))
        .route("/_control/limits", post(set_limits))
}

async fn list(Ctx(stripe): Ctx<Stripe>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    query.only(&["email", "ending_before", "expand", "limit", "starting_after"])?;
    let limit = match query.get("limit") {
        None => 10,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=100).contains(limit))
            .ok_or_else(|| {
                ApiError::invalid(
                    "limit",
                    Some("parameter_invalid_integer"),
                    "This value must be from 1 to 100.",
                )
            })?,
    };
    stripe.read(|state| {
        let position = |name: &str| match query.get(name) {
            None => Ok(None),
            Some(id) => state
                .customer(id)
                .map(|customer| Some(customer.n))
                .ok_or_else(|| ApiError::invalid(name, Some("resource_missing"), format!("No such customer: '{id}'"))),
        };
        let (after, before) = (position("starting_after")?, position("ending_before")?);
        let email = query.get("email");
        let mut found: Vec<&Customer> = state
            .newest_first()
            .filter(|customer| email.is_none() || customer.email.as_deref() == email)
            .filter(|customer| after.is_none_or(|after| customer.n < after))
            .filter(|customer| before.is_none_or(|before| customer.n > before))
            .collect();
        let has_more = found.len() > limit;
        if before.is_some() && has_more {
            found.drain(..found.len() - limit);
        }
        found.truncate(limit);
        let data: Vec<Value> = found.into_iter().map(customer::show).collect();
        Ok(Json(
            json!({ "object": "list", "url": "/v1/customers", "has_more": has_more, "data": data }),
        ))
    })
}

async fn read(Ctx(stripe): Ctx<Stripe>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    stripe.read(|state| {
        let customer = state.customer(&id).ok_or_else(|| ApiError::no_such_customer(&id))?;
        Ok(Json(customer::show(customer)))
    })
}

async fn create(
    Ctx(stripe): Ctx<Stripe>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    write(&stripe, &request_id, &headers, "POST /customers", &body, |state| {
        let mut new = Customer {
            id: format!("cus_{}", stripe.random().hex(7)),
            n: state.next(),
            created: stripe.clock().unix(),
            ..Customer::default()
        };
        customer::write(&mut new, &Form::parse(&body))?;
        Ok((new, "create_contact"))
    })
}

async fn update(
    Ctx(stripe): Ctx<Stripe>,
    Extension(request_id): Extension<RequestId>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = format!("POST /customers/{id}");
    write(&stripe, &request_id, &headers, &request, &body, |state| {
        let mut changed = present(state, &id)?.clone();
        customer::write(&mut changed, &Form::parse(&body))?;
        Ok((changed, "update_contact"))
    })
}

async fn delete(
    Ctx(stripe): Ctx<Stripe>,
    Extension(request_id): Extension<RequestId>,
    Path(id): Path<String>,
) -> Response {
    write(&stripe, &request_id, &HeaderMap::new(), "", b"", |state| {
        let gone = Customer {
            deleted: true,
            ..present(state, &id)?.clone()
        };
        Ok((gone, "delete_contact"))
    })
}

fn present<'a>(state: &'a State, id: &str) -> Result<&'a Customer, ApiError> {
    let customer = state.customer(id).filter(|customer| !customer.deleted);
    customer.ok_or_else(|| ApiError::no_such_customer(id))
}

/// Makes a write once for each idempotency key. A write that was refused as wrong never began, so its key is free.
fn write(
    stripe: &Stripe,
    request_id: &RequestId,
    headers: &HeaderMap,
    request: &str,
    body: &[u8],
    plan: impl FnOnce(&State) -> Result<(Customer, &'static str), ApiError>,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let request = format!("{request} {}", String::from_utf8_lossy(body));
    let now = TimestampMs::now(stripe.clock());
    let mut account = stripe.account();
    if let Some(replay) = key.and_then(|key| account.state.replays.get(key)) {
        if replay.request != request {
            return ApiError::other_request().into_response();
        }
        let status = StatusCode::from_u16(replay.status).unwrap_or(StatusCode::OK);
        return (status, [("idempotent-replayed", "true")], Json(replay.body.clone())).into_response();
    }
    let (mut changes, mut drafts) = (Vec::new(), Vec::new());
    let expired = account.state.replays.values();
    let expired = expired.filter(|replay| replay.at.0 + Duration::hours(REMEMBERED_HOURS) < now.0);
    changes.extend(expired.map(|replay| Change::Forget(replay.key.clone())));
    let (status, answer) = match plan(&account.state) {
        Ok((customer, op)) => {
            let before = account.state.customer(&customer.id);
            drafts.push(Draft {
                op,
                contact_id: Some(customer.id.clone()),
                changed: before != Some(&customer),
                ..Draft::default()
            });
            let shown = customer::show(&customer);
            changes.push(Change::Put(Record::Customer(customer)));
            (StatusCode::OK, shown)
        }
        Err(error) => (error.status(), error.body()),
    };
    if let Some(key) = key.filter(|_| status == StatusCode::OK) {
        changes.push(Change::Put(Record::Replay(Replay {
            key: key.to_owned(),
            request,
            status: status.as_u16(),
            body: answer.clone(),
            at: now,
        })));
    }
    match stripe.commit(&mut account, changes, drafts, request_id) {
        Ok(()) => (status, Json(answer)).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn balance() -> Json<Value> {
    let nothing = json!([{ "amount": 0, "currency": "usd", "source_types": { "card": 0 } }]);
    Json(json!({ "object": "balance", "available": nothing, "pending": nothing, "livemode": false }))
}

#[derive(Debug, Deserialize)]
struct Narrow {
    contact_id: Option<String>,
}

async fn show_state(Ctx(stripe): Ctx<Stripe>, Query(narrow): Query<Narrow>) -> Result<Json<Value>, ApiError> {
    stripe.read(|state| match narrow.contact_id {
        Some(id) => {
            let customer = state.customer(&id).ok_or_else(|| ApiError::no_such_customer(&id))?;
            Ok(Json(customer::show(customer)))
        }
        None => {
            let contacts: Vec<Value> = state.newest_first().map(customer::show).collect();
            Ok(Json(json!({ "contacts": contacts })))
        }
    })
}

async fn reset(Ctx(stripe): Ctx<Stripe>) -> Response {
    match stripe.reset() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

async fn set_limits(Ctx(stripe): Ctx<Stripe>, body: Bytes) -> Result<Json<Limits>, ApiError> {
    let limits: Limits = serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid("limits", None, format!("The limits are not valid: {error}")))?;
    stripe.set_limits(limits);
    Ok(Json(limits))
}
