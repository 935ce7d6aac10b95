//! Times, services and staff members as callers say them: any text, and the words of the tables in any order.

#![no_main]

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;
use scheduling::{
    hours::OpeningHours,
    spoken_name::{Named, read_service, read_staff},
    spoken_time::{Hearing, TimeReading},
};

static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../../shared/scheduling/src/spoken_time/cases.tsv").lines();
    let mut words: Vec<&str> = lines.filter_map(|line| line.split('\t').nth(1)).flat_map(str::split_whitespace).collect();
    words.sort_unstable();
    words.dedup();
    words
});
static HOURS: LazyLock<OpeningHours> =
    LazyLock::new(|| serde_json::from_str(r#"{"mon-fri": "09:00-18:00", "sat": "09:00-14:00"}"#).expect("hours"));

fuzz_target!(|input: (u32, bool, &str, Vec<u16>)| {
    let (said, has_hours, text, picked) = input;
    let said_at: DateTime<Utc> = DateTime::from_timestamp(i64::from(said), 0).expect("a moment");
    let zone = "Europe/Berlin".parse().expect("a zone");
    let hearing = Hearing { said_at, zone, hours: has_hours.then_some(&*HOURS), is_english: has_hours };
    let words: Vec<&str> = picked.iter().take(12).map(|at| WORDS[usize::from(*at) % WORDS.len()]).collect();
    let spoken = words.join(" ");
    for reading in [hearing.read(text), hearing.read(&spoken), hearing.read_day_and_time(text, &spoken)] {
        match reading {
            TimeReading::Moment { at, .. } => assert!(at + TimeDelta::minutes(1) > said_at, "{spoken:?} is past"),
            TimeReading::Window(windows) => {
                assert!(!windows.is_empty() && windows.iter().all(|window| window.from < window.to));
            }
            TimeReading::Question { .. } | TimeReading::None(_) => {}
        }
    }
    let _ = Hearing::read_record(text, zone);
    let named = [Named { id: &1, name: "Anna Sommer", aliases: vec!["Änni"] }, Named { id: &2, name: "Bart", aliases: vec![] }];
    for said in [text, &spoken] {
        let _ = (read_staff(Some(said), &named), read_service(Some(said), &named));
    }
});
