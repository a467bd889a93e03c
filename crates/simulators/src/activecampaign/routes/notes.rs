//! `/notes`.

use axum::extract::State as Ctx;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::access_log::{Draft, RequestId};
use crate::activecampaign::ActiveCampaign;
use crate::activecampaign::error::ApiError;
use crate::activecampaign::params::{body, number, text};
use crate::activecampaign::state::{Note, Record, shown};

/// Adds a note to a contact, which is called a subscriber here.
pub(super) async fn create(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "note", &["note", "relid", "reltype"])?;
    let note = text(&sent, "note")?.unwrap_or_default().to_owned();
    if note.trim().is_empty() {
        return Err(ApiError::invalid("note", "field_missing", "The note is required."));
    }
    if text(&sent, "reltype")? != Some("Subscriber") {
        return Err(ApiError::invalid(
            "reltype",
            "field_invalid",
            "The reltype is not valid.",
        ));
    }
    let contact = number(&sent, "relid")?;
    crm.write(
        &request_id,
        |tx| {
            let mut contact = tx.state.named_contact(contact)?.clone();
            let note = Note {
                id: tx.next_id("note"),
                text: note,
                at: tx.now,
            };
            tx.log(Draft {
                op: "add_note",
                contact_id: Some(contact.id.to_string()),
                fields: Some(json!({ "note_id": note.id.to_string(), "text": note.text })),
                changed: true,
                ..Draft::default()
            });
            let answer = json!({
                "id": note.id.to_string(), "note": note.text, "relid": contact.id.to_string(),
                "reltype": "Subscriber", "cdate": shown(note.at), "links": {},
            });
            contact.notes.push(note);
            tx.put(Record::Contact(contact));
            Ok(answer)
        },
        |_, note| (StatusCode::CREATED, Json(json!({ "note": note }))),
    )
}
