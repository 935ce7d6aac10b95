//! A browser at the desk, without a window: somebody who signed in with the code of a mail.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex};

use operations::people::{Access, People};
use platform::signed::Service;
use reqwest::{Client, Method, Response, Url, redirect::Policy};
use serde_json::json;
use uuid::Uuid;

use crate::{Stack, eventually, mails_to, variable};

/// Somebody at the desk.
pub struct Visitor {
    http: Client,
    cookies: Mutex<BTreeMap<String, String>>,
    /// The address with which they signed in.
    pub email: String,
}

/// A page as a browser got it.
#[derive(Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// Where it leads next, if it does.
    pub location: Option<String>,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The text.
    pub text: String,
}

impl Page {
    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> String {
        let after = self.text.split_once(&format!("name=\"{name}\" value=\""));
        let after = after.unwrap_or_else(|| panic!("no field {name}: {}", self.text)).1;
        after.split('"').next().unwrap_or_default().to_owned()
    }
}

impl Stack {
    /// Lets somebody sign in: to a tenant by its group `tenant.<id>`, or to all by `agency`.
    pub async fn invite(&self, name: &str, group: &str) -> String {
        let email = format!("{}@people.example", Uuid::new_v4().simple());
        let access = Access::of_group(group).expect("a group of the desk");
        People::from_env(&self.config).unwrap().invite(&access, name, &email).await.unwrap();
        self.confirm(&email).await;
        email
    }

    /// Gives somebody a password that nobody uses: the local user pool asks for one before a code.
    pub async fn confirm(&self, email: &str) {
        let password = format!("Aa1-{}", Uuid::new_v4());
        let user =
            json!({"UserPoolId": variable("USER_POOL"), "Username": email, "Password": password, "Permanent": true});
        let cognito = Service::new(&self.config, "cognito-idp").unwrap();
        cognito.call("AWSCognitoIdentityProviderService.AdminSetUserPassword", &user).await.unwrap();
    }
}

impl Visitor {
    /// Nobody in particular.
    pub fn new() -> Self {
        let desk: Url = variable("DESK_URL").parse().unwrap();
        let port = desk.port().unwrap_or(80);
        // Browsers know every name under `localhost`; resolvers do not.
        let here = SocketAddr::from(([127, 0, 0, 1], port));
        let http = Client::builder().redirect(Policy::none()).resolve(desk.host_str().unwrap(), here).build().unwrap();
        Self { http, cookies: Mutex::default(), email: String::new() }
    }

    /// Somebody who signs in with the code that is mailed to the address.
    pub async fn sign_in(email: &str) -> Self {
        let visitor = Self { email: email.to_owned(), ..Self::new() };
        let begun = visitor.get("/sign-in").await;
        let form = visitor.http.get(begun.location.unwrap()).send().await.unwrap().text().await.unwrap();
        let fields = hidden(&form);
        let chosen = visitor.post_login(&[fields, vec![("username".to_owned(), email.to_owned())]].concat()).await;
        let mut fields = hidden(&chosen.text().await.unwrap());
        fields.push(("challenge".to_owned(), "EMAIL_OTP".to_owned()));
        let asked = visitor.post_login(&fields).await.text().await.unwrap();
        // Mail is in no order, and the local user pool mails the same code each time.
        let code = eventually(async || mails_to(email).iter().find_map(|mail| code_in(&mail.body))).await;
        let code = code.expect("a code is mailed");
        let mut fields = hidden(&asked);
        fields.push(("code".to_owned(), code));
        let back = visitor.post_login(&fields).await;
        let back: Url = back.headers()["location"].to_str().unwrap().parse().unwrap();
        let finished = visitor.get(&format!("{}?{}", back.path(), back.query().unwrap_or_default())).await;
        assert_eq!(finished.status, 303, "{finished:?}");
        visitor
    }

    async fn post_login(&self, fields: &[(String, String)]) -> Response {
        let body = form(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let request = self.http.post(format!("{}/login", variable("AWS_ENDPOINT_URL"))).body(body);
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
    }

    /// Another browser with the same cookies.
    pub fn copied(&self) -> Self {
        let cookies = Mutex::new(self.cookies.lock().unwrap().clone());
        Self { cookies, email: self.email.clone(), http: self.http.clone() }
    }

    /// Opens a page.
    pub async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, None, None).await
    }

    /// Sends a form as the desk's own pages do.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, Some(form(fields.iter().copied())), Some(variable("DESK_URL"))).await
    }

    /// Sends a request with a body of a form, from a page of this origin.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>, origin: Option<String>) -> Page {
        let mut request = self.http.request(method, format!("{}{path}", variable("DESK_URL")));
        let cookies: Vec<String> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all("set-cookie") {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap_or_default().to_owned();
            let mut cookies = self.cookies.lock().unwrap();
            if value.is_empty() { drop(cookies.remove(name)) } else { drop(cookies.insert(name.to_owned(), value)) }
        }
        let location = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Page { status, location, headers, text: response.text().await.unwrap() }
    }
}

impl Default for Visitor {
    fn default() -> Self {
        Self::new()
    }
}

fn form<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut url: Url = "http://localhost/".parse().unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// The six digits of a code.
fn code_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.into_iter().find(|digits| digits.len() == 6).map(str::to_owned)
}

/// The hidden fields of the first form.
fn hidden(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input type=\"hidden\"").skip(1);
    let attribute = |input: &str, name: &str| {
        let value = input.split_once(&format!("{name}=\""))?.1.split('"').next()?;
        Some(value.replace("&amp;", "&"))
    };
    inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?))).collect()
}
