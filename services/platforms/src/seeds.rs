//! The platforms that are offered (`data-model` §9), compiled in so that every deployment knows the same ones.

use mfh_database::{Database, DatabaseError, Upsert};
use mfh_types::{Platform, PlatformStatus, Timestamp};
use serde_json::Value;

/// One file per platform, without times.
const FILES: &[&str] = &[
    include_str!("../seeds/activecampaign.json"),
    include_str!("../seeds/box.json"),
    include_str!("../seeds/calendly.json"),
    include_str!("../seeds/donorlead.json"),
    include_str!("../seeds/dropbox.json"),
    include_str!("../seeds/everwebinar.json"),
    include_str!("../seeds/facebook.json"),
    include_str!("../seeds/gohighlevel.json"),
    include_str!("../seeds/google_sheets.json"),
    include_str!("../seeds/gotowebinar.json"),
    include_str!("../seeds/hubspot.json"),
    include_str!("../seeds/keap.json"),
    include_str!("../seeds/ontraport.json"),
    include_str!("../seeds/slack.json"),
    include_str!("../seeds/stripe.json"),
    include_str!("../seeds/trello.json"),
    include_str!("../seeds/twilio.json"),
    include_str!("../seeds/webinarjam.json"),
    include_str!("../seeds/zoom.json"),
];

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

/// What a seeding did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Platforms that are new.
    pub created: Vec<String>,
    /// Platforms whose content changed.
    pub updated: Vec<String>,
    /// Platforms that are no longer offered.
    pub retired: Vec<String>,
    /// How many were as they should be.
    pub unchanged: usize,
}

/// Stores these platforms, and retires all others that are offered. Doing it again changes nothing (DECISIONS 36).
///
/// # Errors
/// When the table is out of reach, or another seeding runs at the same time; what was stored until then stays.
pub async fn seed(database: &Database, platforms: Vec<Platform>) -> Result<Seeded, DatabaseError> {
    let mut seeded = Seeded::default();
    let table = database.platforms();
    for platform in &platforms {
        let slug = platform.slug.clone();
        match table.upsert(platform).await? {
            Upsert::Created => seeded.created.push(slug),
            Upsert::Updated => seeded.updated.push(slug),
            Upsert::Unchanged => seeded.unchanged += 1,
        }
    }
    let Some(now) = platforms.first().map(|platform| platform.updated_at) else {
        return Ok(seeded);
    };
    for stored in table.list().await? {
        let is_seeded = platforms
            .iter()
            .any(|platform| platform.platform_id == stored.platform_id);
        if is_seeded || stored.status == PlatformStatus::Retired {
            continue;
        }
        let retired = Platform {
            status: PlatformStatus::Retired,
            updated_at: now,
            ..stored
        };
        table.upsert(&retired).await?;
        seeded.retired.push(retired.slug);
    }
    Ok(seeded)
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
            let base = Url::parse(&platform.api_config.base_url.replace("{account}", "x")).unwrap();
            assert_eq!(base.scheme(), "https");
            let can_connect = platform.oauth.is_some() || !platform.credential_fields.is_empty();
            assert!(can_connect, "nothing connects {}", platform.slug);
        }
    }

    #[test]
    fn every_connector_has_a_seed_and_every_crm_a_connector() {
        let slugs = |platforms: Vec<Platform>| BTreeSet::from_iter(platforms.into_iter().map(|platform| platform.slug));
        let connectors = BTreeSet::from_iter(mfh_connectors::PLATFORMS.iter().map(|slug| (*slug).to_owned()));
        assert!(slugs(all()).is_superset(&connectors));
        let crms = all().into_iter().filter(|platform| platform.category == "crm");
        assert!(connectors.is_superset(&slugs(crms.collect())));
    }

    #[test]
    fn every_sign_in_is_complete() {
        for platform in all() {
            let slug = &platform.slug;
            assert!(
                platform.oauth.is_some() || platform.api_config.auth_type == AuthType::ApiKey,
                "{slug}"
            );
            let Some(oauth) = platform.oauth else { continue };
            assert_eq!(oauth.response_type, "code", "{slug}");
            let addresses = [
                Some(&oauth.auth_url),
                Some(&oauth.token_url),
                oauth.user_info_url.as_ref(),
            ];
            for address in addresses
                .into_iter()
                .flatten()
                .chain(oauth.revoke.as_ref().map(|revoke| &revoke.url))
            {
                let url = Url::parse(address).unwrap();
                assert_eq!((url.scheme(), url.query()), ("https", None), "{slug}: {address}");
            }
            let paths = oauth.identity.user_id.iter().chain(&oauth.identity.app_id);
            for path in paths
                .chain(&oauth.identity.email)
                .chain(oauth.identity.metadata.values())
            {
                assert!(
                    path.starts_with("token.") || path.starts_with("info."),
                    "{slug}: {path}"
                );
                assert!(
                    path.starts_with("token.") || oauth.user_info_url.is_some(),
                    "{slug}: {path}"
                );
            }
            assert!(
                !oauth.identity.user_id.is_empty(),
                "{slug}: a repeated sign-in would double the connection"
            );
        }
    }

    #[test]
    fn every_test_call_uses_only_what_its_platform_asks_for() {
        for platform in all() {
            let Some(test) = &platform.test else { continue };
            let text = serde_json::to_string(test).unwrap();
            for name in text
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            {
                let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let known = name == "access_token" || platform.credential_fields.iter().any(|field| field.key == name);
                assert!(!is_name || known, "{}: {name}", platform.slug);
            }
            assert!(!test.url.contains('?'), "{}", platform.slug);
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
