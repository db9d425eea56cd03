//! The primitives of BoringSSL alone, through `boring`: what a handshake or a record cannot avoid.

use boring::aead::{AeadCtx, Algorithm};
use boring::derive::Deriver;
use boring::ec::{EcGroup, EcKey};
use boring::hash::MessageDigest;
use boring::mlkem::{self, MlKemPrivateKey};
use boring::nid::Nid;
use boring::pkey::{Id, PKey, Private};
use boring::sign::{Signer, Verifier};
use ortc_dtls::crypto::NamedGroup;

use crate::MTU;

/// Both key pairs and both agreements of a key exchange, two signatures made and two verified.
pub struct BoringFloor {
    group: NamedGroup,
    p256: EcGroup,
    key: PKey<Private>,
    /// `SubjectPublicKeyInfo`.
    public: Vec<u8>,
}

impl BoringFloor {
    /// With a key exchange over this group.
    #[must_use]
    pub fn new(group: NamedGroup) -> Self {
        let p256 = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&p256).unwrap()).unwrap();
        Self {
            group,
            p256,
            public: key.public_key_to_der().unwrap(),
            key,
        }
    }

    /// Once.
    pub fn run(&self) {
        if self.group == NamedGroup::X25519MLKEM768 {
            let made = MlKemPrivateKey::generate(mlkem::Algorithm::MlKem768);
            let (public, private) = made.unwrap();
            let (ciphertext, secret) = public.encapsulate().unwrap();
            assert_eq!(private.decapsulate(&ciphertext).unwrap(), secret);
        }
        let [a, b] = [(); 2].map(|()| match self.group {
            NamedGroup::SECP256R1 => {
                PKey::from_ec_key(EcKey::generate(&self.p256).unwrap()).unwrap()
            }
            _ => PKey::generate(Id::X25519).unwrap(),
        });
        let agree = |own, peer| {
            let mut deriver = Deriver::new(own).unwrap();
            deriver.set_peer(peer).unwrap();
            deriver.derive_to_vec().unwrap()
        };
        assert_eq!(agree(&a, &b), agree(&b, &a));
        for _ in 0..2 {
            let contents = [7; 130];
            let sha256 = MessageDigest::sha256();
            let mut signer = Signer::new(sha256, &self.key).unwrap();
            let signature = signer.sign_oneshot_to_vec(&contents).unwrap();
            let public = PKey::public_key_from_der(&self.public).unwrap();
            let mut verifier = Verifier::new(sha256, &public).unwrap();
            assert!(verifier.verify_oneshot(&signature, &contents).unwrap());
        }
    }

    /// A record of 1200 octets through the AEAD, there and back.
    pub fn records() -> impl FnMut() {
        let mut key = AeadCtx::new_default_tag(&Algorithm::aes_128_gcm(), &[1; 16]).unwrap();
        let mut contents = [7; MTU - 13 - 8 - 16];
        move || {
            let mut tag = [0; 16];
            let nonce = [1; 12];
            let tag = key
                .seal_in_place_mut(&nonce, &mut contents, &mut tag, &[2; 13])
                .unwrap();
            key.open_in_place_mut(&nonce, &mut contents, tag, &[2; 13])
                .unwrap();
        }
    }
}
