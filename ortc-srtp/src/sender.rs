//! The protecting side of one key.

use core::fmt;

use zeroize::Zeroize;

use crate::cipher::Cipher;
use crate::error::ProtectError;
use crate::history::{History, Mark, Use};
use crate::index::{Index, IndexError};
use crate::keys::{MasterKey, SessionKeys};
use crate::profile::Profile;
use crate::rtcp::{self, Esrtcp};
use crate::rtp::{Header, HeaderError, MAX_ENCRYPTED};
use crate::sources::{REMOVED_PER_SOURCE, Sources};

/// How many SSRCs a sender or a receiver keeps unless told otherwise.
pub(crate) const DEFAULT_MAX_SOURCES: usize = 1024;

/// RFC 3711 §9.2.
const RTP_LIMIT: u64 = 1 << 48;

/// Protects the packets of one direction, of any number of SSRCs.
///
/// # What it guarantees
///
/// No two different packets leave under the same key and nonce. Under one SSRC and sequence
/// number the *same* packet may be protected again, octet for octet, and gives the same
/// octets: that is how a packet is retransmitted on its own SSRC. A different one is refused
/// ([`ProtectError::NonceReuse`]), and so is a sequence number 1024 or more behind the highest
/// ([`ProtectError::TooOld`]), of which that is no longer known and which a receiver would not
/// take. Packets are compared by the first 32 bits of their tags, which one in 2^32 that differ
/// has in common. To retransmit with another header (new header extensions, say), use RTX, which
/// has an SSRC and sequence numbers of its own.
///
/// The rollover counter of each SSRC starts at zero, belongs to that SSRC, and is estimated
/// around the highest sequence number sent: packets may be protected in another order than
/// theirs. Start a stream below 2^15, so that the first wrap cannot be mistaken by a receiver
/// that missed the first packets, and never jump ahead by 2^15 or more: such a packet counts as
/// an old one, here and, but for a stream's first round, at the receiver.
///
/// One `Sender` per master key: two with the same key would both begin at zero.
///
/// # Cost
///
/// Nothing is allocated per packet if the buffer has room for [`Profile::rtp_overhead`] more
/// octets. Each SSRC keeps 4 KiB.
///
/// The methods take one packet; a caller with many calls them in a row. Packets depend on each
/// other only through the index of their SSRC, so that a batch of them, of one sender or of many,
/// can be interleaved by a method beside these without a change to them.
pub struct Sender {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Sources<History>,
    /// The SRTCP index of each SSRC's next packet.
    reports: Sources<u32>,
    /// What may not be forgotten of removed SSRCs: the highest index, the next SRTCP index.
    removed_streams: Sources<Index>,
    removed_reports: Sources<u32>,
    rtp_count: u64,
    rtcp_count: u32,
    /// Where a retransmission is protected until it is known to be one.
    scratch: Vec<u8>,
}

impl Sender {
    /// Derives the session keys and expands them, once.
    ///
    /// `hash_seed` keys the table of SSRCs and never affects what is sent: eight octets that
    /// nobody can guess.
    #[must_use]
    pub fn new(master: &MasterKey, hash_seed: [u8; 8]) -> Self {
        Self::with_session_keys(&SessionKeys::derive(master), hash_seed)
    }

    /// As [`new`](Self::new), with session keys that were derived elsewhere.
    #[must_use]
    pub fn with_session_keys(keys: &SessionKeys, hash_seed: [u8; 8]) -> Self {
        Self {
            profile: keys.profile(),
            rtp: Cipher::for_rtp(&keys.rtp),
            rtcp: Cipher::for_rtcp(&keys.rtcp),
            streams: Sources::new(hash_seed, DEFAULT_MAX_SOURCES),
            reports: Sources::new(hash_seed, DEFAULT_MAX_SOURCES),
            removed_streams: Sources::new(hash_seed, 0),
            removed_reports: Sources::new(hash_seed, 0),
            rtp_count: 0,
            rtcp_count: 0,
            scratch: Vec::new(),
        }
        .max_sources(DEFAULT_MAX_SOURCES)
    }

    /// The most SSRCs that RTP, and that RTCP, may use at a time. Default 1024; each costs 4 KiB,
    /// and of each up to 64 that [`remove_source`](Self::remove_source) took out are remembered.
    #[must_use]
    pub fn max_sources(mut self, limit: usize) -> Self {
        self.streams.set_limit(limit);
        self.reports.set_limit(limit);
        let removed = limit.saturating_mul(REMOVED_PER_SOURCE);
        self.removed_streams.set_limit(removed);
        self.removed_reports.set_limit(removed);
        self
    }

    /// Lets go of an SSRC that will not send any more: its 4 KiB, and its place among
    /// [`max_sources`](Self::max_sources).
    ///
    /// Its highest indices are kept, some thirty octets each, as no nonce may be used again while
    /// the key lives. If it does send again, it goes on behind them, rollover counter included;
    /// what it sent before cannot be repeated ([`ProtectError::TooOld`]). Once as many are
    /// remembered as may be, further sources stay as they are.
    pub fn remove_source(&mut self, ssrc: u32) {
        if !self.removed_streams.is_full()
            && let Some(history) = self.streams.remove(ssrc)
        {
            self.removed_streams.insert(ssrc, history.highest());
        }
        if !self.removed_reports.is_full()
            && let Some(next) = self.reports.remove(ssrc)
        {
            self.removed_reports.insert(ssrc, next);
        }
    }

    /// The profile of the key.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Protects the RTP packet in `buf[start..]` in place and appends its tag.
    ///
    /// The buffer grows by [`Profile::rtp_overhead`].
    ///
    /// # Errors
    ///
    /// [`ProtectError`]; buffer and state are then unchanged, and the packet must not be sent.
    #[inline]
    pub fn protect_rtp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), ProtectError> {
        let packet = buf.get(start..).ok_or(ProtectError::Truncated)?;
        let header = Header::parse(packet)?;
        if packet.len() - header.len > MAX_ENCRYPTED {
            return Err(ProtectError::TooLong);
        }
        if self.rtp_count >= RTP_LIMIT {
            return Err(ProtectError::KeyExhausted);
        }

        let Some(at) = self.streams.find(header.ssrc) else {
            return self.protect_first(buf, start, header);
        };
        let Some(history) = self.streams.get_mut(at) else {
            return Err(ProtectError::TooManySources);
        };
        let index = history.highest().estimate(header.seq)?;
        match history.look_up(index) {
            Use::First => {
                let fingerprint = self.rtp.seal_rtp(buf, start, header, index);
                history.record(index, fingerprint.into());
            }
            Use::Again(mark) => self.protect_again(buf, start, header, index, mark)?,
            Use::Unknown => return Err(ProtectError::TooOld),
        }
        self.rtp_count += 1;
        Ok(())
    }

    /// The first packet of an SSRC, or the first since it was removed.
    #[cold]
    fn protect_first(
        &mut self,
        buf: &mut Vec<u8>,
        start: usize,
        header: Header,
    ) -> Result<(), ProtectError> {
        if self.streams.is_full() {
            return Err(ProtectError::TooManySources);
        }
        let removed = self.removed_streams.find(header.ssrc);
        let removed = removed.and_then(|at| self.removed_streams.get(at)).copied();
        let index = match removed {
            Some(highest) => highest.estimate(header.seq)?,
            None => Index::first(header.seq),
        };
        if removed.is_some_and(|highest| index.value() <= highest.value()) {
            return Err(ProtectError::TooOld);
        }
        let mark = self.rtp.seal_rtp(buf, start, header, index).into();
        let history = match removed {
            Some(highest) => History::resuming(highest, index, mark),
            None => History::starting_with(index, mark),
        };
        self.removed_streams.remove(header.ssrc);
        self.streams.insert(header.ssrc, history);
        self.rtp_count += 1;
        Ok(())
    }

    /// Protects a copy, and lets it out only if it is what went out before.
    #[cold]
    fn protect_again(
        &mut self,
        buf: &mut Vec<u8>,
        start: usize,
        header: Header,
        index: Index,
        mark: Mark,
    ) -> Result<(), ProtectError> {
        let (_, packet) = buf.split_at_mut(start);
        self.scratch.clear();
        self.scratch.extend_from_slice(packet);
        let fingerprint = self.rtp.seal_rtp(&mut self.scratch, 0, header, index);
        if Mark::from(fingerprint) != mark {
            self.scratch.zeroize();
            return Err(ProtectError::NonceReuse);
        }
        buf.truncate(start);
        buf.extend_from_slice(&self.scratch);
        Ok(())
    }

    /// Protects the (compound) RTCP packet in `buf[start..]` in place and appends index and tag.
    ///
    /// The buffer grows by [`Profile::rtcp_overhead`]. The SRTCP index counts from zero for
    /// each SSRC that a compound begins with (RFC 3711 §3.4). Always encrypted.
    ///
    /// # Errors
    ///
    /// [`ProtectError`]; buffer and state are then unchanged, and the packet must not be sent.
    pub fn protect_rtcp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), ProtectError> {
        let packet = buf.get(start..).ok_or(ProtectError::Truncated)?;
        let ssrc = rtcp::ssrc(packet)?;
        if packet.len() - rtcp::HEADER_LEN > MAX_ENCRYPTED {
            return Err(ProtectError::TooLong);
        }
        // Counted over all SSRCs, and so never less than the index of one.
        if self.rtcp_count >= rtcp::INDEX_LIMIT {
            return Err(ProtectError::KeyExhausted);
        }
        let index = match self.reports.find(ssrc) {
            Some(at) => {
                let next = self.reports.get_mut(at);
                let next = next.ok_or(ProtectError::TooManySources)?;
                let index = *next;
                *next += 1;
                index
            }
            None if self.reports.is_full() => return Err(ProtectError::TooManySources),
            None => {
                let index = self.removed_reports.remove(ssrc).unwrap_or(0);
                self.reports.insert(ssrc, index + 1);
                index
            }
        };
        self.rtcp
            .seal_rtcp(buf, start, ssrc, Esrtcp::encrypted(index));
        self.rtcp_count += 1;
        Ok(())
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("profile", &self.profile)
            .field("rtp_sources", &self.streams.len())
            .field("rtcp_sources", &self.reports.len())
            .field("rtp_count", &self.rtp_count)
            .field("rtcp_count", &self.rtcp_count)
            .finish_non_exhaustive()
    }
}

impl From<HeaderError> for ProtectError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Truncated => Self::Truncated,
            HeaderError::Version => Self::Malformed,
        }
    }
}

impl From<IndexError> for ProtectError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Negative => Self::TooOld,
            IndexError::Exhausted => Self::KeyExhausted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Sender {
        let master = MasterKey::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]).unwrap();
        Sender::new(&master, [3; 8])
    }

    fn rtp(seq: u16) -> Vec<u8> {
        let [high, low] = seq.to_be_bytes();
        vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 9, 42]
    }

    const RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 9];

    #[test]
    fn a_key_ends_after_2_to_the_48_packets_and_nothing_changes() {
        let mut sender = sender();
        sender.protect_rtp(&mut rtp(1), 0).unwrap();
        sender.rtp_count = RTP_LIMIT - 1;
        sender.protect_rtp(&mut rtp(2), 0).unwrap();
        let mut packet = rtp(3);
        let refused = sender.protect_rtp(&mut packet, 0);
        assert_eq!(refused, Err(ProtectError::KeyExhausted));
        assert_eq!(packet, rtp(3));
    }

    #[test]
    fn the_rollover_counter_does_not_start_over() {
        let mut sender = sender();
        sender.protect_rtp(&mut rtp(1), 0).unwrap();
        let at = sender.streams.find(9).unwrap();
        let last = Index {
            roc: u32::MAX,
            seq: u16::MAX - 1,
        };
        *sender.streams.get_mut(at).unwrap() =
            History::starting_with(last, crate::cipher::Fingerprint(1).into());
        sender.protect_rtp(&mut rtp(u16::MAX), 0).unwrap();
        let refused = sender.protect_rtp(&mut rtp(0), 0);
        assert_eq!(refused, Err(ProtectError::KeyExhausted));
    }

    #[test]
    fn a_key_ends_after_2_to_the_31_reports() {
        let mut sender = sender();
        sender.protect_rtcp(&mut RTCP.to_vec(), 0).unwrap();
        let at = sender.reports.find(9).unwrap();
        *sender.reports.get_mut(at).unwrap() = rtcp::INDEX_LIMIT - 1;
        sender.rtcp_count = rtcp::INDEX_LIMIT - 1;
        let mut last = RTCP.to_vec();
        sender.protect_rtcp(&mut last, 0).unwrap();
        assert!(last.ends_with(&[0xff; 4]));
        let mut packet = RTCP.to_vec();
        let refused = sender.protect_rtcp(&mut packet, 0);
        assert_eq!(refused, Err(ProtectError::KeyExhausted));
        assert_eq!(packet, RTCP);
    }
}
