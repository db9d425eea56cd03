//! FINGERPRINT (RFC 8489 §14.7): CRC-32 of the message, told apart from other users of CRC-32.

/// What the CRC is XORed with: "STUN" in ASCII.
const XOR: u32 = 0x5354_554E;

/// The value of the attribute for a message whose octets before the attribute are these, its
/// length field already counting the attribute.
pub(super) fn of(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ XOR
}
