//! What the transform has to know of an RTP packet (RFC 3550 §5.1).

const FIXED_LEN: usize = 12;
const VERSION: u8 = 2;
const EXTENSION: u8 = 0x10;
const CSRC_COUNT: u8 = 0x0f;

/// The longest encrypted portion: 2^16 blocks of key stream (RFC 3711 §4.1.1).
pub(crate) const MAX_ENCRYPTED: usize = 1 << 20;

/// Where the encrypted portion begins, and what the nonce is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) ssrc: u32,
    pub(crate) seq: u16,
    /// Fixed header, CSRCs and extension, in octets: authenticated and not encrypted.
    pub(crate) len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Truncated,
    Version,
}

impl Header {
    /// Reads the header of a packet whose header and payload end with the slice.
    #[inline]
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, HeaderError> {
        let Some(&[first, _, s0, s1, _, _, _, _, x0, x1, x2, x3]) =
            packet.first_chunk::<FIXED_LEN>()
        else {
            return Err(HeaderError::Truncated);
        };
        if first >> 6 != VERSION {
            return Err(HeaderError::Version);
        }
        let mut len = FIXED_LEN + usize::from(first & CSRC_COUNT) * 4;
        if first & EXTENSION != 0 {
            let extension = packet.get(len..).and_then(|rest| rest.first_chunk());
            let Some(&[_, _, high, low]) = extension else {
                return Err(HeaderError::Truncated);
            };
            len += 4 + usize::from(u16::from_be_bytes([high, low])) * 4;
        }
        if len > packet.len() {
            return Err(HeaderError::Truncated);
        }
        Ok(Self {
            ssrc: u32::from_be_bytes([x0, x1, x2, x3]),
            seq: u16::from_be_bytes([s0, s1]),
            len,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csrcs_and_extension_belong_to_the_header() {
        let mut packet = vec![0x92, 96, 0x12, 0x34, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef];
        packet.extend([0; 8]); // two CSRCs
        packet.extend([0xbe, 0xde, 0, 3]);
        packet.extend([0; 12]);
        let header = Header {
            ssrc: 0xdead_beef,
            seq: 0x1234,
            len: 36,
        };
        assert_eq!(Header::parse(&packet), Ok(header));
        for len in 0..packet.len() {
            assert_eq!(Header::parse(&packet[..len]), Err(HeaderError::Truncated));
        }
        packet[0] = 0x52;
        assert_eq!(Header::parse(&packet), Err(HeaderError::Version));
    }
}
