//! What a key sees: its user's event types and those of its teams, with their hosts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all, join3};
use reqwest::Method;
use scheduling::{
    booking::Host,
    event_type::{Catalog, EventType, SetupFault},
    ids::{EventTypeId, HostId},
    personal::Personal,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::Calcom,
    error::CalcomError,
    response::{Response, data},
};

/// `cal-api-version` of the requests about personal event types.
const EVENT_TYPES_VERSION: &str = "2024-06-14";
/// No team has more members than Cal.com lists at once.
const MEMBERS: &str = "250";

/// An event type in Cal.com's form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEventType {
    id: EventTypeId,
    length_in_minutes: u32,
    #[serde(default)]
    before_event_buffer: u32,
    #[serde(default)]
    after_event_buffer: u32,
    #[serde(default)]
    booking_fields: Vec<Value>,
    #[serde(default)]
    recurrence: Value,
    #[serde(default)]
    seats: Value,
    #[serde(default)]
    price: Value,
    #[serde(default)]
    requires_booker_email_verification: bool,
    #[serde(default)]
    booking_requires_authentication: bool,
    #[serde(default)]
    scheduling_type: Option<String>,
    #[serde(default)]
    rr_host_subset_enabled: bool,
    #[serde(default)]
    hosts: Vec<RawTeamHost>,
    #[serde(default)]
    users: Vec<RawUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTeamHost {
    user_id: u64,
}

#[derive(Deserialize)]
struct RawUser {
    id: u64,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct RawTeam {
    id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMember {
    user_id: u64,
    #[serde(default)]
    user: Option<RawMemberUser>,
}

#[derive(Deserialize)]
struct RawMemberUser {
    #[serde(default)]
    email: Option<String>,
}

/// Addresses by the id of their host.
type Emails = BTreeMap<u64, String>;

impl Calcom {
    /// `GET /v2/me`: whether Cal.com accepts the key.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn me(&self, key: &SecretString) -> Result<(), CalcomError> {
        self.user_of(key).await.map(drop)
    }

    /// Everything that the key sees of event types: its user's own, and those of its teams. The memberships of a team
    /// are shown to its admins only, who alone see all bookings of the team.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn catalog(&self, key: &SecretString, now: DateTime<Utc>) -> Result<Catalog, CalcomError> {
        let own = self.request(Method::GET, "/v2/event-types", Some(EVENT_TYPES_VERSION));
        let teams = self.request(Method::GET, "/v2/teams", None);
        let (user, own, teams) = join3(
            self.user_of(key),
            self.send(own, None, key, list_of::<RawEventType>),
            self.send(teams, None, key, list_of::<RawTeam>),
        )
        .await;
        let (user, own) = (user?.value, own?.value);
        let teams = match teams {
            // A copy without teams.
            Err(error) if error.is_not_found() => Vec::new(),
            teams => teams?.value,
        };
        let mut event_types = BTreeMap::new();
        let emails: Emails = user.email.map(|email| (user.id, email)).into_iter().collect();
        for raw in own {
            event_types.insert(raw.id, raw.into_event_type(None, &emails, true));
        }
        for found in join_all(teams.iter().map(|team| self.event_types_of(key, team.id))).await {
            event_types.extend(found?);
        }
        Ok(Catalog { checked_at: now, event_types })
    }

    /// The event types of a team.
    async fn event_types_of(
        &self,
        key: &SecretString,
        team: u64,
    ) -> Result<Vec<(EventTypeId, EventType)>, CalcomError> {
        let path = format!("/v2/teams/{team}");
        let listed = self.request(Method::GET, &format!("{path}/event-types"), None);
        let members = self.request(Method::GET, &format!("{path}/memberships"), None).query(&[("take", MEMBERS)]);
        let (listed, members) = join(
            self.send(listed, None, key, list_of::<RawEventType>),
            self.send(members, None, key, list_of::<RawMember>),
        )
        .await;
        let members = match members {
            Ok(members) => Some(members.value),
            Err(error) if matches!(error.exchange.status, Some(403)) => None,
            Err(error) => return Err(error),
        };
        let is_admin = members.is_some();
        let addressed = |member: RawMember| Some((member.user_id, member.user?.email?));
        let emails: Emails = members.into_iter().flatten().filter_map(addressed).collect();
        let read = listed?.value.into_iter();
        Ok(read.map(|raw| (raw.id, raw.into_event_type(Some(team), &emails, is_admin))).collect())
    }

    /// `PATCH /v2/teams/{team}/event-types/{id}`: lets bookings of a round-robin event type name their host.
    ///
    /// # Errors
    /// With the failure in the domain's terms.
    pub async fn allow_host_selection(
        &self,
        key: &SecretString,
        team: u64,
        event_type: EventTypeId,
    ) -> Result<(), CalcomError> {
        let body = json!({"rrHostSubsetEnabled": true});
        let path = format!("/v2/teams/{team}/event-types/{event_type}");
        let request = self.request(Method::PATCH, &path, None).json(&body);
        self.send(request, Some(body), key, data).await.map(drop)
    }

    async fn user_of(&self, key: &SecretString) -> Result<Response<RawUser>, CalcomError> {
        let request = self.request(Method::GET, "/v2/me", None);
        self.send(request, None, key, |body| serde_json::from_value(data(body)?).ok()).await
    }
}

fn list_of<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Option<Vec<T>> {
    serde_json::from_value(data(body)?).ok()
}

impl RawEventType {
    fn into_event_type(self, team: Option<u64>, emails: &Emails, is_visible: bool) -> EventType {
        let faults = self.faults();
        let ids = self.hosts.iter().map(|host| host.user_id).chain(self.users.iter().map(|user| user.id));
        let host =
            |id: u64| Host { id: HostId(id), email: emails.get(&id).cloned().map(Personal::new), display_email: None };
        let is_notes = |field: &Value| field["slug"] == "notes" && field["hidden"] != Value::Bool(true);
        EventType {
            team,
            minutes: self.length_in_minutes,
            buffer_before: self.before_event_buffer,
            buffer_after: self.after_event_buffer,
            hosts: ids.map(host).collect(),
            is_round_robin: self.scheduling_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("roundRobin")),
            is_host_selectable: self.rr_host_subset_enabled,
            is_visible,
            takes_notes: self.booking_fields.iter().any(is_notes),
            faults,
        }
    }

    /// What prevents a booking, or one that Frontdesk could answer for.
    fn faults(&self) -> Vec<SetupFault> {
        let is_on = |setting: &Value| setting.is_object() && setting["disabled"] != Value::Bool(true);
        let is_own =
            |field: &&Value| field["isDefault"] == Value::Bool(false) && field["required"] == Value::Bool(true);
        let own_fields = self.booking_fields.iter().filter(is_own).filter_map(|field| field["slug"].as_str());
        let mut faults: Vec<SetupFault> = own_fields.map(|slug| SetupFault::RequiredField(slug.to_owned())).collect();
        let is_managed = self.scheduling_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("managed"));
        for (applies, fault) in [
            (is_managed, SetupFault::ManagedParent),
            (!is_managed && self.hosts.is_empty() && self.users.is_empty(), SetupFault::NoHosts),
            (is_on(&self.seats), SetupFault::Seats),
            (is_on(&self.recurrence), SetupFault::Recurrence),
            (self.price.as_f64().is_some_and(|price| price > 0.0), SetupFault::Payment),
            (self.requires_booker_email_verification, SetupFault::EmailVerification),
            (self.booking_requires_authentication, SetupFault::LoginRequired),
        ] {
            faults.extend(applies.then_some(fault));
        }
        faults
    }
}
