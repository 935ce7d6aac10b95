//! One type for each kind of id, so that a staff member's id can't be passed where a tenant's id is expected.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id! {
    /// One business. Chosen by the operator, for instance `salon-sommer`.
    TenantId
}
text_id! {
    /// A call, as Retell names it (`call_id`).
    CallId
}
text_id! {
    /// A voice agent, as Retell names it (`agent_id`).
    AgentId
}
text_id! {
    /// An appointment; ours. See [`AppointmentId::of_call`].
    AppointmentId
}
text_id! {
    /// A booking, as Cal.com names it (`uid`).
    BookingUid
}
text_id! {
    /// A staff member; ours, unique within one tenant.
    StaffId
}
text_id! {
    /// A service; ours, unique within one tenant.
    ServiceId
}
text_id! {
    /// Names a key in the secrets: a Retell account, or a Cal.com account.
    AccountName
}
text_id! {
    /// The channel through which an appointment came: one of ours, or another system's word. See [`Source::phone`].
    Source
}
text_id! {
    /// A customer, by phone number or email, neither of which it reveals. See [`CustomerId::of_phone`].
    CustomerId
}
number_id! {
    /// A host, as Cal.com names its person (`hosts[].id`).
    HostId
}
number_id! {
    /// A bookable service, as Cal.com names it (`eventTypeId`).
    EventTypeId
}

impl AppointmentId {
    /// The id of the appointment that a call requests: always the same for the same tenant and call, so that a call
    /// delivered twice can only make one appointment.
    pub fn of_call(tenant: &TenantId, call: &CallId) -> Self {
        let name = format!("frontdesk/{tenant}/{call}");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string())
    }

    /// The appointment that a tool requests in a call: the same intent again, in whatever words, has the same id.
    pub fn of_intent(tenant: &TenantId, call: &CallId, intent: &str) -> Self {
        let name = format!("frontdesk/{tenant}/{call}/{intent}");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string())
    }

    /// A number in `0.0..1.0` that depends on the appointment and `turn` alone. It spreads retries like a random number
    /// and is still predictable in a test.
    pub fn jitter(&self, turn: u32) -> f64 {
        let drawn = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{self}/{turn}").as_bytes());
        let (high, _) = drawn.as_u64_pair();
        (high >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl CallId {
    /// The id of a further appointment of the call, `number` from 2 on: it counts as a call of its own.
    pub fn further(&self, number: usize) -> Self {
        Self(format!("{self}#{number}"))
    }

    /// The call as Retell names it, without the number of a further appointment.
    pub fn whole(&self) -> Self {
        Self(self.0.split('#').next().unwrap_or_default().to_owned())
    }
}

impl Source {
    /// A phone call that the voice agent took.
    pub fn phone() -> Self {
        Self::new("retell_phone")
    }

    /// A call from a web page that the voice agent took.
    pub fn web() -> Self {
        Self::new("retell_web")
    }
}

impl CustomerId {
    /// The customer of a tenant who is reached by this number, in E.164 form.
    pub fn of_phone(tenant: &TenantId, number: &str) -> Self {
        Self::of(tenant, "phone", number)
    }

    /// The customer of a tenant who is reached by this email, in whatever case it is written.
    pub fn of_email(tenant: &TenantId, email: &str) -> Self {
        Self::of(tenant, "email", &email.to_lowercase())
    }

    /// Reads an id. `None` if the text is none: it may be a name or a number.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(|_| Self(text.to_owned()))
    }

    fn of(tenant: &TenantId, way: &str, contact: &str) -> Self {
        let name = format!("frontdesk/{tenant}/{way}/{contact}");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_has_one_appointment_and_tenants_never_share_it() {
        let call = CallId::new("call_1");
        let here = AppointmentId::of_call(&TenantId::new("a"), &call);
        assert_eq!(here, AppointmentId::of_call(&TenantId::new("a"), &call));
        assert_ne!(here, AppointmentId::of_call(&TenantId::new("b"), &call));
    }

    #[test]
    fn a_customer_is_recognised_within_one_tenant_and_not_revealed() {
        let (here, there) = (TenantId::new("a"), TenantId::new("b"));
        let id = CustomerId::of_email(&here, "Max@web.example");
        assert_eq!(id, CustomerId::of_email(&here, "max@WEB.example"));
        assert_ne!(id, CustomerId::of_email(&there, "max@web.example"));
        assert_ne!(CustomerId::of_phone(&here, "+4930901820"), CustomerId::of_phone(&here, "+4930901821"));
        assert!(!id.as_str().contains("max"));
    }

    #[test]
    fn jitter_stays_in_its_range_and_differs_by_turn() {
        let id = AppointmentId::new("x");
        let drawn: Vec<f64> = (0..100).map(|turn| id.jitter(turn)).collect();
        assert!(drawn.iter().all(|share| (0.0..1.0).contains(share)));
        assert!(drawn.iter().any(|share| *share < 0.2) && drawn.iter().any(|share| *share > 0.8));
    }
}
