//! From the secrets of the handshake to open packets (RFC 5764 §4.2, RFC 3711, RFC 7714).

use std::collections::{BTreeMap, BTreeSet};

use ortc_core::Profile;
use ortc_srtp::UnprotectError;

use crate::recording::{Count, End, Kind, calls};

/// RFC 5705 in the calls of DTLS 1.2, RFC 8446 §7.5 under the labels of RFC 9147 §5.9 in those of
/// 1.3.
#[test]
fn the_recorded_secrets_give_the_srtp_keys_that_the_browser_exported() {
    let mut versions = BTreeMap::new();
    let mut profiles = BTreeMap::new();
    for call in calls() {
        let keying = call.keying();
        let material = [
            keying.client_key,
            keying.server_key,
            keying.client_salt,
            keying.server_salt,
        ];
        let material: String = material.iter().map(|part| hex::encode(&part[..])).collect();
        assert_eq!(material, call.facts.keying_material, "{}", call.name);
        *versions.entry(call.facts.dtls.as_str()).or_insert(0) += 1;
        *profiles.entry(call.facts.profile).or_insert(0) += 1;
    }
    assert_eq!(versions, BTreeMap::from([("1.2", 7), ("1.3", 7)]));
    assert_eq!(profiles.len(), 3, "{profiles:?}");
}

#[test]
fn every_packet_of_both_directions_authenticates_and_opens_but_for_the_copies() {
    for call in calls() {
        let profile = Profile::from_id(call.facts.profile).unwrap();
        let mut receivers = End::BOTH.map(|end| call.receiver(end));
        let mut counted: BTreeMap<(End, u32, u8), usize> = BTreeMap::new();
        let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
        let mut copies = 0;
        for datagram in &call.datagrams {
            let receiver = &mut receivers[usize::from(datagram.from == End::Peer)];
            let mut packet = datagram.contents.to_vec();
            let overhead = match datagram.kind {
                Kind::Rtp => {
                    let ssrc = u32::from_be_bytes(packet[8..12].try_into().unwrap());
                    let key = (datagram.from, ssrc, packet[1] & 0x7F);
                    *counted.entry(key).or_default() += 1;
                    let opened = receiver.unprotect_rtp(&mut packet);
                    // Without RTX a browser answers a NACK with the very same datagram.
                    if !seen.insert(datagram.contents) {
                        assert_eq!(opened, Err(UnprotectError::Replay), "{}", call.name);
                        copies += 1;
                        continue;
                    }
                    assert_eq!(
                        opened.map(|len| packet.len() - len),
                        Ok(profile.rtp_overhead())
                    );
                    continue;
                }
                Kind::Rtcp => profile.rtcp_overhead(),
                Kind::Stun | Kind::Dtls => continue,
            };
            let opened = receiver.unprotect_rtcp(&mut packet);
            assert_eq!(
                opened.map(|len| packet.len() - len),
                Ok(overhead),
                "{}",
                call.name
            );
        }
        assert_eq!(
            copies,
            if call.name == "b09-chrome-ortc-loss" {
                13
            } else {
                0
            }
        );
        let mut expected = call.facts.packets.clone();
        expected.sort();
        let counted: Vec<Count> = counted
            .into_iter()
            .map(|((direction, ssrc, payload_type), packets)| Count {
                direction,
                ssrc,
                payload_type,
                packets,
            })
            .collect();
        assert_eq!(counted, expected, "{}", call.name);
    }
}

/// The tag covers header, payload and, for SRTP, the rollover counter: no octet can be changed.
#[test]
fn no_octet_of_a_packet_can_be_changed() {
    for call in calls() {
        for from in End::BOTH {
            for kind in [Kind::Rtp, Kind::Rtcp] {
                let mut sent = call.datagrams_of(kind).filter(|sent| sent.from == from);
                let wire = sent.next().unwrap().contents;
                let mut receiver = call.receiver(from);
                let mut open = |packet: &mut [u8]| match kind {
                    Kind::Rtcp => receiver.unprotect_rtcp(packet),
                    Kind::Rtp | Kind::Stun | Kind::Dtls => receiver.unprotect_rtp(packet),
                };
                for octet in 0..wire.len() {
                    let mut changed = wire.to_vec();
                    changed[octet] ^= 0x10;
                    let opened = open(&mut changed);
                    assert!(opened.is_err(), "{}: octet {octet}", call.name);
                }
                assert!(open(&mut wire.to_vec()).is_ok(), "{}", call.name);
            }
        }
    }
}
