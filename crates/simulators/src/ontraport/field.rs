//! The properties of contacts: what each type takes, and how a value is shown.

use mfh_types::JsonObject;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::error::ApiError;

/// A property of contacts. Standard ones have a name, custom ones `f` and a number.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) property: String,
    pub(crate) alias: &'static str,
    pub(crate) kind: Kind,
    /// Ids and labels of the choices.
    pub(crate) options: Vec<(u64, &'static str)>,
}

/// The types of properties that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Address,
    Check,
    Country,
    Drop,
    Email,
    FullDate,
    List,
    LongText,
    Numeric,
    /// The id of a user. Any number is taken, whether there is such a user or not.
    Owner,
    Phone,
    Price,
    Sms,
    State,
    Text,
    Timezone,
    Url,
}

impl Kind {
    /// The vendor's name of the type.
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Check => "check",
            Self::Country => "country",
            Self::Drop => "drop",
            Self::Email => "email",
            Self::FullDate => "fulldate",
            Self::List => "list",
            Self::LongText => "longtext",
            Self::Numeric => "numeric",
            Self::Owner => "parent",
            Self::Phone => "phone",
            Self::Price => "price",
            Self::Sms => "sms",
            Self::State => "state",
            Self::Text => "text",
            Self::Timezone => "timezone",
            Self::Url => "url",
        }
    }

    /// What stands in a record when nothing was ever set; it differs between types.
    fn unset(self) -> Value {
        match self {
            Self::Check | Self::Drop | Self::FullDate => json!("0"),
            Self::LongText | Self::Numeric | Self::Price => Value::Null,
            _ => json!(""),
        }
    }
}

/// The properties that every account has.
pub(crate) fn standard() -> Vec<Field> {
    let field = |(property, alias, kind): (&str, &'static str, Kind)| Field {
        property: property.to_owned(),
        alias,
        kind,
        options: Vec::new(),
    };
    [
        ("owner", "Contact Owner", Kind::Owner),
        ("firstname", "First Name", Kind::Text),
        ("lastname", "Last Name", Kind::Text),
        ("email", "Email", Kind::Email),
        ("address", "Address", Kind::Address),
        ("address2", "Address 2", Kind::Text),
        ("city", "City", Kind::Text),
        ("state", "State", Kind::State),
        ("zip", "Zip Code", Kind::Text),
        ("country", "Country", Kind::Country),
        ("birthday", "Birthday", Kind::FullDate),
        ("company", "Company", Kind::Text),
        ("title", "Title", Kind::Text),
        ("website", "Website", Kind::Url),
        ("office_phone", "Office Phone", Kind::Phone),
        ("home_phone", "Home Phone", Kind::Phone),
        ("sms_number", "SMS Number", Kind::Sms),
        ("fax", "Fax", Kind::Phone),
        ("timezone", "Timezone", Kind::Timezone),
    ]
    .map(field)
    .into()
}

impl Field {
    pub(crate) fn is_custom(&self) -> bool {
        let digits = self.property.strip_prefix('f').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Reads a value as it is stored; none when it clears.
    pub(crate) fn read(&self, value: &Value) -> Result<Option<String>, ApiError> {
        let refused = |expected: &str| ApiError::property(&self.property, expected);
        let text = match value {
            Value::Null => return Ok(None),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => u8::from(*flag).to_string(),
            Value::Array(_) | Value::Object(_) => return Err(refused("a text")),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let fits = match self.kind {
            Kind::Check => matches!(text.as_str(), "0" | "1"),
            Kind::Country => text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
            Kind::Drop => text == "0" || self.has_option(&text),
            Kind::Email => text.contains('@') && !text.contains(char::is_whitespace),
            Kind::FullDate => text.parse::<i64>().is_ok(),
            Kind::List => self.is_list(&text),
            Kind::Numeric | Kind::Price => text.parse::<Decimal>().is_ok(),
            Kind::Owner => text.parse::<u64>().is_ok(),
            Kind::Address
            | Kind::LongText
            | Kind::Phone
            | Kind::Sms
            | Kind::State
            | Kind::Text
            | Kind::Timezone
            | Kind::Url => true,
        };
        if fits {
            Ok(Some(text))
        } else {
            Err(refused(self.expected()))
        }
    }

    fn expected(&self) -> &'static str {
        match self.kind {
            Kind::Check => "0 or 1",
            Kind::Country => "a country code",
            Kind::Drop => "the id of an option",
            Kind::Email => "an e-mail address",
            Kind::FullDate => "seconds since 1970",
            Kind::List => "ids of options between */*",
            Kind::Numeric | Kind::Price | Kind::Owner => "a number",
            _ => "a text",
        }
    }

    fn has_option(&self, id: &str) -> bool {
        self.options.iter().any(|(known, _)| known.to_string() == id)
    }

    fn is_list(&self, text: &str) -> bool {
        let inner = text.strip_prefix("*/*").and_then(|rest| rest.strip_suffix("*/*"));
        inner.is_some_and(|inner| inner.split("*/*").all(|id| self.has_option(id)))
    }

    /// What a record shows.
    pub(crate) fn show(&self, stored: Option<&String>) -> Value {
        stored.map_or_else(|| self.kind.unset(), |text| Value::from(text.as_str()))
    }

    /// The definition as `/objects/meta` shows it.
    pub(crate) fn meta(&self) -> Value {
        let mut meta = json!({
            "alias": self.alias, "type": self.kind.name(), "required": "0", "unique": self.unique(),
            "editable": 1, "deletable": u8::from(self.is_custom()).to_string(),
        });
        if self.kind == Kind::Owner {
            meta["parent_object"] = json!(2);
        }
        if !self.options.is_empty() {
            meta["options"] = self.options_by_id().into();
        }
        meta
    }

    /// The definition as `/objects/fieldeditor` shows it.
    pub(crate) fn editor(&self, number: usize) -> Value {
        let mut shown = json!({
            "id": number, "alias": self.alias, "field": self.property, "type": self.kind.name(), "required": 0,
            "unique": self.unique(), "editable": 1, "deletable": self.is_custom(),
        });
        if !self.options.is_empty() {
            shown["options"] = self.options_by_id().into();
        }
        shown
    }

    fn unique(&self) -> u8 {
        u8::from(self.kind == Kind::Email && !self.is_custom())
    }

    fn options_by_id(&self) -> JsonObject {
        let options = self.options.iter();
        options
            .map(|(id, label)| (id.to_string(), Value::from(*label)))
            .collect()
    }
}
