//! A tenant sees only its own: a foreign id answers exactly like a missing one, and nobody gets in without proof.
//!
//! The routes come from the API's description, so that a new one is covered or fails here.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::belongings::{Belongings, PathValue};
use support::description::{Description, Operation};
use support::{Tenant, World};

/// The routes that nobody needs to sign in for, beside the health routes.
const PUBLIC: [&str; 8] = [
    "POST /auth/register",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/new-password",
    "POST /auth/mfa",
    "POST /auth/forgot-password",
    "POST /auth/reset-password",
    "GET /platforms/oauth/callback",
];

/// Two tenants of one world, each with one thing of every kind.
struct Neighbours<'a> {
    world: &'a World,
    ada: Tenant<'a>,
    bob: Tenant<'a>,
    of_ada: Belongings,
    of_bob: Belongings,
}

impl<'a> Neighbours<'a> {
    async fn of(world: &'a World) -> Self {
        let (ada, bob) = (world.tenant("ada").await, world.tenant("bob").await);
        let (of_ada, of_bob) = (Belongings::of(&ada).await, Belongings::of(&bob).await);
        Self {
            world,
            ada,
            bob,
            of_ada,
            of_bob,
        }
    }

    /// What Bob is answered; the request id, which differs by nature, is left out.
    async fn asked_by_bob(&self, operation: &Operation<'_>, path: &str, body: &Value) -> (u16, Value) {
        let headers = self.of_bob.headers(operation, &self.bob.token);
        let (status, mut answer) = self.world.send(&operation.method, path, &headers, body.clone()).await;
        if let Some(answer) = answer.as_object_mut() {
            answer.remove("request_id");
        }
        (status, answer)
    }

    /// Everything of Ada's that Bob might have changed.
    async fn state_of_ada(&self) -> Vec<Value> {
        let mine = &self.of_ada;
        let mut state = Vec::new();
        for path in [
            format!("/helpers/{}", mine.helper_id),
            format!("/executions/{}", mine.execution_id),
            format!("/platforms/keap/connections/{}", mine.connection_id),
            "/helpers".to_owned(),
            "/executions".to_owned(),
            "/platform-connections".to_owned(),
            "/api-keys".to_owned(),
            "/auth/status".to_owned(),
        ] {
            let (status, answer) = self.ada.call("GET", &path, Value::Null).await;
            assert_eq!(status, 200, "{path}: {answer}");
            state.push(answer);
        }
        state
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_id_in_the_path_answers_exactly_like_a_missing_one() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let neighbours = Neighbours::of(&world).await;
    let before = (neighbours.state_of_ada().await, world.writes().await.len());
    let mut compared = 0;
    for operation in description.operations() {
        for name in operation.path_names() {
            let PathValue::Owned(spellings) = neighbours.of_ada.path_value(&operation, name) else {
                continue;
            };
            let body = neighbours.of_bob.body(&operation);
            for (foreign, missing) in spellings {
                let path = |id: &str| {
                    let of_bob = |name: &str| neighbours.of_bob.path_value(&operation, name);
                    operation.path_with(|other| match of_bob(other) {
                        _ if other == name => id.to_owned(),
                        PathValue::Owned(spellings) => spellings[0].0.clone(),
                        PathValue::Shared(value) => value.to_owned(),
                        PathValue::ApiKey => neighbours.of_bob.api_key.clone(),
                    })
                };
                let answered = neighbours.asked_by_bob(&operation, &path(&foreign), &body).await;
                let expected = neighbours.asked_by_bob(&operation, &path(&missing), &body).await;
                assert_eq!(answered, expected, "{} with {foreign}", operation.name());
                assert_eq!(answered.0, 404, "{} with {foreign}: {}", operation.name(), answered.1);
                assert_eq!(answered.1["code"], "NOT_FOUND", "{}", operation.name());
                compared += 1;
            }
        }
    }
    assert!(compared >= 30, "only {compared} ids were tried");
    let after = (neighbours.state_of_ada().await, world.writes().await.len());
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_id_in_a_query_or_body_answers_exactly_like_a_missing_one() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let neighbours = Neighbours::of(&world).await;
    let before = neighbours.state_of_ada().await;
    let mut compared = 0;
    for operation in description.operations() {
        let path = neighbours.of_bob.path(&operation);
        let body = neighbours.of_bob.body(&operation);
        for parameter in operation.parameters("query") {
            for (foreign, missing) in neighbours.of_ada.owned(&parameter.name).unwrap_or_default() {
                let with = |id: &str| format!("{path}?{}={id}", parameter.name);
                let answered = neighbours.asked_by_bob(&operation, &with(&foreign), &body).await;
                let expected = neighbours.asked_by_bob(&operation, &with(&missing), &body).await;
                assert_eq!(
                    without_times(answered),
                    without_times(expected),
                    "{} {foreign}",
                    operation.name()
                );
                compared += 1;
            }
        }
        for name in operation.body_properties().keys() {
            for (foreign, missing) in neighbours.of_ada.owned(name).unwrap_or_default() {
                let with = |id: &str| {
                    let mut body = body.clone();
                    body[name] = json!(id);
                    body
                };
                let answered = neighbours.asked_by_bob(&operation, &path, &with(&foreign)).await;
                let expected = neighbours.asked_by_bob(&operation, &path, &with(&missing)).await;
                assert_eq!(answered, expected, "{} with {name} {foreign}", operation.name());
                assert!(
                    (400..500).contains(&answered.0),
                    "{} took {name} {foreign}",
                    operation.name()
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= 10, "only {compared} ids were tried");
    assert_eq!(neighbours.state_of_ada().await, before);
}

/// Statistics name the range that they count, which ends now.
fn without_times((status, mut answer): (u16, Value)) -> (u16, Value) {
    if let Some(data) = answer["data"].as_object_mut() {
        data.retain(|name, _| !matches!(name.as_str(), "from" | "to"));
    }
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_list_shows_what_is_a_neighbours() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let neighbours = Neighbours::of(&world).await;
    let mut seen_own = 0;
    for operation in description.operations() {
        if operation.method != "GET" || operation.security() != Some("bearer") {
            continue;
        }
        let path = neighbours.of_bob.path(&operation);
        // The web app sends this header; it must not open another account.
        let headers = [
            ("authorization", format!("Bearer {}", neighbours.bob.token)),
            ("x-account-context", neighbours.of_ada.account_id.clone()),
        ];
        let (status, answer) = world.send("GET", &path, &headers, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let text = answer.to_string();
        for id in neighbours.of_ada.ids() {
            assert!(!text.contains(id), "{path} shows {id}: {text}");
        }
        seen_own += usize::from(neighbours.of_bob.ids().iter().any(|id| text.contains(id)));
    }
    assert!(
        seen_own >= 8,
        "only {seen_own} answers showed anything of the caller's own"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_that_is_not_public_answers_401_without_proof() {
    let world = World::start().await;
    let description = Description::of(&world).await;
    let tenant = world.tenant("ada").await;
    let mine = Belongings::of(&tenant).await;
    let mut refused = 0;
    for operation in description.operations() {
        let name = operation.name();
        let path = mine.path(&operation);
        let body = mine.body(&operation);
        let attempts: Vec<(String, Vec<(&str, String)>)> = match operation.security() {
            Some("bearer") => vec![
                (path.clone(), vec![]),
                (path.clone(), vec![("authorization", "Bearer".to_owned())]),
                (path.clone(), vec![("authorization", format!("Basic {}", tenant.token))]),
                (
                    path.clone(),
                    vec![("authorization", format!("Bearer {}", mine.api_key))],
                ),
                (path, vec![("x-api-key", mine.api_key.clone())]),
            ],
            Some("api_key") => {
                let bearer = ("authorization", format!("Bearer {}", tenant.token));
                let nobodys = format!("mfh_live_{}", "0".repeat(64));
                if operation.path_names().contains(&"api_key") {
                    let with = |key: &str| path.replace(&mine.api_key, key);
                    // A key in the header does not make up for a wrong one in the path.
                    let header = ("x-api-key", mine.api_key.clone());
                    vec![(with("x"), vec![bearer]), (with(&nobodys), vec![header])]
                } else {
                    vec![(path.clone(), vec![bearer]), (path, vec![("x-api-key", nobodys)])]
                }
            }
            Some(other) => panic!("{name}: unknown security {other}"),
            None => {
                let is_health = operation.method == "GET" && operation.path.ends_with("/health");
                assert!(
                    is_health || PUBLIC.contains(&name.as_str()),
                    "{name} is public; is that meant?"
                );
                continue;
            }
        };
        for (path, headers) in attempts {
            let (status, answer) = world.send(&operation.method, &path, &headers, body.clone()).await;
            assert_eq!(status, 401, "{name}: {answer}");
            assert_eq!(answer["success"], false, "{name}: {answer}");
            assert_eq!(answer["code"], "UNAUTHENTICATED", "{name}: {answer}");
            assert!(
                answer["error"].as_str().is_some_and(|text| !text.is_empty()),
                "{name}: {answer}"
            );
            assert!(
                answer["request_id"].as_str().is_some_and(|id| !id.is_empty()),
                "{name}: {answer}"
            );
            refused += 1;
        }
    }
    assert!(refused >= 100, "only {refused} calls were refused");
}
