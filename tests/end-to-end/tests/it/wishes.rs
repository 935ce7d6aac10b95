//! Whom the customer wants to come to.

use end_to_end::{Call, Salon, SalonForm, frontdesk, soon};
use scheduling::{
    appointment::{Appointment, ReviewReason, State, StateName},
    assignment::Unassigned,
    booking::HostEvidence,
    failure::Category,
};
use serde_json::{Value, json};

async fn salon_with(event_type: Value) -> Salon {
    Salon::with(SalonForm { event_type, ..SalonForm::default() }).await
}

fn cut_by(salon: &Salon, staff: &str, hour: u32) -> Call {
    salon.call(json!({"service": "Haarschnitt", "staff_member": staff, "appointment_start": soon(hour, 0).0}))
}

fn staff_of(appointment: &Appointment) -> Option<&str> {
    appointment.assignment().map(|assignment| assignment.staff.as_str())
}

fn unassigned(appointment: &Appointment) -> Option<Unassigned> {
    match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Assignment(reason), .. } => Some(*reason),
        _ => None,
    }
}

#[tokio::test]
async fn a_staff_member_who_is_named_gets_the_booking_of_a_round_robin() {
    let salon = salon_with(json!({"is_host_selectable": true})).await;
    for (hour, said, staff) in [(10, "Ben", "ben"), (11, "Ben", "ben"), (12, "Anna", "anna"), (13, "Ben Tal", "ben")] {
        assert_eq!(staff_of(&salon.settle(&cut_by(&salon, said, hour)).await), Some(staff));
    }
    assert_eq!(salon.requests().await, json!({"slots": 4, "book": 4}));
}

#[tokio::test]
async fn a_staff_member_who_is_taken_is_offered_at_other_times_and_nobody_else_is_booked() {
    let salon = salon_with(json!({"is_host_selectable": true})).await;
    salon.settle(&cut_by(&salon, "Ben", 10)).await;
    let second = salon.settle(&cut_by(&salon, "Ben", 10)).await;
    let State::NeedsReview { reason, proposals, .. } = second.state() else { panic!("{second:?}") };
    assert_eq!((*reason, proposals.len()), (ReviewReason::Booking(Category::HostConflict), 5));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn where_a_booking_cannot_name_its_host_it_is_given_to_the_wished_one() {
    let salon = salon_with(json!({"is_host_selectable": false})).await;
    for hour in [10, 11, 12] {
        let appointment = salon.settle(&cut_by(&salon, "Ben", hour)).await;
        assert_eq!(staff_of(&appointment), Some("ben"), "{appointment:#?}");
    }
    let hosts = salon.bookings_of(salon.haircut()).await.into_iter().map(|it| it["hosts"][0]["id"].clone());
    assert!(hosts.into_iter().all(|host| host == json!(salon.host("ben"))));
    assert!(salon.requests().await["reassign"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn a_wished_host_who_is_taken_keeps_one_booking_and_the_wish_is_flagged() {
    let salon = salon_with(json!({"is_host_selectable": false})).await;
    let first = salon.settle(&cut_by(&salon, "Ben", 10)).await;
    assert_eq!(staff_of(&first), Some("ben"));
    let second = salon.settle(&cut_by(&salon, "Ben", 10)).await;
    assert_eq!(unassigned(&second), Some(Unassigned::OtherStaffRequested));
    assert!(second.booking().is_some(), "it stands, and a person decides");
}

#[tokio::test]
async fn a_name_that_nobody_has_is_flagged_and_egal_is_nobodys_wish() {
    let salon = salon_with(json!({"is_host_selectable": true})).await;
    let unclear = salon.settle(&cut_by(&salon, "Anja", 10)).await;
    assert_eq!(unassigned(&unclear), Some(Unassigned::StaffWishUnclear));
    let anybody = salon.settle(&cut_by(&salon, "egal", 11)).await;
    assert_eq!(anybody.state().name(), StateName::Assigned);
}

#[tokio::test]
async fn a_person_who_assigns_somebody_else_has_cal_com_follow() {
    let salon = salon_with(json!({"is_host_selectable": true})).await;
    let appointment = salon.settle(&cut_by(&salon, "Anna", 10)).await;
    let assign = ["appointment", "assign", appointment.id.as_str(), "ben"];
    let (done, plan) = frontdesk(&assign);
    assert!(done && plan.contains(&format!("Cal.com: the booking goes to host {}", salon.host("ben"))), "{plan}");
    assert!(frontdesk(&[assign.as_slice(), &["--apply"]].concat()).0);
    let assigned = salon.stack.appointment(&appointment.id).await;
    assert_eq!(staff_of(&assigned), Some("ben"));
    let HostEvidence::Named(hosts) = &assigned.booking().unwrap().hosts else { panic!("{assigned:?}") };
    assert_eq!(hosts.first().id.0, salon.host("ben"));
    assert_eq!(salon.bookings_of(salon.haircut()).await[0]["hosts"][0]["id"], json!(salon.host("ben")));
}

#[tokio::test]
async fn loading_a_tenant_lets_bookings_name_their_host() {
    let salon = salon_with(json!({"is_host_selectable": false})).await;
    let path = std::env::temp_dir().join(format!("{}.json", salon.tenant));
    std::fs::write(&path, salon.tenant_file().await.to_string()).unwrap();
    let load = ["tenant", "load", path.to_str().unwrap()];
    let (done, plan) = frontdesk(&load);
    assert!(done && plan.contains("turn on rrHostSubsetEnabled"), "{plan}");
    assert!(frontdesk(&[load.as_slice(), &["--apply"]].concat()).0);
    let (_, after) = frontdesk(&load);
    std::fs::remove_file(path).unwrap();
    assert!(!after.contains("rrHostSubsetEnabled"), "{after}");
}
