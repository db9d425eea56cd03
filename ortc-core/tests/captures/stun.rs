//! STUN of browsers (RFC 8489, RFC 8445).

use std::collections::BTreeMap;

use ortc_core::ice::stun::{AttributeType, Class, IntegrityKey, Message, Method};
use ortc_core::ice::{Agent, Candidate, Config, Datagram, Ecn, Path, RolePolicy, Transmit};

use crate::recording::{Call, End, Kind, Recorded, calls, origin};

/// The key that a message of this end is made with: a request carries the password of whom it goes
/// to, an answer that of whom it comes from (RFC 8445 §7.2.2).
fn key_of(call: &Call, from: End, message: &Message<'_>) -> IntegrityKey {
    let end = match message.class() {
        Class::Request => from.other(),
        Class::Success | Class::Error | Class::Indication => from,
    };
    IntegrityKey::new(call.side(end).ice.password.as_bytes())
}

#[test]
fn every_message_integrity_and_fingerprint_holds_in_both_directions() {
    let mut messages = BTreeMap::new();
    for call in calls() {
        for datagram in call.datagrams_of(Kind::Stun) {
            let message = Message::parse(datagram.contents).unwrap();
            assert_eq!(message.method(), Method::BINDING);
            assert!(message.verify_fingerprint(), "{}", call.name);
            let key = key_of(call, datagram.from, &message);
            assert!(message.verify_integrity(&key), "{}", call.name);
            if message.class() == Class::Request {
                let expected = [datagram.from.other(), datagram.from]
                    .map(|end| call.side(end).ice.username_frag.as_str());
                assert_eq!(message.split_username(), Some((expected[0], expected[1])));
                assert!(message.priority().is_some());
                let claims = [message.controlling(), message.controlled()];
                assert_eq!(claims.iter().flatten().count(), 1, "one role is claimed");
            }
            let is_request = message.class() == Class::Request;
            *messages.entry((datagram.from, is_request)).or_insert(0) += 1;
        }
    }
    assert_eq!(messages.len(), 4, "both ends ask and answer");
    assert!(messages.values().all(|count| *count > 50), "{messages:?}");
}

/// One wrong bit anywhere in what integrity and fingerprint cover is noticed by both.
#[test]
fn a_changed_octet_or_password_breaks_them() {
    for call in calls() {
        let datagram = call.datagrams_of(Kind::Stun).next().unwrap();
        let message = Message::parse(datagram.contents).unwrap();
        let own = call.side(datagram.from).ice.password.as_bytes();
        assert!(!message.verify_integrity(&IntegrityKey::new(own)));
        let key = key_of(call, datagram.from, &message);
        // The transaction id, which every form of parsing leaves alone.
        for octet in 8..20 {
            let mut changed = datagram.contents.to_vec();
            changed[octet] ^= 1;
            let message = Message::parse(&changed).unwrap();
            assert!(!message.verify_integrity(&key) && !message.verify_fingerprint());
        }
    }
}

/// What browsers put into their checks beside RFC 8445 is comprehension-optional.
#[test]
fn nothing_that_browsers_send_in_a_check_needs_to_be_understood() {
    let mut unknown_optional = 0;
    for call in calls() {
        for datagram in call.datagrams_of(Kind::Stun) {
            let message = Message::parse(datagram.contents).unwrap();
            assert_eq!(message.unknown_comprehension_required().count(), 0);
            let network_cost = AttributeType(0xC057);
            unknown_optional += message
                .attributes()
                .filter(|attribute| attribute.kind == network_cost)
                .count();
        }
    }
    assert!(unknown_optional > 0);
}

/// The recorded checks of either end, given to an agent that has the other end's credentials.
#[test]
fn an_agent_with_the_recorded_credentials_answers_every_check() {
    for call in calls() {
        for from in End::BOTH {
            let before_connect = Replay::of(call, from, Signalled::Nothing);
            assert!(before_connect.refusals == 0, "{}", call.name);
            let connected = Replay::of(call, from, Signalled::Everything);
            let conflict = call.name.ends_with("-iceconflict");
            assert!(conflict || connected.refusals == 0, "{}", call.name);
            assert_eq!(before_connect.checks_sent, 0);
            assert!(connected.checks_sent > 0, "{}: triggered checks", call.name);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signalled {
    Nothing,
    Everything,
}

/// How an agent in the place of one end took the checks of the other.
struct Replay {
    /// Checks that were answered with 487 (role conflict).
    refusals: usize,
    checks_sent: usize,
}

impl Replay {
    fn of(call: &Call, from: End, signalled: Signalled) -> Self {
        let (own, start) = (from.other(), origin());
        let policy = match own {
            End::Browser => RolePolicy::Controlling,
            End::Peer => RolePolicy::Controlled,
        };
        let config = Config::default()
            .local_credentials(call.credentials(own))
            .role(policy);
        let mut agent = Agent::new(config, [9; 32], start);
        for address in call.addresses(own) {
            let candidate = Candidate::host(address).unwrap();
            agent.add_local_candidate(candidate, start).unwrap();
        }
        if signalled == Signalled::Everything {
            agent
                .set_remote_credentials(call.credentials(from), start)
                .unwrap();
            agent.connect(start).unwrap();
        }
        let mut replay = Self {
            refusals: 0,
            checks_sent: 0,
        };
        for datagram in call
            .datagrams_of(Kind::Stun)
            .filter(|sent| sent.from == from)
        {
            let request = Message::parse(datagram.contents).unwrap();
            if request.class() != Class::Request {
                continue;
            }
            let now = start + datagram.at;
            let taken = agent.handle_datagram(
                Datagram {
                    path: Path::udp(datagram.destination, datagram.source),
                    contents: &mut datagram.contents.to_vec(),
                    ecn: Ecn::default(),
                },
                now,
            );
            assert_eq!(taken, Ok(()), "{}", call.name);
            let mut answers = 0;
            let mut buf = Vec::new();
            while let Some(transmit) = agent.poll_transmit(&mut buf, now) {
                answers += replay.check_output(call, own, datagram, &transmit, &buf);
                buf.clear();
            }
            assert_eq!(answers, 1, "{}: one answer to each check", call.name);
        }
        replay
    }

    /// Counts what the agent sent; 1 for the answer to the check.
    fn check_output(
        &mut self,
        call: &Call,
        own: End,
        check: &Recorded,
        transmit: &Transmit,
        contents: &[u8],
    ) -> usize {
        let message = Message::parse(contents).unwrap();
        assert!(message.verify_fingerprint());
        assert!(message.verify_integrity(&key_of(call, own, &message)));
        match message.class() {
            Class::Request => {
                self.checks_sent += 1;
                return 0;
            }
            Class::Success => assert_eq!(message.xor_mapped_address(), Some(check.source)),
            Class::Error => {
                assert_eq!(message.error_code().map(|error| error.code), Some(487));
                self.refusals += 1;
            }
            Class::Indication => panic!("an indication"),
        }
        assert_eq!(transmit.path, Path::udp(check.destination, check.source));
        let asked = Message::parse(check.contents).unwrap().transaction_id();
        usize::from(message.transaction_id() == asked)
    }
}
