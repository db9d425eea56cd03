//! STUN messages and `ChannelData` in a stream of octets (RFC 8656 §12.5, RFC 8489 §6.2.2).

use thiserror::Error;

use crate::stun::{HEADER_LEN, MAGIC_COOKIE};

/// Octets in front of the payload of a `ChannelData` message (RFC 8656 §12.4).
pub(super) const CHANNEL_HEADER_LEN: usize = 4;

/// The stream is not made of STUN messages and `ChannelData`: nothing on it can be trusted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("octets are neither a stun message nor channel data")]
pub struct NotFramed;

/// Cuts a stream into messages; it keeps the beginning of one message at most, of 65,552 octets at
/// most.
#[derive(Debug, Default)]
pub struct Framer {
    partial: Vec<u8>,
    /// `partial` was handed out and is to be emptied first.
    spent: bool,
}

impl Framer {
    /// A framer at the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            partial: Vec::new(),
            spent: false,
        }
    }

    /// Takes the next whole message from `octets`, without padding after `ChannelData`; `None` when
    /// all of them are taken and the message is not whole yet.
    ///
    /// # Errors
    ///
    /// [`NotFramed`]: the stream is of no more use.
    pub fn next<'a, 'o: 'a>(
        &'a mut self,
        octets: &mut &'o [u8],
    ) -> Result<Option<&'a [u8]>, NotFramed> {
        if core::mem::take(&mut self.spent) {
            self.partial.clear();
        }
        if self.partial.is_empty()
            && let Some((whole, padded)) = measure(octets)?
            && let Some((frame, rest)) = octets.split_at_checked(padded)
        {
            *octets = rest;
            return Ok(frame.get(..whole));
        }
        loop {
            // A header first, then what it announces.
            let (whole, need) = match measure(&self.partial)? {
                Some((whole, padded)) => (Some(whole), padded),
                None => (None, CHANNEL_HEADER_LEN.max(header_len(&self.partial))),
            };
            let missing = need - self.partial.len();
            let (taken, rest) = octets.split_at(missing.min(octets.len()));
            self.partial.extend_from_slice(taken);
            *octets = rest;
            if self.partial.len() < need {
                return Ok(None);
            }
            if let Some(whole) = whole {
                self.spent = true;
                return Ok(self.partial.get(..whole));
            }
        }
    }

    /// How many octets wait for the rest of their message.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        if self.spent { 0 } else { self.partial.len() }
    }
}

/// How much of a message is needed to know how long it is.
fn header_len(octets: &[u8]) -> usize {
    match octets.first() {
        Some(0..=0x3F) => 8,
        Some(_) | None => CHANNEL_HEADER_LEN,
    }
}

/// The length of the message that `octets` begin with, without and with its padding; `None` when
/// its header is not there yet.
fn measure(octets: &[u8]) -> Result<Option<(usize, usize)>, NotFramed> {
    match octets.first() {
        None => Ok(None),
        // Two zero bits (RFC 8489 §5).
        Some(0..=0x3F) => {
            let Some(&[_, _, l0, l1, c0, c1, c2, c3]) = octets.first_chunk() else {
                return Ok(None);
            };
            let length = u16::from_be_bytes([l0, l1]);
            if u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE || !length.is_multiple_of(4) {
                return Err(NotFramed);
            }
            let whole = HEADER_LEN + usize::from(length);
            Ok(Some((whole, whole)))
        }
        // Channel numbers 0x4000 to 0x4FFF (RFC 8656 §12).
        Some(0x40..=0x4F) => {
            let Some(&[_, _, l0, l1]) = octets.first_chunk() else {
                return Ok(None);
            };
            let whole = CHANNEL_HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1]));
            Ok(Some((whole, whole.next_multiple_of(4))))
        }
        Some(_) => Err(NotFramed),
    }
}
