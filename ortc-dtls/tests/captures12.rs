//! The recorded handshakes of browsers in DTLS 1.2, read with their key logs: every signature and
//! both Finished are what the PRF and the transcript come to, and every protected record opens.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use std::sync::Arc;

use ortc_dtls::crypto::{AeadAlgorithm, AeadKey, Hash, Provider, SignatureScheme};
use ortc_dtls::keying::prf;
use ortc_dtls::reassembly::{Message, Reassembly};
use ortc_dtls::subject_public_key;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::{ClientHello, ServerHello};
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::{CipherSuite, ContentType, HandshakeType};

const CALLS: &str = include_str!("data/browsers.txt");

#[derive(Default)]
struct Call {
    name: &'static str,
    master: Vec<u8>,
    /// Who sent it, and what.
    datagrams: Vec<(&'static str, Vec<u8>)>,
}

/// The calls of DTLS 1.2.
fn calls() -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in CALLS.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match (words[0], calls.last_mut()) {
            ("call", _) => calls.push(Call {
                name: words[1],
                ..Call::default()
            }),
            ("secret", Some(call)) if words[1] == "CLIENT_RANDOM" => {
                call.master = hex::decode(words[3]).unwrap();
            }
            ("B" | "P", Some(call)) => {
                call.datagrams
                    .push((words[0], hex::decode(words[1]).unwrap()));
            }
            _ => {}
        }
    }
    calls.retain(|call| !call.master.is_empty());
    calls
}

/// One direction: its handshake messages, and its protected records as they came.
struct Side {
    reassembly: Reassembly,
    messages: Vec<Message>,
    protected: Vec<(RecordHeader, Vec<u8>)>,
}

impl Side {
    fn new(call: &Call, who: &str) -> Self {
        let mut side = Self {
            reassembly: Reassembly::new(16 * 1024),
            messages: Vec::new(),
            protected: Vec::new(),
        };
        for (from, datagram) in &call.datagrams {
            if *from != who {
                continue;
            }
            let mut copy = datagram.clone();
            let mut rest = &mut copy[..];
            while !rest.is_empty() {
                let (header, contents, tail) = RecordHeader::split(rest).unwrap();
                match (header.epoch, header.content_type) {
                    (0, ContentType::HANDSHAKE) => side.handshake(contents, 0),
                    (0, kind) => assert_eq!(kind, ContentType::CHANGE_CIPHER_SPEC),
                    _ => side.protected.push((header, contents.to_vec())),
                }
                rest = tail;
            }
        }
        side
    }

    fn handshake(&mut self, contents: &[u8], epoch: u64) {
        let mut rest = contents;
        while !rest.is_empty() {
            let (fragment, tail) = Fragment::split(rest).unwrap();
            self.reassembly.insert(&fragment, epoch);
            rest = tail;
        }
        while let Some(message) = self.reassembly.pop() {
            self.messages.push(message);
        }
    }

    /// Opens what is protected; the alerts of it.
    fn open(&mut self, key: &dyn AeadKey, salt: &[u8]) -> Vec<Vec<u8>> {
        let mut alerts = Vec::new();
        for (header, mut contents) in core::mem::take(&mut self.protected) {
            let (explicit, sealed) = contents.split_first_chunk_mut::<8>().unwrap();
            let (inner, tag) = sealed.split_last_chunk_mut::<16>().unwrap();
            let nonce = [salt, &*explicit].concat().try_into().unwrap();
            let len = u16::try_from(inner.len()).unwrap().to_be_bytes();
            let kind = header.content_type;
            let aad = [
                &header.number().to_be_bytes()[..],
                &[kind.0, 0xfe, 0xfd],
                &len,
            ]
            .concat();
            key.open(nonce, &aad, inner, tag).unwrap();
            match kind {
                ContentType::HANDSHAKE => self.handshake(inner, 1),
                ContentType::ALERT => alerts.push(inner.to_vec()),
                // What a data channel says is not recorded.
                kind => assert_eq!(kind, ContentType::ALERT),
            }
        }
        alerts
    }

    fn body(&self, kind: HandshakeType) -> &[u8] {
        let mut messages = self.messages.iter();
        &messages.find(|message| message.kind == kind).unwrap().body
    }
}

/// A message as the transcript has it (RFC 6347 §4.2.6).
fn unfragmented(message: &Message) -> Vec<u8> {
    let fragment = Fragment {
        kind: message.kind,
        length: u32::try_from(message.body.len()).unwrap(),
        message_seq: message.message_seq,
        offset: 0,
        body: &message.body,
    };
    let mut out = Vec::new();
    fragment.encode(&mut out);
    out
}

fn verify(provider: &dyn Provider, certificate: &[u8], message: &[u8], signed: &[u8]) {
    // One certificate, behind the lengths of the list and its own.
    let key = subject_public_key(&certificate[6..]).unwrap();
    let scheme = SignatureScheme(u16::from_be_bytes([signed[0], signed[1]]));
    let signature = &signed[4..];
    provider.verify(scheme, key, message, signature).unwrap();
}

/// Reads a call from its first datagram to its last.
fn replay(provider: &Arc<dyn Provider>, call: &Call) {
    let client_is = call.datagrams[0].0;
    let server_is = if client_is == "B" { "P" } else { "B" };
    let [mut client, mut server] = [client_is, server_is].map(|who| Side::new(call, who));
    let client_random = {
        let hello = ClientHello::parse(client.body(HandshakeType::CLIENT_HELLO)).unwrap();
        *hello.random
    };
    let server_random = {
        let hello = ServerHello::parse(server.body(HandshakeType::SERVER_HELLO)).unwrap();
        assert_eq!(hello.cipher_suite, CipherSuite::ECDHE_ECDSA_AES_128_GCM);
        *hello.random
    };

    // RFC 5246 §6.3: both keys, then both IVs.
    let mut block = [0; 40];
    let seed: [&[u8]; 2] = [&server_random, &client_random];
    let label = b"key expansion";
    prf(
        &**provider,
        Hash::Sha256,
        &call.master,
        label,
        &seed,
        &mut block,
    );
    let open = |side: &mut Side, key: &[u8], salt: &[u8]| {
        let key = provider.aead(AeadAlgorithm::Aes128Gcm, key).unwrap();
        side.open(&*key, salt)
    };
    let alerts = [
        open(&mut client, &block[..16], &block[32..36]),
        open(&mut server, &block[16..32], &block[36..]),
    ];
    let good_bye = vec![1, 0];
    assert!(alerts.iter().flatten().all(|alert| *alert == good_bye));
    assert!(
        alerts.iter().any(|alerts| !alerts.is_empty()),
        "{}",
        call.name
    );

    // The params of an ECDHE exchange on a named curve: 3, the group, the point (RFC 8422 §5.4).
    let exchange = server.body(HandshakeType::SERVER_KEY_EXCHANGE);
    let (params, signed) = exchange.split_at(4 + usize::from(exchange[3]));
    let message = [&client_random, &server_random, params].concat();
    let certificate = server.body(HandshakeType::CERTIFICATE);
    verify(&**provider, certificate, &message, signed);

    // Everything before each message, in the order in which it was said.
    let is_first = |message: &&Message| message.kind == HandshakeType::CLIENT_HELLO;
    let finished = |message: &&Message| message.kind == HandshakeType::FINISHED;
    let order = [
        client.messages.iter().filter(is_first).collect::<Vec<_>>(),
        server
            .messages
            .iter()
            .filter(|message| !finished(message))
            .collect(),
        client
            .messages
            .iter()
            .filter(|message| !is_first(message))
            .collect(),
        server.messages.iter().filter(finished).collect(),
    ];
    let mut transcript = Vec::new();
    let mut ends = Vec::new();
    for message in order.into_iter().flatten() {
        match message.kind {
            HandshakeType::CERTIFICATE_VERIFY => {
                let certificate = client.body(HandshakeType::CERTIFICATE);
                verify(&**provider, certificate, &transcript, &message.body);
            }
            HandshakeType::FINISHED => {
                let label: &[u8] = if ends.is_empty() {
                    b"client finished"
                } else {
                    b"server finished"
                };
                let mut hash = provider.hash(Hash::Sha256);
                hash.update(&transcript);
                let mut expected = [0; 12];
                let seed = hash.current();
                let seed = &[seed.as_ref()];
                prf(
                    &**provider,
                    Hash::Sha256,
                    &call.master,
                    label,
                    seed,
                    &mut expected,
                );
                assert_eq!(message.body, expected, "{}: {label:?}", call.name);
                assert_eq!(message.epoch, 1);
                ends.push(message);
            }
            _ => {}
        }
        transcript.extend_from_slice(&unfragmented(message));
    }
    assert_eq!(ends.len(), 2, "{}", call.name);
}

#[test]
fn every_signature_finished_and_record_of_recorded_handshakes_is_what_we_compute() {
    for provider in pair::providers() {
        let calls = calls();
        assert_eq!(calls.len(), 7);
        for call in calls {
            replay(&provider, &call);
        }
    }
}
