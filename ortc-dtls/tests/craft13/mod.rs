//! Records of DTLS 1.3 made and read by hand, with the keys of a key log: a second implementation
//! of the record layer, and the tool of a hostile peer.
#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

use core::ops::Range;
use std::sync::Arc;

use ortc_dtls::crypto::{AeadAlgorithm, Hash, Provider};
use ortc_dtls::keying::hkdf_expand_label;
use ortc_dtls::wire::ContentType;
use ortc_dtls::wire::unified::UnifiedHeader;
use ortc_dtls::{Event, Role};

use crate::pair::Pair;

/// What an endpoint said of its keys.
pub(crate) fn secret(events: &[Event], label: &str) -> Vec<u8> {
    let find = |event: &Event| {
        let Event::KeyLog(line) = event else {
            return None;
        };
        let words: Vec<&str> = line.as_str().split(' ').collect();
        (words[0] == label).then(|| hex::decode(words[2]).unwrap())
    };
    events.iter().find_map(find).unwrap()
}

/// One direction of one epoch, AES-128-GCM only.
pub(crate) struct Epoch {
    provider: Arc<dyn Provider>,
    key: [u8; 16],
    iv: [u8; 12],
    sn: [u8; 16],
    epoch: u64,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) kind: ContentType,
    pub(crate) sequence: u64,
    pub(crate) contents: Vec<u8>,
}

impl Epoch {
    pub(crate) fn new(provider: &Arc<dyn Provider>, secret: &[u8], epoch: u64) -> Self {
        let expand = |label, out: &mut [u8]| {
            hkdf_expand_label(&**provider, Hash::Sha256, secret, label, &[], out).unwrap();
        };
        let (mut key, mut iv, mut sn) = ([0; 16], [0; 12], [0; 16]);
        expand("key", &mut key);
        expand("iv", &mut iv);
        expand("sn", &mut sn);
        Self {
            provider: provider.clone(),
            key,
            iv,
            sn,
            epoch,
        }
    }

    /// What this role writes in epoch 2, or in 3 and above.
    pub(crate) fn of(provider: &Arc<dyn Provider>, pair: &Pair, role: Role, epoch: u64) -> Self {
        let side = match role {
            Role::Client => "CLIENT",
            Role::Server => "SERVER",
        };
        let label = match epoch {
            2 => format!("{side}_HANDSHAKE_TRAFFIC_SECRET"),
            _ => format!("{side}_TRAFFIC_SECRET_{}", epoch - 3),
        };
        let all = pair.events.concat();
        Self::new(provider, &secret(&all, &label), epoch)
    }

    fn nonce(&self, sequence: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (octet, number) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *octet ^= number;
        }
        nonce
    }

    fn mask(&self, sample: &[u8]) -> [u8; 5] {
        let key = self
            .provider
            .header_protection(AeadAlgorithm::Aes128Gcm, &self.sn);
        key.unwrap().mask(sample[..16].try_into().unwrap())
    }

    /// The first octet of a header of this form.
    fn first(&self, form: u8) -> u8 {
        form | (self.epoch % 4).to_be_bytes()[7]
    }

    /// The form of a header with 16-bit number and length, and the id if there is one.
    const fn form(id: &[u8]) -> u8 {
        if id.is_empty() { 0x2c } else { 0x3c }
    }

    /// A record with this header, in which the number is still to be masked.
    fn protect(
        &self,
        mut header: Vec<u8>,
        number: Range<usize>,
        kind: ContentType,
        sequence: u64,
        contents: &[u8],
    ) -> Vec<u8> {
        let mut inner = [contents, &[kind.0]].concat();
        let aead = self.provider.aead(AeadAlgorithm::Aes128Gcm, &self.key);
        let nonce = self.nonce(sequence);
        let tag = aead.unwrap().seal(nonce, &header, &mut inner).unwrap();
        inner.extend_from_slice(&tag);
        for (octet, mask) in header[number].iter_mut().zip(self.mask(&inner)) {
            *octet ^= mask;
        }
        [header, inner].concat()
    }

    /// A record as we write them; `kind` 0 and contents of zeros make one of padding alone.
    pub(crate) fn seal(&self, kind: ContentType, sequence: u64, contents: &[u8]) -> Vec<u8> {
        self.seal_with_id(&[], kind, sequence, contents)
    }

    /// The same with an 8-bit number and no length (RFC 9147 §4).
    pub(crate) fn seal_short(&self, kind: ContentType, sequence: u64, contents: &[u8]) -> Vec<u8> {
        let header = vec![self.first(0x20), sequence.to_be_bytes()[7]];
        self.protect(header, 1..2, kind, sequence, contents)
    }

    /// A record with a connection id (RFC 9147 §4).
    pub(crate) fn seal_with_id(
        &self,
        id: &[u8],
        kind: ContentType,
        sequence: u64,
        contents: &[u8],
    ) -> Vec<u8> {
        let length = u16::try_from(contents.len() + 17).unwrap().to_be_bytes();
        let [.., high, low] = sequence.to_be_bytes();
        let first = self.first(Self::form(id));
        let header = [&[first], id, &[high, low], &length].concat();
        let at = 1 + id.len();
        self.protect(header, at..at + 2, kind, sequence, contents)
    }

    /// Reads a record whose full number is below 2^16.
    pub(crate) fn open(&self, record: &[u8]) -> Option<Plain> {
        self.open_with_id(&[], record)
    }

    /// The same with this connection id.
    pub(crate) fn open_with_id(&self, id: &[u8], record: &[u8]) -> Option<Plain> {
        let (header, sealed) = record.split_at_checked(5 + id.len())?;
        if header[0] != self.first(Self::form(id)) || !header[1..].starts_with(id) {
            return None;
        }
        let mask = self.mask(sealed);
        let mut header = header.to_vec();
        let at = 1 + id.len();
        header[at] ^= mask[0];
        header[at + 1] ^= mask[1];
        let sequence = u64::from(header[at]) << 8 | u64::from(header[at + 1]);
        let (inner, tag) = sealed.split_last_chunk()?;
        let mut inner = inner.to_vec();
        let aead = self.provider.aead(AeadAlgorithm::Aes128Gcm, &self.key);
        let nonce = self.nonce(sequence);
        aead.unwrap().open(nonce, &header, &mut inner, tag).ok()?;
        let kind = ContentType(inner.pop()?);
        Some(Plain {
            kind,
            sequence,
            contents: inner,
        })
    }

    /// The records of a datagram that this epoch can read.
    pub(crate) fn open_all(&self, datagram: &[u8]) -> Vec<Plain> {
        let records = split(datagram);
        records
            .iter()
            .filter_map(|record| self.open(record))
            .collect()
    }
}

/// The records of a datagram of ours.
pub(crate) fn split(datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut copy = datagram.to_vec();
    let mut rest = &mut copy[..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let before = rest.len();
        let whole = rest.to_vec();
        rest = if UnifiedHeader::is_unified(rest[0]) {
            UnifiedHeader::split(rest, &[]).unwrap().2
        } else {
            ortc_dtls::wire::record::RecordHeader::split(rest)
                .unwrap()
                .2
        };
        found.push(whole[..before - rest.len()].to_vec());
    }
    found
}
