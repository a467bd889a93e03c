//! `/users` and who the token belongs to.

use axum::Json;
use axum::extract::{Path, RawQuery, State as Ctx};
use serde_json::{Value, json};

use crate::keap::error::ApiError;
use crate::keap::filter;
use crate::keap::params::{Bounds, Page, Params};
use crate::keap::state::User;
use crate::keap::{Keap, TENANT_ID};

type Test = Box<dyn Fn(&User) -> bool>;

fn show(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "given_name": user.given_name,
        "family_name": user.family_name,
        "email_addresses": [{ "email": user.email, "field": "EMAIL1" }],
        "phone_numbers": [],
        "admin": user.admin,
        "partner": false,
        "status": if user.active { "ACTIVE" } else { "INACTIVE" },
        "global_user_id": format!("usr_{}", user.id),
        "keap_id": user.email,
        "create_time": user.create_time,
        "update_time": user.create_time,
    })
}

pub(super) async fn list(Ctx(keap): Ctx<Keap>, RawQuery(query): RawQuery) -> Result<Json<Value>, ApiError> {
    let params = Params::parse(query.as_deref());
    let bounds = Bounds {
        max: 100,
        orders: &["name", "create_time", "email"],
    };
    let page = Page::read(&params, &bounds)?;
    let (tests, inactive_too) = tests(params.get("filter"))?;
    keap.read(|state| {
        let rows = state
            .users
            .iter()
            .filter(|user| user.active || inactive_too)
            .filter(|user| tests.iter().all(|holds| holds(user)))
            .map(|user| {
                let key = match page.order() {
                    "email" => user.email.to_owned(),
                    "create_time" => user.create_time.to_string(),
                    _ => user.family_name.to_lowercase(),
                };
                (key, user.id, show(user))
            })
            .collect();
        let (users, next_page_token) = page.cut(rows);
        Ok(Json(json!({ "users": users, "next_page_token": next_page_token })))
    })
}

/// The tests, and whether users that cannot log in are wanted as well.
fn tests(text: Option<&str>) -> Result<(Vec<Test>, bool), ApiError> {
    let mut tests: Vec<Test> = Vec::new();
    let mut inactive_too = false;
    for condition in filter::parse(text)? {
        match condition.field.as_str() {
            "email" => {
                let holds = condition.text()?;
                tests.push(Box::new(move |user| holds(user.email)));
            }
            "given_name" => {
                let holds = condition.text()?;
                tests.push(Box::new(move |user| holds(user.given_name)));
            }
            "user_ids" => {
                let ids = condition.ids()?;
                tests.push(Box::new(move |user| ids.contains(&user.id)));
            }
            "include_inactive" => inactive_too = condition.text()?("true"),
            // There are no partners to include.
            "include_partners" => drop(condition.text()?),
            _ => return Err(condition.unknown_field()),
        }
    }
    Ok((tests, inactive_too))
}

pub(super) async fn get(Ctx(keap): Ctx<Keap>, Path(user_id): Path<String>) -> Result<Json<Value>, ApiError> {
    keap.read(|state| Ok(Json(show(state.user(&user_id)?))))
}

/// The first user is the one who connected.
pub(super) async fn userinfo(Ctx(keap): Ctx<Keap>) -> Result<Json<Value>, ApiError> {
    keap.read(|state| {
        let user = state.user("1")?;
        Ok(Json(json!({
            "sub": "900001",
            "id": "900001",
            "email": user.email,
            "keap_id": user.email,
            "given_name": user.given_name,
            "family_name": user.family_name,
            "is_admin": user.admin,
            "tenant_id": TENANT_ID,
        })))
    })
}
