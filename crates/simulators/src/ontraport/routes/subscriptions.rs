//! `/objects/subscribe` and `/objects/sequence`. Ids that select nothing are a success.

use axum::extract::{RawQuery, State as Ctx};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::{JsonObject, TimestampMs};
use serde_json::{Value, json};

use super::envelope;
use crate::access_log::{Draft, RequestId};
use crate::ontraport::Ontraport;
use crate::ontraport::error::ApiError;
use crate::ontraport::params::{Params, body, ids, take_kind};
use crate::ontraport::state::{Contact, Record, State, kind};

type Answer = Result<Json<Value>, ApiError>;

/// What contacts can be put into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Series {
    Automation,
    Sequence,
}

impl Series {
    fn of(sub_type: Option<&Value>) -> Result<Self, ApiError> {
        match sub_type.and_then(Value::as_str) {
            None | Some("Campaign" | "campaign") => Ok(Self::Automation),
            Some("Sequence") => Ok(Self::Sequence),
            Some(_) => Err(ApiError::invalid("Invalid sub_type")),
        }
    }

    /// Whether a contact can enter this one; a paused one lets nobody through, but takes them.
    fn has(self, state: &State, id: u64) -> bool {
        let known = match self {
            Self::Automation => &state.automations,
            Self::Sequence => &state.sequences,
        };
        let open = |it: &&crate::ontraport::state::Automation| !it.deleted && it.object_type == kind::CONTACT;
        known.iter().filter(open).any(|it| it.id == id)
    }

    fn entered(self, contact: &mut Contact) -> &mut std::collections::BTreeMap<u64, TimestampMs> {
        match self {
            Self::Automation => &mut contact.automations,
            Self::Sequence => &mut contact.sequences,
        }
    }
}

pub(super) async fn subscribe(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = body(&headers, &bytes)?;
    let series = Series::of(sent.get("sub_type"))?;
    change(&ontraport, &request_id, sent, series, true)
}

pub(super) async fn unsubscribe(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = query_or_body(query, &headers, &bytes)?;
    let series = Series::of(sent.get("sub_type"))?;
    change(&ontraport, &request_id, sent, series, false)
}

pub(super) async fn add_to_sequence(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = body(&headers, &bytes)?;
    change(&ontraport, &request_id, sent, Series::Sequence, true)
}

pub(super) async fn remove_from_sequence(
    Ctx(ontraport): Ctx<Ontraport>,
    Extension(request_id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let sent = query_or_body(query, &headers, &bytes)?;
    change(&ontraport, &request_id, sent, Series::Sequence, false)
}

fn query_or_body(query: Option<String>, headers: &HeaderMap, bytes: &Bytes) -> Result<JsonObject, ApiError> {
    if bytes.is_empty() {
        Ok(Params::parse(query.as_deref()).into_body())
    } else {
        body(headers, bytes)
    }
}

fn change(ontraport: &Ontraport, request_id: &RequestId, mut sent: JsonObject, series: Series, enter: bool) -> Answer {
    if take_kind(&mut sent)? != kind::CONTACT {
        return Err(ApiError::invalid("Invalid objectID"));
    }
    let contacts = ids(&sent, "ids")?;
    let wanted = ids(&sent, if enter { "add_list" } else { "remove_list" })?;
    ontraport.write(
        request_id,
        |tx| {
            let wanted: Vec<u64> = wanted.into_iter().filter(|id| series.has(tx.state, *id)).collect();
            let selected: Vec<Contact> = contacts
                .iter()
                .filter_map(|id| tx.state.contacts.get(id).cloned())
                .collect();
            for mut contact in selected {
                let contact_id = contact.id;
                let entered = series.entered(&mut contact);
                for id in &wanted {
                    let was_in = entered.contains_key(id);
                    if enter {
                        entered.entry(*id).or_insert(tx.now);
                    } else {
                        entered.remove(id);
                    }
                    tx.log(draft(series, contact_id, *id, enter, was_in));
                }
                tx.put(Record::Contact(contact));
            }
            Ok(())
        },
        |_, ()| envelope("The subscription is now being processed."),
    )
}

fn draft(series: Series, contact_id: u64, id: u64, enter: bool, was_in: bool) -> Draft {
    let member = match series {
        Series::Automation => "automation_id",
        Series::Sequence => "sequence_id",
    };
    Draft {
        op: if enter { "enter_automation" } else { "leave_automation" },
        contact_id: Some(contact_id.to_string()),
        fields: Some(json!({ member: id.to_string() })),
        changed: was_in != enter,
        ..Draft::default()
    }
}
