//! Reads a list of bookings by windows of time.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::{request::utc, response::Row};

/// How many bookings Cal.com lists at once at the most.
pub const PAGE: usize = 250;

/// Where reading a list continues.
///
/// `skip` over rows that tie in the sort key loses some, since their order may be another one on the next page. So each
/// page begins at the time at which the last one ended, that time included, and rows that are known are passed over.
/// Only where more rows tie than fit on a page are they skipped.
#[derive(Debug, Clone)]
pub struct ListCursor {
    from: DateTime<Utc>,
    skip: usize,
    seen: BTreeSet<String>,
    is_done: bool,
}

impl ListCursor {
    /// Begins with the bookings that were made at `from`.
    pub fn new(from: DateTime<Utc>) -> Self {
        Self { from, skip: 0, seen: BTreeSet::new(), is_done: false }
    }

    /// The time from which the list is still to be read.
    pub fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// Whether the list has been read to its end.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// The parameters of the next page.
    pub(crate) fn parameters(&self) -> [(&'static str, String); 4] {
        [
            ("afterCreatedAt", utc(self.from)),
            ("sortCreated", "asc".to_owned()),
            ("take", PAGE.to_string()),
            ("skip", self.skip.to_string()),
        ]
    }

    /// Moves past a page, and returns which of its rows are new. A page may be short because a row vanished meanwhile:
    /// only one that brings nothing new is the last.
    pub(crate) fn advance(&mut self, rows: &[Row]) -> Vec<bool> {
        let is_new: Vec<bool> = rows.iter().map(|row| self.seen.insert(row.identity.clone())).collect();
        let newest = rows.iter().filter_map(|row| row.made_at).max();
        match newest {
            Some(newest) if newest > self.from => (self.from, self.skip) = (newest, 0),
            _ => self.skip += rows.len(),
        }
        self.is_done = rows.is_empty() || (!is_new.contains(&true) && rows.len() < PAGE);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    /// Cal.com's list: sorted by time, and in another order of ties for each page.
    fn page(all: &[Row], cursor: &ListCursor, turn: usize) -> Vec<Row> {
        let mut listed: Vec<Row> = all.iter().filter(|row| row.made_at >= Some(cursor.from)).cloned().collect();
        if turn.is_multiple_of(2) {
            listed.reverse();
        }
        listed.sort_by_key(|row| row.made_at);
        listed.into_iter().skip(cursor.skip).take(PAGE).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_booking_is_read_once_whatever_ties(times in proptest::collection::vec(0_i64..40, 0..900)) {
            let all: Vec<Row> = times.iter().enumerate().map(|(nth, second)| Row {
                identity: nth.to_string(),
                made_at: Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(*second)),
                is_ours: false,
            }).collect();
            let mut cursor = ListCursor::new(DateTime::UNIX_EPOCH);
            let (mut read, mut turn) = (0, 0);
            while !cursor.is_done() {
                let rows = page(&all, &cursor, turn);
                read += cursor.advance(&rows).into_iter().filter(|is_new| *is_new).count();
                turn += 1;
                prop_assert!(turn < 100, "it ends");
            }
            prop_assert_eq!(read, all.len());
        }
    }
}
