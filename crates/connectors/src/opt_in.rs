//! What contacts opt in to where a CRM gives consent for each list or subscription type of its own: what the connection
//! says, else the only one there is (`connectors` §2.3, §2.5).

use mfh_types::ConnectionSettings;

use crate::model::OptInTarget;

/// How many candidates a message lists.
const LISTED: usize = 20;

/// The setting of a connection that says what contacts opt in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptInSetting {
    /// Its key in the settings of the connection.
    pub key: &'static str,
    vendor: &'static str,
    /// What it names, one of them and several.
    noun: (&'static str, &'static str),
}

/// ActiveCampaign's.
pub(crate) const ACTIVECAMPAIGN: OptInSetting = OptInSetting {
    key: "default_list_id",
    vendor: "ActiveCampaign",
    noun: ("list", "lists"),
};

/// HubSpot's.
pub(crate) const HUBSPOT: OptInSetting = OptInSetting {
    key: "default_subscription_id",
    vendor: "HubSpot",
    noun: (
        "active subscription type for marketing e-mail",
        "active subscription types for marketing e-mail",
    ),
};

impl OptInSetting {
    /// The setting of a platform; `None` where a contact has one consent for everything.
    pub fn of(slug: &str) -> Option<Self> {
        match slug {
            "activecampaign" => Some(ACTIVECAMPAIGN),
            "hubspot" => Some(HUBSPOT),
            _ => None,
        }
    }

    /// What a connection has set.
    pub fn read(self, settings: &ConnectionSettings) -> Option<&str> {
        let value = if self == HUBSPOT {
            &settings.default_subscription_id
        } else {
            &settings.default_list_id
        };
        value.as_deref().map(str::trim).filter(|id| !id.is_empty())
    }

    /// The settings with this one changed.
    #[must_use]
    pub fn write(self, mut settings: ConnectionSettings, value: Option<String>) -> ConnectionSettings {
        if self == HUBSPOT {
            settings.default_subscription_id = value;
        } else {
            settings.default_list_id = value;
        }
        settings
    }

    /// What contacts opt in to: the wanted one, else the only one.
    ///
    /// # Errors
    /// A sentence that lists the candidates and says where to choose one.
    pub fn choose<'a>(self, targets: &'a [OptInTarget], wanted: Option<&str>) -> Result<&'a OptInTarget, String> {
        let (one, several) = self.noun;
        let vendor = self.vendor;
        match (wanted, targets) {
            (_, []) => Err(format!(
                "{vendor} has no {one} that a contact could opt in to. Create one there"
            )),
            (None, [only]) => Ok(only),
            (None, _) => Err(format!(
                "{vendor} has {} {several}, and none is the default of this connection. {}",
                targets.len(),
                self.advice(targets)
            )),
            (Some(wanted), _) => targets
                .iter()
                .find(|target| target.id == wanted)
                .ok_or_else(|| format!("{vendor} has no {one} {wanted}. {}", self.advice(targets))),
        }
    }

    fn advice(self, targets: &[OptInTarget]) -> String {
        let mut candidates: Vec<String> = targets
            .iter()
            .take(LISTED)
            .map(|target| format!("{} ({})", target.id, target.name))
            .collect();
        if let Some(more) = targets.len().checked_sub(LISTED).filter(|more| *more > 0) {
            candidates.push(format!("{more} more"));
        }
        let list = candidates.join(", ");
        format!("Set {} in the settings of the connection to one of: {list}", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(count: usize) -> Vec<OptInTarget> {
        let target = |n: usize| OptInTarget {
            id: n.to_string(),
            name: format!("List {n}"),
        };
        (1..=count).map(target).collect()
    }

    #[test]
    fn the_setting_wins_and_without_it_only_a_single_candidate_is_clear() {
        let choose = |count, wanted| ACTIVECAMPAIGN.choose(&targets(count), wanted).map(|it| it.id.clone());
        assert_eq!(choose(3, Some("2")), Ok("2".to_owned()));
        assert_eq!(choose(1, None), Ok("1".to_owned()));
        assert!(choose(0, Some("2")).unwrap_err().contains("Create one"));
        for error in [choose(2, None), choose(2, Some("7"))] {
            let error = error.unwrap_err();
            assert!(
                error.ends_with(
                    "Set default_list_id in the settings of the connection to one of: 1 (List 1), 2 (List 2)"
                ),
                "{error}"
            );
        }
        assert!(choose(1, Some("7")).unwrap_err().contains("no list 7"));
        let many = choose(25, None).unwrap_err();
        assert!(
            many.contains("20 (List 20), 5 more") && !many.contains("List 21"),
            "{many}"
        );
    }

    #[test]
    fn each_setting_is_read_where_it_is_written() {
        for slug in ["activecampaign", "hubspot"] {
            let setting = OptInSetting::of(slug).unwrap();
            let set = setting.write(ConnectionSettings::default(), Some(" 5 ".to_owned()));
            assert_eq!(setting.read(&set), Some("5"));
            assert_eq!(setting.write(set, None), ConnectionSettings::default());
        }
        let both = ConnectionSettings {
            default_list_id: Some("1".to_owned()),
            default_subscription_id: Some("2".to_owned()),
        };
        assert_eq!(
            (ACTIVECAMPAIGN.read(&both), HUBSPOT.read(&both)),
            (Some("1"), Some("2"))
        );
        assert_eq!(OptInSetting::of("keap"), None);
    }
}
