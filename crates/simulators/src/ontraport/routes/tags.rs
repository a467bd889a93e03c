//! `/objects/tag` and `/objects/tagByName`. Ids that select nothing are a success.

use axum::extract::{RawQuery, State as Ctx};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::{envelope, narrowed, selected};
use crate::access_log::{Draft, RequestId};
use crate::ontraport::Ontraport;
use crate::ontraport::error::ApiError;
use crate::ontraport::params::{Page, Params, body, ids, take_kind};
use crate::ontraport::state::{Contact, Record, Tag, Transaction, kind};

type Answer = Result<Json<Value>, ApiError>;

/// Contacts with a tag, or how many there are.
pub(super) async fn list(Ctx(ontraport): Ctx<Ontraport>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref());
    if params.kind()? != kind::CONTACT {
        return Err(ApiError::invalid("Invalid objectID"));
    }
    ontraport.read(|state| {
        let named = |tag: &&Tag| match (params.get("tag_id"), params.get("tag_name")) {
            (Some(id), _) => tag.id.to_string() == id,
            (None, Some(name)) => tag.name.eq_ignore_ascii_case(name),
            (None, None) => false,
        };
        if params.get("tag_id").is_none() && params.get("tag_name").is_none() {
            return Err(ApiError::invalid("Missing parameter: tag_id or tag_name"));
        }
        let tag = state.tags.values().find(named).map(|tag| tag.id);
        let has_tag = |contact: &&Contact| tag.is_some_and(|tag| contact.tags.contains_key(&tag));
        let tagged = state.contacts.values().filter(has_tag);
        let records = tagged.map(|contact| contact.show(&state.fields)).collect();
        let page = Page::read(&params, &state.properties(kind::CONTACT)?)?;
        let records = selected(state, kind::CONTACT, &params, records)?;
        if params.get("count") == Some("true") {
            return Ok(envelope(json!({ "count": records.len().to_string() })));
        }
        Ok(envelope(narrowed(&params, page.cut(records))))
    })
}

pub(super) async fn add(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = criteria(body(&headers, &bytes)?)?;
    let tags = ids(&sent, "add_list")?;
    change(&ontraport, &request_id, &sent, |_| tags, true)
}

/// The parameters come in the query or in a body.
pub(super) async fn remove(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = if bytes.is_empty() {
        Params::parse(query.as_deref()).into_body()
    } else {
        body(&headers, &bytes)?
    };
    let sent = criteria(sent)?;
    let tags = ids(&sent, "remove_list")?;
    change(&ontraport, &request_id, &sent, |_| tags, false)
}

/// An unknown name makes a new tag.
pub(super) async fn add_by_name(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = criteria(body(&headers, &bytes)?)?;
    let names = names(&sent, "add_names")?;
    let find_or_make = |tx: &mut Transaction<'_>| {
        let each = names
            .iter()
            .map(|name| find(tx, name).unwrap_or_else(|| make(tx, name)));
        each.collect()
    };
    change(&ontraport, &request_id, &sent, find_or_make, true)
}

pub(super) async fn remove_by_name(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = criteria(body(&headers, &bytes)?)?;
    let names = names(&sent, "remove_names")?;
    let known = |tx: &mut Transaction<'_>| names.iter().filter_map(|name| find(tx, name)).collect();
    change(&ontraport, &request_id, &sent, known, false)
}

/// A body about contacts, without the kind.
fn criteria(mut sent: JsonObject) -> Result<JsonObject, ApiError> {
    match take_kind(&mut sent)? {
        kind::CONTACT => Ok(sent),
        _ => Err(ApiError::invalid("Invalid objectID")),
    }
}

fn names(sent: &JsonObject, member: &str) -> Result<Vec<String>, ApiError> {
    let names = sent.get(member).and_then(Value::as_array);
    let names = names.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    names.ok_or_else(|| ApiError::invalid(format!("Invalid or missing parameter: {member}")))
}

fn find(tx: &Transaction<'_>, name: &str) -> Option<u64> {
    let mut tags = tx.state.tags.values();
    let same = |tag: &&Tag| tag.object_type == kind::CONTACT && tag.name.eq_ignore_ascii_case(name);
    tags.find(same).map(|tag| tag.id)
}

fn make(tx: &mut Transaction<'_>, name: &str) -> u64 {
    let id = tx.next_id("tag");
    tx.put(Record::Tag(Tag {
        id,
        name: name.to_owned(),
        object_type: kind::CONTACT,
    }));
    tx.log(Draft {
        op: "create_tag",
        tag_id: Some(id.to_string()),
        changed: true,
        ..Draft::default()
    });
    id
}

/// Adds or removes the tags that `choose` gives, on every contact that the criteria select.
fn change(
    ontraport: &Ontraport,
    request_id: &RequestId,
    sent: &JsonObject,
    choose: impl FnOnce(&mut Transaction<'_>) -> Vec<u64>,
    add: bool,
) -> Answer {
    let contacts = ids(sent, "ids")?;
    ontraport.write(
        request_id,
        |tx| {
            let tags = choose(tx);
            let made: Vec<u64> = tx.puts().filter_map(made_tag).collect();
            let exists = |tag: &u64| tx.state.tags.contains_key(tag) || made.contains(tag);
            let tags: Vec<u64> = tags.into_iter().filter(exists).collect();
            let selected: Vec<Contact> = contacts
                .iter()
                .filter_map(|id| tx.state.contacts.get(id).cloned())
                .collect();
            for mut contact in selected {
                for tag in &tags {
                    mark(tx, &mut contact, *tag, add);
                }
                tx.put(Record::Contact(contact));
            }
            Ok(())
        },
        |_, ()| envelope("The tag is now being processed."),
    )
}

fn made_tag(record: &Record) -> Option<u64> {
    match record {
        Record::Tag(tag) => Some(tag.id),
        _ => None,
    }
}

fn mark(tx: &mut Transaction<'_>, contact: &mut Contact, tag: u64, add: bool) {
    let had = contact.tags.contains_key(&tag);
    if add {
        contact.tags.entry(tag).or_insert(tx.now);
    } else {
        contact.tags.remove(&tag);
    }
    tx.log_tag(
        if add { "apply_tag" } else { "remove_tag" },
        contact.id,
        tag,
        had != add,
    );
}
