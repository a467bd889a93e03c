//! OpenAPI from the routes: what a client may call, and how it proves who it is.
//!
//! The `security` of an operation also decides its authorizer at the gateway: `bearer` the JWT authorizer, `api_key`
//! the API-key authorizer, none means public.

use axum::Router;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi};
use utoipa_axum::router::OpenApiRouter;

/// The security scheme of routes for signed-in users.
pub const BEARER: &str = "bearer";

/// The security scheme of routes for API keys.
pub const API_KEY: &str = "api_key";

/// The plain router of a service and its description.
pub fn split(router: OpenApiRouter, title: &str) -> (Router, OpenApi) {
    let (router, mut api) = router.split_for_parts();
    api.info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .build();
    let components = api.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of a signed-in user"))
        .build();
    let key = ApiKey::Header(ApiKeyValue::with_description("x-api-key", "An API key of the account"));
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(key));
    (router, api)
}
