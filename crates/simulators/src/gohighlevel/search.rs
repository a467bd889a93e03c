//! The search's body: filters, order and pages.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::contact;
use super::error::ApiError;
use super::state::{Contact, State};

const LARGEST_PAGE: usize = 500;
/// How far `page` reaches; beyond it only `searchAfter` leads on.
const FARTHEST_BY_PAGE: usize = 10_000;
/// Characters of a value in a filter.
const LONGEST_VALUE: usize = 75;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    location_id: Value,
    page_limit: usize,
    page: Option<usize>,
    search_after: Option<(Value, String)>,
    #[serde(default)]
    filters: Vec<Node>,
    #[serde(default)]
    sort: Vec<Sort>,
    query: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Node {
    Group(Group),
    Filter(Filter),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: Junction,
    filters: Vec<Node>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Junction {
    And,
    Or,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    field: Field,
    operator: Operator,
    #[serde(default)]
    value: Value,
}

/// What a list can be filtered by.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Field {
    Id,
    Email,
    Phone,
    FirstNameLowerCase,
    LastNameLowerCase,
    CompanyName,
    City,
    State,
    Country,
    PostalCode,
    Source,
    Timezone,
    AssignedTo,
    Tags,
    Dnd,
    DateAdded,
    DateUpdated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operator {
    Eq,
    NotEq,
    Contains,
    NotContains,
    Exists,
    NotExists,
    Range,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    gte: Option<DateTime<Utc>>,
    gt: Option<DateTime<Utc>>,
    lte: Option<DateTime<Utc>>,
    lt: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sort {
    field: Order,
    direction: Direction,
}

/// What a list can be sorted by.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Order {
    DateAdded,
    DateUpdated,
    Email,
    FirstNameLowerCase,
    LastNameLowerCase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Asc,
    Desc,
}

/// Hits of a page, and how many there are on all pages.
pub(crate) fn answer(state: &State, body: &[u8]) -> Result<Value, ApiError> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| ApiError::property(format!("The search is not valid: {error}")))?;
    contact::check_location(Some(&body.location_id))?;
    let skip = body.skip()?;
    let mut found = Vec::new();
    for contact in state.contacts.values() {
        if body.matches(contact)? {
            found.push(contact);
        }
    }
    let total = found.len();
    let (order, direction) = match body.sort.as_slice() {
        [] => (Order::DateAdded, Direction::Desc),
        [sort] => (sort.field, sort.direction),
        _ => return Err(ApiError::property("sort may hold one entry")),
    };
    let compare = |a: (&Value, &str), b: (&Value, &str)| {
        let ordering = compare(a.0, b.0).then_with(|| a.1.cmp(b.1));
        if direction == Direction::Desc {
            ordering.reverse()
        } else {
            ordering
        }
    };
    let mut rows: Vec<(Value, &Contact)> = found.into_iter().map(|contact| (order.key(contact), contact)).collect();
    rows.sort_by(|a, b| compare((&a.0, &a.1.id), (&b.0, &b.1.id)));
    if let Some((key, id)) = &body.search_after {
        rows.retain(|row| compare((&row.0, &row.1.id), (key, id)).is_gt());
    }
    let hits: Vec<Value> = rows
        .into_iter()
        .skip(skip)
        .take(body.page_limit)
        .map(|(key, contact)| contact::show_hit(state, contact, json!([key, contact.id])))
        .collect();
    Ok(json!({ "contacts": hits, "total": total, "traceId": "demo-trace" }))
}

/// Numbers before texts, as keys of one order are all the same kind.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_str().cmp(&b.as_str()),
    }
}

impl Order {
    fn key(self, contact: &Contact) -> Value {
        let lower = |name| Value::from(contact.text(name).unwrap_or_default().to_lowercase());
        match self {
            Self::DateAdded => contact.date_added.0.timestamp_millis().into(),
            Self::DateUpdated => contact.date_updated.0.timestamp_millis().into(),
            Self::Email => lower("email"),
            Self::FirstNameLowerCase => lower("firstName"),
            Self::LastNameLowerCase => lower("lastName"),
        }
    }
}

impl Body {
    /// How many hits come before the page.
    fn skip(&self) -> Result<usize, ApiError> {
        if !(1..=LARGEST_PAGE).contains(&self.page_limit) {
            return Err(ApiError::property("pageLimit must be from 1 to 500"));
        }
        match (self.page, &self.search_after) {
            (Some(_), Some(_)) => Err(ApiError::property("page and searchAfter exclude each other")),
            (Some(0), _) => Err(ApiError::property("page must not be less than 1")),
            (Some(page), None) if page.saturating_mul(self.page_limit) > FARTHEST_BY_PAGE => {
                Err(ApiError::bad("Beyond 10000 records use searchAfter"))
            }
            (Some(page), None) => Ok((page - 1) * self.page_limit),
            (None, _) => Ok(0),
        }
    }

    fn matches(&self, contact: &Contact) -> Result<bool, ApiError> {
        let query = self.query.as_deref().unwrap_or_default().to_lowercase();
        let fields = ["email", "phone", "companyName"];
        let mut texts = fields.iter().filter_map(|name| contact.text(name));
        let named = contact::full_name(contact).to_lowercase().contains(&query);
        if !named && !texts.any(|text| text.to_lowercase().contains(&query)) {
            return Ok(false);
        }
        holds(Junction::And, &self.filters, contact)
    }
}

fn holds(junction: Junction, nodes: &[Node], contact: &Contact) -> Result<bool, ApiError> {
    let mut results = Vec::with_capacity(nodes.len());
    for node in nodes {
        results.push(match node {
            Node::Group(group) => holds(group.group, &group.filters, contact)?,
            Node::Filter(filter) => filter.holds(contact)?,
        });
    }
    Ok(match junction {
        Junction::And => results.iter().all(|holds| *holds),
        Junction::Or => results.iter().any(|holds| *holds),
    })
}

impl Filter {
    fn holds(&self, contact: &Contact) -> Result<bool, ApiError> {
        if let Field::DateAdded | Field::DateUpdated = self.field {
            return self.in_range(contact);
        }
        let values = self.field.values(contact);
        if let Operator::Exists | Operator::NotExists = self.operator {
            return Ok((self.operator == Operator::Exists) != values.is_empty());
        }
        let wanted = match &self.value {
            Value::String(text) => text.to_lowercase(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            _ => return Err(ApiError::property("value must be a text, a number or a boolean")),
        };
        if wanted.chars().count() > LONGEST_VALUE {
            return Err(ApiError::property("value may have 75 characters"));
        }
        let equal = values.iter().any(|value| value.to_lowercase() == wanted);
        let contains = values.iter().any(|value| value.to_lowercase().contains(&wanted));
        match self.operator {
            Operator::Eq => Ok(equal),
            Operator::NotEq => Ok(!equal),
            Operator::Contains => Ok(contains),
            Operator::NotContains => Ok(!contains),
            _ => Err(ApiError::property("range is for dates")),
        }
    }

    fn in_range(&self, contact: &Contact) -> Result<bool, ApiError> {
        if self.operator != Operator::Range {
            return Err(ApiError::property("dates are filtered by range"));
        }
        let bounds: Bounds = serde_json::from_value(self.value.clone())
            .map_err(|error| ApiError::property(format!("range is not valid: {error}")))?;
        let date = match self.field {
            Field::DateAdded => contact.date_added.0,
            _ => contact.date_updated.0,
        };
        Ok(bounds.gte.is_none_or(|bound| date >= bound)
            && bounds.gt.is_none_or(|bound| date > bound)
            && bounds.lte.is_none_or(|bound| date <= bound)
            && bounds.lt.is_none_or(|bound| date < bound))
    }
}

impl Field {
    /// What a contact has there; several for tags and addresses.
    fn values(self, contact: &Contact) -> Vec<String> {
        let text = |name| Vec::from_iter(contact.text(name).map(str::to_owned));
        match self {
            Self::Id => vec![contact.id.clone()],
            Self::Email => [text("email"), contact.additional_emails.clone()].concat(),
            Self::Phone => [text("phone"), contact.additional_phones.clone()].concat(),
            Self::FirstNameLowerCase => text("firstName"),
            Self::LastNameLowerCase => text("lastName"),
            Self::CompanyName => text("companyName"),
            Self::City => text("city"),
            Self::State => text("state"),
            Self::Country => text("country"),
            Self::PostalCode => text("postalCode"),
            Self::Source => text("source"),
            Self::Timezone => text("timezone"),
            Self::AssignedTo => text("assignedTo"),
            Self::Tags => contact.tags.clone(),
            Self::Dnd => vec![contact.dnd.to_string()],
            Self::DateAdded | Self::DateUpdated => Vec::new(),
        }
    }
}
