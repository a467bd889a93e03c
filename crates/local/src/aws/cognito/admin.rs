//! What the administrator does to users.

use std::collections::{BTreeMap, BTreeSet};

use mfh_types::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::passwords::{PasswordHash, check_policy};
use super::records::{PoolUser, State, UserStatus};
use super::{Fault, Pool, invalid_parameter, not_authorized, user_not_found};

/// How long a temporary password works, in seconds.
const TEMPORARY_PASSWORD_LIFETIME: i64 = 7 * 24 * 3600;

/// The most users of one `ListUsers` answer.
const MAX_USERS: usize = 60;

/// Attributes that a user of this pool can have besides `sub`.
const ATTRIBUTES: [&str; 19] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminCreateUser {
    user_pool_id: String,
    username: String,
    #[serde(default)]
    user_attributes: Vec<Attribute>,
    temporary_password: Option<Secret>,
    message_action: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminSetUserPassword {
    user_pool_id: String,
    username: String,
    password: Secret,
    #[serde(default)]
    permanent: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminUpdateUserAttributes {
    user_pool_id: String,
    username: String,
    user_attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserRequest {
    user_pool_id: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsers {
    user_pool_id: String,
    filter: Option<String>,
    limit: Option<usize>,
    pagination_token: Option<String>,
}

impl Pool {
    /// Makes a user with a temporary password; no invitation is sent on one machine, whatever `MessageAction` says.
    pub(super) fn admin_create_user(&self, request: AdminCreateUser) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        if request.message_action.as_deref() == Some("RESEND") {
            return self.renew_temporary_password(&request);
        }
        let mut attributes = checked(request.user_attributes)?;
        if !is_email(&request.username) {
            return Err(invalid_parameter("Username should be an email."));
        }
        let email = attributes
            .entry("email".to_owned())
            .or_insert_with(|| request.username.clone());
        if !email.eq_ignore_ascii_case(&request.username) {
            return Err(invalid_parameter(
                "The e-mail attribute and the user name must be the same.",
            ));
        }
        let password = self.temporary_password(request.temporary_password.as_ref())?;
        let now = self.clock.unix();
        self.state.change(|state| {
            if state.user(&request.username).is_some() {
                return Err(Fault::new("UsernameExistsException", "User account already exists"));
            }
            let user = PoolUser {
                sub: self.uuid().to_string(),
                attributes,
                status: UserStatus::ForceChangePassword,
                enabled: true,
                created_at: now,
                modified_at: now,
                password,
                password_expires_at: Some(now + TEMPORARY_PASSWORD_LIFETIME),
                wrong_passwords: 0,
                locked_until: 0,
                sessions: Vec::new(),
                challenge: None,
                reset: None,
                codes_sent_at: Vec::new(),
                groups: BTreeSet::new(),
            };
            let answer = json!({ "User": user.describe() });
            state.users.insert(user.sub.clone(), user);
            Ok(answer)
        })
    }

    fn renew_temporary_password(&self, request: &AdminCreateUser) -> Result<Value, Fault> {
        let password = self.temporary_password(request.temporary_password.as_ref())?;
        let now = self.clock.unix();
        self.change_user(&request.username, |user| {
            if user.status != UserStatus::ForceChangePassword {
                return Err(Fault::new(
                    "UnsupportedUserStateException",
                    "Resend not possible. The user is already confirmed.",
                ));
            }
            set_temporary_password(user, password, now);
            Ok(json!({ "User": user.describe() }))
        })
    }

    /// The given temporary password, or one that nobody knows.
    fn temporary_password(&self, given: Option<&Secret>) -> Result<PasswordHash, Fault> {
        match given {
            Some(password) => {
                check_policy(password)?;
                Ok(PasswordHash::new(password, &*self.random))
            }
            None => Ok(PasswordHash::new(&Secret::new(self.opaque()), &*self.random)),
        }
    }

    /// Sets a password and ends all sessions; a permanent one confirms the user.
    pub(super) fn admin_set_user_password(&self, request: &AdminSetUserPassword) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        check_policy(&request.password)?;
        let hash = PasswordHash::new(&request.password, &*self.random);
        let now = self.clock.unix();
        self.change_user(&request.username, |user| {
            user.sign_out();
            if request.permanent {
                user.set_password(hash, now);
            } else {
                set_temporary_password(user, hash, now);
            }
            Ok(json!({}))
        })
    }

    pub(super) fn admin_delete_user(&self, request: &UserRequest) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.state.change(|state| {
            let sub = state.user(&request.username).ok_or_else(user_not_found)?.sub.clone();
            state.users.remove(&sub);
            Ok(json!({}))
        })
    }

    pub(super) fn admin_get_user(&self, request: &UserRequest) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.state.read(|state| {
            let user = state.user(&request.username).ok_or_else(user_not_found)?;
            let mut answer = user.describe();
            answer["UserAttributes"] = answer["Attributes"].take();
            if let Some(members) = answer.as_object_mut() {
                members.remove("Attributes");
            }
            Ok(answer)
        })
    }

    /// Changes attributes. A new e-mail is unverified unless the request says otherwise; an empty value removes one.
    pub(super) fn admin_update_user_attributes(&self, request: AdminUpdateUserAttributes) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        let changes = checked(request.user_attributes)?;
        if changes.get("email").is_some_and(|email| !is_email(email)) {
            return Err(invalid_parameter("Invalid email address format."));
        }
        let now = self.clock.unix();
        self.state.change(|state: &mut State| {
            let sub = state.user(&request.username).ok_or_else(user_not_found)?.sub.clone();
            let taken = changes
                .get("email")
                .and_then(|email| state.user(email))
                .is_some_and(|other| other.sub != sub);
            if taken {
                return Err(Fault::new(
                    "AliasExistsException",
                    "An account with the email already exists.",
                ));
            }
            let user = state.users.get_mut(&sub).ok_or_else(user_not_found)?;
            for alias in ["email", "phone_number"] {
                let is_new = |value| user.attributes.get(alias) != Some(value);
                if changes.get(alias).is_some_and(is_new) {
                    let flag = format!("{alias}_verified");
                    user.attributes.insert(flag, "false".to_owned());
                }
            }
            user.attributes.extend(changes);
            user.attributes.retain(|_, value| !value.is_empty());
            user.modified_at = now;
            Ok(json!({}))
        })
    }

    pub(super) fn admin_set_enabled(&self, request: &UserRequest, enabled: bool) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        let now = self.clock.unix();
        self.change_user(&request.username, |user| {
            user.enabled = enabled;
            user.modified_at = now;
            if !enabled {
                user.sign_out();
            }
            Ok(json!({}))
        })
    }

    /// Users are made by the administrator only, so none ever waits for a confirmation.
    pub(super) fn admin_confirm_sign_up(&self, request: &UserRequest) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.change_user(&request.username, |user| {
            let status = json!(user.status);
            let status = status.as_str().unwrap_or_default();
            let message = format!("User cannot be confirmed. Current status is {status}");
            Err(not_authorized(&message))
        })
    }

    pub(super) fn admin_user_global_sign_out(&self, request: &UserRequest) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.change_user(&request.username, |user| {
            user.sign_out();
            Ok(json!({}))
        })
    }

    pub(super) fn list_users(&self, request: &ListUsers) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        let filter = request.filter.as_deref().map(Filter::parse).transpose()?;
        let limit = request.limit.unwrap_or(MAX_USERS);
        if !(1..=MAX_USERS).contains(&limit) {
            return Err(invalid_parameter("Limit must be 1 to 60."));
        }
        let after = request.pagination_token.as_deref().unwrap_or_default();
        self.state.read(|state| {
            let mut matching = state
                .users
                .values()
                .filter(|user| user.sub.as_str() > after)
                .filter(|user| filter.as_ref().is_none_or(|filter| filter.holds(user)));
            let page: Vec<&PoolUser> = matching.by_ref().take(limit).collect();
            let users: Vec<Value> = page.iter().map(|user| user.describe()).collect();
            let mut answer = json!({ "Users": users });
            if let (Some(last), true) = (page.last(), matching.next().is_some()) {
                answer["PaginationToken"] = last.sub.as_str().into();
            }
            Ok(answer)
        })
    }
}

fn set_temporary_password(user: &mut PoolUser, password: PasswordHash, now: i64) {
    user.set_password(password, now);
    user.status = UserStatus::ForceChangePassword;
    user.password_expires_at = Some(now + TEMPORARY_PASSWORD_LIFETIME);
}

/// A condition of `ListUsers`: `email = "a@b.c"`, or `^=` for the beginning.
struct Filter {
    attribute: String,
    value: String,
    is_prefix: bool,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, Fault> {
        let parts = || {
            let (left, right) = text.split_once('=')?;
            let (attribute, is_prefix) = match left.trim_end().strip_suffix('^') {
                Some(attribute) => (attribute, true),
                None => (left, false),
            };
            let attribute = attribute.trim().trim_matches('"');
            let value = right.trim().strip_prefix('"')?.strip_suffix('"')?;
            (!attribute.is_empty()).then(|| Self {
                attribute: attribute.to_owned(),
                value: value.replace("\\\"", "\"").replace("\\\\", "\\"),
                is_prefix,
            })
        };
        parts().ok_or_else(|| {
            invalid_parameter("Filter must have the form: attribute = \"value\" or attribute ^= \"value\".")
        })
    }

    fn holds(&self, user: &PoolUser) -> bool {
        let status = json!(user.status);
        let enabled = if user.enabled { "Enabled" } else { "Disabled" };
        let actual = match self.attribute.as_str() {
            "sub" | "username" => user.sub.as_str(),
            "cognito:user_status" => status.as_str().unwrap_or_default(),
            "status" => enabled,
            name => user.attribute(name),
        };
        let (actual, wanted) = if self.attribute == "email" {
            (actual.to_ascii_lowercase(), self.value.to_ascii_lowercase())
        } else {
            (actual.to_owned(), self.value.clone())
        };
        if self.is_prefix {
            actual.starts_with(&wanted)
        } else {
            actual == wanted
        }
    }
}

/// The attributes by name, each one allowed and well-formed.
fn checked(attributes: Vec<Attribute>) -> Result<BTreeMap<String, String>, Fault> {
    for Attribute { name, value } in &attributes {
        if name == "sub" {
            return Err(invalid_parameter("Cannot modify the non-mutable attribute sub"));
        }
        if !ATTRIBUTES.contains(&name.as_str()) {
            return Err(invalid_parameter(format!(
                "Attributes did not conform to the schema: {name}: attribute is not defined in schema."
            )));
        }
        if name == "phone_number" && !value.is_empty() && !is_phone_number(value) {
            return Err(invalid_parameter("Invalid phone number format."));
        }
    }
    let pairs = attributes.into_iter().map(|Attribute { name, value }| (name, value));
    Ok(pairs.collect())
}

fn is_phone_number(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && !text.contains(char::is_whitespace)
        && text.len() <= 128
}
