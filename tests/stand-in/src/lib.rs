//! Stands in for Cal.com, which the tests can't reach: the requests that Frontdesk makes, with the answers, quirks and
//! faults that Cal.com is known for.
//!
//! It checks and then books, without a lock between: two requests for one slot at the same moment can both succeed, as
//! they can at Cal.com. What Cal.com does not have lies under `/_stand-in`: event types are put there, faults ordered,
//! and requests counted.

mod calendar;
mod faults;
mod requests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::map_response,
    routing::{get, post, put},
};

pub use calendar::{BookedHost, Calendar, EventType, HostForm};
pub use faults::{Fault, FaultKind, RequestKind, Weather};

/// The stand-in's memory.
#[derive(Clone, Default)]
pub struct StandIn {
    calendar: Arc<Mutex<Calendar>>,
}

impl StandIn {
    pub(crate) fn calendar(&self) -> MutexGuard<'_, Calendar> {
        self.calendar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fault may hold an answer of some megabytes.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// Every path that it answers. Below `/without-hosts` each answer lacks its hosts: to whoever asks there it is as if the
/// version of Frontdesk that runs lost them between Cal.com's answer and the record.
pub fn router(stand_in: StandIn) -> Router {
    // The numbering plans are read now: the first booking would wait for them.
    let _ = &*phonenumber::metadata::DATABASE;
    let all = paths(stand_in);
    Router::new().nest("/without-hosts", all.clone().layer(map_response(requests::without_hosts))).merge(all)
}

fn paths(stand_in: StandIn) -> Router {
    Router::new()
        .route("/v2/bookings", post(requests::book).get(requests::list))
        .route("/v2/bookings/{uid}", get(requests::get))
        .route("/v2/bookings/{uid}/cancel", post(requests::cancel))
        .route("/v2/bookings/{uid}/reschedule", post(requests::reschedule))
        .route("/v2/slots", get(requests::slots))
        .route("/_stand-in/event-types/{id}", put(requests::put_event_type))
        .route("/_stand-in/event-types/{id}/faults", post(requests::order_fault))
        .route("/_stand-in/event-types/{id}/bookings", get(requests::bookings_of))
        .route("/_stand-in/event-types/{id}/requests", get(requests::requests_of))
        .route("/_stand-in/bookings", get(requests::all_bookings))
        .route("/_stand-in/bookings/{uid}/absent", post(requests::note_absent))
        .route("/_stand-in/weather", put(requests::put_weather))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(stand_in)
}
