//! Which hosts a user may name: https addresses on the public internet (`api-automation` §7.3, S7).

use mfh_types::Platform;
use url::{Host, Url};

/// Top-level names that lead into private networks.
const PRIVATE: [&str; 11] = [
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
];

/// Says what is expected where an address is not one that we call.
pub(crate) fn fault(address: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(address.trim()) else {
        return Some("must be an address such as https://example.com");
    };
    if url.scheme() != "https" {
        return Some("must begin with https://");
    }
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_plain {
        return Some("must have no port, user name, query or fragment");
    }
    match url.host() {
        Some(Host::Domain(name)) if is_public(name) => None,
        _ => Some("must be the public host name of your account, not an IP address or a private name"),
    }
}

fn is_public(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match name.rsplit_once('.') {
        Some((rest, top)) => !rest.is_empty() && !PRIVATE.contains(&top),
        None => false,
    }
}

/// The start of every API address on the user's host: the host they gave with the path that the platform's API has
/// there (`https://{account}.api-us1.com/api/3`), once.
pub(crate) fn api_base(platform: &Platform, address: &str) -> String {
    let given = address.trim().trim_end_matches('/');
    let template = platform.api_config.base_url.as_str();
    let path = template
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
        .unwrap_or_default()
        .trim_end_matches('/');
    if path.is_empty() || given.ends_with(path) {
        given.to_owned()
    } else {
        format!("{given}{path}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn public_https_hosts_are_taken() {
        for good in [
            "https://acme.api-us1.com",
            "https://acme.activehosted.com/",
            " https://API.Example.org/api/3 ",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn everything_that_may_lead_inside_is_refused() {
        for bad in [
            "",
            "acme.api-us1.com",
            "http://acme.api-us1.com",
            "ftp://acme.api-us1.com",
            "https://127.0.0.1",
            "https://2130706433/",
            "https://0x7f.1",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost",
            "https://localhost.",
            "https://crm.localhost",
            "https://intranet",
            "https://db.internal",
            "https://db.INTERNAL.",
            "https://printer.local",
            "https://user:secret@acme.api-us1.com",
            "https://acme.api-us1.com:8443",
            "https://acme.api-us1.com/?x=1",
            "https://acme.api-us1.com/#x",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_path_of_the_api_is_added_once() {
        let platform: Platform = serde_json::from_value(json!({
            "platform_id": "activecampaign", "name": "ActiveCampaign", "slug": "activecampaign", "category": "crm",
            "api_config": {"base_url": "https://{account}.api-us1.com/api/3", "auth_type": "api_key"},
            "created_at": "2026-03-10T00:00:00Z", "updated_at": "2026-03-10T00:00:00Z",
        }))
        .unwrap();
        for given in ["https://acme.api-us1.com", "https://acme.api-us1.com/api/3/"] {
            assert_eq!(api_base(&platform, given), "https://acme.api-us1.com/api/3");
        }
    }
}
