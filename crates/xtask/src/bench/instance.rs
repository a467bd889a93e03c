//! A platform to measure: the release binary on a folder and a port of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use mfh_simulators::keap::PERSONAL_ACCESS_TOKEN;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The user of the demo account.
const EMAIL: &str = "demo@example.com";
const PASSWORD: &str = "Demo-2026";

/// The unit of processor times, which is the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// A running `mfh`; stops when it is dropped.
pub(super) struct Instance {
    pub url: String,
    pub client: Client,
    token: String,
    api_key: String,
    helper_id: String,
    short_key: String,
    process: Child,
    // `mfh` must not find its output closed.
    _output: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It has ended already where this fails.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

impl Instance {
    /// Starts the platform and signs the demo user in.
    pub async fn start(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut process = Command::new(binary)
            .args(["serve", "--port", "0", "--no-burst-limits", "--data-dir"])
            .arg(folder.path())
            // A line for each request would be measured too.
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let output = process.stdout.take().context("the output of mfh is read")?;
        let mut output = BufReader::new(output);
        let url = greeting(&mut output)?;
        let demo: Value = serde_json::from_slice(&std::fs::read(folder.path().join("demo.json"))?)?;
        let client = Client::builder().timeout(Duration::from_secs(60)).build()?;
        let user = json!({ "email": EMAIL, "password": PASSWORD });
        let login = send(client.post(format!("{url}/auth/login")).json(&user)).await?;
        let mut instance = Self {
            url,
            client,
            token: text(&login, "/data/token")?,
            api_key: text(&demo, "/api_key")?,
            helper_id: String::new(),
            short_key: text(&demo, "/tag_short_key")?,
            process,
            _output: output,
            _folder: folder,
        };
        let helper = instance.get(&format!("/helpers/{}", instance.short_key)).await?;
        instance.helper_id = text(&helper, "/data/helper_id")?;
        Ok(instance)
    }

    /// The ids of this many contacts of the simulated CRM; those it does not begin with are made through its API.
    pub async fn contacts(&self, count: u32) -> anyhow::Result<Vec<String>> {
        let url = format!("{}/_sim/keap/rest/v2/contacts", self.url);
        let list = self.client.get(&url).query(&[("page_size", 1000)]);
        let known = send(list.bearer_auth(PERSONAL_ACCESS_TOKEN)).await?;
        let known = known["contacts"]
            .as_array()
            .context("the simulated CRM lists its contacts")?;
        let mut ids = known
            .iter()
            .map(|contact| text(contact, "/id"))
            .collect::<anyhow::Result<Vec<_>>>()?;
        ids.truncate(count as usize);
        for n in ids.len()..count as usize {
            let address = format!("bench{n}@example.com");
            let contact = json!({
                "given_name": "Bench", "family_name": n.to_string(),
                "email_addresses": [{ "email": address, "field": "EMAIL1" }],
            });
            let answer = send(self.client.post(&url).bearer_auth(PERSONAL_ACCESS_TOKEN).json(&contact)).await?;
            ids.push(text(&answer, "/id")?);
        }
        Ok(ids)
    }

    /// Processor time that the platform has used; none where the system does not tell.
    pub fn processor_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        // The name of the program, in parentheses, may hold blanks; user and system time are the 12th and 13th after it.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut ticks = rest.split_whitespace().skip(11).map(str::parse::<u64>);
        let used = ticks.next()?.ok()? + ticks.next()?.ok()?;
        Some(TICK * u32::try_from(used).ok()?)
    }

    /// Runs the tagging helper on a contact by API key; the id of the execution.
    pub async fn trigger(&self, contact: &str) -> anyhow::Result<String> {
        let request = self
            .client
            .post(format!("{}/helper/{}/execute", self.url, self.short_key))
            .header("x-api-key", &self.api_key);
        let answer = send(request.json(&json!({ "contact_id": contact }))).await?;
        text(&answer, "/data/execution_id")
    }

    /// Asks the API as the demo user.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.client.request(Method::GET, format!("{}{path}", self.url));
        send(request.bearer_auth(&self.token)).await
    }

    /// How many executions of the helper have ended: counted in the transaction that ends an execution.
    pub async fn ended(&self) -> anyhow::Result<u64> {
        let helper = self.get(&format!("/helpers/{}", self.helper_id)).await?;
        helper["data"]["execution_count"]
            .as_u64()
            .context("a helper has a count of executions")
    }

    /// Fails unless every execution of the helper completed.
    pub async fn expect_all_completed(&self) -> anyhow::Result<()> {
        for status in ["pending", "waiting", "running", "failed", "cancelled"] {
            let path = format!("/executions?helper_id={}&status={status}&limit=1", self.helper_id);
            let answer = self.get(&path).await?;
            let found = answer["data"]["executions"]
                .as_array()
                .or_else(|| answer["data"].as_array());
            let found = found.with_context(|| format!("{path} answered no list: {answer}"))?;
            ensure!(found.is_empty(), "an execution did not complete: {}", found[0]);
        }
        Ok(())
    }
}

/// Reads what `mfh` prints until it is ready; its address.
fn greeting(output: &mut impl BufRead) -> anyhow::Result<String> {
    let mut url = None;
    for line in output.lines() {
        let line = line?;
        if let Some(address) = line.strip_prefix("MyFusion Helper runs at ") {
            url = Some(address.trim().to_owned());
        }
        if line.starts_with("Ctrl-C") {
            return url.context("mfh did not say where it listens");
        }
    }
    bail!("mfh ended before it was ready")
}

async fn send(request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let (status, url) = (answer.status(), answer.url().path().to_owned());
    let body = answer.text().await?;
    ensure!(status.is_success(), "{url} answered {status}: {body}");
    Ok(serde_json::from_str(&body)?)
}

fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("an answer has no {pointer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_known_when_the_greeting_is_over() {
        let printed = "\nMyFusion Helper runs at http://127.0.0.1:4711\n\n  AWS tools  x\n\nCtrl-C stops it; the data stays.\nmore";
        assert_eq!(greeting(&mut printed.as_bytes()).unwrap(), "http://127.0.0.1:4711");
        let cut = "MyFusion Helper runs at http://127.0.0.1:4711\n";
        assert!(
            greeting(&mut cut.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("before it was ready")
        );
    }
}
