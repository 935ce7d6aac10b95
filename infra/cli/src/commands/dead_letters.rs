//! `frontdesk dead-letters`: list dead letters, and redrive them once the cause is fixed.

use std::{collections::BTreeSet, time::Duration};

use clap::{Args, Subcommand};
use platform::queues::{AppointmentMessage, Queue, Received};
use scheduling::appointment::{Appointment, ReviewReason, State};
use store::{Appointments, Versioned};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

/// How long a message is invisible to others while it is inspected.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(20);

/// Commands for dead letters.
#[derive(Subcommand)]
pub enum Command {
    /// List dead letters, each with its reason and what a redrive does with it.
    List,
    /// Redrive dead letters: resume their appointments where they stopped.
    Redrive(Redrive),
}

/// A redrive.
#[derive(Args)]
pub struct Redrive {
    #[command(flatten)]
    selection: Selection,
    /// Delete those that are unreadable, which can't be redriven.
    #[arg(long)]
    discard_unreadable: bool,
    /// Redrive them.
    #[arg(long)]
    apply: bool,
}

/// The dead letters to redrive.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Selection {
    /// All of them.
    #[arg(long)]
    all: bool,
    /// The first ones.
    #[arg(long, value_name = "NUMBER")]
    first: Option<usize>,
    /// Those of one appointment.
    #[arg(long, value_name = "ID")]
    appointment: Option<String>,
}

/// What a redrive does with a dead letter.
enum Action {
    /// Resume its appointment.
    Resend(Box<Versioned<Appointment>>),
    /// Delete it: its appointment does not need it, for this reason.
    Discard(String),
    /// Leave it, for this reason.
    Leave(String),
}

/// Redrives dead letters.
struct Redriver {
    context: CommandContext,
    appointments: Appointments,
    redrive: Redrive,
    is_list: bool,
    /// How many may still be processed.
    remaining: usize,
    resent: u32,
    discarded: u32,
    left: u32,
    listed: u32,
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    let appointments = context.appointments()?;
    let (is_list, redrive) = match command {
        Command::List => {
            let selection = Selection { all: true, first: None, appointment: None };
            (true, Redrive { selection, apply: false, discard_unreadable: false })
        }
        Command::Redrive(redrive) => (false, redrive),
    };
    let queues = Queue::all_dead_letters_from_env(&context.config)?;
    let remaining = redrive.selection.first.unwrap_or(usize::MAX);
    let mut redriver =
        Redriver { context, appointments, redrive, is_list, remaining, resent: 0, discarded: 0, left: 0, listed: 0 };
    for queue in queues {
        redriver.process(&queue).await?;
    }
    if is_list {
        if redriver.listed == 0 {
            say!("no dead letters");
        }
    } else {
        say!("{} resent, {} discarded, {} left", redriver.resent, redriver.discarded, redriver.left);
        if !redriver.redrive.apply {
            say!("{DRY_RUN}");
        }
    }
    Ok(())
}

impl Redriver {
    /// Processes each message of a queue once. Those that stay are released when all have been inspected.
    async fn process(&mut self, queue: &Queue) -> Result<(), CommandError> {
        let (mut seen, mut staying) = (BTreeSet::new(), Vec::new());
        loop {
            let received = queue.receive(VISIBILITY_TIMEOUT).await?;
            // A message that was released is received again.
            let is_complete = received.is_empty() || received.iter().any(|letter| seen.contains(&letter.id));
            for letter in received {
                if !seen.insert(letter.id.clone()) || !self.handle(queue, &letter).await? {
                    staying.push(letter);
                }
            }
            if is_complete || self.remaining == 0 {
                break;
            }
        }
        for letter in &staying {
            queue.release(letter).await?;
        }
        Ok(())
    }

    /// `false` if the message stays in its queue.
    async fn handle(&mut self, queue: &Queue, letter: &Received) -> Result<bool, CommandError> {
        let message = AppointmentMessage::parse(&letter.body).ok();
        if self.remaining == 0 || !self.redrive.selection.includes(message.as_ref()) {
            return Ok(false);
        }
        self.remaining -= 1;
        let action = action_for(&self.appointments, message.as_ref(), self.redrive.discard_unreadable).await?;
        self.print(&describe(letter, message.as_ref()), &action);
        if !self.redrive.apply || matches!(action, Action::Leave(_)) {
            return Ok(false);
        }
        if let Action::Resend(stored) = action {
            self.resend(*stored).await?;
        }
        queue.delete(letter).await?;
        Ok(true)
    }

    async fn resend(&self, stored: Versioned<Appointment>) -> Result<(), CommandError> {
        let appointment = if let State::NeedsReview { .. } = stored.value.state() {
            self.context.resume(&self.appointments, stored).await?
        } else {
            stored.value
        };
        self.context.send(&appointment).await
    }

    fn print(&mut self, letter: &str, action: &Action) {
        self.listed += 1;
        match action {
            Action::Resend(_) if self.is_list => say!("{letter}: can be redriven"),
            Action::Discard(reason) | Action::Leave(reason) if self.is_list => say!("{letter}: {reason}"),
            Action::Leave(reason) => say!("{letter}: leave, {reason}"),
            Action::Resend(_) => say!("{letter}: resend"),
            Action::Discard(reason) => say!("{letter}: discard, {reason}"),
        }
        *match action {
            Action::Leave(_) => &mut self.left,
            Action::Resend(_) => &mut self.resent,
            Action::Discard(_) => &mut self.discarded,
        } += 1;
    }
}

impl Selection {
    fn includes(&self, message: Option<&AppointmentMessage>) -> bool {
        self.appointment.as_ref().is_none_or(|id| message.is_some_and(|message| message.appointment.as_str() == id))
    }
}

/// One dead letter in a line. Nothing of an unreadable body is printed: it may be anything.
fn describe(letter: &Received, message: Option<&AppointmentMessage>) -> String {
    let about = message
        .map_or_else(|| "unreadable".to_owned(), |message| format!("{} {}", message.tenant, message.appointment));
    let reason = letter.reason.as_deref().unwrap_or("moved by SQS: its worker died each time");
    format!("{}  {about}  {reason}", letter.id)
}

async fn action_for(
    appointments: &Appointments,
    message: Option<&AppointmentMessage>,
    discard_unreadable: bool,
) -> Result<Action, CommandError> {
    let Some(message) = message else {
        let reason = "it is unreadable".to_owned();
        return Ok(if discard_unreadable { Action::Discard(reason) } else { Action::Leave(reason) });
    };
    let Some(stored) = appointments.load(&message.appointment).await? else {
        return Ok(Action::Leave("its appointment is not stored".to_owned()));
    };
    Ok(match stored.value.state() {
        State::NeedsReview { reason: ReviewReason::Stalled, .. } | State::Requested { .. } | State::Booked { .. } => {
            Action::Resend(Box::new(stored))
        }
        State::NeedsReview { reason, .. } => Action::Discard(format!("its appointment needs review: {reason}")),
        State::Booking { .. } => Action::Discard("its appointment is being booked".to_owned()),
        settled => Action::Discard(format!("its appointment is {}", settled.name())),
    })
}
