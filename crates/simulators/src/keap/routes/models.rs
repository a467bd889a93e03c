//! `/contacts/model`: the custom fields of contacts.

use axum::extract::State as Ctx;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use crate::access_log::{Draft, RequestId};
use crate::keap::Keap;
use crate::keap::error::ApiError;
use crate::keap::state::{CustomField, FieldOption, FieldType, Record};
use crate::keap::{contact, custom_field};

pub(super) async fn contact_model(Ctx(keap): Ctx<Keap>) -> Json<Value> {
    let fields: Vec<Value> = keap.read(|state| state.custom_fields.values().map(custom_field::show).collect());
    let optional: Vec<&str> = contact::optional_properties().collect();
    Json(json!({ "custom_fields": fields, "optional_properties": optional }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewField {
    label: String,
    field_type: FieldType,
    #[serde(default)]
    options: Vec<NewOption>,
    group_id: Option<String>,
    user_group_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOption {
    label: String,
}

pub(super) async fn create_custom_field(
    Ctx(keap): Ctx<Keap>,
    Extension(request_id): Extension<RequestId>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let sent: NewField = body(&bytes)?;
    let field_name = contact::field_name(&sent.label);
    // There is one group, and no user groups.
    if sent.group_id.is_some_and(|id| id != "1") {
        return Err(ApiError::property("group_id", "there is no such group"));
    }
    if sent.user_group_id.is_some() {
        return Err(ApiError::property("user_group_id", "there is no such user group"));
    }
    if field_name == "_" {
        return Err(ApiError::property("label", "needs at least one letter or digit"));
    }
    keap.write(
        &request_id,
        |tx| {
            let mut fields = tx.state.custom_fields.values();
            if fields.any(|field| field.field_name.eq_ignore_ascii_case(&field_name)) {
                let message = format!("A custom field `{field_name}` exists already");
                return Err(ApiError::conflict(message));
            }
            let id = tx.next_id("custom_field");
            let field = CustomField {
                id,
                label: sent.label,
                field_name,
                field_type: sent.field_type,
                options: (1u64..)
                    .zip(sent.options)
                    .map(|(number, option)| FieldOption {
                        id: (id * 100 + number).to_string(),
                        label: option.label,
                    })
                    .collect(),
                default_value: None,
            };
            tx.log(Draft {
                op: "create_custom_field",
                fields: Some(json!({ "field_name": field.field_name })),
                changed: true,
                ..Draft::default()
            });
            let shown = custom_field::show(&field);
            tx.put(Record::CustomField(field));
            Ok(shown)
        },
        |_, shown| (StatusCode::CREATED, Json(shown)),
    )
}
