//! The stand-in answers as the real Cal.com did.
//!
//! `recordings/` holds exchanges with Cal.com's API v2 of December 2025 and July 2026, in their order. Each request is
//! sent to the stand-in, from the state that the recording began with and at the recorded time, and status, headers and
//! body are compared. Ids, times and tokens differ; uids are translated.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{fs, path::Path};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use calcom_stand_in::{Content, StandIn, router};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

/// Exchanges that the stand-in can't repeat, each with the reason.
const NOT_REPEATED: [(&str, &str); 8] = [
    ("059 list-2026-02-25", "the bodies of the old version 2024-04-15: Frontdesk refuses to be configured for it"),
    ("224 webhook-user-loopback", "webhooks from Cal.com: Frontdesk does not take them"),
    ("227 webhook-event-type", "webhooks from Cal.com: Frontdesk does not take them"),
    ("228 webhook-same-url-again", "webhooks from Cal.com: Frontdesk does not take them"),
    ("237 webhook-rr-by-personal-path", "webhooks from Cal.com: Frontdesk does not take them"),
    ("242 bulk-page-size", "lists 600 bookings that were made in a burst which was not recorded"),
    ("064 reassign", "of a copy without teams, where the host is reassigned to himself"),
    ("057 list-anna", "the order of bookings that start at the same time is none"),
];

/// Values that are ids, times or tokens, by their names.
const OF_ITS_OWN: [&str; 11] = [
    "icsUid",
    "createdAt",
    "updatedAt",
    "timestamp",
    "reservationUntil",
    "seatUid",
    "recurringBookingUid",
    "avatarUrl",
    "reservationUid",
    "rescheduledToUid",
    "rescheduledFromUid",
];

#[derive(Deserialize)]
struct Recorded {
    name: String,
    request: RecordedRequest,
    response: RecordedResponse,
}

#[derive(Deserialize)]
struct RecordedRequest {
    method: String,
    path: String,
    key: Option<String>,
    version: Option<String>,
    body: Value,
}

#[derive(Deserialize)]
struct RecordedResponse {
    status: u16,
    headers: serde_json::Map<String, Value>,
    body: Value,
}

impl Recorded {
    /// When the response was sent, as far as it says so.
    fn time(&self) -> Option<DateTime<Utc>> {
        let body = &self.response.body;
        let data = if body["data"].is_array() { &body["data"][0] } else { &body["data"] };
        let is_new = self.request.method == "POST";
        let times = [&body["error"]["timestamp"], &body["timestamp"], &data["createdAt"], &data["updatedAt"]];
        let times = times.into_iter().filter(|_| is_new).filter_map(|time| time.as_str()?.parse().ok());
        times.max().or_else(|| body["timestamp"].as_str()?.parse().ok())
    }

    /// Whether it ran side by side with the one before.
    fn group(&self) -> Option<&str> {
        let name = self.name.split_once(' ').map_or("", |(_, name)| name);
        let (group, nth) = name.rsplit_once('-')?;
        let is_at_once = ["at-once", "race", "overlapping"].iter().any(|prefix| name.starts_with(prefix));
        (is_at_once && nth.chars().all(|c| c.is_ascii_digit())).then_some(group)
    }
}

/// A replay of one recording.
struct Replay {
    stand_in: StandIn,
    app: Router,
    now: DateTime<Utc>,
    /// Recorded uids with ours.
    uids: Vec<(String, String)>,
    /// Whether the round robin has come to the host of the recording: Cal.com's choice among free hosts depends on all
    /// that they were booked for before.
    is_choice_known: bool,
    differences: Vec<String>,
}

impl Replay {
    fn new(generation: &str, is_choice_known: bool) -> Self {
        let stand_in = StandIn::default();
        stand_in.put(serde_json::from_value(beginning(generation)).unwrap());
        let now = "2026-11-24T19:05:58Z".parse().unwrap();
        Self {
            app: router(stand_in.clone()),
            stand_in,
            now,
            uids: Vec::new(),
            is_choice_known,
            differences: Vec::new(),
        }
    }

    async fn run(&mut self, recorded: Vec<Recorded>) {
        let is_repeated = |it: &Recorded| NOT_REPEATED.iter().all(|(name, _)| *name != it.name);
        let mut rest = recorded.into_iter().filter(is_repeated).peekable();
        while let Some(first) = rest.next() {
            let group = first.group().map(str::to_owned);
            let mut together = vec![first];
            while let Some(next) = rest.next_if(|next| group.is_some() && next.group() == group.as_deref()) {
                together.push(next);
            }
            // Who was first at Cal.com is first here.
            together.sort_by_key(|it| it.response.status != 201);
            self.prepare(&together[0]).await;
            self.is_choice_known |=
                together[0].request.body["rrHostSubsetIds"].is_array() && together[0].name.contains(" on-");
            let sent = together.iter().enumerate().map(|(nth, it)| self.send(it, nth));
            let responses: Vec<_> = join_all(sent).await;
            for (it, (status, headers, body)) in together.iter().zip(responses) {
                self.compare(it, status, &headers, &body);
            }
        }
    }

    /// What happened before an exchange and was not recorded.
    async fn prepare(&mut self, next: &Recorded) {
        self.now = next.time().map_or(self.now, |time| time.max(self.now));
        self.stand_in.set_clock(self.now);
        if next.name == "065 book-phonefirst-phone-only" || next.name == "020 book-phonefield-anonymous" {
            self.stand_in.put(serde_json::from_value(phone_event_types()).unwrap());
        }
        if next.name == "220 rate-limited-me" {
            self.is_choice_known = false;
            for _ in 0..120 {
                let request = Request::get("/v2/me").header("authorization", "Bearer cal_stranger");
                self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            }
        }
    }

    async fn send(&self, recorded: &Recorded, nth: usize) -> (u16, Vec<String>, Value) {
        if nth > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let asked = &recorded.request;
        let request = Request::builder().method(asked.method.as_str()).uri(self.translated(&asked.path));
        let request = match &asked.key {
            Some(key) => request.header("authorization", format!("Bearer cal_{key}")),
            None => request,
        };
        let request = match &asked.version {
            Some(version) => request.header("cal-api-version", version),
            None => request,
        };
        let body = match &asked.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => self.translated(&body.to_string()),
        };
        let response = self.app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let mut headers: Vec<String> = head.headers.keys().map(ToString::to_string).collect();
        headers.retain(|name| name.starts_with("x-ratelimit") || name == "content-type");
        headers.sort();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.status.as_u16(), headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn compare(&mut self, recorded: &Recorded, status: u16, headers: &[String], body: &Value) {
        let mut found = Vec::new();
        if status != recorded.response.status {
            found.push(format!("status {status} instead of {}", recorded.response.status));
        }
        let mut expected: Vec<&String> = recorded.response.headers.keys().collect();
        expected.sort();
        if !headers.iter().eq(expected.iter().copied()) {
            found.push(format!("headers {headers:?} instead of {expected:?}"));
        }
        let mut expected = recorded.response.body.clone();
        if recorded.name.ends_with("after-created-inclusive") {
            expected["pagination"] = body["pagination"].clone();
        }
        self.compare_values("", &expected, body, &mut found);
        self.differences.extend(found.into_iter().map(|what| format!("{}: {what}", recorded.name)));
    }

    fn compare_values(&mut self, path: &str, recorded: &Value, ours: &Value, found: &mut Vec<String>) {
        let name = path.rsplit('.').next().unwrap_or_default();
        let names_host = [".hosts[0].", ".title", ".reassignedTo."].iter().any(|part| path.contains(part));
        if names_host && !self.is_choice_known {
            return;
        }
        match (recorded, ours) {
            (Value::String(theirs), Value::String(uid)) if name == "uid" || name == "reservationUid" => {
                if !self.uids.iter().any(|(known, _)| known == theirs) {
                    self.uids.push((theirs.clone(), uid.clone()));
                }
                if self.translated(theirs) != *uid {
                    found.push(format!("{path}: another booking than {theirs}"));
                }
            }
            (Value::String(_), Value::String(_)) if OF_ITS_OWN.contains(&name) => {}
            (Value::Number(_), Value::Number(_)) if path.ends_with("data.id") || path.ends_with("].id") => {}
            (Value::String(theirs), Value::String(text)) => {
                if without_times(&self.translated(theirs)) != without_times(text) {
                    found.push(format!("{path}: {text:?} instead of {theirs:?}"));
                }
            }
            (Value::Object(theirs), Value::Object(fields)) => {
                let missing = theirs.keys().filter(|key| !fields.contains_key(*key)).map(|key| (key, "missing"));
                let added = fields.keys().filter(|key| !theirs.contains_key(*key)).map(|key| (key, "not at Cal.com"));
                found.extend(missing.chain(added).map(|(key, what)| format!("{path}.{key}: {what}")));
                for (key, theirs) in theirs {
                    if let Some(value) = fields.get(key) {
                        self.compare_values(&format!("{path}.{key}"), theirs, value, found);
                    }
                }
            }
            (Value::Array(theirs), Value::Array(values)) if theirs.len() == values.len() => {
                let (theirs, values) = (by_slug(theirs), by_slug(values));
                for (nth, (theirs, value)) in theirs.iter().zip(&values).enumerate() {
                    self.compare_values(&format!("{path}[{nth}]"), theirs, value, found);
                }
            }
            (theirs, value) if theirs == value => {}
            (theirs, value) => {
                let short = |value: &Value| value.to_string().chars().take(200).collect::<String>();
                found.push(format!("{path}: {} instead of {}", short(value), short(theirs)));
            }
        }
    }

    /// A recorded text with our uids.
    fn translated(&self, text: &str) -> String {
        self.uids.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }
}

/// Event types come in no order.
fn by_slug(values: &[Value]) -> Vec<Value> {
    let mut values = values.to_vec();
    if values.first().is_some_and(|value| value["lengthInMinutes"].is_number()) {
        values.sort_by_key(|value| value["id"].as_u64());
    }
    values
}

/// A text without its instants.
fn without_times(text: &str) -> String {
    let is_instant = |word: &str| word.trim_end_matches(',').parse::<DateTime<Utc>>().is_ok();
    text.split(' ')
        .map(|word| if is_instant(word) && text.len() > word.len() { "(time)" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

fn user(id: u64, name: &str) -> Value {
    json!({"id": id, "name": name, "email": format!("{}@salon-sommer.example", name.to_lowercase())})
}

/// The state in which each recording began.
fn beginning(generation: &str) -> Value {
    let (anna, mehmet, lena) = (user(1414768, "Anna"), user(1414769, "Mehmet"), user(1414770, "Lena"));
    let event_type = |id: u64, slug: &str, hosts: Value, more: Value| {
        let mut event_type = json!({"id": id, "slug": slug, "minutes": 30, "time_zone": "Europe/Berlin", "opens": 9,
                                    "closes": 17, "closed_on": ["Sat", "Sun"], "hosts": hosts});
        for (key, value) in more.as_object().unwrap() {
            event_type[key] = value.clone();
        }
        event_type
    };
    let is_december = generation == "december2025";
    let all = if is_december { json!([mehmet, anna, lena]) } else { json!([anna, mehmet, lena]) };
    let annas = |id, slug, more| event_type(id, slug, json!([anna]), more);
    json!({
        "generation": generation,
        "users": [anna, mehmet, lena, {"id": 1414771, "name": "Stranger", "email": "stranger@other.example",
                                       "is_impersonation_protected": true}],
        "keys": {
            "cal_admin": {"user": 1414768}, "cal_member-mehmet": {"user": 1414769}, "cal_member-lena": {"user": 1414770},
            "cal_stranger": {"user": 1414771}, "cal_expired": {"user": 1414768, "is_expired": true},
        },
        "teams": [{"id": 1, "name": "Salon Sommer", "members": [
            {"user": 1414768, "role": "OWNER"}, {"user": 1414769, "role": "MEMBER"}, {"user": 1414770, "role": "MEMBER"}]}],
        "event_types": [
            event_type(1, "rr", all.clone(), json!({"team": 1})),
            annas(2, "own-anna", json!({})),
            event_type(3, "own-mehmet", json!([mehmet]), json!({})),
            event_type(4, "own-lena", json!([lena]), json!({})),
            annas(5, "seated", json!({"seats": 3})),
            annas(6, "custom", json!({"required_fields": [{"slug": "haarlaenge", "label": "Haarlänge"}]})),
            event_type(7, "collective", all, json!({"team": 1, "is_collective": true})),
            annas(8, "confirm", json!({"must_be_confirmed": true})),
            annas(9, "window", json!({"notice": 120, "days_ahead": 14})),
            annas(10, "limited", json!({"is_one_per_attendee": true})),
            annas(11, "recurring", json!({"weekly": 3})),
            annas(12, "daylimit", json!({"is_one_per_day": true})),
        ],
        "blocked_emails": ["black@kunde.example"],
        "watched_emails": ["blocked@kunde.example"],
    })
}

/// Two event types that were added by hand while the recording ran.
fn phone_event_types() -> Value {
    let event_type = |id: u64, slug: &str, host: Value, is_phone_required: bool| {
        json!({"id": id, "slug": slug, "minutes": 30, "time_zone": "Europe/Berlin", "opens": 9, "closes": 17,
               "closed_on": ["Sat", "Sun"], "hosts": [host], "is_email_optional": true,
               "is_phone_required": is_phone_required})
    };
    let content = json!({"event_types": [
        event_type(13, "phonefirst", user(1414768, "Anna"), false),
        event_type(14, "phonefield", user(1414770, "Lena"), true),
    ]});
    let _: Content = serde_json::from_value(content.clone()).unwrap();
    content
}

async fn differences(file: &str, generation: &str, is_choice_known: bool) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(file);
    let text = fs::read_to_string(path).unwrap();
    let recorded: Vec<Recorded> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!recorded.is_empty());
    let mut replay = Replay::new(generation, is_choice_known);
    replay.run(recorded).await;
    replay.differences
}

#[tokio::test]
async fn the_stand_in_answers_as_cal_com_did_in_december_2025() {
    let found = differences("2025-12.jsonl", "december2025", true).await;
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn the_stand_in_assigns_hosts_as_cal_com_did() {
    let found = differences("2025-12-hosts.jsonl", "december2025", false).await;
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn the_stand_in_answers_as_cal_com_did_in_july_2026() {
    let found = differences("2026-07.jsonl", "july2026", true).await;
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
