use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::hours::OpeningHours;

fn salon_hours() -> OpeningHours {
    serde_json::from_value(json!({"mon-fri": "09:00-18:00", "sat": "09:00-14:00"})).unwrap()
}

fn berlin(text: &str) -> DateTime<Utc> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    local.and_local_timezone(Berlin).earliest().unwrap().to_utc()
}

/// A reading in the form of the table.
fn shown(reading: &TimeReading) -> String {
    let local = |at: &DateTime<Utc>| at.with_timezone(&Berlin).format("%Y-%m-%d %H:%M").to_string();
    match reading {
        TimeReading::Moment { at, is_earlier_of_two } => {
            format!("{}{}", local(at), if *is_earlier_of_two { "*" } else { "" })
        }
        TimeReading::Window(windows) => {
            let window = |window: &Window| {
                format!("{}..{}", local(&window.from), window.to.with_timezone(&Berlin).format("%H:%M"))
            };
            windows.iter().map(window).collect::<Vec<_>>().join(" ")
        }
        TimeReading::Question { doubt, .. } => format!("? {doubt}"),
        TimeReading::None(problem) => format!("- {problem}"),
    }
}

#[test]
fn what_callers_say_is_read_as_the_table_says() {
    let hours = salon_hours();
    let late: OpeningHours =
        serde_json::from_value(json!({"mon-fri": "09:00-18:00", "thu": "09:00-20:00", "sat": "09:00-14:00"})).unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in include_str!("cases.tsv").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [said, text, expected, ..] = fields.as_slice() else { panic!("not three fields: {line}") };
        let (has_hours, said) = said.strip_prefix("no hours ").map_or((true, *said), |said| (false, said));
        let (is_english, said) = said.strip_prefix("english ").map_or((false, said), |said| (true, said));
        let (hours, said) = said.strip_prefix("late ").map_or((&hours, said), |said| (&late, said));
        let hours = has_hours.then_some(hours);
        let hearing = Hearing { said_at: berlin(said), zone: Berlin, hours, is_english };
        let found = shown(&hearing.read(text));
        count += 1;
        if found != *expected {
            wrong.push(format!("{line}\n    read as {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} are read differently:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 200);
}

#[test]
fn a_record_of_another_system_is_read_as_it_is_written_and_may_be_past() {
    for (text, at) in [
        ("2020-12-01 14:30", Some("2020-12-01 14:30")),
        ("1.12.2026, 9:05 Uhr", Some("2026-12-01 09:05")),
        ("01.12.2026 12 Uhr", Some("2026-12-01 12:00")),
        ("2026-12-01T13:30:00Z", Some("2026-12-01 14:30")),
        ("morgen um zehn", None),
        ("1.12. 10 Uhr", None),
        ("2026-12-01", None),
    ] {
        let read = match Hearing::read_record(text, Berlin) {
            TimeReading::Moment { at, .. } => Some(at),
            _ => None,
        };
        assert_eq!(read, at.map(berlin), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,80}", said in 0_i64..4_000_000_000) {
        let said_at = DateTime::from_timestamp(said, 0).unwrap();
        Hearing { said_at, zone: Berlin, hours: None, is_english: false }.read(&text);
    }

    #[test]
    fn no_words_of_time_make_the_reader_panic_or_go_back_in_time(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "morgen", "heute", "übermorgen", "nächsten", "Dienstag", "Freitag", "um", "halb", "drei", "zehn", "24.", "12.",
            "2026", "+262142", "99999999", "oder", "nein", "bis", "ab", "vor", "nach", "zwischen", "und", "Uhr", "14:30",
            "in", "zwei", "Wochen", "Stunden", "nachmittags", "früh", "KW", "53", "Woche", "31.02.", "next", "pm", "the",
            "viertel", "half", "to", "from", "T25:61", "2026-02-30", "2026-W54-8", "Z", "-", "nicht", "egal", "24:00",
        ]), 0..9),
        hours in any::<bool>(),
    ) {
        let hours = hours.then(salon_hours);
        let said_at = berlin("2026-11-26 10:07") + TimeDelta::seconds(30);
        match (Hearing { said_at, zone: Berlin, hours: hours.as_ref(), is_english: false }).read(&words.join(" ")) {
            TimeReading::Moment { at, .. } => prop_assert!(at + TimeDelta::minutes(1) > said_at),
            TimeReading::Window(windows) => {
                prop_assert!(!windows.is_empty());
                prop_assert!(windows.iter().all(|window| window.from < window.to && window.from >= said_at));
            }
            TimeReading::Question { .. } | TimeReading::None(_) => {}
        }
    }
}
