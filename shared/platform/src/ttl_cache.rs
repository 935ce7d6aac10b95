//! Values that are kept for a while and then read again.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A map whose entries are forgotten after `lifetime`.
pub(crate) struct TtlCache<K, V> {
    lifetime: Duration,
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Hash + Eq, V: Clone> TtlCache<K, V> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, entries: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept_at, value) = entries.get(key)?;
        (kept_at.elapsed() < self.lifetime).then(|| value.clone())
    }

    pub(crate) fn forget(&self, key: &K) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    pub(crate) fn keep(&self, key: K, value: V) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, (kept_at, _)| kept_at.elapsed() < self.lifetime);
        entries.insert(key, (Instant::now(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_forgotten_when_its_time_is_over() {
        let kept = TtlCache::new(Duration::from_secs(60));
        kept.keep("a", 1);
        assert_eq!((kept.get(&"a"), kept.get(&"b")), (Some(1), None));
        kept.forget(&"a");
        assert_eq!(kept.get(&"a"), None);
        let gone = TtlCache::new(Duration::ZERO);
        gone.keep("a", 1);
        assert_eq!(gone.get(&"a"), None);
    }
}
