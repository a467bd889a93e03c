//! Pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
pub(crate) use crate::params::Params;

/// Where a list is sorted and cut.
#[derive(Debug)]
pub(crate) struct Page {
    size: usize,
    order: String,
    descending: bool,
    /// Ordering and filter, which a page token must share.
    scope: String,
    after: Option<Position>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Position {
    key: String,
    id: u64,
    scope: String,
}

/// What a list may be asked for.
pub(crate) struct Bounds<'a> {
    /// Largest `page_size`.
    pub(crate) max: usize,
    /// Fields that `order_by` takes; the first is the default.
    pub(crate) orders: &'a [&'a str],
}

impl Page {
    /// Reads `page_size`, `page_token` and `order_by`.
    pub(crate) fn read(params: &Params, bounds: &Bounds<'_>) -> Result<Self, ApiError> {
        let size = match params.get("page_size") {
            None => 0,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|size| *size <= bounds.max)
                .ok_or_else(|| {
                    let max = bounds.max;
                    ApiError::property("page_size", format!("must be a number from 0 to {max}"))
                })?,
        };
        let (order, descending) = order_of(params.get("order_by"), bounds.orders)?;
        let filter = params.get("filter").unwrap_or_default();
        let scope = format!("{order} {descending} {filter}");
        let after = params
            .get("page_token")
            .map(|token| read_token(token, &scope))
            .transpose()?;
        Ok(Self {
            size: if size == 0 { bounds.max.min(100) } else { size },
            order,
            descending,
            scope,
            after,
        })
    }

    /// The field to sort by.
    pub(crate) fn order(&self) -> &str {
        &self.order
    }

    /// Sorts rows of (sort key, id, item), takes this page of them, and says where the next begins; an empty
    /// token means that there is none.
    pub(crate) fn cut<T>(&self, mut rows: Vec<(String, u64, T)>) -> (Vec<T>, String) {
        let ordering = |a: (&String, u64), b: (&String, u64)| {
            let ordering = a.cmp(&b);
            if self.descending { ordering.reverse() } else { ordering }
        };
        if let Some(after) = &self.after {
            rows.retain(|(key, id, _)| ordering((key, *id), (&after.key, after.id)).is_gt());
        }
        rows.sort_by(|a, b| ordering((&a.0, a.1), (&b.0, b.1)));
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let token = match rows.last() {
            Some((key, id, _)) if more => self.token(key, *id),
            _ => String::new(),
        };
        (rows.into_iter().map(|(_, _, item)| item).collect(), token)
    }

    fn token(&self, key: &str, id: u64) -> String {
        let position = serde_json::json!({ "key": key, "id": id, "scope": self.scope });
        URL_SAFE_NO_PAD.encode(position.to_string())
    }
}

fn order_of(order_by: Option<&str>, orders: &[&str]) -> Result<(String, bool), ApiError> {
    let Some(text) = order_by else {
        return Ok((orders.first().copied().unwrap_or("id").to_owned(), false));
    };
    let (field, direction) = text.trim().split_once(' ').unwrap_or((text.trim(), "asc"));
    let descending = match direction.trim() {
        "asc" => false,
        "desc" => true,
        other => {
            let message = format!("`{other}` is not a direction, use asc or desc");
            return Err(ApiError::property("order_by", message));
        }
    };
    if !orders.contains(&field) {
        let message = format!("cannot order by `{field}`, use one of {}", orders.join(", "));
        return Err(ApiError::property("order_by", message));
    }
    Ok((field.to_owned(), descending))
}

fn read_token(token: &str, scope: &str) -> Result<Position, ApiError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Position>(&bytes).ok())
        .filter(|position| position.scope == scope)
        .ok_or_else(|| ApiError::property("page_token", "is not valid for this list"))
}

/// A sort key under which numbers stand in their order.
pub(crate) fn id_key(id: u64) -> String {
    format!("{id:020}")
}
