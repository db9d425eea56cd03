//! Sources that are removed: what is let go of, and what must not be forgotten.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeMap;

use ortc_srtp::{MasterKey, Profile, ProtectError, Receiver, Sender, UnprotectError};

const A: u32 = 0xaaaa_0000;

/// The key and nonce of what was sent before would serve a second packet otherwise.
#[test]
fn a_removed_sender_never_begins_again_at_zero() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        for seq in [65_534, 65_535, 0, 1, 9] {
            open(&mut receiver, &seal(&mut sender, A, seq)).unwrap();
        }
        sender.remove_source(A);

        for (seq, payload) in [(9, 1), (9, 2), (8, 1), (0, 1), (65_535, 1), (40_000, 1)] {
            let plain = rtp(A, seq, payload);
            let mut packet = plain.clone();
            let refused = sender.protect_rtp(&mut packet, 0);
            assert_eq!(refused, Err(ProtectError::TooOld), "{seq}");
            assert_eq!(packet, plain);
        }
        // It goes on in the second round, where the receiver is.
        // Ten and eleven were never sent, so they may follow twelve.
        for seq in [12, 11, 10, 13] {
            open(&mut receiver, &seal(&mut sender, A, seq)).unwrap();
        }
        open(&mut receiver, &seal(&mut sender, A, 14)).unwrap();
        // What was sent before the removal stays out of reach.
        for seq in [9, 8] {
            let refused = sender.protect_rtp(&mut rtp(A, seq, 1), 0);
            assert_eq!(refused, Err(ProtectError::TooOld));
        }
    }
}

#[test]
fn a_removed_source_cannot_be_replayed() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let sent: Vec<Vec<u8>> = (65_530..=65_535)
            .chain(0..50)
            .map(|seq| seal(&mut sender, A, seq))
            .collect();
        for wire in sent.iter().filter(|wire| wire[3] != 7) {
            open(&mut receiver, wire).unwrap();
        }
        receiver.remove_source(A);

        let replay = |receiver: &mut Receiver| {
            for wire in &sent {
                let refused = open(receiver, wire);
                assert!(matches!(
                    refused,
                    Err(UnprotectError::TooOld | UnprotectError::Replay)
                ));
            }
        };
        replay(&mut receiver);
        // A forgery does not bring it back; its own next packet does, and nothing before it.
        let mut forged = seal(&mut sender, A, 60);
        let last = forged.len() - 1;
        forged[last] ^= 1;
        let refused = open(&mut receiver, &forged);
        assert_eq!(refused, Err(UnprotectError::Authentication));
        replay(&mut receiver);
        let (next, between) = (seal(&mut sender, A, 70), seal(&mut sender, A, 65));
        assert_eq!(open(&mut receiver, &next), Ok(20));
        assert_eq!(open(&mut receiver, &between), Ok(20));
        assert_eq!(open(&mut receiver, &between), Err(UnprotectError::Replay));
        replay(&mut receiver);
    }
}

#[test]
fn reports_of_a_removed_source_go_on_counting() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let mut sent: Vec<Vec<u8>> = (0..3).map(|_| report(&mut sender)).collect();
        for wire in &sent {
            receiver.unprotect_rtcp(&mut wire.clone()).unwrap();
        }
        sender.remove_source(A);
        receiver.remove_source(A);
        for wire in &sent {
            let refused = receiver.unprotect_rtcp(&mut wire.clone());
            assert_eq!(refused, Err(UnprotectError::TooOld));
        }
        let next = report(&mut sender);
        assert_eq!(index_of(profile, &next), 3);
        assert_eq!(receiver.unprotect_rtcp(&mut next.clone()), Ok(8));
        sent.push(next);
        for wire in &sent {
            let refused = receiver.unprotect_rtcp(&mut wire.clone());
            assert_eq!(refused, Err(UnprotectError::Replay));
        }
    }
}

/// Tracks come and go for as long as the key lives.
#[test]
fn removal_makes_room_for_others_up_to_its_own_bound() {
    let (sender, receiver) = pair(Profile::AeadAes128Gcm);
    let (mut sender, mut receiver) = (sender.max_sources(2), receiver.max_sources(2));
    let mut taken = 0;
    for ssrc in 0..1_000 {
        let mut packet = rtp(ssrc, 1, 1);
        match sender.protect_rtp(&mut packet, 0) {
            Ok(()) => open(&mut receiver, &packet).unwrap(),
            Err(refused) => {
                assert_eq!(refused, ProtectError::TooManySources);
                break;
            }
        };
        sender.remove_source(ssrc);
        receiver.remove_source(ssrc);
        taken += 1;
    }
    // 64 remembered for each of two, and two that stayed.
    assert_eq!(taken, 130);
    // All of them are known still.
    for ssrc in 0..128 {
        let refused = sender.protect_rtp(&mut rtp(ssrc, 1, 2), 0);
        assert!(matches!(
            refused,
            Err(ProtectError::TooManySources | ProtectError::TooOld)
        ));
    }
}

#[test]
fn removing_what_is_not_there_does_nothing() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes256Gcm);
    let before = (format!("{sender:?}"), format!("{receiver:?}"));
    sender.remove_source(A);
    receiver.remove_source(A);
    assert_eq!((format!("{sender:?}"), format!("{receiver:?}")), before);
    let wire = seal(&mut sender, A, 0);
    assert_eq!(open(&mut receiver, &wire), Ok(20));
}

/// A payload of zeros shows the key stream, which is the nonce's alone: seen twice, it must have
/// protected the same packet.
#[test]
fn no_key_stream_serves_two_packets_however_sources_come_and_go() {
    for profile in Profile::ALL {
        let mut sender = pair(profile).0;
        let mut streams = BTreeMap::new();
        let (mut seqs, mut sent, mut removed) = ([65_000_u16, 32_000, 7], 0, 0);
        let mut state = 1_u32;
        let mut random = |below: u16| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [high, low, ..] = state.to_be_bytes();
            u16::from_be_bytes([high, low]) % below
        };
        for _ in 0..30_000 {
            let ssrc = random(3);
            let seq = &mut seqs[usize::from(ssrc)];
            match random(200) {
                0 => {
                    sender.remove_source(ssrc.into());
                    removed += 1;
                }
                1 => *seq = seq.wrapping_add(random(20_000)),
                2 => *seq = seq.wrapping_sub(random(3_000)),
                3..50 => *seq = seq.wrapping_sub(random(40)),
                _ => *seq = seq.wrapping_add(random(3)),
            }
            // The timestamp makes packets differ that share a number.
            let mut packet = rtp(ssrc.into(), *seq, 0);
            packet[7] = u8::from(random(2) == 0);
            let plain = packet.clone();
            if sender.protect_rtp(&mut packet, 0).is_ok() {
                sent += 1;
                let stream = packet[12..20].to_vec();
                let before = streams.insert(stream, plain.clone());
                assert!(before.is_none_or(|before| before == plain), "{plain:?}");
            }
        }
        assert!(sent > 5_000 && removed > 50, "{sent} {removed}");
    }
}

fn pair(profile: Profile) -> (Sender, Receiver) {
    let key = vec![0x42; profile.key_len()];
    let master = MasterKey::new(profile, &key, &vec![0x17; profile.salt_len()]).unwrap();
    (Sender::new(&master, [1; 8]), Receiver::new(&master, [2; 8]))
}

fn seal(sender: &mut Sender, ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = rtp(ssrc, seq, 1);
    sender.protect_rtp(&mut packet, 0).unwrap();
    packet
}

fn open(receiver: &mut Receiver, wire: &[u8]) -> Result<usize, UnprotectError> {
    receiver.unprotect_rtp(&mut wire.to_vec())
}

fn report(sender: &mut Sender) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(A.to_be_bytes());
    sender.protect_rtcp(&mut packet, 0).unwrap();
    packet
}

/// The SRTCP index; the E flag before it is set.
fn index_of(profile: Profile, wire: &[u8]) -> u32 {
    let behind = if profile.auth_key_len() == 0 { 0 } else { 10 };
    let (word, _) = wire.split_at(wire.len() - behind);
    let word = word.last_chunk().copied().unwrap();
    u32::from_be_bytes(word) - (1 << 31)
}

/// Twenty octets of RTP.
fn rtp(ssrc: u32, seq: u16, payload: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.resize(20, payload);
    packet
}
