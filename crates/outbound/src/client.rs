//! One call to a user's host, capped in time and size (`helpers/COMMON` §11).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use crate::resolver::{Lookup, guard, guard_with, is_refusal};
use crate::tls::client_builder;
use crate::user_url::UserUrl;

/// What a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until a connection is made.
    pub connect: Duration,
    /// From beginning to end.
    pub total: Duration,
    /// The longest answer, in bytes.
    pub answer: usize,
}

impl Limits {
    /// 5 s to connect, 15 s in all, 1 MiB.
    pub const CALL: Self = Self {
        connect: Duration::from_secs(5),
        total: Duration::from_secs(15),
        answer: 1024 * 1024,
    };
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: UserUrl,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// An answer of any status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// A call got no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The host has no public address; nothing was sent.
    #[error("the address leads to a network that is not public")]
    NotPublic,
    /// No connection was made; nothing was sent.
    #[error("the host cannot be reached")]
    NotConnected,
    /// The time was over; the host may have acted on the request.
    #[error("the host did not answer in time")]
    TimedOut,
    /// The connection broke; the host may have acted on the request.
    #[error("the connection broke off")]
    Broken,
    /// The answer is longer than allowed; the host has acted on the request.
    #[error("the answer is too long")]
    TooLong,
}

impl SendError {
    /// Whether the host has certainly not seen the request.
    pub fn was_not_sent(self) -> bool {
        matches!(self, Self::NotPublic | Self::NotConnected)
    }
}

/// Calls users' hosts; cheap to clone, connections are shared.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    longest_answer: usize,
}

impl Client {
    /// A client that introduces itself as `user_agent`.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(user_agent: &str, limits: Limits) -> Result<Self, reqwest::Error> {
        Self::build(guard(Self::builder(user_agent, limits)), limits)
    }

    /// The same with names resolved by `lookup`.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_lookup(user_agent: &str, limits: Limits, lookup: Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        Self::build(guard_with(Self::builder(user_agent, limits), lookup), limits)
    }

    fn builder(user_agent: &str, limits: Limits) -> reqwest::ClientBuilder {
        client_builder()
            .user_agent(user_agent)
            .connect_timeout(limits.connect)
            .timeout(limits.total)
    }

    fn build(builder: reqwest::ClientBuilder, limits: Limits) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: builder.build()?,
            longest_answer: limits.answer,
        })
    }

    /// Sends a request once; an answer of any status is a success. Redirects are answers, too.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn send(&self, request: Request) -> Result<Answer, SendError> {
        let Request {
            method,
            url,
            headers,
            body,
        } = request;
        self.exchange(
            self.http
                .request(method, url.as_url().clone())
                .headers(headers)
                .body(body),
        )
        .await
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Answer, SendError> {
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + chunk.len() > self.longest_answer {
                return Err(SendError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

fn failure(error: &reqwest::Error) -> SendError {
    if is_refusal(error) {
        SendError::NotPublic
    } else if error.is_connect() {
        SendError::NotConnected
    } else if error.is_timeout() {
        SendError::TimedOut
    } else {
        SendError::Broken
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request with these bytes; stays open afterwards if `hangs`.
    async fn server(answer: Vec<u8>, hangs: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let _read = stream.read(&mut request).await.unwrap();
            // The client hangs up on an answer that is too long.
            let _written = stream.write_all(&answer).await;
            if hangs {
                std::future::pending::<()>().await;
            }
        });
        format!("http://{address}/")
    }

    /// What becomes of the answer: these servers speak no TLS, so the guard is left out.
    async fn exchange(answer: Vec<u8>, hangs: bool) -> Result<Answer, SendError> {
        let limits = Limits {
            connect: Duration::from_secs(5),
            total: Duration::from_millis(300),
            answer: 1_000,
        };
        let client = Client::build(
            Client::builder("test", limits)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none()),
            limits,
        )
        .unwrap();
        let url = server(answer, hangs).await;
        client.exchange(client.http.get(url)).await
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_the_cap_whatever_it_announces() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
        assert_eq!(exchange(whole, false).await.unwrap().body, b"ok");
        let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..3 {
            chunked.extend_from_slice(b"1f4\r\n");
            chunked.extend_from_slice(&[b'x'; 500]);
            chunked.extend_from_slice(b"\r\n");
        }
        assert_eq!(exchange(chunked, true).await.unwrap_err(), SendError::TooLong);
    }

    #[tokio::test]
    async fn an_answer_that_never_ends_and_one_that_breaks_off_are_told_apart() {
        let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec();
        assert_eq!(exchange(begun.clone(), true).await.unwrap_err(), SendError::TimedOut);
        assert_eq!(exchange(begun, false).await.unwrap_err(), SendError::Broken);
        assert_eq!(exchange(Vec::new(), false).await.unwrap_err(), SendError::Broken);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let elsewhere = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
        assert_eq!(exchange(elsewhere, false).await.unwrap().status, StatusCode::FOUND);
    }
}
