//! Helpers that work on the contact's own fields, owner, notes and consent.

mod assign_it;
mod clear_it;
mod combine_it;
mod company_link;
mod consent;
mod contact_updater;
mod copy_it;
mod default_to_field;
mod field_to_field;
mod found_it;
mod joining;
mod merge_it;
mod move_it;
mod name_parse_it;
mod note_it;
mod opt_in;
mod opt_out;
mod own_it;
mod snapshot_it;

pub use assign_it::AssignIt;
pub use clear_it::ClearIt;
pub use combine_it::CombineIt;
pub use company_link::CompanyLink;
pub use contact_updater::ContactUpdater;
pub use copy_it::CopyIt;
pub use default_to_field::DefaultToField;
pub use field_to_field::FieldToField;
pub use found_it::FoundIt;
pub use merge_it::MergeIt;
pub use move_it::MoveIt;
pub use name_parse_it::NameParseIt;
pub use note_it::NoteIt;
pub use opt_in::OptIn;
pub use opt_out::OptOut;
pub use own_it::OwnIt;
pub use snapshot_it::SnapshotIt;
