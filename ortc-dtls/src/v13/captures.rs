//! The handshakes of recorded browsers, read with our record layer, transcript and key schedule:
//! what two of our own endpoints agree on could still be wrong.

use std::collections::BTreeMap;

use super::schedule::Secret;
use super::{APPLICATION, HANDSHAKE, SCHEMES, SignedContents, Suite, Transcript};
use crate::certificate::subject_public_key;
use crate::config::Role;
use crate::crypto::{Output, ring_provider};
use crate::reassembly::{Message, Reassembly};
use crate::record::{Inbound, ReadEpoch};
use crate::wire::certificate::Signed;
use crate::wire::certificate13::{Chain, parse_request};
use crate::wire::handshake::Fragment;
use crate::wire::record::RecordHeader;
use crate::wire::unified::UnifiedHeader;
use crate::wire::{
    CipherSuite, ContentType, ExtensionType, HandshakeType, Reader, RecordNumber, ack,
};

const CALLS: &str = include_str!("../../tests/data/browsers.txt");

#[derive(Default)]
struct Call {
    name: String,
    secrets: BTreeMap<String, Output>,
    datagrams: Vec<(char, Vec<u8>)>,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The calls of DTLS 1.3.
fn calls() -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in CALLS.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match (words[0], calls.last_mut()) {
            ("call", _) => calls.push(Call {
                name: words[1].to_owned(),
                ..Call::default()
            }),
            ("traffic", Some(call)) => {
                let secret = Output::copy_of(&unhex(words[2]));
                call.secrets.insert(words[1].to_owned(), secret);
            }
            ("B" | "P", Some(call)) => {
                let from = words[0].chars().next().unwrap();
                call.datagrams.push((from, unhex(words[1])));
            }
            _ => {}
        }
    }
    calls.retain(|call| !call.secrets.is_empty());
    calls
}

/// One direction, read.
struct Side {
    inbound: Inbound,
    reassembly: Reassembly,
    messages: Vec<Message>,
    records: Vec<RecordNumber>,
    acknowledged: Vec<RecordNumber>,
    alerts: Vec<Vec<u8>>,
}

impl Side {
    fn new(call: &Call, role: &str, suite: Suite) -> Self {
        let provider = ring_provider();
        let mut inbound = Inbound::default();
        for (label, epoch) in [
            ("HANDSHAKE_TRAFFIC_SECRET", HANDSHAKE),
            ("TRAFFIC_SECRET_0", APPLICATION),
        ] {
            let secret = &call.secrets[&format!("{role}_{label}")];
            let secret = Secret::new(suite.hash, secret.clone());
            let keys = secret.traffic_keys(&*provider, suite).unwrap();
            inbound.install_epoch(ReadEpoch::new(keys, epoch));
        }
        Self {
            inbound,
            reassembly: Reassembly::new(16 * 1024),
            messages: Vec::new(),
            records: Vec::new(),
            acknowledged: Vec::new(),
            alerts: Vec::new(),
        }
    }

    fn read(&mut self, datagram: &[u8]) {
        #[expect(clippy::disallowed_methods, reason = "no time passes")]
        let now = std::time::Instant::now();
        let mut copy = datagram.to_vec();
        let mut rest = &mut copy[..];
        while !rest.is_empty() {
            if UnifiedHeader::is_unified(rest[0]) {
                let (header, record, tail) = UnifiedHeader::split(rest, &[]).unwrap();
                let opened = self.inbound.open_unified(&header, record, now).unwrap();
                let number = RecordNumber {
                    epoch: opened.epoch,
                    sequence: opened.sequence,
                };
                match opened.content_type {
                    ContentType::HANDSHAKE => {
                        self.records.push(number);
                        self.fragments(opened.contents, number.epoch);
                    }
                    ContentType::ACK => {
                        let numbers = ack::parse(opened.contents).unwrap();
                        self.acknowledged.extend(numbers);
                    }
                    ContentType::ALERT => self.alerts.push(opened.contents.to_vec()),
                    other => panic!("{other}"),
                }
                rest = tail;
            } else {
                let (header, contents, tail) = RecordHeader::split(rest).unwrap();
                assert_eq!(header.content_type, ContentType::HANDSHAKE);
                self.fragments(contents, 0);
                rest = tail;
            }
        }
    }

    fn fragments(&mut self, contents: &[u8], epoch: u64) {
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
}

#[test]
fn every_signature_and_finished_of_recorded_handshakes_is_what_we_compute() {
    let provider = ring_provider();
    let suite = Suite::find(CipherSuite::AES_128_GCM_SHA256).unwrap();
    let calls = calls();
    assert_eq!(calls.len(), 7);
    for call in calls {
        let name = &call.name;
        let client_is = call.datagrams[0].0;
        let mut client = Side::new(&call, "CLIENT", suite);
        let mut server = Side::new(&call, "SERVER", suite);
        for (from, datagram) in &call.datagrams {
            if *from == client_is {
                client.read(datagram);
            } else {
                server.read(datagram);
            }
        }
        let mut transcript = Transcript::new(&*provider, suite.hash);
        let client_hello = client.messages.remove(0);
        assert_eq!(client_hello.kind, HandshakeType::CLIENT_HELLO, "{name}");
        transcript.add_received(&client_hello);
        let mut certificate = Vec::new();
        let mut seen = Vec::new();
        let flights = [
            (Role::Server, &server, "SERVER"),
            (Role::Client, &client, "CLIENT"),
        ];
        for (role, side, label) in flights {
            let secret = &call.secrets[&format!("{label}_HANDSHAKE_TRAFFIC_SECRET")];
            for message in &side.messages {
                if message.epoch > HANDSHAKE {
                    continue; // a ticket, say
                }
                match message.kind {
                    HandshakeType::CERTIFICATE => {
                        let chain = Chain::parse(&message.body).unwrap();
                        assert_eq!(chain.extension, None, "{name}");
                        certificate = chain.first.unwrap().to_vec();
                    }
                    HandshakeType::CERTIFICATE_REQUEST => {
                        let extensions = parse_request(&message.body).unwrap();
                        let kind = ExtensionType::SIGNATURE_ALGORITHMS;
                        assert!(extensions.get(kind).is_some(), "{name}");
                    }
                    HandshakeType::CERTIFICATE_VERIFY => {
                        let reader = Reader::new(&message.body, "CertificateVerify");
                        let signed = Signed::parse_last(reader).unwrap();
                        assert!(SCHEMES.contains(&signed.scheme));
                        let key = subject_public_key(&certificate).unwrap();
                        let contents = SignedContents::new(role, &transcript);
                        provider
                            .verify(signed.scheme, key, contents.as_ref(), signed.signature)
                            .unwrap();
                    }
                    HandshakeType::FINISHED => {
                        let hash = transcript.current();
                        let secret = Secret::new(suite.hash, secret.clone());
                        let (_, key) = secret.handshake_keys(&*provider, suite).unwrap();
                        let expected = key.verify_data(&*provider, &hash);
                        assert_eq!(message.body, expected.as_ref(), "{name}: {role:?}");
                    }
                    _ => {}
                }
                transcript.add_received(message);
                seen.push(message.kind.0);
            }
        }
        assert_eq!(seen, [2, 8, 13, 11, 15, 20, 11, 15, 20], "{name}");
        // The server acknowledges the client's last flight, and nothing that was not sent.
        let last: Vec<_> = client
            .records
            .iter()
            .filter(|record| record.epoch == 2)
            .collect();
        assert!(!last.is_empty());
        assert!(
            last.iter()
                .all(|record| server.acknowledged.contains(record))
        );
        let sent = |record| client.records.contains(record);
        assert!(server.acknowledged.iter().all(sent), "{name}");
        // Both say good-bye.
        assert_eq!(
            [&client.alerts, &server.alerts],
            [&[vec![1, 0]]; 2],
            "{name}"
        );
    }
}
