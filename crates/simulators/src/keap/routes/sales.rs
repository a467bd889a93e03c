//! What contacts bought, are offered and pay with: read only, and derived from the contact, so that the demo account
//! has the same sales every time. Every fourth contact has none.

use axum::Json;
use axum::extract::{RawQuery, State as Ctx};
use chrono::{DateTime, TimeDelta, Utc};
use mfh_types::TimestampMs;
use serde_json::{Value, json};

use crate::keap::Keap;
use crate::keap::error::ApiError;
use crate::keap::filter;
use crate::keap::params::{Bounds, Page, Params, id_key};
use crate::keap::state::Contact;

/// Orders, and with them payments, of a contact that buys.
const ORDERS: u64 = 2;

/// A record with its id and the time it is sorted by.
struct Row {
    id: u64,
    time: DateTime<Utc>,
    shown: Value,
}

fn buys(contact: &Contact) -> bool {
    !contact.id.is_multiple_of(4)
}

/// A time in the life of a contact.
fn day(contact: &Contact, days: i64) -> DateTime<Utc> {
    contact.create_time.0 + TimeDelta::days(days)
}

fn time(instant: DateTime<Utc>) -> String {
    TimestampMs(instant).to_string()
}

fn money(cents: u64) -> Value {
    let formatted = format!("${}.{:02}", cents / 100, cents % 100);
    json!({ "amount": cents, "currency_code": "USD", "formatted_amount": formatted })
}

fn cents(contact: &Contact, order: u64) -> u64 {
    4_900 + (contact.id % 10) * 100 + order * 10_000
}

fn of_orders(contact: &Contact) -> Vec<Row> {
    let order = |at: u64| {
        let (id, ordered) = (contact.id * 10 + at, day(contact, 10 * (at.cast_signed() + 1)));
        let (total, paid) = (cents(contact, at), at == 0);
        let shown = json!({
            "id": id.to_string(),
            "invoice_id": (id + 5_000_000).to_string(),
            "title": if paid { "Starter course" } else { "Coaching" },
            "status": if paid { "PAID" } else { "DRAFT" },
            "total": money(total),
            "total_paid": money(if paid { total } else { 0 }),
            "total_due": money(if paid { 0 } else { total }),
            "creation_time": time(ordered),
            "modification_time": time(ordered),
            "order_time": time(ordered),
            "due_time": time(ordered + TimeDelta::days(14)),
            "promo_code": if paid { "WELCOME" } else { "" },
            "order_items": [{ "id": id.to_string(), "quantity": 1, "product": { "id": (51 + at).to_string() } }],
        });
        Row {
            id,
            time: ordered,
            shown,
        }
    };
    (0..ORDERS).map(order).collect()
}

fn of_subscriptions(contact: &Contact) -> Vec<Row> {
    let started = day(contact, 5);
    let date = |instant: DateTime<Utc>| instant.format("%Y-%m-%d").to_string();
    let shown = json!({
        "id": contact.id.to_string(),
        "contact_id": contact.id.to_string(),
        "active": contact.id.is_multiple_of(2),
        "start_date": date(started),
        "next_bill_date": date(started + TimeDelta::days(30)),
        "billing_amount": 29.5,
        "billing_cycle": "MONTH",
        "modification_time": time(started),
    });
    vec![Row {
        id: contact.id,
        time: started,
        shown,
    }]
}

fn of_opportunities(contact: &Contact) -> Vec<Row> {
    let created = day(contact, 3);
    let shown = json!({
        "id": contact.id.to_string(),
        "contact": { "id": contact.id.to_string() },
        "opportunity_title": "Team licence",
        "stage": { "id": "31", "name": "New" },
        "estimated_close_time": time(created + TimeDelta::days(60)),
        "projected_revenue_high": 1_200.0,
        "created_time": time(created),
    });
    vec![Row {
        id: contact.id,
        time: created,
        shown,
    }]
}

fn of_payment_methods(contact: &Contact) -> Vec<Row> {
    let created = day(contact, 9);
    let shown = json!({
        "contact_id": contact.id.to_string(),
        "payment_method_id": format!("pm-{}", contact.id),
        "credit_card_id": (contact.id + 7_000).to_string(),
        "payment_method_type": "CARD",
        "created_time": time(created),
        "card_info": {
            "brand": "Visa",
            "last_four": format!("{:04}", contact.id % 10_000),
            "expiration_month": "04",
            "expiration_year": "2031",
        },
    });
    vec![Row {
        id: contact.id,
        time: created,
        shown,
    }]
}

fn of_transactions(contact: &Contact) -> Vec<Row> {
    let payment = |at: u64| {
        let (id, paid) = (contact.id * 10 + at, day(contact, 10 * (at.cast_signed() + 1)));
        let cents = i32::try_from(cents(contact, at)).unwrap_or(i32::MAX);
        let shown = json!({
            "payment_id": (id + 9_000_000).to_string(),
            "amount": f64::from(cents) / 100.0,
            "status": "APPROVED",
            "description": "Card payment",
            "order_ids": [id.to_string()],
            "contact_id": contact.id.to_string(),
            "transaction_method": "CAPTURE",
            "transaction_time": time(paid),
            "is_successful": true,
        });
        Row { id, time: paid, shown }
    };
    (0..ORDERS).map(payment).collect()
}

/// The e-mails that a contact got: the first was clicked, the second only opened, the third neither.
fn of_emails(contact: &Contact) -> Vec<Row> {
    let email = |at: u64| {
        let sent = day(contact, 7 * (at.cast_signed() + 1));
        let id = contact.id * 10 + at;
        let address = contact.emails().next().unwrap_or_default();
        let mut shown = json!({
            "id": id.to_string(),
            "subject": "News",
            "contact_id": contact.id.to_string(),
            "sent_to_address": address,
            "sent_time": time(sent),
        });
        if at < 2 {
            shown["opened_time"] = json!(time(sent + TimeDelta::hours(1)));
        }
        if at == 0 {
            shown["clicked_time"] = json!(time(sent + TimeDelta::hours(2)));
        }
        Row { id, time: sent, shown }
    };
    (0..3).map(email).collect()
}

/// The times that the list of addresses shows: of the e-mails above.
pub(super) fn email_times(contact: &Contact) -> [(&'static str, Option<Value>); 3] {
    let rows = of_emails(contact);
    let last = |member: &str| {
        let times = rows.iter().filter_map(|row| row.shown[member].as_str());
        times.max().filter(|_| buys(contact)).map(|time| json!(time))
    };
    [
        ("last_click_time", last("clicked_time")),
        ("last_open_time", last("opened_time")),
        ("last_sent_time", last("sent_time")),
    ]
}

/// A page of the records of the contacts that the filter names.
fn list(
    keap: &Keap,
    query: Option<&str>,
    member: &str,
    orders: &[&str],
    records: fn(&Contact) -> Vec<Row>,
) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query);
    let page = Page::read(&params, &Bounds { max: 1_000, orders })?;
    let mut contacts: Option<Vec<u64>> = None;
    let mut from: Option<DateTime<Utc>> = None;
    for condition in filter::parse(params.get("filter"))? {
        match condition.field.as_str() {
            "contact_id" => contacts = Some(condition.ids()?),
            "start_created_time" if member == "emails" => from = Some(condition.time()?),
            _ => return Err(condition.unknown_field()),
        }
    }
    keap.read(|state| {
        let rows = state
            .contacts
            .values()
            .filter(|contact| buys(contact))
            .filter(|contact| contacts.as_ref().is_none_or(|wanted| wanted.contains(&contact.id)))
            .flat_map(records)
            .filter(|row| from.is_none_or(|from| row.time >= from))
            .map(|row| {
                let key = if page.order() == "id" {
                    id_key(row.id)
                } else {
                    time(row.time)
                };
                (key, row.id, row.shown)
            })
            .collect();
        let (records, next_page_token) = page.cut(rows);
        Ok(Json(json!({ member: records, "next_page_token": next_page_token })))
    })
}

pub(super) async fn orders(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    list(
        &keap,
        query.as_deref(),
        "orders",
        &["id", "order_time", "modification_time"],
        of_orders,
    )
}

pub(super) async fn subscriptions(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let orders = ["id", "modification_time"];
    list(&keap, query.as_deref(), "subscriptions", &orders, of_subscriptions)
}

pub(super) async fn opportunities(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    list(
        &keap,
        query.as_deref(),
        "opportunities",
        &["created_time"],
        of_opportunities,
    )
}

pub(super) async fn payment_methods(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    list(
        &keap,
        query.as_deref(),
        "payment_methods",
        &["created_time"],
        of_payment_methods,
    )
}

pub(super) async fn transactions(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    list(
        &keap,
        query.as_deref(),
        "transactions",
        &["transaction_time"],
        of_transactions,
    )
}

pub(super) async fn emails(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    list(&keap, query.as_deref(), "emails", &["created_time"], of_emails)
}
