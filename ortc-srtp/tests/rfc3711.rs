//! The test vectors of RFC 3711, Appendix B.
//!
//! B.1 is AES-f8, which no DTLS-SRTP profile uses and this crate does not have: its vector is put
//! together here from the block cipher that AES-CM uses too. The end of B.3, beyond the 160 bits that HMAC-SHA1 takes as its key, is checked beside the derivation.
#![expect(clippy::unwrap_used, reason = "hex literals")]

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use ortc_srtp::{MasterKey, Profile, Sender, SessionKey, SessionKeys};

const PROFILE: Profile = Profile::Aes128CmHmacSha1_80;

/// B.1, by the definition of §4.1.2: S(j) = E(k_e, IV' xor j xor S(j-1)), IV' = E(k_e xor m, IV).
#[test]
fn b_1_aes_f8_from_the_block_cipher() {
    let encrypt = |key: [u8; 16], block: [u8; 16]| -> [u8; 16] {
        let mut block = Array::from(block);
        Aes128::new(&Array::from(key)).encrypt_block(&mut block);
        block.into()
    };
    let key = block("234829008467be186c3de14aae72d62c");
    let mask = block("32f2870d555555555555555555555555");
    let masked = encrypt(xor(key, mask), block("006e5cba50681de55c621599d462564a"));
    assert_eq!(masked, block("595b699bbd3bc0df26062093c1ad8f73"));

    let mut stream = [0; 16];
    for (j, expected) in (0_u128..).zip([
        "71ef82d70a172660240709c7fbb19d8e",
        "3abd640a60919fd43bd289a09649b5fc",
        "220c7a8715266565b09ecc8a2a62b11b",
    ]) {
        stream = encrypt(key, xor(xor(masked, j.to_be_bytes()), stream));
        assert_eq!(stream, block(expected));
    }
    let last = xor(stream, block("74207468696e67000000000000000000"));
    assert_eq!(last[..7], hex("562c0eef7c4802"));
}

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

fn block(text: &str) -> [u8; 16] {
    hex(text).try_into().unwrap()
}

fn xor(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    (u128::from_be_bytes(a) ^ u128::from_be_bytes(b)).to_be_bytes()
}
