//! `/communication-preferences/v4`: subscription types, and what an address agreed to.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::{Extension, Json};
use bytes::Bytes;
use mfh_types::TimestampMs;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{batch, body, now};
use crate::access_log::{Draft, RequestId};
use crate::hubspot::HubSpot;
use crate::hubspot::contact::time;
use crate::hubspot::error::ApiError;
use crate::hubspot::params::Params;
use crate::hubspot::property::is_email;
use crate::hubspot::state::{Consent, Record, State, Subscription, Transaction};

const LEGAL_BASES: [&str; 7] = [
    "LEGITIMATE_INTEREST_PQL",
    "LEGITIMATE_INTEREST_CLIENT",
    "LEGITIMATE_INTEREST_OTHER",
    "PERFORMANCE_OF_CONTRACT",
    "CONSENT_WITH_NOTICE",
    "NON_GDPR",
    "PROCESS_AND_STORE",
];

pub(super) async fn definitions(
    Ctx(hubspot): Ctx<HubSpot>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    Params::only(query.as_deref(), &["businessUnitId", "includeTranslations"])?;
    let now = now(&hubspot);
    let show = |it: &Subscription| {
        json!({
            "id": it.id.to_string(), "name": it.name, "description": "", "purpose": it.purpose,
            "communicationMethod": "Email", "isActive": true, "isDefault": it.is_default, "isInternal": it.is_internal,
            "businessUnitId": 0, "createdAt": time(it.created_at), "updatedAt": time(it.created_at),
        })
    };
    hubspot.read(|state| Ok(Json(batch(state.subscriptions.iter().map(show).collect(), now))))
}

/// The query of every call about an address.
fn check(email: &str, query: Option<&str>) -> Result<(), ApiError> {
    let params = Params::only(query, &["channel", "businessUnitId", "verbose"])?;
    if !is_email(email) {
        return Err(ApiError::invalid("the subscriber id must be an e-mail address"));
    }
    match params.get("channel") {
        Some("EMAIL") => Ok(()),
        _ => Err(ApiError::invalid("channel is required and must be EMAIL")),
    }
}

fn status(consent: &Consent, subscription: u64) -> &'static str {
    match consent.subscriptions.get(&subscription) {
        _ if consent.unsubscribed_from_all => "UNSUBSCRIBED",
        Some(true) => "SUBSCRIBED",
        Some(false) => "UNSUBSCRIBED",
        None => "NOT_SPECIFIED",
    }
}

fn show(consent: &Consent, subscription: &Subscription, now: TimestampMs) -> Value {
    json!({
        "channel": "EMAIL", "source": "Updated by an integration", "status": status(consent, subscription.id),
        "subscriberIdString": consent.email, "subscriptionId": subscription.id, "subscriptionName": subscription.name,
        "timestamp": time(now),
    })
}

pub(super) async fn statuses(
    Ctx(hubspot): Ctx<HubSpot>,
    Path(email): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    check(&email, query.as_deref())?;
    let now = now(&hubspot);
    hubspot.read(|state| {
        let consent = state.consent(&email);
        let shown = state.subscriptions.iter().map(|it| show(&consent, it, now));
        Ok(Json(batch(shown.collect(), now)))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Set {
    channel: String,
    status_state: String,
    subscription_id: u64,
    legal_basis: Option<String>,
    legal_basis_explanation: Option<String>,
}

fn log(tx: &mut Transaction<'_>, consent: &Consent, fields: Value, changed: bool) {
    let contact = tx.state.contact_of(&consent.email);
    tx.log(Draft {
        op: "set_opt_in",
        contact_id: contact.map(|contact| contact.id.to_string()),
        fields: Some(fields),
        changed,
        ..Draft::default()
    });
}

/// Sets one subscription. Who wants no mail at all stays so.
pub(super) async fn set(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    Path(email): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: Set = body(&bytes)?;
    check(&email, Some(&format!("channel={}", sent.channel)))?;
    let subscribe = match sent.status_state.as_str() {
        "SUBSCRIBED" => Some(true),
        "UNSUBSCRIBED" => Some(false),
        "NOT_SPECIFIED" => None,
        other => return Err(ApiError::invalid(format!("{other} is not a status"))),
    };
    let basis = sent.legal_basis.as_deref();
    if basis.is_some_and(|basis| !LEGAL_BASES.contains(&basis)) {
        return Err(ApiError::invalid("legalBasis is not one of the legal bases"));
    }
    if basis.is_some() != sent.legal_basis_explanation.is_some() {
        return Err(ApiError::invalid(
            "legalBasis and legalBasisExplanation belong together",
        ));
    }
    let plan = |tx: &mut Transaction<'_>| {
        let subscription = find(tx.state, sent.subscription_id)?;
        let mut consent = tx.state.consent(&email);
        if subscribe == Some(true) && consent.unsubscribed_from_all {
            let message = "This contact has unsubscribed from all email and cannot be subscribed again";
            return Err(ApiError::invalid(message));
        }
        let before = consent.subscriptions.get(&subscription.id).copied();
        match subscribe {
            Some(state) => drop(consent.subscriptions.insert(subscription.id, state)),
            None => drop(consent.subscriptions.remove(&subscription.id)),
        }
        consent.explanation = sent.legal_basis_explanation.clone();
        let reason = match (before, subscribe) {
            (before, after) if before == after => "NO_STATUS_CHANGE",
            (Some(false), Some(true)) => "RESUBSCRIBE_OCCURRED",
            _ => "REQUESTED_CHANGE_OCCURRED",
        };
        let fields = json!({ "subscription_id": subscription.id, "status": sent.status_state });
        log(tx, &consent, fields, before != subscribe);
        let mut shown = show(&consent, subscription, tx.now);
        shown["setStatusSuccessReason"] = reason.into();
        tx.put(Record::Consent(consent));
        Ok(batch(vec![shown], tx.now))
    };
    hubspot.write(&request_id, plan, |_, shown| Json(shown))
}

fn find(state: &State, subscription_id: u64) -> Result<&Subscription, ApiError> {
    let mut subscriptions = state.subscriptions.iter();
    let subscription = subscriptions.find(|it| it.id == subscription_id);
    subscription.ok_or_else(|| ApiError::invalid(format!("there is no subscription {subscription_id}")))
}

/// Whether an address wants no mail at all.
pub(super) async fn all_mail(
    Ctx(hubspot): Ctx<HubSpot>,
    Path(email): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    check(&email, query.as_deref())?;
    let now = now(&hubspot);
    hubspot.read(|state| {
        let consent = state.consent(&email);
        let status = if consent.unsubscribed_from_all {
            "UNSUBSCRIBED"
        } else {
            "NOT_SPECIFIED"
        };
        let shown = json!({
            "wideStatusType": "PORTAL_WIDE", "channel": "EMAIL", "subscriberIdString": consent.email,
            "status": status, "timestamp": time(now),
        });
        Ok(Json(batch(vec![shown], now)))
    })
}

/// Stops all mail; the answer says no more than that it is done.
pub(super) async fn unsubscribe_all(
    Ctx(hubspot): Ctx<HubSpot>,
    Extension(request_id): Extension<RequestId>,
    Path(email): Path<String>,
    RawQuery(query): RawQuery,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    check(&email, query.as_deref())?;
    if !bytes.is_empty() {
        return Err(ApiError::invalid("this takes no body"));
    }
    let plan = |tx: &mut Transaction<'_>| {
        let mut consent = tx.state.consent(&email);
        let changed = !consent.unsubscribed_from_all;
        consent.unsubscribed_from_all = true;
        log(tx, &consent, json!({ "status": "UNSUBSCRIBED" }), changed);
        tx.put(Record::Consent(consent));
        Ok(batch(Vec::new(), tx.now))
    };
    hubspot.write(&request_id, plan, |_, shown| Json(shown))
}
