//! The bodies of a call's webhooks.
//!
//! The events of a call hold the same transcript, each word with its times. The first large body of a call is an object of
//! S3, and every large one, that one included, is stored as what it adds to the object: some hundred bytes. Small bodies are
//! stored in the table, and so are all bodies while S3 fails.

use std::{future::Future, time::Duration};

use platform::bucket::{Bucket, BucketError};
use scheduling::ids::{CallId, TenantId};
use tokio::time::timeout;

use crate::{blob, error::StoreError, item::fingerprint};

/// The largest compressed body that the table stores for less than S3: a kilobyte written costs as much as a seventh of an
/// object, and a month in the table twelve times as much as in S3 (tests/bench/RESULTS.md).
const LARGEST_IN_TABLE: usize = 4 * 1024;

/// How long S3 is waited for before the table stores a body whole: Retell waits ten seconds for the response.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The bodies that are too large for the table.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    bucket: Bucket,
}

/// A body as the table stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredBody {
    /// The object to which `parts` add something; without one they are the whole body.
    pub(crate) object: Option<String>,
    /// Compressed, each small enough for an item.
    pub(crate) parts: Vec<Vec<u8>>,
}

impl StoredBody {
    /// A body that the table stores whole, whatever its size.
    pub(crate) fn whole(body: &[u8]) -> Result<Self, StoreError> {
        Ok(Self::of_packed(&blob::compress(body, &[])?))
    }

    fn of_packed(packed: &[u8]) -> Self {
        Self { object: None, parts: blob::split(packed) }
    }
}

impl Bodies {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Stores what is too large for the table, and returns what the table has to store. `before_first` is awaited before the
    /// first large body of the call is stored: once there is one, it is known to have succeeded.
    pub(crate) async fn store(
        &self,
        tenant: &TenantId,
        call: &CallId,
        body: &[u8],
        before_first: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<StoredBody, StoreError> {
        let packed = blob::compress(body, &[])?;
        if packed.len() <= LARGEST_IN_TABLE {
            return Ok(StoredBody::of_packed(&packed));
        }
        let object = name_of(tenant, call);
        let base = timeout(LONGEST_WAIT, self.base(&object, &packed, before_first)).await;
        match base.unwrap_or_else(|_| Err(BucketError::too_slow().into())) {
            Ok(base) => {
                let added = blob::compress(body, base.as_deref().unwrap_or(body))?;
                Ok(StoredBody { object: Some(object), parts: blob::split(&added) })
            }
            Err(error) => {
                tracing::warn!(%error, "failed to store a body in S3; the table stores it whole");
                Ok(StoredBody::of_packed(&packed))
            }
        }
    }

    /// The body that an event was stored with. `None` if its object has expired.
    pub(crate) async fn load(&self, stored: &StoredBody) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(object) = &stored.object else { return blob::unpack(&stored.parts).map(Some) };
        let Some(packed) = self.bucket.get(object).await? else { return Ok(None) };
        let base = blob::decompress(&packed, &[])?;
        blob::decompress(&stored.parts.concat(), &base).map(Some)
    }

    /// Deletes the object of a call, if there is one.
    pub(crate) async fn erase(&self, tenant: &TenantId, call: &CallId) -> Result<(), StoreError> {
        Ok(self.bucket.delete(&name_of(tenant, call)).await?)
    }

    /// The first large body of the call. `None` if there was none: then it is the one that is given.
    async fn base(
        &self,
        object: &str,
        packed: &[u8],
        before_first: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(found) = self.bucket.get(object).await? {
            return blob::decompress(&found, &[]).map(Some);
        }
        before_first.await?;
        if self.bucket.put_new(object, packed.to_vec()).await? {
            return Ok(None);
        }
        // Another event of the call was first.
        let found = self.bucket.get(object).await?.ok_or(StoreError::Conflict)?;
        blob::decompress(&found, &[]).map(Some)
    }
}

impl From<BucketError> for StoreError {
    fn from(error: BucketError) -> Self {
        Self::BodyUnavailable(error)
    }
}

/// A call's id may be of any form, so that its digest names the object.
fn name_of(tenant: &TenantId, call: &CallId) -> String {
    format!("{tenant}/{}", fingerprint(call.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use aws_config::{Region, SdkConfig};
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

    use super::*;

    fn bodies_at(s3: &MockServer) -> Bodies {
        let config = SdkConfig::builder()
            .region(Some(Region::new("eu-central-1")))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("a", "b", None)))
            .endpoint_url(s3.uri())
            .build();
        Bodies::new(Bucket::new(&config, "calls").unwrap())
    }

    /// Text that compresses to more than the table takes.
    fn long_body() -> Vec<u8> {
        let words = (0..6000_u64).map(|nth| format!("{:x} ", nth.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        words.collect::<String>().into_bytes()
    }

    #[tokio::test]
    async fn while_s3_fails_the_table_stores_a_body_whole() {
        let s3 = MockServer::start().await;
        Mock::given(method("GET")).respond_with(ResponseTemplate::new(403)).mount(&s3).await;
        let (bodies, body) = (bodies_at(&s3), long_body());
        let stored = bodies.store(&TenantId::new("salon"), &CallId::new("c"), &body, async { Ok(()) }).await.unwrap();
        assert_eq!(stored.object, None);
        assert_eq!(bodies.load(&stored).await.unwrap(), Some(body));
    }

    #[tokio::test]
    async fn an_event_whose_object_has_expired_is_no_longer_there() {
        let s3 = MockServer::start().await;
        Mock::given(method("GET")).respond_with(ResponseTemplate::new(404)).mount(&s3).await;
        Mock::given(method("PUT")).respond_with(ResponseTemplate::new(200)).expect(1).mount(&s3).await;
        let bodies = bodies_at(&s3);
        let stored =
            bodies.store(&TenantId::new("salon"), &CallId::new("c"), &long_body(), async { Ok(()) }).await.unwrap();
        assert!(stored.object.is_some() && stored.parts.concat().len() < 100);
        assert_eq!(bodies.load(&stored).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_small_body_asks_nothing_of_s3() {
        let s3 = MockServer::start().await;
        let bodies = bodies_at(&s3);
        let stored = bodies.store(&TenantId::new("salon"), &CallId::new("c"), b"{}", async { Ok(()) }).await.unwrap();
        assert_eq!((stored.object.is_none(), s3.received_requests().await.unwrap().len()), (true, 0));
        assert_eq!(bodies.load(&stored).await.unwrap(), Some(b"{}".to_vec()));
    }

    #[test]
    fn an_object_belongs_to_its_tenant_and_its_name_holds_no_call() {
        let call = CallId::new("call_../of?a&customer");
        let name = name_of(&TenantId::new("salon"), &call);
        assert!(
            name.starts_with("salon/") && name.chars().all(|c| c.is_ascii_alphanumeric() || "/-".contains(c)),
            "{name}"
        );
    }
}
