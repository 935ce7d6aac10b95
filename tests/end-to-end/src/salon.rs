//! A salon for one test: a tenant with its own agent, and event types of its own at Cal.com's stand-in.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Datelike, Days, NaiveTime, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Europe::Berlin;
use scheduling::{
    appointment::{Actor, Appointment, OPERATOR},
    assignment::{Assignment, StrategyName},
    contact::Customer,
    ids::{AppointmentId, BookingUid, CallId, Source, StaffId, TenantId},
    request::{AppointmentRequest, Intent},
    start_time::RequestedStart,
    tenant::Tenant,
};
use serde_json::{Value, json};
use store::{CallEvent, NewAppointment, SlotClaim, StoreError, Versioned};
use uuid::Uuid;

use crate::{MARK, MARKED_PHONE, Stack, eventually, stack::WebhookAnswer, variable};

/// A salon that takes part in one test.
///
/// Staff: `anna`, `ben`, and `cem`, who is not active. Services: `Haarschnitt` (round robin, [`Salon::haircut`]) and
/// `Farbe` (per staff, [`Salon::color_of`]).
pub struct Salon {
    /// The stack it is loaded into.
    pub stack: Stack,
    /// The tenant.
    pub tenant: TenantId,
    account: String,
    base: u64,
}

/// How many accounts have a key in the local stack's secret.
const ACCOUNTS: u64 = 400;
/// The accounts that salons of this process have, from the last one on: scenarios take theirs from the first one on.
static NEXT_ACCOUNT: AtomicU64 = AtomicU64::new(0);

/// How a salon differs from the usual one.
#[derive(Default)]
pub struct SalonForm {
    /// The hosts of the round-robin event type: `(id, email)`. Usually Anna's, Ben's and nobody else's.
    pub hosts: Option<Vec<(u64, String)>>,
    /// Fields of the round-robin event type, such as `host_when_booked`.
    pub event_type: Value,
    /// Fields of the event types that are one staff member's own.
    pub color: Value,
    /// The Cal.com account. Usually one of its own.
    pub account: Option<String>,
    /// What its tenant has besides: fields of its file, and by id those of its staff and services.
    pub tenant: Value,
    /// The role of the account's key in the salon's team. Usually `OWNER`.
    pub role: Option<&'static str>,
}

/// A call that a test makes.
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// The webhook's body.
    pub body: Value,
}

impl Salon {
    /// Opens the usual salon.
    pub async fn open() -> Self {
        Self::with(SalonForm::default()).await
    }

    /// Opens a salon of this form.
    pub async fn with(form: SalonForm) -> Self {
        let stack = Stack::deployed().await;
        let unique = Uuid::new_v4();
        let account = form.account.unwrap_or_else(|| {
            let nth = NEXT_ACCOUNT.fetch_add(1, Ordering::Relaxed) % ACCOUNTS;
            format!("salon-{}", ACCOUNTS - 1 - nth)
        });
        let tenant = TenantId::new(format!("salon-{unique}"));
        let salon = Self { stack, tenant, account, base: unique.as_u64_pair().0 >> 20 << 4 };
        salon.open_at_calcom(form.role.unwrap_or("OWNER")).await;
        let domain = salon.domain();
        let mut file = json!({
            "id": salon.tenant, "name": "Salon", "time_zone": "Europe/Berlin",
            "retell": {"account": "main", "agent_ids": [salon.agent()]},
            "calcom": {"account": salon.account, "placeholder_email_domain": domain},
            "staff": [
                {"id": "anna", "name": "Anna Berg", "emails": [format!("anna@{domain}")]},
                {"id": "ben", "name": "Ben Tal", "emails": [format!("Ben@{domain}")]},
                {"id": "cem", "name": "Cem Au", "emails": [format!("cem@{domain}")], "active": false},
            ],
            "services": [
                {"id": "cut", "name": "Haarschnitt", "event_types": {"round_robin": salon.haircut()}},
                {"id": "color", "name": "Farbe", "event_types": {"per_staff": {
                    "anna": salon.color_of("anna"), "ben": salon.color_of("ben")}}},
            ],
        });
        merge(&mut file, &form.tenant);
        let tenant: Tenant = serde_json::from_value(file).unwrap();
        assert_eq!(tenant.problems(), []);
        // As of yesterday: a tenant's calls before it was loaded are none of Frontdesk's.
        salon.stack.tenants.write(&tenant, None, Utc::now() - TimeDelta::days(1)).await.unwrap();
        let usual = || vec![(salon.host("anna"), salon.email("anna")), (salon.host("ben"), salon.email("ben"))];
        salon.offer(salon.haircut(), form.hosts.unwrap_or_else(usual), form.event_type).await;
        for name in ["anna", "ben"] {
            salon.offer(salon.color_of(name), vec![(salon.host(name), salon.email(name))], form.color.clone()).await;
        }
        salon
    }

    /// The round-robin event type.
    pub fn haircut(&self) -> u64 {
        self.base
    }

    /// The event type that is one staff member's own.
    pub fn color_of(&self, name: &str) -> u64 {
        self.base + if name == "anna" { 1 } else { 2 }
    }

    /// The host that a staff member is at Cal.com.
    pub fn host(&self, name: &str) -> u64 {
        self.base + if name == "anna" { 3 } else { 4 }
    }

    /// The address that a staff member has.
    pub fn email(&self, name: &str) -> String {
        format!("{name}@{}", self.domain())
    }

    /// The key of its account.
    pub fn key(&self) -> String {
        format!("cal_local_frontdesk_{}", self.account)
    }

    /// Makes its key one that Cal.com refuses, or accepts again.
    pub async fn put_key(&self, is_expired: bool) {
        let key = json!({"user": self.base + 5, "is_expired": is_expired});
        self.stack.put_to_calcom("/_stand-in", &json!({"keys": {self.key(): key}})).await;
    }

    /// Makes the salon's team and its account's key known to Cal.com's stand-in.
    pub async fn open_at_calcom(&self, role: &str) {
        let owner = self.base + 5;
        let mut content = json!({
            "users": [{"id": owner, "name": "Owner", "email": self.email("owner")}],
            "teams": [{"id": self.base, "name": "Salon", "members": [
                {"user": owner, "role": role}, {"user": self.host("anna"), "role": "MEMBER"},
                {"user": self.host("ben"), "role": "MEMBER"}]}],
        });
        content["keys"][self.key()] = json!({"user": owner});
        self.stack.put_to_calcom("/_stand-in", &content).await;
    }

    /// A call of a customer of its own that asks for these fields, with all of the customer's data marked.
    pub fn call(&self, fields: Value) -> Call {
        let unique = Uuid::new_v4().simple().to_string();
        let id = CallId::new(format!("call_{unique}"));
        let phone = format!("{MARKED_PHONE}{:02}", Uuid::new_v4().as_u128() % 100);
        let mut asked = json!({
            "customer_name": format!("{MARK} {unique}"), "customer_email": format!("{MARK}-{unique}@beispiel.example"),
            "customer_phone": phone, "notes": format!("mag {MARK}"),
        });
        for (key, value) in fields.as_object().unwrap() {
            asked[key] = value.clone();
        }
        let body = json!({"event": "call_analyzed", "call": {
            "call_type": "phone_call", "call_id": id, "agent_id": self.agent(), "direction": "inbound",
            "from_number": phone, "to_number": "+4930901820", "transcript": format!("User: {MARK}!"),
            "call_analysis": {"call_summary": format!("wants {MARK}"), "custom_analysis_data": asked},
        }});
        Call { id, body }
    }

    /// A call that asks for a haircut at this time.
    pub fn haircut_at(&self, start: &str) -> Call {
        self.call(json!({"service": "Haarschnitt", "appointment_start": start}))
    }

    /// Delivers a call and answers the appointment that it made.
    pub async fn deliver(&self, call: &Call) -> AppointmentId {
        let answer: WebhookAnswer = self.stack.deliver(&call.body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.appointment()
    }

    /// Delivers a call and waits until its appointment is settled.
    pub async fn settle(&self, call: &Call) -> Appointment {
        let id = self.deliver(call).await;
        self.stack.until_settled(&id).await
    }

    /// Stores what a call asks for and tells nobody, as if `webhook-intake` had died between the two.
    pub async fn store_untold(&self, start: DateTime<Utc>) -> AppointmentId {
        self.store_untold_at(Utc::now(), start).await
    }

    /// The same, as if that had been at another time.
    pub async fn store_untold_at(&self, now: DateTime<Utc>, start: DateTime<Utc>) -> AppointmentId {
        let call = CallId::new(format!("call_{}", Uuid::new_v4().simple()));
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: Some("Haarschnitt".to_owned()),
            start: RequestedStart::exactly(start),
            customer: Customer::default(),
            staff: None,
            notes: None,
        };
        let by = Actor { function: "test", version: "test", now, person: None };
        let appointment = Appointment::new(self.tenant.clone(), call.clone(), Source::phone(), request, by);
        let (tenant, caller) = (&self.tenant, None);
        let event = CallEvent { tenant, call: &call, caller, name: "call_analyzed", body: b"{}", received_at: now };
        let asked = NewAppointment { appointment: &appointment, customers: &[], dedup_key: None };
        self.stack.calls.record(&event, Some((&asked, &SlotClaim::IfVacant))).await.unwrap();
        appointment.id
    }

    /// Books at Cal.com's stand-in itself, for an appointment, and answers the uid.
    pub async fn book_at_calcom(&self, appointment: &AppointmentId, start: DateTime<Utc>) -> BookingUid {
        self.book_event_type(self.haircut(), start, json!({"frontdeskAppointmentId": appointment})).await
    }

    /// Books an event type at Cal.com's stand-in itself, as somebody else's website would.
    pub async fn book_event_type(&self, event_type: u64, start: DateTime<Utc>, metadata: Value) -> BookingUid {
        let body = json!({
            "start": start, "eventTypeId": event_type, "metadata": metadata,
            "attendee": {"name": "x", "timeZone": "Europe/Berlin",
                         "email": format!("x-{}@beispiel.example", Uuid::new_v4().simple())},
        });
        let answer = self.post_with_key("/v2/bookings", &body).await;
        BookingUid::new(answer["data"]["uid"].as_str().unwrap())
    }

    /// Changes a stored appointment past all functions. If one of them writes it meanwhile, it is changed again.
    pub async fn change(&self, id: &AppointmentId, change: impl Fn(Appointment) -> Appointment) {
        let changed = eventually(async || {
            let Versioned { value: appointment, version } = self.stack.appointments.load(id).await.unwrap().unwrap();
            match self.stack.appointments.update(&change(appointment), version).commit().await {
                Err(StoreError::Conflict) => None,
                written => Some(written.unwrap()),
            }
        });
        changed.await.unwrap_or_else(|| panic!("failed to change {id}"));
    }

    /// Assigns an appointment to a staff member as an operator does, and answers it.
    pub async fn assign_by_operator(&self, id: &AppointmentId, staff: &str) -> Appointment {
        let assignment = Assignment { staff: StaffId::new(staff), strategy: StrategyName::Operator, host: None };
        let by = Actor { function: OPERATOR, version: "test", now: Utc::now(), person: None };
        let assign = |mut appointment: Appointment| {
            appointment.assign_by_operator(assignment.clone(), by).unwrap();
            appointment
        };
        self.change(id, assign).await;
        self.stack.appointment(id).await
    }

    /// Changes the round-robin event type.
    pub async fn change_haircut(&self, fields: Value) {
        let hosts = vec![(self.host("anna"), self.email("anna")), (self.host("ben"), self.email("ben"))];
        self.offer(self.haircut(), hosts, fields).await;
    }

    /// Sends a request to Cal.com's stand-in with the key of the salon's account.
    pub async fn post_with_key(&self, path: &str, body: &Value) -> Value {
        let request = self.stack.http.post(format!("{}{path}", variable("CALCOM_BASE_URL"))).json(body);
        let request = request.bearer_auth(self.key()).header("cal-api-version", "2024-08-13");
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Sends a request to Cal.com's stand-in with the key of a person.
    pub async fn post_as(&self, user: u64, path: &str, body: &Value) -> Value {
        let key = format!("cal_of_{user}");
        self.stack.put_to_calcom("/_stand-in", &json!({"keys": {&key: {"user": user}}})).await;
        let request = self.stack.http.post(format!("{}{path}", variable("CALCOM_BASE_URL"))).json(body);
        let request = request.bearer_auth(key).header("cal-api-version", "2024-08-13");
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// How many requests of each kind Cal.com got for the round-robin event type.
    pub async fn requests(&self) -> Value {
        self.stack.stand_in(self.haircut(), "/requests", None).await
    }

    /// The tenant in the form of its file.
    pub async fn tenant_file(&self) -> Value {
        serde_json::to_value(self.stack.tenants.record(&self.tenant).await.unwrap().unwrap().tenant).unwrap()
    }

    /// Has Cal.com refuse the next booking of the round-robin event type with this message.
    pub async fn refuse_booking(&self, message: &str) {
        self.order_fault("book", 1, json!({"refused": {"status": 400, "message": message}})).await;
    }

    /// Orders a fault of the round-robin event type.
    pub async fn order_fault(&self, request: &str, times: u32, kind: Value) {
        let fault = json!({"request": request, "times": times, "kind": kind});
        self.stack.stand_in(self.haircut(), "/faults", Some(&fault)).await;
    }

    /// How many bookings stand for an event type.
    pub async fn bookings_of(&self, event_type: u64) -> Vec<Value> {
        self.stack.stand_in(event_type, "/bookings", None).await.as_array().unwrap().clone()
    }

    async fn offer(&self, id: u64, hosts: Vec<(u64, String)>, fields: Value) {
        let hosts: Vec<Value> = hosts
            .into_iter()
            .map(|(id, email)| json!({"id": id, "name": format!("host {id}"), "email": email}))
            .collect();
        let mut event_type =
            json!({"id": id, "minutes": 30, "time_zone": "Europe/Berlin", "hosts": hosts, "team": self.base});
        for (key, value) in fields.as_object().into_iter().flatten() {
            event_type[key] = value.clone();
        }
        self.stack.stand_in(id, "", Some(&event_type)).await;
    }

    fn agent(&self) -> String {
        format!("agent_{}", self.tenant)
    }

    fn domain(&self) -> String {
        format!("{}.example", self.tenant)
    }
}

/// Merges fields into a tenant file, those of lists by the ids of their entries.
fn merge(file: &mut Value, changes: &Value) {
    for (key, change) in changes.as_object().into_iter().flatten() {
        match (&mut file[key], change) {
            (Value::Array(entries), Value::Object(by_id)) => {
                for (id, change) in by_id {
                    merge(entries.iter_mut().find(|entry| entry["id"] == json!(id)).unwrap(), change);
                }
            }
            (field, change) => *field = change.clone(),
        }
    }
}

/// The appointment as a worker that has claimed it stores it.
pub fn claimed(appointment: Appointment, lease: TimeDelta, by: Actor<'_>) -> Appointment {
    appointment.claim(lease, by).unwrap().appointment().clone()
}

/// The next weekday but one at this hour on Berlin's clock, as a caller would say it and as an instant.
pub fn soon(hour: u32, minute: u32) -> (String, DateTime<Utc>) {
    let mut day = Utc::now().with_timezone(&Berlin).date_naive() + Days::new(2);
    while matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
        day = day + Days::new(1);
    }
    let local = day.and_time(NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
    let at = Berlin.from_local_datetime(&local).unwrap().to_utc();
    (local.format("%Y-%m-%d %H:%M").to_string(), at)
}

/// The last Sunday of a month of next year, which is when clocks change in March and October.
pub fn clock_change(month: u32) -> chrono::NaiveDate {
    let mut day = chrono::NaiveDate::from_ymd_opt(Utc::now().year() + 1, month, 31).unwrap();
    while day.weekday() != Weekday::Sun {
        day = day - Days::new(1);
    }
    day
}
