//! Calls as callers speak and agents write them, end to end.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::Arc,
};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Europe::Berlin;
use end_to_end::{Salon, SalonForm};
use scheduling::{
    appointment::{Appointment, ReviewReason, State},
    ids::AppointmentId,
};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

const CALLS: &str = include_str!("spoken_calls.tsv");
/// How many calls are made beside each other.
const BESIDE: usize = 8;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    BookedAsWished,
    AskedBack,
    WentToAPerson,
    NoWish,
    GuessedWrong,
    NotAsTheTableSays,
}

#[tokio::test]
async fn what_callers_say_is_booked_as_wished_or_asked_back_and_never_guessed() {
    let beside = Arc::new(Semaphore::new(BESIDE));
    let lines: Vec<&str> = CALLS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let calls = lines.iter().map(|line| {
        let (fields, wanted) = line.split_once('\t').unwrap_or_else(|| panic!("no tab: {line}"));
        let (beside, line, fields, wanted) =
            (Arc::clone(&beside), line.to_string(), fields.to_owned(), wanted.to_owned());
        tokio::spawn(async move {
            let _permit = beside.acquire().await.unwrap();
            let found = made_of(&fields).await;
            (judge(&found, &wanted), line, found)
        })
    });
    let (mut counts, mut wrong) = (BTreeMap::<Verdict, usize>::new(), Vec::new());
    for call in calls.collect::<Vec<_>>() {
        let (verdict, line, found) = call.await.unwrap();
        *counts.entry(verdict).or_default() += 1;
        if verdict >= Verdict::GuessedWrong {
            wrong.push(format!("{verdict:?}: {line}\n    became {}", found.join(" & ")));
        }
    }
    let count = |verdict| counts.get(&verdict).copied().unwrap_or_default();
    // Past the capture of the test runner: these figures are what the table is for.
    writeln!(
        io::stdout(),
        "{} calls: {} booked as wished, {} asked back, {} to a person, {} without a wish, {} guessed wrong",
        lines.len(),
        count(Verdict::BookedAsWished),
        count(Verdict::AskedBack),
        count(Verdict::WentToAPerson),
        count(Verdict::NoWish),
        count(Verdict::GuessedWrong)
    )
    .unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines.len() >= 80);
}

fn judge(found: &[String], wanted: &str) -> Verdict {
    let wanted: Vec<&str> = wanted.split(" & ").collect();
    let fits = |(found, wanted): (&String, &&str)| {
        let pairs: Vec<(&str, &str)> = found.split(' ').zip(wanted.split(' ')).collect();
        pairs.len() == wanted.split(' ').count()
            && pairs.iter().all(|(found, wanted)| found == wanted || *wanted == "-")
    };
    let is_right = match wanted.as_slice() {
        ["nothing"] => found.is_empty(),
        wanted => found.len() == wanted.len() && found.iter().zip(wanted).all(fits),
    };
    let begins = |word: &str| found.first().is_some_and(|found| found.starts_with(word));
    match is_right {
        true if found.is_empty() => Verdict::NoWish,
        true if begins("booked") => Verdict::BookedAsWished,
        true if begins("asked") => Verdict::AskedBack,
        true => Verdict::WentToAPerson,
        false if found.iter().any(|found| found.starts_with("booked")) => Verdict::GuessedWrong,
        false => Verdict::NotAsTheTableSays,
    }
}

/// The day of the call: a Thursday from which no phrase of the table crosses the end of a year or a clock change.
fn day_of_call() -> NaiveDate {
    let mut day = Utc::now().with_timezone(&Berlin).date_naive() + Days::new(1);
    let offset = |day: NaiveDate| {
        Berlin.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest().map(|at| at.naive_local() - at.naive_utc())
    };
    while day.weekday() != Weekday::Thu
        || (day + Days::new(30)).year() != day.year()
        || offset(day) != offset(day + Days::new(30))
    {
        day = day + Days::new(1);
    }
    day
}

/// A text with its days filled in.
fn filled(text: &str, day: NaiveDate) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{').filter(|(_, after)| after.starts_with(['+', '-', 'z'])) {
        let (form, after) = after.split_once('}').unwrap();
        filled += before;
        let at = day.and_time(NaiveTime::MIN);
        match form.split_once(':') {
            None => {
                let offset = Berlin.from_local_datetime(&at).earliest().unwrap();
                filled += &(offset.naive_local() - offset.naive_utc()).num_hours().to_string();
            }
            Some((days, form)) => {
                filled += &(at + chrono::TimeDelta::days(days.parse().unwrap())).format(form).to_string()
            }
        }
        rest = after;
    }
    filled + rest
}

/// What became of a call with these fields, an entry for each appointment.
async fn made_of(fields: &str) -> Vec<String> {
    let salon = Salon::with(SalonForm {
        event_type: json!({"is_host_selectable": true, "minutes": 15}),
        tenant: json!({
            "hours": {"mon-fri": "09:00-18:00", "sat": "09:00-14:00"},
            "staff": {"anna": {"name": "Anna Sommer"}, "ben": {"name": "Dr. Ben Winter"}},
            "services": {
                "cut": {"aliases": ["Schneiden", "Herrenhaarschnitt"]}, "color": {"aliases": ["Färben"]},
            },
        }),
        ..SalonForm::default()
    })
    .await;
    let day = day_of_call();
    let mut asked = Map::new();
    for field in fields.split(" | ") {
        let (key, value) = field.split_once(' ').unwrap();
        asked.insert(key.to_owned(), Value::String(filled(value, day)));
    }
    let mut call = salon.call(json!({}));
    let data = &mut call.body["call"]["call_analysis"]["custom_analysis_data"];
    for (ours, theirs) in [("name", "customer_name"), ("phone", "customer_phone"), ("email", "customer_email")] {
        if !asked.contains_key(ours) && !asked.contains_key("appointments") {
            asked.insert(ours.to_owned(), data[theirs].clone());
        }
    }
    *data = Value::Object(asked);
    let said_at: DateTime<Utc> =
        Berlin.from_local_datetime(&day.and_hms_opt(10, 0, 0).unwrap()).earliest().unwrap().to_utc();
    call.body["call"]["start_timestamp"] = json!(said_at.timestamp_millis());
    let answer = salon.stack.deliver(&call.body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let first = answer.body["appointment_id"].as_str().into_iter().map(str::to_owned);
    let ids: Vec<String> = match answer.body["appointment_ids"].as_array() {
        Some(ids) => ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect(),
        None => first.collect(),
    };
    let mut found = Vec::new();
    for id in ids {
        found.push(shown(&salon.stack.until_settled(&AppointmentId::new(id)).await, &salon, day));
    }
    found
}

fn shown(appointment: &Appointment, salon: &Salon, day: NaiveDate) -> String {
    match appointment.state() {
        State::Assigned { booking, assignment } => {
            let start = booking.start.with_timezone(&Berlin);
            let service = if booking.event_type.0 == salon.haircut() { "cut" } else { "color" };
            let days = (start.date_naive() - day).num_days();
            format!("booked +{days} {} {service} {}", start.format("%H:%M"), assignment.staff)
        }
        State::NeedsReview { reason: ReviewReason::Start(problem), .. } => {
            format!("asked {}", problem.as_str().trim_start_matches("start_"))
        }
        State::NeedsReview { reason, .. } => format!("person {reason}"),
        state => format!("{}", state.name()),
    }
}
