//! Query parameters and forms.

use super::error::ApiError;

/// The query or form of a request, decoded.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a raw query string or form.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// Reads a query that may hold these parameters only.
    pub(crate) fn only(query: Option<&str>, allowed: &[&str]) -> Result<Self, ApiError> {
        let params = Self::parse(query);
        match params.0.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
            Some((name, _)) => Err(ApiError::invalid(format!("There is no query parameter {name}"))),
            None => Ok(params),
        }
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut given = self.0.iter().filter(|(key, value)| key == name && !value.is_empty());
        given.next().map(|(_, value)| value.as_str())
    }

    /// A list given as `a,b`, as repeated parameters, or both; absent when there is no such parameter.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        let mut given = self.0.iter().filter(|(key, _)| key == name).peekable();
        given.peek()?;
        let items = given.flat_map(|(_, value)| value.split(',')).map(str::trim);
        Some(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    /// A page size from 1 to `max`.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else {
            return Ok(default);
        };
        let size = text.parse().ok().filter(|size| (1..=max).contains(size));
        size.ok_or_else(|| ApiError::invalid(format!("limit must be a number from 1 to {max}")))
    }

    /// Where the page begins: behind the record of this number.
    pub(crate) fn after(&self) -> Result<u64, ApiError> {
        let number = self.get("after").map(str::parse).transpose();
        let number = number.map_err(|_| ApiError::invalid("after is not valid for this list"))?;
        Ok(number.unwrap_or(0))
    }
}
