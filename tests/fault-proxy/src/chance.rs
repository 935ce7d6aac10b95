//! What goes wrong, in a sequence that depends on the seed alone.

use std::sync::{Mutex, PoisonError};

use fastrand::Rng;

/// The shares of requests with which something goes wrong.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// DynamoDB refuses a request because there were too many.
    pub throttled: f64,
    /// SQS does not take a message.
    pub not_taken: f64,
    /// What was asked for is done, and nobody hears of it.
    pub answer_lost: f64,
    /// A message is delivered three times.
    pub repeated: f64,
    /// The function is killed after what it asked for was done.
    pub killed: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { throttled: 0.03, not_taken: 0.03, answer_lost: 0.01, repeated: 0.2, killed: 0.004 }
    }
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Throttled,
    NotTaken,
    AnswerLost,
    Repeated,
    Killed,
}

/// Draws what goes wrong next.
pub struct Chance {
    dice: Mutex<Rng>,
    rates: Rates,
}

impl Chance {
    pub fn new(seed: u64, rates: Rates) -> Self {
        Self { dice: Mutex::new(Rng::with_seed(seed)), rates }
    }

    /// What goes wrong with the next request, if anything. Reading changes nothing, so nobody is killed after it.
    pub fn next(&self, operation: &str) -> Option<Trouble> {
        let is_send = operation.ends_with(".SendMessage");
        let is_write = is_send
            || ["PutItem", "TransactWriteItems", "UpdateItem", "DeleteItem", "POST"]
                .iter()
                .any(|name| operation.ends_with(name));
        let is_dynamodb = operation.starts_with("DynamoDB");
        let when = |applies: bool, share: f64| if applies { share } else { 0.0 };
        let shares = [
            (when(is_write, self.rates.killed), Trouble::Killed),
            (when(is_dynamodb, self.rates.throttled), Trouble::Throttled),
            (when(is_send, self.rates.not_taken), Trouble::NotTaken),
            (when(is_send || is_dynamodb, self.rates.answer_lost), Trouble::AnswerLost),
            (when(is_send, self.rates.repeated), Trouble::Repeated),
        ];
        let chance = self.dice.lock().unwrap_or_else(PoisonError::into_inner).f64();
        let mut below = 0.0;
        shares.into_iter().find_map(|(share, trouble)| {
            below += share;
            (chance < below).then_some(trouble)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_brings_the_same_trouble_and_about_as_much_as_asked_for() {
        let drawn = |seed| {
            let chance = Chance::new(seed, Rates::default());
            (0..10_000).map(|_| chance.next("AmazonSQS.SendMessage")).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let repeated = drawn(3).into_iter().filter(|trouble| *trouble == Some(Trouble::Repeated)).count();
        assert!((1_800..2_200).contains(&repeated), "{repeated}");
    }

    #[test]
    fn nobody_is_killed_after_reading() {
        let chance = Chance::new(1, Rates { killed: 1.0, ..Rates::default() });
        assert_eq!(chance.next("DynamoDB_20120810.PutItem"), Some(Trouble::Killed));
        assert!((0..100).all(|_| chance.next("DynamoDB_20120810.GetItem") != Some(Trouble::Killed)));
    }
}
