//! Packets in bad faith: forged, cut, repeated, and what must not change because of them.
//!
//! "Nothing changed" is shown by behaviour: a receiver that saw the attack gives the same
//! answers afterwards as one that did not.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use hmac::{Hmac, KeyInit, Mac};
use ortc_srtp::{MasterKey, Profile, Receiver, Sender, SessionKeys, UnprotectError};
use sha1::Sha1;

const SSRC: u32 = 0xcafe_f00d;

#[test]
fn a_packet_cut_to_any_length_is_refused_and_changes_nothing() {
    for profile in Profile::ALL {
        let wire = sealed_rtp(profile);
        let report = sealed_rtcp(profile);
        let mut receiver = receiver(profile);
        for len in 0..wire.len() {
            assert!(receiver.unprotect_rtp(&mut wire[..len].to_vec()).is_err());
        }
        for len in 0..report.len() {
            let refused = receiver.unprotect_rtcp(&mut report[..len].to_vec());
            assert!(refused.is_err());
        }
        assert_untouched(receiver, profile);
    }
}

#[test]
fn a_packet_with_any_bit_flipped_is_refused_and_changes_nothing() {
    for profile in Profile::ALL {
        let wire = sealed_rtp(profile);
        let report = sealed_rtcp(profile);
        let mut receiver = receiver(profile);
        for bit in 0..wire.len() * 8 {
            let mut forged = wire.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(receiver.unprotect_rtp(&mut forged).is_err(), "bit {bit}");
        }
        for bit in 0..report.len() * 8 {
            let mut forged = report.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(receiver.unprotect_rtcp(&mut forged).is_err(), "bit {bit}");
        }
        assert_untouched(receiver, profile);
    }
}

#[test]
fn a_packet_with_octets_added_is_refused() {
    for profile in Profile::ALL {
        let mut receiver = receiver(profile);
        for more in 1..20 {
            let mut wire = sealed_rtp(profile);
            wire.extend(vec![0; more]);
            let refused = receiver.unprotect_rtp(&mut wire);
            assert_eq!(refused, Err(UnprotectError::Authentication));
        }
        assert_untouched(receiver, profile);
    }
}

/// Sequence numbers that would move the rollover counter, from one who does not have the key.
#[test]
fn forged_sequence_numbers_do_not_move_the_rollover_counter() {
    for profile in Profile::ALL {
        let (mut sender, mut attacked) = (sender(profile), receiver(profile));
        let mut quiet = receiver(profile);
        let mut both = |seq: u16, attacked: &mut Receiver| {
            let wire = seal(&mut sender, seq);
            let answers = (
                quiet.unprotect_rtp(&mut wire.clone()),
                attacked.unprotect_rtp(&mut wire.clone()),
            );
            assert_eq!(answers, (Ok(52), Ok(52)), "{seq}");
        };
        both(40_000, &mut attacked);
        for seq in (0..=u16::MAX).step_by(97) {
            let forged = &mut rtp(seq, 60);
            let refused = attacked.unprotect_rtp(forged).unwrap_err();
            assert!(matches!(
                refused,
                UnprotectError::Authentication | UnprotectError::TooOld
            ));
        }
        both(40_001, &mut attacked);
        both(65_535, &mut attacked);
        both(0, &mut attacked);
        for seq in [65_000, 32_768, 65_535, 32_767, 1] {
            assert!(attacked.unprotect_rtp(&mut rtp(seq, 60)).is_err());
        }
        both(1, &mut attacked);
        both(30_000, &mut attacked);
    }
}

#[test]
fn a_flood_of_unknown_sources_leaves_no_state() {
    for profile in Profile::ALL {
        let mut receiver = receiver(profile).max_sources(4);
        for ssrc in 0..5_000_u32 {
            let mut forged = rtp(1, 60);
            forged[8..12].copy_from_slice(&ssrc.to_be_bytes());
            let refused = receiver.unprotect_rtp(&mut forged);
            assert_eq!(refused, Err(UnprotectError::Authentication));
            let mut forged = rtcp(60);
            forged[4..8].copy_from_slice(&ssrc.to_be_bytes());
            let refused = receiver.unprotect_rtcp(&mut forged);
            assert_eq!(refused, Err(UnprotectError::Authentication));
        }
        assert_untouched(receiver, profile);
    }
}

#[test]
fn replays_are_told_from_packets_that_are_too_old() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = (sender(profile), receiver(profile));
        let sent: Vec<Vec<u8>> = (0..1_100).map(|seq| seal(&mut sender, seq)).collect();
        for wire in &sent {
            assert_eq!(receiver.unprotect_rtp(&mut wire.clone()), Ok(52));
        }
        for (seq, wire) in sent.iter().enumerate() {
            let mut packet = wire.clone();
            let refused = receiver.unprotect_rtp(&mut packet);
            let reason = if seq + 1024 <= 1_099 {
                UnprotectError::TooOld
            } else {
                UnprotectError::Replay
            };
            assert_eq!(refused, Err(reason), "{seq}");
            assert_eq!(packet, *wire, "refused before anything was touched");
        }
    }
}

#[test]
fn a_report_counts_once() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = (sender(profile), receiver(profile));
        let sent: Vec<Vec<u8>> = (0..1_100)
            .map(|_| {
                let mut packet = rtcp(20);
                sender.protect_rtcp(&mut packet, 0).unwrap();
                packet
            })
            .collect();
        for at in [5, 3, 4, 5, 3] {
            let again = receiver.unprotect_rtcp(&mut sent[at].clone());
            let twice = receiver.unprotect_rtcp(&mut sent[at].clone());
            assert_eq!(twice, Err(UnprotectError::Replay));
            assert!(matches!(again, Ok(20) | Err(UnprotectError::Replay)));
        }
        let newest = receiver.unprotect_rtcp(&mut sent[1_099].clone());
        assert_eq!(newest, Ok(20));
        let old = receiver.unprotect_rtcp(&mut sent[75].clone());
        assert_eq!(old, Err(UnprotectError::TooOld));
        let in_window = receiver.unprotect_rtcp(&mut sent[76].clone());
        assert_eq!(in_window, Ok(20));
    }
}

/// The E flag lies outside what is encrypted; without its tag it would turn decryption off.
#[test]
fn an_unencrypted_report_without_its_tag_is_refused() {
    for profile in Profile::ALL {
        let mut receiver = receiver(profile);
        let mut cleared = sealed_rtcp(profile);
        let word_at = word_at(profile, cleared.len());
        cleared[word_at] &= 0x7f;
        let refused = receiver.unprotect_rtcp(&mut cleared);
        assert_eq!(refused, Err(UnprotectError::Authentication));

        for index in [0_u32, 1, 0x7fff_ffff] {
            let mut plain = rtcp(20);
            plain.extend(vec![0; profile.rtcp_overhead()]);
            let word_at = self::word_at(profile, plain.len());
            plain[word_at..word_at + 4].copy_from_slice(&index.to_be_bytes());
            let before = plain.clone();
            let refused = receiver.unprotect_rtcp(&mut plain);
            assert_eq!(refused, Err(UnprotectError::Authentication));
            assert_eq!(plain, before);
        }
        assert_untouched(receiver, profile);
    }
}

/// A peer may leave RTCP unencrypted (RFC 3711 §3.4); its tag covers the cleared E flag.
#[test]
fn an_unencrypted_report_with_its_tag_is_taken_once() {
    let profile = Profile::Aes128CmHmacSha1_80;
    let keys = SessionKeys::derive(&master(profile));
    let plain = rtcp(24);
    let mut wire = plain.clone();
    wire.extend(77_u32.to_be_bytes());
    let mut mac = Hmac::<Sha1>::new_from_slice(keys.rtcp().authentication_key()).unwrap();
    mac.update(&wire);
    wire.extend(&mac.finalize().into_bytes()[..10]);

    let mut receiver = receiver(profile);
    let mut packet = wire.clone();
    assert_eq!(receiver.unprotect_rtcp(&mut packet), Ok(24));
    assert_eq!(packet[..24], plain);
    let again = receiver.unprotect_rtcp(&mut wire);
    assert_eq!(again, Err(UnprotectError::Replay));
}

/// SRTP and SRTCP have keys of their own: one is not taken for the other.
#[test]
fn rtp_is_not_taken_for_rtcp() {
    for profile in Profile::ALL {
        let mut receiver = receiver(profile);
        assert!(receiver.unprotect_rtcp(&mut sealed_rtp(profile)).is_err());
        assert!(receiver.unprotect_rtp(&mut sealed_rtcp(profile)).is_err());
        assert_untouched(receiver, profile);
    }
}

/// The header is the sender's word until the tag is checked.
#[test]
fn a_header_that_claims_more_than_the_packet_is_refused() {
    let mut receiver = receiver(Profile::AeadAes128Gcm);
    for first in [0x8f, 0x90, 0x9f] {
        let mut packet = rtp(1, 40);
        packet[0] = first;
        packet[12..].fill(0xff);
        let refused = receiver.unprotect_rtp(&mut packet);
        assert_eq!(refused, Err(UnprotectError::Truncated));
    }
    for version in [0x00, 0x40, 0xc0] {
        let mut packet = rtp(1, 40);
        packet[0] = version;
        let refused = receiver.unprotect_rtp(&mut packet);
        assert_eq!(refused, Err(UnprotectError::Malformed));
        let refused = receiver.unprotect_rtcp(&mut packet);
        assert_eq!(refused, Err(UnprotectError::Malformed));
    }
    assert_untouched(receiver, Profile::AeadAes128Gcm);
}

/// Answers as a receiver would that has seen nothing: no source known, every index new, the
/// rollover counter at zero.
fn assert_untouched(mut receiver: Receiver, profile: Profile) {
    assert_eq!(
        format!("{receiver:?}"),
        format!("{:?}", self::receiver(profile))
    );
    let mut sender = sender(profile);
    for seq in [100, 101, 60, 30_000, 60_000, 10] {
        let mut wire = seal(&mut sender, seq);
        assert_eq!(receiver.unprotect_rtp(&mut wire), Ok(52), "{seq}");
    }
    for _ in 0..3 {
        let mut packet = rtcp(20);
        sender.protect_rtcp(&mut packet, 0).unwrap();
        assert_eq!(receiver.unprotect_rtcp(&mut packet), Ok(20));
    }
}

fn sender(profile: Profile) -> Sender {
    Sender::new(&master(profile), [1; 8])
}

fn receiver(profile: Profile) -> Receiver {
    Receiver::new(&master(profile), [2; 8])
}

fn master(profile: Profile) -> MasterKey {
    let key = vec![0x42; profile.key_len()];
    MasterKey::new(profile, &key, &vec![0x17; profile.salt_len()]).unwrap()
}

fn sealed_rtp(profile: Profile) -> Vec<u8> {
    seal(&mut sender(profile), 100)
}

fn seal(sender: &mut Sender, seq: u16) -> Vec<u8> {
    let mut packet = rtp(seq, 52);
    sender.protect_rtp(&mut packet, 0).unwrap();
    packet
}

fn sealed_rtcp(profile: Profile) -> Vec<u8> {
    let mut packet = rtcp(20);
    sender(profile).protect_rtcp(&mut packet, 0).unwrap();
    packet
}

/// Where the E flag and index of an SRTCP packet are.
fn word_at(profile: Profile, len: usize) -> usize {
    if matches!(profile, Profile::AeadAes128Gcm | Profile::AeadAes256Gcm) {
        len - 4
    } else {
        len - 14
    }
}

/// `len` octets of RTP.
fn rtp(seq: u16, len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(SSRC.to_be_bytes());
    packet.resize(len, 0x5a);
    packet
}

/// `len` octets of RTCP.
fn rtcp(len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(SSRC.to_be_bytes());
    packet.resize(len, 0x5a);
    packet
}
