//! Whether the connections that a helper names are the account's and fit its type (`api-automation` §2.2, S8).

use futures::future::try_join_all;
use http::StatusCode;
use mfh_helpers::Meta;
use mfh_http::{ApiError, Core, ErrorCode, FieldFault};
use mfh_types::{AccountId, ConnectionId, ConnectionStatus, JsonObject, Platform};

use crate::config;

/// The category of platforms that are CRMs.
const CRM: &str = "crm";

/// Checks the CRM connection of a helper of this type.
///
/// # Errors
/// 400 when it is missing, foreign, being deleted, or of a platform the type does not work with.
pub(crate) async fn check(core: &Core, account: &AccountId, meta: &Meta, id: &ConnectionId) -> Result<(), ApiError> {
    let field = "connection_id";
    let Some(platform) = platform_of(core, account, id).await? else {
        return Err(unknown(field.to_owned()));
    };
    let listed = meta.supported_crms.contains(&platform.slug.as_str());
    let any_crm = meta.supported_crms.is_empty() && platform.category == CRM;
    if meta.requires_crm && !listed && !any_crm {
        let message = format!("Helper type {} does not support {}", meta.type_name, platform.name);
        return Err(refusal(
            message,
            field.to_owned(),
            "choose a connection of another platform",
        ));
    }
    Ok(())
}

/// Checks that every service connection in `config` is the account's and of the service it is named under.
///
/// # Errors
/// 400 for the first that is not.
pub(crate) async fn check_services(core: &Core, account: &AccountId, config: &JsonObject) -> Result<(), ApiError> {
    let named = config::service_connections(config)?;
    let checks = named.into_iter().map(async |(slug, id)| {
        let field = format!("config.{}.{slug}", config::SERVICE_CONNECTIONS);
        let Ok(id) = ConnectionId::parse(id) else {
            return Err(unknown(field));
        };
        match platform_of(core, account, &id).await? {
            Some(platform) if platform.slug == slug => Ok(()),
            Some(platform) => {
                let message = format!("This connection is one of {}, not of {slug}", platform.name);
                Err(refusal(message, field, "choose a connection of this service"))
            }
            None => Err(unknown(field)),
        }
    });
    try_join_all(checks).await.map(drop)
}

async fn platform_of(core: &Core, account: &AccountId, id: &ConnectionId) -> Result<Option<Platform>, ApiError> {
    let connection = core.database.connections().get(account, id).await?;
    match connection.filter(|connection| connection.status != ConnectionStatus::Deleting) {
        Some(connection) => Ok(core.database.platforms().get(&connection.platform_id).await?),
        None => Ok(None),
    }
}

fn unknown(field: String) -> ApiError {
    refusal(
        "Connection not found".to_owned(),
        field,
        "must be a connection of this account",
    )
}

fn refusal(message: String, field: String, expected: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::ValidationFailed, message)
        .fields(vec![FieldFault::new(field, expected)])
}

/// Reads the id of a helper's CRM connection; a text that is none answers like a missing connection.
///
/// # Errors
/// 400.
pub(crate) fn parse(id: &str) -> Result<ConnectionId, ApiError> {
    ConnectionId::parse(id).map_err(|_| unknown("connection_id".to_owned()))
}
