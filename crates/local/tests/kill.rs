//! Accepted means done exactly once: `mfh` is killed again and again under load, and the CRM looks as if nothing had
//! happened.
//!
//! `MFH_KILL_EXECUTIONS`, `MFH_KILLS` and `MFH_KILL_SEED` make it longer or different.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;

use futures::future::{join, join_all};
use mfh_local::demo::{Demo, EMAIL, PASSWORD};
use mfh_types::{Random, SeededRandom};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::watch;

const CONTACTS: usize = 40;

/// The tag that runs put on and take off.
const TOGGLED: &str = "118";

/// The tag that runs clear.
const CLEARED: &str = "119";

/// Scores that a contact gets in turn, so that no two that follow each other are the same.
const SCORES: [&str; 5] = ["1001", "1002", "1003", "1004", "1005"];

/// What a run does to its contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Job {
    /// Writes one of [`SCORES`].
    Score(usize),
    Apply,
    Remove,
    Group,
    Clear,
    Count,
}

impl Job {
    fn all() -> impl Iterator<Item = Self> {
        let others = [Self::Apply, Self::Remove, Self::Group, Self::Clear, Self::Count];
        (0..SCORES.len()).map(Self::Score).chain(others)
    }

    fn helper(self) -> (&'static str, Value) {
        match self {
            Self::Score(which) => {
                let rule = json!({ "tag_id": "999999", "has_tag": false, "points": SCORES[which] });
                ("score_it", json!({ "rules": [rule], "target_field": "_LeadScore" }))
            }
            Self::Apply => ("tag_it", json!({ "action": "apply", "tag_ids": [TOGGLED] })),
            Self::Remove => ("tag_it", json!({ "action": "remove", "tag_ids": [TOGGLED] })),
            Self::Group => ("group_it", json!({ "field": "job_title", "tag_prefix": "Job: " })),
            Self::Clear => ("clear_tags", json!({ "mode": "specific", "tag_ids": [CLEARED] })),
            Self::Count => ("count_tags", json!({ "target_field": "_TagCount" })),
        }
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The jobs of each contact in the order in which they are asked for.
fn plan(executions: usize, random: &dyn Random) -> BTreeMap<String, Vec<Job>> {
    let mut plan: BTreeMap<String, Vec<Job>> = BTreeMap::new();
    for index in 0..executions {
        let jobs = plan.entry((1001 + index % CONTACTS).to_string()).or_default();
        let scores = jobs.iter().filter(|job| matches!(job, Job::Score(_))).count();
        jobs.push(match below(random, 10) {
            0..4 => Job::Score(scores % SCORES.len()),
            4 | 5 => Job::Apply,
            6 => Job::Remove,
            7 => Job::Group,
            8 => Job::Clear,
            _ => Job::Count,
        });
    }
    plan
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
fn below(random: &dyn Random, end: usize) -> usize {
    (random.fraction() * end as f64) as usize
}

/// The program under test with its address and folder, which outlive its deaths.
struct Mfh<'a> {
    folder: &'a Path,
    port: u16,
    client: Client,
}

impl Mfh<'_> {
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts the program and waits until it answers.
    async fn start(&self) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mfh"))
            .arg("--data-dir")
            .arg(self.folder.join("data"))
            .args(["--port", &self.port.to_string(), "--no-burst-limits"])
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        support::until(async || {
            assert_eq!(child.try_wait().unwrap(), None, "{}", self.log());
            let answer = self.client.get(self.url("/health")).send().await;
            answer.map_err(|_| format!("mfh does not start: {}", self.log()))
        })
        .await;
        child
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Sends a request until it is answered, as a careful client does: a lost answer and 503 are repeated.
    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (StatusCode, Value) {
        let lost = |error: reqwest::Error| format!("{method} {path} is not answered: {error}: {}", self.log());
        support::until(async || {
            let mut request = self.client.request(method.parse().unwrap(), self.url(path));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if !body.is_null() {
                request = request.json(body);
            }
            let answer = request.send().await.map_err(lost)?;
            let status = answer.status();
            let body = answer.json().await.map_err(lost)?;
            if status == StatusCode::SERVICE_UNAVAILABLE {
                return Err(format!("{method} {path} is unavailable: {body}"));
            }
            Ok((status, body))
        })
        .await
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        let bearer = format!("Bearer {token}");
        let (status, answer) = self
            .call("GET", path, &[("authorization", &bearer)], &Value::Null)
            .await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Everything in the simulated CRM.
    async fn crm(&self) -> Crm {
        let (_, state) = self.call("GET", "/_sim/keap/_state", &[], &Value::Null).await;
        let (_, log) = self.call("GET", "/_sim/keap/_log", &[], &Value::Null).await;
        let writes = log.as_array().or_else(|| log["writes"].as_array()).unwrap().clone();
        Crm { state, writes }
    }
}

/// What the CRM holds, and the writes that it applied.
struct Crm {
    state: Value,
    writes: Vec<Value>,
}

impl Crm {
    fn contact(&self, id: &str) -> &Value {
        let mut contacts = self.state["contacts"].as_array().unwrap().iter();
        contacts.find(|contact| contact["id"] == id).unwrap()
    }

    fn tag_name(&self, id: &str) -> &str {
        let mut tags = self.state["tags"].as_array().unwrap().iter();
        tags.find(|tag| tag["id"] == id).unwrap()["name"].as_str().unwrap()
    }

    /// The writes to a contact, in order.
    fn writes_to<'a>(&'a self, contact: &'a str) -> impl Iterator<Item = &'a Value> {
        self.writes.iter().filter(move |write| write["contact_id"] == contact)
    }
}

/// The contact as it must be after its jobs: all but the count of its tags, which depends on when it was counted.
fn expected_contact(before: &Crm, id: &str, jobs: &[Job]) -> Value {
    let mut contact = before.contact(id).clone();
    let mut tags = tags_of(&contact);
    for job in jobs {
        match job {
            Job::Score(which) => contact["custom_fields"]["_LeadScore"] = json!(SCORES[*which]),
            Job::Apply => drop(tags.insert(before.tag_name(TOGGLED).to_owned())),
            Job::Remove => drop(tags.remove(before.tag_name(TOGGLED))),
            Job::Clear => drop(tags.remove(before.tag_name(CLEARED))),
            Job::Group => {
                if let Some(title) = contact["job_title"].as_str().filter(|title| !title.is_empty()) {
                    tags.insert(format!("Job: {title}"));
                }
            }
            Job::Count => {}
        }
    }
    contact["tags"] = json!(tags);
    comparable(contact)
}

fn tags_of(contact: &Value) -> BTreeSet<String> {
    contact["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag.as_str().unwrap().to_owned())
        .collect()
}

/// The contact with sorted tags and without what tells times; scores as text.
fn comparable(mut contact: Value) -> Value {
    contact["tags"] = json!(tags_of(&contact));
    contact["custom_fields"]["_LeadScore"] = json!(text(&contact["custom_fields"]["_LeadScore"]));
    contact["custom_fields"].as_object_mut().unwrap().remove("_TagCount");
    contact.as_object_mut().unwrap().remove("update_time");
    contact
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The scores that a contact had after its first one, in order. A write carries all custom fields, so that the same
/// score may be written again; an older one may not.
fn scores_seen(before: &Crm, after: &Crm, contact: &str) -> Vec<String> {
    let first = &before.contact(contact)["custom_fields"]["_LeadScore"];
    let written = after
        .writes_to(contact)
        .filter_map(|write| write.pointer("/fields/custom_fields/_LeadScore"));
    let mut scores: Vec<_> = [first].into_iter().chain(written).map(text).collect();
    scores.dedup();
    scores.split_off(1)
}

fn scores_asked_for(jobs: &[Job]) -> Vec<String> {
    jobs.iter()
        .filter_map(|job| {
            if let Job::Score(which) = job {
                Some(SCORES[*which].to_owned())
            } else {
                None
            }
        })
        .collect()
}

/// How the toggled tag changed on a contact, in order; writes that changed nothing do not count.
fn toggles_seen(crm: &Crm, contact: &str) -> Vec<String> {
    let toggles = crm
        .writes_to(contact)
        .filter(|write| write["tag_id"] == TOGGLED && write["changed"] == true);
    toggles.map(|write| write["op"].as_str().unwrap().to_owned()).collect()
}

fn toggles_expected(before: &Crm, contact: &str, jobs: &[Job]) -> Vec<String> {
    let mut has_it = tags_of(before.contact(contact)).contains(before.tag_name(TOGGLED));
    let mut toggles = Vec::new();
    for job in jobs {
        match job {
            Job::Apply if !has_it => toggles.push("apply_tag".to_owned()),
            Job::Remove if has_it => toggles.push("remove_tag".to_owned()),
            _ => continue,
        }
        has_it = !has_it;
    }
    toggles
}

/// A load of executions, and what of it was accepted.
struct Load<'a> {
    mfh: &'a Mfh<'a>,
    api_key: String,
    short_keys: BTreeMap<Job, String>,
    plan: BTreeMap<String, Vec<Job>>,
    accepted: watch::Sender<usize>,
}

impl Load<'_> {
    fn size(&self) -> usize {
        self.plan.values().map(Vec::len).sum()
    }

    /// Asks for everything: contacts side by side, the jobs of one contact in their order. The executions' ids.
    async fn run(&self) -> Vec<String> {
        join_all(self.plan.iter().map(|(contact, jobs)| self.run_contact(contact, jobs)))
            .await
            .concat()
    }

    async fn run_contact(&self, contact: &str, jobs: &[Job]) -> Vec<String> {
        let mut ids = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let path = format!("/helper/{}/execute", self.short_keys[job]);
            let key = format!("{contact}-{index}");
            let headers = [("x-api-key", self.api_key.as_str()), ("idempotency-key", key.as_str())];
            let (status, answer) = self
                .mfh
                .call("POST", &path, &headers, &json!({ "contact_id": contact }))
                .await;
            assert_eq!(status, 202, "{answer}");
            ids.push(answer["data"]["execution_id"].as_str().unwrap().to_owned());
            self.accepted.send_modify(|accepted| *accepted += 1);
        }
        ids
    }

    /// Kills the program at `kills` random moments, the last of them when everything is accepted, and starts it again.
    async fn kill(&self, mut child: Child, kills: usize, random: &dyn Random) -> Child {
        let mut moments: Vec<_> = (1..kills)
            .map(|_| below(random, self.size()))
            .chain([self.size()])
            .take(kills)
            .collect();
        moments.sort_unstable();
        for moment in moments {
            let mut accepted = self.accepted.subscribe();
            accepted.wait_for(|accepted| *accepted >= moment).await.unwrap();
            // A while of its own time: that of a few answers.
            for _ in 0..below(random, 60) {
                self.mfh.call("GET", "/health", &[], &Value::Null).await;
            }
            child.kill().await.unwrap();
            child = self.mfh.start().await;
        }
        child
    }

    /// Waits until every execution has ended; those that did not complete.
    async fn failures(&self, ids: &[String], token: &str) -> Vec<Value> {
        let mut failures = Vec::new();
        for id in ids {
            let ended = support::until(async || {
                let execution = self.mfh.get(&format!("/executions/{id}"), token).await["data"].take();
                match execution["status"].as_str() {
                    Some("completed" | "failed" | "cancelled") => Ok(execution),
                    _ => Err(format!("stuck: {execution}\n{}", self.mfh.log())),
                }
            });
            let ended = ended.await;
            if ended["status"] != "completed" {
                failures.push(ended);
            }
        }
        failures
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_execution_is_done_exactly_once_however_often_the_platform_is_killed() {
    let (executions, kills) = (setting("MFH_KILL_EXECUTIONS", 200), setting("MFH_KILLS", 6));
    let random = SeededRandom::new(setting("MFH_KILL_SEED", 1) as u64);
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mfh = Mfh {
        folder: folder.path(),
        port,
        client: Client::new(),
    };
    let child = mfh.start().await;
    let (token, api_key, short_keys) = prepare(&mfh).await;
    let before = mfh.crm().await;
    let plan = plan(executions, &random);
    let load = Load {
        mfh: &mfh,
        api_key,
        short_keys,
        plan,
        accepted: watch::Sender::new(0),
    };

    let (ids, _child) = join(load.run(), load.kill(child, kills, &random)).await;
    assert_eq!(
        ids.iter().collect::<BTreeSet<_>>().len(),
        executions,
        "each request is an execution of its own"
    );
    let failures = load.failures(&ids, &token).await;
    assert!(
        failures.is_empty(),
        "{} of {executions} did not complete: {:#}",
        failures.len(),
        json!(failures)
    );

    let after = mfh.crm().await;
    for (contact, jobs) in &load.plan {
        let found = comparable(after.contact(contact).clone());
        assert_eq!(
            found,
            expected_contact(&before, contact, jobs),
            "{contact} after {jobs:?}"
        );
        assert_eq!(
            scores_seen(&before, &after, contact),
            scores_asked_for(jobs),
            "order of the scores of {contact}"
        );
        assert_eq!(
            toggles_seen(&after, contact),
            toggles_expected(&before, contact, jobs),
            "toggles of {contact}"
        );
    }
    let contacts: BTreeSet<_> = after
        .writes
        .iter()
        .filter_map(|write| write["contact_id"].as_str())
        .collect();
    assert!(
        contacts.iter().all(|contact| load.plan.contains_key(*contact)),
        "{contacts:?}"
    );
    let names: Vec<_> = after.state["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].to_string())
        .collect();
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>().len(),
        names.len(),
        "no group's tag was made twice"
    );
    let stats = mfh.get("/executions/stats", &token).await;
    assert_eq!(stats["data"]["summary"]["completed"], json!(executions), "{stats}");
}

/// Signs in and makes the helpers: an access token, an API key and the short key of each job's helper.
async fn prepare(mfh: &Mfh<'_>) -> (String, String, BTreeMap<Job, String>) {
    // The demo account is made after the program begins to answer.
    let demo_file = mfh.folder.join("data/demo.json");
    let demo: Demo = support::until(async || {
        let bytes = std::fs::read(&demo_file).map_err(|error| format!("no demo account: {error}: {}", mfh.log()))?;
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    })
    .await;
    let (_, login) = mfh
        .call(
            "POST",
            "/auth/login",
            &[],
            &json!({ "email": EMAIL, "password": PASSWORD }),
        )
        .await;
    let token = login["data"]["token"].as_str().unwrap().to_owned();
    let connections = mfh.get("/platform-connections", &token).await;
    let connection = connections["data"][0]["connection_id"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let mut short_keys = BTreeMap::new();
    for job in Job::all() {
        let (helper_type, config) = job.helper();
        let body = json!({
            "name": format!("{job:?}"), "helper_type": helper_type, "connection_id": connection, "config": config,
        });
        let (status, helper) = mfh.call("POST", "/helpers", &[("authorization", &bearer)], &body).await;
        assert_eq!(status, 201, "{helper}");
        short_keys.insert(job, helper["data"]["short_key"].as_str().unwrap().to_owned());
    }
    (token, demo.api_key, short_keys)
}
