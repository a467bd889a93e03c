//! Names of fields and tags: the standard vocabulary, its other spellings, and look-up in the CRM's definitions.

use unicode_normalization::UnicodeNormalization;

use crate::model::{CustomField, DataType, Tag};

/// A field that every CRM with such a thing calls the same through us (`connectors` §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StandardField {
    /// Our name.
    pub(crate) name: &'static str,
    /// The CRM's own names for it, accepted exactly.
    pub(crate) native: &'static [&'static str],
    /// The kind of its values.
    pub(crate) data_type: DataType,
    /// Whether it can be written.
    pub(crate) writable: bool,
}

/// Other spellings of the standard names, in lower case: those of old helper configurations and of campaigns.
const ALIASES: &[(&str, &str)] = &[
    ("contactid", "id"),
    ("contact_id", "id"),
    ("firstname", "first_name"),
    ("given_name", "first_name"),
    ("lastname", "last_name"),
    ("family_name", "last_name"),
    ("fullname", "full_name"),
    ("emailaddress2", "email2"),
    ("emailaddress3", "email3"),
    ("phone1", "phone"),
    ("fax1", "fax"),
    ("companyname", "company"),
    ("company_name", "company"),
    ("jobtitle", "job_title"),
    ("ownerid", "owner_id"),
    ("streetaddress1", "address1"),
    ("streetaddress2", "address2"),
    ("postalcode", "zip"),
    ("leadsource", "source"),
    ("time_zone", "timezone"),
    ("address2street1", "shipping_address1"),
    ("address2street2", "shipping_address2"),
    ("city2", "shipping_city"),
    ("state2", "shipping_state"),
    ("postalcode2", "shipping_zip"),
    ("country2", "shipping_country"),
    ("address3street1", "other_address1"),
    ("address3street2", "other_address2"),
    ("city3", "other_city"),
    ("state3", "other_state"),
    ("postalcode3", "other_zip"),
    ("country3", "other_country"),
];

/// The standard name that `key` may be another spelling of.
pub(crate) fn standard_name(key: &str) -> String {
    let lower = key.to_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == lower);
    alias.map_or(lower, |(_, name)| (*name).to_owned())
}

/// A key with where it is to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup<'a> {
    /// `std:` — only the standard vocabulary.
    Standard(&'a str),
    /// `id:` — only ids of definitions.
    Id(&'a str),
    /// `key:` — only keys of definitions.
    Key(&'a str),
    /// `label:` — only labels of definitions.
    Label(&'a str),
    /// No prefix: everywhere.
    Any(&'a str),
}

impl<'a> Lookup<'a> {
    /// Reads the prefix; none for a blank key.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let lookup = match text.split_once(':') {
            Some(("std", rest)) => Self::Standard(rest.trim()),
            Some(("id", rest)) => Self::Id(rest.trim()),
            Some(("key", rest)) => Self::Key(rest.trim()),
            Some(("label", rest)) => Self::Label(rest.trim()),
            _ => Self::Any(text),
        };
        (!lookup.text().is_empty()).then_some(lookup)
    }

    fn text(self) -> &'a str {
        match self {
            Self::Standard(text) | Self::Id(text) | Self::Key(text) | Self::Label(text) | Self::Any(text) => text,
        }
    }
}

/// What a look-up found.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'a, T> {
    One(&'a T),
    /// Several at the same step: the user has to say which.
    Several(Vec<&'a T>),
    None,
}

impl<'a, T> Found<'a, T> {
    fn first_of(steps: &[&dyn Fn(&T) -> bool], items: &'a [T]) -> Self {
        for step in steps {
            let mut hits: Vec<&T> = items.iter().filter(|item| step(item)).collect();
            match hits.len() {
                0 => {}
                1 => return Self::One(hits.remove(0)),
                _ => return Self::Several(hits),
            }
        }
        Self::None
    }
}

/// A definition by id, by key, by key in another spelling, by label in another spelling.
pub(crate) fn find_field<'a>(lookup: Lookup<'_>, fields: &'a [CustomField]) -> Found<'a, CustomField> {
    let text = lookup.text();
    let (spelling, bare) = (normal(text), bare_key(text));
    let by_id = |field: &CustomField| field.id == text;
    let by_key = |field: &CustomField| field.key == text;
    let by_bare_key = |field: &CustomField| bare_key(&field.key) == bare;
    let by_label = |field: &CustomField| normal(&field.label) == spelling;
    let steps: &[&dyn Fn(&CustomField) -> bool] = match lookup {
        Lookup::Standard(_) => &[],
        Lookup::Id(_) => &[&by_id],
        Lookup::Key(_) => &[&by_key, &by_bare_key],
        Lookup::Label(_) => &[&by_label],
        Lookup::Any(_) => &[&by_id, &by_key, &by_bare_key, &by_label],
    };
    Found::first_of(steps, fields)
}

/// A tag by id, by its exact name, by its name in another spelling.
pub(crate) fn find_tag<'a>(text: &str, tags: &'a [Tag]) -> Found<'a, Tag> {
    let spelling = normal(text);
    Found::first_of(
        &[
            &|tag: &Tag| tag.id == text || tag.vendor_id.as_deref() == Some(text),
            &|tag: &Tag| tag.name == text,
            &|tag: &Tag| normal(&tag.name) == spelling,
        ],
        tags,
    )
}

/// NFKC, lower case, trimmed, inner blanks as one.
pub(crate) fn normal(text: &str) -> String {
    let folded = text.nfkc().collect::<String>().to_lowercase();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A key without the decorations of vendors: `contact.` (GoHighLevel), `%…%` (ActiveCampaign), `_` (old Keap).
fn bare_key(key: &str) -> String {
    let key = normal(key);
    let key = key.strip_prefix("contact.").unwrap_or(&key);
    let inner = key.strip_prefix('%').and_then(|key| key.strip_suffix('%'));
    inner.unwrap_or(key).trim_start_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(id: &str, key: &str, label: &str) -> CustomField {
        CustomField {
            id: id.to_owned(),
            key: key.to_owned(),
            label: label.to_owned(),
            field_type: "TEXT".to_owned(),
            data_type: DataType::Text,
            group_name: None,
            options: Vec::new(),
            option_ids: Vec::new(),
            default_value: None,
            read_only: false,
        }
    }

    fn found<'a>(key: &str, fields: &'a [CustomField]) -> Result<&'a str, usize> {
        match find_field(Lookup::parse(key).unwrap(), fields) {
            Found::One(field) => Ok(&field.id),
            Found::Several(fields) => Err(fields.len()),
            Found::None => Err(0),
        }
    }

    #[test]
    fn definitions_are_found_by_id_then_key_then_label() {
        let fields = [
            field("7", "_LeadScore", "Lead  Score"),
            field("8", "7", "Shirt size"),
            field("9", "Size0", "shirt SIZE"),
        ];
        assert_eq!(found("7", &fields), Ok("7"));
        assert_eq!(found("key:7", &fields), Ok("8"));
        assert_eq!(found("leadscore", &fields), Ok("7"));
        assert_eq!(found(" lead score ", &fields), Ok("7"));
        assert_eq!(found("ｌｅａｄ score", &fields), Ok("7"));
        assert_eq!(found("label:Shirt Size", &fields), Err(2));
        assert_eq!(found("id:Size0", &fields), Err(0));
        assert_eq!(found("std:_LeadScore", &fields), Err(0));
    }

    #[test]
    fn keys_are_compared_without_vendor_decorations() {
        let fields = [field("1", "contact.plan", "x"), field("2", "%LEVEL%", "y")];
        assert_eq!(found("Plan", &fields), Ok("1"));
        assert_eq!(found("level", &fields), Ok("2"));
    }

    #[test]
    fn a_tag_id_wins_over_a_name_and_an_exact_name_over_another_spelling() {
        let tag = |id: &str, name: &str| Tag {
            id: id.to_owned(),
            name: name.to_owned(),
            description: None,
            category: None,
            vendor_id: None,
        };
        let tags = [tag("1", "vip"), tag("2", "VIP"), tag("3", "2"), tag("4", "Gold")];
        let id = |text| match find_tag(text, &tags) {
            Found::One(tag) => Ok(tag.id.as_str()),
            Found::Several(tags) => Err(tags.len()),
            Found::None => Err(0),
        };
        assert_eq!(id("2"), Ok("2"));
        assert_eq!(id("VIP"), Ok("2"));
        assert_eq!(id("Vip"), Err(2));
        assert_eq!(id(" gold"), Ok("4"));
        assert_eq!(id("silver"), Err(0));
    }

    #[test]
    fn other_spellings_of_standard_names_are_known() {
        for (key, name) in [
            ("FirstName", "first_name"),
            ("given_name", "first_name"),
            ("EMAIL", "email"),
            ("PostalCode2", "shipping_zip"),
            ("OwnerID", "owner_id"),
            ("Shoe size", "shoe size"),
        ] {
            assert_eq!(standard_name(key), name);
        }
    }

    #[test]
    fn a_blank_key_is_none() {
        assert_eq!(Lookup::parse("  "), None);
        assert_eq!(Lookup::parse("id: "), None);
        assert_eq!(Lookup::parse(" std:email "), Some(Lookup::Standard("email")));
    }
}
