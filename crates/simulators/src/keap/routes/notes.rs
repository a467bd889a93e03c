//! `/contacts/{id}/notes`.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, with_present};
use crate::access_log::{Draft, RequestId};
use crate::keap::Keap;
use crate::keap::error::ApiError;
use crate::keap::filter;
use crate::keap::params::{Bounds, Page, Params, id_key};
use crate::keap::state::{Note, Record, State, Transaction, find};

type Test = Box<dyn Fn(&Note) -> bool>;

fn show(state: &State, note: &Note) -> Value {
    let user = state.users.iter().find(|user| user.id == note.user_id);
    let user = user.map(|user| {
        json!({
            "id": user.id.to_string(),
            "given_name": user.given_name,
            "family_name": user.family_name,
            "email_address": user.email,
        })
    });
    with_present(
        json!({
            "id": note.id.to_string(),
            "contact_id": note.contact_id.to_string(),
            "create_time": note.create_time,
            "update_time": note.update_time,
            "created_by_user_id": note.user_id.to_string(),
            "last_updated_by_user_id": note.user_id.to_string(),
        }),
        [
            ("assigned_to_user", user),
            ("title", note.title.clone().map(Value::String)),
            ("text", note.text.clone().map(Value::String)),
            ("type", note.note_type.clone().map(Value::String)),
            ("pinned_at", note.pinned_at.map(|at| json!(at))),
        ],
    )
}

/// The note, if it belongs to the contact.
fn find_note<'a>(state: &'a State, contact_id: &str, note_id: &str) -> Result<&'a Note, ApiError> {
    let contact = state.contact(contact_id)?.id;
    let note = find(&state.notes, "note", note_id)?;
    if note.contact_id == contact {
        Ok(note)
    } else {
        Err(ApiError::missing("note", note_id))
    }
}

pub(super) async fn list(
    Ctx(keap): Ctx<Keap>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 1000,
        orders: &["id", "create_time", "update_time"],
    };
    let page = Page::read(&params, &bounds)?;
    let tests = tests(params.get("filter"))?;
    keap.read(|state| {
        let contact = state.contact(&contact_id)?.id;
        let rows = state
            .notes
            .values()
            .filter(|note| note.contact_id == contact && tests.iter().all(|holds| holds(note)))
            .map(|note| {
                let key = match page.order() {
                    "create_time" => note.create_time.to_string(),
                    "update_time" => note.update_time.to_string(),
                    _ => id_key(note.id),
                };
                (key, note.id, show(state, note))
            })
            .collect();
        let (notes, next_page_token) = page.cut(rows);
        Ok(Json(json!({ "notes": notes, "next_page_token": next_page_token })))
    })
}

fn tests(text: Option<&str>) -> Result<Vec<Test>, ApiError> {
    filter::parse(text)?
        .iter()
        .map(|condition| {
            let test: Test = match condition.field.as_str() {
                "id" => {
                    let holds = condition.number()?;
                    Box::new(move |note: &Note| holds(note.id.into()))
                }
                "ids" => {
                    let ids = condition.ids()?;
                    Box::new(move |note| ids.contains(&note.id))
                }
                "title" => {
                    let holds = condition.containing()?;
                    Box::new(move |note| note.title.as_deref().is_some_and(&holds))
                }
                "assigned_to_user_id" => {
                    let ids = condition.ids()?;
                    Box::new(move |note| ids.contains(&note.user_id))
                }
                "since_time" => {
                    let since = condition.time()?;
                    Box::new(move |note| note.create_time.0 >= since)
                }
                "until_time" => {
                    let until = condition.time()?;
                    Box::new(move |note| note.create_time.0 <= until)
                }
                _ => return Err(condition.unknown_field()),
            };
            Ok(test)
        })
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    user_id: String,
    title: Option<String>,
    text: Option<String>,
    #[serde(rename = "type")]
    note_type: Option<String>,
    is_pinned: Option<bool>,
}

impl Sent {
    fn user(&self, state: &State) -> Result<u64, ApiError> {
        let user = state.user(&self.user_id);
        user.map(|user| user.id)
            .map_err(|_| ApiError::property("user_id", format!("there is no user {}", self.user_id)))
    }
}

fn check(note: &Note) -> Result<(), ApiError> {
    let blank = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    if blank(&note.title) && blank(&note.note_type) {
        return Err(ApiError::invalid("A value for either title or type is required"));
    }
    Ok(())
}

fn log(tx: &mut Transaction<'_>, op: &'static str, note: &Note) {
    tx.log(Draft {
        op,
        contact_id: Some(note.contact_id.to_string()),
        fields: Some(json!({
            "note_id": note.id.to_string(), "title": note.title, "type": note.note_type, "text": note.text,
        })),
        changed: true,
        ..Draft::default()
    });
}

pub(super) async fn create(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: Sent = body(&bytes)?;
    keap.write(
        &request_id,
        |tx| {
            let note = Note {
                contact_id: tx.state.contact(&contact_id)?.id,
                user_id: sent.user(tx.state)?,
                id: tx.next_id("note"),
                title: sent.title,
                text: sent.text,
                note_type: sent.note_type,
                pinned_at: sent.is_pinned.unwrap_or(false).then_some(tx.now),
                create_time: tx.now,
                update_time: tx.now,
            };
            check(&note)?;
            log(tx, "add_note", &note);
            tx.put(Record::Note(note.clone()));
            Ok(note)
        },
        |state, note| (StatusCode::CREATED, Json(show(state, &note))),
    )
}

pub(super) async fn get(
    Ctx(keap): Ctx<Keap>,
    Path((contact_id, note_id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    keap.read(|state| Ok(Json(show(state, find_note(state, &contact_id, &note_id)?))))
}

pub(super) async fn update(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path((contact_id, note_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let mask = params.list("update_mask");
    let sent: Sent = body(&bytes)?;
    // Without a mask, what the body has is updated; a masked member that it lacks is cleared.
    let touched = |name: &str, given: bool| mask.as_ref().map_or(given, |mask| mask.contains(&name));
    keap.write(
        &request_id,
        |tx| {
            let mut note = find_note(tx.state, &contact_id, &note_id)?.clone();
            if touched("user_id", true) {
                note.user_id = sent.user(tx.state)?;
            }
            if touched("title", sent.title.is_some()) {
                note.title.clone_from(&sent.title);
            }
            if touched("text", sent.text.is_some()) {
                note.text.clone_from(&sent.text);
            }
            if touched("type", sent.note_type.is_some()) {
                note.note_type.clone_from(&sent.note_type);
            }
            if touched("is_pinned", sent.is_pinned.is_some()) {
                note.pinned_at = sent.is_pinned.unwrap_or(false).then_some(tx.now);
            }
            note.update_time = tx.now;
            check(&note)?;
            log(tx, "update_note", &note);
            tx.put(Record::Note(note.clone()));
            Ok(note)
        },
        |state, note| Json(show(state, &note)),
    )
}

pub(super) async fn delete(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path((contact_id, note_id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    keap.write(
        &request_id,
        |tx| {
            let note = find_note(tx.state, &contact_id, &note_id)?.clone();
            log(tx, "delete_note", &note);
            tx.delete(Record::Note(note));
            Ok(())
        },
        |_, ()| StatusCode::NO_CONTENT,
    )
}
