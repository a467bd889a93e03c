//! What the pool stores: users with their sessions, and groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::passwords::PasswordHash;

/// The groups of the deployed pool, with their precedence (`deploy` §2.1).
const GROUPS: [(&str, u32); 8] = [
    ("owner", 10),
    ("admin", 20),
    ("member", 30),
    ("viewer", 40),
    ("plan-free", 100),
    ("plan-start", 101),
    ("plan-grow", 102),
    ("plan-deliver", 103),
];

/// Everything in `users.json`. No `Debug` here and below: codes and hashes must not be printed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    /// By `sub`.
    pub(super) users: BTreeMap<String, PoolUser>,
    /// By name.
    pub(super) groups: BTreeMap<String, Group>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) description: Option<String>,
    pub(super) precedence: Option<u32>,
    pub(super) created_at: i64,
}

/// Whether a user chose the password.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum UserStatus {
    Confirmed,
    /// The password is a temporary one: the user must set another to sign in.
    ForceChangePassword,
}

/// A user; all times are Unix seconds.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PoolUser {
    pub(super) sub: String,
    /// Attributes without `sub`; `email` is always there.
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) status: UserStatus,
    pub(super) enabled: bool,
    pub(super) created_at: i64,
    pub(super) modified_at: i64,
    pub(super) password: PasswordHash,
    /// When a temporary password stops working.
    pub(super) password_expires_at: Option<i64>,
    pub(super) wrong_passwords: u32,
    pub(super) locked_until: i64,
    pub(super) sessions: Vec<Session>,
    pub(super) challenge: Option<Challenge>,
    pub(super) reset: Option<Reset>,
    /// When codes were sent within the last hour.
    pub(super) codes_sent_at: Vec<i64>,
    pub(super) groups: BTreeSet<String>,
}

/// One sign-in: its tokens live until it is dropped from the user's list.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) origin_jti: String,
    pub(super) refresh_hash: String,
    pub(super) auth_time: i64,
    pub(super) expires_at: i64,
}

/// A sign-in that waits for a new password.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Challenge {
    pub(super) session_hash: String,
    pub(super) expires_at: i64,
}

/// A code to reset the password. It is kept readable, because this file is the mailbox of the machine.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Reset {
    pub(super) code: String,
    pub(super) expires_at: i64,
    pub(super) wrong_tries: u32,
}

impl State {
    /// No users, and the groups of the deployed pool.
    pub(super) fn new(now: i64) -> Self {
        let groups = GROUPS.map(|(name, precedence)| {
            let group = Group {
                description: None,
                precedence: Some(precedence),
                created_at: now,
            };
            (name.to_owned(), group)
        });
        Self {
            users: BTreeMap::new(),
            groups: BTreeMap::from(groups),
        }
    }

    /// The user with this e-mail (in any case) or `sub`.
    pub(super) fn user(&self, username: &str) -> Option<&PoolUser> {
        self.users
            .get(username)
            .or_else(|| self.users.values().find(|user| user.has_email(username)))
    }

    /// The same, to change it.
    pub(super) fn user_mut(&mut self, username: &str) -> Option<&mut PoolUser> {
        let sub = self.user(username)?.sub.clone();
        self.users.get_mut(&sub)
    }
}

impl PoolUser {
    pub(super) fn email(&self) -> &str {
        self.attribute("email")
    }

    /// An attribute, or nothing.
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    fn has_email(&self, email: &str) -> bool {
        self.email().eq_ignore_ascii_case(email)
    }

    /// Ends every session, and with it its access and refresh tokens.
    pub(super) fn sign_out(&mut self) {
        self.sessions.clear();
        self.challenge = None;
    }

    /// `sub` and the attributes, as answers list them.
    pub(super) fn attribute_list(&self) -> Value {
        let sub = std::iter::once(("sub", self.sub.as_str()));
        let others = self
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        sub.chain(others)
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect()
    }

    /// The user as `AdminCreateUser` and `ListUsers` describe it.
    pub(super) fn describe(&self) -> Value {
        json!({
            "Username": self.sub,
            "Attributes": self.attribute_list(),
            "UserCreateDate": self.created_at,
            "UserLastModifiedDate": self.modified_at,
            "Enabled": self.enabled,
            "UserStatus": self.status,
        })
    }
}

/// How opaque tokens are stored.
pub(super) fn token_hash(token: &str) -> String {
    hex::encode(digest(&SHA256, token.as_bytes()))
}
