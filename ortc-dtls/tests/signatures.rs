//! Signatures: every key and scheme between all providers, published vectors, and signatures that
//! must be refused.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use ortc_dtls::crypto::{KeyAlgorithm, Provider, PublicKey, SignatureScheme, SigningKey};
use pair::providers;

const RSA_KEY: &[u8] = include_bytes!("data/rsa2048.key.der");
const MESSAGE: &[u8] = b"what is signed";

const SCHEMES: [SignatureScheme; 9] = [
    SignatureScheme::ECDSA_SHA256,
    SignatureScheme::ECDSA_SHA384,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// What a key of each kind signs with.
fn own_schemes(key: PublicKey<'_>) -> &'static [SignatureScheme] {
    match key {
        PublicKey::P256(_) => &SCHEMES[..1],
        PublicKey::P384(_) => &SCHEMES[1..2],
        PublicKey::Ed25519(_) => &SCHEMES[2..3],
        PublicKey::Rsa(_) => &SCHEMES[3..],
        _ => panic!("an unknown kind of key"),
    }
}

/// One key of every kind, as PKCS #8.
fn keys(provider: &dyn Provider) -> Vec<Vec<u8>> {
    let drawn = [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
    ];
    let drawn = drawn.map(|algorithm| provider.generate_signing_key(algorithm).unwrap().to_vec());
    let mut keys = drawn.to_vec();
    keys.push(RSA_KEY.to_vec());
    keys
}

fn sign(key: &dyn SigningKey, scheme: SignatureScheme) -> Vec<u8> {
    key.sign(scheme, MESSAGE).unwrap()
}

#[test]
fn what_one_provider_draws_and_another_signs_every_one_verifies() {
    for maker in providers() {
        for pkcs8 in keys(&*maker) {
            for signer in providers() {
                let key = signer.load_signing_key(&pkcs8).unwrap();
                assert_eq!(key.schemes(), own_schemes(key.public_key()));
                for &scheme in key.schemes() {
                    let signature = sign(&*key, scheme);
                    for verifier in providers() {
                        let public = key.public_key();
                        let verify = |message: &[u8], signature: &[u8]| {
                            verifier.verify(scheme, public, message, signature)
                        };
                        verify(MESSAGE, &signature).unwrap();
                        assert!(verify(&MESSAGE[1..], &signature).is_err(), "{scheme}");
                        assert!(verify(MESSAGE, &signature[1..]).is_err());
                        assert!(verify(MESSAGE, &[&signature[..], &[0]].concat()).is_err());
                        assert!(verify(MESSAGE, &[]).is_err());
                        for at in (0..signature.len()).step_by(31) {
                            let mut changed = signature.clone();
                            changed[at] ^= 0x10;
                            assert!(verify(MESSAGE, &changed).is_err(), "{scheme} {at}");
                        }
                    }
                }
            }
        }
    }
}

/// A signature is good for the scheme that made it and no other, whatever the peer says.
#[test]
fn no_scheme_passes_for_another() {
    for provider in providers() {
        let keys: Vec<_> = keys(&*provider)
            .iter()
            .map(|pkcs8| provider.load_signing_key(pkcs8).unwrap())
            .collect();
        for signer in &keys {
            for &made_with in signer.schemes() {
                let signature = sign(&**signer, made_with);
                for claimed in SCHEMES.into_iter().chain([SignatureScheme(0x0807 + 1)]) {
                    for key in &keys {
                        let public = key.public_key();
                        let verified = provider.verify(claimed, public, MESSAGE, &signature);
                        let right = claimed == made_with && public == signer.public_key();
                        assert_eq!(verified.is_ok(), right, "{made_with} as {claimed}");
                    }
                }
            }
            for scheme in SCHEMES {
                let own = signer.schemes().contains(&scheme);
                assert_eq!(signer.sign(scheme, MESSAGE).is_ok(), own);
            }
        }
    }
}

#[test]
fn what_is_no_key_is_not_loaded() {
    for provider in providers() {
        for pkcs8 in keys(&*provider) {
            for len in [0, 1, pkcs8.len() / 2, pkcs8.len() - 1] {
                assert!(provider.load_signing_key(&pkcs8[..len]).is_err());
            }
        }
        assert!(provider.load_signing_key(&[0; 64]).is_err());
    }
}

/// `SEQUENCE` of two positive `INTEGER`s below 128 octets in all.
fn ecdsa_signature(r: &str, s: &str) -> Vec<u8> {
    let integers = [r, s].map(|value| {
        let mut octets = hex::decode(value).unwrap();
        if octets[0] >= 0x80 {
            octets.insert(0, 0);
        }
        [&[2, u8::try_from(octets.len()).unwrap()], &octets[..]].concat()
    });
    let body = integers.concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

const P256_POINT: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
    7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const P384_POINT: &str = "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64\
    def8f0ea9055866064a254515480bc138015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c\
    9db1288b231c3ae0d4fe7344fd2533264720";

/// RFC 6979 appendices A.2.5 and A.2.6, the message "sample": both curves with both hashes, as
/// TLS 1.2 allows (RFC 5246 §7.4.1.4.1).
#[test]
fn ecdsa_verifies_the_signatures_of_rfc_6979() {
    let p256 = hex::decode(P256_POINT).unwrap();
    let p384 = hex::decode(P384_POINT).unwrap();
    let vectors = [
        (
            PublicKey::P256(&p256),
            SignatureScheme::ECDSA_SHA256,
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            PublicKey::P256(&p256),
            SignatureScheme::ECDSA_SHA384,
            "0eafea039b20e9b42309fb1d89e213057cbf973dc0cfc8f129edddc800ef7719",
            "4861f0491e6998b9455193e34e7b0d284ddd7149a74b95b9261f13abde940954",
        ),
        (
            PublicKey::P384(&p384),
            SignatureScheme::ECDSA_SHA256,
            "21b13d1e013c7fa1392d03c5f99af8b30c570c6f98d4ea8e354b63a21d3daa33\
             bde1e888e63355d92fa2b3c36d8fb2cd",
            "f3aa443fb107745bf4bd77cb3891674632068a10ca67e3d45db2266fa7d1feeb\
             efdc63eccd1ac42ec0cb8668a4fa0ab0",
        ),
        (
            PublicKey::P384(&p384),
            SignatureScheme::ECDSA_SHA384,
            "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c\
             81a648152e44acf96e36dd1e80fabe46",
            "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f\
             a329c145786e679e7b82c71a38628ac8",
        ),
    ];
    for provider in providers() {
        for (key, scheme, r, s) in vectors {
            let signature = ecdsa_signature(r, s);
            provider.verify(scheme, key, b"sample", &signature).unwrap();
            assert!(provider.verify(scheme, key, b"Sample", &signature).is_err());
        }
    }
}

/// A signature of zeros, or of the order of the group, must not verify for every message.
#[test]
fn ecdsa_refuses_r_and_s_outside_their_range() {
    let point = hex::decode(P256_POINT).unwrap();
    let key = PublicKey::P256(&point);
    let r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    let s = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    let zero = "00";
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    // s + order: the same residue.
    let above = "01f7cb1c932d657c42d436c7a1b6e29f65b0cffb8960c7928b417e75f2809df2f9";
    for provider in providers() {
        let verify = |signature: &[u8]| {
            provider.verify(SignatureScheme::ECDSA_SHA256, key, b"sample", signature)
        };
        verify(&ecdsa_signature(r, s)).unwrap();
        for (r, s) in [
            (zero, zero),
            (r, zero),
            (zero, s),
            (order, order),
            (r, order),
            (order, s),
            (r, above),
            (s, r),
        ] {
            assert!(verify(&ecdsa_signature(r, s)).is_err(), "{r} {s}");
        }
        // Not DER: a length in the long form, and as the raw pair that other protocols use.
        let signature = ecdsa_signature(r, s);
        let long = [&[0x30, 0x81, signature[1]], &signature[2..]].concat();
        assert!(verify(&long).is_err());
        assert!(verify(&hex::decode([r, s].concat()).unwrap()).is_err());
    }
}

/// RFC 8032 §7.1, tests 1 and 2, from keys in both versions of PKCS #8 (RFC 8410 §7).
#[test]
fn ed25519_reproduces_rfc_8032() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for provider in providers() {
        for (seed, public, message, signature) in vectors {
            let message = hex::decode(message).unwrap();
            let signature = hex::decode(signature).unwrap();
            let first = format!("302e020100300506032b657004220420{seed}");
            let second = format!("3051020101300506032b657004220420{seed}812100{public}");
            for pkcs8 in [first, second] {
                let pkcs8 = hex::decode(pkcs8).unwrap();
                let key = provider.load_signing_key(&pkcs8).unwrap();
                let public = hex::decode(public).unwrap();
                assert_eq!(key.public_key(), PublicKey::Ed25519(&public));
                let scheme = SignatureScheme::ED25519;
                assert_eq!(key.sign(scheme, &message).unwrap(), signature);
                provider
                    .verify(scheme, key.public_key(), &message, &signature)
                    .unwrap();
            }
        }
    }
}

/// RFC 8032 §5.1.7: S is below the order; §5.1.3: the key is a point.
#[test]
fn ed25519_refuses_a_second_encoding_and_keys_that_are_none() {
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    // Test 1 with the order of the group added to S.
    let malleated = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                     4c8c7872aa064e049dbb3013fbf29380d25bf5f0595bbe24655141438e7a101b";
    let public = hex::decode(public).unwrap();
    let malleated = hex::decode(malleated).unwrap();
    for provider in providers() {
        let scheme = SignatureScheme::ED25519;
        let verify = |key: &[u8], signature: &[u8]| {
            provider.verify(scheme, PublicKey::Ed25519(key), b"", signature)
        };
        assert!(verify(&public, &malleated).is_err());
        assert!(verify(&public[1..], &malleated).is_err());
        assert!(verify(&[0xff; 32], &malleated).is_err());
        assert!(verify(&[], &malleated).is_err());
    }
}

#[test]
fn no_key_prints_itself() {
    for provider in providers() {
        for pkcs8 in keys(&*provider) {
            let key = provider.load_signing_key(&pkcs8).unwrap();
            let text = format!("{key:?}").to_lowercase();
            for window in pkcs8.windows(8) {
                // The public half may be there.
                let (PublicKey::P256(public)
                | PublicKey::P384(public)
                | PublicKey::Ed25519(public)
                | PublicKey::Rsa(public)) = key.public_key()
                else {
                    panic!("an unknown kind of key");
                };
                if public.windows(8).all(|part| part != window) {
                    assert!(!text.contains(&hex::encode(window)), "{text}");
                    let numbers: Vec<String> = window.iter().map(u8::to_string).collect();
                    assert!(!text.contains(&numbers.join(", ")), "{text}");
                }
            }
        }
    }
}
