//! Groups, and what the pool says about itself.

use serde::Deserialize;
use serde_json::{Value, json};

use super::records::{Group, State};
use super::{Fault, Pool, resource_not_found, user_not_found};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGroup {
    user_pool_id: String,
    group_name: String,
    description: Option<String>,
    precedence: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupMember {
    user_pool_id: String,
    username: String,
    group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupsOfUser {
    user_pool_id: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PoolRequest {
    user_pool_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ClientRequest {
    user_pool_id: String,
    client_id: String,
}

impl Pool {
    pub(super) fn create_group(&self, request: CreateGroup) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        let created_at = self.clock.unix();
        self.state.change(|state| {
            if state.groups.contains_key(&request.group_name) {
                return Err(Fault::new(
                    "GroupExistsException",
                    "A group with the name already exists.",
                ));
            }
            let group = Group {
                description: request.description,
                precedence: request.precedence,
                created_at,
            };
            let answer = json!({ "Group": self.describe_group(&request.group_name, &group) });
            state.groups.insert(request.group_name, group);
            Ok(answer)
        })
    }

    pub(super) fn list_groups(&self, request: &PoolRequest) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        let groups: Vec<Value> = self.state.read(|state| {
            let groups = state.groups.iter();
            groups.map(|(name, group)| self.describe_group(name, group)).collect()
        });
        Ok(json!({ "Groups": groups }))
    }

    pub(super) fn admin_add_user_to_group(&self, request: &GroupMember) -> Result<Value, Fault> {
        self.change_membership(request, true)
    }

    pub(super) fn admin_remove_user_from_group(&self, request: &GroupMember) -> Result<Value, Fault> {
        self.change_membership(request, false)
    }

    fn change_membership(&self, request: &GroupMember, add: bool) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.state.change(|state| {
            if !state.groups.contains_key(&request.group_name) {
                return Err(resource_not_found("Group not found.".to_owned()));
            }
            let user = state.user_mut(&request.username).ok_or_else(user_not_found)?;
            if add {
                user.groups.insert(request.group_name.clone());
            } else {
                user.groups.remove(&request.group_name);
            }
            Ok(json!({}))
        })
    }

    pub(super) fn admin_list_groups_for_user(&self, request: &GroupsOfUser) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.state.read(|state: &State| {
            let user = state.user(&request.username).ok_or_else(user_not_found)?;
            let names = user.groups.iter();
            let groups: Vec<Value> = names
                .filter_map(|name| Some(self.describe_group(name, state.groups.get(name)?)))
                .collect();
            Ok(json!({ "Groups": groups }))
        })
    }

    fn describe_group(&self, name: &str, group: &Group) -> Value {
        let mut answer = json!({
            "GroupName": name,
            "UserPoolId": self.id,
            "CreationDate": group.created_at,
            "LastModifiedDate": group.created_at,
        });
        if let Some(description) = &group.description {
            answer["Description"] = description.as_str().into();
        }
        if let Some(precedence) = group.precedence {
            answer["Precedence"] = precedence.into();
        }
        answer
    }

    /// The pool in a list of pools.
    pub(super) fn summary(&self) -> Value {
        json!({ "Id": self.id, "Name": "mfh-local-user-pool" })
    }

    pub(super) fn describe_user_pool(&self, request: &PoolRequest) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        let mut pool = self.summary();
        pool["UsernameAttributes"] = json!(["email"]);
        pool["AutoVerifiedAttributes"] = json!(["email"]);
        pool["UsernameConfiguration"] = json!({ "CaseSensitive": false });
        pool["MfaConfiguration"] = "OFF".into();
        pool["AdminCreateUserConfig"] = json!({ "AllowAdminCreateUserOnly": true });
        pool["Policies"] = json!({ "PasswordPolicy": {
            "MinimumLength": 8,
            "RequireUppercase": true,
            "RequireLowercase": true,
            "RequireNumbers": true,
            "RequireSymbols": false,
            "TemporaryPasswordValidityDays": 7,
        }});
        pool["EstimatedNumberOfUsers"] = self.state.read(|state| state.users.len()).into();
        Ok(json!({ "UserPool": pool }))
    }

    pub(super) fn describe_user_pool_client(&self, request: &ClientRequest) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.check_client(&request.client_id)?;
        Ok(json!({ "UserPoolClient": {
            "UserPoolId": self.id,
            "ClientId": self.client_id,
            "ClientName": "mfh-local-web-client",
            "ExplicitAuthFlows": [
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
            ],
            "RefreshTokenValidity": 30,
            "AccessTokenValidity": 24,
            "IdTokenValidity": 24,
            "TokenValidityUnits": { "RefreshToken": "days", "AccessToken": "hours", "IdToken": "hours" },
            "PreventUserExistenceErrors": "ENABLED",
            "EnableTokenRevocation": true,
        }}))
    }
}
