//! Facts about a request: its id, its sender's address, its bearer token.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use lambda_http::request::RequestContext;
use mfh_types::{Random, Secret, SystemRandom};

/// The name of the header that carries the request id.
pub(crate) const REQUEST_ID_HEADER: &str = "x-request-id";

/// API Gateway's part of a request, present in the cloud only.
pub(crate) fn gateway_context(extensions: &Extensions) -> Option<&ApiGatewayV2httpRequestContext> {
    match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    }
}

/// The id under which a request appears in logs and in its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The gateway's id, else a well-formed `X-Request-Id` of the client, else a new one.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap) -> Self {
        let gateway = gateway_context(extensions).and_then(|context| context.request_id.clone());
        let sent = headers
            .get(REQUEST_ID_HEADER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let known = gateway.or(sent).filter(|id| is_well_formed(id));
        Self(known.unwrap_or_else(|| SystemRandom.hex(16)))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Nothing that could break a log line or a header.
fn is_well_formed(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=.:+/".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(is_allowed)
}

/// The address a request came from, as a text; `unknown` where nothing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIp(pub String);

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    /// `X-Forwarded-For` counts only where neither the gateway nor the socket knows, since a client can write it.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let gateway = gateway_context(&parts.extensions).and_then(|context| context.http.source_ip.clone());
        let socket = || {
            let info = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(info.0.ip().to_string())
        };
        let forwarded = || {
            let header = parts.headers.get("x-forwarded-for")?.to_str().ok()?;
            let first = header.split(',').next()?.trim();
            first.parse().ok().map(|ip: std::net::IpAddr| ip.to_string())
        };
        let ip = gateway.or_else(socket).or_else(forwarded);
        Ok(Self(ip.unwrap_or_else(|| "unknown".to_owned())))
    }
}

/// The token of `Authorization: Bearer …`, if one was sent.
#[derive(Debug, Clone)]
pub struct BearerToken(pub Option<Secret>);

impl BearerToken {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| !token.is_empty());
        Self(token.map(Secret::new))
    }
}

impl<S: Sync> FromRequestParts<S> for BearerToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
        let id = |text: &str| RequestId::of(&Extensions::new(), &headers("x-request-id", text)).0;
        assert_eq!(id("JKJaXmPLvHcESHA="), "JKJaXmPLvHcESHA=");
        assert_ne!(id("two words"), "two words");
        assert_eq!(id(&"x".repeat(65)).len(), 32);
    }

    #[test]
    fn the_bearer_scheme_is_read_in_any_case_and_others_are_not_tokens() {
        let token = |text: &str| BearerToken::of(&headers("authorization", text)).0;
        assert_eq!(token("bearer abc").unwrap().expose(), "abc");
        assert!(token("Basic abc").is_none());
        assert!(token("Bearer ").is_none());
    }
}
