//! Companies: ActiveCampaign calls them accounts, and keeps a contact's job title with its place in one.

use std::collections::BTreeSet;

use super::api::Page as _;
use super::map::{Company, Employment, Record, Step};
use super::{ActiveCampaign, PAGE, api};
use crate::connector::Result;
use crate::error::ErrorKind;
use crate::http::Call;
use crate::translate::names::normal;
use crate::wire::filled;

/// Unknown accounts up to this number are read one by one.
const FEW: usize = 3;

impl ActiveCampaign {
    /// Fills in the names of the accounts.
    pub(super) async fn name_companies(&self, records: &mut [Record]) -> Result<()> {
        let ids: BTreeSet<String> = records.iter().filter_map(Record::account).map(str::to_owned).collect();
        let mut unknown = Vec::new();
        for id in &ids {
            if self.account_names.get(id).await.is_none() {
                unknown.push(id.as_str());
            }
        }
        self.learn_accounts(unknown).await?;
        for record in records {
            record.company = match record.account() {
                Some(id) => self.account_names.get(&id.to_owned()).await,
                None => None,
            };
        }
        Ok(())
    }

    /// Reads the names of accounts: page by page when that takes fewer calls than one by one.
    async fn learn_accounts(&self, mut unknown: Vec<&str>) -> Result<()> {
        let mut offset = 0;
        while unknown.len() > FEW {
            let call = Call::get("/accounts", &[])
                .query("limit", PAGE.to_string())
                .query("offset", offset.to_string());
            let (accounts, total) = self.fetch::<api::AccountPage>(&call).await?.into_rows();
            let size = accounts.len();
            offset += size;
            for account in accounts {
                if let Some((id, name)) = account.id.zip(account.name) {
                    unknown.retain(|known| *known != id);
                    self.account_names.insert(&id, name).await;
                }
            }
            let total = usize::try_from(total.unwrap_or_default()).unwrap_or(usize::MAX);
            let pages = total.saturating_sub(offset).div_ceil(PAGE as usize);
            if size == 0 || pages == 0 || pages > unknown.len() {
                break;
            }
        }
        for id in unknown {
            let call = Call::get("/accounts/{}", &[id]).about("account");
            let name = match self.fetch::<api::AccountAnswer>(&call).await {
                Ok(answer) => answer.account.name.unwrap_or_default(),
                // Deleted since: the contact has no company any more.
                Err(error) if error.kind == ErrorKind::NotFound => String::new(),
                Err(error) => return Err(error),
            };
            self.account_names.insert(&id.to_owned(), name).await;
        }
        Ok(())
    }

    /// The id of the account with this name, which is made when there is none.
    async fn account_named(&self, name: &str) -> Result<String> {
        if let Some(id) = self.find_account(name).await? {
            return Ok(id);
        }
        let call = Call::post("/accounts", &[]).about("account").json(&api::CreateAccount {
            account: api::CreateAccountBody { name },
        });
        let created = match self.fetch::<api::AccountAnswer>(&call).await {
            Ok(answer) => filled(answer.account.id.as_ref()),
            // Somebody else made it in the meantime.
            Err(error) if error.kind == ErrorKind::Conflict => self.find_account(name).await?,
            Err(error) => return Err(error),
        };
        let id = created.ok_or_else(|| self.unclear("ActiveCampaign did not say which account it created"))?;
        self.account_names.insert(&id, name.to_owned()).await;
        Ok(id)
    }

    /// The vendor's search finds parts of names, so names are compared again.
    async fn find_account(&self, name: &str) -> Result<Option<String>> {
        let call = Call::get("/accounts", &[]).query("search", name);
        let accounts = self.all::<api::AccountPage>(call).await?;
        let mut known: Vec<(String, String)> = accounts
            .into_iter()
            .filter_map(|account| account.id.zip(account.name))
            .filter(|(_, other)| normal(other) == normal(name))
            .collect();
        if known.is_empty() {
            return Ok(None);
        }
        let exact = known.iter().position(|(_, other)| other == name);
        let (id, name) = known.swap_remove(exact.unwrap_or(0));
        self.account_names.insert(&id, name).await;
        Ok(Some(id))
    }

    /// Decides what to do about company and job title.
    pub(super) fn plan(&self, employment: &Employment, present: Option<&api::AccountContact>) -> Result<Step> {
        employment.step(present).ok_or_else(|| {
            let message = "ActiveCampaign keeps the job title with the company. Set the company of the contact as well";
            self.error(ErrorKind::InvalidInput, message)
        })
    }

    /// Gives the contact its place in an account and tells that place.
    pub(super) async fn carry_out(&self, contact_id: &str, step: Step) -> Result<Option<api::AccountContact>> {
        let (row, company, job_title) = match step {
            Step::Nothing => return Ok(None),
            Step::Leave(row) => {
                self.delete(Call::delete("/accountContacts/{}", &[&row])).await?;
                return Ok(None);
            }
            Step::Take {
                row,
                company,
                job_title,
            } => (row, company, job_title),
        };
        let account = match company {
            Company::Known(id) => id,
            Company::Named(name) => self.account_named(&name).await?,
        };
        let body = api::WriteAccountContact {
            account_contact: api::AccountContactBody {
                contact: self.number("A contact", contact_id)?,
                account: self.number("An account", &account)?,
                job_title: &job_title,
            },
        };
        let call = match &row {
            Some(row) => Call::put("/accountContacts/{}", &[row]).repeatable(),
            None => Call::post("/accountContacts", &[]),
        };
        self.done(&call.about("contact or account").json(&body)).await?;
        Ok(Some(api::AccountContact {
            id: row,
            contact: None,
            account: Some(account),
            job_title: Some(job_title),
        }))
    }

    /// Changes company and job title of a contact that exists.
    pub(super) async fn employ(&self, contact_id: &str, employment: &Employment) -> Result<()> {
        let _guard = self.shared.lock_contact(&self.connection, contact_id).await;
        let present = self.fetch_contact(contact_id).await?;
        let step = self.plan(employment, present.position())?;
        self.carry_out(contact_id, step).await.map(drop)
    }
}
