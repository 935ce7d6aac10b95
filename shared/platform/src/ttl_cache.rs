//! A cache whose entries expire.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The largest number of entries. Beyond it all are dropped: memory must not grow with the number of tenants.
const CAPACITY: usize = 1024;

/// A map whose entries expire after a time to live.
pub struct TtlCache<K, V> {
    ttl: Duration,
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Hash + Eq, V: Clone> TtlCache<K, V> {
    /// An empty cache.
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, entries: Mutex::new(HashMap::new()) }
    }

    /// The value of `key`, unless it has expired.
    pub fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (cached_at, value) = entries.get(key)?;
        (cached_at.elapsed() < self.ttl).then(|| value.clone())
    }

    /// Removes the value of `key`.
    pub fn remove(&self, key: &K) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Removes the values whose keys are no longer right.
    pub fn remove_all(&self, is_stale: impl Fn(&K) -> bool) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| !is_stale(key));
    }

    /// Inserts a value, and drops those that have expired.
    pub fn insert(&self, key: K, value: V) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, (cached_at, _)| cached_at.elapsed() < self.ttl);
        if entries.len() >= CAPACITY {
            entries.clear();
        }
        entries.insert(key, (Instant::now(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_does_not_grow_without_bound() {
        let cache = TtlCache::new(Duration::from_secs(60));
        for nth in 0..10 * CAPACITY {
            cache.insert(nth, nth);
        }
        assert!(cache.entries.lock().unwrap().len() <= CAPACITY);
        assert_eq!(cache.get(&(10 * CAPACITY - 1)), Some(10 * CAPACITY - 1));
    }

    #[test]
    fn an_entry_expires_after_its_time_to_live() {
        let cache = TtlCache::new(Duration::from_secs(60));
        cache.insert("a", 1);
        assert_eq!((cache.get(&"a"), cache.get(&"b")), (Some(1), None));
        cache.remove(&"a");
        assert_eq!(cache.get(&"a"), None);
        let expired = TtlCache::new(Duration::ZERO);
        expired.insert("a", 1);
        assert_eq!(expired.get(&"a"), None);
    }
}
