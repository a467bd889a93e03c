//! Marketing consent, which is given for each list of its own.

use super::map::status;
use super::{ActiveCampaign, api};
use crate::connector::Result;
use crate::error::ErrorKind;
use crate::http::Call;
use crate::model::OptInOutcome;
use crate::wire::filled;

impl ActiveCampaign {
    /// Puts a contact on a list or off it, and tells the status that it has now.
    async fn set_list_status(&self, contact_id: &str, list: &str, status: &'static str) -> Result<String> {
        let call = Call::post("/contactLists", &[])
            .about("contact or list")
            .json(&api::SetListStatus {
                contact_list: api::SetListStatusBody {
                    list,
                    contact: contact_id.trim(),
                    status,
                },
            })
            .repeatable();
        let answer: api::ContactListAnswer = self.fetch(&call).await?;
        let status = filled(answer.contact_list.status.as_ref());
        status.ok_or_else(|| self.unclear("ActiveCampaign did not say whether it changed the consent"))
    }

    /// Unsubscribes from every active list; one that fails does not keep the others from it.
    pub(super) async fn opt_out(&self, contact_id: &str, rows: &[api::ContactList]) -> Result<OptInOutcome> {
        let active = rows.iter().filter(|row| row.status.as_deref() == Some(status::ACTIVE));
        let lists: Vec<&str> = active.filter_map(|row| row.list.as_deref()).collect();
        if lists.is_empty() {
            return Ok(OptInOutcome::Already);
        }
        let mut outcome = Ok(OptInOutcome::Applied);
        for list in lists {
            match self.set_list_status(contact_id, list, status::UNSUBSCRIBED).await {
                Ok(now) if now == status::UNSUBSCRIBED => {}
                Ok(_) => outcome = outcome.and(Ok(OptInOutcome::NotPermitted)),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// Subscribes a contact that is on no list yet. Somebody who has left a list is never put back on it: only they may
    /// do that, as the vendor warns.
    pub(super) async fn opt_in(&self, contact_id: &str, rows: &[api::ContactList]) -> Result<OptInOutcome> {
        let on = |wanted: &str| rows.iter().any(|row| row.status.as_deref() == Some(wanted));
        if on(status::ACTIVE) {
            return Ok(OptInOutcome::Already);
        }
        if !rows.is_empty() {
            let waits = rows
                .iter()
                .all(|row| row.status.as_deref() == Some(status::UNCONFIRMED));
            return Ok(if waits {
                OptInOutcome::NeedsConfirmation
            } else {
                OptInOutcome::NotPermitted
            });
        }
        let list = self.only_list().await?;
        Ok(
            match self.set_list_status(contact_id, &list, status::ACTIVE).await?.as_str() {
                status::ACTIVE => OptInOutcome::Applied,
                status::UNCONFIRMED => OptInOutcome::NeedsConfirmation,
                _ => OptInOutcome::NotPermitted,
            },
        )
    }

    /// The list to opt in to: consent is given per list, and it is clear which one is meant when there is only one.
    async fn only_list(&self) -> Result<String> {
        let lists = self.all::<api::ListPage>(Call::get("/lists", &[])).await?;
        let ids: Vec<&String> = lists.iter().filter_map(|list| list.id.as_ref()).collect();
        if let [only] = ids.as_slice() {
            return Ok((*only).clone());
        }
        let names: Vec<String> = lists.iter().filter_map(|list| filled(list.name.as_ref())).collect();
        let message = if names.is_empty() {
            "ActiveCampaign has no list that the contact could be opted in to. Create one there".to_owned()
        } else {
            format!(
                "In ActiveCampaign a contact opts in to a list, and it is not clear to which ({}). Put the contact on \
                 a list there, for example with an automation",
                names.join(", ")
            )
        };
        Err(self.error(ErrorKind::InvalidInput, message))
    }
}
