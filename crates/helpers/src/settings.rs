//! The types of settings. Each reads the spellings that users and forms send and refuses the rest, so that no helper
//! has to (`helpers/COMMON` §6).

use std::fmt;

use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::values;

/// Reads text, trimmed, or a whole number as its digits.
struct KeyVisitor(&'static str);

impl Visitor<'_> for KeyVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        match text.trim() {
            "" => Err(E::invalid_value(Unexpected::Str(text), &self)),
            text => Ok(text.to_owned()),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        let whole = number.fract() == 0.0 && number.is_finite();
        if whole {
            Ok(number.to_string())
        } else {
            Err(E::invalid_type(Unexpected::Float(number), &self))
        }
    }
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $format:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The key that a helper names itself.
            pub fn new(text: &str) -> Self {
                Self(text.trim().to_owned())
            }

            /// The text as configured, trimmed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(KeyVisitor($expected)).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

key!(
    /// A tag of the CRM, by id or by name.
    TagKey, "a tag id or tag name", "tag"
);
key!(
    /// A field of the contact: a standard name, or a custom field's key, label or id.
    FieldKey, "the name of a contact field", "crm_field"
);

key!(
    /// A contact of the CRM, by id.
    ContactKey, "a contact id", "contact"
);
key!(
    /// A user of the CRM, by id.
    UserKey, "the id of a user of the CRM", "crm_user"
);
key!(
    /// A goal of the CRM, by its call name.
    GoalKey, "the name of a goal", "goal"
);
key!(
    /// The integration under which a goal is known to the CRM.
    IntegrationKey, "the name of an integration", "integration"
);

/// Text, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transparent, inline)]
pub struct Text(String);

impl Text {
    /// The text that a helper uses by default.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.trim().to_owned()))
    }
}

/// Text as typed: white space counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("x-raw" = true))]
pub struct RawText(String);

impl RawText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text for people, with its outer blanks; one of nothing but white space counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct FreeText(String);

impl FreeText {
    /// The text that a helper takes when none is given.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text between joined values: taken as typed, and the empty text is a separator too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("x-raw" = true, "x-empty-counts" = true))]
pub struct Separator(String);

impl Separator {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Separator {
    fn default() -> Self {
        Self(" ".to_owned())
    }
}

/// A number: a JSON number or text that reads as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, JsonSchema)]
#[schemars(inline)]
pub struct Number(#[schemars(with = "f64")] pub Decimal);

impl Serialize for Number {
    /// A JSON number, for the defaults that forms show.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_i64().filter(|whole| Decimal::from(*whole) == self.0) {
            Some(whole) => serializer.serialize_i64(whole),
            None => serializer.serialize_f64(self.0.to_f64().unwrap_or_default()),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        values::number(&value)
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected a number such as 10 or 2.5"))
    }
}

/// A whole number: a JSON number without a fraction, or text that reads as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, JsonSchema)]
#[schemars(transparent, inline)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = values::number(&value).filter(|number| number.fract().is_zero());
        let whole = number.and_then(|number| number.to_i64()).map(Self);
        whole.ok_or_else(|| D::Error::custom("expected a whole number such as 10"))
    }
}

/// Yes or no: true and false, or the texts true/false, yes/no, on/off and 1/0 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(transparent, inline)]
pub struct Flag(pub bool);

impl Flag {
    /// The default of settings that are on unless switched off.
    pub fn on() -> Self {
        Self(true)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flag = match Value::deserialize(deserializer)? {
            Value::Bool(flag) => Some(flag),
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        flag.map(Self).ok_or_else(|| D::Error::custom("expected true or false"))
    }
}

/// A time zone by its IANA name, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(inline)]
pub struct Zone(#[schemars(with = "String", extend("format" = "timezone", "examples" = ["UTC"]))] pub Tz);

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let zone = name.trim().parse().map(Self);
        zone.map_err(|_| D::Error::custom(format!("found \"{name}\", expected a time zone such as Europe/Berlin")))
    }
}

/// A list in which a repeated entry counts once, at its first place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transparent, inline)]
pub struct Distinct<T>(Vec<T>);

impl<T> Distinct<T> {
    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> IntoIterator for &'a Distinct<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de, T: Deserialize<'de> + PartialEq> Deserialize<'de> for Distinct<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut distinct = Vec::new();
        for entry in Vec::<T>::deserialize(deserializer)? {
            if !distinct.contains(&entry) {
                distinct.push(entry);
            }
        }
        Ok(Self(distinct))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Option<T> {
        serde_json::from_value(value).ok()
    }

    #[test]
    fn keys_are_text_or_whole_numbers() {
        assert_eq!(read::<TagKey>(json!(" VIP ")).unwrap().as_str(), "VIP");
        assert_eq!(read::<TagKey>(json!(1234567)).unwrap().as_str(), "1234567");
        assert_eq!(read::<TagKey>(json!(3.0)).unwrap().as_str(), "3");
        for bad in [json!(1.5), json!(true), json!(null), json!([]), json!({}), json!(" ")] {
            assert!(read::<TagKey>(bad.clone()).is_none(), "{bad}");
        }
    }

    #[test]
    fn flags_forgive_texts_but_not_numbers() {
        for yes in [json!(true), json!("Yes"), json!("ON"), json!(" 1 ")] {
            assert_eq!(read::<Flag>(yes), Some(Flag(true)));
        }
        for no in [json!(false), json!("no"), json!("off"), json!("0")] {
            assert_eq!(read::<Flag>(no), Some(Flag(false)));
        }
        for bad in [json!(1), json!("maybe"), json!(null)] {
            assert!(read::<Flag>(bad).is_none());
        }
    }

    #[test]
    fn repeats_count_once_at_their_first_place() {
        let tags: Distinct<TagKey> = read(json!(["2", 1, "2", "1"])).unwrap();
        assert_eq!(tags.iter().map(TagKey::as_str).collect::<Vec<_>>(), ["2", "1"]);
    }
}
