//! From a booking's hosts to its staff member.

use chrono::Utc;
use end_to_end::{Salon, SalonForm, frontdesk, soon, sqs_event};
use scheduling::{
    appointment::{Appointment, Cause, ReviewBooking, ReviewReason, State, StateName},
    assignment::{HostMapping, MappingSource, StrategyName, Unassigned},
    booking::{HostEvidence, NoHost},
    failure::Category,
    ids::{HostId, StaffId},
};
use serde_json::json;

async fn salon_with_host(email: impl Fn(&Salon) -> String) -> Salon {
    let salon = Salon::open().await;
    let host = json!([{"id": salon.host("anna"), "name": "host", "email": email(&salon)}]);
    let event_type = json!({"id": 0, "minutes": 30, "time_zone": "Europe/Berlin", "hosts": host});
    salon.stack.stand_in(salon.haircut(), "", Some(&event_type)).await;
    salon
}

fn reason_of(appointment: &Appointment) -> Option<Unassigned> {
    match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Assignment(reason), booking: ReviewBooking::Booked(_), .. } => {
            Some(*reason)
        }
        _ => None,
    }
}

fn strategy_of(appointment: &Appointment) -> Option<(StrategyName, Option<HostId>)> {
    match appointment.state() {
        State::Assigned { assignment, .. } => Some((assignment.strategy, assignment.host)),
        _ => None,
    }
}

#[tokio::test]
async fn a_host_that_comes_as_unknown_is_asked_for_once_and_assigned() {
    let event_type = json!({"host_when_booked": "unknown"});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let host = HostId(salon.host("anna"));
    assert_eq!(strategy_of(&appointment), Some((StrategyName::HostEmail, Some(host))));
    let requests = salon.stack.stand_in(salon.haircut(), "/requests", None).await;
    assert_eq!(requests, json!({"slots": 1, "book": 1, "get": 1}));
    let exchanges = salon.stack.appointments.exchanges(&appointment.id).await.unwrap();
    assert_eq!(exchanges.len(), 2, "the answer to the booking and the one to the question are both kept");
}

#[tokio::test]
async fn a_host_that_stays_unknown_needs_review_with_the_reason_why_there_is_none() {
    for (form, reason) in [("unknown", NoHost::Unknown), ("empty", NoHost::Empty)] {
        let event_type = json!({"host_when_booked": form, "host_when_read": form});
        let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
        let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
        assert_eq!(reason_of(&appointment), Some(Unassigned::NoHostInBooking));
        assert_eq!(appointment.booking().unwrap().hosts, HostEvidence::None { reason, looked_up_again: true });
        let requests = salon.stack.stand_in(salon.haircut(), "/requests", None).await;
        assert_eq!(requests["get"], json!(1), "it is asked once");
    }
}

#[tokio::test]
async fn a_host_known_only_by_a_managed_users_email_is_assigned_and_known_by_its_id_next_time() {
    let salon = salon_with_host(|salon| salon.email("ANNA").replace('@', "+cm3k9x2v7p0q1r5s8t4u6w7y9@")).await;
    let host = HostId(salon.host("anna"));
    let first = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(strategy_of(&first), Some((StrategyName::HostEmail, Some(host))));
    let learned = salon.stack.tenants.mappings(&salon.tenant, &[host]).await.unwrap();
    assert_eq!((learned[0].staff.as_str(), learned[0].source), ("anna", MappingSource::HostEmail));
    let second = salon.settle(&salon.haircut_at(&soon(11, 0).0)).await;
    assert_eq!(strategy_of(&second), Some((StrategyName::HostMapping, Some(host))));
}

#[tokio::test]
async fn a_host_unknown_to_us_and_one_who_is_not_active_need_review() {
    let stranger = salon_with_host(|_| "stranger@elsewhere.example".to_owned()).await;
    let appointment = stranger.settle(&stranger.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(reason_of(&appointment), Some(Unassigned::HostUnknownToUs));
    let inactive = salon_with_host(|salon| salon.email("cem")).await;
    let appointment = inactive.settle(&inactive.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(reason_of(&appointment), Some(Unassigned::StaffInactive));
}

#[tokio::test]
async fn an_event_type_of_ones_own_is_enough_where_there_is_no_host() {
    let salon = Salon::open().await;
    let event_type = json!({"id": 0, "minutes": 30, "time_zone": "Europe/Berlin",
        "hosts": [{"id": salon.host("ben"), "name": "host", "email": "x@y.example"}],
        "host_when_booked": "unknown", "host_when_read": "unknown"});
    salon.stack.stand_in(salon.color_of("ben"), "", Some(&event_type)).await;
    let call = salon.call(json!({"service": "Farbe", "staff_member": "Ben", "appointment_start": soon(9, 0).0}));
    let appointment = salon.settle(&call).await;
    assert_eq!(strategy_of(&appointment), Some((StrategyName::EventTypeOwner, None)));
    let hosts = &appointment.booking().unwrap().hosts;
    assert_eq!(*hosts, HostEvidence::None { reason: NoHost::Unknown, looked_up_again: true });
}

#[tokio::test]
async fn a_host_that_cal_com_cannot_name_now_is_asked_for_again_later() {
    let event_type = json!({"host_when_booked": "unknown"});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    salon.order_fault("get", 2, json!({"refused": {"status": 503, "message": "down"}})).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(strategy_of(&appointment), Some((StrategyName::HostEmail, Some(HostId(salon.host("anna"))))));
    let waited =
        appointment.history().iter().find(|it| it.cause == Cause::Failed(Category::CalcomUnavailable)).unwrap();
    assert_eq!(waited.times(), 2);
}

#[tokio::test]
async fn an_operators_assignment_is_never_overwritten() {
    let salon = Salon::open().await;
    let found = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let appointment = salon.assign_by_operator(&found.id, "ben").await;
    let event = sqs_event(&[&salon.stack.message_of(&found.id).await], 1);
    let answer = salon.stack.invoke("staff-assignment", &event).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(salon.stack.appointment(&found.id).await, appointment);
    assert_eq!(appointment.state().name(), StateName::Assigned);
}

#[tokio::test]
async fn a_host_that_was_learned_is_shown_forgotten_and_outweighed_by_the_email() {
    let salon = Salon::open().await;
    let assigned = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let host = assigned.assignment().unwrap().host.unwrap().0;
    let staff = assigned.assignment().unwrap().staff.to_string();
    let (tenant, id) = (salon.tenant.as_str(), host.to_string());
    let (_, listed) = frontdesk(&["hosts", "list", tenant]);
    assert!(
        listed.lines().any(|line| line.contains(&id) && line.contains(&staff) && line.contains("email")),
        "{listed}"
    );
    let (done, _) = frontdesk(&["hosts", "forget", tenant, &id, "--apply"]);
    assert!(done);
    let record = salon.stack.tenants.record(&salon.tenant).await.unwrap().unwrap();
    assert!(record.mappings.iter().all(|mapping| mapping.host.0 != host));
    let (done, printed) = frontdesk(&["hosts", "forget", tenant, &id, "--apply"]);
    assert!(!done && printed.contains("failed to find a mapping"), "{printed}");
    // A mapping that was found for somebody else before the tenant file was corrected.
    let other = if staff == "anna" { "ben" } else { "anna" };
    let wrong = HostMapping {
        tenant: salon.tenant.clone(),
        host: HostId(host),
        staff: StaffId::new(other),
        source: MappingSource::HostEmail,
        since: Utc::now(),
    };
    assert!(salon.stack.tenants.add_mapping(&wrong).await.unwrap());
    let mut next = None;
    for hour in [11, 12, 13, 14] {
        let appointment = salon.settle(&salon.haircut_at(&soon(hour, 0).0)).await;
        next =
            next.or(appointment.assignment().filter(|it| it.host == Some(HostId(host))).map(|it| it.staff.to_string()));
    }
    assert_eq!(next, Some(staff), "the email names somebody else than what was learned");
}
