//! The requests about bookings and slots.

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder};
use scheduling::{
    booking::Host,
    exchange::Exchange,
    ids::{AppointmentId, BookingUid, EventTypeId, HostId},
};
use secrecy::SecretString;
use serde_json::json;

use crate::{
    client::Calcom,
    error::CalcomError,
    list_cursor::ListCursor,
    request::{NewBooking, SlotsWindow, utc},
    response::{self, FoundBooking, ListedBooking, Response},
};

/// How often a booking is followed to the one that it was moved to.
const MAX_MOVES: usize = 10;

/// What a look-up of an appointment's bookings found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedUp {
    /// The bookings that were made for it.
    pub ours: Vec<ListedBooking>,
    /// When the newest booking was made that is not for it.
    pub newest_other: Option<DateTime<Utc>>,
}

impl Calcom {
    /// `POST /v2/bookings`. If its outcome is unknown, call [`Self::bookings_of`] before repeating it: Cal.com has no
    /// idempotency keys. It may return the booking of somebody else with the same contact: compare its appointments.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn book(&self, key: &SecretString, booking: &NewBooking) -> Result<Response<FoundBooking>, CalcomError> {
        let request = self.bookings(Method::POST, "").json(booking).timeout(self.config.booking_timeout);
        self.send(request, Some(booking.without_customer()), key, response::booking).await
    }

    /// `GET /v2/bookings/{uid}`.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn get(&self, key: &SecretString, uid: &BookingUid) -> Result<Response<FoundBooking>, CalcomError> {
        self.send(self.bookings(Method::GET, &format!("/{uid}")), None, key, response::booking).await
    }

    /// `GET /v2/bookings/{uid}`, followed to the booking that it was moved to, and so on.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn follow(&self, key: &SecretString, uid: &BookingUid) -> Result<Response<FoundBooking>, CalcomError> {
        let mut found = self.get(key, uid).await?;
        let mut seen = vec![uid.clone()];
        let is_next = |next: &BookingUid, seen: &[BookingUid]| seen.len() <= MAX_MOVES && !seen.contains(next);
        while let Some(next) = found.value.rescheduled_to.clone().filter(|next| is_next(next, &seen)) {
            found = self.get(key, &next).await?;
            seen.push(next);
        }
        Ok(found)
    }

    /// `GET /v2/bookings`: every booking that was made for `appointment` after `made_after`, read page by page.
    ///
    /// The account's bookings are listed by when they were made, and ours are identified by their metadata. Filtering by
    /// email or start would miss some: Cal.com invents missing emails, and a booking may have been rescheduled.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn bookings_of(
        &self,
        key: &SecretString,
        appointment: &AppointmentId,
        made_after: DateTime<Utc>,
    ) -> Result<LookedUp, CalcomError> {
        let mut found = LookedUp { ours: Vec::new(), newest_other: None };
        let mut cursor = ListCursor::new(made_after);
        while !cursor.is_done() {
            let request = self.bookings(Method::GET, "").query(&cursor.parameters());
            let page = self.send(request, None, key, |body| response::page(body, appointment)).await?.value;
            let is_new = cursor.advance(&page.rows);
            let others = page.rows.iter().filter(|row| !row.is_ours).filter_map(|row| row.made_at).max();
            found.newest_other = found.newest_other.max(others);
            let new_of_ours = page.rows.iter().zip(is_new).filter(|(row, _)| row.is_ours).map(|(_, is_new)| is_new);
            found.ours.extend(page.ours.into_iter().zip(new_of_ours).filter_map(|(listed, new)| new.then_some(listed)));
        }
        Ok(found)
    }

    /// `GET /v2/bookings`: the next page of the bookings of these event types, regardless of who made them.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn list(
        &self,
        key: &SecretString,
        event_types: &[EventTypeId],
        cursor: &mut ListCursor,
    ) -> Result<Vec<scheduling::booking::Booking>, CalcomError> {
        let ids: Vec<String> = event_types.iter().map(ToString::to_string).collect();
        let request = self.bookings(Method::GET, "").query(&[("eventTypeIds", ids.join(","))]);
        let page = self.send(request.query(&cursor.parameters()), None, key, response::list).await?.value;
        let is_new = cursor.advance(&page.rows);
        let identities = page.rows.iter().zip(is_new).filter_map(|(row, new)| new.then_some(row.identity.as_str()));
        let fresh: std::collections::BTreeSet<&str> = identities.collect();
        Ok(page.bookings.into_iter().filter(|booking| fresh.contains(booking.uid.as_str())).collect())
    }

    /// `POST /v2/bookings/{uid}/cancel`. A booking that is cancelled already is cancelled.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn cancel(&self, key: &SecretString, uid: &BookingUid, reason: &str) -> Result<Exchange, CalcomError> {
        let body = json!({"cancellationReason": reason});
        let request = self.bookings(Method::POST, &format!("/{uid}/cancel")).json(&body);
        match self.send(request, Some(body), key, response::data).await {
            Ok(cancelled) => Ok(cancelled.exchange),
            Err(error) if error.is_cancelled_already() => Ok(error.exchange),
            Err(error) => Err(error),
        }
    }

    /// `POST /v2/bookings/{uid}/reschedule`. The response is a new booking with a uid of its own, and perhaps with
    /// another host.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn reschedule(
        &self,
        key: &SecretString,
        uid: &BookingUid,
        start: DateTime<Utc>,
    ) -> Result<Response<FoundBooking>, CalcomError> {
        let body = json!({"start": utc(start)});
        let request = self.bookings(Method::POST, &format!("/{uid}/reschedule")).json(&body);
        self.send(request, Some(body), key, response::booking).await
    }

    /// `POST /v2/bookings/{uid}/reassign/{host}`: gives a round-robin booking to another host. Cal.com does not refuse a
    /// host who is busy.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn reassign(
        &self,
        key: &SecretString,
        uid: &BookingUid,
        host: HostId,
        reason: &str,
    ) -> Result<Response<Host>, CalcomError> {
        let body = json!({"reason": reason});
        let request = self.bookings(Method::POST, &format!("/{uid}/reassign/{host}")).json(&body);
        self.send(request, Some(body), key, response::reassigned).await
    }

    /// `GET /v2/slots`: when the event type can be booked, in order; with `host`, when that host can.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn slots(
        &self,
        key: &SecretString,
        event_type: EventTypeId,
        window: SlotsWindow,
        host: Option<HostId>,
    ) -> Result<Response<Vec<DateTime<Utc>>>, CalcomError> {
        let request = self.request(Method::GET, "/v2/slots", Some(&self.config.slots_version)).query(&[
            ("eventTypeId", event_type.to_string()),
            ("start", utc(window.start)),
            ("end", utc(window.end)),
            ("timeZone", "UTC".to_owned()),
        ]);
        let of_host = host.map(|host| ("rrHostSubsetIds[]", host.to_string()));
        self.send(request.query(of_host.as_slice()), None, key, response::slots).await
    }

    fn bookings(&self, method: Method, rest: &str) -> RequestBuilder {
        self.request(method, &format!("/v2/bookings{rest}"), Some(&self.config.bookings_version))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scheduling::{failure::Category, ids::CallId};
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_json, header, method, path, query_param},
    };

    use super::*;
    use crate::{Attendee, CalcomConfig, Effect, PAGE};

    async fn client(server: &MockServer) -> Calcom {
        let brief = Duration::from_millis(300);
        Calcom::new(CalcomConfig {
            base_url: server.uri(),
            timeout: brief,
            booking_timeout: brief,
            ..CalcomConfig::default()
        })
        .unwrap()
    }

    fn key() -> SecretString {
        SecretString::from("cal_key".to_owned())
    }

    fn start() -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    fn new_booking() -> NewBooking {
        let attendee = Attendee {
            name: "Max".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            email: None,
            phone_number: Some("+4930901820".to_owned()),
            language: "de".to_owned(),
        };
        NewBooking::new(&AppointmentId::new("a1"), &CallId::new("c1"), EventTypeId(7), start(), attendee)
    }

    fn booking(uid: &str) -> serde_json::Value {
        json!({"uid": uid, "status": "accepted", "start": "2026-12-01T08:00:00Z", "eventTypeId": 7,
               "hosts": [{"id": 1}], "metadata": {"frontdeskAppointmentId": "a1"}})
    }

    #[tokio::test]
    async fn a_booking_is_sent_as_the_contract_says_and_its_response_is_stored_whole() {
        let server = MockServer::start().await;
        let body = json!({"status": "success", "data": booking("u1"), "more": "x".repeat(100_000)}).to_string();
        Mock::given(method("POST"))
            .and(path("/v2/bookings"))
            .and(header("authorization", "Bearer cal_key"))
            .and(header("cal-api-version", "2024-08-13"))
            .and(body_json(json!({
                "start": "2026-12-01T08:00:00.000Z", "eventTypeId": 7,
                "attendee": {"name": "Max", "timeZone": "Europe/Berlin", "phoneNumber": "+4930901820", "language": "de"},
                "metadata": {"frontdeskAppointmentId": "a1", "frontdeskCallId": "c1"},
            })))
            .respond_with(ResponseTemplate::new(201).set_body_string(body.clone()))
            .mount(&server)
            .await;
        let made = client(&server).await.book(&key(), &new_booking()).await.unwrap();
        assert_eq!(made.value.booking.uid.as_str(), "u1");
        assert_eq!(made.exchange.body, body.into_bytes());
        let sent = made.exchange.request;
        assert!(sent.starts_with(r#"POST /v2/bookings {"attendee":{"language":"de","name":"[personal]""#), "{sent}");
        assert!(!["Max", "+49", "cal_key"].iter().any(|secret| sent.contains(secret)), "{sent}");
    }

    #[tokio::test]
    async fn a_slow_response_may_have_booked_and_a_failed_connection_has_not() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(201).set_delay(Duration::from_secs(2)))
            .mount(&server)
            .await;
        let failed = client(&server).await.book(&key(), &new_booking()).await.unwrap_err();
        assert_eq!((failed.category(), failed.effect), (Category::CalcomUnavailable, Effect::Unknown));
        let nobody_there =
            Calcom::new(CalcomConfig { base_url: "http://127.0.0.1:1".to_owned(), ..CalcomConfig::default() });
        let failed = nobody_there.unwrap().book(&key(), &new_booking()).await.unwrap_err();
        assert_eq!((failed.category(), failed.effect), (Category::CalcomUnavailable, Effect::Nothing));
    }

    #[tokio::test]
    async fn a_confirmation_in_an_unknown_form_is_unknown_and_stored() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(201).set_body_string("yes"))
            .mount(&server)
            .await;
        let failed = client(&server).await.book(&key(), &new_booking()).await.unwrap_err();
        assert_eq!((failed.category(), failed.effect), (Category::Unknown, Effect::Done));
        assert_eq!(failed.exchange.body, b"yes");
    }

    #[tokio::test]
    async fn a_list_is_read_by_windows_until_a_page_brings_nothing_new() {
        let server = MockServer::start().await;
        let other = |nth: usize| {
            json!({"uid": format!("x{nth}"), "createdAt": "2026-12-01T09:00:00.000Z",
                                        "metadata": {"frontdeskAppointmentId": "a2"}})
        };
        let mut last = booking("last");
        last["createdAt"] = json!("2026-12-01T09:30:00.000Z");
        let full: Vec<_> = (0..PAGE).map(other).collect();
        for (after, page) in [("08:00", full), ("09:00", vec![other(7), last.clone()]), ("09:30", vec![last])] {
            Mock::given(method("GET"))
                .and(path("/v2/bookings"))
                .and(query_param("afterCreatedAt", format!("2026-12-01T{after}:00.000Z")))
                .and(query_param("sortCreated", "asc"))
                .and(query_param("skip", "0"))
                .respond_with(ResponseTemplate::new(200).set_body_json(json!({"status": "success", "data": page})))
                .expect(1)
                .mount(&server)
                .await;
        }
        let found = client(&server).await.bookings_of(&key(), &AppointmentId::new("a1"), start()).await.unwrap();
        let uids: Vec<_> = found.ours.into_iter().map(|listed| listed.booking.unwrap().uid).collect();
        assert_eq!(uids, [BookingUid::new("last")]);
        assert_eq!(found.newest_other, Some("2026-12-01T09:00:00Z".parse().unwrap()));
    }

    #[tokio::test]
    async fn what_is_cancelled_already_is_cancelled() {
        let server = MockServer::start().await;
        let message = "Can't cancel booking with uid=u1 because it has been cancelled already. Please provide uid of a \
                       booking that is not cancelled.";
        let refused = json!({"status": "error", "error": {"code": "BadRequestException", "message": message}});
        Mock::given(path("/v2/bookings/u1/cancel"))
            .respond_with(ResponseTemplate::new(400).set_body_json(refused))
            .mount(&server)
            .await;
        let ended = json!({"statusCode": 400, "message": "Cannot cancel a booking that has already ended"});
        Mock::given(path("/v2/bookings/u2/cancel"))
            .respond_with(ResponseTemplate::new(400).set_body_json(ended))
            .mount(&server)
            .await;
        let calcom = client(&server).await;
        calcom.cancel(&key(), &BookingUid::new("u1"), "twice").await.unwrap();
        calcom.cancel(&key(), &BookingUid::new("u2"), "twice").await.unwrap_err();
    }

    #[tokio::test]
    async fn a_booking_is_followed_to_its_end_and_a_circle_ends_too() {
        let server = MockServer::start().await;
        for (uid, next) in
            [("u1", json!("u2")), ("u2", json!("u3")), ("u3", json!(null)), ("c1", json!("c2")), ("c2", json!("c1"))]
        {
            let mut shown = booking(uid);
            shown["rescheduledToUid"] = next;
            Mock::given(path(format!("/v2/bookings/{uid}")))
                .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": shown})))
                .mount(&server)
                .await;
        }
        let calcom = client(&server).await;
        let last = async |uid| calcom.follow(&key(), &BookingUid::new(uid)).await.unwrap().value.booking.uid;
        assert_eq!(last("u1").await, BookingUid::new("u3"));
        assert_eq!(last("c1").await, BookingUid::new("c2"));
    }

    #[tokio::test]
    async fn a_wished_host_and_notes_are_sent_as_cal_com_takes_them() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(wiremock::matchers::body_partial_json(json!({
                "rrHostSubsetIds": [5], "bookingFieldsResponses": {"notes": "Allergie"},
            })))
            .respond_with(ResponseTemplate::new(201).set_body_json(json!({"data": booking("u1")})))
            .mount(&server)
            .await;
        Mock::given(path("/v2/slots"))
            .and(query_param("rrHostSubsetIds[]", "5"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {}})))
            .mount(&server)
            .await;
        let wanted = new_booking().with_host(Some(HostId(5))).with_notes(Some("Allergie".to_owned()));
        let calcom = client(&server).await;
        let made = calcom.book(&key(), &wanted).await.unwrap();
        assert!(!made.exchange.request.contains("Allergie"), "{}", made.exchange.request);
        let window = SlotsWindow { start: start(), end: start() };
        calcom.slots(&key(), EventTypeId(7), window, Some(HostId(5))).await.unwrap();
    }

    #[tokio::test]
    async fn cancelling_and_rescheduling_name_the_booking_in_the_path() {
        let server = MockServer::start().await;
        for (place, body) in [
            ("/v2/bookings/u1/cancel", json!({"cancellationReason": "twice"})),
            ("/v2/bookings/u1/reschedule", json!({"start": "2026-12-01T08:00:00.000Z"})),
        ] {
            Mock::given(method("POST"))
                .and(path(place))
                .and(body_json(body))
                .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": booking("u2")})))
                .expect(1)
                .mount(&server)
                .await;
        }
        let (calcom, uid) = (client(&server).await, BookingUid::new("u1"));
        calcom.cancel(&key(), &uid, "twice").await.unwrap();
        assert_eq!(calcom.reschedule(&key(), &uid, start()).await.unwrap().value.booking.uid.as_str(), "u2");
    }
}
