//! The protection profiles that DTLS-SRTP can negotiate.

/// An SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
///
/// Both AEAD profiles are cheaper than the HMAC-SHA1 ones on every processor with AES
/// instructions, at 1200 octets by a factor of four or more: offer them first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80`: AES-128 in counter mode, an 80-bit HMAC-SHA1 tag.
    Aes128CmHmacSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32`: as above with a 32-bit tag on RTP; RTCP keeps 80 bits.
    Aes128CmHmacSha1_32,
    /// `SRTP_AEAD_AES_128_GCM`: a 128-bit tag.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`: a 256-bit key, a 128-bit tag.
    AeadAes256Gcm,
}

/// The E flag and the SRTCP index, behind each SRTCP packet (RFC 3711 §3.4).
pub(crate) const ESRTCP_LEN: usize = 4;

/// The SRTCP tag of both HMAC-SHA1 profiles, in octets (RFC 5764 §4.1.2).
pub(crate) const HMAC_RTCP_TAG_LEN: usize = 10;

impl Profile {
    /// Every profile of this crate, in the order in which to offer them.
    pub const ALL: [Self; 4] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::Aes128CmHmacSha1_80,
        Self::Aes128CmHmacSha1_32,
    ];

    /// The code point in the DTLS `use_srtp` extension.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Aes128CmHmacSha1_80 => 0x0001,
            Self::Aes128CmHmacSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// The name in the registry of DTLS-SRTP protection profiles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Self::Aes128CmHmacSha1_32 => "SRTP_AES128_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        }
    }

    /// The profile of a code point, or `None` if this crate does not implement it.
    ///
    /// The `NULL` profiles (0x0005, 0x0006) are never returned: media is always encrypted
    /// (RFC 8827 §6.5).
    #[must_use]
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.id() == id)
    }

    /// Length of the master key, and of the session encryption key, in octets.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 | Self::Aes128CmHmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Length of the master salt, and of the session salt, in octets.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 | Self::Aes128CmHmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Length of the session authentication key in octets; AEADs have none.
    #[must_use]
    pub const fn auth_key_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 | Self::Aes128CmHmacSha1_32 => 20,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 0,
        }
    }

    /// How many octets an RTP packet grows by when it is protected: the tag.
    #[must_use]
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 => 10,
            Self::Aes128CmHmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// How many octets an RTCP packet grows by: the tag, and the word of E flag and index.
    #[must_use]
    pub const fn rtcp_overhead(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 | Self::Aes128CmHmacSha1_32 => HMAC_RTCP_TAG_LEN + ESRTCP_LEN,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16 + ESRTCP_LEN,
        }
    }
}
