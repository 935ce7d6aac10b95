//! Stands in for Cal.com, which the tests can't reach: the requests that Frontdesk makes, with the responses, quirks and
//! faults of the real one. `tests/recordings.rs` holds it to what the real one answered.
//!
//! It checks and then books, without a lock between: two requests for overlapping times at the same moment both succeed,
//! as they do at Cal.com, and only the identical time of one host is refused. What Cal.com does not have is under
//! `/_stand-in`.
//!
//! Retell's list of calls is beside it, under `/retell` (`retell.rs`).

mod accounts;
mod book;
mod booking;
mod call;
mod changes;
mod control;
mod event_type;
mod faults;
mod lists;
mod rate_limit;
mod refusal;
mod reservations;
mod retell;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::map_response,
    routing::{any, get, post, put},
};
use chrono::{DateTime, Utc};

pub use event_type::{EventType, HostForm, RequiredField};
pub use faults::{Fault, FaultKind, RequestKind, Weather};
use retell::RetellWorld;
use world::World;
pub use world::{ApiKey, Content, Generation, Member, Role, Team, User};

/// The stand-in's memory.
#[derive(Clone, Default)]
pub struct StandIn {
    world: Arc<Mutex<World>>,
    retell: RetellWorld,
}

impl StandIn {
    /// Adds or replaces what `content` names.
    pub fn put(&self, content: Content) {
        self.world().put(content);
    }

    /// Stops the clock at `now`.
    pub fn set_clock(&self, now: DateTime<Utc>) {
        self.world().set_clock(now);
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fault may hold a response of some megabytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Every path that it answers. Below `/without-hosts` each response lacks its hosts, as if a version of Frontdesk lost
/// them between Cal.com's response and the record.
pub fn router(stand_in: StandIn) -> Router {
    let api = || any(call::handle);
    let without_hosts = Router::new().route("/without-hosts/{*path}", api()).layer(map_response(call::without_hosts));
    let retell = retell::router().with_state(stand_in.retell.clone());
    Router::new()
        .route("/v2/{*path}", api())
        .merge(without_hosts)
        .route("/_stand-in", put(control::put_content))
        .route("/_stand-in/event-types/{id}", put(control::put_event_type))
        .route("/_stand-in/event-types/{id}/faults", post(control::order_fault))
        .route("/_stand-in/event-types/{id}/bookings", get(control::bookings_of))
        .route("/_stand-in/event-types/{id}/requests", get(control::requests_of))
        .route("/_stand-in/bookings", get(control::all_bookings))
        .route("/_stand-in/bookings/{uid}/absent", post(control::note_absent))
        .route("/_stand-in/weather", put(control::put_weather))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(stand_in)
        .merge(retell)
}
