//! What was asked of Cal.com and what it answered, to be kept beside the appointment that it was about.

use std::fmt;

/// One request with what came back. Printed, it shows how long the answer is and nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Method, path and body, without the key and with every personal value left out.
    pub request: String,
    /// The HTTP status; `None` where no answer came.
    pub status: Option<u16>,
    /// Every byte of the answer's body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({}, {:?}, {} bytes)", self.request, self.status, self.body.len())
    }
}
