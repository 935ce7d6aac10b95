//! The desk over the wire: who may see what, and what people settle there.

use chrono::{Days, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use desk::route::ROUTES;
use end_to_end::{
    MARK, MARKED_PHONE, Page, Salon, SalonForm, Visitor, eventually, frontdesk, mails_to, soon, variable,
};
use reqwest::Method;
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, Cause, ReviewReason, State, StateName},
    ids::CustomerId,
    request::Intent,
};
use serde_json::{Value, json};

/// Somebody of a salon.
async fn lena(salon: &Salon) -> Visitor {
    Visitor::sign_in(&salon.stack.invite("Lena", &format!("tenant.{}", salon.tenant)).await).await
}

fn path(salon: &Salon, rest: &str) -> String {
    format!("/s/{}/{rest}", salon.tenant)
}

fn path_of(salon: &Salon, appointment: &Appointment, rest: &str) -> String {
    path(salon, &format!("appointments/{}{rest}", appointment.id))
}

async fn unclear(salon: &Salon) -> Appointment {
    salon.settle(&salon.haircut_at("bei Gelegenheit mal")).await
}

/// Does something with an appointment, from its to-do, as a browser would.
async fn act(visitor: &Visitor, salon: &Salon, appointment: &Appointment, deed: &str, fields: &[(&str, &str)]) -> Page {
    let page = visitor.get(&path_of(salon, appointment, "/close")).await;
    let (csrf, seen) = (page.field("csrf"), page.field("seen"));
    let carried = [("csrf", csrf.as_str()), ("seen", seen.as_str())];
    visitor.post(&path_of(salon, appointment, deed), &[&carried, fields].concat()).await
}

#[tokio::test]
async fn no_route_shows_anything_to_whoever_may_not_see_it() {
    let (own, foreign) = (Salon::open().await, Salon::open().await);
    let theirs = unclear(&foreign).await;
    let customer = theirs.request.customer.ids(&foreign.tenant)[0].clone();
    let (nobody, other) = (Visitor::new(), lena(&own).await);
    let own_page = other.get(&path(&own, "todo")).await;
    assert_eq!(own_page.status, 200, "{own_page:?}");
    let csrf = other.get(&path(&own, "search")).await.field("csrf");
    for (method, route) in ROUTES {
        let of_tenant = |tenant: &str| {
            let filled = route.replace("{tenant}", tenant).replace("{host}", "1");
            filled.replace("{appointment}", theirs.id.as_str()).replace("{customer}", customer.as_str())
        };
        let send = async |visitor: &Visitor, path: &str| {
            let body = (method == "POST")
                .then(|| format!("csrf={csrf}&seen=1&q={MARK}&whose=everyone&sure=1&v={}%201", theirs.id));
            visitor.send(method.parse().unwrap(), path, body, Some(variable("DESK_URL"))).await
        };
        let is_public = ["/", "/desk.css", "/desk.js", "/desk.svg", "/sign-in", "/signed-in"].contains(&route);
        let page = send(&nobody, &of_tenant(foreign.tenant.as_str())).await;
        assert!(!page.text.contains(MARK), "{method} {route}: {page:?}");
        assert!(is_public || [303, 401].contains(&page.status), "{method} {route}: {page:?}");
        if is_public || route.starts_with("/sign-out") || route == "/language" {
            continue;
        }
        // By the foreign tenant's path, and by the own one with foreign ids.
        let page = send(&other, &of_tenant(foreign.tenant.as_str())).await;
        assert_eq!(page.status, 404, "{method} {route}: {page:?}");
        if !route.contains("{tenant}") || !["{appointment}", "{customer}"].iter().any(|id| route.contains(id)) {
            continue;
        }
        let page = send(&other, &of_tenant(own.tenant.as_str())).await;
        assert_eq!(page.status, 404, "{method} {route} with a foreign id: {page:?}");
        assert!(!page.text.contains(MARK), "{method} {route}: {page:?}");
    }
    let still = foreign.stack.appointment(&theirs.id).await;
    assert!(still.state() == theirs.state() && !still.history().iter().any(|it| it.is_manual()), "{still:?}");
    let agency = Visitor::sign_in(&own.stack.invite("Agentur", "agency").await).await;
    for page in ["/system", "/system/tenants", &path(&own, "todo"), &path(&foreign, "todo")] {
        assert_eq!(agency.get(page).await.status, 200, "{page}");
    }
    // A search never finds what is another tenant's, by whatever id.
    for query in [theirs.id.as_str(), MARK] {
        let found = other.post(&path(&own, "search"), &[("csrf", &csrf), ("q", query)]).await;
        assert!(!found.text.contains(theirs.id.as_str()) || query == theirs.id.as_str(), "{found:?}");
        assert!(!found.text.contains("bei Gelegenheit"), "{found:?}");
    }
}

#[tokio::test]
async fn what_was_settled_is_booked_and_its_history_names_the_person() {
    let salon = Salon::open().await;
    let (appointment, lena) = (unclear(&salon).await, lena(&salon).await);
    let list = lena.get(&path(&salon, "todo")).await;
    assert!(list.text.contains(MARK) && list.text.contains("Zeit unklar"), "{list:?}");
    let slots = lena.get(&path_of(&salon, &appointment, "/time")).await;
    let at = slots.text.split_once("name=\"at\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let sent = act(&lena, &salon, &appointment, "/book", &[("at", &at), ("service", "cut"), ("staff", "ben")]).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    let booked = salon.stack.until(&appointment.id, &[StateName::Assigned]).await;
    assert_eq!(booked.assignment().unwrap().staff.as_str(), "ben");
    let settled = booked.history().iter().find(|it| it.cause == Cause::Settled).unwrap();
    assert_eq!(settled.person.as_ref().unwrap().reveal(), "Lena");
    let page = lena.get(&path_of(&salon, &appointment, "")).await;
    assert!(page.text.contains("Eingetragen") && page.text.contains("<b>Lena</b>"), "{page:?}");
}

#[tokio::test]
async fn of_two_people_one_wins_and_the_other_reads_what_changed() {
    let salon = Salon::open().await;
    let (appointment, lena) = (unclear(&salon).await, lena(&salon).await);
    let anna = Visitor::sign_in(&salon.stack.invite("Anna", &format!("tenant.{}", salon.tenant)).await).await;
    let pages = [&lena, &anna].map(async |who| who.get(&path_of(&salon, &appointment, "/close")).await);
    let [first, second] = futures_util::future::join_all(pages).await.try_into().unwrap();
    let close = async |who: &Visitor, page: &Page, reason: &str| {
        let (csrf, seen) = (page.field("csrf"), page.field("seen"));
        let fields = [("csrf", csrf.as_str()), ("seen", seen.as_str()), ("reason", reason)];
        who.post(&path_of(&salon, &appointment, "/close"), &fields).await
    };
    assert_eq!(close(&lena, &first, "not_wanted").await.status, 303);
    let late = close(&anna, &second, "mistaken").await;
    assert_eq!(late.status, 409, "{late:?}");
    assert!(late.text.contains("Inzwischen geändert von Lena"), "{late:?}");
    let State::Cancelled { reason, .. } = salon.stack.appointment(&appointment.id).await.state().clone() else {
        panic!()
    };
    assert_eq!(reason, CancelReason::NotWanted);
}

#[tokio::test]
async fn a_mail_that_is_sent_between_look_and_click_stops_nobody() {
    let salon = Salon::open().await;
    let (appointment, lena) = (unclear(&salon).await, lena(&salon).await);
    let page = lena.get(&path_of(&salon, &appointment, "/close")).await;
    let (csrf, seen) = (page.field("csrf"), page.field("seen"));
    let notifier = || Actor { function: "review-notifier", version: "test", now: Utc::now(), person: None };
    let notified = |mut appointment: Appointment| {
        appointment.record_notice(notifier());
        appointment
    };
    salon.change(&appointment.id, notified).await;
    let fields = [("csrf", csrf.as_str()), ("seen", seen.as_str()), ("reason", "not_wanted")];
    let closed = lena.post(&path_of(&salon, &appointment, "/close"), &fields).await;
    assert_eq!(closed.status, 303, "{closed:?}");
    assert_eq!(salon.stack.appointment(&appointment.id).await.state().name(), StateName::Cancelled);
}

#[tokio::test]
async fn a_form_that_the_desk_did_not_send_changes_nothing() {
    let salon = Salon::open().await;
    let (appointment, lena) = (unclear(&salon).await, lena(&salon).await);
    let page = lena.get(&path_of(&salon, &appointment, "/close")).await;
    let (csrf, seen) = (page.field("csrf"), page.field("seen"));
    let to = path_of(&salon, &appointment, "/called-back");
    let desk = || Some(variable("DESK_URL"));
    let elsewhere = Some("https://evil.example".to_owned());
    for (body, origin) in [
        (format!("seen={seen}"), desk()),
        (format!("csrf=guessed&seen={seen}"), desk()),
        (format!("csrf={csrf}&seen={seen}"), elsewhere),
    ] {
        let sent = lena.send(Method::POST, &to, Some(body), origin).await;
        assert_eq!(sent.status, 403, "{sent:?}");
    }
    let still = salon.stack.appointment(&appointment.id).await;
    assert!(still.state() == appointment.state() && !still.history().iter().any(|it| it.is_manual()), "{still:?}");
}

#[tokio::test]
async fn what_a_caller_said_is_data_and_never_markup() {
    let salon = Salon::open().await;
    let evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let call = salon.call(json!({
        "service": evil, "appointment_start": evil, "notes": evil, "customer_name": format!("{evil} {MARK}"), "staff_member": evil,
    }));
    let appointment = salon.settle(&call).await;
    let lena = lena(&salon).await;
    for page in
        ["todo", &format!("todo/{}", appointment.id), &format!("appointments/{}", appointment.id), "day", "week"]
    {
        let page = lena.get(&path(&salon, page)).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(!page.text.contains("<script>alert") && !page.text.contains("<img"), "{page:?}");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    let csrf = lena.get(&path(&salon, "search")).await.field("csrf");
    let found = lena.post(&path(&salon, "search"), &[("csrf", &csrf), ("q", evil)]).await;
    assert!(!found.text.contains("<script>alert"), "{found:?}");
}

#[tokio::test]
async fn a_session_ends_where_it_is_ended_and_everywhere_if_that_is_wished() {
    let salon = Salon::open().await;
    let phone = lena(&salon).await;
    let desktop = Visitor::sign_in(&phone.email).await;
    let tablet = Visitor::sign_in(&phone.email).await;
    let sign_out = async |who: &Visitor, path: &str| {
        let csrf = who.get(&self::path(&salon, "search")).await.field("csrf");
        who.post(path, &[("csrf", &csrf)]).await
    };
    let stolen = tablet.copied();
    assert_eq!(sign_out(&tablet, "/sign-out").await.status, 303);
    assert_eq!(stolen.get(&path(&salon, "todo")).await.status, 303, "the cookie alone opens nothing any more");
    assert_eq!(phone.get(&path(&salon, "todo")).await.status, 200);
    assert_eq!(sign_out(&desktop, "/sign-out-everywhere").await.status, 303);
    assert_eq!(phone.get(&path(&salon, "todo")).await.status, 303);
}

#[tokio::test]
async fn an_invited_person_sees_their_salon_and_nothing_once_withdrawn() {
    let salon = Salon::open().await;
    let lena = lena(&salon).await;
    let csrf = lena.get(&path(&salon, "search")).await.field("csrf");
    let email = format!("neu-{}@people.example", uuid::Uuid::new_v4().simple());
    let sent = lena.post(&path(&salon, "people"), &[("csrf", &csrf), ("name", "Neu im Team"), ("email", &email)]).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    let invited = eventually(async || mails_to(&email).into_iter().next()).await.expect("an invitation");
    assert!(invited.body.contains(&variable("DESK_URL")), "{invited:?}");
    salon.stack.confirm(&email).await;
    let new = Visitor::sign_in(&email).await;
    assert_eq!(new.get("/").await.location.as_deref(), Some(path(&salon, "todo").as_str()));
    assert_eq!(new.get(&path(&salon, "todo")).await.status, 200);
    let people = lena.get(&path(&salon, "people")).await;
    assert!(people.text.contains("Neu im Team") && people.text.contains(&email), "{people:?}");
    let person = people.field("person");
    let sent = lena.post(&path(&salon, "people/withdraw"), &[("csrf", &csrf), ("person", &person)]).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    assert_eq!(new.get(&path(&salon, "todo")).await.status, 303);
    let again = Visitor::sign_in(&email).await;
    assert_eq!(again.get(&path(&salon, "todo")).await.status, 404);
}

#[tokio::test]
async fn a_wish_to_cancel_is_settled_by_cancelling_the_booking() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let booked = salon.settle(&call).await;
    let phone = call.body["call"]["from_number"].clone();
    let name = call.body["call"]["call_analysis"]["custom_analysis_data"]["customer_name"].clone();
    let wish = salon.call(json!({"intent": "absagen", "customer_phone": phone, "customer_name": name}));
    let wish = salon.settle(&wish).await;
    assert_eq!(wish.review_reason(), Some(ReviewReason::Intent(Intent::Cancel)));
    let lena = lena(&salon).await;
    let list = lena.get(&path(&salon, "todo")).await;
    let link = format!("{}?wish={}", path_of(&salon, &booked, "/cancel"), wish.id);
    assert!(list.text.contains(&link), "{link}: {list:?}");
    let asked = lena.get(&link).await;
    let fields = ["csrf", "seen", "wish"].map(|name| (name, asked.field(name)));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let sent = lena.post(&path_of(&salon, &booked, "/cancel"), &fields).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    salon.stack.until(&booked.id, &[StateName::Cancelled]).await;
    assert!(salon.bookings_of(salon.haircut()).await.is_empty());
    assert_eq!(salon.stack.appointment(&wish.id).await.state().name(), StateName::Cancelled);
}

#[tokio::test]
async fn a_booking_is_moved_and_given_to_somebody_else() {
    let salon = Salon::open().await;
    let booked = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let lena = lena(&salon).await;
    let (to, fields) = (soon(14, 0).1, async |asked: &str| {
        let page = lena.get(&path_of(&salon, &booked, asked)).await;
        (page.field("csrf"), page.field("seen"))
    });
    let (csrf, seen) = fields("/time").await;
    let at = to.to_rfc3339();
    let sent = [("csrf", csrf.as_str()), ("seen", seen.as_str()), ("at", at.as_str()), ("note", "am Telefon")];
    assert_eq!(lena.post(&path_of(&salon, &booked, "/move"), &sent).await.status, 303);
    let moved = eventually(async || {
        let stored = salon.stack.appointment(&booked.id).await;
        let is_moved = stored.booking().is_some_and(|booking| booking.start == to) && stored.assignment().is_some();
        (is_moved && stored.change().is_none()).then_some(stored)
    });
    let moved = match moved.await {
        Some(moved) => moved,
        None => panic!("not moved: {:#?}", salon.stack.appointment(&booked.id).await),
    };
    assert!(!moved.is_live(), "nobody was promised it on the phone");
    let other = if moved.assignment().unwrap().staff.as_str() == "ben" { "anna" } else { "ben" };
    let (csrf, seen) = fields("/staff").await;
    let sent = [("csrf", csrf.as_str()), ("seen", seen.as_str()), ("staff", other)];
    let answered = lena.post(&path_of(&salon, &booked, "/assign"), &sent).await;
    assert_eq!(answered.status, 303, "{answered:?}");
    let assigned = salon.stack.appointment(&booked.id).await;
    assert_eq!(assigned.assignment().unwrap().staff.as_str(), other);
    let last = assigned.history().iter().rfind(|it| matches!(it.cause, Cause::Assigned(_))).unwrap();
    assert_eq!(last.person.as_ref().unwrap().reveal(), "Lena");
}

#[tokio::test]
async fn an_unknown_host_is_mapped_once_and_all_that_waited_goes_on() {
    let stranger = vec![(4_000_000_000 + u64::from(std::process::id()), "fremd@nirgends.example".to_owned())];
    let host = stranger[0].0;
    let salon = Salon::with(SalonForm { hosts: Some(stranger), ..SalonForm::default() }).await;
    let [first, second] = ["10:00", "11:00"].map(|clock| format!("{} {clock}", &soon(10, 0).0[..10]));
    let waiting = [salon.settle(&salon.haircut_at(&first)).await, salon.settle(&salon.haircut_at(&second)).await];
    assert!(waiting.iter().all(|it| it.state().name() == StateName::NeedsReview), "{waiting:?}");
    let lena = lena(&salon).await;
    let list = lena.get(&path(&salon, "todo")).await;
    assert!(list.text.contains("Alle 2 zuordnen"), "one card for both: {list:?}");
    let csrf = list.field("csrf");
    let sent = lena.post(&path(&salon, &format!("hosts/{host}")), &[("csrf", &csrf), ("staff", "ben")]).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    for it in &waiting {
        let assigned = salon.stack.until(&it.id, &[StateName::Assigned]).await;
        assert_eq!(assigned.assignment().unwrap().staff.as_str(), "ben");
    }
    let team = lena.get(&path(&salon, "team")).await;
    assert!(team.text.contains("hier zugeordnet"), "{team:?}");
}

#[tokio::test]
async fn a_setting_that_was_mended_lets_all_that_waited_be_booked() {
    let salon = Salon::open().await;
    salon.change_haircut(json!({"required_fields": [{"slug": "haarlaenge", "label": "Haarlänge"}]})).await;
    let waiting =
        [salon.settle(&salon.haircut_at(&soon(10, 0).0)).await, salon.settle(&salon.haircut_at(&soon(12, 0).0)).await];
    let lena = lena(&salon).await;
    let list = lena.get(&path(&salon, "todo")).await;
    assert!(list.text.contains("Einstellung bei Cal.com") && list.text.contains("haarlaenge"), "{list:?}");
    salon.change_haircut(json!({})).await;
    let csrf = list.field("csrf");
    let mut fields = vec![("csrf", csrf.as_str())];
    let shown: Vec<&str> =
        list.text.split("name=\"id\" value=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
    let seen: Vec<&str> =
        list.text.split("name=\"seen\" value=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
    assert_eq!(shown.len(), 2, "{list:?}");
    for (id, seen) in shown.iter().zip(&seen) {
        fields.extend([("id", *id), ("seen", *seen)]);
    }
    assert_eq!(lena.post(&path(&salon, "retry"), &fields).await.status, 303);
    for it in &waiting {
        salon.stack.until(&it.id, &[StateName::Assigned]).await;
    }
}

#[tokio::test]
async fn what_was_moved_at_cal_com_is_named_and_what_is_past_is_closed() {
    let salon = Salon::open().await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let began = Utc::now() - TimeDelta::hours(4);
    let by = Actor { function: "test", version: "test", now: Utc::now(), person: None };
    let moved = |mut appointment: Appointment| {
        let mut booking = appointment.booking().unwrap().clone();
        booking.start = began;
        appointment.reschedule(booking, by).unwrap();
        appointment
    };
    salon.change(&appointment.id, moved).await;
    let lena = lena(&salon).await;
    let shows = |page: &Page| page.text.contains(appointment.id.as_str());
    let day = began.with_timezone(&Berlin).date_naive();
    let week = lena.get(&path(&salon, &format!("week?date={day}"))).await;
    assert!(shows(&week) && week.text.contains("verschoben"), "{week:?}");
    let quality = lena.get(&path(&salon, &format!("quality?from={day}"))).await;
    assert!(shows(&quality), "{quality:?}");
    let earlier = lena.get(&path(&salon, &format!("search?until={}", day - Days::new(7)))).await;
    assert!(!shows(&earlier) && earlier.text.contains("nichts offen geblieben"), "{earlier:?}");
    let endless = lena.get(&path(&salon, "week?date=%2B262142-12-31")).await;
    assert_eq!(endless.status, 200, "{endless:?}");
    let past = lena.get(&path(&salon, "search")).await;
    assert!(shows(&past), "{past:?}");
    let [csrf, chosen, until] = ["csrf", "v", "until"].map(|name| past.field(name));
    let sent = [("csrf", csrf.as_str()), ("v", chosen.as_str()), ("until", until.as_str())];
    let closed = lena.post(&path(&salon, "clean-up"), &sent).await;
    assert_eq!(closed.status, 303, "{closed:?}");
    assert!(closed.location.as_ref().is_some_and(|to| to.ends_with(&format!("until={until}"))), "{closed:?}");
    assert_eq!(salon.stack.appointment(&appointment.id).await.state().name(), StateName::Completed);
}

#[tokio::test]
async fn a_word_that_was_learned_is_understood_from_then_on() {
    let salon = Salon::open().await;
    let call = salon.call(json!({"service": "Strähnchen", "appointment_start": soon(11, 0).0}));
    let (appointment, lena) = (salon.settle(&call).await, lena(&salon).await);
    let sent = act(&lena, &salon, &appointment, "/book", &[("service", "color"), ("learn", "Strähnchen")]).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    salon.stack.until(&appointment.id, &[StateName::Assigned]).await;
    let tenant = salon.stack.tenants.record(&salon.tenant).await.unwrap().unwrap().tenant;
    assert_eq!(tenant.service_called("Strähnchen").unwrap().id.as_str(), "color");
}

#[tokio::test]
async fn a_customer_is_found_exported_and_erased_with_who_shares_the_number_shown() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let phone = call.body["call"]["from_number"].as_str().unwrap().to_owned();
    let first = salon.settle(&call).await;
    let shared = json!({"service": "Haarschnitt", "appointment_start": soon(15, 0).0, "customer_phone": phone,
                        "customer_name": format!("Lukas {MARK}"), "customer_email": "lukas@beispiel.example"});
    let second = salon.settle(&salon.call(shared)).await;
    let lena = lena(&salon).await;
    let csrf = lena.get(&path(&salon, "search")).await.field("csrf");
    let name = first.request.customer.name.as_ref().unwrap().reveal().clone();
    let last = name.rsplit(' ').next().unwrap();
    let found = lena.post(&path(&salon, "search"), &[("csrf", &csrf), ("q", last)]).await;
    assert!(found.text.contains(first.id.as_str()) && !found.text.contains(second.id.as_str()), "{found:?}");
    let customer = CustomerId::of_phone(&salon.tenant, &phone);
    let page = path(&salon, &format!("customers/{customer}"));
    let exported = lena.post(&format!("{page}/export"), &[("csrf", &csrf), ("whose", "everyone")]).await;
    let exported: Value = serde_json::from_str(&exported.text).unwrap();
    assert_eq!(exported["appointments"].as_array().unwrap().len(), 2);
    let asked = lena.get(&format!("{page}/erase")).await;
    assert!(
        asked.text.contains("Mehrere benutzen") || asked.text.contains("Diesen Kontakt benutzen mehrere"),
        "{asked:?}"
    );
    assert!(asked.text.contains(&name) && asked.text.contains(&format!("Lukas {MARK}")), "{asked:?}");
    let erase = [("csrf", csrf.as_str()), ("whose", name.as_str()), ("sure", "1")];
    let erased = lena.post(&format!("{page}/erase"), &erase).await;
    assert!(
        erased.text.contains(first.booking().unwrap().uid.as_str()),
        "what Cal.com still stores is named: {erased:?}"
    );
    assert!(salon.stack.appointment(&first.id).await.is_erased());
    assert!(!salon.stack.appointment(&second.id).await.is_erased());
    let found = lena.post(&path(&salon, "search"), &[("csrf", &csrf), ("q", last)]).await;
    assert!(found.text.contains("Nichts gefunden"), "{found:?}");
}

#[tokio::test]
async fn the_agency_checks_and_loads_a_tenant_file_as_the_command_does() {
    let salon = Salon::open().await;
    let agency = Visitor::sign_in(&salon.stack.invite("Agentur", "agency").await).await;
    let page = agency.get(&format!("/system/tenants/{}", salon.tenant)).await;
    assert!(page.text.contains(salon.tenant.as_str()), "{page:?}");
    let csrf = page.field("csrf");
    let mut file = salon.tenant_file().await;
    file["services"][0]["nmae"] = json!("x");
    let refused = agency.post("/system/tenants", &[("csrf", &csrf), ("file", &file.to_string())]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("unknown field `nmae`"), "{refused:?}");
    let mut file = salon.tenant_file().await;
    file["calcom"]["account"] = json!("nobody");
    let refused = agency.post("/system/tenants", &[("csrf", &csrf), ("file", &file.to_string())]).await;
    assert!(refused.text.contains("no account nobody"), "{refused:?}");
    let mut file = salon.tenant_file().await;
    file["name"] = json!("Salon Neu");
    let loaded = agency.post("/system/tenants", &[("csrf", &csrf), ("file", &file.to_string())]).await;
    assert_eq!(loaded.status, 303, "{loaded:?}");
    assert_eq!(salon.tenant_file().await["name"], json!("Salon Neu"));
}

#[tokio::test]
async fn the_agency_has_a_renewed_key_checked_and_bookings_go_on() {
    let salon = Salon::open().await;
    salon.settle(&salon.haircut_at(&soon(9, 0).0)).await;
    salon.put_key(true).await;
    let waiting = salon.deliver(&salon.haircut_at(&soon(10, 0).0)).await;
    let agency = Visitor::sign_in(&salon.stack.invite("Agentur", "agency").await).await;
    let resume = format!("/system/tenants/{}/resume", salon.tenant);
    let shown = eventually(async || Some(agency.get("/system").await).filter(|page| page.text.contains(&resume)));
    let page = shown.await.expect("an account at rest is shown with its check");
    let csrf = page.field("csrf");
    let check = async || {
        let checked = agency.post(&resume, &[("csrf", &csrf)]).await;
        agency.get(&checked.location.expect("a page that says what Cal.com answered")).await
    };
    let refused = check().await;
    assert!(refused.text.contains("lehnt den Schlüssel weiter ab") && refused.text.contains(&resume), "{refused:?}");
    salon.put_key(false).await;
    let accepted = check().await;
    assert!(accepted.text.contains("Cal.com nimmt den Schlüssel an"), "{accepted:?}");
    assert!(!accepted.text.contains(&resume), "it rests no more: {accepted:?}");
    assert_eq!(salon.stack.until_settled(&waiting).await.state().name(), StateName::Assigned);
}

#[tokio::test]
async fn people_of_the_agency_invite_and_withdraw_each_other() {
    let salon = Salon::open().await;
    let agency = Visitor::sign_in(&salon.stack.invite("Agentur", "agency").await).await;
    let csrf = agency.get("/system/people").await.field("csrf");
    let email = format!("kollege-{}@people.example", uuid::Uuid::new_v4().simple());
    let invite = [("csrf", csrf.as_str()), ("name", "Kollege"), ("email", &email)];
    let sent = agency.post("/system/people", &invite).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    let invited = eventually(async || mails_to(&email).into_iter().next()).await.expect("an invitation");
    assert!(invited.body.contains("alle Salons"), "{invited:?}");
    salon.stack.confirm(&email).await;
    let colleague = Visitor::sign_in(&email).await;
    assert_eq!(colleague.get(&path(&salon, "todo")).await.status, 200);
    let listed = agency.get("/system/people?done=invited").await;
    let (_, entry) = listed.text.split_once(&email).expect("the colleague is listed");
    let person = entry.split_once("name=\"person\" value=\"").unwrap().1.split('"').next().unwrap();
    let sent = agency.post("/system/people/withdraw", &[("csrf", &csrf), ("person", person)]).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    assert_eq!(colleague.get("/system").await.status, 303);
}

#[tokio::test]
async fn a_list_of_one_kind_stays_so_while_it_is_worked_off() {
    let salon = Salon::open().await;
    let callback = salon.settle(&salon.call(json!({"intent": "Rückruf", "notes": "wegen der Rechnung"}))).await;
    let (first, second) = tokio::join!(unclear(&salon), unclear(&salon));
    let lena = lena(&salon).await;
    let limited = path(&salon, "todo?only=time_unclear");
    let list = lena.get(&limited).await;
    let is_shown = |page: &Page, it: &Appointment| page.text.contains(&format!("data-live=\"{}\"", it.id));
    assert!(is_shown(&list, &first) && is_shown(&list, &second) && !is_shown(&list, &callback), "{list:?}");
    assert!(list.text.contains("Zeit unklar: 2 von 3"), "{list:?}");
    let close = path_of(&salon, &first, "/close?only=time_unclear");
    assert!(list.text.contains(&close), "{list:?}");
    let closed = act(&lena, &salon, &first, "/close?only=time_unclear", &[("reason", "not_wanted")]).await;
    let next = closed.location.expect("the list again");
    assert_eq!(next, format!("{limited}&done=closed"));
    let list = lena.get(&next).await;
    assert!(is_shown(&list, &second) && !is_shown(&list, &first) && !is_shown(&list, &callback), "{list:?}");
    let alone = lena.get(&path_of(&salon, &second, "?only=time_unclear")).await;
    assert!(alone.text.contains(&format!("href=\"{limited}\"")), "the way back is to the limited list: {alone:?}");
    // A kind of which nothing waits, or that does not exist, hides nothing, and no more that comes later.
    let ended = lena.get(&path(&salon, "todo?only=stopped&done=closed")).await;
    assert_eq!(ended.location, Some(path(&salon, "todo?done=closed")));
    let list = lena.get(&path(&salon, "todo?only=x")).await;
    assert!(is_shown(&list, &second) && is_shown(&list, &callback), "{list:?}");
}

#[tokio::test]
async fn a_customer_who_was_not_reached_comes_back_later_and_one_called_back_is_settled() {
    let salon = Salon::open().await;
    let appointment = salon.settle(&salon.call(json!({"intent": "Rückruf", "notes": "wegen der Rechnung"}))).await;
    let lena = lena(&salon).await;
    assert_eq!(act(&lena, &salon, &appointment, "/not-reached", &[]).await.status, 303);
    let list = lena.get(&path(&salon, "todo")).await;
    assert!(list.text.contains("1 Mal angerufen"), "{list:?}");
    assert_eq!(act(&lena, &salon, &appointment, "/called-back", &[]).await.status, 303);
    let settled = salon.stack.appointment(&appointment.id).await;
    assert_eq!(settled.state().name(), StateName::Cancelled);
    assert!(settled.history().iter().any(|it| it.cause == Cause::CalledBack), "{settled:?}");
}

#[tokio::test]
async fn people_are_invited_and_withdrawn_by_the_command_too() {
    let salon = Salon::open().await;
    let email = format!("erste-{}@people.example", uuid::Uuid::new_v4().simple());
    let (tenant, name) = (salon.tenant.as_str(), ["--name", "Erste"]);
    let invite = ["people", "invite", &email, name[0], name[1]];
    let (planned, said) = frontdesk(&[&invite[..], &["--agency"]].concat());
    assert!(planned && said.contains("Dry run"), "{said}");
    let (failed, said) = frontdesk(&[&invite[..], &["--tenant", "nobody", "--apply"]].concat());
    assert!(!failed && said.contains("failed to find tenant nobody"), "{said}");
    let (invited, said) = frontdesk(&[&invite[..], &["--tenant", tenant, "--apply"]].concat());
    assert!(invited && said.contains(&variable("DESK_URL")), "{said}");
    let listed = frontdesk(&["people", "list", "--tenant", tenant]).1;
    assert!(listed.contains(&email) && listed.contains("Erste"), "{listed}");
    assert!(!frontdesk(&["people", "list", "--agency", "--output", "json"]).1.contains(&email));
    salon.stack.confirm(&email).await;
    let person = Visitor::sign_in(&email).await;
    assert_eq!(person.get(&path(&salon, "todo")).await.status, 200);
    assert_eq!(person.get("/system").await.status, 404);
    let (withdrawn, said) = frontdesk(&["people", "withdraw", &email, "--tenant", tenant, "--apply"]);
    assert!(withdrawn, "{said}");
    assert_eq!(person.get(&path(&salon, "todo")).await.status, 303);
}

#[tokio::test]
async fn what_people_do_at_the_desk_is_logged_without_what_they_saw() {
    let salon = Salon::open().await;
    let waiting = unclear(&salon).await;
    let lena = lena(&salon).await;
    let csrf = lena.get(&path_of(&salon, &waiting, "")).await.field("csrf");
    for page in ["todo", "day", "week", "team", "people", "quality"] {
        assert_eq!(lena.get(&path(&salon, page)).await.status, 200);
    }
    let found = lena.post(&path(&salon, "search"), &[("csrf", &csrf), ("q", MARK)]).await;
    assert_eq!(found.status, 200, "{found:?}");
    lena.get(&path_of(&salon, &waiting, "/time?service=haarschnitt")).await;
    let sent = act(&lena, &salon, &waiting, "/note", &[("note", MARK)]).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    for function in ["desk", "back-office"] {
        let lines = salon.stack.log_lines(function).await;
        // The back office logs only what it was asked.
        assert!(function != "desk" || !lines.is_empty(), "the desk logs what it does");
        let personal = lines.iter().find(|line| line.contains(MARK) || line.contains(MARKED_PHONE));
        assert_eq!(personal, None, "{function}");
    }
}
