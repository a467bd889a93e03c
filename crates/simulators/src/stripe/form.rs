//! Form bodies and queries, with `a[b]=c` for members of members.

use std::collections::BTreeMap;

use super::error::ApiError;

/// The parameters of a request in the order of their names.
#[derive(Debug)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a form; of a parameter that comes twice, the last counts.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every parameter as its name, the name of its member (if any), and the value.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, Option<&str>, &str)> {
        self.0.iter().map(|(name, value)| {
            let member = name
                .split_once('[')
                .and_then(|(outer, rest)| Some((outer, rest.strip_suffix(']')?)));
            match member {
                Some((outer, member)) => (outer, Some(member), value.as_str()),
                None => (name.as_str(), None, value.as_str()),
            }
        })
    }

    /// Refuses parameters other than these.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.each().find(|(name, _, _)| !known.contains(name)) {
            Some((unknown, _, _)) => Err(ApiError::unknown(unknown)),
            None => Ok(()),
        }
    }
}
