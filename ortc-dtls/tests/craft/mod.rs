//! Records and messages made by hand, and records of a peer whose keys are known.
#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

use std::sync::Arc;

use ortc_dtls::crypto::{AeadAlgorithm, AeadKey, Hash, Provider};
use ortc_dtls::keying::prf;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::{ContentType, HandshakeType, ProtocolVersion};
use ortc_dtls::{CloseReason, Config, Endpoint, Event, ProtocolError, Role};

use crate::pair::{Pair, origin};

pub(crate) fn record(kind: ContentType, epoch: u16, sequence: u64, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = RecordHeader {
        content_type: kind,
        version: ProtocolVersion::DTLS12,
        epoch,
        sequence,
        length: contents.len().try_into().unwrap(),
    };
    header.encode(&mut out);
    out.extend_from_slice(contents);
    out
}

pub(crate) fn handshake(kind: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let fragment = Fragment {
        kind,
        length: body.len().try_into().unwrap(),
        message_seq,
        offset: 0,
        body,
    };
    fragment.encode(&mut out);
    out
}

/// A plaintext record with a fragment.
pub(crate) fn fragment(sequence: u64, fragment: &Fragment<'_>) -> Vec<u8> {
    let mut contents = Vec::new();
    fragment.encode(&mut contents);
    record(ContentType::HANDSHAKE, 0, sequence, &contents)
}

/// A plaintext record with one whole message.
pub(crate) fn message(kind: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let contents = handshake(kind, message_seq, body);
    record(ContentType::HANDSHAKE, 0, 77, &contents)
}

/// The contents of an ACK of records with these epochs and numbers.
pub(crate) fn ack(numbers: &[(u64, u64)]) -> Vec<u8> {
    let len = u16::try_from(16 * numbers.len()).unwrap().to_be_bytes();
    let numbers = numbers
        .iter()
        .flat_map(|(epoch, sequence)| [epoch.to_be_bytes(), sequence.to_be_bytes()].concat());
    len.into_iter().chain(numbers).collect()
}

/// What a server says to such a ClientHello: the reason and the alert, or nothing when it goes on.
pub(crate) fn answer_to_hello(config: Config, body: &[u8]) -> Option<(ProtocolError, u8)> {
    let now = origin();
    let mut server = Endpoint::new(Arc::new(config), Role::Server, now);
    server.handle_datagram(&mut message(HandshakeType::CLIENT_HELLO, 0, body), now);
    let mut answer = Vec::new();
    server.poll_transmit(&mut answer, now).unwrap();
    match server.poll_event() {
        Some(Event::Closed(CloseReason::Protocol(error))) => {
            assert_eq!(answer.len(), 15);
            assert_eq!(answer[13], 2, "fatal");
            Some((error, answer[14]))
        }
        None => None,
        other => panic!("{other:?}"),
    }
}

/// The records of a datagram: header and contents.
pub(crate) fn records(datagram: &[u8]) -> Vec<(RecordHeader, Vec<u8>)> {
    let mut copy = datagram.to_vec();
    let mut rest = &mut copy[..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (header, contents, tail) = RecordHeader::split(rest).unwrap();
        found.push((header, contents.to_vec()));
        rest = tail;
    }
    found
}

/// Extensions as a list of type and contents.
pub(crate) fn extensions(list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (kind, data) in list {
        octets.extend_from_slice(&kind.to_be_bytes());
        octets.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        octets.extend_from_slice(data);
    }
    let mut out = u16::try_from(octets.len()).unwrap().to_be_bytes().to_vec();
    out.append(&mut octets);
    out
}

/// Seals records as one side of a connection, from its key log: AES-128-GCM only.
pub(crate) struct Forger {
    provider: Arc<dyn Provider>,
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl Forger {
    /// Writes as `role` does; the pair must log keys.
    pub(crate) fn new(provider: &Arc<dyn Provider>, pair: &Pair, role: Role) -> Self {
        let log = pair.events[0].iter().find_map(|event| {
            if let Event::KeyLog(line) = event {
                Some(line.as_str().to_owned())
            } else {
                None
            }
        });
        let log = log.unwrap();
        let master = hex::decode(log.split(' ').nth(2).unwrap()).unwrap();
        let random = |wanted: HandshakeType| {
            let of = |(_, contents): &(RecordHeader, Vec<u8>)| {
                let (fragment, _) = Fragment::split(contents).ok()?;
                (fragment.kind == wanted).then(|| fragment.body[2..34].to_vec())
            };
            let mut datagrams = pair.sent.iter();
            datagrams
                .find_map(|(_, datagram)| records(datagram).iter().find_map(of))
                .unwrap()
        };
        let client = random(HandshakeType::CLIENT_HELLO);
        let server = random(HandshakeType::SERVER_HELLO);
        Self::from_secrets(provider, &master, [&client, &server], role)
    }

    /// With the randoms of client and server.
    pub(crate) fn from_secrets(
        provider: &Arc<dyn Provider>,
        master: &[u8],
        [client, server]: [&[u8]; 2],
        role: Role,
    ) -> Self {
        let mut block = [0; 40];
        prf(
            &**provider,
            Hash::Sha256,
            master,
            b"key expansion",
            &[server, client],
            &mut block,
        );
        let (key, salt) = match role {
            Role::Client => (&block[..16], &block[32..36]),
            Role::Server => (&block[16..32], &block[36..]),
        };
        Self {
            provider: provider.clone(),
            key: key.to_vec(),
            salt: salt.to_vec(),
        }
    }

    pub(crate) fn seal(&self, kind: ContentType, sequence: u64, contents: &[u8]) -> Vec<u8> {
        let key = self
            .provider
            .aead(AeadAlgorithm::Aes128Gcm, &self.key)
            .unwrap();
        let number = ((1 << 48) | sequence).to_be_bytes();
        let nonce = [&self.salt[..], &number].concat().try_into().unwrap();
        let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
        let aad = [&number[..], &[kind.0, 0xfe, 0xfd], &len].concat();
        let mut sealed = contents.to_vec();
        let tag = key.seal(nonce, &aad, &mut sealed).unwrap();
        record(kind, 1, sequence, &[&number[..], &sealed, &tag].concat())
    }

    /// What a record that this side made holds.
    pub(crate) fn open(&self, record: &[u8]) -> Option<(ContentType, Vec<u8>)> {
        let (head, rest) = record.split_at_checked(RecordHeader::LEN)?;
        let (number, sealed) = rest.split_first_chunk::<8>()?;
        let (contents, tag) = sealed.split_last_chunk::<16>()?;
        let mut contents = contents.to_vec();
        let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
        let aad = [&head[3..11], &[head[0], 0xfe, 0xfd], &len].concat();
        let opened = self
            .aead()
            .open(self.nonce(*number), &aad, &mut contents, tag);
        opened.ok().map(|()| (ContentType(head[0]), contents))
    }

    /// A record of type tls12_cid (RFC 9146 §4, §5.3); `inner` is contents, real type and padding.
    pub(crate) fn seal_with_id(&self, id: &[u8], sequence: u64, inner: &[u8]) -> Vec<u8> {
        let number = ((1 << 48) | sequence).to_be_bytes();
        let mut sealed = inner.to_vec();
        let tag = self
            .aead()
            .seal(
                self.nonce(number),
                &aad_with_id(id, number, inner),
                &mut sealed,
            )
            .unwrap();
        let length = u16::try_from(8 + sealed.len() + 16).unwrap().to_be_bytes();
        let head = [25, 0xfe, 0xfd];
        [&head[..], &number, id, &length, &number, &sealed, &tag].concat()
    }

    /// What a record with this id holds: contents, real type and padding.
    pub(crate) fn open_with_id(&self, id: &[u8], record: &[u8]) -> Option<Vec<u8>> {
        let rest = record.strip_prefix(&[25, 0xfe, 0xfd])?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let rest = rest.strip_prefix(id)?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        assert_eq!(usize::from(u16::from_be_bytes(*length)), rest.len());
        let (explicit, sealed) = rest.split_first_chunk::<8>()?;
        let (inner, tag) = sealed.split_last_chunk::<16>()?;
        let mut inner = inner.to_vec();
        let aad = aad_with_id(id, *number, &inner);
        let opened = self
            .aead()
            .open(self.nonce(*explicit), &aad, &mut inner, tag);
        opened.ok().map(|()| inner)
    }

    fn aead(&self) -> Box<dyn AeadKey> {
        let algorithm = AeadAlgorithm::Aes128Gcm;
        self.provider.aead(algorithm, &self.key).unwrap()
    }

    fn nonce(&self, number: [u8; 8]) -> [u8; 12] {
        [&self.salt[..], &number].concat().try_into().unwrap()
    }
}

/// RFC 9146 §5.3, in the order of its lines.
fn aad_with_id(id: &[u8], number: [u8; 8], inner: &[u8]) -> Vec<u8> {
    let mut aad = vec![0xff; 8]; // seq_num_placeholder
    aad.push(25); // tls12_cid
    aad.push(id.len().try_into().unwrap()); // cid_length
    aad.push(25); // tls12_cid
    aad.extend_from_slice(&[0xfe, 0xfd]); // DTLSCiphertext.version
    aad.extend_from_slice(&number); // epoch, sequence_number
    aad.extend_from_slice(id); // cid
    let length = u16::try_from(inner.len()).unwrap();
    aad.extend_from_slice(&length.to_be_bytes()); // length_of_DTLSInnerPlaintext
    aad
}
