//! Key exchange: every group between all providers, published vectors, and shares that must be
//! refused.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod low_order;
mod pair;

use ortc_dtls::crypto::{CryptoError, NamedGroup, Provider};
use ortc_testkit::provider::Deterministic;
use pair::{provider, providers};
use shake::{ExtendableOutput as _, Shake128, Update as _, XofReader as _};

/// A group, the octets of a client's share, of a server's, and of the secret.
const GROUPS: [(NamedGroup, usize, usize, usize); 4] = [
    (NamedGroup::X25519, 32, 32, 32),
    (NamedGroup::SECP256R1, 65, 65, 32),
    (NamedGroup::SECP384R1, 97, 97, 48),
    (NamedGroup::X25519MLKEM768, 1216, 1120, 64),
];

/// draft-ietf-tls-ecdhe-mlkem §4 for the lengths of the hybrid.
const ENCAPSULATION_KEY: usize = 1184;
const CIPHERTEXT: usize = 1088;

fn agree(provider: &dyn Provider, group: NamedGroup, peer: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let secret = provider.generate_key_exchange(group).unwrap().agree(peer)?;
    Ok(secret.to_vec())
}

/// That neither side takes the share.
fn assert_refused(provider: &dyn Provider, group: NamedGroup, peer: &[u8]) {
    let share = hex::encode(peer);
    assert!(agree(provider, group, peer).is_err(), "{group} {share}");
    assert!(
        provider.encapsulate(group, peer).is_err(),
        "{group} {share}"
    );
}

#[test]
fn both_sides_have_one_secret_whichever_providers_they_use() {
    for client in providers() {
        for server in providers() {
            for (group, client_len, server_len, secret_len) in GROUPS {
                let mut seen = Vec::new();
                for _ in 0..4 {
                    let exchange = client.generate_key_exchange(group).unwrap();
                    assert_eq!(exchange.public_key().len(), client_len);
                    let (share, secret) = server.encapsulate(group, exchange.public_key()).unwrap();
                    assert_eq!((share.len(), secret.len()), (server_len, secret_len));
                    assert_eq!(exchange.agree(&share).unwrap(), secret, "{group}");
                    assert!(!seen.contains(&secret), "every exchange is another one");
                    seen.push(secret);
                }
            }
        }
    }
}

/// As DTLS 1.2 does it, where both sides draw a pair.
#[test]
fn two_pairs_agree_as_well() {
    for (group, ..) in &GROUPS[..3] {
        for one in providers() {
            for other in providers() {
                let one = one.generate_key_exchange(*group).unwrap();
                let other = other.generate_key_exchange(*group).unwrap();
                let publics = [one.public_key().to_vec(), other.public_key().to_vec()];
                assert_eq!(
                    one.agree(&publics[1]).unwrap(),
                    other.agree(&publics[0]).unwrap()
                );
            }
        }
    }
}

/// RFC 7748 §6.1.
#[test]
fn x25519_reproduces_rfc_7748() {
    let pairs = [
        (
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        ),
        (
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        ),
    ];
    for (me, peer) in [(0, 1), (1, 0)] {
        let script = Deterministic::scripted(&hex::decode(pairs[me].0).unwrap());
        let exchange = script.generate_key_exchange(NamedGroup::X25519).unwrap();
        assert_eq!(hex::encode(exchange.public_key()), pairs[me].1);
        let secret = exchange.agree(&hex::decode(pairs[peer].1).unwrap());
        assert_eq!(
            hex::encode(&*secret.unwrap()),
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
        );
    }
}

/// RFC 7748 §5: the top bit of a u-coordinate is ignored, and values of 2^255 - 19 and above are
/// reduced: what a peer sends is not refused for that.
#[test]
fn a_non_canonical_share_is_taken_as_rfc_7748_says() {
    for provider in providers() {
        let mut high = [0xff; 32];
        high[0] = 0xf6; // 9 more than 2^255 - 19, and the top bit set: the base point
        let exchange = provider.generate_key_exchange(NamedGroup::X25519).unwrap();
        let public = exchange.public_key().to_vec();
        assert_eq!(exchange.agree(&high).unwrap()[..], public);
    }
}

/// RFC 7748 §6.1, RFC 8446 §7.4.2: an all-zero secret ends the handshake.
#[test]
fn x25519_refuses_points_of_low_order() {
    for provider in providers() {
        for point in low_order::points() {
            assert_refused(&*provider, NamedGroup::X25519, &point);
        }
    }
}

/// A curve's prime, big-endian.
fn prime(group: NamedGroup) -> Vec<u8> {
    let prime = if group == NamedGroup::SECP256R1 {
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
    } else {
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000\
         ffffffff"
    };
    hex::decode(prime).unwrap()
}

/// RFC 8422 §5.11: a point is validated before it is used; RFC 8422 §5.4.1: it is uncompressed.
#[test]
fn nist_curves_refuse_what_is_not_an_uncompressed_point_of_theirs() {
    for provider in providers() {
        for group in [NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
            let valid = provider.generate_key_exchange(group).unwrap();
            let valid = valid.public_key();
            agree(&*provider, group, valid).unwrap();
            let field = (valid.len() - 1) / 2;
            let (x, y) = valid[1..].split_at(field);
            let point = |form: u8, parts: &[&[u8]]| [&[form], parts.concat().as_slice()].concat();
            let parity = 2 + (y[field - 1] & 1);
            let prime = prime(group);
            assert_eq!(prime.len(), field);
            let mut other_y = y.to_vec();
            other_y[field - 1] ^= 1;
            let other_curve = GROUPS[if field == 32 { 2 } else { 1 }].0;
            let other_curve = provider.generate_key_exchange(other_curve).unwrap();
            let wrong = [
                vec![],
                vec![0],              // infinity
                vec![0; valid.len()], // infinity in the length of a point
                point(4, &[&vec![0; field], &vec![0; field]]),
                point(4, &[x, &other_y]), // beside the curve
                point(4, &[y, x]),
                point(4, &[&prime, y]), // x not reduced
                point(4, &[x, &prime]),
                point(4, &[&vec![0xff; field], &vec![0xff; field]]),
                point(parity, &[x]),        // compressed
                point(parity + 4, &[x, y]), // hybrid
                point(5, &[x, y]),
                valid[..valid.len() - 1].to_vec(),
                point(4, &[x, y, &[0]]),
                valid[1..].to_vec(), // without its form
                other_curve.public_key().to_vec(),
                vec![9; 32], // a point for X25519
            ];
            for share in wrong {
                assert_refused(&*provider, group, &share);
            }
        }
    }
}

#[test]
fn x25519_and_the_hybrid_refuse_any_other_length() {
    for provider in providers() {
        for len in [0, 1, 31, 33, 64, 65] {
            assert_refused(&*provider, NamedGroup::X25519, &vec![9; len]);
        }
        let hybrid = NamedGroup::X25519MLKEM768;
        let client = provider.generate_key_exchange(hybrid).unwrap();
        let client = client.public_key();
        let (server, _) = provider.encapsulate(hybrid, client).unwrap();
        for share in [client, &server[..]] {
            for len in [0, 1, 32, CIPHERTEXT, share.len() - 32, share.len() - 1] {
                assert_refused(&*provider, hybrid, &share[..len]);
            }
            assert_refused(&*provider, hybrid, &[share, &[0]].concat());
        }
        // The right length in the wrong direction.
        assert!(provider.encapsulate(hybrid, &server).is_err());
        assert!(agree(&*provider, hybrid, client).is_err());
    }
}

/// FIPS 203 §7.2: coefficients of an encapsulation key are below 3329.
#[test]
fn the_hybrid_refuses_a_key_whose_coefficients_are_not_reduced() {
    let hybrid = NamedGroup::X25519MLKEM768;
    for provider in providers() {
        let client = provider.generate_key_exchange(hybrid).unwrap();
        // Two coefficients of twelve bits in three octets, 1152 octets of them.
        for at in [0, 3, 381, 384, 768, 1149] {
            for coefficient in [3329_u16, 3330, 4095] {
                let mut share = client.public_key().to_vec();
                let [low, high] = coefficient.to_le_bytes();
                share[at] = low;
                share[at + 1] = (share[at + 1] & 0xf0) | high;
                assert!(provider.encapsulate(hybrid, &share).is_err(), "{at}");
                let mut share = client.public_key().to_vec();
                share[at + 1] = (share[at + 1] & 0x0f) | (low << 4);
                share[at + 2] = (high << 4) | (low >> 4);
                assert!(provider.encapsulate(hybrid, &share).is_err(), "{at}");
            }
            let mut share = client.public_key().to_vec();
            share[at] = 0x00;
            share[at + 1] = (share[at + 1] & 0xf0) | 0x0d; // 3328
            provider.encapsulate(hybrid, &share).unwrap();
        }
    }
}

/// draft-ietf-tls-ecdhe-mlkem §3.2: the other half is checked as it is alone.
#[test]
fn the_hybrid_refuses_low_order_in_its_x25519() {
    let hybrid = NamedGroup::X25519MLKEM768;
    for provider in providers() {
        for point in low_order::points() {
            let client = provider.generate_key_exchange(hybrid).unwrap();
            let mut share = client.public_key().to_vec();
            let (mut answer, _) = provider.encapsulate(hybrid, &share).unwrap();
            share[ENCAPSULATION_KEY..].copy_from_slice(&point);
            assert!(provider.encapsulate(hybrid, &share).is_err());
            answer[CIPHERTEXT..].copy_from_slice(&point);
            assert!(client.agree(&answer).is_err());
        }
    }
}

/// FIPS 203 §6.3: a ciphertext that was tampered with decapsulates to another secret, so that an
/// attacker learns nothing from the answer; the handshake fails at its Finished.
#[test]
fn the_hybrid_rejects_a_forged_ciphertext_implicitly() {
    let hybrid = NamedGroup::X25519MLKEM768;
    for provider in providers() {
        let client = provider.generate_key_exchange(hybrid).unwrap();
        let (mut share, secret) = provider.encapsulate(hybrid, client.public_key()).unwrap();
        share[500] ^= 1;
        let other = client.agree(&share).unwrap();
        assert_ne!(other[..32], secret[..32]);
        assert_eq!(other[32..], secret[32..], "X25519 was left alone");
    }
}

#[test]
fn a_group_that_is_unknown_is_an_error() {
    for provider in providers() {
        for group in [NamedGroup(0), NamedGroup(0x19), NamedGroup(0x6399)] {
            assert!(provider.generate_key_exchange(group).is_err());
            assert!(provider.encapsulate(group, &[9; 32]).is_err());
        }
    }
}

/// 100 key pairs, encapsulations and decapsulations, of random ciphertexts too, from one SHAKE128
/// into another, as Go's `crypto/mlkem` publishes the result: here in the first part of every
/// share and secret, next to the X25519 of RFC 7748 §6.1.
#[test]
fn ml_kem_inside_the_hybrid_reproduces_accumulated_vectors() {
    const ALICE: [u8; 32] = [
        0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66,
        0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9,
        0x2c, 0x2a,
    ];
    let hybrid = NamedGroup::X25519MLKEM768;
    let mut input = Shake128::default().finalize_xof();
    let mut output = Shake128::default();
    for _ in 0..100 {
        let (mut seed, mut message, mut random) = ([0; 64], [0; 32], [0; CIPHERTEXT]);
        input.read(&mut seed);
        // Drawn twice, since an exchange agrees once.
        let draw = || {
            let script = Deterministic::scripted(&[&seed[..], &ALICE].concat());
            script.generate_key_exchange(hybrid).unwrap()
        };
        let (first, second) = (draw(), draw());
        output.update(&first.public_key()[..ENCAPSULATION_KEY]);
        input.read(&mut message);
        let server = Deterministic::scripted(&[&message[..], &ALICE].concat());
        let (share, secret) = server.encapsulate(hybrid, first.public_key()).unwrap();
        output.update(&share[..CIPHERTEXT]);
        output.update(&secret[..32]);
        assert_eq!(first.agree(&share).unwrap(), secret);
        input.read(&mut random);
        let forged = [&random[..], &share[CIPHERTEXT..]].concat();
        output.update(&second.agree(&forged).unwrap()[..32]);
    }
    let mut result = [0; 32];
    output.finalize_xof().read(&mut result);
    assert_eq!(
        hex::encode(result),
        "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415"
    );
}

/// A provider that draws nothing twice shows a server nothing of an exchange but its share.
#[test]
fn no_exchange_prints_its_secret() {
    let script = Deterministic::scripted(&[0xab; 4 * 64]);
    for (group, ..) in GROUPS {
        if group != NamedGroup::X25519MLKEM768 {
            let exchange = script.generate_key_exchange(group).unwrap();
            let text = format!("{exchange:?}").to_lowercase();
            assert!(!text.contains("171") && !text.contains("abab"), "{text}");
        }
    }
    let exchange = provider().generate_key_exchange(NamedGroup::X25519MLKEM768);
    let text = format!("{:?}", exchange.unwrap());
    assert!(text.contains("(..)"), "{text}");
}
