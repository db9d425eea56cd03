//! Key derivation against published vectors, with every provider.

mod pair;

use ortc_dtls::crypto::Hash;
use ortc_dtls::keying::{
    MASTER_SECRET_LEN, Tls12Secrets, dtls13_export, hkdf_expand, hkdf_expand_label, prf,
    srtp_lengths,
};
use ortc_dtls::{KeyingError, SrtpKeying};
use pair::{provider, providers};

/// The vectors for the PRF of TLS 1.2 that circulate with the TLS working group.
#[test]
fn the_prf_reproduces_its_vectors() {
    let vectors = [
        (
            Hash::Sha256,
            "9bbe436ba940f017b17652849a71db35",
            "a0ba9f936cda311827a6f796ffd5198c",
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a\
             6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab\
             4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
             87347b66",
        ),
        (
            Hash::Sha384,
            "b80b733d6ceefcdc71566ea48e5567df",
            "cd665cf6a8447dd6ff8b27555edb7465",
            "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cd\
             e9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700884f9dc236f80edd\
             8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425\
             9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee6\
             91c8f3a26854308d5eaa3be85e0990703d73e56f",
        ),
    ];
    for provider in providers() {
        for (hash, secret, seed, expected) in vectors {
            let secret = hex::decode(secret).unwrap();
            let seed = hex::decode(seed).unwrap();
            let expected = hex::decode(expected.replace(' ', "")).unwrap();
            let mut out = vec![0; expected.len()];
            prf(&*provider, hash, &secret, b"test label", &[&seed], &mut out);
            assert_eq!(hex::encode(&out), hex::encode(&expected), "{hash:?}");
            // The seed is the concatenation of its parts.
            let (head, tail) = seed.split_at(5);
            let mut parts = vec![0; expected.len()];
            prf(
                &*provider,
                hash,
                &secret,
                b"test label",
                &[head, tail],
                &mut parts,
            );
            assert_eq!(parts, out);
            let many: Vec<&[u8]> = seed.chunks(1).collect();
            prf(&*provider, hash, &secret, b"test label", &many, &mut parts);
            assert_eq!(parts, out);
        }
    }
}

/// RFC 5869 appendix A.1 and A.2, the expand step.
#[test]
fn hkdf_expand_reproduces_rfc_5869() {
    let vectors = [
        (
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "f0f1f2f3f4f5f6f7f8f9".to_owned(),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            (0xb0..=0xff_u8)
                .map(|octet| format!("{octet:02x}"))
                .collect(),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
    ];
    for provider in providers() {
        for (prk, info, okm) in &vectors {
            let prk = hex::decode(prk).unwrap();
            let info = hex::decode(info).unwrap();
            let mut out = vec![0; okm.len() / 2];
            hkdf_expand(&*provider, Hash::Sha256, &prk, &[&info], &mut out).unwrap();
            assert_eq!(&hex::encode(out), okm);
        }
    }
}

#[test]
fn what_an_exporter_cannot_express_is_an_error() {
    let provider = provider();
    let secrets = Tls12Secrets {
        hash: Hash::Sha256,
        master: [7; MASTER_SECRET_LEN].into(),
        client_random: [1; 32],
        server_random: [2; 32],
    };
    let mut out = [0; 16];
    let long = vec![0; 65_536];
    assert_eq!(
        secrets.export(&*provider, "EXPORTER", Some(&long), &mut out),
        Err(KeyingError::Length)
    );
    for reserved in ["master secret", "key expansion", "client finished"] {
        assert_eq!(
            secrets.export(&*provider, reserved, None, &mut out),
            Err(KeyingError::Label)
        );
    }
    assert_eq!(out, [0; 16]);
    assert_eq!(
        hkdf_expand(
            &*provider,
            Hash::Sha256,
            &[1; 32],
            &[],
            &mut vec![0; 255 * 32 + 1]
        ),
        Err(KeyingError::Length)
    );
    assert_eq!(
        hkdf_expand_label(&*provider, Hash::Sha256, &[1; 32], "x", &[0; 256], &mut out),
        Err(KeyingError::Length)
    );
}

#[test]
fn no_context_differs_from_an_empty_one_in_1_2_and_not_in_1_3() {
    let provider = provider();
    let secrets = Tls12Secrets {
        hash: Hash::Sha384,
        master: [7; MASTER_SECRET_LEN].into(),
        client_random: [1; 32],
        server_random: [2; 32],
    };
    let mut outs = [[0; 70]; 3];
    for (out, context) in outs.iter_mut().zip([None, Some(&[][..]), Some(&b"x"[..])]) {
        secrets
            .export(&*provider, "EXPORTER", context, out)
            .unwrap();
    }
    assert_ne!(outs[0], outs[1]);
    assert_ne!(outs[1], outs[2]);
    let mut outs = [[0; 70]; 2];
    for (out, context) in outs.iter_mut().zip([&[][..], b"x"]) {
        dtls13_export(&*provider, Hash::Sha384, &[9; 48], "EXPORTER", context, out).unwrap();
    }
    assert_ne!(outs[0], outs[1]);
}

#[test]
fn srtp_lengths_are_those_of_the_registry() {
    assert_eq!(srtp_lengths(0x0001), Some((16, 14)));
    assert_eq!(srtp_lengths(0x0002), Some((16, 14)));
    assert_eq!(srtp_lengths(0x0007), Some((16, 12)));
    assert_eq!(srtp_lengths(0x0008), Some((32, 12)));
    assert_eq!(
        srtp_lengths(0x0005),
        None,
        "NULL_HMAC_SHA1_80 encrypts nothing"
    );
}

#[test]
fn srtp_keys_are_equal_when_every_part_is() {
    let keying = |profile| {
        let fill = |out: &mut [u8]| {
            out.fill(7);
            Ok(())
        };
        SrtpKeying::derive(profile, fill).unwrap()
    };
    assert_eq!(keying(1), keying(1));
    assert_ne!(keying(1), keying(2), "the profile alone");
    let changes: [fn(&mut SrtpKeying); 4] = [
        |keying| keying.client_key[0] ^= 1,
        |keying| keying.server_key[15] ^= 1,
        |keying| keying.client_salt[13] ^= 1,
        |keying| keying.server_salt[0] ^= 1,
    ];
    for change in changes {
        let mut changed = keying(1);
        change(&mut changed);
        assert_ne!(changed, keying(1));
    }
}
