//! Helpers that apply, remove and count tags.

mod clear_tags;
mod count_it_tags;
mod count_tags;
mod group_it;
mod score_it;
mod tag_it;

pub use clear_tags::ClearTags;
pub use count_it_tags::CountItTags;
pub use count_tags::CountTags;
pub use group_it::GroupIt;
pub use score_it::ScoreIt;
pub use tag_it::TagIt;
