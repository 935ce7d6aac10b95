//! Calls that ask for appointments, as many different ones as are wanted, as API Gateway hands them over.

use std::fs;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use retell::signature;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::plan::Plan;

/// The key with which the calls are signed.
pub const RETELL_KEY: &str = "key_bench";
/// Appointments follow each other without a gap, and begin early each day, after every change of the clocks.
const APART: TimeDelta = TimeDelta::minutes(30);
const PER_DAY: u64 = 34;

/// Makes calls.
pub struct Calls {
    like: Value,
    made: u64,
}

impl Calls {
    /// Calls like the plan's.
    pub fn like(plan: &Plan) -> Self {
        let text = fs::read_to_string(&plan.call).expect("the call can be read");
        Self { like: serde_json::from_str(&text).expect("it is JSON"), made: 0 }
    }

    /// A call of another customer for another time, not signed yet.
    pub fn make(&mut self) -> Value {
        let nth = self.made;
        self.made += 1;
        let day = Utc::now().with_timezone(&Berlin).date_naive() + Days::new(2 + nth / PER_DAY);
        let early = day.and_time(NaiveTime::from_hms_opt(5, 0, 0).expect("a time"));
        self.asking_for(nth, &(early + APART * (nth % PER_DAY) as i32).format("%Y-%m-%d %H:%M").to_string())
    }

    /// The same call's other events, as they come before its analysis.
    pub fn before(analyzed: &Value) -> [Value; 2] {
        let mut ended = analyzed.clone();
        ended["event"] = json!("call_ended");
        let call = ended["call"].as_object_mut().expect("it is a call");
        call.remove("call_analysis");
        let mut started = ended.clone();
        started["event"] = json!("call_started");
        let call = started["call"].as_object_mut().expect("it is a call");
        call.retain(|name, _| {
            !["transcript", "latency", "recording", "public_log", "call_cost", "end_", "duration", "collected"]
                .iter()
                .any(|long| name.starts_with(long))
        });
        [started, ended]
    }

    fn asking_for(&self, nth: u64, start: &str) -> Value {
        let mut call = self.like.clone();
        call["call"]["call_id"] = json!(format!("call_bench{nth:08}"));
        call["call"]["start_timestamp"] = json!(Utc::now().timestamp_millis());
        let number = format!("030{:07}", 2_000_000 + nth);
        call["call"]["from_number"] = json!(format!("+49{}", &number[1..]));
        let wish = &mut call["call"]["call_analysis"]["custom_analysis_data"];
        wish["appointment_start"] = json!(start);
        wish["customer_phone"] = json!(number);
        wish["customer_email"] = json!(format!("customer{nth}@example.org"));
        call
    }
}

/// The event in which API Gateway hands over this body, signed now.
pub fn as_event(body: &str) -> Value {
    with_signature(body, Some(sign(body.as_bytes(), Utc::now())))
}

/// Signs as Retell does.
pub fn sign(body: &[u8], at: DateTime<Utc>) -> String {
    signature::sign(&SecretString::from(RETELL_KEY.to_owned()), body, at)
}

/// The event in which API Gateway hands over this body with this signature.
pub fn with_signature(body: &str, signature: Option<String>) -> Value {
    let mut headers = json!({
        "content-type": "application/json", "content-length": body.len().to_string(), "host": "api.example.com",
        "user-agent": "retell", "x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https",
    });
    if let Some(signature) = signature {
        headers["x-retell-signature"] = json!(signature);
    }
    json!({
        "version": "2.0", "routeKey": "POST /webhooks/retell", "rawPath": "/webhooks/retell", "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "api.example.com", "domainPrefix": "api",
            "http": {"method": "POST", "path": "/webhooks/retell", "protocol": "HTTP/1.1", "sourceIp": "198.51.100.7",
                     "userAgent": "retell"},
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": "POST /webhooks/retell", "stage": "$default",
            "time": "01/Dec/2026:08:00:00 +0000", "timeEpoch": 1_796_112_000_000_u64,
        },
        "body": body, "isBase64Encoded": false,
    })
}

/// The event in which Lambda hands over these messages.
pub fn as_batch(messages: &[String], queue: &str) -> Value {
    let record = |(nth, body): (usize, &String)| {
        json!({
            "messageId": format!("0b7c1f5e-3d52-4c1a-9a5e-{nth:012}"), "receiptHandle": "AQEB", "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1", "SentTimestamp": "1796112000100", "SenderId": "AROA:frontdesk",
                "ApproximateFirstReceiveTimestamp": "1796112000150",
            },
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:eu-central-1:123456789012:{queue}"), "awsRegion": "eu-central-1",
        })
    };
    json!({"Records": messages.iter().enumerate().map(record).collect::<Vec<_>>()})
}
