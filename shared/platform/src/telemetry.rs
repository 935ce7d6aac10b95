//! Logs and metrics. Both are JSON lines on standard output that hold ids, states and categories, and nothing personal.

use std::{io::Write, panic};

use lambda_runtime::Context;
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, CallId, TenantId},
};
use serde_json::{Map, Value, json};
use tracing::{Span, level_filters::LevelFilter};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{settings, trace::TraceHeader};

/// CloudWatch's namespace for every metric of ours, where the template names none. Each stack has its own, so that two of
/// one account are told apart.
const NAMESPACE: &str = "Frontdesk";

/// Sends logs to standard output, one JSON object a line with the fields of its spans beside its own.
///
/// A panic leaves a line with its place alone: its message may quote what was being handled.
pub fn init() {
    let mut lines = json_subscriber::JsonLayer::stdout();
    lines.with_timer("timestamp", tracing_subscriber::fmt::time::SystemTime);
    lines.with_level("level");
    lines.with_flattened_event();
    lines.with_top_level_flattened_span_list();
    // The SDKs' own lines may quote requests.
    let ours = tracing_subscriber::filter::Targets::new()
        .with_default(LevelFilter::OFF)
        .with_targets(OUR_CRATES.map(|name| (name, LevelFilter::INFO)));
    // A second call, as in tests, leaves the first one's in place.
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(target: "platform", place, "a handler panicked");
    }));
}

const OUR_CRATES: [&str; 12] = [
    "calcom",
    "calcom_booking",
    "past_cleanup",
    "platform",
    "publishing",
    "quality",
    "quality_monitor",
    "retell",
    "scheduling",
    "staff_assignment",
    "sync_reconciler",
    "webhook_intake",
];

/// What a line is about. Every line of a piece of work carries it.
#[derive(Debug, Clone, Default)]
pub struct LogContext {
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The trace that it belongs to.
    pub trace: Option<TraceHeader>,
    /// The business.
    pub tenant: Option<TenantId>,
    /// The call.
    pub call: Option<CallId>,
    /// The appointment.
    pub appointment: Option<AppointmentId>,
}

impl LogContext {
    /// The subject of a piece of work about an appointment.
    #[must_use]
    pub fn about(&self, appointment: &Appointment) -> Self {
        Self {
            tenant: Some(appointment.tenant.clone()),
            call: Some(appointment.call.clone()),
            appointment: Some(appointment.id.clone()),
            ..self.clone()
        }
    }

    /// The subject of an invocation that is not yet about anything.
    pub fn of_request(context: &Context) -> Self {
        let trace = context.xray_trace_id.as_deref().and_then(TraceHeader::read);
        Self { request_id: context.request_id.clone(), trace, ..Self::default() }
    }

    /// A span that gives every line inside it these ids.
    pub fn span(&self) -> Span {
        tracing::info_span!(
            target: "platform",
            "work",
            request_id = self.request_id,
            trace_id = self.trace.as_ref().map(TraceHeader::id),
            tenant = self.tenant.as_ref().map(TenantId::as_str),
            call_id = self.call.as_ref().map(CallId::as_str),
            appointment_id = self.appointment.as_ref().map(AppointmentId::as_str),
        )
    }
}

/// A value in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// So many.
    Count(u64),
    /// So long.
    Seconds(f64),
    /// From 0 to 1.
    Ratio(f64),
}

/// Counts things for CloudWatch, as lines in its embedded metric format.
#[derive(Debug, Clone)]
pub struct Metrics {
    function: &'static str,
    namespace: String,
    version: String,
}

impl Metrics {
    /// Metrics of one function.
    pub fn new(function: &'static str) -> Self {
        let namespace = settings::required("METRICS_NAMESPACE").unwrap_or_else(|_| NAMESPACE.to_owned());
        Self { function, namespace, version: settings::deployed_version() }
    }

    /// The function that these are metrics of.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// Counts `name` once more. `kind` tells apart what is counted under one name; it must be one of few words, since
    /// CloudWatch bills each. The subject's ids stand in the line and are no dimensions.
    pub fn count(&self, name: &str, kind: Option<&str>, subject: &LogContext) {
        self.record(name, Unit::Count(1), kind, subject);
    }

    /// Records a value of `name`. For the rest it is like [`Self::count`].
    pub fn record(&self, name: &str, value: Unit, kind: Option<&str>, subject: &LogContext) {
        let line = self.line(name, value, kind, subject, chrono::Utc::now().timestamp_millis());
        // Standard output that is gone takes the logs along; there is nobody left to tell.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    fn line(&self, name: &str, value: Unit, kind: Option<&str>, subject: &LogContext, at_ms: i64) -> Value {
        let (unit, value) = match value {
            Unit::Count(count) => ("Count", json!(count)),
            Unit::Seconds(seconds) => ("Seconds", json!(seconds)),
            Unit::Ratio(share) => ("None", json!(share)),
        };
        let mut line = Map::new();
        let mut dimensions = vec!["function"];
        line.insert("function".to_owned(), json!(self.function));
        if let Some(kind) = kind {
            dimensions.push("kind");
            line.insert("kind".to_owned(), json!(kind));
        }
        line.insert(
            "_aws".to_owned(),
            json!({"Timestamp": at_ms, "CloudWatchMetrics": [{
                "Namespace": self.namespace,
                "Dimensions": [dimensions],
                "Metrics": [{"Name": name, "Unit": unit}],
            }]}),
        );
        line.insert(name.to_owned(), value);
        line.insert("version".to_owned(), json!(self.version));
        line.insert("request_id".to_owned(), json!(subject.request_id));
        line.insert("tenant".to_owned(), json!(subject.tenant));
        line.insert("call_id".to_owned(), json!(subject.call));
        line.insert("appointment_id".to_owned(), json!(subject.appointment));
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_a_line_in_the_embedded_metric_format() {
        let metrics =
            Metrics { function: "webhook-intake", namespace: "Frontdesk/test".to_owned(), version: "7".to_owned() };
        let subject =
            LogContext { request_id: "r1".to_owned(), tenant: Some(TenantId::new("salon")), ..LogContext::default() };
        assert_eq!(
            metrics.line("WebhookRefused", Unit::Count(1), Some("stale"), &subject, 5),
            json!({
                "_aws": {"Timestamp": 5, "CloudWatchMetrics": [{
                    "Namespace": "Frontdesk/test",
                    "Dimensions": [["function", "kind"]],
                    "Metrics": [{"Name": "WebhookRefused", "Unit": "Count"}]}]},
                "WebhookRefused": 1, "function": "webhook-intake", "kind": "stale", "version": "7",
                "request_id": "r1", "tenant": "salon", "call_id": null, "appointment_id": null,
            })
        );
    }
}
