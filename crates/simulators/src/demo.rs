//! The people and tags of the demo accounts: the same every time, and alike at all CRMs.

use chrono::{DateTime, Duration, Utc};
use mfh_types::TimestampMs;

const GIVEN_NAMES: [&str; 20] = [
    "Amara", "Bastian", "Celia", "Dmitri", "Elena", "Farouk", "Greta", "Hiro", "Imani", "Jonas", "Keiko", "Liam",
    "Marisol", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Soren", "Talia",
];

/// The family names that people at several CRMs have.
pub(crate) const FAMILY_NAMES: [&str; 11] = [
    "Abernathy",
    "Bergström",
    "Castellano",
    "Dunmore",
    "Eastwick",
    "Fairbanks",
    "Galloway",
    "Hashimoto",
    "O'Hara",
    "Rasmussen",
    "Whitfield",
];
/// The companies that people at several CRMs work for.
pub(crate) const COMPANIES: [&str; 8] = [
    "Northwind Bakery",
    "Cedar Lane Dental",
    "Blue Heron Yoga",
    "Granite Peak Roofing",
    "Lakeside Tutoring",
    "Harbor Light Legal",
    "Redwood Realty",
    "Willow Creek Spa",
];
/// What people at several CRMs do there.
pub(crate) const JOB_TITLES: [&str; 5] = ["Owner", "Office Manager", "Marketing Lead", "Coach", "Assistant"];

const CITIES: [City; 6] = [
    City::new("Chandler", "Arizona", "US-AZ", "85224"),
    City::new("Portland", "Oregon", "US-OR", "97205"),
    City::new("Austin", "Texas", "US-TX", "78701"),
    City::new("Madison", "Wisconsin", "US-WI", "53703"),
    City::new("Savannah", "Georgia", "US-GA", "31401"),
    City::new("Boulder", "Colorado", "US-CO", "80302"),
];
const TIME_ZONES: [&str; 4] = [
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Chicago",
    "America/New_York",
];
/// The choices of the field "Favorite Color".
pub(crate) const COLORS: [&str; 4] = ["Red", "Green", "Blue", "Yellow"];
/// The users of the accounts: given name, family name and address; the first is the one that connects.
pub(crate) const USERS: [(&str, &str, &str); 4] = [
    ("Dana", "Whitlock", "dana@example.com"),
    ("Miguel", "Ortega", "miguel@example.com"),
    ("Yuki", "Tanabe", "yuki@example.com"),
    ("Ruth", "Osei", "ruth@example.com"),
];

/// The tags by what they are about.
pub(crate) const TAGS: [(&str, &[&str]); 4] = [
    (
        "Lifecycle",
        &[
            "Prospect",
            "Lead",
            "Customer",
            "Repeat Customer",
            "VIP",
            "Former Customer",
            "Partner",
            "Churn Risk",
        ],
    ),
    (
        "Source",
        &[
            "Webinar",
            "Referral",
            "Facebook Ad",
            "Trade Show",
            "Newsletter",
            "Podcast",
            "Cold Outreach",
        ],
    ),
    (
        "Interest",
        &[
            "Coaching",
            "Online Course",
            "Consulting",
            "Workshops",
            "Membership",
            "E-books",
            "Live Events",
            "Templates",
        ],
    ),
    (
        "Actions",
        &[
            "Opened Last Email",
            "Clicked Offer",
            "Booked Call",
            "No Show",
            "Abandoned Cart",
            "Left Review",
            "Requested Quote",
        ],
    ),
];

/// The names of all tags.
pub(crate) fn tags() -> impl Iterator<Item = &'static str> {
    TAGS.into_iter().flat_map(|(_, names)| names.iter().copied())
}

/// The time of the `index`th seeded record.
pub(crate) fn seeded_at(index: usize) -> TimestampMs {
    let start = DateTime::<Utc>::from_timestamp(1_736_150_400, 0).unwrap_or_default();
    TimestampMs(start + Duration::hours(i64::try_from(index).unwrap_or_default()))
}

/// Where a person lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct City {
    pub(crate) name: &'static str,
    pub(crate) region: &'static str,
    /// With the country, as in `US-AZ`.
    pub(crate) region_code: &'static str,
    pub(crate) zip: &'static str,
}

impl City {
    const fn new(name: &'static str, region: &'static str, region_code: &'static str, zip: &'static str) -> Self {
        Self {
            name,
            region,
            region_code,
            zip,
        }
    }

    /// The region without the country, as in `AZ`.
    pub(crate) fn state(&self) -> &'static str {
        self.region_code.trim_start_matches("US-")
    }
}

/// One of the demo people. What not everybody has, each CRM leaves out where its own rule says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub(crate) index: usize,
}

impl Person {
    /// One of these.
    pub(crate) fn pick<T: Copy>(self, choices: &[T]) -> T {
        choices[self.index % choices.len()]
    }

    pub(crate) fn given_name(self) -> &'static str {
        self.pick(&GIVEN_NAMES)
    }

    pub(crate) fn family_name(self, names: &[&'static str]) -> &'static str {
        names[(self.index * 7) % names.len()]
    }

    pub(crate) fn email(self) -> String {
        address(self.given_name(), self.index)
    }

    /// 555-01xx numbers are kept free for fiction; people have several lines.
    pub(crate) fn phone(self, line: usize) -> String {
        format!("(602) 555-01{:02}", (self.index + line) % 100)
    }

    /// Whether the person works for a company.
    pub(crate) fn is_employed(self) -> bool {
        self.index % 3 != 1
    }

    /// Whether address, birthday and website are known.
    pub(crate) fn is_well_known(self) -> bool {
        self.index.is_multiple_of(2)
    }

    /// Whether custom fields have values.
    pub(crate) fn has_custom_values(self) -> bool {
        self.index.is_multiple_of(3)
    }

    pub(crate) fn city(self) -> City {
        self.pick(&CITIES)
    }

    pub(crate) fn street(self, name: &str) -> String {
        format!("{} {name} Street", 100 + self.index)
    }

    pub(crate) fn time_zone(self) -> &'static str {
        self.pick(&TIME_ZONES)
    }

    /// Year, month and day.
    pub(crate) fn birthday(self) -> (usize, usize, usize) {
        (1960 + self.index % 39, self.index % 12 + 1, self.index % 28 + 1)
    }

    pub(crate) fn website(self) -> String {
        format!("https://www.example.com/{}", self.index + 1)
    }

    /// The number of the user who looks after the person, from 1 to 3.
    pub(crate) fn owner(self) -> usize {
        self.index % 3 + 1
    }

    pub(crate) fn lead_score(self) -> usize {
        self.index % 100
    }

    pub(crate) fn tag_count(self) -> usize {
        self.index % 6
    }

    pub(crate) fn lifetime_value(self) -> String {
        format!("{}.50", self.index * 10)
    }

    pub(crate) fn renewal_date(self) -> String {
        format!("2026-{:02}-15", self.index % 12 + 1)
    }

    /// This many of these tags.
    pub(crate) fn tags(self, ids: Vec<u64>, count: usize) -> impl Iterator<Item = u64> {
        let places = (0..count).map(move |step| self.index * 5 + step * 11);
        places.filter_map(move |place| ids.get(place % ids.len().max(1)).copied())
    }
}

/// The address that somebody of this name has.
pub(crate) fn address(given_name: &str, index: usize) -> String {
    format!("{}.{}@example.com", given_name.to_lowercase(), index + 1)
}
