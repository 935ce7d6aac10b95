//! The user pool: who signed in, and who may.
//!
//! People sign in on the pages of Amazon Cognito, by a code that it mails, and come back with a code of OAuth 2.0 that is
//! worth nothing without the verifier in their browser's cookie (RFC 7636).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use operations::people::{Access, Person};
use platform::env::{self, EnvError};
use reqwest::{Client, StatusCode, Url};
use scheduling::{ids::TenantId, personal::Personal};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The user pool.
pub struct UserPool {
    http: Client,
    client: String,
    /// Where people sign in, without a slash at the end.
    pub sign_in_url: String,
    /// The desk's own URL, without a slash at the end.
    pub desk_url: String,
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
    pub fn from_env() -> Result<Self, lambda_runtime::Error> {
        let required = |name| Ok::<_, EnvError>(env::required(name)?.trim_end_matches('/').to_owned());
        Ok(Self {
            http: Client::builder().timeout(std::time::Duration::from_secs(8)).build()?,
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
        let person = Person::new(claims.sub, claims.name, claims.email);
        let mut tenants = Some(Vec::new());
        for access in claims.groups.iter().filter_map(|group| Access::of_group(group)) {
            match access {
                Access::Agency => tenants = None,
                Access::Tenant(tenant) => tenants.iter_mut().for_each(|tenants| tenants.push(tenant.clone())),
            }
        }
        Ok(SignedInPerson { person, tenants, refresh_token: refresh_token.map(Personal::new) })
    }
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
