//! A server that asks for a cookie again (RFC 6347 §4.2.1): it has changed its secret meanwhile,
//! or somebody else sent the request.

use core::time::Duration;
use std::time::Instant;

use crate::wire::handshake::Fragment;
use crate::wire::hello::{ClientHello, parse_hello_verify_request};

/// A server that took our cookie answers within a round trip, and one that did not asks again each
/// time that it sees it. Another cookie is believed after the interval of RFC 6347 §4.2.4.1 without
/// an answer, so that a request which somebody else sent has no effect.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was asked for since the hello with a cookie was sent.
#[derive(Debug)]
pub(super) struct Verify {
    /// When it was sent.
    since: Instant,
    /// The cookie of the latest request, unless it is the one that was sent.
    other: Option<Box<[u8]>>,
}

impl Verify {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            other: None,
        }
    }

    /// A further request, whole; `sent` is the hello with its header. Says whether it asks for what
    /// was sent.
    pub(super) fn on_request(&mut self, fragment: &Fragment<'_>, sent: &[u8]) -> bool {
        let hello = sent.get(Fragment::HEADER..).map(ClientHello::parse);
        let (Ok(cookie), Some(Ok(hello))) = (parse_hello_verify_request(fragment.body), hello)
        else {
            return false;
        };
        if cookie == hello.cookie {
            return true;
        }
        self.other = Some(cookie.into());
        false
    }

    /// The cookie to send instead of the one that was, when it is time to repeat it.
    pub(super) fn take_other(&mut self, now: Instant) -> Option<Box<[u8]>> {
        let due = now.saturating_duration_since(self.since) >= PATIENCE;
        self.other.take_if(|_| due)
    }
}
