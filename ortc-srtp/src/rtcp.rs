//! What the transform has to know of an RTCP packet (RFC 3550 §6.1, RFC 3711 §3.4).

use crate::rtp::HeaderError;

/// The part of a compound packet that is not encrypted: its first word and the sender's SSRC.
pub(crate) const HEADER_LEN: usize = 8;

const VERSION: u8 = 2;
const E_FLAG: u32 = 1 << 31;

/// How many packets one key protects, and the first index that does not exist
/// (RFC 3711 §3.4, §9.2).
pub(crate) const INDEX_LIMIT: u32 = 1 << 31;

/// The sender's SSRC of a packet of version 2 that is not too short to have one.
pub(crate) fn ssrc(packet: &[u8]) -> Result<u32, HeaderError> {
    let Some(&[first, _, _, _, ssrc @ ..]) = packet.first_chunk::<HEADER_LEN>() else {
        return Err(HeaderError::Truncated);
    };
    if first >> 6 != VERSION {
        return Err(HeaderError::Version);
    }
    Ok(u32::from_be_bytes(ssrc))
}

/// The word behind an SRTCP packet: E flag and 31-bit index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Esrtcp(u32);

impl Esrtcp {
    /// The word of an encrypted packet.
    pub(crate) const fn encrypted(index: u32) -> Self {
        Self(index | E_FLAG)
    }

    pub(crate) const fn from_octets(octets: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(octets))
    }

    pub(crate) const fn octets(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn index(self) -> u32 {
        self.0 & !E_FLAG
    }

    pub(crate) const fn is_encrypted(self) -> bool {
        self.0 & E_FLAG != 0
    }
}
