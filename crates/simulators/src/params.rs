//! What requests carry in their query, form and headers.

use axum::http::{HeaderMap, header};

/// The query or form of a request, decoded.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a raw query string.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self::form(query.unwrap_or_default().as_bytes())
    }

    /// Reads a form.
    pub(crate) fn form(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut given = self.0.iter().filter(|(key, value)| key == name && !value.is_empty());
        given.next().map(|(_, value)| value.as_str())
    }

    /// A list given as `a,b`, as repeated parameters, or both; absent when there is no such parameter.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let mut given = self.0.iter().filter(|(key, _)| key == name).peekable();
        given.peek()?;
        let items = given.flat_map(|(_, value)| value.split(',')).map(str::trim);
        Some(items.filter(|item| !item.is_empty()).collect())
    }

    /// The first parameter that is none of these.
    pub(crate) fn other_than(&self, known: &[&str]) -> Option<&str> {
        let mut names = self.0.iter().map(|(name, _)| name.as_str());
        names.find(|name| !known.contains(name))
    }

    /// All parameters in their order.
    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter()
    }
}

/// What a request signs in with by this scheme.
pub(crate) fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (given, rest) = value.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    authorization(headers, "Bearer")
}
