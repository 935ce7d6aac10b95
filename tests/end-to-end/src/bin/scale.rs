//! `scale --stored N,M --due D`: how much the reconciler and the cleanup read when few of very many appointments are due, and
//! how many appointments a second the keys of the indexes carry. Ends with status 1 if reading grows with what is stored, or a
//! key carries less than a thousand. `tests/scale` starts it.

use std::{
    collections::{BTreeMap, HashMap},
    process::ExitCode,
};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use chrono::{TimeDelta, Utc};
use clap::Parser;
use end_to_end::{Salon, claimed, soon, variable};
use futures_util::{StreamExt, stream};
use scheduling::{
    appointment::{Actor, Appointment, Confirmation, Outcome},
    ids::AppointmentId,
};
use serde_json::{Value, json};
use store::SHARDS;

/// How much is read when few of very many appointments are due.
#[derive(Parser)]
struct Arguments {
    /// How many appointments are stored, one measurement each, fewest first.
    #[arg(long, value_delimiter = ',', default_value = "1000,200000")]
    stored: Vec<usize>,
    /// How many of them should have moved long ago, and are past.
    #[arg(long, default_value_t = 100)]
    due: usize,
}

type Item = HashMap<String, AttributeValue>;

/// DynamoDB takes so many items in one batch.
const BATCH: usize = 25;
const CONCURRENCY: usize = 4;
/// One of so many appointments that are stored is booked and still to come; the others are completed.
const OF_WHICH_TO_COME: usize = 100;
/// With so much more stored, at most so many times as much may be read.
const MOST_GROWTH: f64 = 1.1;

/// What DynamoDB carries under one partition key, in units written in a second.
const UNITS_OF_A_KEY: f64 = 1000.0;
/// The goal: so many appointments in a second.
const APPOINTMENTS_A_SECOND: f64 = 1000.0;
/// The partition and the sort key of each index that holds every appointment.
const INDEXES: [(&str, &str); 3] = [("due", "due_at"), ("phase", "start_at"), ("uncounted", "uncounted_since")];

/// What a sweep has read.
struct Read {
    stored: usize,
    sweep: &'static str,
    found: u64,
    units: f64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let salon = Salon::open().await;
    let dynamodb = Client::new(&salon.stack.config);
    // Before there are many that the monitor would count first.
    let units = units_by_key(&salon, &dynamodb).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await.id;
    let to_come = item_of(&dynamodb, &appointment).await;
    let by = Actor { function: "scale", version: "test", now: Utc::now(), person: None };
    salon
        .change(&appointment, |mut appointment| {
            appointment.close(Outcome::Completed, by).expect("it was booked");
            appointment
        })
        .await;
    let completed = item_of(&dynamodb, &appointment).await;
    let long_ago = Utc::now() - TimeDelta::days(3);
    let due = salon.store_untold_at(long_ago, long_ago + TimeDelta::days(1)).await;
    let due = item_of(&dynamodb, &due).await;
    write(&dynamodb, &due, arguments.due - 1).await;

    let (mut stored, mut reads) = (arguments.due, Vec::new());
    for &wanted in &arguments.stored {
        eprintln!("storing {wanted} appointments");
        let more = wanted.saturating_sub(stored);
        write(&dynamodb, &to_come, more / OF_WHICH_TO_COME).await;
        write(&dynamodb, &completed, more - more / OF_WHICH_TO_COME).await;
        stored = stored.max(wanted);
        for sweep in ["sync-reconciler", "past-cleanup"] {
            let report = salon.stack.invoke(sweep, &json!({"dry_run": true})).await;
            let found = report["found"].as_u64().unwrap_or_else(|| sum(&report["resent"]));
            reads.push(Read { stored, sweep, found, units: report["read_units"].as_f64().unwrap_or(f64::NAN) });
        }
    }
    println!("\n{:>8}  {:<16} {:>6}  read units of the index", "stored", "sweep", "found");
    for Read { stored, sweep, found, units } in &reads {
        println!("{stored:>8}  {sweep:<16} {found:>6}  {units}");
    }
    let is_flat = |sweep: &str| {
        let units: Vec<f64> = reads.iter().filter(|read| read.sweep == sweep).map(|read| read.units).collect();
        units.iter().all(|&later| later <= units[0] * MOST_GROWTH)
    };
    let carries_enough = print_keys(&units);
    let all_found = reads.iter().all(|read| read.found == arguments.due as u64);
    if all_found && carries_enough && is_flat("sync-reconciler") && is_flat("past-cleanup") {
        return ExitCode::SUCCESS;
    }
    println!("What is read grows with what is stored, not all was found, or a key carries too little.");
    ExitCode::FAILURE
}

/// How many units an appointment writes under its key of each partition, from request to closing. An entry of an index costs one
/// unit when it appears, one when it goes, and two when it moves.
async fn units_by_key(salon: &Salon, dynamodb: &Client) -> BTreeMap<String, u32> {
    eprintln!("following one appointment from request to closing");
    let settled = salon.settle(&salon.haircut_at(&soon(11, 0).0)).await;
    let (booking, assignment) = (settled.booking().cloned(), settled.assignment().cloned());
    let (booking, assignment) = (booking.expect("it is booked"), assignment.expect("it is assigned"));
    let by = |minutes| Actor {
        function: "scale",
        version: "test",
        now: Utc::now() + TimeDelta::minutes(minutes),
        person: None,
    };
    let (lease, start) = (TimeDelta::minutes(1), Utc::now() + TimeDelta::days(30));
    let id = salon.store_untold_at(Utc::now(), start).await;
    let mut units = BTreeMap::new();
    let mut before = Item::new();
    let mut step = async |units: &mut BTreeMap<String, u32>| {
        let after = item_of(dynamodb, &id).await;
        for (partition, sort) in INDEXES {
            let entry = |item: &Item| Some((item.get(partition)?.as_s().ok()?.clone(), item.get(sort)?.clone()));
            let (old, new) = (entry(&before), entry(&after));
            if old != new {
                for (key, _) in old.into_iter().chain(new) {
                    let name = key.rsplit_once('#').map_or(key.as_str(), |(name, _)| name).to_owned();
                    *units.entry(name).or_default() += 1;
                }
            }
        }
        before = after;
    };
    step(&mut units).await;
    salon.change(&id, |appointment| claimed(appointment, lease, by(0))).await;
    step(&mut units).await;
    let booked = |appointment: Appointment| {
        appointment.claim(lease, by(5)).expect("its lease has expired").confirm(
            booking.clone(),
            Confirmation::Booked,
            by(5),
        )
    };
    salon.change(&id, booked).await;
    step(&mut units).await;
    let assigned = |mut appointment: Appointment| {
        appointment.assign(assignment.clone(), by(6)).expect("it is booked");
        appointment
    };
    salon.change(&id, assigned).await;
    step(&mut units).await;
    salon.stack.invoke("quality-monitor", &json!({})).await;
    step(&mut units).await;
    let closed = |mut appointment: Appointment| {
        appointment.close(Outcome::Completed, by(7)).expect("it is booked");
        appointment
    };
    salon.change(&id, closed).await;
    step(&mut units).await;
    salon.stack.invoke("quality-monitor", &json!({})).await;
    step(&mut units).await;
    units
}

/// Prints what each partition carries, and returns whether that is enough.
fn print_keys(units: &BTreeMap<String, u32>) -> bool {
    println!("\n{:<12} {:>5} {:>22} {:>24}", "partition", "keys", "units an appointment", "appointments a second");
    let mut is_enough = true;
    for (partition, units) in units {
        let carried = UNITS_OF_A_KEY * f64::from(SHARDS) / f64::from(*units);
        println!("{partition:<12} {SHARDS:>5} {units:>22} {carried:>24.0}");
        is_enough &= carried >= APPOINTMENTS_A_SECOND;
    }
    is_enough
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

async fn item_of(dynamodb: &Client, id: &AppointmentId) -> Item {
    let request = dynamodb.get_item().table_name(variable("APPOINTMENTS_TABLE"));
    let request = request.key("id", AttributeValue::S(id.to_string()));
    let found = request.key("item", AttributeValue::S("appointment".to_owned())).send().await.expect("it answers");
    found.item.expect("it is stored")
}

/// Writes so many more appointments like this one.
async fn write(dynamodb: &Client, like: &Item, count: usize) {
    let batches = (0..count).step_by(BATCH).map(|at| async move {
        let puts = (at..count.min(at + BATCH)).map(|_| {
            let mut item = like.clone();
            item.insert("id".to_owned(), AttributeValue::S(uuid::Uuid::new_v4().to_string()));
            let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is whole");
            WriteRequest::builder().put_request(put).build()
        });
        let batch = dynamodb.batch_write_item().request_items(variable("APPOINTMENTS_TABLE"), puts.collect());
        let left = batch.send().await.expect("it is written").unprocessed_items.unwrap_or_default();
        assert!(left.is_empty(), "not all was written");
    });
    stream::iter(batches).buffer_unordered(CONCURRENCY).collect::<()>().await;
}
