//! Signing in, out, and out everywhere.

use chrono::Utc;
use maud::html;

use crate::{
    desk::Desk,
    error::PageError,
    http::{Reply, Request, Response},
    layout::{bare, icon},
    session::{COOKIE, SignedIn},
    user_pool::{Flow, SignInError},
};

/// The cookie that a browser keeps between leaving for the user pool and coming back.
const FLOW_COOKIE: &str = "__Host-sign-in";
/// How long that may take, in seconds.
const FLOW_LIFETIME: i64 = 15 * 60;

/// To the user pool.
pub fn begin(desk: &Desk, request: &Request) -> Response {
    let to = request.query.get("to").filter(|to| is_own_path(to)).unwrap_or("/");
    let flow = Flow::begin(to);
    let url = desk.pool.authorize_url(&flow);
    Response::from(Reply::SeeOther(url)).with_cookie(FLOW_COOKIE, &flow.as_cookie(), Some(FLOW_LIFETIME))
}

/// The response to a request without a session: a form is answered with a page that says it was not taken, and a page is opened
/// after the sign-in.
pub fn needed(request: &Request) -> Response {
    if request.method != http::Method::GET {
        let content = html! {
            div.head { h1 { "Bitte neu anmelden" } }
            p { "Ihre Sitzung ist zu Ende. Was Sie eben abgeschickt haben, wurde nicht ausgeführt." }
            p lang="en" { "Your session has ended. What you just sent was not done." }
            p.back { a.btn.go href="/sign-in" { (icon("user")) "Anmelden" } }
        };
        return Reply::Page(401, bare("Anmelden", &content)).into();
    }
    if request.path == "/" {
        let content = html! {
            div.head { h1 { "Anmelden" } p.soft { "Sie bekommen einen Code per E-Mail." } p.soft lang="en" { "You get a code by email." } }
            p.back { a.btn.go href="/sign-in" { (icon("mail")) "Anmelden / Sign in" } }
        };
        return Reply::Page(200, bare("Frontdesk", &content)).into();
    }
    let to: String = form_urlencoded::byte_serialize(request.path.as_bytes()).collect();
    Reply::SeeOther(format!("/sign-in?to={to}")).into()
}

/// Back from the user pool.
pub async fn finish(desk: &Desk, request: &Request) -> Result<Response, PageError> {
    let state = request.query.get("state").unwrap_or_default();
    let flow = request.cookie(FLOW_COOKIE).and_then(|cookie| Flow::of_cookie(cookie, state));
    let (Some(flow), Some(code)) = (flow, request.query.get("code")) else { return Ok(failed("state")) };
    match desk.pool.exchange(code, &flow).await {
        Ok(person) => {
            let now = Utc::now();
            let who = SignedIn::begin(person, now, false);
            desk.sessions.begin(&who.key, &who.session).await?;
            let (cookie, seconds) = who.cookie(now);
            tracing::info!("person signed in to the desk");
            let response = Response::from(Reply::SeeOther(flow.to));
            Ok(response.with_cookie(COOKIE, &cookie, Some(seconds)).with_cookie(FLOW_COOKIE, "", None))
        }
        Err(error @ SignInError::Refused) => {
            tracing::warn!(%error, "sign-in refused");
            Ok(failed("refused"))
        }
        Err(error) => {
            tracing::error!(%error, "sign-in failed");
            Ok(failed("unavailable"))
        }
    }
}

fn failed(why: &'static str) -> Response {
    let content = html! {
        div.head { h1 { "Anmelden ging nicht" } }
        p { "Bitte versuchen Sie es noch einmal." }
        p lang="en" { "Signing in failed. Please try again." }
        p.back { a.btn.go href="/sign-in" { (icon("user")) "Noch einmal" } }
    };
    tracing::info!(why, "sign-in not finished");
    Reply::Page(401, bare("Anmelden", &content)).into()
}

/// Ends this session, or all of this person's.
pub async fn sign_out(desk: &Desk, who: &SignedIn, everywhere: bool) -> Result<Response, PageError> {
    if everywhere {
        desk.people.sign_out_everywhere(&who.key.person).await?;
    } else {
        desk.sessions.end(&who.key).await?;
    }
    Ok(Response::from(Reply::SeeOther(desk.pool.sign_out_url())).with_cookie(COOKIE, "", None))
}

/// Switches between German and English.
pub async fn switch_language(desk: &Desk, mut who: SignedIn) -> Result<Response, PageError> {
    who.session.is_english = !who.session.is_english;
    desk.sessions.update(&who.key, &who.session).await?;
    Ok(Reply::SeeOther("/".to_owned()).into())
}

/// Whether a path is one of the desk's, and no other site's.
fn is_own_path(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && path.chars().all(|c| !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_no_other_site() {
        assert!(is_own_path("/s/salon/todo/a1"));
        for path in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb"] {
            assert!(!is_own_path(path), "{path:?}");
        }
    }
}
