//! What is missing of a call, by what Retell says of it and what is stored.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use retell::event::{Call, CallProgress};
use scheduling::timing::Timing;

/// The event that holds what the caller wants.
pub const ANALYZED: &str = "call_analyzed";
/// A call that is still under way after this time is abandoned.
const MAX_CALL_DURATION: chrono::TimeDelta = chrono::TimeDelta::hours(3);

/// What is missing of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Complete,
    /// Its webhooks, or its analysis, may still come.
    Underway,
    /// Its webhooks never arrived: it is to be fetched.
    Missing,
}

/// Judges a call by its entry in Retell's list, before anything is looked up.
pub fn judge_listed(call: &Call, timing: &Timing, now: DateTime<Utc>) -> Option<Verdict> {
    match (call.progress(), call.ended_at()) {
        (CallProgress::Underway, _) => {
            let is_abandoned = call.began_at().is_none_or(|began_at| began_at + MAX_CALL_DURATION < now);
            Some(if is_abandoned { Verdict::Complete } else { Verdict::Underway })
        }
        (_, Some(ended_at)) if ended_at + timing.webhook_delay > now => Some(Verdict::Underway),
        _ => None,
    }
}

/// Judges a call that has ended, by the names of its stored events.
pub fn judge_ended(call: &Call, stored: &BTreeSet<String>) -> Verdict {
    let is_complete = match call.progress() {
        CallProgress::NotConnected => !stored.is_empty(),
        CallProgress::Underway | CallProgress::Connected => stored.contains(ANALYZED),
    };
    if is_complete { Verdict::Complete } else { Verdict::Missing }
}

/// Whether the analysis of a call that has none may still come.
pub fn is_analysis_due(call: &Call, timing: &Timing, now: DateTime<Utc>) -> bool {
    call.progress() == CallProgress::Connected && !is_analysis_overdue(call, timing, now)
}

/// Whether Retell should have analyzed a call by now.
pub fn is_analysis_overdue(call: &Call, timing: &Timing, now: DateTime<Utc>) -> bool {
    let is_due = call.ended_at().is_none_or(|ended_at| ended_at + timing.analysis_delay <= now);
    call.progress() == CallProgress::Connected && is_due
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }

    fn call(status: &str, began: &str, ended: Option<&str>) -> Call {
        let ms = |at: &str| at.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
        let ended: Value = ended.map(ms).into();
        let fields =
            json!({"call_id": "c", "call_status": status, "start_timestamp": ms(began), "end_timestamp": ended});
        serde_json::from_value(fields).unwrap()
    }

    fn judged(call: &Call) -> Option<Verdict> {
        judge_listed(call, &Timing::default(), now())
    }

    #[test]
    fn a_call_is_not_looked_up_before_its_webhooks_have_had_their_time() {
        let ended = |at| judged(&call("ended", "2026-11-26T11:50:00Z", Some(at)));
        assert_eq!(ended("2026-11-26T11:56:00Z"), Some(Verdict::Underway));
        assert_eq!(ended("2026-11-26T11:54:00Z"), None);
        assert_eq!(judged(&call("ongoing", "2026-11-26T11:50:00Z", None)), Some(Verdict::Underway));
    }

    #[test]
    fn a_call_that_never_began_is_not_waited_for() {
        assert_eq!(judged(&call("registered", "2026-11-26T08:00:00Z", None)), Some(Verdict::Complete));
    }

    #[test]
    fn only_the_analysis_makes_a_connected_call_complete() {
        let stored = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let connected = call("ended", "2026-11-26T11:00:00Z", Some("2026-11-26T11:05:00Z"));
        assert_eq!(judge_ended(&connected, &stored(&["call_started", "call_ended"])), Verdict::Missing);
        assert_eq!(judge_ended(&connected, &stored(&["call_analyzed"])), Verdict::Complete);
        let missed = call("not_connected", "2026-11-26T11:00:00Z", None);
        assert_eq!(judge_ended(&missed, &stored(&["call_ended"])), Verdict::Complete);
        assert_eq!(judge_ended(&missed, &stored(&[])), Verdict::Missing);
    }

    #[test]
    fn an_analysis_has_half_an_hour() {
        let overdue = |ended| {
            let call = call("ended", "2026-11-26T11:00:00Z", Some(ended));
            is_analysis_overdue(&call, &Timing::default(), now())
        };
        assert!(overdue("2026-11-26T11:30:00Z") && !overdue("2026-11-26T11:31:00Z"));
        let missed = call("not_connected", "2026-11-26T11:50:00Z", Some("2026-11-26T11:51:00Z"));
        assert!(!is_analysis_due(&missed, &Timing::default(), now()), "nobody waits for it");
        assert!(!is_analysis_overdue(&call("not_connected", "2026-11-26T08:00:00Z", None), &Timing::default(), now()));
    }
}
