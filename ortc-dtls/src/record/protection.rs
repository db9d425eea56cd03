//! AEAD protection of DTLS 1.2 records (RFC 5246 §6.2.3.3, RFC 5288, RFC 7905).

use core::fmt;

use zeroize::Zeroize;

use crate::connection_id::ConnectionId;
use crate::crypto::{AeadKey, CryptoError, NONCE_LEN, TAG_LEN};
use crate::wire::record::RecordHeader;
use crate::wire::{ContentType, ProtocolVersion};

/// Octets of the explicit nonce of GCM.
const EXPLICIT: usize = 8;

/// Octets that protection adds to a record at most.
pub(super) const MAX_OVERHEAD: usize = EXPLICIT + TAG_LEN;

/// Blocks of 16 octets that one key may protect: 2^24.5 records of the greatest length
/// (RFC 9147 §4.5.3 for AES-GCM; ChaCha20-Poly1305 has no limit and gets the same).
pub(super) const MAX_BLOCKS: u64 = 23_726_566 * 1024;

/// Records that may fail authentication under one key (RFC 9147 §4.5.3).
pub(super) const MAX_FAILURES: u64 = 1 << 36;

/// Sequence numbers of one epoch.
pub(super) const MAX_SEQUENCE: u64 = 1 << 48;

/// How record numbers become nonces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nonce {
    /// GCM: a fixed part, and epoch and sequence number sent with the record (RFC 5288 §3).
    Explicit([u8; NONCE_LEN - EXPLICIT]),
    /// ChaCha20-Poly1305: epoch and sequence number exclusive-ored into the IV (RFC 7905 §2).
    Implicit([u8; NONCE_LEN]),
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fixed part is as secret as the key.
        f.write_str("Nonce(..)")
    }
}

impl Nonce {
    const fn explicit_len(self) -> usize {
        match self {
            Self::Explicit(_) => EXPLICIT,
            Self::Implicit(_) => 0,
        }
    }

    fn of(self, number: [u8; 8]) -> [u8; NONCE_LEN] {
        let number = u64::from_be_bytes(number);
        match self {
            Self::Explicit([s0, s1, s2, s3]) => {
                with_number([s0, s1, s2, s3, 0, 0, 0, 0, 0, 0, 0, 0], number)
            }
            Self::Implicit(iv) => with_number(iv, number),
        }
    }
}

/// One direction of one epoch.
#[derive(Debug)]
pub(crate) struct Protection {
    key: Box<dyn AeadKey>,
    nonce: Nonce,
    epoch: u16,
    next: u64,
    blocks: u64,
    failures: u64,
}

impl Drop for Protection {
    fn drop(&mut self) {
        // The provider wipes the key; the fixed part of the nonce came from the same secret.
        self.nonce.zeroize();
    }
}

impl Zeroize for Nonce {
    fn zeroize(&mut self) {
        match self {
            Self::Explicit(salt) => salt.zeroize(),
            Self::Implicit(iv) => iv.zeroize(),
        }
    }
}

impl Protection {
    pub(crate) const fn new(key: Box<dyn AeadKey>, nonce: Nonce, epoch: u16) -> Self {
        Self {
            key,
            nonce,
            epoch,
            next: 0,
            blocks: 0,
            failures: 0,
        }
    }

    /// Octets that protection adds to a record.
    pub(crate) const fn overhead(&self) -> usize {
        self.nonce.explicit_len() + TAG_LEN
    }

    /// Whether the key has a record of this length left, and a few for alerts besides.
    pub(crate) const fn can_seal(&self, len: usize) -> bool {
        self.next < MAX_SEQUENCE - 16 && self.blocks + blocks(len) + 16 < MAX_BLOCKS
    }

    /// Whether so many records failed authentication that the key must be given up.
    pub(crate) const fn is_worn_out(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// As if one forgery fewer had come than that.
    #[cfg(test)]
    pub(super) const fn wear(&mut self) {
        self.failures = MAX_FAILURES - 1;
    }

    /// Appends one protected record whose contents `body` appends; `id` is the connection id that
    /// it has, empty for none.
    pub(crate) fn seal(
        &mut self,
        id: &[u8],
        content_type: ContentType,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), CryptoError> {
        if self.next >= MAX_SEQUENCE {
            return Err(CryptoError);
        }
        let start = out.len();
        let outer = if id.is_empty() {
            content_type
        } else {
            ContentType::TLS12_CID
        };
        let header = RecordHeader {
            content_type: outer,
            version: ProtocolVersion::DTLS12,
            epoch: self.epoch,
            sequence: self.next,
            length: 0,
        };
        let number = header.number().to_be_bytes();
        header.encode(out);
        if !id.is_empty() {
            out.truncate(start + RecordHeader::ID_AT);
            out.extend_from_slice(id);
            out.extend_from_slice(&[0; 2]);
        }
        if let Nonce::Explicit(_) = self.nonce {
            out.extend_from_slice(&number);
        }
        let contents = out.len();
        body(out);
        if !id.is_empty() {
            // DTLSInnerPlaintext: the real type follows the contents (RFC 9146 §4).
            out.push(content_type.0);
        }
        let len = u16::try_from(out.len() - contents).map_err(|_| CryptoError)?;
        let nonce = self.nonce.of(number);
        let (without_id, with_id);
        let aad: &[u8] = if id.is_empty() {
            without_id = additional_data(&header, len);
            &without_id
        } else {
            with_id = AdditionalData::new(&header, id, len);
            with_id.octets()
        };
        let plaintext = out.get_mut(contents..).ok_or(CryptoError)?;
        // The number is used up whatever comes of it.
        self.next += 1;
        self.blocks += blocks(plaintext.len());
        let tag = self.key.seal(nonce, aad, plaintext)?;
        out.extend_from_slice(&tag);
        let length_at = start + RecordHeader::ID_AT + id.len();
        let length = u16::try_from(out.len() - length_at - 2).map_err(|_| CryptoError)?;
        if let Some(field) = out.get_mut(length_at..length_at + 2) {
            field.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Decrypts a record in place; `id` is the connection id that it has, empty for none. With one,
    /// type and padding are a part of what comes out (RFC 9146 §4).
    pub(crate) fn open<'a>(
        &mut self,
        header: &RecordHeader,
        id: &[u8],
        fragment: &'a mut [u8],
    ) -> Result<&'a mut [u8], CryptoError> {
        let (explicit, sealed) = fragment
            .split_at_mut_checked(self.nonce.explicit_len())
            .ok_or(CryptoError)?;
        let (contents, tag) = sealed
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(CryptoError)?;
        let number: &[u8] = explicit;
        // The sender chooses the explicit part; it need not be the record number.
        let number = number
            .try_into()
            .unwrap_or_else(|_| header.number().to_be_bytes());
        let len = u16::try_from(contents.len()).map_err(|_| CryptoError)?;
        let (without_id, with_id);
        let aad: &[u8] = if id.is_empty() {
            without_id = additional_data(header, len);
            &without_id
        } else {
            with_id = AdditionalData::new(header, id, len);
            with_id.octets()
        };
        let nonce = self.nonce.of(number);
        match self.key.open(nonce, aad, contents, tag) {
            Ok(()) => Ok(contents),
            Err(error) => {
                self.failures += 1;
                Err(error)
            }
        }
    }
}

/// An IV with a number exclusive-ored into its end.
pub(super) const fn with_number(iv: [u8; NONCE_LEN], number: u64) -> [u8; NONCE_LEN] {
    let [i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11] = iv;
    // Whole words: an octet at a time, the cipher would wait for each before it reads them.
    let iv = u128::from_be_bytes([0, 0, 0, 0, i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11]);
    let [_, _, _, _, nonce @ ..] = (iv ^ number as u128).to_be_bytes();
    nonce
}

pub(super) const fn blocks(len: usize) -> u64 {
    len.div_ceil(16) as u64 + 1
}

/// Record number, type, version, and length of the plaintext (RFC 5246 §6.2.3.3).
fn additional_data(header: &RecordHeader, len: u16) -> [u8; 13] {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = header.number().to_be_bytes();
    let [v0, v1] = header.version.0.to_be_bytes();
    let [l0, l1] = len.to_be_bytes();
    let kind = header.content_type.0;
    [n0, n1, n2, n3, n4, n5, n6, n7, kind, v0, v1, l0, l1]
}

/// The same of a record with a connection id (RFC 9146 §5.3).
struct AdditionalData {
    octets: [u8; Self::MAX_LEN],
    len: usize,
}

impl AdditionalData {
    /// Placeholder for the number, type, length of the id, type, version, epoch and number, the id,
    /// length of the plaintext.
    const MAX_LEN: usize = 8 + 1 + 1 + 1 + 2 + 8 + ConnectionId::MAX_LEN + 2;

    fn new(header: &RecordHeader, id: &[u8], len: u16) -> Self {
        let mut data = Self {
            octets: [0; Self::MAX_LEN],
            len: 0,
        };
        let kind = header.content_type.0;
        let [.., id_len] = id.len().to_be_bytes();
        data.push(&[0xff; 8]);
        data.push(&[kind, id_len, kind]);
        data.push(&header.version.0.to_be_bytes());
        data.push(&header.number().to_be_bytes());
        data.push(id);
        data.push(&len.to_be_bytes());
        data
    }

    fn push(&mut self, octets: &[u8]) {
        // Everything fits, an id having at most 255 octets.
        if let Some(to) = self.octets.get_mut(self.len..self.len + octets.len()) {
            to.copy_from_slice(octets);
            self.len += octets.len();
        }
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{AeadAlgorithm, ring_provider};

    fn protection() -> Protection {
        let key = ring_provider().aead(AeadAlgorithm::Aes128Gcm, &[1; 16]);
        Protection::new(key.unwrap(), Nonce::Explicit([2; 4]), 1)
    }

    #[test]
    fn a_wiped_nonce_has_nothing_left() {
        for (mut nonce, wiped) in [
            (Nonce::Explicit([2; 4]), Nonce::Explicit([0; 4])),
            (Nonce::Implicit([3; 12]), Nonce::Implicit([0; 12])),
        ] {
            nonce.zeroize();
            assert!(nonce == wiped);
        }
    }

    /// RFC 8446 §5.3: padded to the left with zeros.
    #[test]
    fn a_number_changes_the_last_octets_of_an_iv() {
        let iv = [0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xff];
        assert_eq!(with_number(iv, 0), iv);
        let nonce = with_number(iv, 0xf000_0000_0000_010f);
        assert_eq!(nonce, [0xff, 1, 2, 3, 0xf4, 5, 6, 7, 8, 9, 11, 0xf0]);
    }

    #[test]
    fn no_record_is_sealed_beyond_the_last_sequence_number() {
        let mut protection = protection();
        protection.next = MAX_SEQUENCE - 1;
        let mut out = Vec::new();
        let kind = ContentType::APPLICATION_DATA;
        assert!(
            !protection.can_seal(1),
            "the last numbers are kept for alerts"
        );
        protection
            .seal(&[], kind, &mut out, |out| out.push(1))
            .unwrap();
        let last = RecordHeader::parse(&out).unwrap();
        assert_eq!((last.epoch, last.sequence), (1, MAX_SEQUENCE - 1));
        let before = out.clone();
        assert!(
            protection
                .seal(&[], kind, &mut out, |out| out.push(1))
                .is_err()
        );
        assert_eq!(out, before, "and the epoch never wraps into the next");
    }

    #[test]
    fn a_key_is_given_up_before_its_limits() {
        let mut protection = protection();
        protection.blocks = MAX_BLOCKS - 100;
        assert!(protection.can_seal(16));
        assert!(!protection.can_seal(1600));

        protection.wear();
        assert!(!protection.is_worn_out());
        let header = RecordHeader {
            content_type: ContentType::ALERT,
            version: ProtocolVersion::DTLS12,
            epoch: 1,
            sequence: 0,
            length: 40,
        };
        assert!(protection.open(&header, &[], &mut [0; 40]).is_err());
        assert!(protection.is_worn_out());
    }

    #[test]
    fn records_of_every_length_survive_and_none_that_was_changed() {
        for len in [0, 1, 15, 16, 17, 1200] {
            let (mut sender, mut receiver) = (protection(), protection());
            let mut out = Vec::new();
            let kind = ContentType::APPLICATION_DATA;
            sender
                .seal(&[], kind, &mut out, |out| out.resize(out.len() + len, 5))
                .unwrap();
            assert_eq!(out.len(), RecordHeader::LEN + sender.overhead() + len);
            for at in 0..out.len() {
                let mut changed = out.clone();
                changed[at] ^= 1;
                let Some((header, fragment, _)) = RecordHeader::split(&mut changed) else {
                    continue;
                };
                assert!(
                    receiver.open(&header, &[], fragment).is_err(),
                    "octet {at} of {len}"
                );
            }
            let (header, fragment, rest) = RecordHeader::split(&mut out).unwrap();
            assert!(rest.is_empty());
            assert_eq!(receiver.open(&header, &[], fragment).unwrap(), vec![5; len]);
        }
    }
}
