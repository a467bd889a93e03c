//! Marketing consent, which is given for each list of its own.

use super::map::status;
use super::{ActiveCampaign, api};
use crate::connector::Result;
use crate::error::ErrorKind;
use crate::http::Call;
use crate::model::{OptInOutcome, OptInTarget};
use crate::opt_in;
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

    /// Subscribes a contact to the list that the connection names, else to the only one, where it is on no list yet.
    /// Somebody who has left that list, or every list, is never put back: only they may do that, as the vendor warns.
    pub(super) async fn opt_in(&self, contact_id: &str, rows: &[api::ContactList]) -> Result<OptInOutcome> {
        let wanted = self.default_list.as_deref();
        if let Some(outcome) = standing(rows, wanted) {
            return Ok(outcome);
        }
        let list = match wanted {
            Some(list) => list.to_owned(),
            None => self.list(None).await?,
        };
        let now = match self.set_list_status(contact_id, &list, status::ACTIVE).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::InvalidInput) => {
                // The contact was there a moment ago: it is the list that may be gone.
                self.list(Some(&list)).await?;
                return Err(error);
            }
            answer => answer?,
        };
        Ok(match now.as_str() {
            status::ACTIVE => OptInOutcome::Applied,
            status::UNCONFIRMED => OptInOutcome::NeedsConfirmation,
            _ => OptInOutcome::NotPermitted,
        })
    }

    /// The id of the list to opt in to.
    async fn list(&self, wanted: Option<&str>) -> Result<String> {
        let lists = self.lists().await?;
        let chosen = opt_in::ACTIVECAMPAIGN.choose(&lists, wanted);
        let chosen = chosen.map_err(|message| self.error(ErrorKind::InvalidInput, message))?;
        Ok(chosen.id.clone())
    }

    /// Every list of the account.
    pub(super) async fn lists(&self) -> Result<Vec<OptInTarget>> {
        let lists = self.all::<api::ListPage>(Call::get("/lists", &[])).await?;
        let target = |list: api::List| {
            let id = filled(list.id.as_ref())?;
            let name = filled(list.name.as_ref()).unwrap_or_else(|| id.clone());
            Some(OptInTarget { id, name })
        };
        Ok(lists.into_iter().filter_map(target).collect())
    }
}

/// What opting in comes to for a contact on these lists before anything is sent; `None` where it can be subscribed.
fn standing(rows: &[api::ContactList], wanted: Option<&str>) -> Option<OptInOutcome> {
    let of = |row: &api::ContactList| match row.status.as_deref() {
        Some(status::ACTIVE) => OptInOutcome::Already,
        Some(status::UNCONFIRMED) => OptInOutcome::NeedsConfirmation,
        _ => OptInOutcome::NotPermitted,
    };
    let outcomes: Vec<OptInOutcome> = rows.iter().map(of).collect();
    let is_on = outcomes.contains(&OptInOutcome::Already);
    let has_left = outcomes.contains(&OptInOutcome::NotPermitted);
    let Some(wanted) = wanted else {
        return match outcomes.as_slice() {
            [] => None,
            _ if is_on => Some(OptInOutcome::Already),
            _ if has_left => Some(OptInOutcome::NotPermitted),
            _ => Some(OptInOutcome::NeedsConfirmation),
        };
    };
    let own = rows.iter().find(|row| row.list.as_deref() == Some(wanted)).map(of);
    own.or_else(|| (has_left && !is_on).then_some(OptInOutcome::NotPermitted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_connection_decides_and_who_has_left_all_lists_is_left_alone() {
        use OptInOutcome::{Already, NeedsConfirmation, NotPermitted};
        let rows = |states: &[(&str, &str)]| -> Vec<api::ContactList> {
            let row = |(list, status): &(&str, &str)| api::ContactList {
                list: Some((*list).to_owned()),
                status: Some((*status).to_owned()),
                ..api::ContactList::default()
            };
            states.iter().map(row).collect()
        };
        for (states, anywhere, on_two) in [
            (&[][..], None, None),
            (&[("2", "1")], Some(Already), Some(Already)),
            (&[("2", "0")], Some(NeedsConfirmation), Some(NeedsConfirmation)),
            (&[("2", "2"), ("1", "1")], Some(Already), Some(NotPermitted)),
            (&[("1", "1")], Some(Already), None),
            (&[("1", "0")], Some(NeedsConfirmation), None),
            (&[("1", "2")], Some(NotPermitted), Some(NotPermitted)),
            (&[("1", "2"), ("3", "1")], Some(Already), None),
            (&[("1", "0"), ("3", "3")], Some(NotPermitted), Some(NotPermitted)),
        ] {
            let rows = rows(states);
            assert_eq!(
                (standing(&rows, None), standing(&rows, Some("2"))),
                (anywhere, on_two),
                "{states:?}"
            );
        }
    }
}
