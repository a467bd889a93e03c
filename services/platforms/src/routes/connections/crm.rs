//! `GET …/{connection_id}/fields` and `GET …/{connection_id}/tags`: what the forms of helpers offer.

use axum::extract;
use mfh_connectors::{CustomField, Tag};
use mfh_http::{ApiError, Envelope, ErrorBody, ManageHelpers, May, Path, Query, Reply, ok};
use mfh_types::{AccountId, ConnectionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Address, VendorRefusals, find};
use crate::State;
use crate::upstream;

/// How old the answer may be.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Freshness {
    /// Asks the CRM now instead of answering with what it said within the last five minutes.
    #[serde(default)]
    refresh: bool,
}

/// A field that every CRM has.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StandardField {
    /// Always empty: it has no id at the vendor.
    id: &'static str,
    key: &'static str,
    label: &'static str,
    field_type: &'static str,
    group_name: &'static str,
}

const fn standard(key: &'static str, label: &'static str, field_type: &'static str) -> StandardField {
    StandardField {
        id: "",
        key,
        label,
        field_type,
        group_name: "Contact Info",
    }
}

const STANDARD_FIELDS: [StandardField; 6] = [
    standard("first_name", "First Name", "text"),
    standard("last_name", "Last Name", "text"),
    standard("email", "Email", "email"),
    standard("phone", "Phone", "phone"),
    standard("company", "Company", "text"),
    standard("job_title", "Job Title", "text"),
];

/// A field that the account has added in its CRM.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomFieldView {
    id: String,
    key: String,
    label: String,
    /// The vendor's type.
    field_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<String>,
    /// The labels of its choices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_value: Option<String>,
}

impl From<CustomField> for CustomFieldView {
    fn from(field: CustomField) -> Self {
        Self {
            id: field.id,
            key: field.key,
            label: field.label,
            field_type: field.field_type,
            group_name: field.group_name,
            options: field.options,
            default_value: field.default_value,
        }
    }
}

/// The fields of contacts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Fields {
    standard_fields: [StandardField; 6],
    custom_fields: Vec<CustomFieldView>,
}

/// Lists the fields of contacts in the connected CRM.
#[utoipa::path(
    get,
    path = "/platforms/{platform_id}/connections/{connection_id}/fields",
    tag = "platforms",
    params(Address, Freshness),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Fields>),
        (status = 400, body = ErrorBody),
        VendorRefusals,
    )
)]
pub(crate) async fn fields(
    extract::State(state): extract::State<State>,
    member: May<ManageHelpers>,
    Path(address): Path<Address>,
    Query(freshness): Query<Freshness>,
) -> Result<Reply<Fields>, ApiError> {
    let account = member.account_id();
    let id = connection(&state, account, &address, &freshness).await?;
    let custom = upstream::ask(&state, account, &id, |crm| async move { crm.get_custom_fields().await })
        .await
        .map_err(|error| upstream::refusal(&error, "Fields could not be read"))?;
    Ok(ok(
        "Fields retrieved successfully",
        Fields {
            standard_fields: STANDARD_FIELDS,
            custom_fields: custom.into_iter().map(CustomFieldView::from).collect(),
        },
    ))
}

/// A tag of the connected CRM.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TagView {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The name of its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
}

impl From<Tag> for TagView {
    fn from(tag: Tag) -> Self {
        Self {
            id: tag.id,
            name: tag.name,
            description: tag.description,
            category: tag.category,
        }
    }
}

/// Lists the tags of the connected CRM.
#[utoipa::path(
    get,
    path = "/platforms/{platform_id}/connections/{connection_id}/tags",
    tag = "platforms",
    params(Address, Freshness),
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Vec<TagView>>),
        (status = 400, body = ErrorBody),
        VendorRefusals,
    )
)]
pub(crate) async fn tags(
    extract::State(state): extract::State<State>,
    member: May<ManageHelpers>,
    Path(address): Path<Address>,
    Query(freshness): Query<Freshness>,
) -> Result<Reply<Vec<TagView>>, ApiError> {
    let account = member.account_id();
    let id = connection(&state, account, &address, &freshness).await?;
    let tags = upstream::ask(&state, account, &id, |crm| async move { crm.get_tags().await })
        .await
        .map_err(|error| upstream::refusal(&error, "Tags could not be read"))?;
    let tags = tags.into_iter().map(TagView::from).collect();
    Ok(ok("Tags retrieved successfully", tags))
}

/// The account's connection at this address, its lists forgotten where fresh ones are asked for.
async fn connection(
    state: &State,
    account: &AccountId,
    address: &Address,
    freshness: &Freshness,
) -> Result<ConnectionId, ApiError> {
    let (_, connection) = find(state, account, address).await?;
    if freshness.refresh {
        state.loader.shared().caches().forget(&connection.connection_id).await;
    }
    Ok(connection.connection_id)
}
