//! `/tags`: tags, their categories, and which contacts have them.

use std::collections::BTreeSet;

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
use crate::keap::params::{Bounds, Page, Params};
use crate::keap::state::{Contact, Record, Tag, TagCategory, find};

type Test<T> = Box<dyn Fn(&T) -> bool>;

fn show(tag: &Tag) -> Value {
    with_present(
        json!({
            "id": tag.id.to_string(),
            "name": tag.name,
            "create_time": tag.create_time,
            "update_time": tag.update_time,
        }),
        [
            ("description", tag.description.clone().map(Value::String)),
            ("category", tag.category_id.map(|id| json!({ "id": id.to_string() }))),
        ],
    )
}

pub(super) async fn list(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 1000,
        orders: &["name", "create_time", "update_time"],
    };
    let page = Page::read(&params, &bounds)?;
    let tests = tests(params.get("filter"))?;
    keap.read(|state| {
        let rows = state
            .tags
            .values()
            .filter(|tag| tests.iter().all(|holds| holds(tag)))
            .map(|tag| (sort_key(page.order(), tag), tag.id, show(tag)))
            .collect();
        let (tags, next_page_token) = page.cut(rows);
        Ok(Json(json!({ "tags": tags, "next_page_token": next_page_token })))
    })
}

fn sort_key(order: &str, tag: &Tag) -> String {
    match order {
        "create_time" => tag.create_time.to_string(),
        "update_time" => tag.update_time.to_string(),
        _ => tag.name.to_lowercase(),
    }
}

fn tests(text: Option<&str>) -> Result<Vec<Test<Tag>>, ApiError> {
    filter::parse(text)?
        .iter()
        .map(|condition| {
            let test: Test<Tag> = match condition.field.as_str() {
                "name" => {
                    let holds = condition.text_or_none()?;
                    Box::new(move |tag: &Tag| holds(Some(&tag.name)))
                }
                "description" => {
                    let holds = condition.text_or_none()?;
                    Box::new(move |tag| holds(tag.description.as_deref()))
                }
                "category_id" => {
                    let holds = condition.text_or_none()?;
                    Box::new(move |tag| holds(tag.category_id.map(|id| id.to_string()).as_deref()))
                }
                "tag_ids" => {
                    let ids = condition.ids()?;
                    Box::new(move |tag| ids.contains(&tag.id))
                }
                "since_create_time" => {
                    let since = condition.time()?;
                    Box::new(move |tag| tag.create_time.0 >= since)
                }
                "until_create_time" => {
                    let until = condition.time()?;
                    Box::new(move |tag| tag.create_time.0 <= until)
                }
                "since_update_time" => {
                    let since = condition.time()?;
                    Box::new(move |tag| tag.update_time.0 >= since)
                }
                "until_update_time" => {
                    let until = condition.time()?;
                    Box::new(move |tag| tag.update_time.0 <= until)
                }
                _ => return Err(condition.unknown_field()),
            };
            Ok(test)
        })
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTag {
    name: Option<String>,
    description: Option<String>,
    category: Option<CategoryReference>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CategoryReference {
    id: String,
}

/// The name of a new record, which must not be blank.
fn required_name(name: Option<String>) -> Result<String, ApiError> {
    name.filter(|name| !name.trim().is_empty())
        .ok_or_else(|| ApiError::property("name", "is required"))
}

pub(super) async fn create(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: NewTag = body(&bytes)?;
    let name = required_name(sent.name)?;
    keap.write(
        &request_id,
        |tx| {
            let mut tags = tx.state.tags.values();
            if tags.any(|tag| tag.name.to_lowercase() == name.to_lowercase()) {
                return Err(ApiError::conflict(format!("A tag named `{name}` exists already")));
            }
            let category_id = match &sent.category {
                Some(category) => {
                    let known = find(&tx.state.tag_categories, "tag category", &category.id);
                    let known = known.map_err(|_| {
                        let message = format!("there is no tag category {}", category.id);
                        ApiError::property("category.id", message)
                    })?;
                    Some(known.id)
                }
                None => None,
            };
            let tag = Tag {
                id: tx.next_id("tag"),
                name,
                description: sent.description,
                category_id,
                create_time: tx.now,
                update_time: tx.now,
            };
            tx.log(Draft {
                op: "create_tag",
                tag_id: Some(tag.id.to_string()),
                fields: Some(json!({ "name": tag.name })),
                changed: true,
                ..Draft::default()
            });
            let shown = show(&tag);
            tx.put(Record::Tag(tag));
            Ok(shown)
        },
        |_, shown| (StatusCode::CREATED, Json(shown)),
    )
}

pub(super) async fn get(Ctx(keap): Ctx<Keap>, Path(tag_id): Path<String>) -> Result<Json<Value>, ApiError> {
    keap.read(|state| Ok(Json(show(state.tag(&tag_id)?))))
}

fn show_category(category: &TagCategory) -> Value {
    with_present(
        json!({
            "id": category.id.to_string(),
            "name": category.name,
            "create_time": category.create_time,
            "update_time": category.update_time,
        }),
        [("description", category.description.clone().map(Value::String))],
    )
}

pub(super) async fn list_categories(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 1000,
        orders: &["name", "create_time", "update_time"],
    };
    let page = Page::read(&params, &bounds)?;
    let tests = category_tests(params.get("filter"))?;
    keap.read(|state| {
        let rows = state
            .tag_categories
            .values()
            .filter(|category| tests.iter().all(|holds| holds(category)))
            .map(|category| {
                let key = match page.order() {
                    "create_time" => category.create_time.to_string(),
                    "update_time" => category.update_time.to_string(),
                    _ => category.name.to_lowercase(),
                };
                (key, category.id, show_category(category))
            })
            .collect();
        let (categories, next_page_token) = page.cut(rows);
        Ok(Json(
            json!({ "tag_categories": categories, "next_page_token": next_page_token }),
        ))
    })
}

fn category_tests(text: Option<&str>) -> Result<Vec<Test<TagCategory>>, ApiError> {
    filter::parse(text)?
        .iter()
        .map(|condition| {
            let test: Test<TagCategory> = match condition.field.as_str() {
                "name" => {
                    let holds = condition.text_or_none()?;
                    Box::new(move |it: &TagCategory| holds(Some(&it.name)))
                }
                "description" => {
                    let holds = condition.text_or_none()?;
                    Box::new(move |it| holds(it.description.as_deref()))
                }
                _ => return Err(condition.unknown_field()),
            };
            Ok(test)
        })
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCategory {
    name: Option<String>,
    description: Option<String>,
}

pub(super) async fn create_category(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: NewCategory = body(&bytes)?;
    let name = required_name(sent.name)?;
    keap.write(
        &request_id,
        |tx| {
            let mut categories = tx.state.tag_categories.values();
            if categories.any(|it| it.name.to_lowercase() == name.to_lowercase()) {
                let message = format!("A tag category named `{name}` exists already");
                return Err(ApiError::conflict(message));
            }
            let category = TagCategory {
                id: tx.next_id("tag_category"),
                name,
                description: sent.description,
                create_time: tx.now,
                update_time: tx.now,
            };
            tx.log(Draft {
                op: "create_tag_category",
                fields: Some(json!({ "name": category.name })),
                changed: true,
                ..Draft::default()
            });
            let shown = show_category(&category);
            tx.put(Record::TagCategory(category));
            Ok(shown)
        },
        |_, shown| (StatusCode::CREATED, Json(shown)),
    )
}

pub(super) async fn get_category(
    Ctx(keap): Ctx<Keap>,
    Path(category_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    keap.read(|state| {
        let category = find(&state.tag_categories, "tag category", &category_id)?;
        Ok(Json(show_category(category)))
    })
}

pub(super) async fn contacts(
    Ctx(keap): Ctx<Keap>,
    Path(tag_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 1000,
        orders: &["applied_time", "given_name", "family_name", "email"],
    };
    let page = Page::read(&params, &bounds)?;
    keap.read(|state| {
        let tag_id = state.tag(&tag_id)?.id;
        let tests = tagged_tests(params.get("filter"), tag_id)?;
        let rows = state
            .contacts
            .values()
            .filter(|contact| contact.tags.contains_key(&tag_id))
            .filter(|contact| tests.iter().all(|holds| holds(contact)))
            .map(|contact| {
                let key = match page.order() {
                    "applied_time" => contact.tags[&tag_id].to_string(),
                    "email" => contact.emails().next().unwrap_or_default().to_lowercase(),
                    name => contact.text(name).unwrap_or_default().to_lowercase(),
                };
                (key, contact.id, show_tagged(contact, tag_id))
            })
            .collect();
        let (contacts, next_page_token) = page.cut(rows);
        Ok(Json(
            json!({ "contacts": contacts, "next_page_token": next_page_token }),
        ))
    })
}

fn show_tagged(contact: &Contact, tag_id: u64) -> Value {
    with_present(
        json!({ "id": contact.id.to_string(), "applied_time": contact.tags[&tag_id] }),
        [
            ("email", contact.emails().next().map(Value::from)),
            ("given_name", contact.text("given_name").map(Value::from)),
            ("family_name", contact.text("family_name").map(Value::from)),
        ],
    )
}

fn tagged_tests(text: Option<&str>, tag_id: u64) -> Result<Vec<Test<Contact>>, ApiError> {
    filter::parse(text)?
        .iter()
        .map(|condition| {
            let field = condition.field.clone();
            let test: Test<Contact> = match field.as_str() {
                "given_name" | "family_name" => {
                    let holds = condition.text_or_none()?;
                    Box::new(move |contact: &Contact| holds(contact.text(&field)))
                }
                "email" => {
                    let holds = condition.text_or_none()?;
                    Box::new(move |contact| holds(contact.emails().next()))
                }
                "since_applied_time" => {
                    let since = condition.time()?;
                    Box::new(move |contact| contact.tags[&tag_id].0 >= since)
                }
                "until_applied_time" => {
                    let until = condition.time()?;
                    Box::new(move |contact| contact.tags[&tag_id].0 <= until)
                }
                _ => return Err(condition.unknown_field()),
            };
            Ok(test)
        })
        .collect()
}

pub(super) async fn of_contact(
    Ctx(keap): Ctx<Keap>,
    Path(contact_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 1000,
        orders: &["applied_time", "name", "create_time", "update_time", "category_id"],
    };
    let page = Page::read(&params, &bounds)?;
    let tests = tests(params.get("filter"))?;
    keap.read(|state| {
        let contact = state.contact(&contact_id)?;
        let rows = contact
            .tags
            .iter()
            .filter_map(|(id, applied)| Some((state.tags.get(id)?, applied)))
            .filter(|(tag, _)| tests.iter().all(|holds| holds(tag)))
            .map(|(tag, applied)| {
                let key = match page.order() {
                    "applied_time" => applied.to_string(),
                    "category_id" => format!("{:020}", tag.category_id.unwrap_or_default()),
                    order => sort_key(order, tag),
                };
                (key, tag.id, json!({ "tag": show(tag), "applied_time": applied }))
            })
            .collect();
        let (tags, next_page_token) = page.cut(rows);
        Ok(Json(json!({ "tags": tags, "next_page_token": next_page_token })))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contacts {
    contact_ids: Vec<String>,
}

/// Contacts that exist are tagged, whatever becomes of the others; the map tells them apart.
pub(super) async fn apply(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path(tag_id): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let Contacts { contact_ids } = body(&bytes)?;
    keap.write(
        &request_id,
        |tx| {
            let tag = tx.state.tag(&tag_id)?.id;
            let mut results = serde_json::Map::new();
            for id in contact_ids.into_iter().collect::<BTreeSet<_>>() {
                let result = match tx.state.contact(&id) {
                    Err(_) => "CONTACT_DOES_NOT_EXIST",
                    Ok(contact) => {
                        let new = !contact.tags.contains_key(&tag);
                        tx.log_tag("apply_tag", &id, tag, new);
                        if new {
                            let mut contact = contact.clone();
                            contact.tags.insert(tag, tx.now);
                            contact.update_time = tx.now;
                            tx.put(Record::Contact(contact));
                        }
                        if new { "SUCCESS" } else { "DUPLICATE" }
                    }
                };
                results.insert(id, result.into());
            }
            Ok(results)
        },
        |_, results| Json(json!({ "results": results })),
    )
}

pub(super) async fn remove(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    Path(tag_id): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let Contacts { contact_ids } = body(&bytes)?;
    keap.write(
        &request_id,
        |tx| {
            let tag = tx.state.tag(&tag_id)?.id;
            for id in contact_ids.into_iter().collect::<BTreeSet<_>>() {
                let Ok(contact) = tx.state.contact(&id) else {
                    continue;
                };
                let had = contact.tags.contains_key(&tag);
                tx.log_tag("remove_tag", &id, tag, had);
                if had {
                    let mut contact = contact.clone();
                    contact.tags.remove(&tag);
                    contact.update_time = tx.now;
                    tx.put(Record::Contact(contact));
                }
            }
            Ok(())
        },
        |_, ()| StatusCode::NO_CONTENT,
    )
}
