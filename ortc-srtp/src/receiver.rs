//! The unprotecting side of one key.

use core::fmt;

use crate::cipher::Cipher;
use crate::error::UnprotectError;
use crate::index::{Index, IndexError};
use crate::keys::{MasterKey, SessionKeys};
use crate::profile::{ESRTCP_LEN, Profile};
use crate::replay::{ReplayError, ReplayWindow};
use crate::rtcp;
use crate::rtp::{Header, HeaderError, MAX_ENCRYPTED};
use crate::sender::DEFAULT_MAX_SOURCES;
use crate::sources::{REMOVED_PER_SOURCE, Sources};

/// Verifies and decrypts the packets of one direction, of any number of SSRCs.
///
/// Each SSRC has a rollover counter and a replay window of 1024 packets for RTP, and a replay
/// window of 1024 for RTCP. They come into being with the SSRC's first authentic packet, move
/// with authentic packets only, and stay for the life of the receiver, unless
/// [`remove_source`](Self::remove_source) shrinks them: a stream that pauses while others send
/// continues where it was.
///
/// Nothing is allocated per packet; a new SSRC allocates once, 150 octets or so.
///
/// The methods take one packet; a caller with many (`recvmmsg`, GRO) calls them in a row. A
/// batch of them, of one receiver or of many, can be interleaved by a method beside these without
/// a change to them.
pub struct Receiver {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    /// The highest index of the window is the stream's rollover counter and sequence number.
    streams: Sources<ReplayWindow>,
    reports: Sources<ReplayWindow>,
    /// What may not be forgotten of removed SSRCs: the highest index of each.
    removed_streams: Sources<u64>,
    removed_reports: Sources<u64>,
}

impl Receiver {
    /// Derives the session keys and expands them, once.
    ///
    /// `hash_seed` keys the table of SSRCs, which the peer chooses: eight octets that nobody
    /// can guess.
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
        }
        .max_sources(DEFAULT_MAX_SOURCES)
    }

    /// The most SSRCs to know at a time, in RTP and in RTCP each. Default 1024, which bounds
    /// what an authenticated peer can make the receiver store to about 300 KiB. For each, up to 64
    /// that [`remove_source`](Self::remove_source) took out are remembered.
    #[must_use]
    pub fn max_sources(mut self, limit: usize) -> Self {
        self.streams.set_limit(limit);
        self.reports.set_limit(limit);
        let removed = limit.saturating_mul(REMOVED_PER_SOURCE);
        self.removed_streams.set_limit(removed);
        self.removed_reports.set_limit(removed);
        self
    }

    /// Lets go of an SSRC that is not expected to send any more: its replay windows, and its place
    /// among [`max_sources`](Self::max_sources).
    ///
    /// Its highest indices are kept, some thirty octets each, or what it sent could be replayed. If it
    /// sends again, it goes on behind them, rollover counter included; what was sent before is
    /// refused ([`UnprotectError::TooOld`]), even if it has never arrived. Once as many are
    /// remembered as may be, further sources stay as they are.
    pub fn remove_source(&mut self, ssrc: u32) {
        if !self.removed_streams.is_full()
            && let Some(window) = self.streams.remove(ssrc)
        {
            self.removed_streams.insert(ssrc, window.highest());
        }
        if !self.removed_reports.is_full()
            && let Some(window) = self.reports.remove(ssrc)
        {
            self.removed_reports.insert(ssrc, window.highest());
        }
    }

    /// The profile of the key.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Verifies and decrypts an RTP packet in place; returns the length of the plaintext packet,
    /// which begins where the protected one did.
    ///
    /// # Errors
    ///
    /// [`UnprotectError`]: count it and drop the packet. The state is unchanged. So are the
    /// octets, but for [`UnprotectError::Authentication`] with an AEAD profile: what lies behind
    /// the header may then have been overwritten.
    #[inline]
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        let plain_len = packet.len().checked_sub(self.rtp.tag_len());
        let plain = plain_len.and_then(|len| packet.get(..len));
        let plain = plain.ok_or(UnprotectError::Truncated)?;
        let header = Header::parse(plain)?;
        if plain.len() - header.len > MAX_ENCRYPTED {
            return Err(UnprotectError::Malformed);
        }

        let Some(at) = self.streams.find(header.ssrc) else {
            return self.unprotect_first(packet, header);
        };
        let Some(window) = self.streams.get(at) else {
            return Err(UnprotectError::TooManySources);
        };
        let index = estimate(window.highest(), header.seq)?;
        // Before the tag: a replay costs nothing to refuse (RFC 3711 §3.3, step 5).
        window.check(index.value())?;
        let len = self.rtp.open_rtp(packet, header, index)?;
        if let Some(window) = self.streams.get_mut(at) {
            window.record(index.value());
        }
        Ok(len)
    }

    /// A packet of an SSRC that is not known, and stays unknown unless its tag is right.
    #[cold]
    fn unprotect_first(
        &mut self,
        packet: &mut [u8],
        header: Header,
    ) -> Result<usize, UnprotectError> {
        if self.streams.is_full() {
            return Err(UnprotectError::TooManySources);
        }
        let removed = self.removed_streams.find(header.ssrc);
        let removed = removed.and_then(|at| self.removed_streams.get(at)).copied();
        let index = match removed {
            Some(highest) => estimate(highest, header.seq)?,
            None => Index::first(header.seq),
        };
        if removed.is_some_and(|highest| index.value() <= highest) {
            return Err(UnprotectError::TooOld);
        }
        let len = self.rtp.open_rtp(packet, header, index)?;
        self.removed_streams.remove(header.ssrc);
        self.streams
            .insert(header.ssrc, first_window(removed, index.value()));
        Ok(len)
    }

    /// Verifies an RTCP packet, decrypts it in place unless it was sent unencrypted (E flag 0:
    /// authenticated all the same), and returns the length of the plaintext packet.
    ///
    /// # Errors
    ///
    /// As [`unprotect_rtp`](Self::unprotect_rtp).
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        let trailer = self.rtcp.tag_len() + ESRTCP_LEN;
        let plain_len = packet.len().checked_sub(trailer);
        let plain = plain_len.and_then(|len| packet.get(..len));
        let plain = plain.ok_or(UnprotectError::Truncated)?;
        let ssrc = rtcp::ssrc(plain)?;
        if plain.len() - rtcp::HEADER_LEN > MAX_ENCRYPTED {
            return Err(UnprotectError::Malformed);
        }
        let word = self.rtcp.esrtcp(packet);
        let word = word.ok_or(UnprotectError::Truncated)?;
        let index = u64::from(word.index());

        let known = self.reports.find(ssrc);
        let mut removed = None;
        match known.and_then(|at| self.reports.get(at)) {
            Some(window) => window.check(index)?,
            None if self.reports.is_full() => return Err(UnprotectError::TooManySources),
            None => {
                let at = self.removed_reports.find(ssrc);
                removed = at.and_then(|at| self.removed_reports.get(at)).copied();
                if removed.is_some_and(|highest| index <= highest) {
                    return Err(UnprotectError::TooOld);
                }
            }
        }
        let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
        match known.and_then(|at| self.reports.get_mut(at)) {
            Some(window) => window.record(index),
            None => {
                self.removed_reports.remove(ssrc);
                self.reports.insert(ssrc, first_window(removed, index));
            }
        }
        Ok(len)
    }
}

/// The window of an SSRC after its first packet, or the first since it was removed.
fn first_window(removed: Option<u64>, index: u64) -> ReplayWindow {
    match removed {
        Some(highest) => ReplayWindow::resuming(highest, index),
        None => ReplayWindow::starting_with(index),
    }
}

/// The index that a packet of a stream has if it is authentic, by the stream's highest.
#[inline]
fn estimate(highest: u64, seq: u16) -> Result<Index, UnprotectError> {
    match Index::from_value(highest).estimate(seq) {
        Ok(index) => Ok(index),
        // Nothing comes before the rollover counter's first round, so the sender has jumped
        // ahead within it by more than half.
        Err(IndexError::Negative) => Ok(Index::first(seq)),
        Err(IndexError::Exhausted) => Err(UnprotectError::KeyExhausted),
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("profile", &self.profile)
            .field("rtp_sources", &self.streams.len())
            .field("rtcp_sources", &self.reports.len())
            .finish_non_exhaustive()
    }
}

impl From<HeaderError> for UnprotectError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Truncated => Self::Truncated,
            HeaderError::Version => Self::Malformed,
        }
    }
}

impl From<ReplayError> for UnprotectError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Seen => Self::Replay,
            ReplayError::Behind => Self::TooOld,
        }
    }
}
