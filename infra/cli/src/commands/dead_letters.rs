//! Dead letters: what they are about, and sending them again once what was wrong is mended.

use std::{collections::BTreeSet, time::Duration};

use clap::{Args, Subcommand};
use platform::{
    aws,
    queues::{AppointmentMessage, Queue, Received},
    settings,
    store::{Appointments, Version},
};
use scheduling::appointment::{Appointment, ReviewReason, State};

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
    SendAgain(Box<Appointment>, Version),
    /// Its appointment needs it no more, for this reason.
    TakeOut(String),
    /// It stays where it is, for this reason.
    Leave(String),
}

/// Works through the dead-letter queues.
struct Letters {
    config: aws::SdkConfig,
    appointments: Appointments,
    wanted: Redrive,
    is_list: bool,
    /// How many may still be worked on.
    left_to_do: usize,
    sent: u32,
    taken_out: u32,
    left: u32,
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let config = aws::config().await;
    let appointments = Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?, settings::timing()?);
    let (is_list, wanted) = match command {
        Command::List => {
            let which = Which { all: true, first: None, appointment: None };
            (true, Redrive { which, dry_run: true, discard_unreadable: false })
        }
        Command::Redrive(wanted) => (false, wanted),
    };
    let left_to_do = wanted.which.first.unwrap_or(usize::MAX);
    let mut letters = Letters { config, appointments, wanted, is_list, left_to_do, sent: 0, taken_out: 0, left: 0 };
    for name in QUEUES {
        let queue = Queue::new(&letters.config, settings::required(name)?);
        letters.work_through(&queue).await?;
    }
    if !is_list {
        println!("{} sent again, {} taken out, {} left", letters.sent, letters.taken_out, letters.left);
    }
    Ok(())
}

impl Letters {
    /// Sees to each letter of a queue once. What stays there is put back when all have been seen.
    async fn work_through(&mut self, queue: &Queue) -> Result<(), CommandError> {
        let (mut seen, mut staying) = (BTreeSet::new(), Vec::new());
        loop {
            let received = queue.receive(HIDDEN_FOR).await?;
            // What stays in the queue comes round again.
            let is_through = received.is_empty() || received.iter().any(|letter| seen.contains(&letter.id));
            for letter in received {
                if !seen.insert(letter.id.clone()) || !self.see_to(queue, &letter).await? {
                    staying.push(letter);
                }
            }
            if is_through || self.left_to_do == 0 {
                break;
            }
        }
        for letter in &staying {
            queue.put_back(letter).await?;
        }
        Ok(())
    }

    /// `false` where the letter stays in its queue.
    async fn see_to(&mut self, queue: &Queue, letter: &Received) -> Result<bool, CommandError> {
        let order = serde_json::from_str::<AppointmentMessage>(&letter.body).ok();
        if self.left_to_do == 0 || !self.wanted.which.concerns(order.as_ref()) {
            return Ok(false);
        }
        self.left_to_do -= 1;
        let verdict = verdict_on(&self.appointments, order.as_ref(), self.wanted.discard_unreadable).await?;
        self.tell(&told(letter, order.as_ref()), &verdict);
        if self.wanted.dry_run || matches!(verdict, Verdict::Leave(_)) {
            return Ok(false);
        }
        if let Verdict::SendAgain(appointment, version) = verdict {
            self.send_again(*appointment, version).await?;
        }
        queue.delete(letter).await?;
        Ok(true)
    }

    async fn send_again(&self, mut appointment: Appointment, version: Version) -> Result<(), CommandError> {
        if let State::NeedsReview { .. } = appointment.state() {
            appointment = appointment::resume(&self.appointments, appointment, version).await?;
        }
        let (queue, _) = appointment::queue_of(&appointment);
        let queue = Queue::new(&self.config, settings::required(queue)?);
        Ok(queue.send(&AppointmentMessage::about(&appointment)).await?)
    }

    fn tell(&mut self, letter: &str, verdict: &Verdict) {
        let would = if self.wanted.dry_run { "would be " } else { "" };
        match verdict {
            _ if self.is_list => println!("{letter}: {}", verdict.told()),
            Verdict::Leave(why) => println!("{letter}: left, {why}"),
            Verdict::SendAgain(..) => println!("{letter}: {would}sent again"),
            Verdict::TakeOut(why) => println!("{letter}: {would}taken out, {why}"),
        }
        *match verdict {
            Verdict::Leave(_) => &mut self.left,
            Verdict::SendAgain(..) => &mut self.sent,
            Verdict::TakeOut(_) => &mut self.taken_out,
        } += 1;
    }
}

impl Which {
    fn concerns(&self, order: Option<&AppointmentMessage>) -> bool {
        self.appointment.as_ref().is_none_or(|id| order.is_some_and(|order| order.appointment.as_str() == id))
    }
}

impl Verdict {
    fn told(&self) -> &str {
        match self {
            Self::SendAgain(..) => "can be sent again",
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
    let Some((appointment, version)) = appointments.load(&order.appointment).await? else {
        return Ok(Verdict::Leave("its appointment is not stored".to_owned()));
    };
    Ok(match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Stalled, .. } | State::Requested { .. } | State::Booked { .. } => {
            Verdict::SendAgain(Box::new(appointment), version)
        }
        State::NeedsReview { reason, .. } => Verdict::TakeOut(format!("its appointment needs review: {reason}")),
        State::Booking { .. } => Verdict::TakeOut("its appointment is being worked on".to_owned()),
        settled => Verdict::TakeOut(format!("its appointment is {}", settled.name())),
    })
}
