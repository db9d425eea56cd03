//! The seam between a profile and its primitives: one packet in, the same packet out.
//!
//! Nothing here knows about replays or rollover counters; the index is given. An enum and no
//! trait object, so that the calls inline.

mod aes_cm;
mod aes_gcm;
mod hmac_sha1;
pub(crate) mod key_stream;

use crate::error::UnprotectError;
use crate::index::Index;
use crate::keys::SessionKey;
use crate::profile::{HMAC_RTCP_TAG_LEN, Profile};
use crate::rtcp::Esrtcp;
use crate::rtp::Header;
use aes_cm::{AesCm, TagLen};
use aes_gcm::AesGcm;

/// The expanded session keys of SRTP or of SRTCP.
#[expect(
    clippy::large_enum_variant,
    reason = "few exist, each lives as long as its connection, and a box costs a load per packet"
)]
pub(crate) enum Cipher {
    AesCm(AesCm),
    AesGcm(AesGcm),
}

/// The start of a tag: equal for equal packets under one key and index, different for others
/// but with a chance of one in 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) u32);

impl Cipher {
    pub(crate) fn for_rtp(key: &SessionKey) -> Self {
        match key.profile() {
            Profile::Aes128CmHmacSha1_80 => Self::AesCm(AesCm::new(key, TagLen::Octets10)),
            Profile::Aes128CmHmacSha1_32 => Self::AesCm(AesCm::new(key, TagLen::Octets4)),
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => Self::AesGcm(AesGcm::new(key)),
        }
    }

    pub(crate) fn for_rtcp(key: &SessionKey) -> Self {
        const { assert!(HMAC_RTCP_TAG_LEN == 10) }
        match key.profile() {
            Profile::Aes128CmHmacSha1_80 | Profile::Aes128CmHmacSha1_32 => {
                Self::AesCm(AesCm::new(key, TagLen::Octets10))
            }
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => Self::AesGcm(AesGcm::new(key)),
        }
    }

    /// Octets of tag.
    pub(crate) const fn tag_len(&self) -> usize {
        match self {
            Self::AesCm(cipher) => cipher.tag_len(),
            Self::AesGcm(_) => aes_gcm::TAG_LEN,
        }
    }

    /// Encrypts `buf[start..]`, whose header has been parsed, and appends the tag.
    #[inline]
    pub(crate) fn seal_rtp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        header: Header,
        index: Index,
    ) -> Fingerprint {
        match self {
            Self::AesCm(cipher) => cipher.seal_rtp(buf, start, header, index),
            Self::AesGcm(cipher) => cipher.seal_rtp(buf, start, header, index),
        }
    }

    /// Verifies and decrypts a packet that is long enough for its header and the tag.
    #[inline]
    pub(crate) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: Header,
        index: Index,
    ) -> Result<usize, UnprotectError> {
        match self {
            Self::AesCm(cipher) => cipher.open_rtp(packet, header, index),
            Self::AesGcm(cipher) => cipher.open_rtp(packet, header, index),
        }
    }

    /// Encrypts `buf[start..]`, at least a header long, and appends index and tag.
    pub(crate) fn seal_rtcp(&self, buf: &mut Vec<u8>, start: usize, ssrc: u32, word: Esrtcp) {
        match self {
            Self::AesCm(cipher) => cipher.seal_rtcp(buf, start, ssrc, word),
            Self::AesGcm(cipher) => cipher.seal_rtcp(buf, start, ssrc, word),
        }
    }

    /// The E flag and index of a packet that is long enough for its header and the trailer.
    pub(crate) fn esrtcp(&self, packet: &[u8]) -> Option<Esrtcp> {
        let word = match self {
            // RFC 3711 §3.4: index, then tag. RFC 7714 §9.2: tag, then index.
            Self::AesCm(cipher) => packet.get(..packet.len().checked_sub(cipher.tag_len())?)?,
            Self::AesGcm(_) => packet,
        };
        word.last_chunk().copied().map(Esrtcp::from_octets)
    }

    /// Verifies and, if the E flag says so, decrypts.
    pub(crate) fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        word: Esrtcp,
    ) -> Result<usize, UnprotectError> {
        match self {
            Self::AesCm(cipher) => cipher.open_rtcp(packet, ssrc, word),
            Self::AesGcm(cipher) => cipher.open_rtcp(packet, ssrc, word),
        }
    }
}
