//! `/objects/meta` and `/objects/fieldeditor`: the definitions of fields.

use axum::Json;
use axum::extract::{RawQuery, State as Ctx};
use mfh_types::JsonObject;
use serde_json::{Value, json};

use super::envelope;
use crate::ontraport::Ontraport;
use crate::ontraport::error::ApiError;
use crate::ontraport::field::Field;
use crate::ontraport::params::Params;
use crate::ontraport::state::kind;

type Answer = Result<Json<Value>, ApiError>;

/// Only contacts have definitions here.
fn of_contacts(params: &Params) -> Result<(), ApiError> {
    match params.kind()? {
        kind::CONTACT => Ok(()),
        _ => Err(ApiError::invalid("Invalid objectID")),
    }
}

pub(super) async fn meta(Ctx(ontraport): Ctx<Ontraport>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref());
    of_contacts(&params)?;
    let key = match params.get("format") {
        Some("byId") => "0",
        None | Some("byName") => "Contact",
        Some(_) => return Err(ApiError::invalid("Invalid format")),
    };
    let mut fields: JsonObject = ontraport.read(|state| {
        let fields = state.fields.iter();
        fields.map(|field| (field.property.clone(), field.meta())).collect()
    });
    for (property, alias, kind) in [
        ("date", "Date Added", "timestamp"),
        ("dlm", "Date Modified", "timestamp"),
        ("dla", "Last Activity", "timestamp"),
        ("bulk_mail", "Email Status", "drop"),
        ("contact_cat", "Tags", "list"),
    ] {
        let editable = u8::from(property == "bulk_mail");
        let meta = json!({ "alias": alias, "type": kind, "required": "0", "unique": 0, "editable": editable });
        fields.insert(property.to_owned(), meta);
    }
    Ok(envelope(json!({ key: { "name": "Contact", "fields": fields } })))
}

/// One section for the standard fields and one for the custom ones, each with a single column.
pub(super) async fn field_editor(Ctx(ontraport): Ctx<Ontraport>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref());
    of_contacts(&params)?;
    let sections = ontraport.read(|state| {
        let section = |id: usize, name: &str, custom: bool| {
            let fields = (1..).zip(state.fields.iter().filter(|field| field.is_custom() == custom));
            let column: Vec<Value> = fields
                .map(|(number, field): (usize, &Field)| field.editor(number))
                .collect();
            json!({ "id": id, "name": name, "description": null, "fields": [column] })
        };
        json!({ "1": section(1, "Contact Information", false), "2": section(2, "Custom Fields", true) })
    });
    Ok(envelope(sections))
}
