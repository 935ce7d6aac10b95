//! Counts a rejected webhook once, although Retell sends it up to four times.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A body that is rejected again within this time is the same webhook.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// How many bodies are remembered in that time: a flood must not fill the memory.
const CAPACITY: usize = 4096;

/// The webhooks that this process rejected lately. Other processes may count the same ones once more.
pub struct Rejections {
    recent: Mutex<Generations>,
}

struct Generations {
    current: HashSet<u64>,
    previous: HashSet<u64>,
    since: Instant,
}

impl Default for Rejections {
    fn default() -> Self {
        let since = Instant::now();
        Self { recent: Mutex::new(Generations { current: HashSet::new(), previous: HashSet::new(), since }) }
    }
}

impl Rejections {
    /// Whether this body was not rejected for this reason lately.
    pub fn is_first(&self, reason: &str, body: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        (reason, body).hash(&mut hasher);
        let rejected = hasher.finish();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.since.elapsed() > WINDOW || recent.current.len() >= CAPACITY {
            recent.previous = mem::take(&mut recent.current);
            recent.since = Instant::now();
        }
        !recent.previous.contains(&rejected) && recent.current.insert(rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_that_is_sent_four_times_counts_once() {
        let rejections = Rejections::default();
        let counted = (0..4).filter(|_| rejections.is_first("not_json", b"{")).count();
        assert_eq!(counted, 1);
        assert!(rejections.is_first("not_json", b"{{") && rejections.is_first("signature_wrong", b"{"));
    }

    #[test]
    fn a_flood_does_not_fill_the_memory() {
        let rejections = Rejections::default();
        for nth in 0..3 * CAPACITY {
            assert!(rejections.is_first("signature_wrong", &nth.to_be_bytes()));
        }
        let recent = rejections.recent.lock().unwrap();
        assert!(recent.current.len() + recent.previous.len() <= 2 * CAPACITY);
    }
}
