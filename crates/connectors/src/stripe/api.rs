//! Stripe's wire types, as far as they are used. Everything that Stripe may leave out is optional.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::wire;

/// A customer, or what is left of a deleted one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Customer {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    /// A deleted customer is answered with status 200 and this mark.
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) deleted: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) email: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) phone: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) description: Option<String>,
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) address: Address,
    /// Texts by key.
    #[serde(deserialize_with = "object")]
    pub(crate) metadata: Map<String, Value>,
    /// Unix seconds.
    pub(crate) created: Value,
}

/// A postal address.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) line1: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) line2: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) city: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) state: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) postal_code: Option<String>,
    /// Alpha-2.
    #[serde(deserialize_with = "wire::text")]
    pub(crate) country: Option<String>,
}

/// A page of customers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomerList {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) data: Vec<Customer>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) has_more: Option<bool>,
}

/// The body of a failed answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorBody {
    #[serde(deserialize_with = "wire::or_default")]
    pub(crate) error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorDetail {
    #[serde(rename = "type", deserialize_with = "wire::text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) code: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) message: Option<String>,
}

/// An object; anything else is none.
fn object<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(members) => members,
        _ => Map::new(),
    })
}
