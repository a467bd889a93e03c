//! Platforms as one machine has them: every address leads to a simulator here, and our clients are those of the
//! simulators.

use std::sync::Arc;

use anyhow::Context;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::DisplayErrorContext;
use aws_sdk_ssm::types::ParameterType;
use axum::Router;
use mfh_aws::Stage;
use mfh_helpers::outside::LiveClient;
use mfh_simulators::services::FOLDERS;
use mfh_simulators::{OAuthProvider, Services, Simulator};
use mfh_types::{Platform, RateLimits};
use mfh_worker::Reach;

/// More requests than this machine can send.
const UNLIMITED: RateLimits = RateLimits {
    requests_per_second: 10_000,
    requests_per_minute: 0,
    requests_per_hour: 0,
    burst_limit: 10_000,
};

/// What comes before the paths of a simulator in the vendor's addresses.
const VENDOR_PREFIXES: [(&str, &str); 1] = [("keap", "/crm")];

/// Points every address of a platform to its simulator at `url`, which knows no limits.
pub(crate) fn redirect(platform: &mut Platform, url: &str) {
    let slug = platform.slug.clone();
    let turn = |address: &mut String| *address = simulated(&slug, address, url);
    turn(&mut platform.api_config.base_url);
    if !platform.api_config.test_endpoint.is_empty() {
        turn(&mut platform.api_config.test_endpoint);
    }
    platform.api_config.rate_limits = UNLIMITED;
    if let Some(test) = &mut platform.test {
        turn(&mut test.url);
    }
    if let Some(oauth) = &mut platform.oauth {
        turn(&mut oauth.auth_url);
        turn(&mut oauth.token_url);
        oauth.user_info_url.iter_mut().for_each(&turn);
        oauth.revoke.iter_mut().for_each(|revoke| turn(&mut revoke.url));
    }
}

/// The same path at the simulator of a platform.
fn simulated(slug: &str, address: &str, url: &str) -> String {
    let path = address
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
        .unwrap_or_default();
    let prefix = VENDOR_PREFIXES.iter().find(|(known, _)| *known == slug);
    let path = prefix.and_then(|(_, prefix)| path.strip_prefix(prefix)).unwrap_or(path);
    format!("{url}/_sim/{slug}{path}")
}

/// Every simulator below the slug of its platform, and the services that helpers look things up at.
pub(crate) fn router(vendors: &[Arc<dyn Simulator>], providers: &[OAuthProvider]) -> Router {
    let vendors = vendors.iter().map(|vendor| (vendor.slug(), vendor.router()));
    let providers = providers.iter().map(|provider| (provider.slug(), provider.router()));
    vendors
        .chain(providers)
        .fold(Router::new(), |all, (slug, router)| {
            all.nest(&format!("/{slug}"), router)
        })
        .nest("/services", Services::new().router())
}

/// What helpers reach outside: with `live` the services themselves, else the simulated ones at `url`.
///
/// # Errors
/// When no client can be made.
pub(crate) fn reach(url: &str, live: bool) -> anyhow::Result<Reach> {
    let mut reach = Reach::new(Arc::new(LiveClient::new()?));
    if !live {
        let endpoint = |(slug, folder): (&str, &str)| (slug.to_owned(), format!("{url}/_sim/services/{folder}"));
        reach.endpoints = FOLDERS.map(endpoint).into();
    }
    Ok(reach)
}

/// Stores the clients of the simulators where those of the vendors are in the cloud.
///
/// # Errors
/// When the parameter store refuses.
pub(crate) async fn store_clients(
    ssm: &Client,
    stage: &Stage,
    vendors: &[Arc<dyn Simulator>],
    providers: &[OAuthProvider],
) -> anyhow::Result<()> {
    let crms = vendors.iter().filter_map(|vendor| {
        let (id, secret) = vendor.oauth_client()?;
        Some((vendor.slug(), id.to_owned(), secret.to_owned()))
    });
    let others = providers
        .iter()
        .map(|provider| (provider.slug(), provider.client_id(), provider.client_secret()));
    for (slug, id, secret) in crms.chain(others) {
        for (part, value) in [("client_id", id), ("client_secret", secret)] {
            ssm.put_parameter()
                .name(format!("/{stage}/platforms/{slug}/oauth/{part}"))
                .value(value)
                .r#type(ParameterType::SecureString)
                .overwrite(true)
                .send()
                .await
                .map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(&error)))
                .context("the OAuth clients of the simulators cannot be stored")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_of_any_platform_leaves_this_machine() {
        let now = serde_json::from_value("2026-03-10T00:00:00Z".into()).unwrap();
        for mut platform in mfh_platforms::seeds(now) {
            redirect(&mut platform, "http://127.0.0.1:8080");
            let (test, oauth) = (platform.test, platform.oauth);
            let addresses = [Some(platform.api_config.base_url), test.map(|test| test.url)];
            let sign_in = oauth.map(|oauth| {
                vec![
                    Some(oauth.auth_url),
                    Some(oauth.token_url),
                    oauth.user_info_url,
                    oauth.revoke.map(|revoke| revoke.url),
                ]
            });
            for address in addresses.into_iter().chain(sign_in.unwrap_or_default()).flatten() {
                let own = format!("http://127.0.0.1:8080/_sim/{}", platform.slug);
                assert!(address.starts_with(&own), "{address}");
            }
        }
    }

    #[test]
    fn the_path_stays_without_what_only_the_vendor_has() {
        let url = "http://127.0.0.1:1";
        assert_eq!(
            simulated("keap", "https://api.infusionsoft.com/crm/rest/v2", url),
            "http://127.0.0.1:1/_sim/keap/rest/v2"
        );
        assert_eq!(
            simulated("zoom", "https://zoom.us/oauth/token", url),
            "http://127.0.0.1:1/_sim/zoom/oauth/token"
        );
        assert_eq!(
            simulated("hubspot", "https://api.hubapi.com", url),
            "http://127.0.0.1:1/_sim/hubspot"
        );
    }
}
