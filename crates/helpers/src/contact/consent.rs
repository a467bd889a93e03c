//! What `opt_in` and `opt_out` share: whose consent it is.

use crate::settings::FieldKey;
use crate::{Context, HelperError, fields, values};

const MAIN_ADDRESS: &str = "email";

/// The default of both helpers: the contact's main address.
pub(super) fn email_field() -> FieldKey {
    FieldKey::new(MAIN_ADDRESS)
}

/// The address whose consent is meant.
#[derive(Debug)]
pub(super) struct Addressee {
    address: String,
    /// Whether it is the address for which the CRM keeps the contact's own consent.
    main: bool,
}

impl Addressee {
    /// Reads the address, and the main one where the field may hold another.
    ///
    /// # Errors
    /// When the field cannot be read or holds nothing.
    pub(super) async fn read(cx: &mut Context<'_>, field: &FieldKey) -> Result<Self, HelperError> {
        let main_field = email_field();
        let main_asked = fields::same(field.as_str(), MAIN_ADDRESS);
        let keys: &[&FieldKey] = if main_asked { &[field] } else { &[field, &main_field] };
        let found = cx.get_fields(keys).await?;
        let mut addresses = found.iter().map(|value| values::text(value).trim().to_owned());
        let address = addresses.next().unwrap_or_default();
        if address.is_empty() {
            return Err(HelperError::permanent(
                "NO_EMAIL",
                format!("The contact has no e-mail address in {field}. Fill it in and run this again"),
            ));
        }
        let main = main_asked || addresses.next().is_some_and(|main| main.eq_ignore_ascii_case(&address));
        Ok(Self { address, main })
    }

    /// The address, without outer blanks.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sets the consent for this address and no other.
    ///
    /// # Errors
    /// As [`Context::set_opt_in`] and [`Context::set_address_opt_in`].
    pub(super) async fn set_opt_in(
        &self,
        cx: &mut Context<'_>,
        opted_in: bool,
        reason: &str,
    ) -> Result<(), HelperError> {
        if self.main {
            cx.set_opt_in(opted_in, reason).await
        } else {
            cx.set_address_opt_in(&self.address, opted_in, reason).await
        }
    }
}
