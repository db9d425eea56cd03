//! Streams in good faith: rollover, order, several sources, retransmission.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use ortc_srtp::{
    KeyError, MasterKey, Profile, ProtectError, Receiver, Sender, SessionKey, SessionKeys,
    UnprotectError,
};

const A: u32 = 0xaaaa_0000;
const B: u32 = 0xbbbb_0000;

#[test]
fn a_stream_crosses_the_rollover_in_order() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        for seq in (65_500..=65_535).chain(0..100) {
            let plain = rtp(A, seq, b"payload");
            assert_eq!(receiver.open(&sender.seal(&plain)), Ok(plain));
        }
    }
}

#[test]
fn packets_arrive_out_of_order_on_both_sides_of_the_rollover() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmHmacSha1_80);
    let plain: Vec<Vec<u8>> = (65_534..=65_535)
        .chain(0..2)
        .map(|seq| rtp(A, seq, b"payload"))
        .collect();
    let wire: Vec<Vec<u8>> = plain.iter().map(|plain| sender.seal(plain)).collect();
    for at in [0, 3, 1, 2] {
        assert_eq!(receiver.open(&wire[at]), Ok(plain[at].clone()));
    }
}

/// A forwarder protects in the order in which packets reach it.
#[test]
fn packets_are_protected_out_of_order_on_both_sides_of_the_rollover() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        for seq in [65_530, 1, 65_535, 0, 2, 65_533] {
            let plain = rtp(A, seq, b"payload");
            assert_eq!(receiver.open(&sender.seal(&plain)), Ok(plain));
        }
    }
}

#[test]
fn the_first_sequence_number_may_be_the_last_before_the_rollover() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    for seq in [65_535, 0, 1] {
        let plain = rtp(A, seq, b"payload");
        assert_eq!(receiver.open(&sender.seal(&plain)), Ok(plain));
    }
}

/// A receiver that hears a stream only after its first rollover cannot know of it: the reason
/// to begin below 2^15. It stays ready for the stream it would have known.
#[test]
fn a_stream_joined_after_its_rollover_is_refused() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    let early = sender.seal(&rtp(A, 65_535, b"lost at first"));
    let wire = sender.seal(&rtp(A, 0, b"payload"));
    assert_eq!(receiver.open(&wire), Err(UnprotectError::Authentication));
    assert!(receiver.open(&early).is_ok());
    assert!(receiver.open(&wire).is_ok());
}

#[test]
fn each_source_keeps_its_rollover_counter_while_others_send() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let mut exchange = |ssrc, seq| {
            let plain = rtp(ssrc, seq, b"payload");
            assert_eq!(receiver.open(&sender.seal(&plain)), Ok(plain));
        };
        exchange(A, 65_535);
        exchange(A, 0);
        exchange(B, 100);
        exchange(B, 101);
        exchange(A, 1);
        exchange(B, 102);
        exchange(A, 40_000 - 10_000);
        exchange(A, 60_000);
        exchange(B, 103);
        exchange(A, 3);
    }
}

#[test]
fn a_jump_of_less_than_half_the_sequence_space_is_followed() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes256Gcm);
    for seq in [10, 32_778, 65_000, 32_000, 64_000] {
        let plain = rtp(A, seq, b"payload");
        assert_eq!(receiver.open(&sender.seal(&plain)), Ok(plain), "{seq}");
    }
}

/// A receiver cannot tell a jump ahead of more than 2^15 from an old packet, unless nothing can
/// be older; the sender refuses to make one.
#[test]
fn a_jump_of_more_than_half_the_sequence_space_is_refused_by_the_sender() {
    let (mut sender, _) = pair(Profile::AeadAes128Gcm);
    sender.seal(&rtp(A, 5, b"payload"));
    let mut packet = rtp(A, 32_774, b"payload");
    let before = packet.clone();
    assert_eq!(
        sender.0.protect_rtp(&mut packet, 0),
        Err(ProtectError::TooOld)
    );
    assert_eq!(packet, before);
    sender.seal(&rtp(A, 32_773, b"payload"));
}

#[test]
fn a_receiver_follows_a_jump_ahead_within_the_first_round() {
    let (mut late, mut receiver) = pair(Profile::Aes128CmHmacSha1_80);
    let (mut early, _) = pair(Profile::Aes128CmHmacSha1_80);
    receiver.open(&early.seal(&rtp(A, 5, b"x"))).unwrap();
    let ahead = rtp(A, 60_000, b"payload");
    assert_eq!(receiver.open(&late.seal(&ahead)), Ok(ahead));
}

#[test]
fn a_retransmission_is_the_same_octets_even_across_the_rollover() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let plain = rtp(A, 65_535, b"payload");
        let first = sender.seal(&plain);
        for seq in 0..500 {
            sender.seal(&rtp(A, seq, b"payload"));
        }
        assert_eq!(sender.seal(&plain), first);
        assert_eq!(receiver.open(&first), Ok(plain));
    }
}

#[test]
fn another_packet_under_a_used_sequence_number_is_refused_and_left_alone() {
    for profile in Profile::ALL {
        let (mut sender, _) = pair(profile);
        sender.seal(&rtp(A, 7, b"payload"));
        sender.seal(&rtp(A, 8, b"payload"));
        let mut buf = b"front".to_vec();
        buf.extend(rtp(A, 7, b"PAYLOAD"));
        let before = buf.clone();
        let refused = sender.0.protect_rtp(&mut buf, 5);
        assert_eq!(refused, Err(ProtectError::NonceReuse));
        assert_eq!(buf, before);

        // The payload is the same, the header is not: one nonce and two tags.
        let mut other_header = rtp(A, 7, b"payload");
        other_header[1] ^= 0x80;
        let refused = sender.0.protect_rtp(&mut other_header, 0);
        assert_eq!(refused, Err(ProtectError::NonceReuse));
    }
}

#[test]
fn a_packet_too_old_to_be_compared_is_refused() {
    let (mut sender, _) = pair(Profile::AeadAes128Gcm);
    sender.seal(&rtp(A, 1000, b"payload"));
    sender.seal(&rtp(A, 2000, b"payload"));
    sender.seal(&rtp(A, 2023, b"payload"));
    sender.seal(&rtp(A, 1000, b"payload"));
    sender.seal(&rtp(A, 2024, b"payload"));
    let mut packet = rtp(A, 1000, b"payload");
    let refused = sender.0.protect_rtp(&mut packet, 0);
    assert_eq!(refused, Err(ProtectError::TooOld));
}

/// The sender's memory is a ring: what was sent a round ago is not taken for what is sent now.
#[test]
fn packets_skipped_at_first_may_follow_after_a_gap_of_any_length() {
    for gap in [2, 3, 500, 1023, 1024, 1025, 3000] {
        let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
        for seq in 0..2_000 {
            sender.seal(&rtp(A, seq, b"payload"));
        }
        let newest = 1_999 + gap;
        let wire = sender.seal(&rtp(A, newest, b"payload"));
        assert!(receiver.open(&wire).is_ok());
        for seq in 2_000.max(newest - 1023)..newest {
            let plain = rtp(A, seq, b"another");
            assert_eq!(receiver.open(&sender.seal(&plain)), Ok(plain), "{seq}");
        }
    }
}

#[test]
fn what_lies_before_the_packet_in_the_buffer_stays() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    let mut buf = b"earlier datagram".to_vec();
    let start = buf.len();
    let plain = rtp(A, 1, b"payload");
    buf.extend(&plain);
    sender.0.protect_rtp(&mut buf, start).unwrap();
    assert_eq!(&buf[..start], b"earlier datagram");
    assert_eq!(receiver.open(&buf[start..]), Ok(plain));

    let refused = sender.0.protect_rtp(&mut buf, 1_000_000);
    assert_eq!(refused, Err(ProtectError::Truncated));
    let refused = sender.0.protect_rtcp(&mut buf, 1_000_000);
    assert_eq!(refused, Err(ProtectError::Truncated));
}

#[test]
fn an_empty_payload_is_still_authenticated() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let plain = rtp(A, 1, b"");
        let wire = sender.seal(&plain);
        assert_eq!(wire.len(), 12 + profile.rtp_overhead());
        let mut forged = wire.clone();
        forged[1] ^= 0x80;
        assert_eq!(receiver.open(&forged), Err(UnprotectError::Authentication));
        assert_eq!(receiver.open(&wire), Ok(plain));
    }
}

/// The index counts for each SSRC, and is the same size whatever the RTP tag.
#[test]
fn reports_count_from_zero_for_each_source() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        for (ssrc, index) in [(A, 0_u32), (A, 1), (B, 0), (A, 2), (B, 1)] {
            let plain = rtcp(ssrc);
            let mut wire = plain.clone();
            sender.0.protect_rtcp(&mut wire, 0).unwrap();
            assert_eq!(wire.len(), plain.len() + profile.rtcp_overhead());
            let gcm = matches!(profile, Profile::AeadAes128Gcm | Profile::AeadAes256Gcm);
            let word_at = wire.len() - if gcm { 4 } else { 14 };
            let word = &wire[word_at..word_at + 4];
            assert_eq!(word, (index | 0x8000_0000).to_be_bytes());
            let len = receiver.0.unprotect_rtcp(&mut wire).unwrap();
            assert_eq!(wire[..len], plain);
        }
    }
}

/// RFC 5764 §4.1.2: one tag cut to 32 bits in SRTP, not in SRTCP, and nothing else.
#[test]
fn the_profile_of_32_bits_cuts_the_rtp_tag_only() {
    let (mut long, _) = pair(Profile::Aes128CmHmacSha1_80);
    let (mut short, _) = pair(Profile::Aes128CmHmacSha1_32);
    let plain = rtp(A, 1, b"payload");
    let wire = long.seal(&plain);
    assert_eq!(short.seal(&plain), wire[..wire.len() - 6]);

    let (mut one, mut other) = (rtcp(A), rtcp(A));
    long.0.protect_rtcp(&mut one, 0).unwrap();
    short.0.protect_rtcp(&mut other, 0).unwrap();
    assert_eq!(one, other);
}

#[test]
fn sources_are_bounded_on_both_sides() {
    let master = master(Profile::AeadAes128Gcm);
    let mut sender = Sender::new(&master, [0; 8]);
    let mut bounded = Sender::new(&master, [0; 8]).max_sources(2);
    let mut receiver = Receiver::new(&master, [0; 8]).max_sources(2);
    for ssrc in 0..4 {
        let (mut wire, mut report) = (rtp(ssrc, 1, b"payload"), rtcp(ssrc));
        let (mut again, mut report_again) = (wire.clone(), report.clone());
        sender.protect_rtp(&mut wire, 0).unwrap();
        sender.protect_rtcp(&mut report, 0).unwrap();
        let sent = bounded.protect_rtp(&mut again, 0);
        let reported = bounded.protect_rtcp(&mut report_again, 0);
        let received = receiver.unprotect_rtp(&mut wire);
        let report_received = receiver.unprotect_rtcp(&mut report);
        if ssrc < 2 {
            assert_eq!(sent, Ok(()));
            assert_eq!(reported, Ok(()));
            assert_eq!(received, Ok(19));
            assert_eq!(report_received, Ok(16));
        } else {
            assert_eq!(sent, Err(ProtectError::TooManySources));
            assert_eq!(reported, Err(ProtectError::TooManySources));
            assert_eq!(received, Err(UnprotectError::TooManySources));
            assert_eq!(report_received, Err(UnprotectError::TooManySources));
        }
    }
    let mut known = rtp(1, 2, b"payload");
    sender.protect_rtp(&mut known, 0).unwrap();
    assert_eq!(receiver.unprotect_rtp(&mut known), Ok(19));
}

#[test]
fn a_packet_longer_than_its_key_stream_is_refused() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmHmacSha1_80);
    let longest = rtp(A, 1, &vec![7; 1 << 20]);
    assert_eq!(receiver.open(&sender.seal(&longest)), Ok(longest));
    let mut longer = rtp(A, 2, &vec![7; (1 << 20) + 1]);
    let refused = sender.0.protect_rtp(&mut longer, 0);
    assert_eq!(refused, Err(ProtectError::TooLong));
    longer.extend([0; 10]);
    assert_eq!(receiver.open(&longer), Err(UnprotectError::Malformed));
}

#[test]
fn everything_can_move_between_threads_and_tells_no_key() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Sender>();
    is_send_and_sync::<Receiver>();
    is_send_and_sync::<MasterKey>();

    let master = master(Profile::AeadAes128Gcm);
    let keys = SessionKeys::derive(&master);
    let (sender, receiver) = pair(Profile::AeadAes128Gcm);
    let said = format!("{master:?} {keys:?} {:?} {:?}", sender.0, receiver.0);
    assert!(said.contains("AeadAes128Gcm"));
    for secret in [&[0x42_u8; 2][..], &keys.rtp().encryption_key()[..2]] {
        assert!(!said.contains(&format!("{}, {}", secret[0], secret[1])));
    }
}

#[test]
fn key_material_of_another_length_is_refused() {
    for profile in Profile::ALL {
        let octets = [7; 40];
        let (key, salt) = (&octets[..profile.key_len()], &octets[..profile.salt_len()]);
        let auth = &octets[..profile.auth_key_len()];
        assert!(MasterKey::new(profile, key, salt).is_ok());
        for len in (0..40).filter(|&len| len != profile.key_len()) {
            let refused = MasterKey::new(profile, &octets[..len], salt).unwrap_err();
            assert!(matches!(refused, KeyError::Key { have, .. } if have == len));
        }
        for len in (0..40).filter(|&len| len != profile.salt_len()) {
            let refused = MasterKey::new(profile, key, &octets[..len]).unwrap_err();
            assert!(matches!(refused, KeyError::Salt { have, .. } if have == len));
        }
        assert!(SessionKey::new(profile, key, salt, auth).is_ok());
        for len in (0..40).filter(|&len| len != profile.auth_key_len()) {
            let refused = SessionKey::new(profile, key, salt, &octets[..len]).unwrap_err();
            assert!(matches!(refused, KeyError::AuthenticationKey { have, .. } if have == len));
        }
    }
}

#[test]
fn session_keys_of_two_profiles_do_not_join() {
    let key = |profile| SessionKey::new(profile, &[1; 16], &[2; 14], &[3; 20]).unwrap();
    let (long, short) = (
        key(Profile::Aes128CmHmacSha1_80),
        key(Profile::Aes128CmHmacSha1_32),
    );
    assert!(SessionKeys::from_parts(long.clone(), short).is_none());
    assert!(SessionKeys::from_parts(long.clone(), long).is_some());
}

#[test]
fn code_points_are_those_of_the_registry() {
    let ids: Vec<u16> = Profile::ALL.into_iter().map(Profile::id).collect();
    assert_eq!(ids, [0x0007, 0x0008, 0x0001, 0x0002]);
    for profile in Profile::ALL {
        assert_eq!(Profile::from_id(profile.id()), Some(profile));
    }
    assert_eq!(Profile::from_id(0x0005), None);
}

struct Sealing(Sender);

impl Sealing {
    fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut buf = plain.to_vec();
        self.0.protect_rtp(&mut buf, 0).unwrap();
        if plain.len() > 16 {
            assert_ne!(buf.get(12..plain.len()), plain.get(12..));
        }
        buf
    }
}

struct Opening(Receiver);

impl Opening {
    fn open(&mut self, wire: &[u8]) -> Result<Vec<u8>, UnprotectError> {
        let mut packet = wire.to_vec();
        let len = self.0.unprotect_rtp(&mut packet)?;
        packet.truncate(len);
        Ok(packet)
    }
}

fn pair(profile: Profile) -> (Sealing, Opening) {
    let master = master(profile);
    (
        Sealing(Sender::new(&master, [1; 8])),
        Opening(Receiver::new(&master, [2; 8])),
    )
}

fn master(profile: Profile) -> MasterKey {
    let key = vec![0x42; profile.key_len()];
    MasterKey::new(profile, &key, &vec![0x17; profile.salt_len()]).unwrap()
}

fn rtp(ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

/// A receiver report with nothing to report, and two words more.
fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 3];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([9; 8]);
    packet
}
