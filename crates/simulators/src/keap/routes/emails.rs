//! `/emailAddresses`: whether an address may be marketed to, and when it was last mailed.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, sales, with_present};
use crate::access_log::{Draft, RequestId};
use crate::keap::Keap;
use crate::keap::error::ApiError;
use crate::keap::filter;
use crate::keap::params::{Bounds, Page, Params};
use crate::keap::state::{EmailStatus, Record, State};

fn find<'a>(state: &'a State, email: &str) -> Result<&'a EmailStatus, ApiError> {
    state
        .email_statuses
        .get(&email.to_lowercase())
        .ok_or_else(|| ApiError::missing("email address", email))
}

fn show(status: &EmailStatus) -> Value {
    json!({
        "email": status.email,
        "opted_in": status.status.opted_in(),
        "status": status.status,
        "create_time": status.create_time,
    })
}

/// The addresses that the filter names, with the times of their e-mails.
pub(super) async fn list(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 1_000,
        orders: &["email", "create_time"],
    };
    let page = Page::read(&params, &bounds)?;
    let mut wanted: Option<Vec<String>> = None;
    for condition in filter::parse(params.get("filter"))? {
        match condition.field.as_str() {
            "emails" => wanted = Some(condition.set()?.iter().map(|email| email.to_lowercase()).collect()),
            _ => return Err(condition.unknown_field()),
        }
    }
    keap.read(|state| {
        let rows = state
            .email_statuses
            .iter()
            .filter(|(email, _)| wanted.as_ref().is_none_or(|wanted| wanted.contains(email)))
            .map(|(email, status)| {
                let mut contacts = state.contacts.values();
                let owner = contacts.find(|contact| contact.emails().any(|it| it.eq_ignore_ascii_case(email)));
                let shown = match owner {
                    Some(owner) => with_present(show(status), sales::email_times(owner)),
                    None => show(status),
                };
                let key = match page.order() {
                    "create_time" => status.create_time.to_string(),
                    _ => email.clone(),
                };
                (key, 0, shown)
            })
            .collect();
        let (email_addresses, next_page_token) = page.cut(rows);
        Ok(Json(
            json!({ "email_addresses": email_addresses, "next_page_token": next_page_token }),
        ))
    })
}

pub(super) async fn status(Ctx(keap): Ctx<Keap>, Path(email): Path<String>) -> Result<Json<Value>, ApiError> {
    keap.read(|state| Ok(Json(show(find(state, &email)?))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    opted_in: bool,
    reason: String,
}

/// Answers the state that holds afterwards, which is the old one where the vendor's rules forbid the change.
pub(super) async fn update(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path(email): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: Update = body(&bytes)?;
    if sent.reason.trim().is_empty() {
        return Err(ApiError::property("reason", "is required"));
    }
    keap.write(
        &request_id,
        |tx| {
            let known = find(tx.state, &email)?;
            let status = if sent.opted_in {
                known.status.after_opt_in()
            } else {
                known.status.after_opt_out()
            };
            let mut contacts = tx.state.contacts.values();
            let owner = contacts.find(|contact| contact.emails().any(|it| it.eq_ignore_ascii_case(&email)));
            tx.log(Draft {
                op: "set_opt_in",
                contact_id: owner.map(|contact| contact.id.to_string()),
                fields: Some(json!({ "email": known.email, "opted_in": sent.opted_in, "status": status })),
                changed: status != known.status,
                ..Draft::default()
            });
            let updated = EmailStatus {
                status,
                ..known.clone()
            };
            let shown = show(&updated);
            tx.put(Record::EmailStatus(updated));
            Ok(shown)
        },
        |_, shown| Json(shown),
    )
}
