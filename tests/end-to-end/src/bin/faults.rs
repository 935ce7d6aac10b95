//! `faults --calls N --seed S`: many calls through the deployed stack while everything goes wrong that can, and a table
//! of what has become of them. Ends with status 1 if one was lost or booked twice. `tests/run faults` starts it.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Berlin;
use clap::Parser;
use end_to_end::{Call, Salon, SalonForm, Stack, counters, differences, recount, variable};
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use scheduling::{
    appointment::{Appointment, Cause, ReviewReason, State},
    ids::{AppointmentId, CallId, TenantId},
};
use serde_json::{Value, json};
use store::Versioned;

/// Many calls while everything goes wrong.
#[derive(Parser)]
struct Arguments {
    /// How many calls.
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// How many more callers book by tools while they are on the line.
    #[arg(long, default_value_t = 24)]
    live: usize,
    /// Decides what is asked for and what goes wrong.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How many webhooks are under way at once.
const CONCURRENCY: usize = 12;
/// How often Retell sends a webhook that is not answered 2xx.
const DELIVERIES: u32 = 4;
const BETWEEN_DELIVERIES: Duration = Duration::from_millis(400);
/// The share of calls whose webhooks never leave Retell.
const NEVER_SENT: f64 = 0.05;
/// The share of calls whose webhooks come while the intake is down, for longer than Retell tries.
const WHILE_DOWN: f64 = 0.05;
/// How many requests Retell answers with an error first.
const RETELL_FAULTS: u32 = 3;
/// For so long the calls that never arrived may take to be recovered.
const RECOVERY_TAKES: Duration = Duration::from_secs(240);
/// So many webhooks come in one rush. The next one comes when most of its work is done, since what stands in for AWS
/// grows slower with every message that waits.
const RUSH: usize = 1000;
/// So few messages may be left when the next rush comes.
const LEFT_BY_A_RUSH: u64 = 400;
/// For so long a rush is waited for.
const RUSH_TAKES: Duration = Duration::from_secs(240);
/// How often what is left to count is counted.
const COUNTS: u32 = 20;
/// How many differences are told.
const TOLD: usize = 20;
/// How many appointments are looked at in one round.
const LOOKED_AT: usize = 400;
/// How many calls one salon takes. Each salon's key has Cal.com's limit of 120 requests a minute.
const CALLS_PER_SALON: usize = 18;
/// The services: they have different lengths and share their hosts, Cal.com takes its time between check and insert, and
/// its reads lag behind.
const CUT: &str = r#"{"thinks_for": 150, "lag": 1200, "is_host_selectable": true}"#;
const COLOR: &str = r#"{"thinks_for": 150, "lag": 1200, "minutes": 90}"#;
/// What Cal.com's stand-in lets go wrong.
const WEATHER: [(&str, f64); 4] =
    [("unavailable", 0.10), ("rate_limited", 0.10), ("answer_lost", 0.05), ("slow", 0.05)];
/// A booking that comes so late is past its time-out, which is 3 s here, and within the time it is looked for.
const SLOW_BY_MS: u64 = 5_000;
/// The visibility timeout of the template's queues, shortened as all delays are here.
const VISIBILITY_SECONDS: &str = "36";

/// What a call is expected to end as.
struct NewAppointment {
    salon: usize,
    call: Call,
    /// The call that asked for the same before, if one did.
    same_as: Option<usize>,
    /// Whether the customer can be known again.
    is_hidden: bool,
    /// The staff member whom the customer wants.
    wished: Option<&'static str>,
}

type FromTo = (DateTime<Utc>, DateTime<Utc>);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stack = Arc::new(Stack::deployed().await);
    shorten_visibility(&stack).await;
    let mut salons = Vec::new();
    for nth in 0..arguments.calls.div_ceil(CALLS_PER_SALON).max(2) {
        let account = Some(format!("salon-{nth}"));
        let form = |fields| serde_json::from_str(fields).unwrap_or_default();
        // Some keys can't see what they book: then nothing is sent again after a lost answer.
        let role = (nth % 10 == 9).then_some("MEMBER");
        let form = SalonForm { account, role, event_type: form(CUT), color: form(COLOR), ..SalonForm::default() };
        salons.push(Salon::with(form).await);
    }
    let mut weather = json!({"seed": arguments.seed, "slow_by": SLOW_BY_MS});
    WEATHER.iter().for_each(|(name, share)| weather[name] = json!(share));
    stack.put_to_calcom("/_stand-in/weather", &weather).await;

    let mut dice = Rng::with_seed(arguments.seed);
    let mut asked = calls(&salons, arguments.calls, &mut dice);
    asked.iter_mut().for_each(|asked| make_now(&mut asked.call));
    let Webhooks { sent: deliveries, while_down, never_sent } = webhooks(asked.len(), &mut dice);
    let calls: Vec<&Value> = asked.iter().map(|asked| &asked.call.body["call"]).collect();
    stack.put_to_retell(&json!({"calls": calls, "faults": RETELL_FAULTS})).await;
    eprintln!("{} calls of {} salons, delivered {} times", asked.len(), salons.len(), deliveries.len());

    let sweeps = sweep(&stack);
    let began = Utc::now();
    let talks = Talk::some(&salons, arguments.live, &mut dice);
    let (mut told, live) = tokio::join!(deliver_all(&stack, &asked, &deliveries, &mut dice), talk_all(&salons, &talks));
    deliver_while_down(&stack, &asked, &while_down).await;
    eprintln!("all delivered after {} s", (Utc::now() - began).num_seconds());
    let untold = until_recovered(&stack, &salons, &asked, &mut told).await;
    // With whatever the tools stored, also where no answer came.
    let all = all_of(&stack, &salons, &told).await;
    let appointments = until_settled(&stack, &all, asked.len()).await;
    sweeps.iter().for_each(tokio::task::JoinHandle::abort);
    let miscounted = miscounted(&stack, &salons, &appointments, began).await;

    let standing = stack.get_from_calcom("/_stand-in/bookings").await;
    let standing = standing.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = judge(&asked, &told, &appointments, standing);
    found.untrue = untrue(&live, &appointments, standing);
    found.print(&arguments, &appointments, deliveries.len());
    println!(
        "  webhooks never sent        {}, sent while the intake was down {}; calls that Retell was asked for {untold}",
        never_sent.len(),
        while_down.len()
    );
    print_live(&live);
    println!("  counters that differ       {}", miscounted.len());
    miscounted.iter().take(TOLD).for_each(|difference| println!("    {difference}"));
    let counts = [&found.lost, &found.twice, &found.overlapping, &found.dropped_wishes, &found.untrue];
    if counts.iter().all(|found| found.is_empty()) && miscounted.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn shorten_visibility(stack: &Stack) {
    let sqs = aws_sdk_sqs::Client::new(&stack.config);
    for queue in ["BOOKINGS_QUEUE_URL", "ASSIGNMENTS_QUEUE_URL"] {
        let change = sqs.set_queue_attributes().queue_url(variable(queue));
        let name = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
        change.attributes(name, VISIBILITY_SECONDS).send().await.expect("the queue takes a visibility timeout");
    }
}

/// Which calls' webhooks arrive, and in which order.
struct Webhooks {
    /// These arrive, each up to three times.
    sent: Vec<usize>,
    /// These come while the intake is down.
    while_down: Vec<usize>,
    /// These never leave Retell.
    never_sent: Vec<usize>,
}

fn webhooks(calls: usize, dice: &mut Rng) -> Webhooks {
    let mut webhooks = Webhooks { sent: Vec::new(), while_down: Vec::new(), never_sent: Vec::new() };
    for nth in 0..calls {
        match dice.f64() {
            share if share < NEVER_SENT => webhooks.never_sent.push(nth),
            share if share < NEVER_SENT + WHILE_DOWN => webhooks.while_down.push(nth),
            _ => webhooks.sent.extend(vec![nth; dice.usize(1..=3)]),
        }
    }
    dice.shuffle(&mut webhooks.sent);
    webhooks
}

/// Delivers webhooks as often as Retell does, while the intake finds no table to store them in.
async fn deliver_while_down(stack: &Stack, asked: &[NewAppointment], webhooks: &[usize]) {
    stack.redeploy("webhook-intake", &[("CALLS_TABLE", "no-such-table")]).await;
    let deliveries = stream::iter(webhooks).map(async |nth| {
        for _ in 0..DELIVERIES {
            let answer = stack.deliver(&asked[*nth].call.body).await;
            assert_ne!(answer.status, 200, "the intake is down");
        }
    });
    deliveries.buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
    stack.redeploy("webhook-intake", &[("CALLS_TABLE", &variable("CALLS_TABLE"))]).await;
}

/// Waits until every call is stored whose webhook was never answered 200, and adds its appointment to those that are
/// known. Answers how many there were.
async fn until_recovered(
    stack: &Stack,
    salons: &[Salon],
    asked: &[NewAppointment],
    told: &mut BTreeMap<usize, AppointmentId>,
) -> usize {
    let mut missing: Vec<usize> = (0..asked.len()).filter(|nth| !told.contains_key(nth)).collect();
    let untold = missing.len();
    let deadline = tokio::time::Instant::now() + RECOVERY_TAKES;
    while !missing.is_empty() && tokio::time::Instant::now() < deadline {
        let mut still = Vec::new();
        for nth in missing {
            let (tenant, call) = (&salons[asked[nth].salon].tenant, &asked[nth].call.id);
            let names = stack.calls.event_names(tenant, call).await.unwrap_or_default();
            let own = AppointmentId::of_call(tenant, call);
            let has_own = matches!(stack.appointments.load(&own).await, Ok(Some(_)));
            let first = |nth: usize| asked[nth].same_as.unwrap_or(nth);
            let same = told.iter().find(|(other, _)| first(**other) == first(nth)).map(|(_, id)| id.clone());
            match (names.contains("call_analyzed"), if has_own { Some(own) } else { same }) {
                (true, Some(id)) => drop(told.insert(nth, id)),
                _ => still.push(nth),
            }
        }
        missing = still;
        eprintln!("{} of {untold} calls that never arrived are recovered", untold - missing.len());
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    untold
}

/// Calls of every kind: mostly plain ones, and in between those that the contract warns of.
fn calls(salons: &[Salon], count: usize, dice: &mut Rng) -> Vec<NewAppointment> {
    let mut asked: Vec<NewAppointment> = Vec::new();
    for nth in 0..count {
        let salon = dice.usize(..salons.len());
        let start = slot(dice);
        let cut = json!({"service": "Haarschnitt", "appointment_start": start});
        let plain = |fields: Value| NewAppointment {
            salon,
            call: salons[salon].call(fields),
            same_as: None,
            is_hidden: false,
            wished: None,
        };
        let next = match dice.usize(..100) {
            0..3 => plain(json!({"service": "Haarschnitt", "appointment_start": "2025-11-12 10:00"})),
            3..6 => plain(json!({"service": "Farbe", "appointment_start": start})),
            20..35 => {
                let (staff, name) = [("anna", "Anna"), ("ben", "Ben Tal")][dice.usize(..2)];
                let service = ["Farbe", "Haarschnitt"][dice.usize(..2)];
                let wish = json!({"service": service, "appointment_start": start, "staff_member": name});
                NewAppointment { wished: Some(staff), ..plain(wish) }
            }
            // Another member of the family, with the same contact, who wants to come at the same time.
            35..40 if nth > 0 => {
                let before = dice.usize(..nth);
                let mut call = called_again(&asked[before].call);
                let name = format!("Kind {nth} {}", call.id);
                call.body["call"]["call_analysis"]["custom_analysis_data"]["customer_name"] = json!(name);
                let NewAppointment { salon, is_hidden, wished, .. } = asked[before];
                NewAppointment { salon, call, same_as: None, is_hidden, wished }
            }
            6..8 => plain(json!({"service": "Massage", "appointment_start": start})),
            8..10 => plain(json!({"service": "Haarschnitt", "appointment_start": "irgendwann"})),
            10..12 => plain(json!({"service": "Haarschnitt", "appointment_start": start,
                                   "customer_email": "max punkt muster at web punkt de"})),
            12..16 => {
                let mut hidden = plain(json!({"service": "Haarschnitt", "appointment_start": start,
                                              "customer_phone": null, "customer_email": null}));
                hidden.is_hidden = true;
                hidden.call.body["call"]["from_number"] = json!(format!("anonymous_1732460000_{nth:x}"));
                hidden
            }
            16..20 if nth > 0 => {
                let before = dice.usize(..nth);
                let before = asked[before].same_as.unwrap_or(before);
                let call = called_again(&asked[before].call);
                let same_as = (!asked[before].is_hidden).then_some(before);
                let NewAppointment { salon, is_hidden, wished, .. } = asked[before];
                NewAppointment { salon, call, same_as, is_hidden, wished }
            }
            _ => plain(cut),
        };
        asked.push(next);
    }
    asked
}

/// Has a call end now, after a minute.
fn make_now(call: &mut Call) {
    let now = Utc::now();
    call.body["call"]["call_status"] = json!("ended");
    call.body["call"]["start_timestamp"] = json!((now - TimeDelta::minutes(1)).timestamp_millis());
    call.body["call"]["end_timestamp"] = json!(now.timestamp_millis());
}

fn called_again(call: &Call) -> Call {
    let id = CallId::new(format!("call_{}", uuid::Uuid::new_v4().simple()));
    let mut body = call.body.clone();
    body["call"]["call_id"] = json!(id);
    Call { id, body }
}

/// A start within opening hours of the next weeks, on a weekday.
fn slot(dice: &mut Rng) -> String {
    let first = Utc::now().with_timezone(&Berlin).date_naive() + Days::new(2);
    let mut day = first + Days::new(dice.u64(..28));
    while chrono::Datelike::weekday(&day) == chrono::Weekday::Sun {
        day = day + Days::new(1);
    }
    let time = NaiveTime::MIN + TimeDelta::minutes(9 * 60 + 30 * dice.i64(0..18));
    let start = Berlin.from_local_datetime(&day.and_time(time)).earliest();
    start.map(|start| start.to_rfc3339()).unwrap_or_default()
}

/// Delivers the webhooks in their order, and poison messages between them. Answers which appointment each call was told.
async fn deliver_all(
    stack: &Arc<Stack>,
    asked: &[NewAppointment],
    deliveries: &[usize],
    dice: &mut Rng,
) -> BTreeMap<usize, AppointmentId> {
    let poison_at: BTreeSet<usize> = (0..deliveries.len() / 100).map(|_| dice.usize(..deliveries.len())).collect();
    let told = stream::iter(deliveries.iter().enumerate()).then(|(at, delivery)| async move {
        if at > 0 && at % RUSH == 0 {
            until_worked_off(stack).await;
            eprintln!("{at} webhooks are delivered");
        }
        (at, *delivery)
    });
    let told = told.map(|(at, nth)| {
        let poison = poison_at.contains(&at);
        async move {
            if poison {
                send_poison(stack).await;
            }
            for _ in 0..DELIVERIES {
                let answer = stack.deliver(&asked[nth].call.body).await;
                if answer.status == 200 {
                    return Some((nth, answer.appointment()));
                }
                tokio::time::sleep(BETWEEN_DELIVERIES).await;
            }
            None
        }
    });
    told.buffer_unordered(CONCURRENCY).filter_map(std::future::ready).collect().await
}

/// A caller who books while on the line, perhaps twice in other words, and perhaps cancels.
struct Talk {
    salon: usize,
    start: String,
    repeats: bool,
    cancels: bool,
    /// Whether the analysis of the call says the same.
    is_analyzed: bool,
}

/// What a caller heard last of an appointment.
struct Heard {
    status: String,
    appointment: Option<AppointmentId>,
}

impl Talk {
    fn some(salons: &[Salon], count: usize, dice: &mut Rng) -> Vec<Self> {
        let one = |_| Self {
            salon: dice.usize(..salons.len()),
            start: slot(dice),
            repeats: dice.bool(),
            cancels: dice.f64() < 0.3,
            is_analyzed: dice.bool(),
        };
        (0..count).map(one).collect()
    }

    async fn hold(&self, salons: &[Salon]) -> Heard {
        let caller = salons[self.salon].called();
        let wish = json!({"service": "Haarschnitt", "start": self.start, "name": "Erika Beispiel"});
        let mut answer = caller.try_tool("book_appointment", &wish).await;
        if self.repeats {
            answer = caller.try_tool("book_appointment", &wish).await;
        }
        let booked = answer["appointment"]["appointment_id"].as_str().map(str::to_owned);
        if let Some(booked) = booked.as_ref().filter(|_| self.cancels) {
            answer = caller.try_tool("cancel_appointment", &json!({"appointment_id": booked})).await;
        }
        if self.is_analyzed {
            let said = json!({"service": "Haarschnitt", "appointment_start": self.start, "customer_name": "Beispiel"});
            caller.hang_up(said).await;
        }
        let status = answer["status"].as_str().unwrap_or("no answer").to_owned();
        Heard { status, appointment: booked.map(AppointmentId::new) }
    }
}

async fn talk_all(salons: &[Salon], talks: &[Talk]) -> Vec<Heard> {
    stream::iter(talks).map(|talk| talk.hold(salons)).buffer_unordered(4).collect().await
}

fn print_live(heard: &[Heard]) {
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    heard.iter().for_each(|heard| *statuses.entry(&heard.status).or_default() += 1);
    let statuses: Vec<String> = statuses.into_iter().map(|(status, count)| format!("{count} {status}")).collect();
    println!("  heard on the line          {}", statuses.join(", "));
}

/// What callers heard and what is not so: that it is booked, or cancelled.
fn untrue(heard: &[Heard], appointments: &BTreeMap<AppointmentId, Appointment>, standing: &[Value]) -> Vec<String> {
    let stands = |appointment: &Appointment| {
        let uid = appointment.booking().map(|booking| booking.uid.as_str());
        standing.iter().any(|booking| booking["uid"].as_str() == uid && uid.is_some())
    };
    let is_so = |heard: &&Heard| {
        let appointment = heard.appointment.as_ref().and_then(|id| appointments.get(id));
        match heard.status.as_str() {
            "booked" => appointment.is_some_and(|it| it.is_booked() && stands(it)),
            "cancelled" => appointment.is_some_and(|it| !it.is_open() && !stands(it)),
            _ => true,
        }
    };
    let told = |heard: &Heard| format!("heard {}, and {:?} is not", heard.status, heard.appointment);
    heard.iter().filter(|heard| !is_so(heard)).map(told).collect()
}

/// Every appointment of the salons: those that the webhooks were answered with, and those that the tools stored.
async fn all_of(
    stack: &Stack,
    salons: &[Salon],
    told: &BTreeMap<usize, AppointmentId>,
) -> BTreeMap<usize, AppointmentId> {
    let mut all = told.clone();
    let known: BTreeSet<AppointmentId> = told.values().cloned().collect();
    let (from, to) = (Utc::now() - TimeDelta::days(3 * 365), Utc::now() + TimeDelta::days(3 * 365));
    for salon in salons {
        for id in stack.appointments.starting(&salon.tenant, from, Some(to)).await.unwrap_or_default() {
            if !known.contains(&id) {
                all.insert(usize::MAX - all.len(), id);
            }
        }
    }
    all
}

/// Waits until few messages are left, or a rush has had its time.
async fn until_worked_off(stack: &Stack) {
    let deadline = tokio::time::Instant::now() + RUSH_TAKES;
    while messages(stack).await > LEFT_BY_A_RUSH && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// How many messages are in the queue of bookings, those that are worked off or wait for their time included.
async fn messages(stack: &Stack) -> u64 {
    let sqs = aws_sdk_sqs::Client::new(&stack.config);
    let asked = sqs.get_queue_attributes().queue_url(variable("BOOKINGS_QUEUE_URL")).attribute_names("All".into());
    let Ok(answer) = asked.send().await else { return u64::MAX };
    let attributes = answer.attributes.unwrap_or_default();
    let counts = attributes.iter().filter(|(name, _)| name.as_str().starts_with("ApproximateNumberOfMessages"));
    counts.filter_map(|(_, count)| count.parse::<u64>().ok()).sum()
}

async fn send_poison(stack: &Stack) {
    let sqs = aws_sdk_sqs::Client::new(&stack.config);
    for queue in ["BOOKINGS_QUEUE_URL", "ASSIGNMENTS_QUEUE_URL"] {
        let sent = sqs.send_message().queue_url(variable(queue)).message_body("{\"v\": 99, \"not\": \"ours\"}");
        sent.send().await.expect("the queue takes a message");
    }
}

/// What runs by schedule on AWS runs here all the time, since all delays are shorter: each function by itself, so that none
/// waits for another that was killed.
fn sweep(stack: &Arc<Stack>) -> Vec<tokio::task::JoinHandle<()>> {
    let schedules = [
        ("sync-reconciler", 4),
        ("call-recovery", 8),
        ("review-notifier", 10),
        ("past-cleanup", 16),
        ("quality-monitor", 32),
    ];
    let repeat = |(function, seconds): (&'static str, u64)| {
        let stack = Arc::clone(stack);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                stack.invoke(function, &json!({})).await;
            }
        })
    };
    schedules.into_iter().map(repeat).collect()
}

/// Waits until nothing moves any more, or patience ends.
async fn until_settled(
    stack: &Stack,
    told: &BTreeMap<usize, AppointmentId>,
    calls: usize,
) -> BTreeMap<AppointmentId, Appointment> {
    let patience = TimeDelta::minutes(6) + TimeDelta::milliseconds(200) * i32::try_from(calls).unwrap_or(i32::MAX);
    let deadline = Utc::now() + patience;
    let mut open: BTreeSet<AppointmentId> = told.values().cloned().collect();
    let (all, mut settled) = (open.len(), BTreeMap::new());
    loop {
        let before = settled.len();
        // Not all of many at once: looking is work for what stands in for AWS, too.
        let loaded = stream::iter(open.iter().take(LOOKED_AT))
            .map(|id| stack.appointments.load(id))
            .buffer_unordered(CONCURRENCY);
        for Versioned { value: appointment, .. } in loaded.collect::<Vec<_>>().await.into_iter().flatten().flatten() {
            if appointment.due(&platform::env::timing().unwrap_or_default()).is_none() {
                settled.insert(appointment.id.clone(), appointment);
            }
        }
        open.retain(|id| !settled.contains_key(id));
        eprintln!("{} of {all} appointments are settled", settled.len());
        if open.is_empty() || Utc::now() > deadline {
            break;
        }
        let moved = settled.len() > before;
        tokio::time::sleep(Duration::from_secs(if moved && open.len() > LOOKED_AT { 1 } else { 5 })).await;
    }
    for id in open {
        if let Ok(Some(Versioned { value: appointment, .. })) = stack.appointments.load(&id).await {
            settled.insert(id, appointment);
        }
    }
    settled
}

/// In what the counters differ from what the records say, once everything is counted.
async fn miscounted(
    stack: &Stack,
    salons: &[Salon],
    appointments: &BTreeMap<AppointmentId, Appointment>,
    since: DateTime<Utc>,
) -> Vec<String> {
    let tenants: Vec<&TenantId> = salons.iter().map(|salon| &salon.tenant).collect();
    // As they stand now: what was settled may have changed once more since.
    let loaded = stream::iter(appointments.keys()).map(|id| stack.appointments.load(id)).buffer_unordered(CONCURRENCY);
    let loaded: Vec<_> = loaded.collect().await;
    let records: Vec<Appointment> = loaded.into_iter().flatten().flatten().map(|stored| stored.value).collect();
    let recounted = recount(stack, &records).await;
    let mut found = Vec::new();
    // A run may be cut off, as any other work here; what it left is counted by the next.
    for _ in 0..COUNTS {
        stack.invoke("quality-monitor", &json!({})).await;
        found = differences(&counters(stack, &tenants, since).await, &recounted);
        if found.is_empty() {
            break;
        }
    }
    found
}

/// What was found when all had come to rest.
#[derive(Default)]
struct Found {
    lost: Vec<String>,
    twice: Vec<String>,
    /// Hosts whom we booked for two things at once.
    overlapping: Vec<String>,
    /// Appointments that are assigned to somebody else than the customer wants.
    dropped_wishes: Vec<String>,
    /// What callers heard and what is not so.
    untrue: Vec<String>,
    bookings: usize,
}

fn judge(
    asked: &[NewAppointment],
    told: &BTreeMap<usize, AppointmentId>,
    appointments: &BTreeMap<AppointmentId, Appointment>,
    standing: &[Value],
) -> Found {
    let mut found = Found { bookings: standing.len(), ..Found::default() };
    let uids: BTreeSet<&str> = standing.iter().filter_map(|booking| booking["uid"].as_str()).collect();
    for (nth, asked) in asked.iter().enumerate() {
        let call = &asked.call.id;
        let Some(appointment) = told.get(&nth).and_then(|id| appointments.get(id)) else {
            found.lost.push(format!("{call}: nothing is stored"));
            continue;
        };
        let is_settled =
            matches!(appointment.state(), State::Assigned { .. } | State::NeedsReview { .. } | State::Cancelled { .. });
        let is_booked = appointment.booking().is_none_or(|booking| uids.contains(booking.uid.as_str()));
        if !is_settled || !is_booked {
            found.lost.push(format!(
                "{call}: {} is {}, booked: {is_booked}",
                appointment.id,
                appointment.state().name()
            ));
        }
        let staff = appointment.assignment().map(|assignment| assignment.staff.as_str());
        if let (Some(wished), Some(staff)) = (asked.wished, staff)
            && wished != staff
        {
            found.dropped_wishes.push(format!("{call}: {} is assigned to {staff}, not to {wished}", appointment.id));
        }
        if let Some(first) = asked.same_as
            && told.get(&first) != told.get(&nth)
            && appointment.booking().is_some()
        {
            found
                .twice
                .push(format!("{call}: asks for what another call asked for, and has an appointment of its own"));
        }
    }
    let mut of_appointment: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut of_host: BTreeMap<u64, Vec<FromTo>> = BTreeMap::new();
    for booking in standing {
        let id = booking["metadata"]["frontdeskAppointmentId"].as_str().unwrap_or_default();
        of_appointment.entry(id).or_default().push(booking["uid"].as_str().unwrap_or_default());
        let time = |field: &str| booking[field].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        of_host.entry(booking["host"].as_u64().unwrap_or_default()).or_default().push((time("start"), time("end")));
    }
    for (id, uids) in of_appointment {
        let appointment = appointments.get(&AppointmentId::new(id));
        let known = appointment.and_then(Appointment::booking);
        // A person was told that Cal.com may hold it.
        let is_told = appointment.is_some_and(|appointment| appointment.unconfirmed_booking().is_some());
        if uids.len() == 1 && is_told {
            continue;
        }
        if uids.len() > 1 || known.is_none_or(|booking| booking.uid.as_str() != uids[0]) {
            found.twice.push(format!("{id}: Cal.com has {uids:?}, we know {:?}", known.map(|booking| &booking.uid)));
        }
    }
    for (host, mut times) in of_host {
        times.sort_unstable();
        let mut busy_until = DateTime::<Utc>::MIN_UTC;
        for (from, to) in times {
            if from < busy_until {
                found.overlapping.push(format!("host {host} has two bookings at {from}"));
            }
            busy_until = busy_until.max(to);
        }
    }
    found
}

impl Found {
    fn print(&self, arguments: &Arguments, appointments: &BTreeMap<AppointmentId, Appointment>, deliveries: usize) {
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        let mut attempts: BTreeMap<u32, usize> = BTreeMap::new();
        let mut expired_leases = 0;
        let (mut recovered, mut settled_in) = (0, Vec::new());
        for appointment in appointments.values() {
            *states.entry(state_of(appointment)).or_default() += 1;
            *attempts.entry(appointment.attempts().min(6)).or_default() += 1;
            expired_leases += appointment.expired_leases();
            recovered += usize::from(appointment.history().iter().any(|it| it.cause == Cause::Recovered));
            let last = appointment.history().last().map_or(appointment.created_at, |line| line.at);
            settled_in.push((last - appointment.created_at).num_milliseconds() as f64 / 1000.0);
        }
        settled_in.sort_by(f64::total_cmp);
        let at = |share: f64| settled_in.get((settled_in.len() as f64 * share) as usize).copied().unwrap_or_default();
        let Arguments { calls, seed, live } = arguments;
        println!("\nseed {seed}");
        println!("  calls in                   {calls}, as {deliveries} webhooks; {live} more that book on the line");
        println!("  appointments               {}", appointments.len());
        states.iter().for_each(|(state, count)| println!("    {state:<24} {count}"));
        println!("  bookings at Cal.com        {}", self.bookings);
        println!(
            "  found again after a lost answer or a dead worker: {recovered}; workers lost while booking: {expired_leases}"
        );
        let attempts =
            attempts.iter().map(|(times, count)| format!("{count} in {times}{}", if *times == 6 { "+" } else { "" }));
        println!("  attempts per appointment   {}", attempts.collect::<Vec<_>>().join(", "));
        println!(
            "  settled after              p50 {:.1} s, p95 {:.1} s, longest {:.1} s",
            at(0.5),
            at(0.95),
            at(0.9999)
        );
        println!("  lost                       {}", self.lost.len());
        println!("  booked twice               {}", self.twice.len());
        println!("  hosts double-booked        {}", self.overlapping.len());
        println!("  wishes dropped             {}", self.dropped_wishes.len());
        println!("  heard and not true         {}", self.untrue.len());
        let all = self.lost.iter().chain(&self.twice).chain(&self.overlapping).chain(&self.dropped_wishes);
        let all = all.chain(&self.untrue);
        all.take(20).for_each(|what| println!("    ! {what}"));
    }
}

fn state_of(appointment: &Appointment) -> String {
    let name = appointment.state().name();
    match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Assignment(reason), .. } => {
            format!("{name}: booked, {}", reason.as_str())
        }
        State::NeedsReview { reason, .. } => format!("{name}: {reason}"),
        State::Cancelled { reason, .. } => format!("{name}: {}", reason.as_str()),
        _ => name.to_string(),
    }
}
