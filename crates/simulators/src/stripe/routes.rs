//! The API's paths, and the simulator's own.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use bytes::Bytes;
use chrono::Duration;
use serde_json::{Value, json};

use super::error::ApiError;
use super::form::Form;
use super::state::{Customer, Record, Replay, State, Transaction};
use super::{Stripe, customer};
use crate::access_log::RequestId;

/// How long an idempotency key is remembered.
const REMEMBERED_HOURS: i64 = 24;

/// Everything below `/v1`.
pub(crate) fn api() -> Router<Stripe> {
    Router::new()
        .route("/customers", get(list).post(create))
        .route("/customers/{id}", get(read).post(update).delete(delete))
        .route("/balance", get(balance))
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
    write(&stripe, &request_id, &headers, "POST /customers", &body, |tx| {
        let mut new = Customer {
            id: format!("cus_{}", tx.random.hex(7)),
            n: tx.state.next(),
            created: tx.now.0.timestamp(),
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
    write(&stripe, &request_id, &headers, &request, &body, |tx| {
        let mut changed = present(tx.state, &id)?.clone();
        customer::write(&mut changed, &Form::parse(&body))?;
        Ok((changed, "update_contact"))
    })
}

async fn delete(
    Ctx(stripe): Ctx<Stripe>,
    Extension(request_id): Extension<RequestId>,
    Path(id): Path<String>,
) -> Response {
    write(&stripe, &request_id, &HeaderMap::new(), "", b"", |tx| {
        let gone = Customer {
            deleted: true,
            ..present(tx.state, &id)?.clone()
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
    plan: impl FnOnce(&Transaction<'_>) -> Result<(Customer, &'static str), ApiError>,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let request = format!("{request} {}", String::from_utf8_lossy(body));
    let written = stripe.write(
        request_id,
        |tx| {
            if let Some(replay) = key.and_then(|key| tx.state.replays.get(key)) {
                return again(replay, &request);
            }
            let oldest = tx.now.0 - Duration::hours(REMEMBERED_HOURS);
            for replay in tx.state.replays.values().filter(|replay| replay.at.0 < oldest) {
                tx.delete(Record::Replay(replay.clone()));
            }
            let (customer, op) = match plan(tx) {
                Ok(planned) => planned,
                Err(error) => return Ok(error.into_response()),
            };
            let changed = tx.state.customer(&customer.id) != Some(&customer);
            tx.log_contact(op, &customer.id, None, changed);
            let shown = customer::show(&customer);
            tx.put(Record::Customer(customer));
            if let Some(key) = key {
                tx.put(Record::Replay(Replay {
                    key: key.to_owned(),
                    request,
                    status: StatusCode::OK.as_u16(),
                    body: shown.clone(),
                    at: tx.now,
                }));
            }
            Ok(Json(shown).into_response())
        },
        |_, response| response,
    );
    written.unwrap_or_else(IntoResponse::into_response)
}

/// The answer that a key stands for, to the request that it was first used with.
fn again(replay: &Replay, request: &str) -> Result<Response, ApiError> {
    if replay.request != request {
        return Err(ApiError::other_request());
    }
    let status = StatusCode::from_u16(replay.status).unwrap_or(StatusCode::OK);
    Ok((status, [("idempotent-replayed", "true")], Json(replay.body.clone())).into_response())
}

async fn balance() -> Json<Value> {
    let nothing = json!([{ "amount": 0, "currency": "usd", "source_types": { "card": 0 } }]);
    Json(json!({ "object": "balance", "available": nothing, "pending": nothing, "livemode": false }))
}

/// The whole account, or one customer of it.
pub(crate) fn show_state(state: &State, contact_id: Option<&str>) -> Result<Value, ApiError> {
    if let Some(id) = contact_id {
        let customer = state.customer(id).ok_or_else(|| ApiError::no_such_customer(id))?;
        return Ok(customer::show(customer));
    }
    let contacts: Vec<Value> = state.newest_first().map(customer::show).collect();
    Ok(json!({ "contacts": contacts }))
}
