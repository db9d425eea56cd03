//! A peer whose public value is no point of the group, or one of low order: in both versions and
//! roles the handshake ends with illegal_parameter, before anything is derived from it
//! (RFC 8446 §4.2.8.2, §7.4.2, RFC 8422 §5.11).

#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod altered;
mod low_order;
mod pair;

use std::sync::Arc;

use altered::as_real;
use ortc_dtls::crypto::{CryptoError, KeyExchange, NamedGroup, Provider};
use ortc_dtls::{Certificate, CloseReason, Config, PeerVerification, ProtocolError, Role, Version};
use pair::{DELAY, Pair, provider};
use zeroize::Zeroizing;

/// Shows `share` where it would show a public value of its own, and is a provider like the others
/// otherwise.
#[derive(Debug)]
struct Evil {
    real: Arc<dyn Provider>,
    share: Vec<u8>,
}

#[derive(Debug)]
struct Show(Vec<u8>);

impl KeyExchange for Show {
    fn public_key(&self) -> &[u8] {
        &self.0
    }

    fn agree(self: Box<Self>, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        Ok(Zeroizing::new(vec![0; 32]))
    }
}

impl Provider for Evil {
    fn random(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.real.random(out)
    }

    fn generate_key_exchange(&self, _: NamedGroup) -> Result<Box<dyn KeyExchange>, CryptoError> {
        Ok(Box::new(Show(self.share.clone())))
    }

    as_real!();
}

/// What an honest side of this role makes of the share.
fn verdict(version: Version, honest: Role, group: NamedGroup, share: &[u8]) -> Option<CloseReason> {
    let real = provider();
    let evil: Arc<dyn Provider> = Arc::new(Evil {
        real: real.clone(),
        share: share.to_vec(),
    });
    let make = |role: Role| {
        let provider = if role == honest { &real } else { &evil };
        Config::new(Certificate::generate(&real).unwrap(), provider.clone())
            .versions(&[version])
            .unwrap()
            .groups(vec![group])
            .unwrap()
            .verification(PeerVerification::TrustFirst)
    };
    let mut pair = Pair::new(make(Role::Client), make(Role::Server));
    pair.run(
        6 * DELAY,
        |_, _, _| vec![DELAY],
        |pair| pair.closed(honest).is_some(),
    );
    assert!(pair.side(honest).srtp_keying().is_err());
    pair.closed(honest)
}

fn assert_refused(versions: &[Version], group: NamedGroup, share: &[u8]) {
    let error = ProtocolError::KeyShare;
    assert_eq!(error.alert().0, 47);
    for &version in versions {
        for honest in [Role::Client, Role::Server] {
            assert_eq!(
                verdict(version, honest, group, share),
                Some(CloseReason::Protocol(error)),
                "{version} {honest:?} {group} {share:02x?}"
            );
        }
    }
}

const ALL: &[Version] = &[Version::DTLS12, Version::DTLS13];

/// An octet string with its leading octet exchanged.
fn with_form(form: u8, point: &[u8]) -> Vec<u8> {
    [&[form], point.get(1..).unwrap()].concat()
}

#[test]
fn every_low_order_point_of_x25519_ends_the_handshake() {
    for point in low_order::points() {
        assert_refused(ALL, NamedGroup::X25519, &point);
    }
    for len in [1, 31, 33] {
        assert_refused(ALL, NamedGroup::X25519, &vec![9; len]);
    }
}

#[test]
fn what_is_no_point_of_a_nist_curve_ends_the_handshake() {
    let provider = provider();
    for group in [NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
        let exchange = provider.generate_key_exchange(group).unwrap();
        let point = exchange.public_key();
        let field = (point.len() - 1) / 2;
        let mut beside = point.to_vec();
        *beside.last_mut().unwrap() ^= 1;
        let compressed = with_form(2, point.get(..=field).unwrap());
        for share in [
            beside,
            vec![0], // infinity
            vec![0; point.len()],
            with_form(4, &vec![0; point.len()]),
            with_form(4, &vec![0xff; point.len()]), // not reduced
            with_form(6, point),                    // hybrid
            with_form(5, point),
            compressed,
            point.get(..point.len() - 1).unwrap().to_vec(),
            [point, &[0]].concat(),
        ] {
            assert_refused(ALL, group, &share);
        }
    }
}

#[test]
fn a_hybrid_with_half_a_share_ends_the_handshake() {
    let provider = provider();
    let group = NamedGroup::X25519MLKEM768;
    let exchange = provider.generate_key_exchange(group).unwrap();
    let client = exchange.public_key();
    let (server, _) = provider.encapsulate(group, client).unwrap();
    let low_order = |share: &[u8]| [share.get(..share.len() - 32).unwrap(), &[0; 32]].concat();
    let shares = [
        (Role::Server, low_order(client)),
        (Role::Server, client.get(..1184).unwrap().to_vec()),
        (Role::Server, server.clone()),
        (Role::Client, low_order(&server)),
        (Role::Client, server.get(..1088).unwrap().to_vec()),
        (Role::Client, client.to_vec()),
    ];
    for (honest, share) in shares {
        // An evil server needs an honest client's group, and shows this share in its answer.
        let reason = verdict(Version::DTLS13, honest, group, &share);
        assert_eq!(reason, Some(ProtocolError::KeyShare.into()), "{honest:?}");
    }
}
