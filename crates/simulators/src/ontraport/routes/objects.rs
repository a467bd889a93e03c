//! `/object` and `/objects`: read, list, count, create, update, merge, delete.

use axum::extract::{RawQuery, State as Ctx};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::{envelope, narrowed, selected};
use crate::access_log::{Draft, RequestId};
use crate::ontraport::Ontraport;
use crate::ontraport::contact;
use crate::ontraport::error::ApiError;
use crate::ontraport::params::{Page, Params, body, number, take_kind, text};
use crate::ontraport::state::{Contact, Note, Record, Tag, Transaction, kind, show_note, show_tag};

type Answer = Result<Json<Value>, ApiError>;

pub(super) async fn get(Ctx(ontraport): Ctx<Ontraport>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref());
    let (kind, id) = (params.kind()?, params.required("id")?);
    Ok(envelope(ontraport.read(|state| state.record(kind, id))?))
}

pub(super) async fn get_by_email(Ctx(ontraport): Ctx<Ontraport>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref());
    let email = params.required("email")?;
    if params.kind()? != kind::CONTACT {
        return Err(ApiError::invalid("Invalid objectID"));
    }
    ontraport.read(|state| {
        let ids: Vec<String> = state.by_email(email).map(|contact| contact.id.to_string()).collect();
        match (ids.first(), params.get("all")) {
            (None, _) => Err(ApiError::missing()),
            (Some(_), Some("1")) => Ok(envelope(json!({ "ids": ids }))),
            (Some(first), _) => Ok(envelope(json!({ "id": first }))),
        }
    })
}

pub(super) async fn list(Ctx(ontraport): Ctx<Ontraport>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref());
    let kind = params.kind()?;
    ontraport.read(|state| {
        let page = Page::read(&params, &state.properties(kind)?)?;
        let records = selected(state, kind, &params, state.records(kind)?)?;
        Ok(envelope(narrowed(&params, page.cut(records))))
    })
}

pub(super) async fn info(Ctx(ontraport): Ctx<Ontraport>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref());
    let kind = params.kind()?;
    let count = ontraport.read(|state| Ok(selected(state, kind, &params, state.records(kind)?)?.len()))?;
    Ok(envelope(json!({
        "listFields": ["fn", "email", "office_phone"], "listFieldSettings": [], "count": count.to_string(),
    })))
}

pub(super) async fn create(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let mut sent = body(&headers, &bytes)?;
    let kind = take_kind(&mut sent)?;
    ontraport.write(
        &request_id,
        |tx| match kind {
            kind::CONTACT => Ok(Value::Object(create_contact(tx, &sent)?)),
            kind::NOTE => create_note(tx, sent),
            kind::TAG => create_tag(tx, sent),
            _ => Err(ApiError::invalid("Objects of this type cannot be created here")),
        },
        |_, record| envelope(record),
    )
}

fn create_contact(tx: &mut Transaction<'_>, sent: &JsonObject) -> Result<JsonObject, ApiError> {
    let contact = contact::create(tx, sent)?;
    tx.log(draft("create_contact", contact.id, sent));
    let shown = contact.show(&tx.state.fields);
    tx.put(Record::Contact(contact));
    Ok(shown)
}

fn draft(op: &'static str, contact_id: u64, sent: &JsonObject) -> Draft {
    Draft {
        op,
        contact_id: Some(contact_id.to_string()),
        fields: Some(Value::Object(sent.clone())),
        changed: true,
        ..Draft::default()
    }
}

/// Any number is taken as the contact.
fn create_note(tx: &mut Transaction<'_>, mut sent: JsonObject) -> Result<Value, ApiError> {
    let contact_id = sent.remove("contact_id").as_ref().and_then(number);
    let contact_id = contact_id.ok_or_else(|| ApiError::property("contact_id", "the id of a contact"))?;
    let text = match sent.remove("data") {
        Some(Value::String(text)) if !text.is_empty() => text,
        _ => return Err(ApiError::property("data", "a text")),
    };
    sent.remove("object_type_id");
    refuse_rest(&sent)?;
    let note = Note {
        id: tx.next_id("note"),
        contact_id,
        text,
        added: tx.now,
    };
    let fields = JsonObject::from_iter([("data".to_owned(), note.text.as_str().into())]);
    tx.log(draft("add_note", contact_id, &fields));
    let shown = show_note(&note);
    tx.put(Record::Note(note));
    Ok(shown)
}

/// The same name makes a second tag.
fn create_tag(tx: &mut Transaction<'_>, mut sent: JsonObject) -> Result<Value, ApiError> {
    let name = match sent.remove("tag_name") {
        Some(Value::String(name)) if !name.trim().is_empty() => name,
        _ => return Err(ApiError::property("tag_name", "a name")),
    };
    let object_type = sent.remove("object_type_id").as_ref().and_then(number);
    refuse_rest(&sent)?;
    let tag = Tag {
        id: tx.next_id("tag"),
        name,
        object_type: object_type.unwrap_or(kind::CONTACT),
    };
    tx.log(Draft {
        op: "create_tag",
        tag_id: Some(tag.id.to_string()),
        changed: true,
        ..Draft::default()
    });
    let shown = show_tag(&tag);
    tx.put(Record::Tag(tag));
    Ok(shown)
}

fn refuse_rest(sent: &JsonObject) -> Result<(), ApiError> {
    match sent.keys().next() {
        None => Ok(()),
        Some(name) => Err(ApiError::property(name, "there is no such field")),
    }
}

pub(super) async fn update(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let mut sent = body(&headers, &bytes)?;
    if take_kind(&mut sent)? != kind::CONTACT {
        return Err(ApiError::invalid("Objects of this type cannot be changed here"));
    }
    let id = sent
        .remove("id")
        .ok_or_else(|| ApiError::invalid("Missing parameter: id"))?;
    ontraport.write(
        &request_id,
        |tx| {
            let before = tx.state.contact(&text(Some(&id)))?.clone();
            change(tx, before, &sent)
        },
        |_, attrs| envelope(json!({ "attrs": attrs })),
    )
}

/// Changes a contact and tells what is different now.
fn change(tx: &mut Transaction<'_>, before: Contact, sent: &JsonObject) -> Result<JsonObject, ApiError> {
    let mut after = before.clone();
    contact::write(tx, &mut after, sent)?;
    let changed = before.values != after.values || before.bulk_mail != after.bulk_mail;
    tx.log(Draft {
        changed,
        ..draft("update_contact", after.id, sent)
    });
    let attrs = contact::changes(tx, &before, &after);
    tx.put(Record::Contact(after));
    Ok(attrs)
}

/// A new contact is answered whole, a merged one with what changed.
pub(super) async fn save_or_update(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let mut sent = body(&headers, &bytes)?;
    if take_kind(&mut sent)? != kind::CONTACT {
        return Err(ApiError::invalid("Objects of this type cannot be merged here"));
    }
    let ignore_blanks = sent.remove("ignore_blanks");
    if matches!(text(ignore_blanks.as_ref()).as_str(), "1" | "true") || ignore_blanks == Some(Value::Bool(true)) {
        sent.retain(|_, value| !text(Some(value)).is_empty());
    }
    let email = text(sent.get("email"));
    ontraport.write(
        &request_id,
        |tx| {
            let twin = tx.state.by_email(&email).next().filter(|_| !email.is_empty()).cloned();
            Ok(match twin {
                Some(before) => json!({ "attrs": change(tx, before, &sent)? }),
                None => Value::Object(create_contact(tx, &sent)?),
            })
        },
        |_, data| envelope(data),
    )
}

pub(super) async fn delete(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = Params::parse(query.as_deref());
    let (kind, id) = (params.kind()?, params.required("id")?);
    ontraport.write(
        &request_id,
        |tx| match kind {
            kind::CONTACT => delete_contact(tx, id),
            _ => Err(ApiError::invalid("Objects of this type cannot be deleted here")),
        },
        |_, ()| envelope("Deleted"),
    )
}

fn delete_contact(tx: &mut Transaction<'_>, id: &str) -> Result<(), ApiError> {
    let contact = tx.state.contact(id)?;
    tx.delete(Record::Contact(contact.clone()));
    let notes = tx.state.notes.values().filter(|note| note.contact_id == contact.id);
    for note in notes {
        tx.delete(Record::Note(note.clone()));
    }
    tx.log_contact("delete_contact", contact.id, None, true);
    Ok(())
}
