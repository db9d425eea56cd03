//! Flights of DTLS 1.3 that a peer with the right keys made wrong: what breaks the protocol closes
//! with the alert that the RFC names, and nobody connects without the proofs.

#![expect(
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod craft;
mod craft13;
#[path = "craft13/flight.rs"]
mod flight;
mod pair;

use flight::{before_flight, rewrite, verdict};
use ortc_dtls::wire::{ExtensionType, HandshakeType, ParseError};
use ortc_dtls::{AlertDescription, CloseReason, Event, ProtocolError, Role};
use pair::provider;

#[test]
fn a_flight_goes_through_the_hands_of_a_test_unharmed() {
    let provider = provider();
    for from in [Role::Server, Role::Client] {
        let mut pair = before_flight(&provider, from);
        rewrite(&provider, &mut pair, from, |_| ());
        let to = if from == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        assert_eq!(verdict(&mut pair, to), Some(Event::Connected));
    }
}

#[test]
fn no_handshake_completes_without_each_of_its_messages() {
    let provider = provider();
    for (from, count) in [(Role::Server, 5), (Role::Client, 3)] {
        for without in 0..count {
            let mut pair = before_flight(&provider, from);
            rewrite(&provider, &mut pair, from, |messages| {
                assert_eq!(messages.len(), count);
                messages.remove(without);
            });
            let to = if from == Role::Server {
                Role::Client
            } else {
                Role::Server
            };
            let event = verdict(&mut pair, to);
            match event {
                // The last message alone is missing: it waits.
                None => assert_eq!(without, count - 1),
                Some(Event::Closed(CloseReason::Protocol(error))) => assert!(
                    matches!(
                        error,
                        ProtocolError::UnexpectedMessage(_) | ProtocolError::Signature
                    ),
                    "{error}"
                ),
                other => panic!("{other:?}"),
            }
            assert!(pair.side(to).srtp_keying().is_err());
        }
    }
}

#[test]
fn no_message_can_be_changed_repeated_or_put_elsewhere() {
    let provider = provider();
    for (from, count) in [(Role::Server, 5), (Role::Client, 3)] {
        let to = if from == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        for place in 0..count {
            for what in ["changed", "repeated", "swapped", "longer", "empty"] {
                let mut pair = before_flight(&provider, from);
                rewrite(&provider, &mut pair, from, |messages| match what {
                    "changed" => *messages[place].1.last_mut().unwrap() ^= 1,
                    "repeated" => messages.insert(place, messages[place].clone()),
                    "swapped" => messages.swap(place, (place + 1) % count),
                    "longer" => messages[place].1.push(0),
                    _ => messages[place].1.clear(),
                });
                let event = verdict(&mut pair, to);
                let connected_twice = what == "repeated" && place == count - 1;
                if connected_twice {
                    // The second Finished comes after the end and in the wrong epoch.
                    assert_eq!(event, Some(Event::Connected));
                    continue;
                }
                assert!(
                    matches!(event, Some(Event::Closed(CloseReason::Protocol(_)))),
                    "{from:?} {place} {what}: {event:?}"
                );
                assert!(pair.side(to).srtp_keying().is_err());
            }
        }
    }
}

/// What the peer makes of this message of a flight with another body.
fn refused(from: Role, place: usize, change: impl Fn(&mut Vec<u8>)) -> Option<ProtocolError> {
    let provider = provider();
    let mut pair = before_flight(&provider, from);
    rewrite(&provider, &mut pair, from, |messages| {
        change(&mut messages[place].1)
    });
    let to = if from == Role::Server {
        Role::Client
    } else {
        Role::Server
    };
    match verdict(&mut pair, to) {
        Some(Event::Closed(CloseReason::Protocol(error))) => Some(error),
        Some(_) | None => None,
    }
}

fn invalid(what: &'static str) -> Option<ProtocolError> {
    Some(ProtocolError::Malformed(ParseError::Invalid(what)))
}

#[test]
fn every_protected_message_is_held_to_its_definition() {
    let body = |octets: &'static [u8]| {
        move |body: &mut Vec<u8>| {
            body.clear();
            body.extend_from_slice(octets);
        }
    };
    // EncryptedExtensions: unknown, not for here, not chosen from what was offered.
    let extensions = |octets| refused(Role::Server, 0, body(octets));
    assert_eq!(
        extensions(&[0, 4, 0, 99, 0, 0]),
        Some(ProtocolError::UnsolicitedExtension(ExtensionType(99)))
    );
    assert_eq!(
        extensions(&[0, 4, 0, 16, 0, 0]),
        Some(ProtocolError::UnsolicitedExtension(ExtensionType::ALPN)),
        "no protocol was offered"
    );
    assert_eq!(
        extensions(&[0, 6, 0, 43, 0, 2, 0xfe, 0xfc]),
        Some(ProtocolError::MisplacedExtension(
            ExtensionType::SUPPORTED_VERSIONS
        ))
    );
    assert_eq!(
        extensions(&[0, 9, 0, 14, 0, 5, 0, 2, 0, 2, 0]),
        Some(ProtocolError::IllegalChoice("SRTP profile"))
    );
    assert_eq!(
        extensions(&[0, 6, 0, 28, 0, 2, 0, 63]),
        invalid("record_size_limit")
    );
    assert_eq!(
        extensions(&[0, 8, 0, 10, 0, 0, 0, 10, 0, 0]),
        Some(ProtocolError::Malformed(ParseError::Duplicate("extension")))
    );
    assert_eq!(
        extensions(&[0, 0, 0]),
        Some(ProtocolError::Malformed(ParseError::Trailing(
            "EncryptedExtensions"
        )))
    );
    // CertificateRequest: only after the handshake with a context, never without signatures.
    let request = |octets| refused(Role::Server, 1, body(octets));
    assert_eq!(
        request(&[0, 0, 0]),
        Some(ProtocolError::MissingExtension(
            ExtensionType::SIGNATURE_ALGORITHMS
        ))
    );
    assert_eq!(
        request(&[1, 7, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]),
        invalid("certificate_request_context")
    );
    assert_eq!(
        request(&[0, 0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 13, 0, 4, 0, 2, 4, 3]),
        Some(ProtocolError::Malformed(ParseError::Duplicate("extension")))
    );
    assert_eq!(
        request(&[0, 0, 8, 0, 13, 0, 9, 0, 2, 4, 3]).map(|error| error.alert()),
        Some(AlertDescription::DECODE_ERROR),
        "longer than its list"
    );
    // What is not known is passed over: the Finished alone does not fit any more.
    assert_eq!(
        request(&[0, 0, 14, 0, 99, 0, 2, 1, 2, 0, 13, 0, 4, 0, 2, 4, 3]),
        Some(ProtocolError::Signature)
    );
    for from in [Role::Server, Role::Client] {
        // Certificate: a context, an extension that nobody asked for, an empty entry.
        let place = if from == Role::Server { 2 } else { 0 };
        assert_eq!(
            refused(from, place, body(&[1, 7, 0, 0, 0])),
            invalid("certificate_request_context")
        );
        let with_extension = |body: &mut Vec<u8>| {
            let end = body.len() - 2;
            body.truncate(end);
            body.extend_from_slice(&[0, 4, 0, 18, 0, 0]);
            let len = u32::try_from(body.len() - 4).unwrap().to_be_bytes();
            body[1..4].copy_from_slice(&len[1..]);
        };
        assert_eq!(
            refused(from, place, with_extension),
            Some(ProtocolError::UnsolicitedExtension(ExtensionType(18)))
        );
        let empty = body(&[0, 0, 0, 5, 0, 0, 0, 0, 0]);
        assert_eq!(
            refused(from, place, empty),
            Some(ProtocolError::Malformed(ParseError::Length("certificate")))
        );
        // CertificateVerify: another curve, PKCS #1 version 1.5, RSA, SHA-1.
        for scheme in [[5, 3], [4, 1], [8, 4], [2, 3], [8, 7]] {
            let other = move |body: &mut Vec<u8>| body[..2].copy_from_slice(&scheme);
            assert_eq!(
                refused(from, place + 1, other),
                Some(ProtocolError::IllegalChoice("signature algorithm"))
            );
        }
        let same = |body: &mut Vec<u8>| body[..2].copy_from_slice(&[4, 3]);
        assert_eq!(refused(from, place + 1, same), None);
    }
    // A server shows a certificate (RFC 8446 §4.4.2.4).
    assert_eq!(
        refused(Role::Server, 2, body(&[0, 0, 0, 0])),
        Some(ProtocolError::Malformed(ParseError::Truncated(
            "certificate_list"
        )))
    );
}

#[test]
fn a_client_without_certificate_is_refused_by_the_alert_that_is_made_for_it() {
    let provider = provider();
    let mut pair = before_flight(&provider, Role::Client);
    rewrite(&provider, &mut pair, Role::Client, |messages| {
        messages[0].1 = vec![0, 0, 0, 0];
        messages.remove(1);
    });
    let error = ProtocolError::CertificateRequired;
    let reason = CloseReason::Protocol(error);
    assert_eq!(
        verdict(&mut pair, Role::Server),
        Some(Event::Closed(reason))
    );
    assert_eq!(error.alert(), AlertDescription::CERTIFICATE_REQUIRED);
}

/// The one extension that it must have and no other: Chromium aborts at empty authorities.
#[test]
fn a_request_for_a_certificate_says_no_more_than_it_must() {
    let provider = provider();
    let mut pair = before_flight(&provider, Role::Server);
    rewrite(&provider, &mut pair, Role::Server, |messages| {
        let (kind, body) = &messages[1];
        assert_eq!(*kind, HandshakeType::CERTIFICATE_REQUEST);
        // No context, and one extension to the end.
        assert_eq!(body[..5], [0, 0, 18, 0, 13]);
        assert_eq!(body.len(), 3 + 18);
    });
}
