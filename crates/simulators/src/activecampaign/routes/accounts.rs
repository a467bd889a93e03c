//! `/accounts` and `/accountContacts`: companies and who works there; `/users/me`.

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::access_log::{Draft, RequestId};
use crate::activecampaign::ActiveCampaign;
use crate::activecampaign::contact::show_position;
use crate::activecampaign::error::ApiError;
use crate::activecampaign::params::{Params, body, number, text};
use crate::activecampaign::state::{Account, Contact, Position, Record, State, Transaction, shown};

pub(super) async fn me(Ctx(crm): Ctx<ActiveCampaign>) -> Json<Value> {
    crm.read(|state| {
        let user = state.users.first().map(|user| {
            json!({
                "id": user.id.to_string(), "username": user.username, "firstName": user.first_name,
                "lastName": user.last_name, "email": user.email, "links": {},
            })
        });
        Json(json!({ "user": user }))
    })
}

fn show(state: &State, account: &Account) -> Value {
    let at = |contact: &&Contact| contact.position.as_ref().is_some_and(|row| row.account == account.id);
    json!({
        "id": account.id.to_string(), "name": account.name, "accountUrl": "",
        "contactCount": state.contacts.values().filter(at).count().to_string(),
        "createdTimestamp": shown(account.created), "links": {},
    })
}

pub(super) async fn list(Ctx(crm): Ctx<ActiveCampaign>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::read(query.as_deref(), &["search"])?;
    let part = params.get("search").map(str::to_lowercase);
    crm.read(|state| {
        let accounts = state.accounts.values();
        let found = accounts.filter(|account| {
            let name = account.name.to_lowercase();
            part.as_ref().is_none_or(|part| name.contains(part))
        });
        let (accounts, meta) = params.page(found.map(|account| show(state, account)).collect())?;
        Ok(Json(json!({ "accounts": accounts, "meta": meta })))
    })
}

pub(super) async fn get(
    Ctx(crm): Ctx<ActiveCampaign>,
    Path(account_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    crm.read(|state| {
        let found = account_id.parse().ok().and_then(|id: u64| state.accounts.get(&id));
        let account = found.ok_or_else(|| ApiError::missing("Account", &account_id))?;
        Ok(Json(json!({ "account": show(state, account) })))
    })
}

pub(super) async fn create(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = body(&bytes, "account", &["name", "accountUrl"])?;
    let name = text(&sent, "name")?.unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        return Err(ApiError::invalid("name", "field_missing", "The name is required."));
    }
    crm.write(
        &request_id,
        |tx| {
            let mut accounts = tx.state.accounts.values();
            if accounts.any(|account| account.name.to_lowercase() == name.to_lowercase()) {
                return Err(ApiError::invalid(
                    "name",
                    "duplicate",
                    "The account name already exists",
                ));
            }
            let account = Account {
                id: tx.next_id("account"),
                name,
                created: tx.now,
            };
            tx.log(Draft {
                op: "create_company",
                fields: Some(json!({ "name": account.name })),
                changed: true,
                ..Draft::default()
            });
            tx.put(Record::Account(account.clone()));
            Ok(account)
        },
        |state, account| (StatusCode::CREATED, Json(json!({ "account": show(state, &account) }))),
    )
}

/// What a contact's place in an account is given as.
struct Sent {
    contact: u64,
    account: u64,
    job_title: String,
}

fn read(bytes: &Bytes) -> Result<Sent, ApiError> {
    let sent = body(bytes, "accountContact", &["contact", "account", "jobTitle"])?;
    Ok(Sent {
        contact: number(&sent, "contact")?,
        account: number(&sent, "account")?,
        job_title: text(&sent, "jobTitle")?.unwrap_or_default().to_owned(),
    })
}

/// Gives the contact its place and answers it.
fn place(tx: &mut Transaction<'_>, mut contact: Contact, row: Option<u64>, sent: &Sent) -> Result<Value, ApiError> {
    let account = tx.state.accounts.get(&sent.account);
    let account = account.ok_or_else(|| ApiError::related_missing("account"))?;
    let position = Position {
        id: row.unwrap_or_else(|| tx.next_id("accountContact")),
        account: account.id,
        job_title: sent.job_title.clone(),
    };
    tx.log(Draft {
        op: "update_contact",
        contact_id: Some(contact.id.to_string()),
        fields: Some(json!({ "company": account.name, "jobTitle": sent.job_title })),
        changed: contact.position.as_ref() != Some(&position),
        ..Draft::default()
    });
    let answer = show_position(&contact, &position);
    contact.position = Some(position);
    contact.updated = tx.now;
    tx.put(Record::Contact(contact));
    Ok(answer)
}

/// A contact has one account at most.
pub(super) async fn join(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent = read(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            let contact = tx.state.named_contact(sent.contact)?.clone();
            if contact.position.is_some() {
                let title = "The contact is already associated with an account";
                return Err(ApiError::invalid("contact", "duplicate", title));
            }
            place(tx, contact, None, &sent)
        },
        |_, row| (StatusCode::CREATED, Json(json!({ "accountContact": row }))),
    )
}

/// The contact whose place has this id.
fn holder<'a>(state: &'a State, row: &str) -> Result<&'a Contact, ApiError> {
    let is_row = |contact: &Contact| {
        contact
            .position
            .as_ref()
            .is_some_and(|place| place.id.to_string() == row)
    };
    state
        .owner_of(is_row)
        .ok_or_else(|| ApiError::missing("AccountContact", row))
}

pub(super) async fn change(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    Path(row): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent = read(&bytes)?;
    crm.write(
        &request_id,
        |tx| {
            let contact = holder(tx.state, &row)?.clone();
            if contact.id != sent.contact {
                return Err(ApiError::invalid(
                    "contact",
                    "field_invalid",
                    "The contact cannot be changed.",
                ));
            }
            let id = contact.position.as_ref().map(|position| position.id);
            place(tx, contact, id, &sent)
        },
        |_, row| Json(json!({ "accountContact": row })),
    )
}

pub(super) async fn leave(
    Ctx(crm): Ctx<ActiveCampaign>,
    Extension(request_id): Extension<RequestId>,
    Path(row): Path<String>,
) -> Result<Json<Value>, ApiError> {
    crm.write(
        &request_id,
        |tx| {
            let mut contact = holder(tx.state, &row)?.clone();
            tx.log_contact(
                "update_contact",
                contact.id,
                Some(json!({ "company": null, "jobTitle": null })),
                true,
            );
            contact.position = None;
            contact.updated = tx.now;
            tx.put(Record::Contact(contact));
            Ok(())
        },
        |_, ()| Json(json!({})),
    )
}
