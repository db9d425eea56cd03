//! From messages to datagrams.

use core::ops::Range;
use std::time::Instant;

use super::{Acknowledgements, Flight, Item, MAX_SENT, REMEMBERED, Sent};
use crate::crypto::CryptoError;
use crate::record::Outbound;
use crate::wire::handshake::Fragment;
use crate::wire::{ContentType, RecordNumber};

/// Time-outs after which datagrams shrink, in case the path is narrower than it was said to be
/// (RFC 6347 §4.1.1.1, RFC 9147 §4.4).
const NARROW_AFTER: u32 = 3;
/// The size they shrink to: IPv4's 576 without IP and UDP headers.
const NARROW_MTU: usize = 548;

/// A fragment below this is not worth starting in what is left of a datagram.
const MIN_FRAGMENT: usize = 32;

impl Flight {
    /// Appends the next datagram of the flight to `buf`, if one is left: at most `mtu` octets.
    /// A plaintext record carries one message or fragment, a protected one of DTLS 1.3 as many as
    /// fit. The timer counts from the last datagram.
    // A few times in a connection, which may have millions of records.
    #[cold]
    pub(crate) fn write_datagram(
        &mut self,
        outbound: &mut Outbound,
        mtu: usize,
        buf: &mut Vec<u8>,
        now: Instant,
    ) -> Result<bool, CryptoError> {
        let mtu = if self.timeouts >= NARROW_AFTER {
            mtu.min(NARROW_MTU)
        } else {
            mtu
        };
        let wrote = self.fill_datagram(outbound, mtu, buf)?;
        if wrote && !self.is_unsent() {
            if self.timeouts == 0 {
                self.make_room();
            }
            // It is on its way only now, however long it waited here.
            self.sent_at = Some(now);
            if let Some(timer) = &mut self.timer {
                timer.at = timer.at.max(now + timer.interval);
            }
        }
        Ok(wrote)
    }

    /// Appends the next datagram; says whether there is one.
    pub(super) fn fill_datagram(
        &mut self,
        outbound: &mut Outbound,
        mtu: usize,
        buf: &mut Vec<u8>,
    ) -> Result<bool, CryptoError> {
        let start = buf.len();
        while self.skip().is_some() {
            let left = mtu.saturating_sub(buf.len() - start);
            if !self.write_record(outbound, left, buf)? {
                break;
            }
        }
        Ok(buf.len() > start)
    }

    /// Appends one record; says whether it fits into `left` octets.
    fn write_record(
        &mut self,
        outbound: &mut Outbound,
        left: usize,
        buf: &mut Vec<u8>,
    ) -> Result<bool, CryptoError> {
        let epoch = match self.items.get(self.item) {
            None => return Ok(false),
            Some(Item::Handshake { epoch, .. }) => *epoch,
            Some(Item::ChangeCipherSpec) => {
                if outbound.overhead(0) + 1 > left {
                    return Ok(false);
                }
                outbound.record(0, ContentType::CHANGE_CIPHER_SPEC, buf, |out| out.push(1))?;
                self.item += 1;
                return Ok(true);
            }
        };
        let Some(room) = left.checked_sub(outbound.overhead(epoch)) else {
            return Ok(false);
        };
        let mut room = room.min(outbound.limit(epoch));
        let number = outbound.next_number(epoch);
        let Some(first) = self.take_fragment(epoch, room) else {
            return Ok(false);
        };
        outbound.record(epoch, ContentType::HANDSHAKE, buf, |out| {
            let mut next = Some(first);
            while let Some((item, octets)) = next {
                self.write_fragment(number, item, octets.clone(), out);
                room -= Fragment::HEADER + octets.len();
                next = if epoch > 1 {
                    self.take_fragment(epoch, room)
                } else {
                    None
                };
            }
        })?;
        Ok(true)
    }

    /// The next octets of one message that go into `room`, if they are of this epoch; they count
    /// as sent.
    fn take_fragment(&mut self, epoch: u64, room: usize) -> Option<(usize, Range<usize>)> {
        let rest = self.skip()?;
        match self.items.get(self.item)? {
            Item::Handshake { epoch: its, .. } if *its == epoch => {}
            Item::Handshake { .. } | Item::ChangeCipherSpec => return None,
        }
        let room = room.checked_sub(Fragment::HEADER)?;
        if room < rest.len().min(MIN_FRAGMENT) {
            return None;
        }
        let octets = rest.start..rest.end.min(rest.start + room);
        let item = self.item;
        if octets.is_empty() {
            self.item += 1;
            self.offset = 0;
        } else {
            self.offset = octets.end;
        }
        Some((item, octets))
    }

    fn write_fragment(
        &mut self,
        record: RecordNumber,
        item: usize,
        octets: Range<usize>,
        out: &mut Vec<u8>,
    ) {
        let Some(Item::Handshake {
            kind,
            message_seq,
            body,
            ..
        }) = self.items.get(item)
        else {
            return;
        };
        let from = body.start + octets.start;
        // What we send is bounded far below these types.
        let fragment = Fragment {
            kind: *kind,
            length: u32::try_from(body.len()).unwrap_or(u32::MAX),
            message_seq: *message_seq,
            offset: u32::try_from(octets.start).unwrap_or(u32::MAX),
            body: self
                .octets
                .get(from..from + octets.len())
                .unwrap_or_default(),
        };
        fragment.encode(out);
        if self.acknowledgements == Acknowledgements::Possible {
            self.remember(Sent {
                record,
                item,
                octets,
            });
        }
    }

    /// Repetitions take the place of what was sent long before, so that they take no memory.
    fn remember(&mut self, sent: Sent) {
        if self.sent.capacity() == 0 {
            self.sent.reserve(REMEMBERED * self.items.len());
        }
        let full = self.sent.len() == self.sent.capacity() && self.sent.len() > self.sent_now;
        if full || self.sent.len() == MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
        self.sent_now += 1;
    }

    /// All of the flight is on its way: makes room for what repetitions will add.
    fn make_room(&mut self) {
        let wanted = (REMEMBERED * self.sent_now).min(MAX_SENT);
        let more = wanted.saturating_sub(self.sent.len());
        self.sent.reserve_exact(more);
    }
}
