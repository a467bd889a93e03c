//! `/contacts` and `/contact/sync`: list, read, create, update, delete.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde_json::{Value, json};

use crate::access_log::{Draft, RequestId};
use crate::activecampaign::ActiveCampaign;
use crate::activecampaign::contact::{self, MEMBERS};
use crate::activecampaign::error::ApiError;
use crate::activecampaign::params::{Params, body};
use crate::activecampaign::state::{Contact, Record, State, Transaction};

const PARAMETERS: [&str; 13] = [
    "id_greater",
    "id_less",
    "orders[id]",
    "email",
    "tagid",
    "listid",
    "status",
    "search",
    "include",
    "filters[updated_after]",
    "filters[updated_before]",
    "filters[created_after]",
    "filters[created_before]",
];

type Rows = fn(&Contact) -> Vec<Value>;

/// What may be asked for beside a list of contacts.
const BESIDES: [(&str, Rows); 5] = [
    ("fieldValues", contact::show_values),
    ("contactTags", contact::show_tags),
    ("contactLists", contact::show_lists),
    ("contactAutomations", contact::show_automations),
    ("accountContacts", contact::show_positions),
];

pub(super) async fn list(Ctx(crm): Ctx<ActiveCampaign>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &PARAMETERS)?;
    let besides = besides(&params)?;
    let holds = condition(&params)?;
    // Without an order the newest come first, so that a client that counts on one is found out.
    let ascending = match params.get("orders[id]") {
        Some("ASC") => true,
        None | Some("DESC") => false,
        Some(other) => {
            return Err(ApiError::malformed(format!(
                "orders[id] must be ASC or DESC, not {other}"
            )));
        }
    };
    crm.read(|state| {
        let mut contacts: Vec<&Contact> = state.contacts.values().filter(|contact| holds(contact)).collect();
        if !ascending {
            contacts.reverse();
        }
        let (contacts, meta) = params.page(contacts)?;
        let shown: Vec<Value> = contacts.iter().map(|contact| contact::show(contact)).collect();
        let mut answer = json!({ "scoreValues": [], "contacts": shown, "meta": meta });
        for (name, rows) in besides {
            answer[name] = contacts.iter().flat_map(|contact| rows(contact)).collect();
        }
        Ok(Json(answer))
    })
}

fn besides(params: &Params) -> Result<Vec<(&'static str, Rows)>, ApiError> {
    let names = params.get("include").into_iter().flat_map(|names| names.split(','));
    names
        .map(|name| {
            let known = BESIDES.iter().find(|(known, _)| *known == name).copied();
            known.ok_or_else(|| ApiError::malformed(format!("{name} cannot be included")))
        })
        .collect()
}

/// The conditions of a query; all must hold.
fn condition(params: &Params) -> Result<impl Fn(&Contact) -> bool + use<>, ApiError> {
    let (above, below) = (params.number("id_greater")?, params.number("id_less")?);
    let (tag, list) = (params.number("tagid")?, params.number("listid")?);
    let status = params.number("status")?;
    let email = params.get("email").map(str::to_lowercase);
    let search = params.get("search").map(str::to_lowercase);
    let changed = (
        params.time("filters[updated_after]")?,
        params.time("filters[updated_before]")?,
    );
    let created = (
        params.time("filters[created_after]")?,
        params.time("filters[created_before]")?,
    );
    Ok(move |contact: &Contact| {
        let within = |at: chrono::DateTime<chrono::Utc>, (after, before): (Option<_>, Option<_>)| {
            after.is_none_or(|after| at > after) && before.is_none_or(|before| at < before)
        };
        let on_list = |list: u64| {
            let mut rows = contact.lists.iter().filter(|row| row.list == list);
            rows.any(|row| status.is_none_or(|status| u64::from(row.status) == status))
        };
        let name = format!("{} {} {}", contact.first_name, contact.last_name, contact.email).to_lowercase();
        above.is_none_or(|above| contact.id > above)
            && below.is_none_or(|below| contact.id < below)
            && tag.is_none_or(|tag| contact.tags.iter().any(|row| row.tag == tag))
            && list.is_none_or(on_list)
            && email
                .as_ref()
                .is_none_or(|email| contact.email.to_lowercase() == *email)
            && search.as_ref().is_none_or(|part| name.contains(part))
            && within(contact.updated.0, changed)
            && within(contact.created.0, created)
    })
}

/// One contact with all its rows but tags.
fn whole(contact: &Contact) -> Value {
    json!({
        "contact": contact::show(contact),
        "fieldValues": contact::show_values(contact),
        "contactLists": contact::show_lists(contact),
        "contactAutomations": contact::show_automations(contact),
        "accountContacts": contact::show_positions(contact),
        "deals": [],
        "geoIps": [],
    })
}

pub(super) async fn get(
    Ctx(crm): Ctx<ActiveCampaign>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    Params::read(query.as_deref(), &[])?;
    crm.read(|state| Ok(Json(whole(state.contact(&contact_id)?))))
}

/// What a write answers: the contact and its values.
fn written(state: &State, id: u64) -> Json<Value> {
    let contact = state.contacts.get(&id);
    Json(contact.map_or(
        Value::Null,
        |contact| json!({ "contact": contact::show(contact), "fieldValues": contact::show_values(contact) }),
    ))
}

fn insert(tx: &mut Transaction<'_>, sent: &JsonObject) -> Result<u64, ApiError> {
    let id = tx.next_id("contact");
    let mut new = Contact::new(id, tx.now);
    contact::write(tx, &mut new, sent)?;
    tx.put(Record::Contact(new));
    tx.log_contact("create_contact", id, Some(sent.clone().into()), true);
    Ok(id)
}

fn store(tx: &mut Transaction<'_>, before: &Contact, sent: &JsonObject) -> Result<u64, ApiError> {
    let mut after = before.clone();
    contact::write(tx, &mut after, sent)?;
    let texts =
        |contact: &Contact| [&contact.email, &contact.first_name, &contact.last_name, &contact.phone].map(Clone::clone);
    let values = |contact: &Contact| -> Vec<(u64, String)> {
        let values = contact.values.iter();
        values.map(|(field, value)| (*field, value.value.clone())).collect()
    };
    tx.log(Draft {
        op: "update_contact",
        contact_id: Some(after.id.to_string()),
        fields: Some(Value::Object(sent.clone())),
        changed: texts(before) != texts(&after) || values(before) != values(&after),
        ..Draft::default()
    });
    let id = after.id;
    tx.put(Record::Contact(after));
    Ok(id)
}

pub(super) async fn create(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "contact", &MEMBERS)?;
    crm.write(
        &request_id,
        |tx| insert(tx, &sent),
        |state, id| (StatusCode::CREATED, written(state, id)),
    )
}

/// Creates the contact, or updates the one with the same address.
pub(super) async fn sync(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "contact", &MEMBERS)?;
    let email = sent.get("email").and_then(Value::as_str).unwrap_or_default();
    crm.write(
        &request_id,
        |tx| match tx.state.with_email(email) {
            Some(known) => Ok((StatusCode::OK, store(tx, known, &sent)?)),
            None => Ok((StatusCode::CREATED, insert(tx, &sent)?)),
        },
        |state, (status, id)| (status, written(state, id)),
    )
}

pub(super) async fn update(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent = body(&bytes, "contact", &MEMBERS)?;
    crm.write(
        &request_id,
        |tx| {
            let known = tx.state.contact(&contact_id)?;
            store(tx, known, &sent)
        },
        written,
    )
}

pub(super) async fn delete(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    crm.write(
        &request_id,
        |tx| {
            let contact = tx.state.contact(&contact_id)?;
            tx.delete(Record::Contact(contact.clone()));
            tx.log_contact("delete_contact", &contact_id, None, true);
            Ok(())
        },
        |_, ()| Json(json!({})),
    )
}
