//! The slots that Cal.com listed lately.

use std::{sync::Arc, time::Duration};

use calcom::SlotsWindow;
use chrono::{DateTime, Utc};
use platform::ttl_cache::TtlCache;
use scheduling::ids::{AccountName, EventTypeId, HostId};

/// A caller who asks twice within this time hears the same, and Cal.com is asked once.
const TTL: Duration = Duration::from_secs(10);

/// Whose slots: of an account's event type, or of one of its hosts.
pub(crate) type SlotsOf = (AccountName, EventTypeId, Option<HostId>);

/// The slots that Cal.com listed lately.
pub(crate) struct SlotCache {
    listed: TtlCache<SlotsOf, Arc<Listed>>,
}

struct Listed {
    window: SlotsWindow,
    slots: Vec<DateTime<Utc>>,
}

impl Default for SlotCache {
    fn default() -> Self {
        Self { listed: TtlCache::new(TTL) }
    }
}

impl SlotCache {
    /// What was listed, if that covers the window.
    pub(crate) fn get(&self, of: &SlotsOf, window: SlotsWindow) -> Option<Vec<DateTime<Utc>>> {
        let covers = |listed: &Arc<Listed>| listed.window.start <= window.start && listed.window.end >= window.end;
        self.listed.get(of).filter(covers).map(|listed| listed.slots.clone())
    }

    pub(crate) fn insert(&self, of: SlotsOf, window: SlotsWindow, slots: Vec<DateTime<Utc>>) {
        self.listed.insert(of, Arc::new(Listed { window, slots }));
    }

    /// Forgets what was listed of an account: a booking was made or changed.
    pub(crate) fn forget(&self, account: &AccountName) {
        self.listed.remove_all(|(of, _, _)| of == account);
    }
}
