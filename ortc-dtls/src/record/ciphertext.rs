//! Protection of DTLS 1.3 records: the AEAD, and the encryption of their numbers
//! (RFC 9147 §4, RFC 8446 §5.2 to §5.5).

use core::fmt;
use std::time::Instant;

use zeroize::Zeroizing;

use super::protection::{MAX_BLOCKS, MAX_FAILURES, MAX_SEQUENCE, blocks, with_number};
use super::replay::ReplayWindow;
use crate::crypto::{AeadKey, CryptoError, HeaderProtectionKey, NONCE_LEN, TAG_LEN};
use crate::stats::DropReason;
use crate::wire::ContentType;
use crate::wire::unified::UnifiedHeader;

/// Octets of a record besides its contents: header, inner content type, tag.
pub(super) const OVERHEAD: usize = UnifiedHeader::LEN + 1 + TAG_LEN;

/// Octets of contents that a record may have at most, without its type (RFC 8446 §5.1).
pub(crate) const MAX_CONTENTS: usize = 1 << 14;

/// The keys of one direction of one epoch; those that a provider holds it wipes.
pub(crate) struct TrafficKeys {
    aead: Box<dyn AeadKey>,
    numbers: Box<dyn HeaderProtectionKey>,
    iv: Zeroizing<[u8; NONCE_LEN]>,
}

impl fmt::Debug for TrafficKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrafficKeys(..)")
    }
}

impl TrafficKeys {
    pub(crate) const fn new(
        aead: Box<dyn AeadKey>,
        numbers: Box<dyn HeaderProtectionKey>,
        iv: Zeroizing<[u8; NONCE_LEN]>,
    ) -> Self {
        Self { aead, numbers, iv }
    }

    /// The sequence number, exclusive-ored into the IV; the epoch is no part of it
    /// (RFC 9147 §4, RFC 8446 §5.3).
    fn nonce(&self, sequence: u64) -> [u8; NONCE_LEN] {
        with_number(*self.iv, sequence)
    }

    /// What encrypts and decrypts the first two octets of a sequence number, by the ciphertext that
    /// follows the header (RFC 9147 §4.2.3).
    fn mask(&self, ciphertext: &[u8]) -> Result<u16, CryptoError> {
        let sample = ciphertext.first_chunk().ok_or(CryptoError)?;
        let [high, low, ..] = self.numbers.mask(*sample);
        Ok(u16::from_be_bytes([high, low]))
    }
}

/// An epoch that we write.
#[derive(Debug)]
pub(crate) struct WriteEpoch {
    keys: TrafficKeys,
    pub(super) epoch: u64,
    pub(super) next: u64,
    blocks: u64,
}

impl WriteEpoch {
    pub(crate) const fn new(keys: TrafficKeys, epoch: u64) -> Self {
        Self {
            keys,
            epoch,
            next: 0,
            blocks: 0,
        }
    }

    /// Whether the key has a record of this length left, and a few for alerts besides.
    pub(super) const fn can_seal(&self, len: usize) -> bool {
        self.next < MAX_SEQUENCE - 16 && self.blocks + blocks(len) + 16 < MAX_BLOCKS
    }

    /// Whether it is time for new keys: after so many records, or half of what the key may
    /// protect.
    pub(super) const fn is_worn(&self, after: u64) -> bool {
        self.next >= after || self.blocks >= MAX_BLOCKS / 2
    }

    /// Appends one protected record whose contents `body` appends; `id` is the connection id that
    /// it has, empty for none.
    pub(super) fn seal(
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
        let header_len = UnifiedHeader::LEN + id.len();
        out.extend_from_slice(&[0; UnifiedHeader::LEN]);
        if !id.is_empty() {
            out.resize(start + header_len, 0);
        }
        body(out);
        out.push(content_type.0);
        let sequence = self.next;
        // The number is used up whatever comes of it.
        self.next += 1;
        let record = out.get_mut(start..).ok_or(CryptoError)?;
        let (header, inner) = record.split_at_mut_checked(header_len).ok_or(CryptoError)?;
        let ciphertext = u16::try_from(inner.len() + TAG_LEN).map_err(|_| CryptoError)?;
        UnifiedHeader::fill(header, id, self.epoch, sequence, ciphertext).ok_or(CryptoError)?;
        self.blocks += blocks(inner.len());
        let tag = self
            .keys
            .aead
            .seal(self.keys.nonce(sequence), header, inner)?;
        out.extend_from_slice(&tag);
        let record = out.get_mut(start..).ok_or(CryptoError)?;
        let (header, ciphertext) = record.split_at_mut_checked(header_len).ok_or(CryptoError)?;
        let mask = self.keys.mask(ciphertext)?;
        let (_, number) = header
            .split_at_mut_checked(UnifiedHeader::ID_AT + id.len())
            .ok_or(CryptoError)?;
        let number = number.first_chunk_mut().ok_or(CryptoError)?;
        *number = (u16::from_be_bytes(*number) ^ mask).to_be_bytes();
        Ok(())
    }
}

/// A record that was authenticated.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    /// Zero when the record consists of padding only (RFC 8446 §5.4).
    pub(crate) content_type: ContentType,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    /// No record that was accepted before has a higher number.
    pub(crate) newest: bool,
    pub(crate) contents: &'a mut [u8],
    /// Octets of contents and padding.
    pub(crate) padded_len: usize,
}

impl<'a> Opened<'a> {
    /// Takes apart what was decrypted: contents, type, padding (RFC 8446 §5.4, RFC 9146 §4).
    pub(super) fn new(
        epoch: u64,
        sequence: u64,
        newest: bool,
        inner: &'a mut [u8],
    ) -> Result<Self, DropReason> {
        // The last octet that is not zero is the type, what follows it is padding.
        let end = inner.iter().rposition(|&octet| octet != 0);
        let end = end.unwrap_or_default();
        let padded_len = inner.len().saturating_sub(1);
        let (contents, rest) = inner
            .split_at_mut_checked(end)
            .ok_or(DropReason::Malformed)?;
        if padded_len > MAX_CONTENTS {
            return Err(DropReason::RecordTooLong);
        }
        Ok(Self {
            content_type: ContentType(rest.first().copied().unwrap_or_default()),
            epoch,
            sequence,
            newest,
            contents,
            padded_len,
        })
    }
}

/// An epoch that we read.
#[derive(Debug)]
pub(crate) struct ReadEpoch {
    keys: TrafficKeys,
    pub(super) epoch: u64,
    replay: ReplayWindow,
    /// One above the highest number that was authenticated.
    next: u64,
    failures: u64,
    /// When records of this epoch stop to count (RFC 9147 §4.2.1).
    pub(super) until: Option<Instant>,
}

impl ReadEpoch {
    pub(crate) fn new(keys: TrafficKeys, epoch: u64) -> Self {
        Self {
            keys,
            epoch,
            replay: ReplayWindow::default(),
            next: 0,
            failures: 0,
            until: None,
        }
    }

    /// Whether so many records failed authentication that the key must be given up.
    pub(super) const fn is_worn_out(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// As if one forgery fewer had come than that.
    #[cfg(test)]
    pub(super) const fn wear(&mut self) {
        self.failures = MAX_FAILURES - 1;
    }

    /// Whether a record was accepted.
    pub(super) const fn is_used(&self) -> bool {
        self.next > 0
    }

    /// Decrypts a record in place; only when it is authentic its number is remembered, and only
    /// then compared with those before (RFC 9147 §4.5.1).
    pub(super) fn open<'a>(
        &mut self,
        header: &UnifiedHeader,
        record: &'a mut [u8],
    ) -> Result<Opened<'a>, DropReason> {
        let (_, sealed) = record
            .split_at_checked(header.len)
            .ok_or(DropReason::Malformed)?;
        let mask = self.keys.mask(sealed).map_err(|_| DropReason::Malformed)?;
        let number = record
            .get_mut(header.sequence_at..)
            .and_then(|number| number.first_chunk_mut())
            .ok_or(DropReason::Malformed)?;
        let masked = u16::from_be_bytes(*number);
        // Of a short number the octet behind it is no part.
        let (clear, low, bits) = if header.sequence_len == 1 {
            let clear = masked ^ (mask & 0xff00);
            (clear, clear >> 8, 8)
        } else {
            (masked ^ mask, masked ^ mask, 16)
        };
        *number = clear.to_be_bytes();
        let sequence = nearest(self.next, low.into(), bits);
        let (head, sealed) = record
            .split_at_mut_checked(header.len)
            .ok_or(DropReason::Malformed)?;
        let (inner, tag) = sealed
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(DropReason::Malformed)?;
        let nonce = self.keys.nonce(sequence);
        if self.keys.aead.open(nonce, head, inner, tag).is_err() {
            self.failures += 1;
            return Err(DropReason::BadRecord);
        }
        if !self.replay.is_fresh(sequence) {
            return Err(DropReason::Replayed);
        }
        self.replay.accept(sequence);
        let newest = sequence >= self.next;
        if newest {
            self.next = sequence.saturating_add(1);
        }
        Opened::new(self.epoch, sequence, newest, inner)
    }
}

/// The number with so many low bits of this value that is closest to the expected one
/// (RFC 9147 §4.2.2).
const fn nearest(expected: u64, low: u64, bits: u32) -> u64 {
    let modulus = 1 << bits;
    let candidate = (expected & !(modulus - 1)) + low;
    let half = modulus / 2;
    if candidate > expected + half && candidate >= modulus {
        candidate - modulus
    } else if candidate + half < expected {
        candidate + modulus
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{AeadAlgorithm, assert_wiped, ring_provider};

    const _: fn(TrafficKeys) = |keys| {
        let TrafficKeys {
            aead: _,
            numbers: _,
            iv,
        } = &keys;
        assert_wiped(iv);
    };

    const ALGORITHMS: [AeadAlgorithm; 3] = [
        AeadAlgorithm::Aes128Gcm,
        AeadAlgorithm::Aes256Gcm,
        AeadAlgorithm::ChaCha20Poly1305,
    ];

    fn keys(algorithm: AeadAlgorithm) -> TrafficKeys {
        let provider = ring_provider();
        let key = vec![7; algorithm.key_len()];
        let aead = provider.aead(algorithm, &key).unwrap();
        let numbers = provider.header_protection(algorithm, &key).unwrap();
        TrafficKeys::new(aead, numbers, Zeroizing::new([3; NONCE_LEN]))
    }

    fn open(reader: &mut ReadEpoch, record: &[u8]) -> Result<(u64, Vec<u8>), DropReason> {
        let mut copy = record.to_vec();
        let (header, record, rest) =
            UnifiedHeader::split(&mut copy, &[]).ok_or(DropReason::Malformed)?;
        if !rest.is_empty() {
            return Err(DropReason::Malformed);
        }
        let opened = reader.open(&header, record)?;
        Ok((opened.sequence, opened.contents.to_vec()))
    }

    #[test]
    fn numbers_are_completed_to_the_closest_of_what_is_expected() {
        for (modulus, bits) in [(256_u64, 8), (65_536, 16)] {
            for expected in [0, 1, 127, 128, 129, 255, 256, 65_535, 1 << 40, 1_000_000] {
                for distance in -100_i64..100 {
                    let Some(sequence) = expected_plus(expected, distance) else {
                        continue;
                    };
                    let low = sequence % modulus;
                    assert_eq!(nearest(expected, low, bits), sequence, "{bits} bits");
                }
            }
        }
    }

    fn expected_plus(expected: u64, distance: i64) -> Option<u64> {
        expected.checked_add_signed(distance)
    }

    #[test]
    fn records_survive_in_any_order_once_and_none_that_was_changed() {
        for algorithm in ALGORITHMS {
            let mut writer = WriteEpoch::new(keys(algorithm), 3);
            let mut reader = ReadEpoch::new(keys(algorithm), 3);
            let mut records = Vec::new();
            for len in [0, 1, 15, 16, 17, 1200] {
                let mut out = Vec::new();
                let kind = ContentType::APPLICATION_DATA;
                writer
                    .seal(&[], kind, &mut out, |out| out.resize(out.len() + len, 5))
                    .unwrap();
                assert_eq!(out.len(), OVERHEAD + len);
                assert_eq!(out[0], 0x2f);
                records.push((len, out));
            }
            for (_, record) in &records {
                for at in 0..record.len() {
                    for bit in [1, 0x80] {
                        let mut changed = record.clone();
                        changed[at] ^= bit;
                        // The bits of the epoch choose the key, and are authenticated like the rest.
                        assert!(open(&mut reader, &changed).is_err(), "octet {at}");
                    }
                }
            }
            for (number, (len, record)) in records.iter().enumerate().rev() {
                let (sequence, contents) = open(&mut reader, record).unwrap();
                assert_eq!((sequence, contents), (number as u64, vec![5; *len]));
                assert_eq!(open(&mut reader, record), Err(DropReason::Replayed));
            }
        }
    }

    #[test]
    fn the_other_forms_of_the_header_are_opened_and_the_ciphertext_behind_a_short_number_is_kept() {
        for algorithm in ALGORITHMS {
            for (first, sequence) in [(0x23_u8, &[5_u8][..]), (0x27, &[5]), (0x2b, &[0, 5])] {
                let keys = keys(algorithm);
                let mut record = [&[first], sequence].concat();
                if first & 4 != 0 {
                    record.extend_from_slice(&[0, 20]);
                }
                let len = record.len();
                let mut inner = [1, 2, 3, ContentType::APPLICATION_DATA.0];
                let tag = keys.aead.seal(keys.nonce(5), &record, &mut inner).unwrap();
                record.extend_from_slice(&[&inner[..], &tag].concat());
                let mask = keys.mask(&record[len..]).unwrap().to_be_bytes();
                for (octet, mask) in record[1..=sequence.len()].iter_mut().zip(mask) {
                    *octet ^= mask;
                }
                let mut reader = ReadEpoch::new(keys, 3);
                assert_eq!(open(&mut reader, &record), Ok((5, vec![1, 2, 3])));
            }
        }
    }

    #[test]
    fn two_records_with_the_same_contents_have_unrelated_numbers_on_the_wire() {
        let mut writer = WriteEpoch::new(keys(AeadAlgorithm::Aes128Gcm), 2);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let mut out = Vec::new();
            writer
                .seal(&[], ContentType::ALERT, &mut out, |out| out.push(0))
                .unwrap();
            seen.insert([out[1], out[2]]);
        }
        assert!(seen.len() > 95 && !seen.contains(&[0, 0]));
    }

    #[test]
    fn no_record_is_sealed_beyond_the_limits_of_a_key() {
        let mut writer = WriteEpoch::new(keys(AeadAlgorithm::Aes128Gcm), 3);
        assert!(!writer.is_worn(1));
        writer.next = 1;
        assert!(writer.is_worn(1));
        writer.next = MAX_SEQUENCE;
        assert!(!writer.can_seal(1));
        let mut out = Vec::new();
        assert!(
            writer
                .seal(&[], ContentType::ALERT, &mut out, |_| ())
                .is_err()
        );
        writer.next = 0;
        writer.blocks = MAX_BLOCKS / 2;
        assert!(writer.is_worn(u64::MAX) && writer.can_seal(16));
        writer.blocks = MAX_BLOCKS - 10;
        assert!(!writer.can_seal(16));

        let mut reader = ReadEpoch::new(keys(AeadAlgorithm::Aes128Gcm), 3);
        reader.wear();
        assert!(!reader.is_worn_out());
        let junk = [UnifiedHeader::encode(3, 0, 20).as_slice(), &[0; 20]].concat();
        assert_eq!(open(&mut reader, &junk), Err(DropReason::BadRecord));
        assert!(reader.is_worn_out());
    }

    #[test]
    fn padding_is_cut_off_and_a_record_of_padding_alone_has_no_type() {
        let algorithm = AeadAlgorithm::Aes128Gcm;
        let mut writer = WriteEpoch::new(keys(algorithm), 3);
        let mut reader = ReadEpoch::new(keys(algorithm), 3);
        for (contents, expected) in [
            (&[1, 2, 23, 0, 0, 0][..], (23, &[1, 2][..])),
            (&[23], (23, &[])),
            (&[0; 40], (0, &[])),
        ] {
            let mut out = Vec::new();
            writer
                .seal(&[], ContentType(0), &mut out, |out| {
                    out.extend_from_slice(contents);
                })
                .unwrap();
            let (header, record, _) = UnifiedHeader::split(&mut out, &[]).unwrap();
            let opened = reader.open(&header, record).unwrap();
            assert_eq!(
                (opened.content_type.0, &*opened.contents),
                (expected.0, expected.1)
            );
        }
    }
}
