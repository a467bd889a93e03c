//! `GET /helpers/types`: the catalogue of helper types (`api-automation` §3).

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use mfh_helpers::{Category, Registration};
use mfh_http::{ApiError, Envelope, ErrorBody, Member, Path, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::secrets;

/// A helper type: what it does and which settings it takes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TypeInfo {
    /// The type's name, such as `tag_it`.
    #[serde(rename = "type")]
    type_name: &'static str,
    /// The name users read.
    name: &'static str,
    /// Where the catalogue lists it.
    category: &'static str,
    /// One sentence.
    description: &'static str,
    /// Whether it works on a connected CRM.
    requires_crm: bool,
    /// The CRMs it works with; empty means all.
    supported_crms: &'static [&'static str],
    /// The services that have to be connected.
    required_services: &'static [&'static str],
    /// Whether running it twice leaves what running it once does.
    retry_safe: bool,
    /// The settings, as JSON Schema.
    #[schema(value_type = Object)]
    config_schema: Value,
    /// Settings that answers never show.
    secret_fields: Vec<String>,
    /// A configuration that works.
    #[schema(value_type = Object)]
    example: Value,
}

impl TypeInfo {
    fn of(registration: &Registration) -> Self {
        let meta = &registration.meta;
        let config_schema = registration.config_schema();
        Self {
            type_name: meta.type_name,
            name: meta.name,
            category: meta.category.as_str(),
            description: meta.summary,
            requires_crm: meta.requires_crm,
            supported_crms: meta.supported_crms,
            required_services: meta.services,
            retry_safe: meta.repeatable,
            secret_fields: secrets::fields(&config_schema),
            config_schema,
            example: serde_json::from_str(registration.example).unwrap_or_default(),
        }
    }
}

/// The whole catalogue.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Catalogue {
    /// Sorted by category and name.
    types: Vec<TypeInfo>,
    total_count: usize,
    categories: Vec<&'static str>,
}

/// Made once: the catalogue only changes with the program.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut types: Vec<TypeInfo> = mfh_helpers::catalogue().into_iter().map(TypeInfo::of).collect();
    types.sort_by_key(|info| (info.category, info.name));
    Catalogue {
        total_count: types.len(),
        categories: Category::ALL.map(Category::as_str).to_vec(),
        types,
    }
});

/// Lists all helper types.
#[utoipa::path(
    get,
    path = "/helpers/types",
    tag = "helpers",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Catalogue>),
        (status = 304, description = "The catalogue is the one that `If-None-Match` names"),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn types(_: Member, headers: HeaderMap) -> Response {
    cached(&headers, "Helper types retrieved successfully", &*CATALOGUE)
}

/// Shows one helper type.
#[utoipa::path(
    get,
    path = "/helpers/types/{type}",
    tag = "helpers",
    params(("type" = String, Path, description = "The type's name, such as `tag_it`")),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<TypeInfo>),
        (status = 304, description = "The type is as `If-None-Match` says"),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn one_type(_: Member, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let known = CATALOGUE.types.iter().find(|info| info.type_name == name);
    let info = known.ok_or_else(|| ApiError::not_found("Helper type not found"))?;
    Ok(cached(&headers, "Helper type retrieved successfully", info))
}

/// Answers with a tag of the content, and with 304 to who has it already.
fn cached<T: Serialize>(request: &HeaderMap, message: &str, data: &T) -> Response {
    let json = serde_json::to_vec(data).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &json);
    let tag = format!("\"{}\"", hex::encode(&digest.as_ref()[..16]));
    let mut response = if knows(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ok(message, data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn knows(request: &HeaderMap, tag: &str) -> bool {
    let mut tags = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    // A proxy that compresses marks the tag as weak; the content is the same.
    tags.any(|known| matches!(known.trim().trim_start_matches("W/"), known if known == tag || known == "*"))
}
