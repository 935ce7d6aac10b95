//! Who signed in, and what they may see.

use chrono::{DateTime, TimeDelta, Utc};
use scheduling::ids::TenantId;
use store::{SessionKey, StoreError, StoredSession};

use crate::{
    desk::Desk,
    http::Request,
    user_pool::{SignInError, SignedInPerson, is_same, secret},
};

/// The cookie that holds a session's key.
pub const COOKIE: &str = "__Host-session";
/// A working day.
const LIFETIME: TimeDelta = TimeDelta::hours(12);
/// After this time the user pool is asked whether the person may still sign in.
const TRUST: TimeDelta = TimeDelta::minutes(15);

/// Somebody who signed in.
pub struct SignedIn {
    /// The key.
    pub key: SessionKey,
    /// The session.
    pub session: StoredSession,
}

/// A tenant that somebody who signed in may see: the proof that this was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted(TenantId);

impl Permitted {
    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.0
    }
}

impl SignedIn {
    /// The session of a sign-in.
    pub fn begin(signed_in: SignedInPerson, now: DateTime<Utc>, is_english: bool) -> Self {
        let SignedInPerson { person, tenants, refresh_token } = signed_in;
        let session = StoredSession {
            name: person.name,
            tenants,
            csrf: secret(),
            refresh_token: refresh_token.unwrap_or_else(|| scheduling::personal::Personal::new(String::new())),
            since: now,
            trusted_until: now + TRUST,
            ends_at: now + LIFETIME,
            is_english,
        };
        Self { key: SessionKey { person: person.id, secret: secret() }, session }
    }

    /// Whether they see every tenant.
    pub fn is_agency(&self) -> bool {
        self.session.tenants.is_none()
    }

    /// Whether they may see a tenant.
    pub fn permit(&self, tenant: &TenantId) -> Option<Permitted> {
        let is_permitted = self.session.tenants.as_ref().is_none_or(|tenants| tenants.contains(tenant));
        is_permitted.then(|| Permitted(tenant.clone()))
    }

    /// Whether a form is one of this session's.
    pub fn sent(&self, request: &Request) -> bool {
        request.form.get("csrf").is_some_and(|token| is_same(&self.session.csrf, token))
    }

    /// What the cookie holds, and for how many seconds.
    pub fn cookie(&self, now: DateTime<Utc>) -> (String, i64) {
        (format!("{}.{}", self.key.person, self.key.secret), (self.session.ends_at - now).num_seconds())
    }
}

impl Desk {
    /// Who sends a request, if they signed in and may still.
    pub async fn signed_in(&self, request: &Request, now: DateTime<Utc>) -> Result<Option<SignedIn>, StoreError> {
        let Some((person, secret)) = request.cookie(COOKIE).and_then(|cookie| cookie.split_once('.')) else {
            return Ok(None);
        };
        let key = SessionKey { person: person.to_owned(), secret: secret.to_owned() };
        let Some(mut session) = self.sessions.load(&key, now).await? else { return Ok(None) };
        if session.trusted_until > now {
            return Ok(Some(SignedIn { key, session }));
        }
        match self.pool.renew(&session.refresh_token).await {
            Ok(SignedInPerson { tenants, refresh_token, .. }) => {
                session.tenants = tenants;
                session.refresh_token = refresh_token.unwrap_or(session.refresh_token);
                session.trusted_until = now + TRUST;
                let is_stored = self.sessions.update(&key, &session).await?;
                Ok(is_stored.then_some(SignedIn { key, session }))
            }
            Err(SignInError::Refused) => {
                self.sessions.end(&key).await?;
                Ok(None)
            }
            // The session ends within the day. Until then people can work.
            Err(error @ SignInError::Unavailable(_)) => {
                tracing::warn!(%error, "failed to renew a session; it is used as it is");
                Ok(Some(SignedIn { key, session }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use operations::people::Person;
    use scheduling::personal::Personal;

    use super::*;

    fn signed_in(tenants: Option<Vec<&str>>) -> SignedIn {
        let text = |text: &str| Personal::new(text.to_owned());
        let person = Person { id: "p".to_owned(), name: text("Lena"), email: text("l@salon.example") };
        let tenants = tenants.map(|tenants| tenants.into_iter().map(TenantId::new).collect());
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        SignedIn::begin(SignedInPerson { person, tenants, refresh_token: None }, now, false)
    }

    #[test]
    fn a_salon_sees_its_own_and_the_agency_sees_all() {
        let (own, other) = (TenantId::new("salon"), TenantId::new("other"));
        let salon = signed_in(Some(vec!["salon"]));
        assert!(salon.permit(&own).is_some() && salon.permit(&other).is_none() && !salon.is_agency());
        let agency = signed_in(None);
        assert!(agency.permit(&own).is_some() && agency.permit(&other).is_some() && agency.is_agency());
        let nobody = signed_in(Some(Vec::new()));
        assert!(nobody.permit(&own).is_none());
    }
}
