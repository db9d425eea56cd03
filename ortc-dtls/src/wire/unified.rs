//! The unified header of protected records of DTLS 1.3 (RFC 9147 §4).

/// `001` in the three high bits.
const FIXED: u8 = 0b0010_0000;
const FIXED_MASK: u8 = 0b1110_0000;
/// A connection ID follows.
const CID: u8 = 0x10;
/// The sequence number has 16 bits, else 8.
const SEQUENCE_16: u8 = 0x08;
/// The length is there; without it the record fills the rest of the datagram.
const LENGTH: u8 = 0x04;
/// The low bits of the epoch.
const EPOCH: u8 = 0x03;

/// Octets of ciphertext that a record has at least: the mask of its number is made of them
/// (RFC 9147 §4.2.3).
pub const MIN_CIPHERTEXT: usize = 16;

/// Where the parts of a protected record are. Its sequence number is encrypted still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnifiedHeader {
    /// The two low bits of the epoch.
    pub epoch_bits: u8,
    /// Octets of sequence number: 1 or 2.
    pub sequence_len: usize,
    /// Octets from the start of the record to its sequence number.
    pub sequence_at: usize,
    /// Octets of the header.
    pub len: usize,
}

impl UnifiedHeader {
    /// Octets of the header that we write, without connection id: 16-bit sequence number, length.
    pub const LEN: usize = 5;
    /// Octets before the connection id.
    pub const ID_AT: usize = 1;
    /// Octets of ciphertext that a record may have at most (RFC 8446 §5.2).
    pub const MAX_LENGTH: usize = (1 << 14) + 256;

    /// Whether the first octet of a record says that it is a protected one of DTLS 1.3
    /// (RFC 9147 §4.1).
    #[must_use]
    pub const fn is_unified(first_octet: u8) -> bool {
        first_octet & FIXED_MASK == FIXED
    }

    /// Whether a record that begins so has a connection id.
    #[must_use]
    pub const fn has_id(first_octet: u8) -> bool {
        Self::is_unified(first_octet) && first_octet & CID != 0
    }

    /// Splits the first record off a datagram: its header, the whole record with it, and what
    /// follows. `cid` is the connection ID that records must carry; empty for none.
    ///
    /// `None` when no record is there, or one with another connection ID: nothing after it can be
    /// found, and the rest of the datagram is dropped.
    #[must_use]
    pub fn split<'a>(
        datagram: &'a mut [u8],
        cid: &[u8],
    ) -> Option<(Self, &'a mut [u8], &'a mut [u8])> {
        let (&first, rest) = datagram.split_first()?;
        if Self::has_id(first) == cid.is_empty() || !rest.starts_with(cid) {
            return None;
        }
        Self::split_with_id(datagram, cid.len())
    }

    /// As [`UnifiedHeader::split`], whatever the connection id is; if the record has one, it has
    /// `id_len` octets, which are at least one.
    #[must_use]
    pub fn split_with_id(
        datagram: &mut [u8],
        id_len: usize,
    ) -> Option<(Self, &mut [u8], &mut [u8])> {
        let (&first, rest) = datagram.split_first()?;
        let id_len = match (Self::has_id(first), id_len) {
            (true, 0) => return None,
            (true, id_len) => id_len,
            (false, _) => 0,
        };
        if !Self::is_unified(first) {
            return None;
        }
        let (_, rest) = rest.split_at_checked(id_len)?;
        let sequence_at = Self::ID_AT + id_len;
        let sequence_len = if first & SEQUENCE_16 == 0 { 1 } else { 2 };
        let (_, rest) = rest.split_at_checked(sequence_len)?;
        let (len, ciphertext) = if first & LENGTH == 0 {
            (sequence_at + sequence_len, rest.len())
        } else {
            let length = u16::from_be_bytes(*rest.first_chunk()?);
            (sequence_at + sequence_len + 2, usize::from(length))
        };
        if !(MIN_CIPHERTEXT..=Self::MAX_LENGTH).contains(&ciphertext) {
            return None;
        }
        let header = Self {
            epoch_bits: first & EPOCH,
            sequence_len,
            sequence_at,
            len,
        };
        let (record, rest) = datagram.split_at_mut_checked(len + ciphertext)?;
        Some((header, record, rest))
    }

    /// The connection id of a record with this header; empty for none.
    #[must_use]
    pub fn id<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        record
            .get(Self::ID_AT..self.sequence_at)
            .unwrap_or_default()
    }

    /// As [`UnifiedHeader::encode`] with a connection id, over what is reserved for it:
    /// [`UnifiedHeader::LEN`] octets and those of the id. `None` where it is not as long.
    #[must_use]
    pub fn fill(
        header: &mut [u8],
        id: &[u8],
        epoch: u64,
        sequence: u64,
        ciphertext: u16,
    ) -> Option<()> {
        let encoded = Self::encode(epoch, sequence, ciphertext);
        if id.is_empty() {
            let header: &mut [u8; Self::LEN] = header.try_into().ok()?;
            *header = encoded;
            return Some(());
        }
        let [first, rest @ ..] = encoded;
        let (flags, header) = header.split_first_mut()?;
        *flags = first | CID;
        let (id_at, rest_at) = header.split_at_mut_checked(id.len())?;
        id_at.copy_from_slice(id);
        let rest_at: &mut [u8; Self::LEN - 1] = rest_at.try_into().ok()?;
        *rest_at = rest;
        Some(())
    }

    /// The header that we write, with the low bits of epoch and sequence number and the octets of
    /// ciphertext that follow.
    #[must_use]
    pub const fn encode(epoch: u64, sequence: u64, ciphertext: u16) -> [u8; Self::LEN] {
        let [.., epoch_low] = epoch.to_be_bytes();
        let [.., high, low] = sequence.to_be_bytes();
        let [len_high, len_low] = ciphertext.to_be_bytes();
        let first = FIXED | SEQUENCE_16 | LENGTH | (epoch_low & EPOCH);
        [first, high, low, len_high, len_low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(datagram: &[u8], cid: &[u8]) -> Option<(UnifiedHeader, usize, usize)> {
        let mut copy = datagram.to_vec();
        let (header, record, rest) = UnifiedHeader::split(&mut copy, cid)?;
        Some((header, record.len(), rest.len()))
    }

    /// RFC 9147 §4, figures 3 and 4.
    #[test]
    fn every_form_of_the_header_is_read() {
        for (first, cid, body_at, length) in [
            (0x20_u8, &[][..], 2, false),
            (0x28, &[], 3, false),
            (0x24, &[], 4, true),
            (0x2c, &[], 5, true),
            (0x30, &[9, 8, 7], 5, false),
            (0x3c, &[9, 8, 7], 8, true),
        ] {
            for epoch in 0..4 {
                let mut datagram = vec![first | epoch];
                datagram.extend_from_slice(cid);
                datagram.resize(body_at - if length { 2 } else { 0 }, 1);
                if length {
                    datagram.extend_from_slice(&[0, 20]);
                }
                datagram.extend_from_slice(&[5; 23]);
                let (header, record, rest) = split(&datagram, cid).unwrap();
                assert_eq!((header.epoch_bits, header.len), (epoch, body_at));
                assert_eq!(header.sequence_at, 1 + cid.len());
                let expected = if length { (20, 3) } else { (23, 0) };
                assert_eq!((record - body_at, rest), expected);
                for end in 0..body_at + MIN_CIPHERTEXT {
                    assert_eq!(split(&datagram[..end], cid), None);
                }
            }
        }
        assert_eq!(UnifiedHeader::encode(3, 0x1_0203, 40), [0x2f, 2, 3, 0, 40]);
    }

    #[test]
    fn a_connection_id_that_was_not_agreed_on_is_no_record() {
        let datagram = [[0x3c, 7, 0, 1, 0, 16].as_slice(), &[0; 16]].concat();
        assert!(split(&datagram, &[7]).is_some());
        assert_eq!(split(&datagram, &[]), None);
        assert_eq!(split(&datagram, &[8]), None);
        let without = [[0x2c, 0, 1, 0, 16].as_slice(), &[0; 16]].concat();
        assert_eq!(split(&without, &[7]), None);
    }
}
