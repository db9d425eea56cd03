//! The test vectors of RFC 3711, Appendix B.
//!
//! B.1 is AES-f8, which no DTLS-SRTP profile uses and this crate does not have. The end of B.3,
//! beyond the 160 bits that HMAC-SHA1 takes as its key, is checked beside the derivation.
#![expect(clippy::unwrap_used, reason = "hex literals")]

use ortc_srtp::{MasterKey, Profile, Sender, SessionKey, SessionKeys};

const PROFILE: Profile = Profile::Aes128CmHmacSha1_80;

/// B.2: the key stream of index 0 and SSRC 0, seen as the ciphertext of zeros.
#[test]
fn b_2_aes_cm_key_stream() {
    let key = SessionKey::new(
        PROFILE,
        &hex("2B7E151628AED2A6ABF7158809CF4F3C"),
        &hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
        &[0; 20],
    )
    .unwrap();
    let keys = SessionKeys::from_parts(key.clone(), key).unwrap();
    let mut sender = Sender::with_session_keys(&keys, [0; 8]);
    let mut packet = hex("800000000000000000000000");
    packet.resize(12 + 1_044_512, 0);

    sender.protect_rtp(&mut packet, 0).unwrap();

    let key_stream = &packet[12..];
    assert_eq!(
        key_stream[..48],
        hex("E03EAD0935C95E80E166B16DD92B4EB4\
             D23513162B02D0F72A43A2FE4A5F97AB\
             41E95B3BB0A2E8DD477901E4FCA894C0")
    );
    assert_eq!(
        key_stream[0xfeff * 16..1_044_512],
        hex("EC8CDF7398607CB0F2D21675EA9EA1E4\
             362B7C3C6773516318A077D7FC5073AE\
             6A2CC3787889374FBEB4C81B17BA6C44")
    );
}

/// B.3: the session keys of SRTP.
#[test]
fn b_3_key_derivation() {
    let master = MasterKey::new(
        PROFILE,
        &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
        &hex("0EC675AD498AFEEBB6960B3AABE6"),
    )
    .unwrap();

    let keys = SessionKeys::derive(&master);

    let rtp = keys.rtp();
    assert_eq!(
        rtp.encryption_key(),
        hex("C61E7A93744F39EE10734AFE3FF7A087")
    );
    assert_eq!(rtp.salt(), hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(
        rtp.authentication_key(),
        hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
    );
}

fn hex(digits: &str) -> Vec<u8> {
    hex::decode(digits).unwrap()
}
