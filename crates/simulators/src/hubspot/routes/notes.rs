//! `/crm/v3/objects/notes`.

use axum::extract::State as Ctx;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use crate::access_log::RequestId;
use crate::hubspot::HubSpot;
use crate::hubspot::contact::time;
use crate::hubspot::error::ApiError;
use crate::hubspot::property::instant;
use crate::hubspot::state::{Note, Record, Transaction};

/// The association of a note with a contact.
const NOTE_TO_CONTACT: u64 = 202;
const LONGEST: usize = 65_536;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    properties: Properties,
    associations: Vec<Association>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    #[serde(default)]
    hs_note_body: String,
    hs_timestamp: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Association {
    to: To,
    types: Vec<Type>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Type {
    association_category: String,
    association_type_id: u64,
}

pub(super) async fn create(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: Create = body(&bytes)?;
    let Properties {
        hs_note_body,
        hs_timestamp,
    } = sent.properties;
    if instant(&hs_timestamp).is_none() {
        let message = format!("{hs_timestamp} is not a time");
        return Err(ApiError::property("hs_timestamp", "INVALID_LONG", message));
    }
    if hs_note_body.chars().count() > LONGEST {
        return Err(ApiError::property(
            "hs_note_body",
            "TOO_LONG",
            format!("more than {LONGEST} characters"),
        ));
    }
    let [association] = sent.associations.as_slice() else {
        return Err(ApiError::invalid("this simulator associates a note with one contact"));
    };
    let is_known =
        |it: &Type| it.association_category == "HUBSPOT_DEFINED" && it.association_type_id == NOTE_TO_CONTACT;
    if association.types.is_empty() || !association.types.iter().all(is_known) {
        return Err(ApiError::invalid("a note has no such association with a contact"));
    }
    let plan = |tx: &mut Transaction<'_>| {
        let contact_id = tx.state.contact(&association.to.id)?.id;
        let note = Note {
            id: tx.next_id("note"),
            contact_id,
            body: hs_note_body,
            timestamp: hs_timestamp,
            created_at: tx.now,
        };
        tx.log_contact(
            "create_note",
            contact_id,
            Some(json!({ "hs_note_body": note.body })),
            true,
        );
        tx.put(Record::Note(note.clone()));
        Ok(note)
    };
    hubspot.write(&request_id, plan, |_, note| {
        let shown = json!({
            "id": note.id.to_string(),
            "properties": {
                "hs_note_body": note.body, "hs_timestamp": note.timestamp, "hs_createdate": time(note.created_at),
                "hs_lastmodifieddate": time(note.created_at), "hs_object_id": note.id.to_string(),
            },
            "createdAt": time(note.created_at),
            "updatedAt": time(note.created_at),
            "archived": false,
        });
        (StatusCode::CREATED, Json(shown))
    })
}
