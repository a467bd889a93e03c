//! `/contacts`: list, read, create, update, delete.

use axum::Json;
use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, response::IntoResponse};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::body;
use crate::access_log::RequestId;
use crate::keap::Keap;
use crate::keap::contact;
use crate::keap::custom_field;
use crate::keap::error::ApiError;
use crate::keap::filter::{self, Condition};
use crate::keap::params::{Bounds, Page, Params, id_key};
use crate::keap::state::{Contact, Record, State, Transaction};

type Test = Box<dyn Fn(&State, &Contact) -> bool>;

pub(super) async fn list(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let fields = contact::read_fields(params.list("fields"))?;
    let bounds = Bounds {
        max: 1000,
        orders: &["id", "create_time", "email", "update_time"],
    };
    let page = Page::read(&params, &bounds)?;
    keap.read(|state| {
        let tests = tests(state, params.get("filter"))?;
        let rows = state
            .contacts
            .values()
            .filter(|contact| tests.iter().all(|holds| holds(state, contact)))
            .map(|contact| (sort_key(page.order(), contact), contact.id, contact))
            .collect();
        let (contacts, next_page_token) = page.cut(rows);
        let contacts: Vec<Value> = contacts
            .into_iter()
            .map(|contact| contact::show(state, contact, &fields))
            .collect();
        Ok(Json(
            json!({ "contacts": contacts, "next_page_token": next_page_token }),
        ))
    })
}

fn sort_key(order: &str, contact: &Contact) -> String {
    match order {
        "create_time" => contact.create_time.to_string(),
        "update_time" => contact.update_time.to_string(),
        "email" => contact.emails().next().unwrap_or_default().to_lowercase(),
        _ => id_key(contact.id),
    }
}

/// The conditions of a filter as tests; all must hold.
fn tests(state: &State, filter: Option<&str>) -> Result<Vec<Test>, ApiError> {
    let conditions = filter::parse(filter)?;
    let phone_fields = conditions.iter().find(|condition| condition.field == "phone_fields");
    let phone_fields = phone_fields.map(Condition::set).transpose()?;
    conditions
        .iter()
        .filter(|condition| condition.field != "phone_fields")
        .map(|condition| test(state, condition, phone_fields.as_deref()))
        .collect()
}

fn test(state: &State, condition: &Condition, phone_fields: Option<&[String]>) -> Result<Test, ApiError> {
    let field = condition.field.clone();
    Ok(match field.as_str() {
        "email" => {
            let holds = condition.text()?;
            Box::new(move |_, contact| contact.emails().any(&holds))
        }
        "given_name" | "family_name" | "middle_name" | "website" => {
            let holds = condition.text()?;
            Box::new(move |_, contact| contact.text(&field).is_some_and(&holds))
        }
        "ids" | "contact_ids" => {
            let ids = condition.ids()?;
            Box::new(move |_, contact| ids.contains(&contact.id))
        }
        "contact_id" => {
            let holds = condition.number()?;
            Box::new(move |_, contact| holds(contact.id.into()))
        }
        "company_id" => {
            let ids = condition.ids()?;
            Box::new(move |_, contact| contact.company_id.is_some_and(|id| ids.contains(&id)))
        }
        "start_update_time" => {
            let start = condition.time()?;
            Box::new(move |_, contact| contact.update_time.0 >= start)
        }
        "end_update_time" => {
            let end = condition.time()?;
            Box::new(move |_, contact| contact.update_time.0 <= end)
        }
        "phone_number" => phone_test(condition, phone_fields)?,
        "city" => address_test(condition, "BILLING", "locality")?,
        "state" => address_test(condition, "BILLING", "region")?,
        other => match address_field(other) {
            Some((slot, member)) => address_test(condition, slot, member)?,
            None => custom_test(state, condition)?,
        },
    })
}

/// The slot and member of a field such as `shipping_address_locality`.
fn address_field(field: &str) -> Option<(&'static str, &'static str)> {
    let (slot, member) = field.split_once("_address_")?;
    let slot = match slot {
        "billing" => "BILLING",
        "shipping" => "SHIPPING",
        "other" => "OTHER",
        _ => return None,
    };
    ["line1", "locality", "region", "postal_code", "country_code"]
        .into_iter()
        .find(|known| *known == member)
        .map(|member| (slot, member))
}

fn address_test(condition: &Condition, slot: &'static str, member: &'static str) -> Result<Test, ApiError> {
    let holds = condition.text()?;
    Ok(Box::new(move |_, contact| {
        contact
            .entries("addresses")
            .filter(|entry| entry.get("field").and_then(Value::as_str) == Some(slot))
            .any(|entry| entry.get(member).and_then(Value::as_str).is_some_and(&holds))
    }))
}

fn phone_test(condition: &Condition, phone_fields: Option<&[String]>) -> Result<Test, ApiError> {
    let slots = phone_fields
        .ok_or_else(|| ApiError::property("filter", "phone_number needs phone_fields, such as PHONE1,PHONE2"))?;
    let (wanted, slots) = (digits(&condition.set()?.join("")), slots.to_vec());
    Ok(Box::new(move |_, contact| {
        contact.entries("phone_numbers").any(|entry| {
            let member = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
            slots.iter().any(|slot| slot == member("field")) && digits(member("number")) == wanted
        })
    }))
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn custom_test(state: &State, condition: &Condition) -> Result<Test, ApiError> {
    let mut fields = state.custom_fields.values();
    let field = fields
        .find(|field| field.field_name.eq_ignore_ascii_case(&condition.field))
        .ok_or_else(|| condition.unknown_field())?;
    let holds = custom_field::filter(field, condition)?;
    let id = field.id;
    Ok(Box::new(move |_, contact| {
        contact.custom_fields.get(&id).is_some_and(&holds)
    }))
}

pub(super) async fn get(
    Ctx(keap): Ctx<Keap>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let fields = contact::read_fields(params.list("fields"))?;
    keap.read(|state| Ok(Json(contact::show(state, state.contact(&contact_id)?, &fields))))
}

pub(super) async fn create(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    bytes: Bytes,
) -> Result<impl IntoResponse, ApiError> {
    let params = Params::parse(query.as_deref());
    let fields = contact::read_fields(params.list("fields"))?;
    let sent: JsonObject = body(&bytes)?;
    let same = duplicates(params.get("duplicate_option"))?;
    keap.write(
        &request_id,
        |tx| {
            // The new contact is built first in either case, so that both are checked alike.
            let new = contact::create(tx, &sent)?;
            let twin = same.and_then(|same| {
                let mut contacts = tx.state.contacts.values();
                contacts.find(|old| same(tx, old, &new)).cloned()
            });
            match twin {
                Some(old) => {
                    tx.changes.clear();
                    store_update(tx, old, &sent, None).map(|id| (StatusCode::OK, id))
                }
                None => {
                    tx.log_contact("create_contact", new.id, Some(sent.clone().into()), true);
                    let id = new.id;
                    tx.put(Record::Contact(new));
                    Ok((StatusCode::CREATED, id))
                }
            }
        },
        |state, (status, id)| (status, Json(show_stored(state, id, &fields))),
    )
}

type Same = fn(&Transaction<'_>, &Contact, &Contact) -> bool;

/// The test for an existing contact that `duplicate_option` asks for.
fn duplicates(option: Option<&str>) -> Result<Option<Same>, ApiError> {
    fn same_email(_: &Transaction<'_>, old: &Contact, new: &Contact) -> bool {
        let wanted = new.emails().next();
        wanted.is_some_and(|email| old.emails().any(|other| other.eq_ignore_ascii_case(email)))
    }
    fn same_name(tx: &Transaction<'_>, old: &Contact, new: &Contact) -> bool {
        same_email(tx, old, new)
            && ["given_name", "family_name"]
                .iter()
                .all(|name| old.text(name) == new.text(name))
    }
    fn same_company(tx: &Transaction<'_>, old: &Contact, new: &Contact) -> bool {
        same_name(tx, old, new) && old.company_id == new.company_id
    }
    match option {
        None => Ok(None),
        Some("Email") => Ok(Some(same_email)),
        Some("EmailAndName") => Ok(Some(same_name)),
        Some("EmailAndNameAndCompany") => Ok(Some(same_company)),
        Some(_) => Err(ApiError::property(
            "duplicate_option",
            "must be Email, EmailAndName or EmailAndNameAndCompany",
        )),
    }
}

fn show_stored(state: &State, id: u64, fields: &[&str]) -> Value {
    let stored = state.contacts.get(&id);
    stored.map_or(Value::Null, |contact| contact::show(state, contact, fields))
}

pub(super) async fn update(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let fields = contact::read_fields(params.list("fields"))?;
    let mask = params.list("update_mask");
    let sent: JsonObject = body(&bytes)?;
    keap.write(
        &request_id,
        |tx| {
            let contact = tx.state.contact(&contact_id)?.clone();
            store_update(tx, contact, &sent, mask.as_deref())
        },
        |state, id| Json(show_stored(state, id, &fields)),
    )
}

fn store_update(
    tx: &mut Transaction<'_>,
    before: Contact,
    sent: &JsonObject,
    mask: Option<&[&str]>,
) -> Result<u64, ApiError> {
    let mut after = before.clone();
    let written = contact::write(tx, &mut after, sent, mask)?;
    let changed = before.properties != after.properties
        || before.custom_fields != after.custom_fields
        || before.company_id != after.company_id;
    tx.log_contact("update_contact", after.id, Some(written.into()), changed);
    let id = after.id;
    tx.put(Record::Contact(after));
    Ok(id)
}

pub(super) async fn delete(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    keap.write(
        &request_id,
        |tx| {
            let contact = tx.state.contact(&contact_id)?;
            tx.delete(Record::Contact(contact.clone()));
            let notes = tx.state.notes.values().filter(|note| note.contact_id == contact.id);
            for note in notes {
                tx.delete(Record::Note(note.clone()));
            }
            tx.log_contact("delete_contact", &contact_id, None, true);
            Ok(())
        },
        |_, ()| StatusCode::NO_CONTENT,
    )
}
