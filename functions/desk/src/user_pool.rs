//! The user pool: who signed in, and who may.
//!
//! People sign in on the pages of Amazon Cognito, by a code that it mails, and come back with a code of OAuth 2.0 that is
//! worth nothing without the verifier in their browser's cookie (RFC 7636). What they may see is in their groups: `agency`,
//! or `tenant.<id>` for each tenant.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use platform::{
    aws::SdkConfig,
    env::{self, EnvError},
    signed::{Service, ServiceError},
};
use reqwest::{Client, StatusCode, Url};
use scheduling::{ids::TenantId, personal::Personal};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The group whose members see every tenant.
const AGENCY: &str = "agency";
/// What the name of a tenant's group begins with.
const OF_TENANT: &str = "tenant.";

/// The user pool.
pub struct UserPool {
    http: Client,
    service: Service,
    pool: String,
    client: String,
    /// Where people sign in, without a slash at the end.
    pub sign_in_url: String,
    /// The desk's own URL, without a slash at the end.
    pub desk_url: String,
}

/// Someone who signed in, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The id at the pool.
    pub id: String,
    /// The name that is shown and recorded.
    pub name: Personal<String>,
    /// The address.
    pub email: Personal<String>,
}

/// What a sign-in brought.
#[derive(Debug, Clone)]
pub struct SignedInPerson {
    /// Who.
    pub person: Person,
    /// The tenants that they see; `None` for all.
    pub tenants: Option<Vec<TenantId>>,
    /// What renews it. Empty if the one before stays.
    pub refresh_token: Option<Personal<String>>,
}

/// Why a sign-in failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The pool refuses: the code was used, or access was withdrawn.
    #[error("failed to sign in: the user pool refuses")]
    Refused,
    /// The pool could not be reached.
    #[error("failed to reach the user pool: {0}")]
    Unavailable(String),
}

/// What the pool says of who signed in.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: String,
    #[serde(default, rename = "cognito:groups")]
    groups: Vec<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// A sign-in that has begun: what the browser keeps until it is back.
pub struct Flow {
    state: String,
    verifier: String,
    /// The path to which the person wanted.
    pub to: String,
}

impl Flow {
    /// A new one.
    pub fn begin(to: &str) -> Self {
        Self { state: secret(), verifier: secret(), to: to.to_owned() }
    }

    /// As a cookie holds it.
    pub fn as_cookie(&self) -> String {
        format!("{}.{}.{}", self.state, self.verifier, BASE64_URL_SAFE_NO_PAD.encode(&self.to))
    }

    /// From a cookie, if `state` is that of this browser's sign-in.
    pub fn of_cookie(cookie: &str, state: &str) -> Option<Self> {
        let [kept, verifier, to] = cookie.split('.').collect::<Vec<_>>().try_into().ok()?;
        let to = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(to).ok()?).ok()?;
        (is_same(kept, state)).then(|| Self { state: kept.to_owned(), verifier: verifier.to_owned(), to })
    }
}

/// A secret that nobody can guess: 244 random bits.
pub fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub fn is_same(ours: &str, theirs: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(ours) == digest(theirs) && ours == theirs
}

impl UserPool {
    /// The pool that the environment names.
    pub fn from_env(config: &SdkConfig) -> Result<Self, lambda_runtime::Error> {
        let required = |name| Ok::<_, EnvError>(env::required(name)?.trim_end_matches('/').to_owned());
        Ok(Self {
            http: Client::builder().timeout(std::time::Duration::from_secs(8)).build()?,
            service: Service::new(config, "cognito-idp")?,
            pool: required("USER_POOL")?,
            client: required("USER_POOL_CLIENT")?,
            sign_in_url: required("SIGN_IN_URL")?,
            desk_url: required("DESK_URL")?,
        })
    }

    /// Where a browser goes to sign in.
    pub fn authorize_url(&self, flow: &Flow) -> String {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(flow.verifier.as_bytes()));
        let redirect = self.redirect_url();
        let fields = [
            ("client_id", self.client.as_str()),
            ("response_type", "code"),
            ("scope", "openid email profile"),
            ("redirect_uri", &redirect),
            ("state", &flow.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        self.url("/oauth2/authorize", &fields)
    }

    /// Where a browser goes to sign out of the pool, too.
    pub fn sign_out_url(&self) -> String {
        let back = format!("{}/", self.desk_url);
        self.url("/logout", &[("client_id", self.client.as_str()), ("logout_uri", &back)])
    }

    fn url(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        format!("{}{path}?{encoded}", self.sign_in_url)
    }

    fn redirect_url(&self) -> String {
        format!("{}/signed-in", self.desk_url)
    }

    /// The origin of the pages on which people sign in.
    pub fn sign_in_origin(&self) -> String {
        Url::parse(&self.sign_in_url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
    }

    /// Who signed in, by the code with which the browser came back.
    pub async fn exchange(&self, code: &str, flow: &Flow) -> Result<SignedInPerson, SignInError> {
        let redirect = self.redirect_url();
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client.as_str()),
            ("code", code),
            ("redirect_uri", &redirect),
            ("code_verifier", &flow.verifier),
        ];
        self.tokens(&fields).await
    }

    /// Whether a person may still sign in, and what they may see now.
    pub async fn renew(&self, refresh_token: &Personal<String>) -> Result<SignedInPerson, SignInError> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client.as_str()),
            ("refresh_token", refresh_token.reveal()),
        ];
        self.tokens(&fields).await
    }

    async fn tokens(&self, fields: &[(&str, &str)]) -> Result<SignedInPerson, SignInError> {
        let unavailable = |error: reqwest::Error| SignInError::Unavailable(error.without_url().to_string());
        let sent = self.http.post(format!("{}/oauth2/token", self.sign_in_url)).form(fields).send();
        let response = sent.await.map_err(unavailable)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_client_error() => return Err(SignInError::Refused),
            status => return Err(SignInError::Unavailable(status.to_string())),
        }
        let Tokens { id_token, refresh_token } = response.json().await.map_err(unavailable)?;
        // It came from the pool itself over TLS, so that its signature adds nothing (OpenID Connect Core 3.1.3.7).
        let claims = id_token.split('.').nth(1).and_then(|claims| BASE64_URL_SAFE_NO_PAD.decode(claims).ok());
        let claims: Option<Claims> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
        let claims = claims.ok_or_else(|| SignInError::Unavailable("unreadable id token".to_owned()))?;
        let name = claims.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| name_in(&claims.email));
        let person = Person { id: claims.sub, name: Personal::new(name), email: Personal::new(claims.email) };
        let is_agency = claims.groups.iter().any(|group| group == AGENCY);
        let tenants = claims.groups.iter().filter_map(|group| group.strip_prefix(OF_TENANT)).map(TenantId::new);
        let tenants = (!is_agency).then(|| tenants.collect());
        Ok(SignedInPerson { person, tenants, refresh_token: refresh_token.map(Personal::new) })
    }

    /// The people of a tenant, or of the agency.
    pub async fn people(&self, tenant: Option<&TenantId>) -> Result<Vec<Person>, ServiceError> {
        let mut found = Vec::new();
        let mut next = Value::Null;
        loop {
            let mut request = json!({"UserPoolId": self.pool, "GroupName": group_of(tenant), "Limit": 60});
            if !next.is_null() {
                request["NextToken"] = next;
            }
            let page = match self.call("ListUsersInGroup", &request).await {
                // Nobody was invited yet.
                Err(ServiceError { code, .. }) if code == "ResourceNotFoundException" => return Ok(found),
                page => page?,
            };
            found.extend(page["Users"].as_array().into_iter().flatten().filter_map(person_of));
            next = page["NextToken"].clone();
            if next.is_null() {
                return Ok(found);
            }
        }
    }

    /// Lets somebody sign in and see a tenant.
    pub async fn invite(&self, tenant: &TenantId, name: &str, email: &str) -> Result<(), ServiceError> {
        let attribute = |name: &str, value: &str| json!({"Name": name, "Value": value});
        let user = json!({
            "UserPoolId": self.pool,
            "Username": email,
            "MessageAction": "SUPPRESS",
            "UserAttributes": [attribute("email", email), attribute("email_verified", "true"), attribute("name", name)],
        });
        match self.call("AdminCreateUser", &user).await {
            // Somebody of another salon, or who was withdrawn before.
            Err(ServiceError { code, .. }) if code == "UsernameExistsException" => {}
            created => drop(created?),
        }
        let group = json!({"UserPoolId": self.pool, "GroupName": group_of(Some(tenant))});
        match self.call("CreateGroup", &group).await {
            Err(ServiceError { code, .. }) if code == "GroupExistsException" => {}
            created => drop(created?),
        }
        let mut member = group;
        member["Username"] = json!(email);
        self.call("AdminAddUserToGroup", &member).await.map(drop)
    }

    /// Withdraws somebody's access to a tenant. Sessions are ended by the caller.
    pub async fn withdraw(&self, tenant: &TenantId, person: &str) -> Result<(), ServiceError> {
        let member = json!({"UserPoolId": self.pool, "GroupName": group_of(Some(tenant)), "Username": person});
        self.call("AdminRemoveUserFromGroup", &member).await.map(drop)
    }

    /// Ends every sign-in of a person.
    pub async fn sign_out_everywhere(&self, person: &str) -> Result<(), ServiceError> {
        let user = json!({"UserPoolId": self.pool, "Username": person});
        self.call("AdminUserGlobalSignOut", &user).await.map(drop)
    }

    async fn call(&self, operation: &str, request: &Value) -> Result<Value, ServiceError> {
        self.service.call(&format!("AWSCognitoIdentityProviderService.{operation}"), request).await
    }
}

fn group_of(tenant: Option<&TenantId>) -> String {
    tenant.map_or_else(|| AGENCY.to_owned(), |tenant| format!("{OF_TENANT}{tenant}"))
}

fn name_in(email: &str) -> String {
    email.split('@').next().unwrap_or_default().to_owned()
}

fn person_of(user: &Value) -> Option<Person> {
    let attributes = user["Attributes"].as_array()?;
    let named = |name: &str| {
        let found = attributes.iter().find(|attribute| attribute["Name"] == name)?;
        found["Value"].as_str().map(str::to_owned)
    };
    let email = named("email").unwrap_or_default();
    let name = named("name").unwrap_or_else(|| name_in(&email));
    let id = user["Username"].as_str()?.to_owned();
    Some(Person { id, name: Personal::new(name), email: Personal::new(email) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_comes_back_to_the_browser_that_began_it() {
        let flow = Flow::begin("/s/salon/todo/a1");
        let back = Flow::of_cookie(&flow.as_cookie(), &flow.state).unwrap();
        assert_eq!((back.to.as_str(), back.verifier == flow.verifier), ("/s/salon/todo/a1", true));
        assert!(Flow::of_cookie(&flow.as_cookie(), "another").is_none());
        assert!(Flow::of_cookie("x", "x").is_none());
    }
}
