//! The requests.

use std::{env, num::ParseIntError, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use scheduling::{
    failure::Category,
    ids::{BookingUid, EventTypeId},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    answer::{self, Answer, Answered, FoundBooking},
    failure::Failed,
    request::{NewBooking, Search, SlotsWindow, utc},
};

/// Where Cal.com is and how long it may take.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Without a slash at its end.
    pub base_url: String,
    /// `cal-api-version` of the requests about bookings.
    pub bookings_version: String,
    /// `cal-api-version` of the requests about slots.
    pub slots_version: String,
    /// For one request, from its start to the last byte of its answer.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults, or what `CALCOM_BASE_URL`, `CALCOM_BOOKINGS_VERSION` and `CALCOM_TIMEOUT_SECONDS` say instead.
    ///
    /// # Errors
    /// When the time-out is not a whole number.
    pub fn from_environment() -> Result<Self, ParseIntError> {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let defaults = Self::default();
        let timeout = variable("CALCOM_TIMEOUT_SECONDS").map(|seconds| seconds.parse()).transpose()?;
        Ok(Self {
            base_url: variable("CALCOM_BASE_URL").unwrap_or(defaults.base_url),
            bookings_version: variable("CALCOM_BOOKINGS_VERSION").unwrap_or(defaults.bookings_version),
            slots_version: defaults.slots_version,
            timeout: timeout.map_or(defaults.timeout, Duration::from_secs),
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "https://api.cal.com".to_owned(),
            bookings_version: "2024-08-13".to_owned(),
            slots_version: "2024-09-04".to_owned(),
            timeout: Duration::from_secs(12),
        }
    }
}

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// An answer is kept whole up to this size; what lies beyond is not read.
const LARGEST_BODY: usize = 16 * 1024 * 1024;
/// How many bookings Cal.com lists at once at the most.
const PAGE: usize = 250;

/// The client. Make one for each process: it keeps its connections.
#[derive(Debug, Clone)]
pub struct Calcom {
    http: reqwest::Client,
    settings: Settings,
}

impl Calcom {
    /// Makes the client.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, settings })
    }

    /// `POST /v2/bookings`. Not to be repeated without a [`Self::list`] before it: Cal.com knows no idempotency key.
    ///
    /// # Errors
    /// In the domain's categories.
    pub async fn book(&self, key: &SecretString, booking: &NewBooking) -> Result<Answered<FoundBooking>, Failed> {
        let request = self.bookings(Method::POST, "").json(booking);
        self.send(request, key, answer::booking).await
    }

    /// `GET /v2/bookings/{uid}`.
    ///
    /// # Errors
    /// In the domain's categories.
    pub async fn get(&self, key: &SecretString, uid: &BookingUid) -> Result<Answered<FoundBooking>, Failed> {
        self.send(self.bookings(Method::GET, &format!("/{uid}")), key, answer::booking).await
    }

    /// `GET /v2/bookings`: every booking that fits, page by page.
    ///
    /// # Errors
    /// In the domain's categories.
    pub async fn list(&self, key: &SecretString, search: &Search<'_>) -> Result<Vec<FoundBooking>, Failed> {
        let event_types: Vec<String> = search.event_types.iter().map(EventTypeId::to_string).collect();
        let mut found = Vec::new();
        for page in 0.. {
            let request = self.bookings(Method::GET, "").query(&[
                ("eventTypeIds", event_types.join(",")),
                ("afterStart", utc(search.after_start)),
                ("beforeEnd", utc(search.before_end)),
                ("take", PAGE.to_string()),
                ("skip", (page * PAGE).to_string()),
            ]);
            let (bookings, listed) = self.send(request, key, answer::bookings).await?.value;
            found.extend(bookings);
            if listed < PAGE {
                break;
            }
        }
        Ok(found)
    }

    /// `POST /v2/bookings/{uid}/cancel`.
    ///
    /// # Errors
    /// In the domain's categories.
    pub async fn cancel(
        &self,
        key: &SecretString,
        uid: &BookingUid,
        reason: &str,
    ) -> Result<Answered<FoundBooking>, Failed> {
        let request =
            self.bookings(Method::POST, &format!("/{uid}/cancel")).json(&json!({"cancellationReason": reason}));
        self.send(request, key, answer::booking).await
    }

    /// `POST /v2/bookings/{uid}/reschedule`. The answer is a new booking with a uid of its own.
    ///
    /// # Errors
    /// In the domain's categories.
    pub async fn reschedule(
        &self,
        key: &SecretString,
        uid: &BookingUid,
        start: DateTime<Utc>,
    ) -> Result<Answered<FoundBooking>, Failed> {
        let request = self.bookings(Method::POST, &format!("/{uid}/reschedule")).json(&json!({"start": utc(start)}));
        self.send(request, key, answer::booking).await
    }

    /// `GET /v2/slots`: when the event type can be booked, in order.
    ///
    /// # Errors
    /// In the domain's categories.
    pub async fn slots(
        &self,
        key: &SecretString,
        event_type: EventTypeId,
        window: SlotsWindow,
    ) -> Result<Answered<Vec<DateTime<Utc>>>, Failed> {
        let request = self
            .http
            .get(format!("{}/v2/slots", self.settings.base_url))
            .header("cal-api-version", &self.settings.slots_version)
            .query(&[
                ("eventTypeId", event_type.to_string()),
                ("start", utc(window.start)),
                ("end", utc(window.end)),
                ("timeZone", "UTC".to_owned()),
            ]);
        self.send(request, key, answer::slots).await
    }

    fn bookings(&self, method: Method, rest: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/v2/bookings{rest}", self.settings.base_url))
            .header("cal-api-version", &self.settings.bookings_version)
    }

    async fn send<T>(
        &self,
        request: RequestBuilder,
        key: &SecretString,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Answered<T>, Failed> {
        // The error itself is dropped: it may hold the URL, and that an email.
        let whole = async {
            let response = request.bearer_auth(key.expose_secret()).send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, whole_body(response).await?))
        };
        let Ok((status, headers, body)) = whole.await else { return Err(Failed::without_answer()) };
        let answer = Answer { status: status.as_u16(), body };
        if !status.is_success() {
            return Err(Failed::of(answer, &headers, Utc::now()));
        }
        match read(&answer.body) {
            Some(value) => Ok(Answered { value, answer }),
            None => Err(Failed { category: Category::Unknown, ..Failed::of(answer, &HeaderMap::new(), Utc::now()) }),
        }
    }
}

async fn whole_body(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = LARGEST_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == LARGEST_BODY {
            break;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use scheduling::ids::{AppointmentId, CallId};
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_json, header, method, path, query_param},
    };

    use super::*;
    use crate::Attendee;

    async fn client(server: &MockServer) -> Calcom {
        Calcom::new(Settings { base_url: server.uri(), timeout: Duration::from_millis(300), ..Settings::default() })
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
    async fn a_booking_is_sent_as_the_contract_says_and_its_answer_is_kept_whole() {
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
        assert_eq!(made.answer.body, body.into_bytes());
    }

    #[tokio::test]
    async fn a_slow_answer_and_a_cut_connection_may_have_booked() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(201).set_delay(Duration::from_secs(2)))
            .mount(&server)
            .await;
        let failed = client(&server).await.book(&key(), &new_booking()).await.unwrap_err();
        assert_eq!((failed.category, failed.answer), (Category::CalcomUnavailable, None));
        let nobody_there = Calcom::new(Settings { base_url: "http://127.0.0.1:1".to_owned(), ..Settings::default() });
        let failed = nobody_there.unwrap().book(&key(), &new_booking()).await.unwrap_err();
        assert_eq!(failed.category, Category::CalcomUnavailable);
    }

    #[tokio::test]
    async fn an_answer_that_says_yes_in_no_known_form_is_unknown_and_kept() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(201).set_body_string("yes"))
            .mount(&server)
            .await;
        let failed = client(&server).await.book(&key(), &new_booking()).await.unwrap_err();
        assert_eq!((failed.category, failed.answer.unwrap().body), (Category::Unknown, b"yes".to_vec()));
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_end() {
        let server = MockServer::start().await;
        let full: Vec<_> = (0..PAGE).map(|n| booking(&format!("u{n}"))).collect();
        for (skip, page) in [("0", full), ("250", vec![booking("last")])] {
            Mock::given(method("GET"))
                .and(path("/v2/bookings"))
                .and(query_param("eventTypeIds", "7,8"))
                .and(query_param("afterStart", "2026-12-01T08:00:00.000Z"))
                .and(query_param("skip", skip))
                .respond_with(ResponseTemplate::new(200).set_body_json(json!({"status": "success", "data": page})))
                .mount(&server)
                .await;
        }
        let search =
            Search { event_types: &[EventTypeId(7), EventTypeId(8)], after_start: start(), before_end: start() };
        let found = client(&server).await.list(&key(), &search).await.unwrap();
        assert_eq!((found.len(), found.last().unwrap().booking.uid.as_str()), (251, "last"));
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
