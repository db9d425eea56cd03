//! What browsers really send: 14 recorded calls of Chromium and Firefox, DTLS 1.2 and 1.3, with
//! their key logs and the keying material that SRTP got.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use std::sync::Arc;

use ortc_dtls::crypto::{Hash, ring_provider};
use ortc_dtls::keying::{MASTER_SECRET_LEN, SRTP_LABEL, Tls12Secrets, dtls13_export};
use ortc_dtls::reassembly::{Message, Reassembly, Stored};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::{ClientHello, ServerHello};
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::{
    CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion,
};
use ortc_dtls::{
    Certificate, CloseReason, Config, CookieGate, Endpoint, Event, ProtocolError, Role, SrtpKeying,
    Verdict, is_client_hello, is_dtls,
};

const CALLS: &str = include_str!("data/browsers.txt");

#[derive(Debug, Default)]
struct Call {
    name: &'static str,
    /// random, suites, groups, schemes, profiles, versions
    hello: Vec<&'static str>,
    profile: &'static str,
    material: Vec<u8>,
    secret_label: &'static str,
    random: Vec<u8>,
    secret: Vec<u8>,
    datagrams: Vec<Vec<u8>>,
}

fn calls() -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in CALLS.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "call" {
            calls.push(Call {
                name: words[1],
                ..Call::default()
            });
        }
        let Some(call) = calls.last_mut() else {
            continue;
        };
        match words[0] {
            "hello" => call.hello = words[1..].to_vec(),
            "exporter" => {
                call.profile = words[1];
                call.material = hex::decode(words[2]).unwrap();
            }
            "secret" => {
                call.secret_label = words[1];
                call.random = hex::decode(words[2]).unwrap();
                call.secret = hex::decode(words[3]).unwrap();
            }
            "B" | "P" => call.datagrams.push(hex::decode(words[1]).unwrap()),
            _ => {}
        }
    }
    assert_eq!(calls.len(), 14);
    calls
}

/// The plaintext fragments of a datagram.
fn fragments(datagram: &[u8]) -> Vec<(RecordHeader, Vec<u8>)> {
    let mut copy = datagram.to_vec();
    let mut rest = &mut copy[..];
    let mut found = Vec::new();
    // DTLS 1.3 ciphertext (RFC 9147 §4) is no record of this form.
    while let Some((header, contents, tail)) = RecordHeader::split(rest) {
        if header.epoch == 0 && header.content_type == ContentType::HANDSHAKE {
            found.push((header, contents.to_vec()));
        }
        rest = tail;
    }
    found
}

fn reassemble(call: &Call, kind: HandshakeType, reversed: bool) -> Message {
    let mut reassembly = Reassembly::new(16 * 1024);
    let mut records: Vec<_> = call.datagrams.iter().flat_map(|d| fragments(d)).collect();
    if reversed {
        records.reverse();
    }
    for (_, contents) in records {
        let (fragment, _) = Fragment::split(&contents).unwrap();
        if fragment.kind == kind {
            assert_ne!(reassembly.insert(&fragment, 0), Stored::Inconsistent);
        }
    }
    reassembly
        .pop()
        .unwrap_or_else(|| panic!("{}: no {kind}", call.name))
}

fn numbers(list: &str) -> Vec<u16> {
    let parse = |word: &str| u16::from_str_radix(word.trim_start_matches("0x"), 16).unwrap();
    list.split(',').map(parse).collect()
}

#[test]
fn every_client_hello_is_read_in_any_order_of_its_fragments() {
    let mut fragmented = 0;
    for call in calls() {
        for reversed in [false, true] {
            let message = reassemble(&call, HandshakeType::CLIENT_HELLO, reversed);
            let hello = ClientHello::parse(&message.body).unwrap();
            let extensions = hello.extensions;
            assert_eq!(hex::encode(hello.random), call.hello[0]);
            let suites: Vec<u16> = hello.cipher_suites().map(|suite| suite.0).collect();
            assert_eq!(suites, numbers(call.hello[1]), "{}", call.name);
            let groups = extensions
                .list16(ExtensionType::SUPPORTED_GROUPS)
                .unwrap()
                .unwrap();
            assert_eq!(groups.collect::<Vec<_>>(), numbers(call.hello[2]));
            let schemes = extensions
                .list16(ExtensionType::SIGNATURE_ALGORITHMS)
                .unwrap()
                .unwrap();
            assert_eq!(schemes.collect::<Vec<_>>(), numbers(call.hello[3]));
            let use_srtp = extensions.use_srtp().unwrap().unwrap();
            assert_eq!(
                use_srtp.profiles().collect::<Vec<_>>(),
                numbers(call.hello[4])
            );
            assert!(use_srtp.mki().is_empty());
            match extensions.supported_versions().unwrap() {
                Some(versions) => {
                    assert_eq!(versions.collect::<Vec<_>>(), numbers(call.hello[5]));
                }
                None => assert_eq!(call.hello[5], "-"),
            }
            fragmented += usize::from(message.body.len() > 1400);
        }
    }
    assert!(
        fragmented >= 16,
        "most browsers' hellos are longer than a datagram: {fragmented}"
    );
}

#[test]
fn a_server_answers_every_hello_that_offers_1_2_and_refuses_the_others() {
    let provider = ring_provider();
    let config = Arc::new(pair::config(&provider));
    let (mut answered, mut refused) = (0, 0);
    for call in calls() {
        let now = pair::origin();
        let mut server = Endpoint::new(config.clone(), Role::Server, now);
        // In the reverse order: nothing is decided before the last fragment.
        let hellos = call
            .datagrams
            .iter()
            .filter(|datagram| is_client_hello(datagram));
        for mut datagram in hellos.cloned().collect::<Vec<_>>().into_iter().rev() {
            server.handle_datagram(&mut datagram, now);
        }
        let mut answer = Vec::new();
        server.poll_transmit(&mut answer, now).unwrap();
        if call.hello[5] == "0xfefc" {
            let reason = CloseReason::Protocol(ProtocolError::Version);
            assert_eq!(server.poll_event(), Some(Event::Closed(reason)));
            assert_eq!(answer[13..], [2, 70], "fatal, protocol_version");
            refused += 1;
            continue;
        }
        let (header, contents) = fragments(&answer).remove(0);
        assert_eq!(header.version, ProtocolVersion::DTLS12);
        let (fragment, _) = Fragment::split(&contents).unwrap();
        let hello = ServerHello::parse(fragment.body).unwrap();
        assert_eq!(hello.cipher_suite, CipherSuite::ECDHE_ECDSA_AES_128_GCM);
        let profiles = hello.extensions.use_srtp().unwrap().unwrap().profiles();
        assert_eq!(profiles.collect::<Vec<_>>(), [7], "the first of ours");
        answered += 1;
    }
    assert_eq!((answered, refused), (13, 1));
}

/// Browsers have shares of X25519MLKEM768 and X25519; the server takes what it prefers.
#[test]
fn a_server_of_both_versions_answers_in_dtls_1_3_whoever_offers_it() {
    let provider = ring_provider();
    for (group, len) in [(NamedGroup::X25519MLKEM768, 1120), (NamedGroup::X25519, 32)] {
        let certificate = Certificate::generate(&provider).unwrap();
        let config = Config::new(certificate, provider.clone());
        let config = config.groups(vec![group, NamedGroup::X25519]).unwrap();
        let config = Arc::new(config);
        let mut answered = [0, 0];
        for call in calls() {
            let now = pair::origin();
            let mut server = Endpoint::new(config.clone(), Role::Server, now);
            for datagram in &call.datagrams {
                if is_client_hello(datagram) {
                    server.handle_datagram(&mut datagram.clone(), now);
                }
            }
            assert_eq!(server.poll_event(), None, "{}", call.name);
            let mut reassembly = Reassembly::new(16 * 1024);
            let mut answer = Vec::new();
            while server.poll_transmit(&mut answer, now).is_some() {
                for (_, contents) in fragments(&answer) {
                    let (fragment, _) = Fragment::split(&contents).unwrap();
                    reassembly.insert(&fragment, 0);
                }
                answer.clear();
            }
            let message = reassembly.pop().unwrap();
            let hello = ServerHello::parse(&message.body).unwrap();
            assert!(hello.session_id.is_empty());
            let dtls13 = call.hello[5].contains("0xfefc");
            let selected = hello.extensions.selected_version().unwrap();
            assert_eq!(selected, dtls13.then_some(0xfefc), "{}", call.name);
            answered[usize::from(dtls13)] += 1;
            let by_peer = call.name == "b01-chrome-ortc-dtls13-browserserver";
            if dtls13 && !by_peer {
                let share = hello.extensions.get(ExtensionType::KEY_SHARE).unwrap();
                assert_eq!(share[..2], group.0.to_be_bytes(), "{}", call.name);
                assert_eq!(share.len(), 4 + len);
            }
        }
        assert!(answered[1] >= 7, "{answered:?}");
    }
}

#[test]
fn recorded_secrets_give_the_recorded_srtp_keying_material() {
    for provider in pair::providers() {
        let (mut of_12, mut of_13) = (0, 0);
        for call in calls() {
            let (key_len, salt_len, profile) = match call.profile {
                "SRTP_AES128_CM_SHA1_80" => (16, 14, 1),
                "SRTP_AEAD_AES_128_GCM" => (16, 12, 7),
                "SRTP_AEAD_AES_256_GCM" => (32, 12, 8),
                other => panic!("{other}"),
            };
            let keying = SrtpKeying::derive(profile, |out| match call.secret_label {
                "CLIENT_RANDOM" => {
                    of_12 += 1;
                    let message = reassemble(&call, HandshakeType::SERVER_HELLO, false);
                    let hello = ServerHello::parse(&message.body).unwrap();
                    assert_eq!(hello.version, ProtocolVersion::DTLS12);
                    let mut master = [0; MASTER_SECRET_LEN];
                    master.copy_from_slice(&call.secret);
                    let secrets = Tls12Secrets {
                        hash: Hash::Sha256,
                        master: master.into(),
                        client_random: call.random[..].try_into().unwrap(),
                        server_random: *hello.random,
                    };
                    secrets.export(&*provider, SRTP_LABEL, None, out)
                }
                "EXPORTER_SECRET" => {
                    of_13 += 1;
                    dtls13_export(&*provider, Hash::Sha256, &call.secret, SRTP_LABEL, &[], out)
                }
                other => panic!("{other}"),
            });
            let keying = keying.unwrap();
            let (keys, salts) = call.material.split_at(2 * key_len);
            assert_eq!(keying.client_key[..], keys[..key_len], "{}", call.name);
            assert_eq!(keying.server_key[..], keys[key_len..], "{}", call.name);
            assert_eq!(keying.client_salt[..], salts[..salt_len], "{}", call.name);
            assert_eq!(keying.server_salt[..], salts[salt_len..], "{}", call.name);
        }
        assert_eq!((of_12, of_13), (7, 7));
    }
}

#[test]
fn every_recorded_datagram_is_told_apart_by_its_first_octet() {
    for call in calls() {
        assert!(call.datagrams.iter().all(|datagram| is_dtls(datagram[0])));
        assert!(is_client_hello(&call.datagrams[0]));
        assert!(!is_client_hello(call.datagrams.last().unwrap()));
    }
}

/// In one fragment or in two.
#[test]
fn every_hello_of_a_browser_is_asked_for_a_cookie() {
    let provider = ring_provider();
    let certificate = Certificate::generate(&provider).unwrap();
    let now = pair::origin();
    let mut in_fragments = 0;
    for call in calls() {
        let config = Arc::new(Config::new(certificate.clone(), provider.clone()));
        let mut gate = CookieGate::new(config, now).unwrap().reassemble(1);
        let mut answer = Vec::new();
        let hellos = call
            .datagrams
            .iter()
            .filter(|datagram| is_client_hello(datagram));
        let verdicts: Vec<_> = hellos
            .map(|hello| gate.admit(b"browser", hello, now, &mut answer))
            .collect();
        let waited = verdicts
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Wait));
        in_fragments += u32::from(waited);
        let asked = verdicts
            .iter()
            .any(|verdict| matches!(verdict, Verdict::Ask(_)));
        assert!(asked, "{}: {verdicts:?}", call.name);
    }
    assert!(in_fragments > 0);
}
