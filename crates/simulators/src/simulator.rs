//! What all simulated vendors have in common.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use mfh_types::{Clock, Random};

use crate::access_log::AccessLog;
use crate::account::{Account, Vendor};
use crate::activecampaign::ActiveCampaignVendor;
use crate::faults::Faults;
use crate::stripe::StripeVendor;
use crate::{GoHighLevel, HubSpot, Keap, Ontraport, gohighlevel, hubspot, keap, ontraport};

/// More requests a minute or a day than one machine can send.
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

impl<V: Vendor> Simulator for Account<V> {
    fn slug(&self) -> &'static str {
        V::SLUG
    }

    fn name(&self) -> &'static str {
        V::NAME
    }

    fn base_path(&self) -> &'static str {
        V::BASE_PATH
    }

    fn router(&self) -> Router {
        Self::router(self)
    }

    fn faults(&self) -> &Faults {
        Self::faults(self)
    }

    fn log(&self) -> &AccessLog {
        Self::log(self)
    }

    fn reset(&self) -> anyhow::Result<()> {
        Self::reset(self)
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        V::CREDENTIALS
    }

    fn demo_contact_id(&self) -> &'static str {
        V::DEMO_CONTACT_ID
    }

    fn expire_tokens(&self) -> anyhow::Result<()> {
        Self::expire_tokens(self)
    }

    fn oauth_client(&self) -> Option<(&'static str, &'static str)> {
        V::OAUTH_CLIENT
    }
}

/// The simulated vendors whose accounts are kept in folders of `dir`, or in memory; none of them limits requests.
///
/// # Errors
/// When a folder cannot be used or holds something unreadable.
pub fn all(
    dir: Option<&Path>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<(Keap, Vec<Arc<dyn Simulator>>)> {
    let keap = open(dir, clock, random)?;
    let ontraport: Ontraport = open(dir, clock, random)?;
    let gohighlevel: GoHighLevel = open(dir, clock, random)?;
    let hubspot: HubSpot = open(dir, clock, random)?;
    // Answers tell the documented quotas, which connectors heed, unless others are set.
    keap.set_limits(keap::Limits {
        per_second: None,
        per_minute: Some(UNLIMITED),
        per_day: Some(UNLIMITED),
    });
    gohighlevel.set_limits(gohighlevel::Limits {
        per_day: Some(UNLIMITED),
        ..gohighlevel::Limits::default()
    });
    hubspot.set_limits(hubspot::Limits {
        per_day: Some(UNLIMITED),
        ..hubspot::Limits::default()
    });
    ontraport.set_limits(ontraport::Limits {
        per_minute: Some(UNLIMITED),
    });
    let simulators: Vec<Arc<dyn Simulator>> = vec![
        Arc::new(keap.clone()),
        Arc::new(gohighlevel),
        Arc::new(open::<ActiveCampaignVendor>(dir, clock, random)?),
        Arc::new(ontraport),
        Arc::new(hubspot),
        Arc::new(open::<StripeVendor>(dir, clock, random)?),
    ];
    Ok((keap, simulators))
}

fn open<V: Vendor>(dir: Option<&Path>, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> anyhow::Result<Account<V>> {
    let dir = dir.map(|dir| dir.join(V::SLUG));
    Account::open(dir.as_deref(), clock.clone(), random.clone())
        .with_context(|| format!("the simulated {} cannot be opened", V::NAME))
}
