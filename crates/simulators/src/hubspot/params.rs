//! Query parameters.

use super::error::ApiError;
pub(crate) use crate::params::Params;

impl Params {
    /// Reads a query that may hold these parameters only.
    pub(super) fn only(query: Option<&str>, allowed: &[&str]) -> Result<Self, ApiError> {
        let params = Self::parse(query);
        match params.other_than(allowed) {
            Some(name) => Err(ApiError::invalid(format!("There is no query parameter {name}"))),
            None => Ok(params),
        }
    }

    /// A page size from 1 to `max`.
    pub(super) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else {
            return Ok(default);
        };
        let size = text.parse().ok().filter(|size| (1..=max).contains(size));
        size.ok_or_else(|| ApiError::invalid(format!("limit must be a number from 1 to {max}")))
    }

    /// Where the page begins: behind the record of this number.
    pub(super) fn after(&self) -> Result<u64, ApiError> {
        let number = self.get("after").map(str::parse).transpose();
        let number = number.map_err(|_| ApiError::invalid("after is not valid for this list"))?;
        Ok(number.unwrap_or(0))
    }
}
