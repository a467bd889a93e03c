//! The text of an address that a user gave.

use std::fmt;

use url::{Host, Url};

use crate::address::is_public;

/// Names that belong to private networks, with everything below them.
const PRIVATE_SUFFIXES: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// The port of https; of the others, those of well-known services are refused.
const HTTPS: u16 = 443;
const FIRST_FREE_PORT: u16 = 1_024;

/// Why an address is not called; the text says what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No address at all.
    #[error("must be an address such as https://example.com")]
    NotAnAddress,
    /// Another scheme, or none.
    #[error("must begin with https://")]
    NotHttps,
    /// A user name, password or fragment.
    #[error("must have no user name, password or fragment (#)")]
    NotPlain,
    /// A port of another well-known service.
    #[error("must have no port below 1024 other than 443")]
    Port,
    /// A name or IP address that is not on the public internet.
    #[error("must be a host on the public internet, not a private name or address")]
    NotPublic,
}

/// An absolute https address whose text leads to no private network.
///
/// What its name resolves to is checked when it is connected, by [`guard`](crate::guard).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserUrl(Url);

impl UserUrl {
    /// Reads and checks an address; blanks around it are dropped.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        // The parser would repair these silently, so that what a reader sees is not what is called.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Fault::NotAnAddress);
        }
        let url = Url::parse(text).map_err(|_| Fault::NotAnAddress)?;
        if url.scheme() != "https" {
            return Err(Fault::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Fault::NotPlain);
        }
        let port = url.port().unwrap_or(HTTPS);
        if port < FIRST_FREE_PORT && port != HTTPS {
            return Err(Fault::Port);
        }
        let is_allowed = match url.host() {
            Some(Host::Domain(name)) => is_public_name(name),
            // The parser has read every spelling of an IPv4 address: decimal, octal, hex, short, full-width.
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            None => false,
        };
        if is_allowed {
            Ok(Self(url))
        } else {
            Err(Fault::NotPublic)
        }
    }

    /// The address.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether the host is a name, not an IP address.
    pub fn has_host_name(&self) -> bool {
        matches!(self.0.host(), Some(Host::Domain(_)))
    }

    /// The address without its query, as outputs and logs show it.
    pub fn shown(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.to_string()
    }
}

/// The query may hold secrets.
impl fmt::Debug for UserUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserUrl").field(&self.shown()).finish()
    }
}

/// Whether two addresses have scheme, host and port in common.
pub fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one.trim()), Url::parse(other.trim())) {
        (Ok(one), Ok(other)) => one.origin().is_tuple() && one.origin() == other.origin(),
        _ => false,
    }
}

/// Two labels or more, none of them empty, and not below a private name. The parser gives ASCII in lower case.
fn is_public_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_private = |suffix: &str| {
        name.strip_suffix(suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    name.contains('.')
        && name.len() <= 253
        && name.split('.').all(|label| !label.is_empty() && label.len() <= 63)
        && !PRIVATE_SUFFIXES.iter().any(|suffix| is_private(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_says_what_is_expected() {
        for (text, fault) in [
            ("", Fault::NotAnAddress),
            ("hooks.example.com", Fault::NotAnAddress),
            ("https://", Fault::NotAnAddress),
            ("//hooks.example.com", Fault::NotAnAddress),
            ("http://hooks.example.com", Fault::NotHttps),
            ("file:///etc/passwd", Fault::NotHttps),
            ("https://user@hooks.example.com", Fault::NotPlain),
            ("https://hooks.example.com/#top", Fault::NotPlain),
            ("https://hooks.example.com:22", Fault::Port),
            ("https://intranet", Fault::NotPublic),
        ] {
            assert_eq!(UserUrl::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn the_query_is_never_shown() {
        let url = UserUrl::parse("https://hooks.example.com/a?token=hunter2").unwrap();
        assert_eq!(url.shown(), "https://hooks.example.com/a");
        assert!(!format!("{url:?}").contains("hunter2"));
        assert_eq!(url.as_url().query(), Some("token=hunter2"));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let simulator = "http://127.0.0.1:8080/_sim/activecampaign/api/3";
        assert!(same_origin("http://127.0.0.1:8080/other", simulator));
        for other in [
            "http://127.0.0.1:8081/_sim",
            "https://127.0.0.1:8080/_sim",
            "http://localhost:8080",
            "data:text/plain,x",
            "",
        ] {
            assert!(!same_origin(other, simulator), "{other}");
        }
        assert!(!same_origin("data:text/plain,x", "data:text/plain,x"));
    }
}
