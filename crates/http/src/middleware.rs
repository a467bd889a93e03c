//! The request layer around every router: ids, CORS, limits, envelope, panics, one log line (`api-identity` §1).

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tracing::Instrument;

use crate::client::REQUEST_ID_HEADER;
use crate::{ApiError, ErrorCode, RequestId};

/// The largest request body in bytes; a route that takes more adds its own `DefaultBodyLimit`.
pub const BODY_LIMIT: usize = 256 * 1024;

/// Puts the request layer around a complete router; call it once, after all services are merged.
pub fn finish(router: Router) -> Router {
    let inner = router
        .fallback(async || ApiError::not_found("Not found: there is nothing at this address"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(note_template));
    // A layer of the inner router runs after routing, too late to forgive a slash at the end of a path.
    Router::new().fallback_service(inner).layer(from_fn(around))
}

/// Leaves the path template for the log line, which must not show keys that stand in paths (S19).
async fn note_template(request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(template) = template {
        response.extensions_mut().insert(template);
    }
    response
}

async fn around(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.extensions(), request.headers());
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());
    forgive_trailing_slash(request.uri_mut());

    let span = tracing::info_span!("request", request_id = %id);
    let response = if method == Method::OPTIONS {
        StatusCode::OK.into_response()
    } else {
        answer(request, next).instrument(span.clone()).await
    };
    let response = in_envelope(response, &id);
    span.in_scope(|| log(&method, &response, started));
    with_headers(response, &id)
}

async fn answer(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::internal("a handler panicked").into_response(),
    }
}

fn forgive_trailing_slash(uri: &mut Uri) {
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() || trimmed.len() == path.len() {
        return;
    }
    let target = match uri.query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    if let Ok(target) = target.parse() {
        parts.path_and_query = Some(target);
        if let Ok(trimmed) = Uri::from_parts(parts) {
            *uri = trimmed;
        }
    }
}

/// Renders errors once more with the request id, and what the router itself refused in our envelope.
fn in_envelope(mut response: Response, id: &RequestId) -> Response {
    let refused_method = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None if refused_method => ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::MethodNotAllowed,
            "This address does not take that method; see the Allow header",
        ),
        None => return response,
    };
    let mut rendered = error.render(Some(&id.0));
    if let Some(allow) = response.headers_mut().remove(ALLOW) {
        rendered.headers_mut().insert(ALLOW, allow);
    }
    if let Some(template) = response.extensions_mut().remove::<MatchedPath>() {
        rendered.extensions_mut().insert(template);
    }
    rendered.extensions_mut().insert(error);
    rendered
}

fn log(method: &Method, response: &Response, started: Instant) {
    let status = response.status();
    let path = response
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str);
    let error = response.extensions().get::<ApiError>();
    let code = error.map(|error| tracing::field::debug(error.code()));
    let detail = error.and_then(ApiError::log_detail);
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status_code = status.as_u16();
    if status.is_server_error() {
        tracing::error!(%method, path, status = status_code, ms, code, detail, "answered");
    } else {
        tracing::info!(%method, path, status = status_code, ms, code, detail, "answered");
    }
}

fn with_headers(mut response: Response, id: &RequestId) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Authorization, X-Account-Context, X-API-Key"),
    );
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("X-Request-Id, Retry-After"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    response
}
