//! Packets of two recorded calls: each authenticates, decrypts to RTP or RTCP, and protects to
//! the very octets that were on the wire.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a fixture that does not parse is a failed test"
)]

use std::collections::BTreeMap;

use ortc_srtp::{MasterKey, Profile, Receiver, Sender};

#[test]
fn a_call_with_aes_cm_and_hmac_sha1_opens_and_closes_again() {
    replay(
        include_str!("data/aes128-cm-hmac-sha1-80.txt"),
        Profile::Aes128CmHmacSha1_80,
    );
}

#[test]
fn a_call_with_aes_256_gcm_opens_and_closes_again() {
    replay(
        include_str!("data/aead-aes-256-gcm.txt"),
        Profile::AeadAes256Gcm,
    );
}

fn replay(fixture: &str, profile: Profile) {
    let mut directions: BTreeMap<&str, Direction> = BTreeMap::new();
    for line in fixture.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["key", direction, key, salt] => {
                let (key, salt) = (hex::decode(key).unwrap(), hex::decode(salt).unwrap());
                let master = MasterKey::new(profile, &key, &salt).unwrap();
                directions.insert(direction, Direction::new(&master));
            }
            [direction, "rtp", packet] => {
                let packet = hex::decode(packet).unwrap();
                directions.get_mut(direction).unwrap().rtp(&packet);
            }
            [direction, "rtcp", packet] => {
                let packet = hex::decode(packet).unwrap();
                directions.get_mut(direction).unwrap().rtcp(&packet);
            }
            _ => panic!("not understood: {line}"),
        }
    }
    assert_eq!(directions.len(), 2);
    for direction in directions.values() {
        assert_eq!(direction.rtp_count, 40);
        assert!(direction.rtcp_count > 4, "{} RTCP", direction.rtcp_count);
    }
}

struct Direction {
    profile: Profile,
    sender: Sender,
    receiver: Receiver,
    /// The SRTCP index that `sender` uses next, by SSRC.
    next_report: BTreeMap<[u8; 4], u32>,
    rtp_count: usize,
    rtcp_count: usize,
}

impl Direction {
    fn new(master: &MasterKey) -> Self {
        Self {
            profile: master.profile(),
            sender: Sender::new(master, [1; 8]),
            receiver: Receiver::new(master, [2; 8]),
            next_report: BTreeMap::new(),
            rtp_count: 0,
            rtcp_count: 0,
        }
    }

    fn rtp(&mut self, wire: &[u8]) {
        let mut packet = wire.to_vec();
        let len = self.receiver.unprotect_rtp(&mut packet).unwrap();
        assert_eq!(len + self.profile.rtp_overhead(), wire.len());
        packet.truncate(len);
        self.sender.protect_rtp(&mut packet, 0).unwrap();
        assert_eq!(packet, wire);
        self.rtp_count += 1;
    }

    fn rtcp(&mut self, wire: &[u8]) {
        let mut packet = wire.to_vec();
        let len = self.receiver.unprotect_rtcp(&mut packet).unwrap();
        assert_eq!(len + self.profile.rtcp_overhead(), wire.len());
        packet.truncate(len);
        assert_is_compound(&packet);

        // Some senders count from one, or over all SSRCs: go to the index that this one used.
        let word_at = if self.profile == Profile::Aes128CmHmacSha1_80 {
            len
        } else {
            wire.len() - 4
        };
        let word = u32::from_be_bytes(wire[word_at..word_at + 4].try_into().unwrap());
        let header: [u8; 8] = wire[..8].try_into().unwrap();
        let next = self
            .next_report
            .entry(wire[4..8].try_into().unwrap())
            .or_default();
        while *next < word & 0x7fff_ffff {
            self.sender.protect_rtcp(&mut header.to_vec(), 0).unwrap();
            *next += 1;
        }
        *next += 1;
        self.sender.protect_rtcp(&mut packet, 0).unwrap();
        assert_eq!(packet, wire);
        self.rtcp_count += 1;
    }
}

/// The lengths of the packets in a compound add up to its length (RFC 3550 §6.1).
fn assert_is_compound(mut packet: &[u8]) {
    while !packet.is_empty() {
        assert_eq!(packet[0] >> 6, 2);
        assert!((192..=223).contains(&packet[1]), "type {}", packet[1]);
        let words = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        packet = &packet[(words + 1) * 4..];
    }
}
