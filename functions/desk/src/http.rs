//! A request of a browser, read once, and the reply to it with the headers that keep it safe.

use std::collections::BTreeMap;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, Method};
use maud::Markup;
use sha2::{Digest, Sha256};

/// A request of a browser.
#[derive(Debug)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// The path, with a slash at the beginning.
    pub path: String,
    /// The fields of the query.
    pub query: Fields,
    /// The fields of the form that was sent.
    pub form: Fields,
    cookies: Vec<String>,
    seen: Option<String>,
    /// Whether a script of the page sent it, to see what is new.
    pub is_poll: bool,
    origin: Option<String>,
}

/// Fields by their names. A name may have several values.
#[derive(Debug, Default)]
pub struct Fields(BTreeMap<String, Vec<String>>);

impl Fields {
    fn of(encoded: &[u8]) -> Self {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            fields.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Self(fields)
    }

    /// The value of a field that is not blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.first()?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }
}

impl Request {
    /// Reads API Gateway's request. What is not UTF-8, or not the base64 that it says it is, counts as no form.
    pub fn of(request: ApiGatewayV2httpRequest) -> Self {
        let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let sent = request.body.as_deref().unwrap_or_default();
        let body = match request.is_base64_encoded {
            true => BASE64_STANDARD.decode(sent).unwrap_or_default(),
            false => sent.as_bytes().to_vec(),
        };
        // Where a gateway does not list them, they are in the header.
        let in_header = || header("cookie").map(|line| line.split(';').map(str::to_owned).collect());
        Self {
            cookies: request.cookies.clone().or_else(in_header).unwrap_or_default(),
            query: Fields::of(request.raw_query_string.as_deref().unwrap_or_default().as_bytes()),
            form: Fields::of(&body),
            seen: header("if-none-match"),
            is_poll: request.headers.contains_key("x-poll"),
            origin: header("origin"),
            method: request.request_context.http.method,
            path: request.raw_path.unwrap_or_default(),
        }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let named = |cookie: &'_ String| cookie.split_once('=').is_some_and(|(found, _)| found.trim() == name);
        let cookie = self.cookies.iter().find(|cookie| named(cookie))?;
        cookie.split_once('=').map(|(_, value)| value.trim())
    }

    /// Whether another site had it sent. Browsers name the origin of every form that is posted.
    pub fn is_from_elsewhere(&self, own: &str) -> bool {
        self.origin.as_deref().is_some_and(|origin| origin != own)
    }
}

/// A reply.
#[derive(Debug)]
pub enum Reply {
    /// A page, with its status.
    Page(u16, Markup),
    /// See this path, or URL, next.
    SeeOther(String),
    /// A file of the desk's own, which never changes under its URL.
    Asset(&'static str, &'static str),
    /// A file to keep, with its name.
    Download(String, String),
}

/// A reply with what it sets.
#[derive(Debug)]
pub struct Response {
    reply: Reply,
    cookies: Vec<String>,
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        Self { reply, cookies: Vec::new() }
    }
}

impl Response {
    /// With a cookie that no script can read and that no other site's form carries. Without `seconds` it is deleted.
    #[must_use]
    pub fn with_cookie(mut self, name: &str, value: &str, seconds: Option<i64>) -> Self {
        let age = seconds.unwrap_or_default();
        self.cookies.push(format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; Secure; SameSite=Lax"));
        self
    }

    /// As API Gateway sends it. `sign_in` is the origin to which signing out leads.
    pub fn finish(self, request: &Request, sign_in: &str) -> ApiGatewayV2httpResponse {
        let mut response = ApiGatewayV2httpResponse::default();
        response.cookies = self.cookies;
        let policy = format!(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self' {sign_in}; base-uri 'none'; frame-ancestors 'none'"
        );
        for (name, value) in [
            ("content-security-policy", policy.as_str()),
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            // The path of a page names a salon and an appointment, which is no other site's business. With `no-referrer` a
            // browser would not name the origin of the desk's own forms.
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
        ] {
            insert(&mut response, name, value);
        }
        match self.reply {
            Reply::Page(status, page) => {
                let page = page.into_string();
                let mark = format!("\"{}\"", hex::encode(&Sha256::digest(page.as_bytes())[..12]));
                insert(&mut response, "cache-control", "no-store");
                insert(&mut response, "etag", &mark);
                if request.is_poll && request.seen.as_deref() == Some(&mark) {
                    response.status_code = 304;
                    return response;
                }
                response.status_code = status.into();
                insert(&mut response, "content-type", "text/html; charset=utf-8");
                response.body = Some(page.into());
            }
            Reply::SeeOther(to) => {
                response.status_code = 303;
                insert(&mut response, "cache-control", "no-store");
                insert(&mut response, "location", &to);
            }
            Reply::Asset(kind, content) => {
                response.status_code = 200;
                insert(&mut response, "content-type", kind);
                insert(&mut response, "cache-control", "public, max-age=31536000, immutable");
                response.body = Some(content.to_owned().into());
            }
            Reply::Download(name, content) => {
                response.status_code = 200;
                insert(&mut response, "content-type", "application/json; charset=utf-8");
                insert(&mut response, "cache-control", "no-store");
                insert(&mut response, "content-disposition", &format!("attachment; filename=\"{name}\""));
                response.body = Some(content.into());
            }
        }
        response
    }
}

fn insert(response: &mut ApiGatewayV2httpResponse, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(set: impl FnOnce(&mut ApiGatewayV2httpRequest)) -> Request {
        let mut request = ApiGatewayV2httpRequest::default();
        set(&mut request);
        Request::of(request)
    }

    #[test]
    fn a_form_is_read_whether_or_not_it_comes_as_base64() {
        for is_base64_encoded in [false, true] {
            let body = "name=J%C3%BCrgen+Groß&v=1&v=2&blank=+";
            let read = request(|it| {
                it.body = Some(if is_base64_encoded { BASE64_STANDARD.encode(body) } else { body.to_owned() });
                it.is_base64_encoded = is_base64_encoded;
            });
            assert_eq!(read.form.get("name"), Some("Jürgen Groß"));
            assert_eq!((read.form.get("blank"), read.form.all("v").collect::<Vec<_>>()), (None, vec!["1", "2"]));
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let read =
            request(|it| it.cookies = Some(vec!["x__Host-session=no".to_owned(), "__Host-session=a.b=".to_owned()]));
        assert_eq!(read.cookie("__Host-session"), Some("a.b="));
        let cookie = HeaderValue::from_static("x=1; __Host-session=a.b");
        assert_eq!(request(|it| drop(it.headers.insert("cookie", cookie))).cookie("__Host-session"), Some("a.b"));
    }

    #[test]
    fn a_page_that_is_as_it_was_is_not_sent_again() {
        let page = || Response::from(Reply::Page(200, maud::html! { p { "same" } }));
        let first = page().finish(&request(|_| ()), "https://sign.in");
        let mark = first.headers["etag"].clone();
        let again = request(|it| {
            it.headers.insert("if-none-match", mark);
            it.headers.insert("x-poll", HeaderValue::from_static("1"));
        });
        assert_eq!((first.status_code, page().finish(&again, "https://sign.in").status_code), (200, 304));
        let policy = first.headers["content-security-policy"].to_str().unwrap();
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn a_form_of_another_site_is_noticed() {
        let from =
            |origin: &'static str| request(|it| drop(it.headers.insert("origin", HeaderValue::from_static(origin))));
        assert!(from("https://evil.example").is_from_elsewhere("https://desk.example"));
        assert!(from("null").is_from_elsewhere("https://desk.example"));
        assert!(!from("https://desk.example").is_from_elsewhere("https://desk.example"));
    }
}
