//! H.264 (RFC 6184): packetization modes 0 and 1.
//!
//! A frame is an access unit in Annex B form. It is sent from start codes of three or four
//! octets; what is received always gets four. The NAL units themselves are never changed, so a
//! frame that went through keeps its NAL units octet for octet.

mod annex_b;
mod receive;
mod send;

pub use self::annex_b::{Units, units};
pub(super) use self::receive::{append, parse};
pub(super) use self::send::Sender;

/// `packetization-mode` (RFC 6184 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketizationMode {
    /// 0: one NAL unit, one packet. A larger NAL unit cannot be sent.
    SingleNal,
    /// 1: also aggregates (STAP-A) and fragments (FU-A), in decoding order.
    NonInterleaved,
}

impl PacketizationMode {
    /// The value in `packetization-mode=`.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::SingleNal => 0,
            Self::NonInterleaved => 1,
        }
    }

    /// From the value of `packetization-mode`; mode 2, interleaved, is not supported.
    #[must_use]
    pub const fn from_value(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::SingleNal),
            1 => Some(Self::NonInterleaved),
            _ => None,
        }
    }
}

/// `nal_unit_type`: the low five bits of the first octet (RFC 6184 §1.3).
const fn unit_type(header: u8) -> u8 {
    header & TYPE
}

/// F and NRI: the high three bits of the first octet.
const F: u8 = 0x80;
const NRI: u8 = 0x60;
const TYPE: u8 = 0x1f;

// NAL unit types of ITU-T H.264 Table 7-1.
const NON_IDR: u8 = 1;
const PARTITION_A: u8 = 2;
const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const AUD: u8 = 9;
// Types 14 to 18 open an access unit as well (ITU-T H.264 §7.4.1.2.3).
const PREFIX_UNIT: u8 = 14;
const RESERVED_18: u8 = 18;

// Types of RFC 6184 §5.2, Table 1.
const LAST_SINGLE: u8 = 23;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

// FU header (§5.8).
const START: u8 = 0x80;
const END: u8 = 0x40;

/// What stands before every NAL unit of a received frame.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

pub(super) fn is_key_frame(frame: &[u8]) -> bool {
    units(frame).any(|range| {
        frame
            .get(range)
            .and_then(<[u8]>::first)
            .is_some_and(|&header| matches!(unit_type(header), IDR | SPS))
    })
}
