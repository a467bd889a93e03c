//! Who signed in: ids that the vendor tells with the tokens or in its user info.

use mfh_types::{JsonObject, OAuthConfig};
use serde_json::Value;

/// The longest id or name that is kept, in characters.
const LONGEST: usize = 200;

/// Who signed in at the vendor, as far as it says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Identity {
    /// The person.
    pub user_id: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// The account at the vendor: tenant, location, portal.
    pub app_id: Option<String>,
    /// Its name.
    pub app_name: Option<String>,
    /// Further facts to show with the connection.
    pub metadata: JsonObject,
}

impl Identity {
    /// Reads the identity from the answer of the token endpoint and the user info.
    ///
    /// # Errors
    /// A sentence for the user when this is no sign-in that we can work with, such as one for a whole agency.
    pub fn read(oauth: &OAuthConfig, claims: &JsonObject, info: Option<&Value>) -> Result<Self, String> {
        let look = |path: &str| find(path, claims, info);
        if let Some(rule) = &oauth.install
            && look(&rule.path).is_some_and(|kind| !kind.eq_ignore_ascii_case(&rule.equals))
        {
            return Err(rule.message.clone());
        }
        let first = |paths: &[String]| paths.iter().find_map(|path| look(path));
        let paths = &oauth.identity;
        let mut metadata = JsonObject::new();
        for (key, path) in &paths.metadata {
            if let Some(value) = look(path) {
                metadata.insert(key.clone(), value.into());
            }
        }
        Ok(Self {
            user_id: first(&paths.user_id),
            email: first(&paths.email),
            app_id: first(&paths.app_id),
            app_name: first(&paths.app_name),
            metadata,
        })
    }
}

/// The text or number at a path that begins with `token.` or `info.`.
fn find(path: &str, claims: &JsonObject, info: Option<&Value>) -> Option<String> {
    let (root, rest) = path.split_once('.')?;
    let mut names = rest.split('.');
    let mut value = match root {
        "token" => claims.get(names.next()?)?,
        "info" => info?,
        _ => return None,
    };
    for name in names {
        value = match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            value => value.get(name)?,
        };
    }
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let fits = !text.is_empty() && text.chars().count() <= LONGEST && !text.contains(char::is_control);
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config() -> OAuthConfig {
        serde_json::from_value(json!({
            "auth_url": "https://a", "token_url": "https://t", "response_type": "code",
            "identity": {
                "user_id": ["token.userId", "info.sub"], "email": ["info.emails.0.value"], "app_id": ["token.hub.id"],
                "metadata": {"company_id": "token.companyId"},
            },
            "install": {"path": "token.userType", "equals": "Location", "message": "Choose a location"},
        }))
        .unwrap()
    }

    fn claims(value: Value) -> JsonObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_first_path_that_holds_something_counts() {
        let info = json!({"sub": "s-1", "emails": [{"value": "ada@example.com"}]});
        let found = Identity::read(
            &config(),
            &claims(json!({"userId": "", "hub": {"id": 77}, "companyId": "c"})),
            Some(&info),
        )
        .unwrap();
        assert_eq!(found.user_id.as_deref(), Some("s-1"));
        assert_eq!(found.app_id.as_deref(), Some("77"));
        assert_eq!(found.email.as_deref(), Some("ada@example.com"));
        assert_eq!(Value::Object(found.metadata), json!({"company_id": "c"}));
        let nothing = Identity::read(&config(), &JsonObject::new(), None).unwrap();
        assert_eq!(nothing, Identity::default());
    }

    #[test]
    fn a_sign_in_of_the_wrong_kind_is_refused_with_what_to_do() {
        let of = |kind: &str| Identity::read(&config(), &claims(json!({"userType": kind})), None);
        assert_eq!(of("Company"), Err("Choose a location".to_owned()));
        assert!(of("Location").is_ok());
    }
}
