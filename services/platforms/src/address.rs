//! Which hosts a user may name: https addresses on the public internet (`api-automation` §7.3, S7).

use mfh_outbound::{Fault, UserUrl, same_origin};
use mfh_types::Platform;

/// Top-level names that lead into private networks. No CRM is there, and nobody else's machine should be.
const PRIVATE: [&str; 9] = [
    "arpa",
    "corp",
    "example",
    "home",
    "intranet",
    "invalid",
    "lan",
    "localdomain",
    "test",
];

/// Says what is expected where an address is not one that we call. The platform's own address is one.
pub(crate) fn fault(platform: &Platform, address: &str) -> Option<String> {
    if same_origin(address, &platform.api_config.base_url) {
        return None;
    }
    let url = match UserUrl::parse(address) {
        Ok(url) => url,
        Err(fault) => return Some(fault.to_string()),
    };
    if url.as_url().port().is_some() || url.as_url().query().is_some() {
        return Some("must have no port and no query".to_owned());
    }
    let host = url.as_url().host_str().unwrap_or_default().trim_end_matches('.');
    let is_private = host.rsplit('.').next().is_none_or(|top| PRIVATE.contains(&top));
    (is_private || !url.has_host_name()).then(|| Fault::NotPublic.to_string())
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

    fn platform(base_url: &str) -> Platform {
        serde_json::from_value(json!({
            "platform_id": "activecampaign", "name": "ActiveCampaign", "slug": "activecampaign", "category": "crm",
            "api_config": {"base_url": base_url, "auth_type": "api_key"},
            "created_at": "2026-03-10T00:00:00Z", "updated_at": "2026-03-10T00:00:00Z",
        }))
        .unwrap()
    }

    const TEMPLATE: &str = "https://{account}.api-us1.com/api/3";

    #[test]
    fn public_https_hosts_are_taken() {
        for good in [
            "https://acme.api-us1.com",
            "https://acme.activehosted.com/",
            " https://API.Example.org/api/3 ",
        ] {
            assert_eq!(fault(&platform(TEMPLATE), good), None, "{good}");
        }
    }

    #[test]
    fn the_address_of_the_platform_itself_is_taken_and_no_other_of_this_machine() {
        let simulator = platform("http://127.0.0.1:8080/_sim/activecampaign/api/3");
        assert_eq!(fault(&simulator, "http://127.0.0.1:8080/_sim/activecampaign"), None);
        for other in [
            "http://127.0.0.1:8081/",
            "https://127.0.0.1:8080/",
            "http://localhost:8080/",
        ] {
            assert!(fault(&simulator, other).is_some(), "{other}");
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
            "https://8.8.8.8",
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
            assert!(fault(&platform(TEMPLATE), bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_path_of_the_api_is_added_once() {
        let platform = platform(TEMPLATE);
        for given in ["https://acme.api-us1.com", "https://acme.api-us1.com/api/3/"] {
            assert_eq!(api_base(&platform, given), "https://acme.api-us1.com/api/3");
        }
    }
}
