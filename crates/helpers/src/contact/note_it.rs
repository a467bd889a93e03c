//! `note_it`: adds a note to the contact's record.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::FreeText;
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Adds a note with the contact's own data filled in to the contact's record.
///
/// Placeholders in title and text, such as `{{first_name}}`, `{{company|no company}}` or `{{Chosen plan}}`, are
/// replaced by the contact's data. An empty field leaves nothing, or the word you give after the bar; a name that
/// nobody knows stays as you wrote it. Line breaks are kept.
///
/// Each run adds one note, and a run that is repeated after a failure does not add it twice. If the contact cannot be
/// read, or the CRM refuses the note, the run fails.
///
/// The result shows the note as it was written. Some CRMs know no title or kind; the title then stands above the text.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NoteIt {
    /// The title of the note; placeholders such as {{first_name}} are filled in.
    subject: FreeText,
    /// The text of the note; placeholders such as {{first_name}} are filled in.
    body: FreeText,
    /// The kind of note: general, call, email, fax, letter, other or one of your CRM's own.
    #[serde(default = "general")]
    note_type: FreeText,
}

fn general() -> FreeText {
    FreeText::new("general")
}

impl Helper for NoteIt {
    const META: Meta = Meta::new(
        "note_it",
        "Note It",
        Category::Contact,
        "Adds a note with the contact's own data filled in to the contact's record.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"subject": "Called {{full_name}}", "body": "Left a message on {{phone}}.", "note_type": "call"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        // A repeated run must send the note that the first one announced, whatever the contact says by then.
        let (subject, body) = match cx.recall::<(String, String)>("note") {
            Some(note) => note,
            None => {
                cx.contact().await?;
                let note = (
                    cx.render(self.subject.as_str()).await?,
                    cx.render(self.body.as_str()).await?,
                );
                cx.remember("note", &note);
                note
            }
        };
        let kind = self.note_type.as_str();
        cx.create_note(&subject, &body, kind).await?;
        let contact = cx.contact_id()?.to_owned();
        cx.set_result("subject", subject);
        cx.set_result("body", body);
        cx.set_result("note_type", kind);
        cx.set_result("contact_id", contact);
        Ok(Outcome::done("The note is on the contact's record"))
    }
}

register!(NoteIt);
