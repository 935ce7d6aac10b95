//! The header `x-retell-signature: v=<unix milliseconds>,d=<64 lower-case hex digits>`.
//!
//! `d` is HMAC-SHA256 with the account's API key over the raw body followed by the decimal digits of `v`. More than
//! five minutes in the past or the future is refused. Source: Retell's documentation of secured webhooks.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// How far `v` may be from now.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Why bytes don't count as Retell's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is missing.
    #[error("the header x-retell-signature is missing")]
    Missing,
    /// The header is malformed.
    #[error("the header x-retell-signature is not of the form v=<milliseconds>,d=<64 hex digits>")]
    Malformed,
    /// It was signed too long ago, or too far in the future.
    #[error("the signature is more than five minutes old, or in the future")]
    Stale,
    /// None of our keys signed these bytes.
    #[error("the signature does not match the body")]
    Wrong,
}

/// The parsed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    signed_at_ms: i64,
    digest: [u8; 32],
}

impl Signature {
    /// Parses the header's value.
    ///
    /// # Errors
    /// [`SignatureError::Missing`] and [`SignatureError::Malformed`].
    pub fn parse(header: Option<&str>) -> Result<Self, SignatureError> {
        let value = header.ok_or(SignatureError::Missing)?;
        let rest = value.strip_prefix("v=").ok_or(SignatureError::Malformed)?;
        let (milliseconds, digits) = rest.split_once(",d=").ok_or(SignatureError::Malformed)?;
        let are_decimal = !milliseconds.is_empty() && milliseconds.bytes().all(|b| b.is_ascii_digit());
        let are_lower_hex = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !(are_decimal && are_lower_hex) || milliseconds.starts_with('0') {
            return Err(SignatureError::Malformed);
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(digits, &mut digest).map_err(|_| SignatureError::Malformed)?;
        let signed_at_ms = milliseconds.parse().map_err(|_| SignatureError::Malformed)?;
        Ok(Self { signed_at_ms, digest })
    }

    /// Finds the key that signed `body`, and returns what it belongs to.
    ///
    /// Each digest is compared in constant time.
    ///
    /// # Errors
    /// [`SignatureError::Stale`] and [`SignatureError::Wrong`].
    pub fn signer_of<'k, A>(
        &self,
        body: &[u8],
        keys: impl IntoIterator<Item = (A, &'k SecretString)>,
        now: DateTime<Utc>,
    ) -> Result<A, SignatureError> {
        if self.signed_at_ms.abs_diff(now.timestamp_millis()) > TOLERANCE.num_milliseconds().unsigned_abs() {
            return Err(SignatureError::Stale);
        }
        keys.into_iter()
            .filter(|(_, key)| !key.expose_secret().is_empty())
            .find(|(_, key)| {
                digest(key, body, self.signed_at_ms).is_some_and(|mac| mac.verify_slice(&self.digest).is_ok())
            })
            .map(|(account, _)| account)
            .ok_or(SignatureError::Wrong)
    }
}

/// The header's value for `body`, as Retell would write it. For stand-ins.
pub fn sign(key: &SecretString, body: &[u8], now: DateTime<Utc>) -> String {
    let milliseconds = now.timestamp_millis();
    let digest = digest(key, body, milliseconds).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
    format!("v={milliseconds},d={}", hex::encode(digest))
}

fn digest(key: &SecretString, body: &[u8], milliseconds: i64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
    mac.update(body);
    mac.update(milliseconds.to_string().as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"event":"call_analyzed"}"#;

    fn now() -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    fn key(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    fn signer(header: &str, body: &[u8], now: DateTime<Utc>) -> Result<&'static str, SignatureError> {
        let (old, current) = (key("key_old"), key("key_current"));
        Signature::parse(Some(header))?.signer_of(body, [("current", &current), ("previous", &old)], now)
    }

    #[test]
    fn the_digest_is_what_retell_documents() {
        // From: printf '{"event":"call_analyzed"}1796112000000' | openssl dgst -sha256 -hmac key_current
        assert_eq!(
            sign(&key("key_current"), BODY, now()),
            "v=1796112000000,d=fd9bd2d912ae7709f1fbeedd46bca3cc9e2a9da0d8db3b1ae98f128d8f353cd9"
        );
    }

    #[test]
    fn both_the_current_and_the_previous_key_are_known() {
        assert_eq!(signer(&sign(&key("key_current"), BODY, now()), BODY, now()), Ok("current"));
        assert_eq!(signer(&sign(&key("key_old"), BODY, now()), BODY, now()), Ok("previous"));
        assert_eq!(signer(&sign(&key("key_other"), BODY, now()), BODY, now()), Err(SignatureError::Wrong));
    }

    #[test]
    fn five_minutes_either_way_are_allowed() {
        let header = sign(&key("key_current"), BODY, now());
        for offset in [-300_000, 300_000] {
            assert_eq!(signer(&header, BODY, now() + TimeDelta::milliseconds(offset)), Ok("current"));
        }
        for offset in [-300_001, 300_001] {
            assert_eq!(signer(&header, BODY, now() + TimeDelta::milliseconds(offset)), Err(SignatureError::Stale));
        }
    }

    #[test]
    fn an_empty_key_signs_nothing() {
        let empty = key("");
        let signature = Signature::parse(Some(&sign(&empty, BODY, now()))).unwrap();
        assert_eq!(signature.signer_of(BODY, [((), &empty)], now()), Err(SignatureError::Wrong));
    }

    #[test]
    fn other_forms_of_the_header_are_refused() {
        assert_eq!(Signature::parse(None), Err(SignatureError::Missing));
        let digits = "a".repeat(64);
        let upper = format!("v=1,d={}", "A".repeat(64));
        for value in [
            "",
            "v=1",
            "v=,d=",
            &format!("d={digits},v=1"),
            &format!("v=1,d={digits} "),
            &format!(" v=1,d={digits}"),
            &format!("v=-1,d={digits}"),
            &format!("v=+1,d={digits}"),
            &format!("v=01,d={digits}"),
            &format!("v=99999999999999999999,d={digits}"),
            &upper,
            "v=1,d=abc",
        ] {
            assert_eq!(Signature::parse(Some(value)), Err(SignatureError::Malformed), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(value in ".{0,120}") {
            let _ = Signature::parse(Some(&value));
        }

        #[test]
        fn a_changed_byte_is_noticed(at in 0..BODY.len(), flipped in 1_u8..) {
            let header = sign(&key("key_current"), BODY, now());
            let mut body = BODY.to_vec();
            body[at] ^= flipped;
            prop_assert_eq!(signer(&header, &body, now()), Err(SignatureError::Wrong));
        }
    }
}
