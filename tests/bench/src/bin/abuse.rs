//! `abuse PLAN`: what is tried against the webhook, what it answers, and what that costs. Ends with status 1 where either
//! is not as it should be. `tests/run alone` starts it.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use bench::{
    calls::{self, Calls},
    harness::Harness,
    measurements::print_table,
    plan::Plan,
    process::Process,
};
use chrono::{TimeDelta, Utc};
use clap::Parser;
use serde_json::{Value, json};

/// What is tried against the webhook, what it answers, and what that costs.
#[derive(Parser)]
struct Arguments {
    /// What is run, as `tests/run alone` writes it.
    plan: PathBuf,
}

/// A flood is so many.
const MANY: usize = 1000;
/// What intake may hold in memory after all of it, in bytes.
const MOST_MEMORY: u64 = 64_000_000;

/// One thing that is tried.
struct Try {
    what: String,
    event: Value,
    times: usize,
    /// The answer's status and its word.
    expected: &'static str,
    /// How many requests to DynamoDB each may cost.
    most_dynamodb: usize,
}

fn once(what: &str, event: Value, expected: &'static str) -> Try {
    Try { what: what.to_owned(), event, times: 1, expected, most_dynamodb: 0 }
}

#[tokio::main]
async fn main() -> ExitCode {
    let plan = Plan::read(&Arguments::parse().plan);
    let harness = Harness::start(&plan).await;
    bench::load_tenant(&plan, &harness).await;
    let log = plan.scratch.join("abuse.log");
    let intake = Process::start("webhook-intake", plan.contender("webhook-intake"), &harness.environment(), &log).await;
    intake.api.ready().await;
    let mut calls = Calls::like(&plan);
    let before = calls.make().to_string();
    intake.api.invoke(&calls::as_event(&before)).await;
    harness.asked();
    let mut is_right = true;
    let mut rows = Vec::new();
    for tried in everything(&mut calls, &before) {
        let mut answered = BTreeMap::<String, usize>::new();
        for _ in 0..tried.times {
            *answered.entry(told(&intake.api.invoke_raw(tried.event.to_string(), "").await.body)).or_default() += 1;
        }
        let asked = harness.asked();
        let to = |service: &str| {
            let counts = asked.iter().filter(|(kind, _)| kind.starts_with(service)).map(|(_, count)| *count as usize);
            counts.sum::<usize>()
        };
        let expected = tried.expected;
        let as_expected = answered.keys().all(|answer| answer == expected);
        // A key may have been changed, so that wrong signatures have the keys read again, once in a while.
        let is_cheap = to("DynamoDB") <= tried.most_dynamodb * tried.times && to("Secrets") <= 1;
        is_right &= as_expected && is_cheap;
        let answers = answered.keys().cloned().collect::<Vec<_>>().join(", ");
        rows.push(vec![
            tried.what,
            tried.times.to_string(),
            if as_expected { answers } else { format!("{answers}, and not {expected}") },
            to("DynamoDB").to_string(),
            to("SQS").to_string(),
            to("Secrets").to_string(),
        ]);
    }
    print_table(&["what is tried", "times", "answer", "DynamoDB", "SQS", "secrets"], &rows);
    let resident = intake.resident();
    println!("\nAfter all of it the same process holds {:.1} MB", resident as f64 / 1e6);
    let logged = std::fs::read_to_string(&log).expect("it has logged");
    let personal = ["Erika", "901821", "beispiel.example"].into_iter().filter(|text| logged.contains(text)).count();
    println!("and its log has {personal} lines with anything personal.");
    if is_right && resident <= MOST_MEMORY && personal == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn told(answer: &Result<Value, Value>) -> String {
    match answer {
        Ok(answer) => {
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
            format!("{} {}", answer["statusCode"], body["error"].as_str().unwrap_or_default()).trim_end().to_owned()
        }
        Err(error) => {
            let kind = error["errorType"].as_str().unwrap_or_default();
            format!("failed: {}", kind.rsplit("::").next().unwrap_or_default())
        }
    }
}

fn everything(calls: &mut Calls, before: &str) -> Vec<Try> {
    let mut all = signatures(calls);
    all.extend(replays(calls, before));
    all.extend(bodies(calls));
    all.extend(headers(calls));
    all.push(once("after all that, a call as it should be", calls::as_event(&calls.make().to_string()), "200"));
    if let Some(last) = all.last_mut() {
        // The tenant may have to be read again by now.
        last.most_dynamodb = 3;
    }
    all
}

fn signatures(calls: &mut Calls) -> Vec<Try> {
    let body = calls.make().to_string();
    let sign = |minutes: i64| calls::sign(body.as_bytes(), Utc::now() + TimeDelta::minutes(minutes));
    let flood = |what: &str, signature: Option<String>, word| Try {
        what: what.to_owned(),
        event: calls::with_signature(&body, signature),
        times: MANY,
        expected: word,
        most_dynamodb: 0,
    };
    let wrong = sign(0).replace(",d=", ",d=0")[..sign(0).len()].to_owned();
    vec![
        flood("no signature", None, "401 signature_missing"),
        flood("a signature of another form", Some("sha256=0123".to_owned()), "401 signature_malformed"),
        flood("a wrong signature", Some(wrong), "401 signature_wrong"),
        flood("a signature that is six minutes old", Some(sign(-6)), "401 signature_stale"),
        flood("a signature of six minutes from now", Some(sign(6)), "401 signature_stale"),
        once("the signature of another body", calls::with_signature("{}", Some(sign(0))), "401 signature_wrong"),
    ]
}

fn replays(calls: &mut Calls, before: &str) -> Vec<Try> {
    let ended = json!({"event": "call_ended", "call": calls.make()["call"]}).to_string();
    vec![
        Try {
            what: "the same call again, within five minutes".to_owned(),
            event: calls::as_event(before),
            times: 100,
            expected: ("200"),
            // It is written, and what tools did in the call is read.
            most_dynamodb: 2,
        },
        Try {
            what: "a call that asks for nothing, again and again".to_owned(),
            event: calls::as_event(&ended),
            times: 100,
            expected: ("200"),
            // Its caller, and that it is stored already.
            most_dynamodb: 2,
        },
    ]
}

fn bodies(calls: &mut Calls) -> Vec<Try> {
    let signed = |body: &str| calls::as_event(body);
    let in_base64 = |body: &[u8]| {
        let mut event = calls::with_signature("", Some(calls::sign(body, Utc::now())));
        event["body"] = json!(bench::base64(body));
        event["isBase64Encoded"] = json!(true);
        event
    };
    let gzipped = {
        let mut event = in_base64(&bench::gzip(calls.make().to_string().as_bytes()));
        event["headers"]["content-encoding"] = json!("gzip");
        event
    };
    let call = calls.make();
    let with = |path: &str, value: Value| {
        let mut call = call.clone();
        call["call"][path] = value;
        call.to_string()
    };
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let in_notes = |text: &str| call.to_string().replacen(r#""lange Haare""#, text, 1);
    let in_what_nobody_reads =
        |text: &str| call.to_string().replacen(r#""metadata":{}"#, &format!(r#""metadata":{text}"#), 1);
    vec![
        once("4 MiB and a byte", signed(&"x".repeat(4 * 1024 * 1024 + 1)), "400 not_json"),
        once("the same in base64", in_base64(&vec![b'x'; 4 * 1024 * 1024 + 1]), "400 not_json"),
        once("4 MiB of nothing, signed", signed(&" ".repeat(4 * 1024 * 1024)), "400 not_json"),
        once("100,000 levels of lists", signed(&nested(100_000)), "400 not_a_retell_event"),
        once("100,000 levels where the notes belong", signed(&in_notes(&nested(100_000))), "400 not_json"),
        Try {
            most_dynamodb: 3,
            ..once("100,000 levels in what nobody reads", signed(&in_what_nobody_reads(&nested(100_000))), "200")
        },
        once("bytes that are no UTF-8", in_base64(b"{\"event\":\"\xff\xfe\"}"), "400 not_json"),
        once("gzip", gzipped, "400 not_json"),
        once(
            "a string where the call belongs",
            signed(r#"{"event":"call_analyzed","call":"x"}"#),
            "400 not_a_retell_event",
        ),
        once("a list", signed("[]"), "400 not_a_retell_event"),
        once("an empty body", signed(""), "400 not_json"),
        once(
            "an event name of ten kilobytes",
            signed(&json!({"event": "x".repeat(10_000), "call": call["call"]}).to_string()),
            "400 not_a_retell_event",
        ),
        once(
            "a call id of a megabyte",
            signed(&with("call_id", json!("x".repeat(1_000_000)))),
            "400 not_a_retell_event",
        ),
        once("a lone surrogate", signed(&in_notes(r#""\ud800""#)), "400 not_json"),
        once("a number beyond all numbers", signed(&in_notes("1e999999")), "400 not_json"),
        Try {
            most_dynamodb: 4,
            ..once(
                "an agent of nobody",
                signed(&with("agent_id", json!("agent_nobody")).replace("+4930901820", "+4930000000")),
                "200",
            )
        },
    ]
}

fn headers(calls: &mut Calls) -> Vec<Try> {
    let body = calls.make().to_string();
    let signature = calls::sign(body.as_bytes(), Utc::now());
    let with = |signature: String| calls::with_signature(&body, Some(signature));
    let mut in_query = calls::with_signature(&body, None);
    in_query["rawQueryString"] = json!(format!("x-retell-signature={signature}"));
    in_query["queryStringParameters"] = json!({"x-retell-signature": signature});
    let mut not_base64 = with(signature.clone());
    not_base64["isBase64Encoded"] = json!(true);
    let mut chunked = with(signature.clone());
    chunked["headers"]["transfer-encoding"] = json!("chunked");
    chunked["headers"].as_object_mut().expect("headers").remove("content-length");
    let mut false_length = calls::as_event(&calls.make().to_string());
    false_length["headers"]["content-length"] = json!("5");
    let (at, digest) = signature.split_once(",d=").expect("it has both");
    vec![
        once("the header twice", with(format!("{signature},{signature}")), "401 signature_malformed"),
        once("the digest in capitals", with(format!("{at},d={}", digest.to_uppercase())), "401 signature_malformed"),
        once("a zero before the time", with(format!("v=0{},d={digest}", &at[2..])), "401 signature_malformed"),
        once("a sign before the time", with(format!("v=+{},d={digest}", &at[2..])), "401 signature_malformed"),
        once("a time beyond all times", with(format!("v={},d={digest}", "9".repeat(40))), "401 signature_malformed"),
        once("a header of eight kilobytes", with("v=1".repeat(2_700)), "401 signature_malformed"),
        once("letters that are none of a header's", with("v=1,d=ä".to_owned()), "401 signature_missing"),
        once("the signature in the query", in_query, "401 signature_missing"),
        once("said to be base64, and is not", not_base64, "400 not_json"),
        Try { most_dynamodb: 3, ..once("chunked, without a length", chunked, "200") },
        Try { most_dynamodb: 3, ..once("a length that is not the body's", false_length, "200") },
        once("an event that is not API Gateway's", json!({"Records": []}), "failed: DeserializeError"),
    ]
}
