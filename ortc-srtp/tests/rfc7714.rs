//! The test vectors of RFC 7714, sections 16 and 17, one test per section.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "hex literals of known lengths"
)]

use ortc_srtp::{Profile, Receiver, Sender, SessionKey, SessionKeys, UnprotectError};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SALT: &str = "51756964 2070726f 2071756f";

/// §16: the packet that the RTP examples begin with. Its sequence number is above 2^15, its
/// rollover counter zero.
const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
                   69736120 696e2070 61727465 73207472 6573";
const RTP_IV: &str = "51753c65 80c2726f 20718414";

const RTP_128: &str = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
                       0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439
                       0cce";
const RTP_128_TAGGED: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973
                              20646976 69736120 696e2070 61727465 73207472 65732249 3f82d2bc
                              e397e9d7 9e3b19aa 4216";
const RTP_256: &str = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
                       9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7
                       6c13";
const RTP_256_TAG: &str = "a866d591 0f887463 067ceefe c45215d4";

/// §17.1 and on; the introduction of §17 prints two lengths differently.
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
                    deadbeef deadbeef deadbeef deadbeef deadbeef";
const RTCP_INDEX: u32 = 0x5d4;
const RTCP_IV: &str = "51752405 5203726f 207170bb";

const RTCP_128: &str = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
                        c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872
                        45d9eade 800005d4";
const RTCP_256: &str = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
                        a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c
                        b26ac3be 800005d4";
const RTCP_128_TAGGED: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930
                               4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef 841dd968
                               3dd78ec9 2ae58790 125f62b3 000005d4";
const RTCP_256_TAGGED: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930
                               4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef 91db4afb
                               feee5a97 8fab4393 ed2615fe 000005d4";

#[test]
fn section_16_1_1_aes_128_encryption() {
    assert_eq!(protect_rtp(Profile::AeadAes128Gcm), hex(RTP_128));
}

#[test]
fn section_16_1_2_aes_128_decryption() {
    let plain = unprotect_rtp(Profile::AeadAes128Gcm, &hex(RTP_128));
    assert_eq!(plain, Ok(hex(RTP)));
}

/// SRTP always encrypts (§8.2), so that what only carries a tag is not an SRTP packet: the
/// vectors of §16.1.3 and §16.1.4 hold for the primitive, and the receiver refuses them.
#[test]
fn section_16_1_3_and_4_aes_128_tag_alone_is_refused() {
    let tagged = hex(RTP_128_TAGGED);
    assert_eq!(
        tag_alone(Profile::AeadAes128Gcm, RTP_IV, &hex(RTP)),
        tagged[50..]
    );
    let refused = unprotect_rtp(Profile::AeadAes128Gcm, &tagged);
    assert_eq!(refused, Err(UnprotectError::Authentication));
}

#[test]
fn section_16_2_1_aes_256_encryption() {
    assert_eq!(protect_rtp(Profile::AeadAes256Gcm), hex(RTP_256));
}

#[test]
fn section_16_2_2_aes_256_decryption() {
    let plain = unprotect_rtp(Profile::AeadAes256Gcm, &hex(RTP_256));
    assert_eq!(plain, Ok(hex(RTP)));
}

#[test]
fn section_16_2_3_and_4_aes_256_tag_alone_is_refused() {
    let tag = tag_alone(Profile::AeadAes256Gcm, RTP_IV, &hex(RTP));
    assert_eq!(tag, hex(RTP_256_TAG));
    let tagged = [hex(RTP), tag].concat();
    let refused = unprotect_rtp(Profile::AeadAes256Gcm, &tagged);
    assert_eq!(refused, Err(UnprotectError::Authentication));
}

#[test]
fn section_17_1_aes_128_encryption_and_tagging() {
    assert_eq!(protect_rtcp(Profile::AeadAes128Gcm), hex(RTCP_128));
    let plain = unprotect_rtcp(Profile::AeadAes128Gcm, &hex(RTCP_128));
    assert_eq!(plain, Ok(hex(RTCP)));
}

#[test]
fn section_17_2_aes_256_verification_and_decryption() {
    let plain = unprotect_rtcp(Profile::AeadAes256Gcm, &hex(RTCP_256));
    assert_eq!(plain, Ok(hex(RTCP)));
    assert_eq!(protect_rtcp(Profile::AeadAes256Gcm), hex(RTCP_256));
}

/// This crate's sender always encrypts; its receiver takes what others only tag.
#[test]
fn section_17_3_aes_128_tagging_only() {
    let aad = [hex(RTCP), RTCP_INDEX.to_be_bytes().to_vec()].concat();
    let tagged = hex(RTCP_128_TAGGED);
    let tag = tag_alone(Profile::AeadAes128Gcm, RTCP_IV, &aad);
    assert_eq!(tag, tagged[52..68]);
    let plain = unprotect_rtcp(Profile::AeadAes128Gcm, &tagged);
    assert_eq!(plain, Ok(hex(RTCP)));
}

#[test]
fn section_17_4_aes_256_tag_verification() {
    let tagged = hex(RTCP_256_TAGGED);
    let plain = unprotect_rtcp(Profile::AeadAes256Gcm, &tagged);
    assert_eq!(plain, Ok(hex(RTCP)));

    for octet in 0..tagged.len() {
        let mut forged = tagged.clone();
        forged[octet] ^= 1;
        let refused = unprotect_rtcp(Profile::AeadAes256Gcm, &forged);
        assert_eq!(refused, Err(UnprotectError::Authentication), "{octet}");
    }
}

fn protect_rtp(profile: Profile) -> Vec<u8> {
    let mut packet = hex(RTP);
    let mut sender = Sender::with_session_keys(&keys(profile), [0; 8]);
    sender.protect_rtp(&mut packet, 0).unwrap();
    packet
}

fn unprotect_rtp(profile: Profile, packet: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut packet = packet.to_vec();
    let mut receiver = Receiver::with_session_keys(&keys(profile), [0; 8]);
    let len = receiver.unprotect_rtp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

fn protect_rtcp(profile: Profile) -> Vec<u8> {
    let mut sender = Sender::with_session_keys(&keys(profile), [0; 8]);
    for _ in 0..RTCP_INDEX {
        sender.protect_rtcp(&mut hex(RTCP), 0).unwrap();
    }
    let mut packet = hex(RTCP);
    sender.protect_rtcp(&mut packet, 0).unwrap();
    packet
}

fn unprotect_rtcp(profile: Profile, packet: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut packet = packet.to_vec();
    let mut receiver = Receiver::with_session_keys(&keys(profile), [0; 8]);
    let len = receiver.unprotect_rtcp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

/// The tag of associated data without a plaintext.
fn tag_alone(profile: Profile, iv: &str, aad: &[u8]) -> Vec<u8> {
    let algorithm = if profile == Profile::AeadAes128Gcm {
        &AES_128_GCM
    } else {
        &AES_256_GCM
    };
    let key = UnboundKey::new(algorithm, &hex(KEY)[..profile.key_len()]).unwrap();
    let nonce = Nonce::assume_unique_for_key(hex(iv).try_into().unwrap());
    let tag = LessSafeKey::new(key).seal_in_place_separate_tag(nonce, Aad::from(aad), &mut []);
    tag.unwrap().as_ref().to_vec()
}

/// The examples give session keys, the same for SRTP and SRTCP.
fn keys(profile: Profile) -> SessionKeys {
    let key = &hex(KEY)[..profile.key_len()];
    let key = SessionKey::new(profile, key, &hex(SALT), &[]).unwrap();
    SessionKeys::from_parts(key.clone(), key).unwrap()
}

fn hex(digits: &str) -> Vec<u8> {
    hex::decode(digits.replace([' ', '\n'], "")).unwrap()
}
