//! Dead letters: messages that no worker could process, and what a redrive does with them.

use std::{collections::BTreeSet, time::Duration};

use platform::queues::{AppointmentMessage, Queue, Received};
use scheduling::appointment::{Actor, Appointment, ReviewReason, State};
use store::Versioned;

use crate::{Operations, error::OperationError};

/// How long a message is invisible to others while it is inspected.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(20);

/// A dead letter, and what a redrive does with it.
pub struct DeadLetter {
    /// Its id at SQS.
    pub id: String,
    /// What it is about. `None` if it is unreadable.
    pub message: Option<AppointmentMessage>,
    /// Why it is there.
    pub reason: Option<String>,
    /// What a redrive does with it.
    pub action: Action,
}

/// What a redrive does with a dead letter.
pub enum Action {
    /// Resume its appointment.
    Resend(Box<Versioned<Appointment>>),
    /// Delete it: its appointment does not need it, for this reason.
    Discard(String),
    /// Leave it, for this reason.
    Leave(String),
}

impl Operations {
    /// Looks at each message of a dead-letter queue once, and redrives those that `decide` chooses. Those that stay are
    /// released when all have been looked at. `decide` returns whether to redrive, or `None` to stop.
    ///
    /// # Errors
    /// If the store or a queue fails.
    pub async fn inspect_dead_letters(
        &self,
        queue: &Queue,
        discard_unreadable: bool,
        by: Actor<'_>,
        mut decide: impl FnMut(&DeadLetter) -> Option<bool>,
    ) -> Result<(), OperationError> {
        let (mut seen, mut staying, mut has_stopped) = (BTreeSet::new(), Vec::new(), false);
        loop {
            let received = queue.receive(VISIBILITY_TIMEOUT).await?;
            // A message that was released is received again.
            let is_complete = received.is_empty() || received.iter().any(|letter| seen.contains(&letter.id));
            for letter in received {
                let is_new = seen.insert(letter.id.clone());
                let redriven = is_new && !has_stopped && {
                    let found = self.read_dead_letter(&letter, discard_unreadable).await?;
                    let chosen = decide(&found);
                    has_stopped = chosen.is_none();
                    chosen == Some(true) && self.redrive(queue, &letter, found.action, by).await?
                };
                if !redriven {
                    staying.push(letter);
                }
            }
            if is_complete || has_stopped {
                break;
            }
        }
        for letter in &staying {
            queue.release(letter).await?;
        }
        Ok(())
    }

    async fn read_dead_letter(
        &self,
        letter: &Received,
        discard_unreadable: bool,
    ) -> Result<DeadLetter, OperationError> {
        let message = AppointmentMessage::parse(&letter.body).ok();
        let action = self.action_for(message.as_ref(), discard_unreadable).await?;
        Ok(DeadLetter { id: letter.id.clone(), message, reason: letter.reason.clone(), action })
    }

    /// `false` if the message stays in its queue.
    async fn redrive(
        &self,
        queue: &Queue,
        letter: &Received,
        action: Action,
        by: Actor<'_>,
    ) -> Result<bool, OperationError> {
        match action {
            Action::Leave(_) => return Ok(false),
            Action::Discard(_) => {}
            Action::Resend(stored) => match stored.value.state() {
                State::NeedsReview { .. } => self.retry(*stored, by).await.map(drop)?,
                _ => self.send(&stored.value).await?,
            },
        }
        queue.delete(letter).await?;
        Ok(true)
    }

    async fn action_for(
        &self,
        message: Option<&AppointmentMessage>,
        discard_unreadable: bool,
    ) -> Result<Action, OperationError> {
        let Some(message) = message else {
            let reason = "it is unreadable".to_owned();
            return Ok(if discard_unreadable { Action::Discard(reason) } else { Action::Leave(reason) });
        };
        let Some(stored) = self.appointments.load(&message.appointment).await? else {
            return Ok(Action::Leave("its appointment is not stored".to_owned()));
        };
        Ok(match stored.value.state() {
            State::NeedsReview { reason: ReviewReason::Stalled, .. }
            | State::Requested { .. }
            | State::Booked { .. } => Action::Resend(Box::new(stored)),
            State::NeedsReview { reason, .. } => Action::Discard(format!("its appointment needs review: {reason}")),
            State::Booking { .. } => Action::Discard("its appointment is being booked".to_owned()),
            settled => Action::Discard(format!("its appointment is {}", settled.name())),
        })
    }
}
