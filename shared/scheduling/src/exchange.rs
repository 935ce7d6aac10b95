//! A request to Cal.com and its response, as stored with the appointment.

use std::fmt;

/// A request and its response. `Debug` shows the length of the body only.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Method, path and body, without the key and with every personal value removed.
    pub request: String,
    /// The HTTP status; `None` without a response.
    pub status: Option<u16>,
    /// The body of the response, byte for byte.
    pub body: Vec<u8>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({}, {:?}, {} bytes)", self.request, self.status, self.body.len())
    }
}
