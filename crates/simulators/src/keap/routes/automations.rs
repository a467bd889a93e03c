//! `/automations` and `/campaigns`: lists, sequences and goals.

use std::collections::BTreeSet;

use axum::extract::{Path, RawQuery, State as Ctx};
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body;
use crate::access_log::{Draft, RequestId};
use crate::account::Failure as _;
use crate::keap::Keap;
use crate::keap::error::ApiError;
use crate::keap::filter;
use crate::keap::params::{Bounds, Page, Params, id_key};
use crate::keap::state::{AchievedGoal, Automation, Goal, Record, State, Transaction};

type Test = Box<dyn Fn(&Automation) -> bool>;

fn find<'a>(state: &'a State, what: &str, id: &str) -> Result<&'a Automation, ApiError> {
    state
        .automations
        .iter()
        .find(|automation| automation.id.to_string() == id)
        .ok_or_else(|| ApiError::missing(what, id))
}

/// How many contacts are in a sequence.
fn members(state: &State, sequence: u64) -> usize {
    let contacts = state.contacts.values();
    contacts
        .filter(|contact| contact.sequences.contains_key(&sequence))
        .count()
}

fn all_members(state: &State, automation: &Automation) -> usize {
    automation
        .sequences
        .iter()
        .map(|sequence| members(state, sequence.id))
        .sum()
}

fn show(state: &State, automation: &Automation) -> Value {
    let mut shown = json!({
        "id": automation.id.to_string(),
        "title": automation.title,
        "categories": [],
        "status": if automation.published { "PUBLISHED" } else { "DRAFT" },
        "locked": false,
        "active_contacts": all_members(state, automation),
    });
    if automation.published {
        shown["published_date"] = json!(automation.create_time);
        shown["published_by"] = json!("1");
        shown["published_timezone"] = json!("America/Phoenix");
    }
    shown
}

fn show_campaign(state: &State, automation: &Automation) -> Value {
    let mut shown = json!({
        "id": automation.id.to_string(),
        "name": automation.title,
        "locked": false,
        "date_created": automation.create_time,
        "published_status": automation.published,
        "time_zone": "America/Phoenix",
        "active_contact_count": all_members(state, automation),
        "completed_contact_count": 0,
    });
    if automation.published {
        shown["published_date"] = json!(automation.create_time);
    }
    shown
}

pub(super) async fn list(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 25,
        orders: &["name", "category", "activeContacts", "publishedDate"],
    };
    let page = Page::read(&params, &bounds)?;
    let tests = tests(params.get("filter"))?;
    keap.read(|state| {
        let found: Vec<_> = state
            .automations
            .iter()
            .filter(|automation| tests.iter().all(|holds| holds(automation)))
            .collect();
        let count = found.len();
        let rows = found
            .into_iter()
            .map(|automation| {
                let key = match page.order() {
                    "activeContacts" => format!("{:020}", all_members(state, automation)),
                    "publishedDate" => automation.create_time.to_string(),
                    "category" => String::new(),
                    _ => automation.title.to_lowercase(),
                };
                (key, automation.id, show(state, automation))
            })
            .collect();
        let (automations, next_page_token) = page.cut(rows);
        Ok(Json(json!({
            "automations": automations,
            "automation_count": count,
            "next_page_token": next_page_token,
        })))
    })
}

fn tests(text: Option<&str>) -> Result<Vec<Test>, ApiError> {
    filter::parse(text)?
        .iter()
        .map(|condition| {
            let test: Test = match condition.field.as_str() {
                "name" => {
                    let holds = condition.containing()?;
                    Box::new(move |it: &Automation| holds(it.title))
                }
                "id" => {
                    let holds = condition.number()?;
                    Box::new(move |it| holds(it.id.into()))
                }
                "status" => {
                    let holds = condition.text()?;
                    Box::new(move |it| holds(if it.published { "published" } else { "draft" }))
                }
                _ => return Err(condition.unknown_field()),
            };
            Ok(test)
        })
        .collect()
}

pub(super) async fn get(Ctx(keap): Ctx<Keap>, Path(automation_id): Path<String>) -> Result<Json<Value>, ApiError> {
    keap.read(|state| Ok(Json(show(state, find(state, "automation", &automation_id)?))))
}

pub(super) async fn list_campaigns(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 1000,
        orders: &[
            "id",
            "name",
            "publisheddate",
            "completedContactCount",
            "activeContacts",
            "datecreated",
            "lastupdated",
        ],
    };
    let page = Page::read(&params, &bounds)?;
    let tests = tests(params.get("filter"))?;
    keap.read(|state| {
        let rows = state
            .automations
            .iter()
            .filter(|automation| tests.iter().all(|holds| holds(automation)))
            .map(|automation| {
                let key = match page.order() {
                    "name" => automation.title.to_lowercase(),
                    "activeContacts" => format!("{:020}", all_members(state, automation)),
                    _ => id_key(automation.id),
                };
                (key, automation.id, show_campaign(state, automation))
            })
            .collect();
        let (campaigns, next_page_token) = page.cut(rows);
        Ok(Json(
            json!({ "campaigns": campaigns, "next_page_token": next_page_token }),
        ))
    })
}

pub(super) async fn get_campaign(
    Ctx(keap): Ctx<Keap>,
    Path(campaign_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    keap.read(|state| Ok(Json(show_campaign(state, find(state, "campaign", &campaign_id)?))))
}

pub(super) async fn campaign_sequences(
    Ctx(keap): Ctx<Keap>,
    Path(campaign_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    keap.read(|state| {
        let sequences = find(state, "campaign", &campaign_id)?.sequences.iter();
        let sequences: Vec<Value> = sequences
            .map(|sequence| {
                json!({
                    "id": sequence.id.to_string(),
                    "name": sequence.name,
                    "paths": [],
                    "active_contact_count": members(state, sequence.id),
                    "active_contact_count_completed": 0,
                })
            })
            .collect();
        Ok(Json(
            json!({ "campaign_id": campaign_id, "sequences": sequences, "next_page_token": "" }),
        ))
    })
}

pub(super) async fn campaign_goals(
    Ctx(keap): Ctx<Keap>,
    Path(campaign_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    keap.read(|state| {
        let campaign = find(state, "campaign", &campaign_id)?.id;
        let goals = state.goals.iter().filter(|goal| goal.automation_id == campaign);
        let goals: Vec<Value> = goals
            .map(|goal| {
                json!({
                    "id": goal.id.to_string(),
                    "name": goal.name,
                    "type": "API",
                    "next_sequence_ids": [goal.starts.to_string()],
                    "previous_sequence_ids": [],
                })
            })
            .collect();
        Ok(Json(
            json!({ "campaign_id": campaign_id, "goals": goals, "next_page_token": "" }),
        ))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contacts {
    contact_ids: Vec<String>,
}

/// `POST /automations/{id}/sequences/{sequence}:addContacts`.
pub(super) async fn change_sequence(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path((automation_id, sequence_and_action)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    match sequence_and_action.split_once(':') {
        Some((sequence, "addContacts")) => {
            let results = add_contacts(&keap, &request_id, &automation_id, sequence, &bytes)?;
            Ok(Json(json!({ "add_to_automation_sequence_results": results })))
        }
        _ => Err(ApiError::no_such_path()),
    }
}

/// `POST /campaigns/{id}/sequences/{sequence}:addContacts` and `:removeContacts`.
pub(super) async fn change_campaign_sequence(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path((campaign_id, sequence_and_action)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    match sequence_and_action.split_once(':') {
        Some((sequence, "addContacts")) => {
            let results = add_contacts(&keap, &request_id, &campaign_id, sequence, &bytes)?;
            Ok(Json(json!({ "add_to_sequence_results": results })))
        }
        Some((sequence, "removeContacts")) => {
            let results = remove_contacts(&keap, &request_id, &campaign_id, sequence, &bytes)?;
            Ok(Json(json!({ "remove_from_sequence_results": results })))
        }
        _ => Err(ApiError::no_such_path()),
    }
}

/// The automation and the id of its sequence.
fn find_sequence<'a>(
    state: &'a State,
    automation_id: &str,
    sequence_id: &str,
) -> Result<(&'a Automation, u64), ApiError> {
    let automation = find(state, "automation", automation_id)?;
    let mut sequences = automation.sequences.iter();
    let sequence = sequences.find(|sequence| sequence.id.to_string() == sequence_id);
    let sequence = sequence.ok_or_else(|| ApiError::missing("sequence", sequence_id))?;
    Ok((automation, sequence.id))
}

fn sequence_draft(op: &'static str, contact_id: &str, automation: u64, sequence: u64, changed: bool) -> Draft {
    Draft {
        op,
        contact_id: Some(contact_id.to_owned()),
        fields: Some(json!({
            "automation_id": automation.to_string(),
            "sequence_id": sequence.to_string(),
        })),
        changed,
        ..Draft::default()
    }
}

fn add_contacts(
    keap: &Keap,
    request_id: &RequestId,
    automation_id: &str,
    sequence_id: &str,
    bytes: &Bytes,
) -> Result<Map<String, Value>, ApiError> {
    let Contacts { contact_ids } = body(bytes)?;
    let add = |tx: &mut Transaction<'_>| {
        let (automation, sequence) = find_sequence(tx.state, automation_id, sequence_id)?;
        let mut results = Map::new();
        for id in contact_ids.into_iter().collect::<BTreeSet<_>>() {
            let result = match tx.state.contact(&id) {
                Err(_) => "CONTACT_DOES_NOT_EXIST",
                // Nobody can enter an automation that is not published.
                Ok(_) if !automation.published => "FAILED",
                Ok(contact) => {
                    let new = !contact.sequences.contains_key(&sequence);
                    tx.log(sequence_draft("add_to_sequence", &id, automation.id, sequence, new));
                    if new {
                        let mut contact = contact.clone();
                        contact.sequences.insert(sequence, tx.now);
                        tx.put(Record::Contact(contact));
                    }
                    if new { "SUCCESS" } else { "ALREADY_IN_SEQUENCE" }
                }
            };
            results.insert(id, result.into());
        }
        Ok(results)
    };
    keap.write(request_id, add, |_, results| results)
}

fn remove_contacts(
    keap: &Keap,
    request_id: &RequestId,
    campaign_id: &str,
    sequence_id: &str,
    bytes: &Bytes,
) -> Result<Map<String, Value>, ApiError> {
    let Contacts { contact_ids } = body(bytes)?;
    let remove = |tx: &mut Transaction<'_>| {
        let (automation, sequence) = find_sequence(tx.state, campaign_id, sequence_id)?;
        let mut results = Map::new();
        for id in contact_ids.into_iter().collect::<BTreeSet<_>>() {
            let result = match tx.state.contact(&id) {
                Err(_) => "CONTACT_DOES_NOT_EXIST",
                Ok(contact) => {
                    let was_in = contact.sequences.contains_key(&sequence);
                    tx.log(sequence_draft(
                        "remove_from_sequence",
                        &id,
                        automation.id,
                        sequence,
                        was_in,
                    ));
                    if was_in {
                        let mut contact = contact.clone();
                        contact.sequences.remove(&sequence);
                        tx.put(Record::Contact(contact));
                    }
                    "SUCCESS"
                }
            };
            results.insert(id, result.into());
        }
        Ok(results)
    };
    keap.write(request_id, remove, |_, results| results)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AchieveGoal {
    contact_id: u64,
    integration: Option<String>,
    call_name: Option<String>,
    automation_id: Option<u64>,
    goal_id: Option<u64>,
}

impl AchieveGoal {
    /// The goals meant, by name or by id; the two ways exclude each other.
    fn goals<'a>(&self, state: &'a State) -> Result<Vec<&'a Goal>, ApiError> {
        let by_name = self.integration.is_some() || self.call_name.is_some();
        let by_id = self.automation_id.is_some() || self.goal_id.is_some();
        let matches: Box<dyn Fn(&Goal) -> bool> = match self {
            Self {
                integration: Some(integration),
                call_name: Some(call_name),
                ..
            } if !by_id => Box::new(|goal| {
                goal.integration.eq_ignore_ascii_case(integration) && goal.call_name.eq_ignore_ascii_case(call_name)
            }),
            Self {
                automation_id: Some(automation),
                goal_id: Some(id),
                ..
            } if !by_name => Box::new(|goal| goal.automation_id == *automation && goal.id == *id),
            _ => {
                return Err(ApiError::invalid(
                    "Give either integration and call_name, or automation_id and goal_id",
                ));
            }
        };
        Ok(state.goals.iter().filter(|goal| matches(goal)).collect())
    }
}

/// An unknown goal answers an empty list; a contact that cannot achieve it a result without success.
pub(super) async fn achieve_goal(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let sent: AchieveGoal = body(&bytes)?;
    let achieve = |tx: &mut Transaction<'_>| {
        let goals = sent.goals(tx.state)?;
        let Some(known) = tx.state.contacts.get(&sent.contact_id) else {
            let message = format!("Contact {} does not exist", sent.contact_id);
            let failed = goals.into_iter().map(|goal| result(goal, false, &message));
            return Ok(failed.collect::<Vec<Value>>());
        };
        let mut contact = known.clone();
        let mut results = Vec::new();
        for goal in goals {
            let mut automations = tx.state.automations.iter();
            if !automations.any(|it| it.id == goal.automation_id && it.published) {
                results.push(result(goal, false, "The automation is not published"));
                continue;
            }
            contact.goals.push(AchievedGoal {
                goal_id: goal.id,
                at: tx.now,
            });
            contact.sequences.entry(goal.starts).or_insert(tx.now);
            tx.log(Draft {
                op: "achieve_goal",
                contact_id: Some(contact.id.to_string()),
                fields: Some(json!({
                    "goal_id": goal.id.to_string(),
                    "integration": goal.integration,
                    "call_name": goal.call_name,
                })),
                changed: true,
                ..Draft::default()
            });
            results.push(result(goal, true, "Goal achieved"));
        }
        tx.put(Record::Contact(contact));
        Ok(results)
    };
    keap.write(&request_id, achieve, |_, results| Json(json!({ "results": results })))
}

fn result(goal: &Goal, success: bool, message: &str) -> Value {
    let started = if success {
        json!([{ "success": true, "message": "Flow started", "flow_id": goal.starts }])
    } else {
        json!([])
    };
    json!({
        "success": success,
        "message": message,
        "automation_id": goal.automation_id,
        "goal_id": goal.id,
        "flow_start_results": started,
        "flow_stop_results": [],
    })
}
