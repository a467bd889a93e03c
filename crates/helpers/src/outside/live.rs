//! The network itself.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::{Answer, Broken, LARGEST_ANSWER, Method, Outside, Request};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls services over the network. One of these per process keeps its connections.
#[derive(Debug, Clone)]
pub struct LiveClient(reqwest::Client);

impl LiveClient {
    /// 5 s to connect, no redirects.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new() -> Result<Self, reqwest::Error> {
        mfh_outbound::client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map(Self)
    }
}

#[async_trait]
impl Outside for LiveClient {
    async fn send(&self, request: &Request) -> Result<Answer, Broken> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut call = self.0.request(method, request.expose_url()).timeout(request.timeout);
        for (name, value) in request.expose_headers() {
            call = call.header(name, value);
        }
        if let Some(body) = &request.body {
            call = call.body(body.clone());
        }
        let mut response = call.send().await.map_err(|error| broken(&error))?;
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect::<BTreeMap<_, _>>();
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Broken::Lost)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

fn broken(error: &reqwest::Error) -> Broken {
    if error.is_builder() {
        Broken::Forbidden
    } else if error.is_connect() {
        Broken::NotConnected
    } else {
        Broken::Lost
    }
}
