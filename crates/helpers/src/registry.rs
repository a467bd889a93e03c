//! A helper type without its Rust type, and the catalogue: every helper type registers itself here and nowhere else.
//!
//! A worker names its one helper and is built without the feature `catalogue`: what it does not run is not in it.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use mfh_types::{ConfigFault, JsonObject};
use serde_json::Value;

use crate::{Context, Helper, HelperError, Meta, Outcome, config, schema};

type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<Outcome, HelperError>> + Send + 'a>>;

/// A helper type in the catalogue, without its Rust type.
pub struct Registration {
    /// The fixed facts.
    pub meta: Meta,
    /// A configuration that works, as JSON text.
    pub example: &'static str,
    rust_type: fn() -> &'static str,
    schema: fn() -> Value,
    about: fn() -> Vec<String>,
    validate: fn(&JsonObject) -> Result<(), Vec<ConfigFault>>,
    run: for<'a> fn(&'a JsonObject, &'a mut Context<'_>) -> RunFuture<'a>,
}

#[cfg(feature = "catalogue")]
inventory::collect!(Registration);

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

impl Registration {
    /// The registration of `H`.
    pub const fn of<H: Helper>() -> Self {
        Self {
            meta: H::META,
            example: H::EXAMPLE,
            rust_type: type_name::<H>,
            schema: schema::of::<H>,
            about: schema::about::<H>,
            validate: |config| config::parse::<H>(config).map(drop),
            run: |config, cx| Box::pin(run::<H>(config, cx)),
        }
    }

    /// The name of the Rust type, such as `ScoreIt`.
    pub fn struct_name(&self) -> &'static str {
        let path = (self.rust_type)();
        path.rsplit_once("::").map_or(path, |(_, name)| name)
    }

    /// The path of the Rust type, such as `mfh_helpers::tagging::ScoreIt`.
    pub fn rust_path(&self) -> String {
        format!("mfh_helpers::{}::{}", self.meta.category, self.struct_name())
    }

    /// The JSON Schema of the configuration, with titles, help texts, defaults, choices and field kinds.
    pub fn config_schema(&self) -> Value {
        (self.schema)()
    }

    /// What a manual says about the type, a paragraph each: the doc comment of its settings.
    pub fn about(&self) -> Vec<String> {
        (self.about)()
    }

    /// Checks a configuration as a whole.
    ///
    /// # Errors
    /// Every fault with its path.
    pub fn validate(&self, config: &JsonObject) -> Result<(), Vec<ConfigFault>> {
        (self.validate)(config)
    }

    pub(crate) fn run<'a>(&self, config: &'a JsonObject, cx: &'a mut Context<'_>) -> RunFuture<'a> {
        (self.run)(config, cx)
    }
}

async fn run<H: Helper>(config: &JsonObject, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
    let settings = config::parse::<H>(config).map_err(|faults| HelperError::configuration(&faults))?;
    cx.admit(&H::META)?;
    settings.run(cx).await
}

/// Puts a helper type into the catalogue.
#[cfg(feature = "catalogue")]
#[macro_export]
macro_rules! register {
    ($helper:ident) => {
        $crate::__inventory::submit! { $crate::Registration::of::<$helper>() }
    };
}

/// Puts a helper type into the catalogue, which this build does not have.
#[cfg(not(feature = "catalogue"))]
#[macro_export]
macro_rules! register {
    ($helper:ident) => {};
}

/// Every helper type, sorted by category and type.
#[cfg(feature = "catalogue")]
pub fn catalogue() -> Vec<&'static Registration> {
    let mut all: Vec<_> = inventory::iter::<Registration>.into_iter().collect();
    all.sort_by_key(|registration| (registration.meta.category, registration.meta.type_name));
    all
}

/// The helper type of this name.
#[cfg(feature = "catalogue")]
pub fn find(type_name: &str) -> Option<&'static Registration> {
    inventory::iter::<Registration>
        .into_iter()
        .find(|registration| registration.meta.type_name == type_name)
}

#[cfg(all(test, feature = "catalogue"))]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_valid_configuration() {
        for registration in catalogue() {
            let example: JsonObject = serde_json::from_str(registration.example).unwrap();
            assert_eq!(
                registration.validate(&example),
                Ok(()),
                "{}",
                registration.meta.type_name
            );
        }
    }

    #[test]
    fn every_setting_has_a_title_and_a_help_text() {
        for registration in catalogue() {
            let schema = registration.config_schema();
            for (name, property) in schema["properties"].as_object().unwrap() {
                for text in ["title", "description"] {
                    assert!(
                        property[text].is_string(),
                        "{} {name}: {text}",
                        registration.meta.type_name
                    );
                }
            }
        }
    }

    #[test]
    fn no_type_is_registered_twice() {
        let mut names: Vec<_> = catalogue().iter().map(|r| r.meta.type_name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"score_it"));
    }
}
