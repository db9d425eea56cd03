//! Which datagram is whose (RFC 7983), and how a connection answers a browser's ClientHello.

use std::sync::Arc;

use ortc_core::dtls::crypto::ring_provider;
use ortc_core::dtls::{Certificate, Config, Endpoint, Role, is_client_hello, is_dtls};
use ortc_core::ice::stun::{Class, IntegrityKey, Message, MessageBuilder, Method, is_stun};
use ortc_core::{
    Datagram, DropReason, DtlsRole, Ecn, LocalCandidates, Path, RTCConnection,
    RTCConnectionOptions, RolePolicy, Transmit,
};
use ortc_dtls::wire::handshake::Fragment;
use ortc_dtls::wire::hello::ServerHello;
use ortc_dtls::wire::record::RecordHeader;
use ortc_dtls::wire::{ContentType, HandshakeType, ProtocolVersion};
use ortc_rtp::wire::rtcp::is_rtcp;

use crate::recording::{Call, End, Kind, Recorded, calls, origin};

#[test]
fn every_datagram_is_told_apart_by_its_first_octets() {
    for call in calls() {
        for datagram in &call.datagrams {
            let (first, second) = (datagram.contents[0], datagram.contents[1]);
            let media = (128..=191).contains(&first);
            let found = match (is_stun(datagram.contents), is_dtls(first), media) {
                (true, false, false) => Kind::Stun,
                (false, true, false) => Kind::Dtls,
                (false, false, true) if is_rtcp(second) => Kind::Rtcp,
                (false, false, true) => Kind::Rtp,
                other => panic!("{}: {other:?}", call.name),
            };
            assert_eq!(found, datagram.kind, "{}", call.name);
        }
    }
}

/// A connection that knows nobody drops each datagram in the layer that it is for, and sends
/// nothing.
#[test]
fn a_connection_of_somebody_else_drops_every_datagram_in_its_layer() {
    for call in calls() {
        let start = origin();
        let options = RTCConnectionOptions::new([5; 32]);
        let mut connection = RTCConnection::new(options, start).unwrap();
        for datagram in &call.datagrams {
            let now = start + datagram.at;
            connection.handle_datagram(arrive(datagram, &mut datagram.contents.to_vec()), now);
            assert!(connection.poll_transmit(&mut Vec::new(), now).is_none());
        }
        let drops = connection.stats(start).drops;
        let sent = |kind| u64::try_from(call.datagrams_of(kind).count()).unwrap();
        assert_eq!(
            drops.get(DropReason::Stun),
            sent(Kind::Stun),
            "{}",
            call.name
        );
        assert_eq!(drops.get(DropReason::DtlsUnvalidatedPath), sent(Kind::Dtls));
        let media = sent(Kind::Rtp) + sent(Kind::Rtcp);
        assert_eq!(drops.get(DropReason::MediaBeforeKeys), media);
        let all = u64::try_from(call.datagrams.len()).unwrap();
        assert_eq!(drops.iter().map(|(_, count)| count).sum::<u64>(), all);
    }
}

#[test]
fn an_endpoint_answers_the_whole_hello_and_nothing_less() {
    let provider = ring_provider();
    let certificate = Certificate::generate(&provider).unwrap();
    let config = Arc::new(Config::new(certificate, provider));
    for call in calls() {
        let now = origin();
        let mut server = Endpoint::new(Arc::clone(&config), Role::Server, now);
        let hello = hello_of(call);
        let mut answer = Vec::new();
        for (index, datagram) in hello.iter().enumerate() {
            assert!(server.poll_transmit(&mut answer, now).is_none(), "{index}");
            server.handle_datagram(&mut datagram.contents.to_vec(), now);
        }
        assert!(server.poll_transmit(&mut answer, now).is_some());
        assert_answered(call, &answer);
    }
}

/// The connection stands in the place of the end that was the DTLS server: it has that end's
/// credentials and addresses, and hears the recorded checks and the recorded hello. Only what
/// depends on random numbers of its own, the answers to its own checks, is made here.
#[test]
fn a_connection_answers_the_recorded_hello_once_a_pair_is_valid() {
    for call in calls() {
        let client = call.facts.dtls_client;
        let server = client.other();
        let start = origin();
        let mut connection = stand_in(call, server);
        let hello = hello_of(call);
        let first = hello[0].at;
        let checks = call.datagrams_of(Kind::Stun).filter(|sent| {
            let message = Message::parse(sent.contents).unwrap();
            let path = (sent.source, sent.destination);
            sent.from == client
                && message.class() == Class::Request
                && path == (hello[0].source, hello[0].destination)
        });
        let check = checks.min_by_key(|sent| sent.at).unwrap();
        let now = start + first.max(check.at);
        connection.handle_datagram(arrive(check, &mut check.contents.to_vec()), now);
        for datagram in &hello {
            connection.handle_datagram(arrive(datagram, &mut datagram.contents.to_vec()), now);
        }

        let mut sent = drain(&mut connection, now);
        assert!(
            sent.iter().all(|(_, contents)| is_stun(contents)),
            "{}: nothing of DTLS before our own check is answered",
            call.name
        );
        let asked = sent.iter().filter_map(|(transmit, contents)| {
            let message = Message::parse(contents).unwrap();
            (message.class() == Class::Request).then(|| answer(call, client, transmit, &message))
        });
        for (path, mut contents) in asked.collect::<Vec<_>>() {
            let ecn = Ecn::default();
            let contents = &mut contents[..];
            connection.handle_datagram(
                Datagram {
                    path,
                    contents,
                    ecn,
                },
                now,
            );
        }

        sent = drain(&mut connection, now);
        let flight = sent.iter().find(|(_, contents)| is_dtls(contents[0]));
        let (transmit, flight) = flight.unwrap_or_else(|| panic!("{}", call.name));
        let back = Path::udp(hello[0].destination, hello[0].source);
        assert_eq!(transmit.path, back, "{}", call.name);
        assert_answered(call, flight);
    }
}

fn arrive<'a>(datagram: &Recorded, contents: &'a mut [u8]) -> Datagram<'a> {
    Datagram {
        path: Path::udp(datagram.destination, datagram.source),
        contents,
        ecn: Ecn::default(),
    }
}

/// The datagrams of the first flight; the fragments of one message.
fn hello_of(call: &Call) -> Vec<Recorded> {
    let mut seen = Vec::new();
    for datagram in call.datagrams_of(Kind::Dtls) {
        if !is_client_hello(datagram.contents) {
            break;
        }
        assert_eq!(datagram.from, call.facts.dtls_client);
        // A retransmission repeats the handshake message under another record number.
        seen.push(*datagram);
    }
    assert!(matches!(seen.len(), 1..=2), "{}: {}", call.name, seen.len());
    seen
}

/// Whoever offers DTLS 1.3 gets it; whoever offers 1.2 alone gets that.
fn assert_answered(call: &Call, answer: &[u8]) {
    let mut copy = answer.to_vec();
    let (header, contents, _) = RecordHeader::split(&mut copy).unwrap();
    assert_eq!(header.content_type, ContentType::HANDSHAKE);
    let (fragment, _) = Fragment::split(contents).unwrap();
    assert_eq!(fragment.kind, HandshakeType::SERVER_HELLO, "{}", call.name);
    let hello = ServerHello::parse(fragment.body).unwrap();
    assert_eq!(hello.version, ProtocolVersion::DTLS12);
    let dtls13 = hello.extensions.selected_version().unwrap() == Some(ProtocolVersion::DTLS13.0);
    assert!(dtls13 || call.facts.dtls == "1.2", "{}", call.name);
    if !dtls13 {
        let profiles = hello.extensions.use_srtp().unwrap().unwrap().profiles();
        assert_eq!(profiles.count(), 1, "{}", call.name);
    }
}

/// A connection in the place of one end of the call.
fn stand_in(call: &Call, end: End) -> RTCConnection {
    let start = origin();
    let policy = match end {
        End::Browser => RolePolicy::Controlling,
        End::Peer => RolePolicy::Controlled,
    };
    let ice = ortc_core::ice::Config::default()
        .local_credentials(call.credentials(end))
        .role(policy);
    let addresses = call.addresses(end).into_iter();
    let options = RTCConnectionOptions::new([6; 32])
        .ice(ice)
        .dtls_role(DtlsRole::Server)
        .local_candidates(LocalCandidates::AtOnce);
    let options = addresses.fold(options, RTCConnectionOptions::local_address);
    let mut connection = RTCConnection::new(options, start).unwrap();
    assert_eq!(connection.local().ice.as_ref(), Some(&call.side(end).ice));
    let remote = call.side(end.other()).ice.clone();
    connection.set_remote_ice(remote, start).unwrap();
    connection.connect(start).unwrap();
    connection
}

fn drain(connection: &mut RTCConnection, now: std::time::Instant) -> Vec<(Transmit, Vec<u8>)> {
    let mut sent = Vec::new();
    let mut buf = Vec::new();
    while let Some(transmit) = connection.poll_transmit(&mut buf, now) {
        sent.push((transmit, core::mem::take(&mut buf)));
    }
    sent
}

/// The answer of an end to a check that came over this path.
fn answer(call: &Call, end: End, sent: &Transmit, check: &Message<'_>) -> (Path, Vec<u8>) {
    let mut contents = Vec::new();
    let key = IntegrityKey::new(call.side(end).ice.password.as_bytes());
    let id = check.transaction_id();
    let mut builder = MessageBuilder::new(&mut contents, Class::Success, Method::BINDING, id);
    builder.xor_mapped_address(sent.path.local);
    builder.integrity(&key);
    builder.fingerprint();
    (sent.path, contents)
}
