//! What all simulated vendors have in common.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use mfh_types::{Clock, Random};

use crate::access_log::AccessLog;
use crate::faults::Faults;
use crate::{
    ActiveCampaign, GoHighLevel, HubSpot, Keap, Ontraport, Stripe, activecampaign, gohighlevel, hubspot, keap,
    ontraport, stripe,
};

/// More requests a minute than one machine can send.
const UNLIMITED: u64 = 1_000_000_000;

/// A simulated vendor with its demo account.
pub trait Simulator: fmt::Debug + Send + Sync {
    /// The platform that it stands for.
    fn slug(&self) -> &'static str;

    /// The vendor as people write it.
    fn name(&self) -> &'static str;

    /// The path that the vendor's API begins with; empty where it begins at the root.
    fn base_path(&self) -> &'static str;

    /// The vendor's paths and the simulator's own.
    fn router(&self) -> Router;

    /// The rules for what goes wrong.
    fn faults(&self) -> &Faults;

    /// What was received and written.
    fn log(&self) -> &AccessLog;

    /// Fills the account with the demo data again.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn reset(&self) -> anyhow::Result<()>;

    /// What signs in to the demo account, by the keys of the form that users fill in.
    fn credentials(&self) -> &'static [(&'static str, &'static str)];

    /// A contact of the demo data.
    fn demo_contact_id(&self) -> &'static str;

    /// Lets all access tokens of sign-ins expire now; refresh tokens stay good.
    ///
    /// # Errors
    /// When that cannot be stored.
    fn expire_tokens(&self) -> anyhow::Result<()>;

    /// Id and secret of our app at the vendor, where users can sign in by OAuth.
    fn oauth_client(&self) -> Option<(&'static str, &'static str)>;
}

macro_rules! simulator {
    ($vendor:ident, $slug:literal, $path:literal, $credentials:expr, $contact:expr, $client:expr, $expire:expr) => {
        impl Simulator for $vendor {
            fn slug(&self) -> &'static str {
                $slug
            }

            fn name(&self) -> &'static str {
                stringify!($vendor)
            }

            fn base_path(&self) -> &'static str {
                $path
            }

            fn router(&self) -> Router {
                $vendor::router(self)
            }

            fn faults(&self) -> &Faults {
                $vendor::faults(self)
            }

            fn log(&self) -> &AccessLog {
                $vendor::log(self)
            }

            fn reset(&self) -> anyhow::Result<()> {
                $vendor::reset(self)
            }

            fn credentials(&self) -> &'static [(&'static str, &'static str)] {
                $credentials
            }

            fn demo_contact_id(&self) -> &'static str {
                $contact
            }

            fn expire_tokens(&self) -> anyhow::Result<()> {
                let expire: fn(&Self) -> anyhow::Result<()> = $expire;
                expire(self)
            }

            fn oauth_client(&self) -> Option<(&'static str, &'static str)> {
                $client
            }
        }
    };
}

simulator!(
    ActiveCampaign,
    "activecampaign",
    "/api/3",
    &[("api_key", activecampaign::API_KEY)],
    activecampaign::DEMO_CONTACT_ID,
    None,
    |_| Ok(())
);
simulator!(
    GoHighLevel,
    "gohighlevel",
    "",
    &[
        ("api_key", gohighlevel::PRIVATE_INTEGRATION_TOKEN),
        ("location_id", gohighlevel::LOCATION_ID),
    ],
    gohighlevel::DEMO_CONTACT_ID,
    Some((gohighlevel::CLIENT_ID, gohighlevel::CLIENT_SECRET)),
    GoHighLevel::expire_tokens
);
simulator!(
    HubSpot,
    "hubspot",
    "",
    &[("api_key", hubspot::PRIVATE_APP_TOKEN)],
    hubspot::DEMO_CONTACT_ID,
    Some((hubspot::CLIENT_ID, hubspot::CLIENT_SECRET)),
    HubSpot::expire_tokens
);
simulator!(
    Keap,
    "keap",
    "/rest/v2",
    &[("api_key", keap::PERSONAL_ACCESS_TOKEN)],
    keap::DEMO_CONTACT_ID,
    Some((keap::CLIENT_ID, keap::CLIENT_SECRET)),
    Keap::expire_tokens
);
simulator!(
    Ontraport,
    "ontraport",
    "/1",
    &[("app_id", ontraport::APP_ID), ("api_key", ontraport::API_KEY)],
    ontraport::DEMO_CONTACT_ID,
    None,
    |_| Ok(())
);
simulator!(
    Stripe,
    "stripe",
    "/v1",
    &[("api_key", stripe::SECRET_KEY)],
    stripe::DEMO_CUSTOMER_ID,
    None,
    |_| Ok(())
);

/// The simulated vendors whose accounts are kept in folders of `dir`, or in memory; none of them limits requests.
///
/// # Errors
/// When a folder cannot be used or holds something unreadable.
pub fn all(
    dir: Option<&Path>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<(Keap, Vec<Arc<dyn Simulator>>)> {
    macro_rules! open {
        ($vendor:ident, $slug:literal) => {
            $vendor::open(
                dir.map(|dir| dir.join($slug)).as_deref(),
                clock.clone(),
                random.clone(),
            )
            .with_context(|| format!("the simulated {} cannot be opened", stringify!($vendor)))?
        };
    }
    let keap = open!(Keap, "keap");
    let ontraport = open!(Ontraport, "ontraport");
    // The answers of these two tell the documented quota, which connectors heed, unless another is set.
    keap.set_limits(keap::Limits {
        per_second: None,
        per_minute: Some(UNLIMITED),
    });
    ontraport.set_limits(ontraport::Limits {
        per_minute: Some(UNLIMITED),
    });
    let simulators: Vec<Arc<dyn Simulator>> = vec![
        Arc::new(keap.clone()),
        Arc::new(open!(GoHighLevel, "gohighlevel")),
        Arc::new(open!(ActiveCampaign, "activecampaign")),
        Arc::new(ontraport),
        Arc::new(open!(HubSpot, "hubspot")),
        Arc::new(open!(Stripe, "stripe")),
    ];
    Ok((keap, simulators))
}
