//! Tones to send, one string after the other.

use core::time::Duration;
use std::time::Instant;

use ortc_core::{ConnectionError, RTCConnection, RTCDTMFHandler};

/// What is dialled.
pub(crate) const DIALLED: [&str; 2] = ["159#", "0123ABCD*,"];

/// What of it the other side must hear: a comma is a pause.
pub(crate) fn audible() -> String {
    DIALLED.concat().replace(',', "")
}

/// Before the first string, and after the start of the last tone of each: a tone and its gap take
/// 150 ms unless told otherwise (draft §4.2.2.1).
const PAUSE: Duration = Duration::from_millis(250);

/// Inserts each string once the one before has been sent.
pub(crate) struct Dialler {
    handler: RTCDTMFHandler,
    inserted: usize,
    /// Tones that have begun.
    pub(crate) sent: String,
    due: Option<Instant>,
}

impl Dialler {
    pub(crate) fn new(handler: RTCDTMFHandler) -> Self {
        Self {
            handler,
            inserted: 0,
            sent: String::new(),
            due: None,
        }
    }

    /// The connection is connected.
    pub(crate) fn start(&mut self, now: Instant) {
        self.due = Some(now + PAUSE);
    }

    /// A tone has begun.
    pub(crate) fn tone_started(&mut self, tone: char, now: Instant) {
        self.sent.push(tone);
        let so_far: String = DIALLED.iter().take(self.inserted).copied().collect();
        if self.sent.len() == so_far.replace(',', "").len() {
            self.due = Some(now + PAUSE);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn handle_timeout(
        &mut self,
        connection: &mut RTCConnection,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        if self.due.is_none_or(|due| now < due) {
            return Ok(());
        }
        self.due = None;
        if let Some(tones) = DIALLED.get(self.inserted) {
            self.inserted += 1;
            self.handler
                .insert_dtmf(connection, tones, None, None, now)?;
        }
        Ok(())
    }

    /// Whether everything was sent.
    pub(crate) fn is_done(&self) -> bool {
        self.due.is_none() && self.sent == audible()
    }
}
