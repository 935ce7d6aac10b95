//! What was measured.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

/// What many measurements of one thing come to, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    /// Half are below.
    pub p50: f64,
    /// All but one in a hundred are below.
    pub p99: f64,
}

impl Spread {
    /// Of these, in any order.
    pub fn of(mut measured: Vec<Duration>) -> Self {
        assert!(!measured.is_empty(), "nothing was measured");
        measured.sort_unstable();
        let at = |share: f64| {
            let rank = (measured.len() as f64 * share).ceil() as usize;
            milliseconds(measured[rank.clamp(1, measured.len()) - 1])
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }
}

/// The share of a core that 512 MB give.
const SHARE_AT_512_MB: f64 = 512.0 / 1769.0;

/// What it takes where the processor is shared: its CPU takes longer by as much, and its waiting as long as ever.
pub fn at_512_mb(taken: &[Duration], cpu: &[Duration]) -> Vec<Duration> {
    let slower = |(taken, cpu): (&Duration, &Duration)| taken.saturating_sub(*cpu) + cpu.div_f64(SHARE_AT_512_MB);
    taken.iter().zip(cpu).map(slower).collect()
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// All that is measured of one contender.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The bytes of its package, zipped.
    pub zipped: u64,
    /// From the start of its process until it asks for its first event.
    pub ready_ms: Spread,
    /// The CPU that it has taken until then.
    pub ready_cpu_ms: Spread,
    /// What it asks for until then.
    pub requests_to_ready: BTreeMap<String, u64>,
    /// Its first event.
    pub first_ms: Spread,
    /// The CPU of it.
    pub first_cpu_ms: Spread,
    /// Each further event.
    pub following_ms: Spread,
    /// The CPU of each.
    pub following_cpu_ms: Spread,
    /// The user's share of that, on average.
    pub following_user_cpu_ms: f64,
    /// How many further events there were.
    pub events: u64,
    /// What it holds in memory after them, in bytes.
    pub resident: u64,
    /// What it asks for per event, by kind.
    pub requests: BTreeMap<String, f64>,
    /// What DynamoDB bills per event: units read.
    pub read_units: f64,
    /// And written.
    pub write_units: f64,
    /// What it logs per event, in bytes.
    pub logged: f64,
}

/// What a webhook costs that requests no appointment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Webhook {
    /// The bytes of its body.
    pub bytes: usize,
    /// What DynamoDB bills: units written.
    pub write_units: f64,
    /// And read.
    pub read_units: f64,
    /// Objects written to S3.
    pub s3_puts: f64,
    /// Objects read from S3, or asked for.
    pub s3_gets: f64,
    /// How long it takes, in milliseconds.
    pub ms: f64,
    /// The CPU that it takes, in milliseconds.
    pub cpu_ms: f64,
    /// What it logs, in bytes.
    pub logged: f64,
}

impl Figures {
    /// All requests per event to what begins so.
    pub fn requests_to(&self, prefix: &str) -> f64 {
        self.requests.iter().filter(|(kind, _)| kind.starts_with(prefix)).map(|(_, count)| count).sum()
    }
}

/// Prints rows under headings, each column as wide as it needs.
pub fn print_table(headings: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        padded.collect::<Vec<_>>().join("  ")
    };
    println!("{}", line(headings.to_vec()));
    println!("{}", widths.iter().map(|&width| "-".repeat(width)).collect::<Vec<_>>().join("  "));
    for row in rows {
        println!("{}", line(row.iter().map(String::as_str).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_read_at_half_and_at_ninety_nine_of_a_hundred() {
        let spread = Spread::of((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!((spread.p50, spread.p99), (50.0, 99.0));
        let one = Spread::of(vec![Duration::from_micros(1500)]);
        assert_eq!((one.p50, one.p99), (1.5, 1.5));
    }
}
