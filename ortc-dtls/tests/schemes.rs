//! Signatures of a kind that was not offered, in DTLS 1.2, where they can be changed on the way.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod pair;

use craft::records;
use ortc_dtls::crypto::SignatureScheme;
use ortc_dtls::wire::HandshakeType;
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::{AlertDescription, CloseReason, Config, ProtocolError, Role};
use pair::{DELAY, Pair, pair, provider};

/// Replaces what a datagram says of the algorithm of its signature; says whether there was one.
fn claim(datagram: &mut [u8], scheme: SignatureScheme) -> bool {
    for (_, contents) in records(datagram) {
        let (fragment, _) = Fragment::split(&contents).unwrap();
        let body = fragment.body;
        let at = match fragment.kind {
            // After the curve, its name, and the point with its length (RFC 8422 §5.4).
            HandshakeType::SERVER_KEY_EXCHANGE => 4 + usize::from(body[3]),
            HandshakeType::CERTIFICATE_VERIFY => 0,
            _ => continue,
        };
        let mut places = datagram.windows(body.len());
        let start = places.position(|place| place == body).unwrap();
        let claimed = &mut datagram[start + at..start + at + 2];
        assert_eq!(claimed, SignatureScheme::ECDSA_SHA256.0.to_be_bytes());
        claimed.copy_from_slice(&scheme.0.to_be_bytes());
        return true;
    }
    false
}

/// Both sides, of which the one that signs says that it did with SHA-384.
fn end(signer: Role, adapt: impl Fn(Config) -> Config) -> Option<CloseReason> {
    let mut pair: Pair = pair(&provider(), adapt);
    let mut claims = 0;
    for _ in 0..6 {
        pair.transmit(&mut |_, _, _: &[u8]| vec![DELAY]);
        for flying in &mut pair.flying {
            if flying.to != signer && claims == 0 {
                claims += u32::from(claim(&mut flying.contents, SignatureScheme::ECDSA_SHA384));
            }
        }
        pair.run(DELAY, |_, _, _| vec![DELAY], |_| false);
    }
    assert_eq!(claims, 1);
    let verifier = match signer {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    pair.closed(verifier)
}

#[test]
fn a_signature_of_a_kind_that_was_not_offered_is_refused_before_it_is_verified() {
    for signer in [Role::Client, Role::Server] {
        let only = |config: Config| {
            let schemes = vec![SignatureScheme::ECDSA_SHA256];
            config.signature_schemes(schemes).unwrap()
        };
        let error = ProtocolError::IllegalChoice("signature algorithm");
        assert_eq!(end(signer, only), Some(error.into()), "{signer:?}");
        assert_eq!(error.alert(), AlertDescription::ILLEGAL_PARAMETER);
        // It was offered, and it is not what was signed.
        let error = ProtocolError::Signature;
        assert_eq!(end(signer, |config| config), Some(error.into()));
        assert_eq!(error.alert(), AlertDescription::DECRYPT_ERROR);
    }
}
