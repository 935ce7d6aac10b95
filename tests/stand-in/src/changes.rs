//! `/v2/bookings/{uid}` and what can be done with a booking.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    book::{choose_host, new_uid},
    booking::{Made, ShownIn, iso},
    call::Call,
    event_type::Scheduling,
    faults::RequestKind,
    refusal::{Answer, Refusal},
};

/// What is done with a booking.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Get,
    Cancel,
    Reschedule,
    Confirm,
    Decline,
    MarkAbsent,
    /// To another host: the one with this id, or any host who is free.
    Reassign(Option<u64>),
}

impl Action {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "cancel" => Self::Cancel,
            "reschedule" => Self::Reschedule,
            "confirm" => Self::Confirm,
            "decline" => Self::Decline,
            "mark-absent" => Self::MarkAbsent,
            "reassign" => Self::Reassign(None),
            _ => return None,
        })
    }

    fn kind(self) -> RequestKind {
        match self {
            Self::Get => RequestKind::Get,
            Self::Cancel => RequestKind::Cancel,
            Self::Reschedule => RequestKind::Reschedule,
            Self::Reassign(_) => RequestKind::Reassign,
            Self::Confirm | Self::Decline | Self::MarkAbsent => RequestKind::Other,
        }
    }
}

pub(crate) async fn change(call: &Call, uid: &str, action: Action) -> Answer {
    let in_database = || Refusal::not_found(format!("Booking with uid={uid} was not found in the database"));
    let unknown = || match action {
        Action::Cancel => Refusal::not_found(format!("Booking with uid={uid} not found")),
        _ => in_database(),
    };
    let made = call.stand_in.world().booking(uid).cloned().ok_or_else(unknown)?;
    let after = call.meet_fault(made.event_type, action.kind()).await?;
    let body = call.json()?;
    match action {
        Action::Get => {
            let world = call.stand_in.world();
            let seen = world.as_read(&made).ok_or_else(in_database)?;
            let number = world.bookings.iter().position(|it| it.uid == uid).unwrap_or_default();
            after.or_answer(StatusCode::OK, seen.shown(&world, number, ShownIn::Read))
        }
        Action::Cancel => {
            cancel(call, &made, &body)?;
            after.or_answer(StatusCode::OK, shown(call, uid, ShownIn::Read))
        }
        Action::Reschedule => {
            let replacement = reschedule(call, &made, &body)?;
            after.or_answer(StatusCode::CREATED, shown(call, &replacement, ShownIn::Booked))
        }
        Action::Confirm | Action::Decline => {
            confirm(call, &made, matches!(action, Action::Confirm))?;
            after.or_answer(StatusCode::OK, shown(call, uid, ShownIn::Read))
        }
        Action::MarkAbsent => {
            mark_absent(call, &made, &body)?;
            after.or_answer(StatusCode::OK, shown(call, uid, ShownIn::Read))
        }
        Action::Reassign(to) => after.or_answer(StatusCode::OK, reassign(call, &made, to)?),
    }
}

fn shown(call: &Call, uid: &str, shown_in: ShownIn) -> Value {
    let world = call.stand_in.world();
    let number = world.bookings.iter().position(|made| made.uid == uid);
    number.map_or(Value::Null, |number| world.bookings[number].shown(&world, number, shown_in))
}

fn cancel(call: &Call, made: &Made, body: &Value) -> Result<(), Refusal> {
    let uid = &made.uid;
    if made.status == "cancelled" {
        return Err(Refusal::bad_request(format!(
            "Can't cancel booking with uid={uid} because it has been cancelled already. Please provide uid of a \
             booking that is not cancelled."
        )));
    }
    let reason = body["cancellationReason"].as_str().filter(|reason| !reason.is_empty());
    if reason.is_none() && call.user().is_some_and(|user| user.id == made.host.id) {
        return Err(Refusal::bare(400, "Cancellation reason is required when you are the host"));
    }
    if made.end < call.stand_in.world().now() {
        return Err(Refusal::bare(400, "Cannot cancel a booking that has already ended"));
    }
    call.stand_in.world().change(uid, |made| {
        made.status = "cancelled";
        made.cancellation_reason = reason.unwrap_or_default().to_owned();
    });
    Ok(())
}

fn reschedule(call: &Call, made: &Made, body: &Value) -> Result<String, Refusal> {
    let mut world = call.stand_in.world();
    let uid = &made.uid;
    if made.status == "cancelled" {
        let problem = match &made.rescheduled_to {
            Some(next) => format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled and rescheduled already to \
                 booking with uid={next}. You probably want to reschedule {next} instead by passing it within the \
                 request URL."
            ),
            None => format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled. Please provide uid of a \
                 booking that is not cancelled."
            ),
        };
        return Err(Refusal::bad_request(problem));
    }
    let start = body["start"].as_str().and_then(|text| text.parse().ok());
    let start = start
        .ok_or_else(|| Refusal::bad_request("start property is wrong,start must be a valid ISO 8601 date string "))?;
    if start <= world.now() {
        return Err(Refusal::bad_request("Attempting to book a meeting in the past."));
    }
    let event_type = world.event_types.get(&made.event_type).cloned();
    let event_type = event_type.ok_or_else(|| Refusal::not_found("Event type not found"))?;
    let host = choose_host(&world, &event_type, start, Some(uid), &[])?;
    let (next, now) = (new_uid(), world.now());
    world.change(uid, |made| {
        made.status = "cancelled";
        made.rescheduled_to = Some(next.clone());
    });
    let moved = Made {
        uid: next.clone(),
        host,
        start,
        end: start + (made.end - made.start),
        created_at: now,
        updated_at: now,
        rescheduled_from: Some(uid.clone()),
        earlier: Vec::new(),
        ..made.clone()
    };
    world.insert(moved);
    Ok(next)
}

fn confirm(call: &Call, made: &Made, is_confirmed: bool) -> Result<(), Refusal> {
    if call.user().is_none_or(|user| user.id != made.host.id) {
        return Err(Refusal::trpc(StatusCode::UNAUTHORIZED, "You are not authorized to access this resource"));
    }
    if made.status != "pending" {
        let problem = "Bad request: Please check your request data and try again";
        return Err(Refusal::trpc(StatusCode::BAD_REQUEST, problem));
    }
    let status = if is_confirmed { "accepted" } else { "rejected" };
    call.stand_in.world().change(&made.uid, |made| made.status = status);
    Ok(())
}

fn mark_absent(call: &Call, made: &Made, body: &Value) -> Result<(), Refusal> {
    let mut world = call.stand_in.world();
    let now = world.now();
    if made.start > now {
        return Err(Refusal::bad_request(format!(
            "Bookings can only be marked as absent after their scheduled start time. Current time in UTC+0: {}, \
             Booking start time in UTC+0: {}",
            iso(now),
            iso(made.start)
        )));
    }
    let absent: Vec<&str> = body["attendees"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|attendee| attendee["absent"] == json!(true))
        .filter_map(|attendee| attendee["email"].as_str())
        .collect();
    world.change(&made.uid, |made| {
        for attendee in made.attendees.iter_mut().filter(|attendee| absent.contains(&attendee.email.as_str())) {
            attendee.is_absent = true;
        }
    });
    Ok(())
}

/// Cal.com does not look whether the host that is named is free.
fn reassign(call: &Call, made: &Made, to: Option<u64>) -> Result<Value, Refusal> {
    let mut world = call.stand_in.world();
    let event_type = world.event_types.get(&made.event_type).cloned();
    let event_type = event_type.filter(|event_type| event_type.scheduling() == Scheduling::RoundRobin);
    let found = event_type.and_then(|event_type| match to {
        Some(host) => event_type.hosts.iter().find(|it| it.id == host).cloned(),
        None => {
            let free = world.free_hosts(&event_type, made.start, Some(&made.uid), &[]);
            free.into_iter().find(|host| host.id != made.host.id)
        }
    });
    let host = found.ok_or_else(|| {
        Refusal::bad_request("Can't reassign the booking because no other host is available at that time.")
    })?;
    let mut shown = json!({"id": host.id, "name": host.name, "email": host.email});
    if world.has_display_emails() {
        shown["displayEmail"] = json!(crate::booking::display_email(&host.email));
    }
    world.change(&made.uid, |made| made.host = host);
    Ok(json!({"bookingUid": made.uid, "reassignedTo": shown}))
}
