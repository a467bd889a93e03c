//! Expressions whose names are always placeholders: several attributes (`status`, `usage`, `output`, `ttl`) carry
//! words that DynamoDB reserves.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::DatabaseError;

/// The names and values that an expression refers to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bindings {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    fault: Option<String>,
}

impl Bindings {
    /// Binds every `#name` of the text to the attribute of that name.
    fn names_of(&mut self, text: &str) {
        for part in text.split('#').skip(1) {
            let end = part
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(part.len());
            let name = &part[..end];
            self.names.entry(format!("#{name}")).or_insert_with(|| name.to_owned());
        }
    }

    fn value(&mut self, placeholder: String, value: impl Serialize) {
        match serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value) {
            Ok(value) => drop(self.values.insert(placeholder, value)),
            Err(error) => self.fault = Some(error.to_string()),
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.names.extend(other.names);
        self.values.extend(other.values);
        self.fault = self.fault.take().or(other.fault);
    }

    /// Names and values for a request to `table`.
    pub(crate) fn into_maps(self, table: &str) -> Result<Maps, DatabaseError> {
        if let Some(reason) = self.fault {
            return Err(DatabaseError::Corrupt {
                table: table.to_owned(),
                key: String::new(),
                reason,
            });
        }
        Ok(Maps {
            names: Some(self.names).filter(|names| !names.is_empty()),
            values: Some(self.values).filter(|values| !values.is_empty()),
        })
    }
}

/// What the requests of the SDK take; empty maps are refused by DynamoDB.
#[derive(Debug, Clone)]
pub(crate) struct Maps {
    pub(crate) names: Option<HashMap<String, String>>,
    pub(crate) values: Option<HashMap<String, AttributeValue>>,
}

/// A condition, key condition or filter: `#name` is the attribute `name`, `:name` a value bound here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Condition {
    pub(crate) text: String,
    pub(crate) bindings: Bindings,
}

impl Condition {
    pub(crate) fn new(text: &str) -> Self {
        Self::default().and(text)
    }

    /// Adds a clause that has to hold as well.
    pub(crate) fn and(mut self, clause: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push_str(" AND ");
        }
        self.text.push_str(clause);
        self.bindings.names_of(clause);
        self
    }

    /// Binds `:name`.
    pub(crate) fn bind(mut self, name: &str, value: impl Serialize) -> Self {
        self.bindings.value(format!(":{name}"), value);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// An update of one item. It always has a condition, so that it never makes an item out of nothing by accident.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
    bindings: Bindings,
    condition: Condition,
}

impl Update {
    /// An update that is made only where the condition holds.
    pub(crate) fn when(condition: Condition) -> Self {
        Self {
            set: Vec::new(),
            remove: Vec::new(),
            add: Vec::new(),
            bindings: Bindings::default(),
            condition,
        }
    }

    /// Stores a value.
    pub(crate) fn set(mut self, attribute: &str, value: impl Serialize) -> Self {
        self.bindings.value(format!(":set_{attribute}"), value);
        self.set_to(attribute, &format!(":set_{attribute}"))
    }

    /// Stores bytes.
    pub(crate) fn set_bytes(mut self, attribute: &str, bytes: &[u8]) -> Self {
        let bytes = AttributeValue::B(Blob::new(bytes));
        self.bindings.values.insert(format!(":set_{attribute}"), bytes);
        self.set_to(attribute, &format!(":set_{attribute}"))
    }

    /// Stores a value, if there is one to store.
    pub(crate) fn set_some(self, attribute: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self,
        }
    }

    /// Stores a value, or takes the attribute away.
    pub(crate) fn set_or_remove(self, attribute: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(&[attribute]),
        }
    }

    /// Stores or takes away, if a change is asked for at all.
    pub(crate) fn change(self, attribute: &str, change: Option<Option<impl Serialize>>) -> Self {
        match change {
            Some(value) => self.set_or_remove(attribute, value),
            None => self,
        }
    }

    /// Stores what an expression gives, such as `if_not_exists(#started_at, :now)`.
    pub(crate) fn set_to(mut self, attribute: &str, expression: &str) -> Self {
        let clause = format!("#{attribute} = {expression}");
        self.bindings.names_of(&clause);
        self.set.push(clause);
        self
    }

    /// Stores a value under a key of a map; the key may hold any character.
    pub(crate) fn set_entry(mut self, map: &str, key: &str, value: impl Serialize) -> Self {
        let n = self.set.len();
        self.bindings.names_of(&format!("#{map}"));
        self.bindings.names.insert(format!("#key{n}"), key.to_owned());
        self.bindings.value(format!(":value{n}"), value);
        self.set.push(format!("#{map}.#key{n} = :value{n}"));
        self
    }

    /// Takes attributes away.
    pub(crate) fn remove(mut self, attributes: &[&str]) -> Self {
        for attribute in attributes {
            let clause = format!("#{attribute}");
            self.bindings.names_of(&clause);
            self.remove.push(clause);
        }
        self
    }

    /// Adds to a number at the top of the item, which starts at 0.
    pub(crate) fn add(mut self, attribute: &str, by: i64) -> Self {
        let clause = format!("#{attribute} :add_{attribute}");
        self.bindings.names_of(&clause);
        self.bindings.value(format!(":add_{attribute}"), by);
        self.add.push(clause);
        self
    }

    /// Adds a text to a set of texts at the top of the item, which starts empty.
    pub(crate) fn add_to_set(mut self, attribute: &str, text: &str) -> Self {
        let clause = format!("#{attribute} :add_{attribute}");
        self.bindings.names_of(&clause);
        let one = AttributeValue::Ss(vec![text.to_owned()]);
        self.bindings.values.insert(format!(":add_{attribute}"), one);
        self.add.push(clause);
        self
    }

    /// Adds to a number inside the map `usage`, which must exist.
    pub(crate) fn add_usage(mut self, counter: &str, by: i64) -> Self {
        let path = format!("#usage.#{counter}");
        self.bindings.names_of(&path);
        self.bindings.value(":usage_zero".to_owned(), 0);
        self.bindings.value(":usage_by".to_owned(), by);
        self.set
            .push(format!("{path} = if_not_exists({path}, :usage_zero) + :usage_by"));
        self
    }

    /// Binds `:name` for expressions of `set_to`.
    pub(crate) fn bind(mut self, name: &str, value: impl Serialize) -> Self {
        self.bindings.value(format!(":{name}"), value);
        self
    }

    /// The update expression, the condition, and what both refer to.
    pub(crate) fn into_parts(mut self, table: &str) -> Result<(String, String, Maps), DatabaseError> {
        let sections = [("SET", self.set), ("REMOVE", self.remove), ("ADD", self.add)];
        let text: Vec<String> = sections
            .into_iter()
            .filter(|(_, clauses)| !clauses.is_empty())
            .map(|(word, clauses)| format!("{word} {}", clauses.join(", ")))
            .collect();
        self.bindings.merge(self.condition.bindings);
        let maps = self.bindings.into_maps(table)?;
        Ok((text.join(" "), self.condition.text, maps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_placeholders_and_sections_are_in_order() {
        let update = Update::when(Condition::new("#status = :old").bind("old", "pending"))
            .set("status", "running")
            .add("attempt", 1)
            .remove(&["next_attempt_at", "ttl"])
            .set_entry("journal", "0.a:b", 7);
        let (text, condition, maps) = update.into_parts("t").unwrap();
        assert_eq!(
            text,
            "SET #status = :set_status, #journal.#key1 = :value1 REMOVE #next_attempt_at, #ttl ADD #attempt :add_attempt"
        );
        assert_eq!(condition, "#status = :old");
        let names = maps.names.unwrap();
        assert_eq!(names["#key1"], "0.a:b");
        assert_eq!(names["#status"], "status");
        assert_eq!(names.len(), 6);
        assert_eq!(maps.values.unwrap().len(), 4);
    }
}
