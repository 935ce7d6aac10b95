//! Counters, alerts and the report.

use chrono::{TimeDelta, Utc};
use end_to_end::{Alerts, Salon, SalonForm, counters, differences, recount, soon};
use quality::{
    rate::Rate,
    report::Report,
    rules::{Evaluation, Scope, Verdict},
};
use scheduling::{appointment::StateName, ids::AppointmentId};
use serde_json::{Value, json};
use store::Alert;
use uuid::Uuid;

async fn monitor(salon: &Salon) -> Value {
    let answer = salon.stack.invoke("quality-monitor", &json!({})).await;
    assert!(answer["report"].is_object(), "{answer}");
    answer
}

/// A start of its own for each.
fn half_hours() -> impl Iterator<Item = String> {
    (9..18).flat_map(|hour| [0, 30].map(|minute| soon(hour, minute).0))
}

async fn settled(salon: &Salon, count: usize) -> Vec<AppointmentId> {
    let mut ids = Vec::new();
    for start in half_hours().take(count) {
        ids.push(salon.settle(&salon.haircut_at(&start)).await.id);
    }
    ids
}

async fn differences_of(salon: &Salon, ids: &[AppointmentId]) -> Vec<String> {
    let mut appointments = Vec::new();
    for id in ids {
        appointments.push(salon.stack.appointment(id).await);
    }
    let counted = counters(&salon.stack, &[&salon.tenant], Utc::now() - TimeDelta::days(1)).await;
    differences(&counted, &recount(&salon.stack, &appointments).await)
}

#[tokio::test]
async fn counters_equal_a_recount_whatever_comes_twice_and_whatever_is_corrected() {
    let salon = Salon::with(SalonForm {
        hosts: Some(vec![(Uuid::new_v4().as_u64_pair().0 >> 20, "stranger@other.example".to_owned())]),
        ..SalonForm::default()
    })
    .await;
    let mut ids = Vec::new();
    for start in half_hours().take(4) {
        let call = salon.haircut_at(&start);
        let (first, second) = tokio::join!(salon.deliver(&call), salon.deliver(&call));
        assert_eq!(first, second);
        let (one, other) = tokio::join!(monitor(&salon), monitor(&salon));
        assert!(one["counted"].is_number() && other["counted"].is_number());
        salon.stack.until_settled(&first).await;
        ids.push(first);
    }
    monitor(&salon).await;
    assert_eq!(differences_of(&salon, &ids).await, Vec::<String>::new());
    salon.assign_by_operator(&ids[0], "anna").await;
    assert!(!differences_of(&salon, &ids).await.is_empty(), "nobody has counted the correction yet");
    tokio::join!(monitor(&salon), monitor(&salon));
    assert_eq!(differences_of(&salon, &ids).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_alert_is_told_once_when_it_rises_and_once_when_it_clears() {
    let salon = Salon::with(SalonForm {
        event_type: json!({"host_when_booked": "empty", "host_when_read": "empty"}),
        ..SalonForm::default()
    })
    .await;
    let alerts = Alerts::subscribe(&salon.stack).await;
    let ours = format!("day_without_staff (tenant {})", salon.tenant);
    let ids = settled(&salon, 2).await;
    monitor(&salon).await;
    assert_eq!(alerts.received(&ours).await, [], "two are too few to tell");
    settled_later(&salon).await;
    for _ in 0..3 {
        monitor(&salon).await;
    }
    let raised = alerts.received(&ours).await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert!(raised[0].subject.starts_with("Frontdesk ALERT"), "{raised:?}");
    for word in
        ["staff_assignment is 0 % (0 of 3)", "host_extraction: no_host_in_booking", "frontdesk appointment review"]
    {
        assert!(raised[0].text.contains(word), "{word}: {}", raised[0].text);
    }
    salon.assign_by_operator(&ids[0], "anna").await;
    for _ in 0..3 {
        monitor(&salon).await;
    }
    let cleared = alerts.received(&ours).await;
    assert_eq!(cleared.len(), 1, "{cleared:?}");
    assert!(cleared[0].subject.starts_with("Frontdesk cleared"), "{cleared:?}");
}

#[tokio::test]
async fn a_monitor_that_has_read_older_figures_raises_nothing_that_is_cleared() {
    let salon = Salon::open().await;
    let counters = &salon.stack.counters;
    // Later than any monitor of another test, so that none has a say.
    let beginning = Utc::now() + TimeDelta::days(365);
    let read_at = |seconds: i64, raised: bool| Alert {
        evaluation: Evaluation {
            rule: "staff_assignment_low".to_owned(),
            scope: Scope::Tenant(salon.tenant.clone()),
            verdict: Verdict::TooFew,
        },
        raised,
        since: beginning + TimeDelta::seconds(seconds),
        notified: false,
    };
    for (seconds, raised) in [(10, true), (30, false)] {
        assert!(counters.transition_alert(&read_at(seconds, raised)).await.unwrap());
        counters.mark_notified(&read_at(seconds, raised)).await.unwrap();
    }
    assert!(!counters.transition_alert(&read_at(20, true)).await.unwrap());
    assert!(counters.transition_alert(&read_at(40, true)).await.unwrap());
    assert!(!counters.transition_alert(&read_at(35, false)).await.unwrap());
}

#[tokio::test]
async fn an_alert_of_which_nothing_is_heard_any_more_is_cleared_so_that_the_next_one_is_told() {
    let salon = Salon::open().await;
    let alerts = Alerts::subscribe(&salon.stack).await;
    let evaluation = |rule: &str| Evaluation {
        rule: rule.to_owned(),
        scope: Scope::Tenant(salon.tenant.clone()),
        verdict: Verdict::TooFew,
    };
    let raised = |rule: &str, days: i64| Alert {
        evaluation: evaluation(rule),
        raised: true,
        since: Utc::now() - TimeDelta::days(days),
        notified: true,
    };
    for alert in [raised("day_without_staff", 3), raised("staff_assignment_low", 1), raised("a_rule_of_old", 1)] {
        assert!(salon.stack.counters.transition_alert(&alert).await.unwrap());
    }
    monitor(&salon).await;
    monitor(&salon).await;
    let sent = alerts.received(salon.tenant.as_str()).await;
    let mut subjects: Vec<&str> = sent.iter().map(|sent| sent.subject.split(" (").next().unwrap()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["Frontdesk cleared: a_rule_of_old", "Frontdesk cleared: day_without_staff"]);
}

#[tokio::test]
async fn an_alert_of_which_nobody_was_told_is_told_by_the_next_run() {
    let salon = Salon::open().await;
    let alerts = Alerts::subscribe(&salon.stack).await;
    let evaluation = Evaluation {
        rule: "staff_assignment_low".to_owned(),
        scope: Scope::Tenant(salon.tenant.clone()),
        verdict: Verdict::TooFew,
    };
    let untold = Alert { evaluation, raised: true, since: Utc::now() - TimeDelta::hours(1), notified: false };
    assert!(salon.stack.counters.transition_alert(&untold).await.unwrap());
    for _ in 0..3 {
        monitor(&salon).await;
    }
    assert_eq!(alerts.received(salon.tenant.as_str()).await.len(), 1);
}

async fn settled_later(salon: &Salon) {
    let start = soon(17, 30).0;
    assert_eq!(salon.settle(&salon.haircut_at(&start)).await.state().name(), StateName::NeedsReview);
}

#[tokio::test]
async fn the_daily_report_is_sent_once_with_its_page_and_its_rates_reach_cloudwatch() {
    let salon = Salon::open().await;
    let alerts = Alerts::subscribe(&salon.stack).await;
    settled(&salon, 1).await;
    let answer = salon.stack.invoke("quality-monitor", &json!({"daily": true})).await;
    let report: Report = serde_json::from_value(answer["report"].clone()).unwrap();
    salon.stack.invoke("quality-monitor", &json!({"daily": true})).await;
    let sent = alerts.received("Frontdesk quality report,").await;
    assert_eq!(sent.len(), 1, "a schedule may invoke twice");
    let found = sent.iter().find(|one| one.text.contains(&format!("{} appointments", report.overall.appointments)));
    let text = &found.expect("the report is sent").text;
    assert!(text.contains("Has a staff member") && text.contains("call to assigned"), "{text}");
    let link = text.split_whitespace().find(|word| word.starts_with("http")).expect("a link");
    let page = salon.stack.http.get(link).send().await.unwrap().error_for_status().unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = page.text().await.unwrap();
    let share = report.overall.rate(Rate::StaffAssignment);
    assert!(page.contains(&format!("data-met=\"{}\" data-of=\"{}\"", share.met, share.of)), "{share}");
    let lines = salon.stack.log_lines("quality-monitor").await;
    let rate = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| {
        line["kind"] == "staff_assignment" && line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] == "Rate"
    });
    assert!(rate.is_some_and(|line| line["Rate"].as_f64().is_some_and(|rate| (0.0..=1.0).contains(&rate))));
    let took = salon.stack.log_lines("staff-assignment").await;
    assert!(took.iter().any(|line| line.contains("TimeToAssigned") && line.contains("\"Unit\":\"Seconds\"")));
}
