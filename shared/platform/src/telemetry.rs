//! Logs and metrics: JSON lines on standard output with ids, states and categories, and nothing personal.

use std::{io::Write, panic};

use lambda_runtime::Context;
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, CallId, TenantId},
};
use serde_json::{Map, Value, json};
use tracing::{Level, Span, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{env, queues::AppointmentMessage, trace::TraceHeader};

/// CloudWatch's namespace for our metrics, if the template names none. Each stack has its own, so that two stacks of one
/// account stay apart.
const NAMESPACE: &str = "Frontdesk";

/// The source paths of our own crates. The SDKs' log lines may quote requests, so they are dropped.
const OWN_SOURCES: [&str; 3] = ["functions/", "shared/", "infra/"];

/// Writes logs to standard output: one JSON object per line, with the fields of its spans.
///
/// A panic logs its location only: its message may quote personal data.
pub fn init() {
    let mut lines = json_subscriber::JsonLayer::stdout();
    lines.with_timer("timestamp", tracing_subscriber::fmt::time::SystemTime);
    lines.with_level("level");
    lines.with_flattened_event();
    lines.with_top_level_flattened_span_list();
    let own = filter_fn(|metadata| {
        let is_own = metadata.file().is_some_and(|file| OWN_SOURCES.iter().any(|source| file.starts_with(source)));
        is_own && *metadata.level() <= Level::INFO
    });
    let own = own.with_max_level_hint(LevelFilter::INFO);
    // A second call, as in tests, leaves the first subscriber in place.
    let _ = tracing_subscriber::registry().with(lines.with_filter(own)).try_init();
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "handler panicked");
    }));
}

/// What log lines and metrics are about: each carries these ids.
#[derive(Debug, Clone, Default)]
pub struct LogContext {
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The trace.
    pub trace: Option<TraceHeader>,
    /// The tenant.
    pub tenant: Option<TenantId>,
    /// The call.
    pub call: Option<CallId>,
    /// The appointment.
    pub appointment: Option<AppointmentId>,
}

impl LogContext {
    /// The context of an invocation.
    pub fn for_request(context: &Context) -> Self {
        let trace = context.xray_trace_id.as_deref().and_then(TraceHeader::parse);
        Self { request_id: context.request_id.clone(), trace, ..Self::default() }
    }

    /// The context of a message within this one.
    #[must_use]
    pub fn for_message(&self, message: &AppointmentMessage) -> Self {
        Self {
            trace: message.trace.clone(),
            tenant: Some(message.tenant.clone()),
            call: Some(message.call.clone()),
            appointment: Some(message.appointment.clone()),
            ..self.clone()
        }
    }

    /// The context of an appointment within this one.
    #[must_use]
    pub fn for_appointment(&self, appointment: &Appointment) -> Self {
        Self {
            tenant: Some(appointment.tenant.clone()),
            call: Some(appointment.call.clone()),
            appointment: Some(appointment.id.clone()),
            ..self.clone()
        }
    }

    /// A span that adds these ids to every line inside it.
    pub fn span(&self) -> Span {
        tracing::info_span!(
            "work",
            request_id = self.request_id,
            trace_id = self.trace.as_ref().map(TraceHeader::id),
            tenant = self.tenant.as_ref().map(TenantId::as_str),
            call_id = self.call.as_ref().map(CallId::as_str),
            appointment_id = self.appointment.as_ref().map(AppointmentId::as_str),
        )
    }
}

/// A value with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// A number of things.
    Count(u64),
    /// A duration.
    Seconds(f64),
    /// From 0 to 1.
    Ratio(f64),
}

/// Metrics for CloudWatch, as log lines in its embedded metric format.
#[derive(Debug, Clone)]
pub struct Metrics {
    function: &'static str,
    namespace: String,
    version: String,
}

impl Metrics {
    /// The metrics of one function.
    pub fn new(function: &'static str) -> Self {
        let namespace = env::optional("METRICS_NAMESPACE").unwrap_or_else(|| NAMESPACE.to_owned());
        Self { function, namespace, version: env::deployed_version() }
    }

    /// The function.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// Increments `name`. `kind` is a dimension, so it needs few values: CloudWatch bills each. The ids of `log`
    /// are in the line and are no dimensions.
    pub fn count(&self, name: &str, kind: Option<&str>, log: &LogContext) {
        self.record(name, Unit::Count(1), kind, log);
    }

    /// Records a value of `name`, like [`Self::count`].
    pub fn record(&self, name: &str, value: Unit, kind: Option<&str>, log: &LogContext) {
        let line = self.line(name, value, kind, log, chrono::Utc::now().timestamp_millis());
        // Without standard output there is no log to report the failure in.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    fn line(&self, name: &str, value: Unit, kind: Option<&str>, log: &LogContext, at_ms: i64) -> Value {
        let (unit, value) = match value {
            Unit::Count(count) => ("Count", json!(count)),
            Unit::Seconds(seconds) => ("Seconds", json!(seconds)),
            Unit::Ratio(ratio) => ("None", json!(ratio)),
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
        line.insert("request_id".to_owned(), json!(log.request_id));
        line.insert("tenant".to_owned(), json!(log.tenant));
        line.insert("call_id".to_owned(), json!(log.call));
        line.insert("appointment_id".to_owned(), json!(log.appointment));
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
        let log =
            LogContext { request_id: "r1".to_owned(), tenant: Some(TenantId::new("salon")), ..LogContext::default() };
        assert_eq!(
            metrics.line("WebhookRejected", Unit::Count(1), Some("signature_stale"), &log, 5),
            json!({
                "_aws": {"Timestamp": 5, "CloudWatchMetrics": [{
                    "Namespace": "Frontdesk/test",
                    "Dimensions": [["function", "kind"]],
                    "Metrics": [{"Name": "WebhookRejected", "Unit": "Count"}]}]},
                "WebhookRejected": 1, "function": "webhook-intake", "kind": "signature_stale", "version": "7",
                "request_id": "r1", "tenant": "salon", "call_id": null, "appointment_id": null,
            })
        );
    }
}
