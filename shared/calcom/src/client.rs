//! The requests.

use std::{env, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder};
use scheduling::{
    exchange::Exchange,
    ids::{AppointmentId, BookingUid, EventTypeId},
    timing::Timing,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    error::CalcomError,
    request::{NewBooking, SlotsWindow, utc},
    response::{self, FoundBooking, ListPage, ListedBooking, Response},
};

/// Cal.com's base URL, API versions and timeouts.
#[derive(Debug, Clone)]
pub struct CalcomConfig {
    /// Without a slash at its end.
    pub base_url: String,
    /// `cal-api-version` of the requests about bookings.
    pub bookings_version: String,
    /// `cal-api-version` of the requests about slots.
    pub slots_version: String,
    /// For a request that changes nothing, from its start to the last byte of its response.
    pub timeout: Duration,
    /// For a request to book, which takes longer: abandoning it early would leave the booking unconfirmed.
    pub booking_timeout: Duration,
}

impl CalcomConfig {
    /// The defaults, or what `CALCOM_BASE_URL` and `CALCOM_BOOKINGS_VERSION` say instead, with the timeout for bookings
    /// that the lease on an appointment allows.
    pub fn from_env(timing: &Timing) -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let defaults = Self::default();
        Self {
            base_url: variable("CALCOM_BASE_URL").unwrap_or(defaults.base_url),
            bookings_version: variable("CALCOM_BOOKINGS_VERSION").unwrap_or(defaults.bookings_version),
            booking_timeout: timing.booking_timeout.to_std().unwrap_or(defaults.booking_timeout),
            ..Self::default()
        }
    }
}

impl Default for CalcomConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.cal.com".to_owned(),
            bookings_version: "2024-08-13".to_owned(),
            slots_version: "2024-09-04".to_owned(),
            timeout: Duration::from_secs(12),
            booking_timeout: Duration::from_secs(30),
        }
    }
}

/// The timeout of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A response is stored up to this size; the rest is not read.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How many bookings Cal.com lists at once at the most.
pub const PAGE: usize = 250;

/// The client. Make one for each process: it keeps its connections.
#[derive(Debug, Clone)]
pub struct Calcom {
    http: reqwest::Client,
    config: CalcomConfig,
}

impl Calcom {
    /// Makes the client.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(config: CalcomConfig) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, config })
    }

    /// Opens a connection, without a key and whatever the response is, so that the first request is sent sooner.
    pub async fn connect(&self) {
        let _ = self.http.head(&self.config.base_url).timeout(CONNECT_TIMEOUT).send().await;
    }

    /// `POST /v2/bookings`. If its outcome is unknown, call [`Self::bookings_of`] before repeating it: Cal.com has no
    /// idempotency keys.
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
    ) -> Result<Vec<ListedBooking>, CalcomError> {
        let mut found = Vec::new();
        for nth in 0.. {
            let request = self.bookings(Method::GET, "").query(&[
                ("afterCreatedAt", utc(made_after)),
                ("take", PAGE.to_string()),
                ("skip", (nth * PAGE).to_string()),
            ]);
            let page = self.send(request, None, key, |body| response::page(body, appointment)).await?.value;
            found.extend(page.ours);
            if page.listed < PAGE {
                break;
            }
        }
        Ok(found)
    }

    /// `GET /v2/bookings`: the bookings of these event types, regardless of who made them, after the first `skip`; up to
    /// [`PAGE`] at once. A shorter page is the last one.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn list(
        &self,
        key: &SecretString,
        event_types: &[EventTypeId],
        skip: usize,
    ) -> Result<Response<ListPage>, CalcomError> {
        let ids: Vec<String> = event_types.iter().map(ToString::to_string).collect();
        let request = self.bookings(Method::GET, "").query(&[
            ("eventTypeIds", ids.join(",")),
            ("sortCreated", "asc".to_owned()),
            ("take", PAGE.to_string()),
            ("skip", skip.to_string()),
        ]);
        self.send(request, None, key, response::list).await
    }

    /// `POST /v2/bookings/{uid}/cancel`.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn cancel(
        &self,
        key: &SecretString,
        uid: &BookingUid,
        reason: &str,
    ) -> Result<Response<FoundBooking>, CalcomError> {
        let body = json!({"cancellationReason": reason});
        let request = self.bookings(Method::POST, &format!("/{uid}/cancel")).json(&body);
        self.send(request, Some(body), key, response::booking).await
    }

    /// `POST /v2/bookings/{uid}/reschedule`. The response is a new booking with a uid of its own.
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

    /// `GET /v2/slots`: when the event type can be booked, in order.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn slots(
        &self,
        key: &SecretString,
        event_type: EventTypeId,
        window: SlotsWindow,
    ) -> Result<Response<Vec<DateTime<Utc>>>, CalcomError> {
        let request = self
            .http
            .get(format!("{}/v2/slots", self.config.base_url))
            .header("cal-api-version", &self.config.slots_version)
            .query(&[
                ("eventTypeId", event_type.to_string()),
                ("start", utc(window.start)),
                ("end", utc(window.end)),
                ("timeZone", "UTC".to_owned()),
            ]);
        self.send(request, None, key, response::slots).await
    }

    fn bookings(&self, method: Method, rest: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/v2/bookings{rest}", self.config.base_url))
            .header("cal-api-version", &self.config.bookings_version)
    }

    /// Sends a request; `body` is the part of its body that is stored.
    async fn send<T>(
        &self,
        request: RequestBuilder,
        body: Option<Value>,
        key: &SecretString,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Response<T>, CalcomError> {
        let Ok(request) = request.bearer_auth(key.expose_secret()).build() else {
            return Err(CalcomError::no_response(String::new(), false));
        };
        let sent = describe(&request, body);
        // The error itself may quote the URL; only whether Cal.com was reached matters.
        let whole = async {
            let response = self.http.execute(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, whole_body(response).await?))
        };
        let (status, headers, body) = match whole.await {
            Ok(answer) => answer,
            Err(error) => return Err(CalcomError::no_response(sent, !error.is_connect())),
        };
        let exchange = Exchange { request: sent, status: Some(status.as_u16()), body };
        if !status.is_success() {
            return Err(CalcomError::refused(status.as_u16(), exchange, &headers, Utc::now()));
        }
        match read(&exchange.body) {
            Some(value) => Ok(Response { value, exchange }),
            None => Err(CalcomError::unreadable(exchange)),
        }
    }
}

/// A request as it is stored: method, path, and the part of its body that may be stored. The key is in a header.
fn describe(request: &reqwest::Request, body: Option<Value>) -> String {
    let url = request.url();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let body = body.map(|body| format!(" {body}")).unwrap_or_default();
    format!("{} {}{query}{body}", request.method(), url.path())
}

async fn whole_body(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_BODY {
            break;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use scheduling::{failure::Category, ids::CallId};
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_json, header, method, path, query_param},
    };

    use super::*;
    use crate::{Attendee, Effect};

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
    async fn a_list_is_read_to_its_end() {
        let server = MockServer::start().await;
        let other = json!({"uid": "x", "metadata": {"frontdeskAppointmentId": "a2"}});
        for (skip, page) in [("0", vec![other; PAGE]), ("250", vec![booking("last")])] {
            Mock::given(method("GET"))
                .and(path("/v2/bookings"))
                .and(query_param("afterCreatedAt", "2026-12-01T08:00:00.000Z"))
                .and(query_param("skip", skip))
                .respond_with(ResponseTemplate::new(200).set_body_json(json!({"status": "success", "data": page})))
                .mount(&server)
                .await;
        }
        let found = client(&server).await.bookings_of(&key(), &AppointmentId::new("a1"), start()).await.unwrap();
        let uids: Vec<_> = found.into_iter().map(|listed| listed.booking.unwrap().uid).collect();
        assert_eq!(uids, [BookingUid::new("last")]);
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
