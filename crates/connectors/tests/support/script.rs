//! A connector in front of a server that answers by a script.

use std::collections::BTreeMap;
use std::sync::Arc;

use mfh_connectors::Connector;
use serde_json::Value;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::World;

/// The server, and the connector that is tested.
pub struct Scripted {
    pub server: MockServer,
    pub crm: Arc<dyn Connector>,
    pub world: World,
}

impl Scripted {
    /// A server without answers yet; `connect` makes the connector to its address.
    pub async fn silent(connect: impl FnOnce(&World, &str) -> Arc<dyn Connector>) -> Self {
        let server = MockServer::start().await;
        let world = World::new();
        let crm = connect(&world, &server.uri());
        Self { server, crm, world }
    }

    /// Answers this method and path; the path may end in one query parameter, as `/object?objectID=14`.
    pub async fn answer(&self, verb: &str, at: &str, template: ResponseTemplate) {
        let (at, query) = at.split_once('?').unwrap_or((at, ""));
        let mut mock = Mock::given(method(verb)).and(path(at));
        if let Some((name, value)) = query.split_once('=') {
            mock = mock.and(query_param(name, value));
        }
        mock.respond_with(template).mount(&self.server).await;
    }

    /// Answers with status 200 and this body.
    pub async fn say(&self, verb: &str, at: &str, body: &Value) {
        self.answer(verb, at, ResponseTemplate::new(200).set_body_json(body))
            .await;
    }

    /// The requests so far.
    pub async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    /// The requests so far as `METHOD path`, in order.
    pub async fn calls(&self) -> Vec<String> {
        let requests = self.requests().await;
        let call = |sent: &Request| format!("{} {}", sent.method, sent.url.path());
        requests.iter().map(call).collect()
    }

    /// Query and body of the last request.
    pub async fn last(&self) -> (BTreeMap<String, String>, Value) {
        let requests = self.requests().await;
        let sent = requests.last().unwrap();
        (query(sent), serde_json::from_slice(&sent.body).unwrap_or_default())
    }
}

/// The query of a request.
pub fn query(sent: &Request) -> BTreeMap<String, String> {
    sent.url.query_pairs().into_owned().collect()
}
