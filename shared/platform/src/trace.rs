//! The trace from a webhook to its staff member.
//!
//! Lambda starts a trace with each invocation. Each message about an appointment carries the trace of the message or
//! webhook before it, so that X-Ray, and a search of the logs for `trace_id`, show all steps together.

use std::fmt;

/// X-Ray's header: `Root=1-...;Parent=...;Sampled=1`.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceHeader(String);

/// The longest header that is passed on: SQS bounds a system attribute.
const MAX_LENGTH: usize = 512;

impl TraceHeader {
    /// The header, if it is one that X-Ray makes.
    pub fn parse(header: &str) -> Option<Self> {
        let is_one = header.starts_with("Root=") && header.len() <= MAX_LENGTH && header.is_ascii();
        is_one.then(|| Self(header.to_owned()))
    }

    /// The header, to be passed on.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the trace alone.
    pub fn id(&self) -> &str {
        let root = self.0.split(';').next().unwrap_or_default();
        root.strip_prefix("Root=").unwrap_or(root)
    }
}

impl fmt::Debug for TraceHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_its_trace() {
        let header = TraceHeader::parse("Root=1-67a5b8c0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1");
        assert_eq!(header.unwrap().id(), "1-67a5b8c0-0123456789abcdef01234567");
        assert_eq!(TraceHeader::parse("Root=1-2-3").unwrap().id(), "1-2-3");
    }

    #[test]
    fn an_invalid_header_is_not_passed_on() {
        for text in ["", "Sampled=1", "Root=ü", &format!("Root={}", "x".repeat(MAX_LENGTH))] {
            assert_eq!(TraceHeader::parse(text), None, "{text}");
        }
    }
}
