//! `load --rate R --seconds S --burst B`: calls as they come on a day, and then very many at once. Prints what the webhook
//! answered and how fast, what the queues held, and when all was settled; ends with status 1 if anything was lost, booked
//! twice, or refused. `tests/load` starts it.

use std::{
    collections::BTreeSet,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{Datelike, Days, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Europe::Berlin;
use clap::Parser;
use end_to_end::{Call, Salon, SalonForm, Stack};
use futures_util::{StreamExt, future::join_all, stream};
use platform::queues::Queue;
use scheduling::{appointment::StateName, ids::AppointmentId};
use serde_json::json;
use tokio::task::JoinHandle;

/// Calls as they come on a day, and then very many at once.
#[derive(Parser)]
struct Arguments {
    /// Calls in a second.
    #[arg(long, default_value_t = 2.0)]
    rate: f64,
    /// For how long.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many come at once afterwards.
    #[arg(long, default_value_t = 200)]
    burst: usize,
}

const SALONS: usize = 20;
const SLOTS_PER_DAY: usize = 18;
/// How long until all must be settled.
const PATIENCE: Duration = Duration::from_secs(600);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const LOOKS_AT_ONCE: usize = 8;

/// What came of calls that belong together.
struct Rush {
    what: &'static str,
    sent: usize,
    stored: Vec<AppointmentId>,
    answered_in: Vec<Duration>,
    /// The most messages that waited at once, in both queues.
    most_queued: u32,
    /// From the last call until nothing was left to do.
    drained_in: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stack = Arc::new(Stack::deployed().await);
    let mut salons = Vec::new();
    for nth in 0..SALONS {
        let account = Some(format!("salon-{nth}"));
        salons.push(Salon::with(SalonForm { account, ..SalonForm::default() }).await);
    }
    // What is measured is Frontdesk, not Cal.com's rate limit.
    stack.put_to_calcom("/_stand-in", &json!({"requests_per_minute": 100_000})).await;
    let steady = (arguments.rate * arguments.seconds as f64) as usize;
    let calls: Vec<Call> = (0..steady + arguments.burst).map(|nth| call(&salons, nth)).collect();
    let apart = Duration::from_secs_f64(1.0 / arguments.rate);
    let rushes = [
        rush(&stack, "steady", &calls[..steady], apart).await,
        rush(&stack, "burst", &calls[steady..], Duration::ZERO).await,
    ];
    report(&stack, &rushes).await
}

fn call(salons: &[Salon], nth: usize) -> Call {
    let (salon, slot) = (&salons[nth % SALONS], nth / SALONS);
    let mut day = Utc::now().with_timezone(&Berlin).date_naive() + Days::new(2);
    for _ in 0..slot / SLOTS_PER_DAY {
        day = day + Days::new(1);
        if day.weekday() == Weekday::Sun {
            day = day + Days::new(1);
        }
    }
    if day.weekday() == Weekday::Sun {
        day = day + Days::new(50);
    }
    let time = NaiveTime::MIN + TimeDelta::minutes(9 * 60 + 30 * (slot % SLOTS_PER_DAY) as i64);
    let start = day.and_time(time).format("%Y-%m-%d %H:%M").to_string();
    salon.call(json!({"service": "Haarschnitt", "appointment_start": start, "customer_phone": null}))
}

/// Delivers the calls, this far apart, and waits until all are settled.
async fn rush(stack: &Arc<Stack>, what: &'static str, calls: &[Call], apart: Duration) -> Rush {
    eprintln!("{what}: {} calls", calls.len());
    let (peak, watch) = watch_queues(stack);
    let sent = calls.iter().enumerate().map(|(nth, call)| async move {
        tokio::time::sleep(apart * nth as u32).await;
        let began = Instant::now();
        let answer = stack.deliver(&call.body).await;
        (answer.status == 200).then(|| (answer.appointment(), began.elapsed()))
    });
    let answers: Vec<_> = join_all(sent).await.into_iter().flatten().collect();
    let delivered = Instant::now();
    let (stored, answered_in): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
    until_settled(stack, &stored).await;
    watch.abort();
    let most_queued = peak.load(Ordering::Relaxed);
    Rush { what, sent: calls.len(), stored, answered_in, most_queued, drained_in: delivered.elapsed() }
}

fn watch_queues(stack: &Arc<Stack>) -> (Arc<AtomicU32>, JoinHandle<()>) {
    let peak = Arc::new(AtomicU32::new(0));
    let (noted, config) = (Arc::clone(&peak), stack.config.clone());
    let watch = tokio::spawn(async move {
        let queues = [Queue::bookings_from_env(&config).unwrap(), Queue::assignments_from_env(&config).unwrap()];
        loop {
            let waiting = join_all(queues.iter().map(Queue::approximate_length)).await;
            let waiting: u32 = waiting.into_iter().flatten().sum();
            noted.fetch_max(waiting, Ordering::Relaxed);
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    });
    (peak, watch)
}

async fn until_settled(stack: &Stack, ids: &[AppointmentId]) {
    let deadline = Instant::now() + PATIENCE;
    let mut open: Vec<AppointmentId> = ids.to_vec();
    while !open.is_empty() && Instant::now() < deadline {
        let looks = stream::iter(open).map(|id| async move {
            let is_settled = matches!(
                stack.appointment(&id).await.state().name(),
                StateName::Assigned | StateName::NeedsReview | StateName::Cancelled
            );
            (!is_settled).then_some(id)
        });
        open = looks.buffer_unordered(LOOKS_AT_ONCE).filter_map(async |open| open).collect().await;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

async fn report(stack: &Stack, rushes: &[Rush]) -> ExitCode {
    let mut is_well = true;
    println!(
        "{:<8} {:>6} {:>7} {:>15} {:>12} {:>14} {:>9} {:>11}",
        "", "calls", "stored", "answer p50, p99", "most queued", "drained after", "assigned", "from call"
    );
    for rush in rushes {
        let mut assigned = 0;
        let mut took = Vec::new();
        for id in &rush.stored {
            let appointment = stack.appointment(id).await;
            if appointment.state().name() == StateName::Assigned {
                assigned += 1;
                took.extend(appointment.history().last().map(|line| line.at - appointment.requested_at()));
            }
        }
        took.sort_unstable();
        let mut answered = rush.answered_in.clone();
        answered.sort_unstable();
        let at = |share: f64| {
            answered.get((answered.len() as f64 * share) as usize).copied().unwrap_or_default().as_millis()
        };
        let half = took.get(took.len() / 2).copied().unwrap_or_default().num_milliseconds() as f64 / 1e3;
        println!(
            "{:<8} {:>6} {:>7} {:>12} ms {:>12} {:>12} s {:>9} {:>9} s",
            rush.what,
            rush.sent,
            rush.stored.len(),
            format!("{}, {}", at(0.5), at(0.99)),
            rush.most_queued,
            format!("{:.1}", rush.drained_in.as_secs_f64()),
            assigned,
            format!("{half:.1}"),
        );
        is_well &= rush.stored.len() == rush.sent && assigned == rush.sent;
    }
    let standing = stack.get_from_calcom("/_stand-in/bookings").await;
    let standing = standing.as_array().cloned().unwrap_or_default();
    let of: Vec<&str> =
        standing.iter().filter_map(|made| made["metadata"]["frontdeskAppointmentId"].as_str()).collect();
    let asked: BTreeSet<&str> = rushes.iter().flat_map(|rush| &rush.stored).map(AppointmentId::as_str).collect();
    let booked: BTreeSet<&str> = of.iter().copied().collect();
    let (lost, twice) = (asked.difference(&booked).count(), of.len() - booked.len());
    println!("\nlost {lost}, booked twice {twice}");
    if is_well && lost == 0 && twice == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
