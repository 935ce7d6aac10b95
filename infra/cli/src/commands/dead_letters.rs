//! `frontdesk dead-letters`: list dead letters, and redrive them once the cause is fixed.

use clap::{Args, Subcommand};
use operations::dead_letters::{Action, DeadLetter};
use platform::queues::{AppointmentMessage, Queue};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

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

/// What a redrive did.
struct Redriven {
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
    let operations = context.operations()?;
    let (is_list, redrive) = match command {
        Command::List => {
            let selection = Selection { all: true, first: None, appointment: None };
            (true, Redrive { selection, apply: false, discard_unreadable: false })
        }
        Command::Redrive(redrive) => (false, redrive),
    };
    let (remaining, discard_unreadable) = (redrive.selection.first.unwrap_or(usize::MAX), redrive.discard_unreadable);
    let mut redriven = Redriven { redrive, is_list, remaining, resent: 0, discarded: 0, left: 0, listed: 0 };
    for queue in Queue::all_dead_letters_from_env(&context.config)? {
        let decide = |letter: &DeadLetter| redriven.decide(letter);
        operations.inspect_dead_letters(&queue, discard_unreadable, context.actor(), decide).await?;
    }
    if is_list {
        if redriven.listed == 0 {
            say!("no dead letters");
        }
    } else {
        say!("{} resent, {} discarded, {} left", redriven.resent, redriven.discarded, redriven.left);
        if !redriven.redrive.apply {
            say!("{DRY_RUN}");
        }
    }
    Ok(())
}

impl Redriven {
    /// Prints a letter, and returns whether to redrive it. `None` if no further one is to be looked at.
    fn decide(&mut self, letter: &DeadLetter) -> Option<bool> {
        if self.remaining == 0 {
            return None;
        }
        if !self.redrive.selection.includes(letter.message.as_ref()) {
            return Some(false);
        }
        self.remaining -= 1;
        self.print(&describe(letter), &letter.action);
        Some(self.redrive.apply)
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
fn describe(letter: &DeadLetter) -> String {
    let about = letter
        .message
        .as_ref()
        .map_or_else(|| "unreadable".to_owned(), |message| format!("{} {}", message.tenant, message.appointment));
    let reason = letter.reason.as_deref().unwrap_or("moved by SQS: its worker died each time");
    format!("{}  {about}  {reason}", letter.id)
}
