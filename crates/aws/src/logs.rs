//! The log of a function: a JSON object a line, which CloudWatch can search by its members.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Writes the log from now on. `RUST_LOG` selects by target and level, such as `info,mfh_worker=debug`; without it
/// everything from `info` up is written. Selecting by fields would bring an engine for regular expressions along.
pub fn init() {
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| targets(&text));
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_filter(chosen.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO)));
    // Fails only where a log is already written, whose choice then stands.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// Nothing for a text that selects nothing or cannot be read.
fn targets(text: &str) -> Option<Targets> {
    text.parse().ok().filter(|_| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_are_chosen_by_target() {
        let chosen = targets("warn,mfh_worker=debug").unwrap();
        assert!(chosen.would_enable("mfh_worker::worker", &Level::DEBUG));
        assert!(chosen.would_enable("hyper", &Level::WARN) && !chosen.would_enable("hyper", &Level::INFO));
        assert!(targets("").is_none() && targets("mfh_worker=loud").is_none());
    }
}
