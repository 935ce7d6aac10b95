//! Dead letters: what they are about, and sending them again once what was wrong is mended.

use std::{collections::BTreeSet, time::Duration};

use clap::{Args, Subcommand};
use platform::{
    aws,
    queues::{AppointmentMessage, Queue, Received},
    settings,
    store::Appointments,
};
use scheduling::{
    appointment::{ReviewReason, State},
    ids::AppointmentId,
};

use crate::{appointment, error::CommandError};

/// How long a message is out of its queue while it is looked at.
const HIDDEN_FOR: Duration = Duration::from_secs(20);
const QUEUES: [&str; 2] = ["BOOKINGS_DEAD_LETTER_QUEUE_URL", "ASSIGNMENTS_DEAD_LETTER_QUEUE_URL"];

/// What can be done with dead letters.
#[derive(Subcommand)]
pub enum Command {
    /// Lists them, each with its reason and where its appointment stands.
    List,
    /// Sends them again: their appointments are taken up where they stopped.
    Redrive(Redrive),
}

/// Which dead letters are sent again, and how.
#[derive(Args)]
pub struct Redrive {
    #[command(flatten)]
    which: Which,
    /// Only says what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Deletes those that can't be read, which nothing can be done with.
    #[arg(long)]
    discard_unreadable: bool,
}

/// Which dead letters are meant.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// All of them.
    #[arg(long)]
    all: bool,
    /// The first so many.
    #[arg(long, value_name = "NUMBER")]
    first: Option<usize>,
    /// Those of this appointment.
    #[arg(long, value_name = "ID")]
    appointment: Option<String>,
}

/// What is to be done with one.
enum Verdict {
    /// Its appointment goes on.
    SendAgain,
    /// Its appointment needs it no more, for this reason.
    TakeOut(String),
    /// It stays where it is, for this reason.
    Leave(String),
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let config = aws::config().await;
    let appointments = Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?, settings::waits()?);
    let all = Which { all: true, first: None, appointment: None };
    let nothing = Redrive { which: all, dry_run: true, discard_unreadable: false };
    let (listed, wanted) = match command {
        Command::List => (true, nothing),
        Command::Redrive(wanted) => (false, wanted),
    };
    let mut left_to_do = wanted.which.first.unwrap_or(usize::MAX);
    let (mut sent, mut taken_out, mut left) = (0_u32, 0_u32, 0_u32);
    for name in QUEUES {
        let queue = Queue::new(&config, settings::required(name)?);
        let (mut seen, mut looked_at) = (BTreeSet::new(), Vec::new());
        'queue: loop {
            let received = queue.receive(HIDDEN_FOR).await?;
            if received.is_empty() {
                break;
            }
            for letter in received {
                // What stays in the queue comes round again.
                if !seen.insert(letter.id.clone()) || left_to_do == 0 {
                    break 'queue;
                }
                let order = serde_json::from_str::<AppointmentMessage>(&letter.body).ok();
                if !wanted.which.concerns(order.as_ref()) {
                    looked_at.push(letter);
                    continue;
                }
                left_to_do -= 1;
                let verdict = verdict_on(&appointments, order.as_ref(), wanted.discard_unreadable).await?;
                let told = told(&letter, order.as_ref());
                match verdict {
                    _ if listed => println!("{told}: {}", verdict.told()),
                    Verdict::Leave(_) => {
                        left += 1;
                        println!("{told}: left, {}", verdict.told());
                    }
                    Verdict::SendAgain => {
                        sent += 1;
                        println!("{told}: {}sent again", if wanted.dry_run { "would be " } else { "" });
                    }
                    Verdict::TakeOut(_) => {
                        taken_out += 1;
                        let would = if wanted.dry_run { "would be " } else { "" };
                        println!("{told}: {would}taken out, {}", verdict.told());
                    }
                }
                if !wanted.dry_run {
                    redrive(&config, &appointments, &queue, &letter, order.as_ref(), &verdict).await?;
                }
                if wanted.dry_run || matches!(verdict, Verdict::Leave(_)) {
                    looked_at.push(letter);
                }
            }
        }
        for letter in &looked_at {
            queue.put_back(letter).await?;
        }
    }
    if !listed {
        println!("{sent} sent again, {taken_out} taken out, {left} left");
    }
    Ok(())
}

impl Which {
    fn concerns(&self, order: Option<&AppointmentMessage>) -> bool {
        self.appointment.as_ref().is_none_or(|id| order.is_some_and(|order| order.appointment.as_str() == id))
    }
}

impl Verdict {
    fn told(&self) -> &str {
        match self {
            Self::SendAgain => "can be sent again",
            Self::TakeOut(why) | Self::Leave(why) => why,
        }
    }
}

/// One letter, as it is told: nothing of an unreadable one's body, which may be anything.
fn told(letter: &Received, order: Option<&AppointmentMessage>) -> String {
    let about =
        order.map_or_else(|| "unreadable".to_owned(), |order| format!("{} {}", order.tenant, order.appointment));
    let reason = letter.reason.as_deref().unwrap_or("given up by SQS: its worker died or was cut off each time");
    format!("{}  {about}  {reason}", letter.id)
}

async fn verdict_on(
    appointments: &Appointments,
    order: Option<&AppointmentMessage>,
    discard_unreadable: bool,
) -> Result<Verdict, CommandError> {
    let Some(order) = order else {
        let why = "it can't be read".to_owned();
        return Ok(if discard_unreadable { Verdict::TakeOut(why) } else { Verdict::Leave(why) });
    };
    let Some((appointment, _)) = appointments.load(&order.appointment).await? else {
        return Ok(Verdict::Leave("its appointment is not stored".to_owned()));
    };
    Ok(match appointment.state() {
        State::NeedsReview { reason: ReviewReason::SetAside, .. } | State::Requested { .. } | State::Booked { .. } => {
            Verdict::SendAgain
        }
        State::NeedsReview { reason, .. } => Verdict::TakeOut(format!("its appointment needs review: {reason}")),
        State::Booking { .. } => Verdict::TakeOut("its appointment is being worked on".to_owned()),
        settled => Verdict::TakeOut(format!("its appointment is {}", settled.name())),
    })
}

async fn redrive(
    config: &aws::SdkConfig,
    appointments: &Appointments,
    queue: &Queue,
    letter: &Received,
    order: Option<&AppointmentMessage>,
    verdict: &Verdict,
) -> Result<(), CommandError> {
    match (verdict, order) {
        (Verdict::Leave(_), _) => return Ok(()),
        (Verdict::SendAgain, Some(order)) => {
            let id = AppointmentId::new(order.appointment.as_str());
            let (mut appointment, version) = appointment::stored(appointments, &id).await?;
            if let State::NeedsReview { .. } = appointment.state() {
                appointment = appointment::take_up_again(appointments, appointment, version).await?;
            }
            let (source, _) = appointment::queue_of(&appointment);
            let source = Queue::new(config, settings::required(source)?);
            source.send(&AppointmentMessage::about(&appointment)).await?;
        }
        (Verdict::SendAgain | Verdict::TakeOut(_), _) => {}
    }
    Ok(queue.delete(letter).await?)
}
