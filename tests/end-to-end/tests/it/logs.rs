//! Nothing personal is logged.

use end_to_end::{MARK, MARKED_PHONE, Salon, eventually, soon, sqs_event};
use serde_json::{Value, json};

const FUNCTIONS: [&str; 6] =
    ["webhook-intake", "voice-tools", "calcom-booking", "staff-assignment", "past-cleanup", "sync-reconciler"];
const SWEEPS: [&str; 2] = ["past-cleanup", "sync-reconciler"];

#[tokio::test]
async fn no_log_line_of_any_function_holds_anything_personal() {
    let salon = Salon::open().await;
    let booked = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    salon.refuse_booking(&format!("{MARK} {MARKED_PHONE} is unheard of")).await;
    let unknown = salon.deliver(&salon.haircut_at(&soon(11, 0).0)).await;
    let nobodys = salon.call(json!({"service": MARK, "staff_member": MARK, "appointment_start": MARK}));
    salon.settle(&nobodys).await;
    salon.settle(&salon.haircut_at("2025-01-01 10:00")).await;
    let body = format!("{{\"event\": \"{MARK}\", {MARKED_PHONE}");
    let signature = end_to_end::Stack::sign(body.as_bytes(), chrono::Utc::now());
    assert_eq!(salon.stack.post(body.into_bytes(), Some(signature)).await.status, 400);
    let poison = sqs_event(&[&format!("{MARK} {MARKED_PHONE}")], 1);
    salon.stack.invoke("calcom-booking", &poison).await;
    salon.stack.invoke("staff-assignment", &poison).await;
    talk(&salon).await;
    let alone = crate::cleanup::SWEEPING.lock().await;
    for sweep in SWEEPS {
        salon.stack.invoke(sweep, &json!({})).await;
    }
    drop(alone);

    for function in FUNCTIONS {
        let lines = eventually(async || {
            let lines = salon.stack.log_lines(function).await;
            let about_us = lines.iter().any(|line| line.contains(salon.tenant.as_str()) || SWEEPS.contains(&function));
            (about_us && !lines.is_empty()).then_some(lines)
        });
        let lines = lines.await.unwrap_or_else(|| panic!("{function} logged nothing of {}", salon.tenant));
        for line in lines {
            let plain = line.to_lowercase();
            for mark in [MARK.to_lowercase(), MARKED_PHONE[1..].to_owned(), "cal_local".into(), "key_local".into()] {
                assert!(!plain.contains(&mark), "{function} logged something personal: {line}");
            }
        }
    }
    // The uid of a booking is enough to cancel it.
    let uid = booked.booking().unwrap().uid.as_str();
    for function in FUNCTIONS {
        let told = salon.stack.log_lines(function).await.into_iter().find(|line| line.contains(uid));
        assert_eq!(told, None, "{function} logged the uid of a booking");
    }
    let whole = [booked.id.as_str(), unknown.as_str()];
    for line in salon.stack.log_lines("calcom-booking").await {
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        if line["appointment_id"].as_str().is_some_and(|id| whole.contains(&id)) {
            for field in ["request_id", "tenant", "call_id"] {
                assert!(line[field].is_string(), "a line without {field}: {line}");
            }
        }
    }
}

/// A caller whose every word is personal uses every tool, some of them in vain.
async fn talk(salon: &Salon) {
    let caller = salon.called();
    let said = format!("{MARK} {MARKED_PHONE}11");
    salon.greet(&caller.phone).await;
    salon.refuse_booking(&format!("{MARK} {MARKED_PHONE} is unheard of")).await;
    let booking = |start: String| json!({"service": "Haarschnitt", "start": start, "name": MARK, "notes": said, "email": said, "staff": "Anna"});
    for start in [soon(12, 0).0, soon(13, 0).0, said.clone()] {
        caller.tool("book_appointment", &booking(start)).await;
    }
    for tool in ["check_availability", "find_appointments", "reschedule_appointment", "list_staff", "leave_message"] {
        let args = json!({"service": said, "wish": said, "start": said, "date": said, "text": said, "name": MARK});
        caller.tool(tool, &args).await;
    }
    caller.tool("cancel_appointment", &json!({})).await;
    caller.hang_up(json!({"service": said, "appointment_start": said, "customer_name": MARK})).await;
}
