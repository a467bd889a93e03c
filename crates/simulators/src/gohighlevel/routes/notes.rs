//! `/contacts/{id}/notes`.

use axum::extract::{Path, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use crate::access_log::RequestId;
use crate::gohighlevel::GoHighLevel;
use crate::gohighlevel::error::ApiError;
use crate::gohighlevel::state::{Note, Record};

fn show(note: &Note) -> Value {
    let mut shown = json!({
        "id": note.id,
        "body": note.body,
        "contactId": note.contact_id,
        "dateAdded": note.date_added,
        "pinned": false,
    });
    if let Some(user) = &note.user_id {
        shown["userId"] = user.as_str().into();
    }
    if let Some(title) = &note.title {
        shown["title"] = title.as_str().into();
    }
    shown
}

pub(super) async fn list(Ctx(crm): Ctx<GoHighLevel>, Path(contact_id): Path<String>) -> Result<Json<Value>, ApiError> {
    crm.read(|state| {
        state.contact(&contact_id)?;
        let notes = state.notes.values().filter(|note| note.contact_id == contact_id);
        let notes: Vec<Value> = notes.map(show).collect();
        Ok(Json(json!({ "notes": notes })))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewNote {
    body: String,
    user_id: Option<String>,
    title: Option<String>,
    #[serde(rename = "color")]
    _color: Option<String>,
    #[serde(rename = "pinned")]
    _pinned: Option<bool>,
}

pub(super) async fn create(
    Ctx(crm): Ctx<GoHighLevel>,
    Extension(request_id): Extension<RequestId>,
    Path(contact_id): Path<String>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: NewNote = body(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            tx.state.contact(&contact_id)?;
            if let Some(user) = &sent.user_id {
                tx.state.user(user)?;
            }
            let note = Note {
                id: tx.new_id(),
                contact_id,
                user_id: sent.user_id,
                title: sent.title,
                body: sent.body,
                date_added: tx.now,
                position: tx.state.notes.len(),
            };
            let fields = json!({ "note_id": note.id, "title": note.title, "body": note.body });
            tx.log_contact("add_note", &note.contact_id, Some(fields), true);
            let shown = show(&note);
            tx.put(Record::Note(note));
            Ok(shown)
        },
        |_, shown| (StatusCode::CREATED, Json(json!({ "note": shown }))),
    )
}
