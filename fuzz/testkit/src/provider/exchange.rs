//! Key exchange out of drawn secrets.

use core::fmt;

use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use ml_kem::{Decapsulate, KeyExport};
use ortc_dtls::crypto::{CryptoError, KeyExchange, NamedGroup};
use zeroize::Zeroizing;

use super::{Deterministic, opaque};

/// Octets of ML-KEM in a client's and in a server's share of X25519MLKEM768.
const ENCAPSULATION_KEY: usize = 1184;
const CIPHERTEXT: usize = 1088;

pub(super) fn generate(
    provider: &Deterministic,
    group: NamedGroup,
) -> Result<Box<dyn KeyExchange>, CryptoError> {
    Ok(match group {
        NamedGroup::X25519 => Box::new(X25519::draw(provider)),
        NamedGroup::SECP256R1 => {
            let secret = provider.p256();
            let public = secret.public_key().to_sec1_bytes();
            Box::new(P256 { secret, public })
        }
        NamedGroup::SECP384R1 => {
            let secret = provider.p384();
            let public = secret.public_key().to_sec1_bytes();
            Box::new(P384 { secret, public })
        }
        NamedGroup::X25519MLKEM768 => {
            let kem = DecapsulationKey::from_seed(provider.draw::<64>().into());
            let x25519 = X25519::draw(provider);
            let public = kem.encapsulation_key().to_bytes();
            let share = [&public[..], x25519.public.as_bytes()].concat();
            Box::new(Hybrid { share, kem, x25519 })
        }
        _ => return Err(CryptoError),
    })
}

pub(super) fn encapsulate(
    provider: &Deterministic,
    group: NamedGroup,
    peer: &[u8],
) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CryptoError> {
    if group != NamedGroup::X25519MLKEM768 {
        let exchange = generate(provider, group)?;
        let share = exchange.public_key().to_vec();
        return Ok((share, exchange.agree(peer)?));
    }
    let (key, public) = peer
        .split_at_checked(ENCAPSULATION_KEY)
        .ok_or(CryptoError)?;
    let key = key.try_into().map_err(|_| CryptoError)?;
    let key = EncapsulationKey::new(key).map_err(|_| CryptoError)?;
    let (ciphertext, secret) = key.encapsulate_deterministic(&provider.draw::<32>().into());
    let x25519 = X25519::draw(provider);
    let share = [&ciphertext[..], x25519.public.as_bytes()].concat();
    let secret = [&secret[..], &x25519.shared(public)?].concat();
    Ok((share, Zeroizing::new(secret)))
}

struct X25519 {
    secret: x25519_dalek::StaticSecret,
    public: x25519_dalek::PublicKey,
}
opaque!(X25519);

impl X25519 {
    fn draw(provider: &Deterministic) -> Self {
        let secret = x25519_dalek::StaticSecret::from(provider.draw::<32>());
        let public = x25519_dalek::PublicKey::from(&secret);
        Self { secret, public }
    }

    fn shared(&self, peer: &[u8]) -> Result<[u8; 32], CryptoError> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| CryptoError)?;
        let shared = self.secret.diffie_hellman(&peer.into());
        if !shared.was_contributory() {
            return Err(CryptoError);
        }
        Ok(*shared.as_bytes())
    }
}

impl KeyExchange for X25519 {
    fn public_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Ok(Zeroizing::new(self.shared(peer)?.to_vec()))
    }
}

struct P256 {
    secret: p256::SecretKey,
    public: Box<[u8]>,
}
opaque!(P256);

impl KeyExchange for P256 {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if peer.len() != self.public.len() {
            return Err(CryptoError); // points are uncompressed (RFC 8422 §5.4.1)
        }
        let peer = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError)?;
        let shared = self.secret.diffie_hellman(&peer);
        Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    }
}

struct P384 {
    secret: p384::SecretKey,
    public: Box<[u8]>,
}
opaque!(P384);

impl KeyExchange for P384 {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if peer.len() != self.public.len() {
            return Err(CryptoError);
        }
        let peer = p384::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError)?;
        let shared = self.secret.diffie_hellman(&peer);
        Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    }
}

/// The client's half of X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem §3.1).
struct Hybrid {
    share: Vec<u8>,
    kem: DecapsulationKey,
    x25519: X25519,
}
opaque!(Hybrid);

impl KeyExchange for Hybrid {
    fn public_key(&self) -> &[u8] {
        &self.share
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (ciphertext, public) = peer.split_at_checked(CIPHERTEXT).ok_or(CryptoError)?;
        let ciphertext: &Ciphertext = ciphertext.try_into().map_err(|_| CryptoError)?;
        let secret = self.kem.decapsulate(ciphertext);
        let secret = [&secret[..], &self.x25519.shared(public)?].concat();
        Ok(Zeroizing::new(secret))
    }
}
