//! What every provider does besides key exchange and signatures, against published vectors and
//! each other.

mod pair;

use ortc_dtls::crypto::{AeadAlgorithm, Hash, NONCE_LEN, TAG_LEN};
use ortc_dtls::{Certificate, Config};
use pair::{Pair, providers, verified};

const ALGORITHMS: [AeadAlgorithm; 3] = [
    AeadAlgorithm::Aes128Gcm,
    AeadAlgorithm::Aes256Gcm,
    AeadAlgorithm::ChaCha20Poly1305,
];

/// RFC 9001 appendices A.2, A.3 and A.5: QUIC masks its headers as DTLS 1.3 does.
#[test]
fn masks_of_sequence_numbers_reproduce_rfc_9001() {
    let vectors = [
        (
            AeadAlgorithm::Aes128Gcm,
            "9f50449e04a0e810283a1e9933adedd2",
            "d1b1c98dd7689fb8ec11d242b123dc9b",
            "437b9aec36",
        ),
        (
            AeadAlgorithm::Aes128Gcm,
            "c206b8d9b9f0f37644430b490eeaa314",
            "2cd0991cd25b0aac406a5816b6394100",
            "2ec0d8356a",
        ),
        (
            AeadAlgorithm::ChaCha20Poly1305,
            "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
            "5e5cd55c41f69080575d7999c25a5bfb",
            "aefefe7d03",
        ),
    ];
    for provider in providers() {
        for (algorithm, key, sample, mask) in vectors {
            let key = hex::decode(key).unwrap();
            let key = provider.header_protection(algorithm, &key).unwrap();
            let sample = hex::decode(sample).unwrap().try_into().unwrap();
            assert_eq!(hex::encode(key.mask(sample)), mask);
        }
    }
}

#[test]
fn all_providers_mask_alike() {
    for algorithm in ALGORITHMS {
        let key: Vec<u8> = (0..32).take(algorithm.key_len()).collect();
        for step in 0..=255 {
            let sample: [u8; 16] =
                core::array::from_fn(|at| step ^ (16 * u8::try_from(at).unwrap()));
            let mut masks = providers().into_iter().map(|provider| {
                let key = provider.header_protection(algorithm, &key).unwrap();
                key.mask(sample)
            });
            let first = masks.next().unwrap();
            assert!(masks.all(|mask| mask == first), "{algorithm:?} {step}");
        }
    }
}

#[test]
fn what_one_provider_seals_every_one_opens() {
    for algorithm in ALGORITHMS {
        let key: Vec<u8> = (1..=32).take(algorithm.key_len()).collect();
        for sealer in providers() {
            let sealer = sealer.aead(algorithm, &key).unwrap();
            for len in [0, 1, 15, 16, 17, 1200] {
                let plaintext: Vec<u8> = (0..=255).cycle().take(len).collect();
                let (nonce, aad) = ([5; NONCE_LEN], [6; 13]);
                let mut sealed = plaintext.clone();
                let tag = sealer.seal(nonce, &aad, &mut sealed).unwrap();
                for opener in providers() {
                    let opener = opener.aead(algorithm, &key).unwrap();
                    let mut opened = sealed.clone();
                    opener.open(nonce, &aad, &mut opened, &tag).unwrap();
                    assert_eq!(opened, plaintext);
                    let mut wrong: [u8; TAG_LEN] = tag;
                    wrong[15] ^= 1;
                    let again = &mut sealed.clone();
                    assert!(opener.open(nonce, &aad, again, &wrong).is_err());
                    let again = &mut sealed.clone();
                    assert!(opener.open(nonce, &aad[1..], again, &tag).is_err());
                    let again = &mut sealed.clone();
                    assert!(opener.open([4; NONCE_LEN], &aad, again, &tag).is_err());
                }
            }
        }
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    for provider in providers() {
        for algorithm in ALGORITHMS {
            for len in [0, 15, 16, 17, 31, 32, 33] {
                let key = vec![1; len];
                let right = len == algorithm.key_len();
                assert_eq!(provider.aead(algorithm, &key).is_ok(), right);
                assert_eq!(provider.header_protection(algorithm, &key).is_ok(), right);
            }
        }
    }
}

/// FIPS 180-4 by way of NIST's examples ("abc"), and a hash that is read and goes on.
#[test]
fn hashes_reproduce_their_examples() {
    let examples = [
        (
            Hash::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Hash::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
    ];
    for provider in providers() {
        for (algorithm, expected) in examples {
            let mut hash = provider.hash(algorithm);
            hash.update(b"a");
            assert_ne!(hex::encode(hash.current()), expected);
            hash.update(b"bc");
            assert_eq!(hex::encode(hash.current()), expected);
            assert_eq!(hash.current().as_ref().len(), algorithm.output_len());
        }
    }
}

#[test]
fn endpoints_on_different_providers_connect() {
    for client in providers() {
        for server in providers() {
            let certificates = [&client, &server].map(|one| Certificate::generate(one).unwrap());
            let [of_client, of_server] = verified(
                Config::new(certificates[0].clone(), client.clone()),
                Config::new(certificates[1].clone(), server.clone()),
                [&certificates[0], &certificates[1]],
            );
            let mut pair = Pair::new(of_client, of_server);
            assert!(pair.connect());
            pair.assert_works();
        }
    }
}

#[test]
fn a_lent_hmac_key_is_the_one_that_would_be_given() {
    for provider in providers() {
        for hash in [Hash::Sha256, Hash::Sha384] {
            for key in [&[7; 32][..], &[7; 200], &[]] {
                let given = provider.hmac(hash, key).sign(&[b"a", b"b"]);
                let mut lent = Vec::new();
                provider.lend_hmac(hash, key, &mut |key| lent.push(key.sign(&[b"ab"])));
                assert_eq!(lent.len(), 1, "{provider:?}");
                assert_eq!(lent[0].as_ref(), given.as_ref());
            }
        }
    }
}

/// Keys, secrets and what is derived from them stay out of logs.
#[test]
fn nothing_secret_is_printed() {
    for provider in providers() {
        let key = [0xab; 32];
        let hmac = provider.hmac(Hash::Sha256, &key);
        let output = hmac.sign(&[b"x"]);
        let mut texts = vec![format!("{hmac:?}"), format!("{output:?}")];
        for algorithm in ALGORITHMS {
            let key = &key[..algorithm.key_len()];
            texts.push(format!("{:?}", provider.aead(algorithm, key).unwrap()));
            let mask = provider.header_protection(algorithm, key).unwrap();
            texts.push(format!("{mask:?}"));
        }
        for text in texts {
            let text = text.to_lowercase();
            assert!(!text.contains("abab") && !text.contains("171"), "{text}");
        }
        let output = output.as_ref();
        assert_eq!(output.len(), 32);
    }
}
