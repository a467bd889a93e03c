//! The platforms that are offered (`data-model` §9), compiled in so that every deployment knows the same ones.

use mfh_types::{Platform, Timestamp};
use serde_json::Value;

/// One file per platform, without times.
const FILES: &[&str] = &[include_str!("../seeds/keap.json")];

/// Every platform record, as if it were made now; storing it keeps the time at which it was first made.
pub fn seeds(now: Timestamp) -> Vec<Platform> {
    let platform = |file: &&str| {
        let mut record: Value = serde_json::from_str(file).expect("a file of this crate, which a test reads");
        for key in ["created_at", "updated_at"] {
            record[key] = now.to_string().into();
        }
        serde_json::from_value(record).expect("a file of this crate, which a test reads")
    };
    FILES.iter().map(platform).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mfh_types::{AuthType, InputType};
    use url::Url;

    use super::*;

    fn all() -> Vec<Platform> {
        seeds(serde_json::from_value("2026-03-10T00:00:00Z".into()).unwrap())
    }

    #[test]
    fn every_seed_is_a_platform_named_after_its_slug() {
        let slugs: BTreeSet<String> = all().into_iter().map(|platform| platform.slug).collect();
        assert_eq!(slugs.len(), FILES.len());
        for platform in all() {
            assert_eq!(platform.platform_id.body(), platform.slug);
            assert_eq!(platform.created_at.to_string(), "2026-03-10T00:00:00Z");
            let base = Url::parse(&platform.api_config.base_url).unwrap();
            assert_eq!(base.scheme(), "https");
            let can_connect = platform.oauth.is_some() || !platform.credential_fields.is_empty();
            assert!(can_connect, "nothing connects {}", platform.slug);
        }
    }

    #[test]
    fn every_crm_among_the_seeds_has_a_connector() {
        for platform in all().iter().filter(|platform| platform.category == "crm") {
            assert!(mfh_connectors::PLATFORMS.contains(&platform.slug.as_str()));
        }
    }

    #[test]
    fn keap_is_connected_by_oauth_or_by_a_pasted_token() {
        let keap = all().into_iter().find(|platform| platform.slug == "keap").unwrap();
        assert_eq!(keap.api_config.auth_type, AuthType::OAuth2);
        assert_eq!(keap.credential_fields[0].key, "api_key");
        assert_eq!(keap.credential_fields[0].input_type, InputType::Password);
        assert!(keap.credential_fields[0].required);
        assert_eq!(keap.api_config.rate_limits.burst_limit, 25);
    }
}
