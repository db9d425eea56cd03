//! RTCSocket: one address for many connections.

use ortc_core::ice::Config;
use ortc_core::{
    ConnectionError, Event, Path, RTCConnection, RTCConnectionOptions, Route, SocketError,
    SocketEvent,
};
use ortc_testkit::call::address_a;

use super::hub::{Hub, candidate, peer_address};
use super::{at_once, call, ms};

#[test]
fn rtc_socket_forks_one_description_to_many_answers() {
    let mut hub = Hub::new();
    let ids = [hub.add(true), hub.add(true), hub.add(true)];
    assert_eq!(hub.ours[&ids[0]].local(), hub.ours[&ids[1]].local());
    let peers = ids.map(|id| hub.peer(id));
    // Their checks come before any answer: they wait.
    hub.run(ms(100));
    assert_eq!(hub.unknown, 0);
    for (id, peer) in ids.into_iter().zip(peers) {
        hub.answer(id, peer);
    }
    hub.run(ms(2_000));
    assert!(
        hub.ours
            .values()
            .chain(&hub.peers)
            .all(RTCConnection::is_connected)
    );

    hub.ours.get_mut(&ids[1]).unwrap().close(hub.now);
    hub.run(ms(40_000));
    assert_eq!(hub.socket.connections(), 2);
    assert!(hub.ours[&ids[0]].is_connected() && hub.ours[&ids[2]].is_connected());
    assert!(hub.peers[0].is_connected() && !hub.peers[1].is_connected());
}

#[test]
fn rtc_socket_admits_connections_with_credentials_of_their_own() {
    let mut hub = Hub::new();
    let ids: Vec<_> = (0..20).map(|_| hub.add(false)).collect();
    assert_ne!(hub.ours[&ids[0]].local().ice, hub.ours[&ids[1]].local().ice);
    for id in ids {
        let peer = hub.peer(id);
        hub.answer(id, peer);
    }
    hub.run(ms(3_000));
    assert!(
        hub.ours
            .values()
            .chain(&hub.peers)
            .all(RTCConnection::is_connected)
    );
}

/// RFC 8445 §14.2: however many agents there are, one `Ta`.
#[test]
fn rtc_socket_spreads_the_checks_of_all_its_connections() {
    let mut hub = Hub::new();
    let ids: Vec<_> = (0..30).map(|_| hub.add(false)).collect();
    let start = hub.now;
    for id in &ids {
        let peer = hub.peer(*id);
        hub.at[peer] = None;
        hub.answer(*id, peer);
        let ours = hub.ours.get_mut(id).unwrap();
        ours.set_remote_candidate(&candidate(peer_address(peer)), start)
            .unwrap();
    }
    hub.run(ms(1_000));
    let times: Vec<_> = hub.checked_at.iter().map(|at| *at - start).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= ms(5)));
    // And no slot is left out while somebody wants one.
    assert_eq!(times[29], ms(29 * 5));
    assert!(times.len() > 150, "{} checks in a second", times.len());
}

#[test]
fn rtc_socket_follows_restarts_and_forgets_all_of_a_closed_connection() {
    let mut hub = Hub::new();
    let (id, other) = (hub.add(true), hub.add(true));
    let peer = hub.peer(id);
    hub.answer(id, peer);
    hub.run(ms(1_000));
    for _ in 0..40 {
        let ours = hub.ours.get_mut(&id).unwrap();
        let ice = ours.restart_ice(hub.now).unwrap();
        hub.peers[peer].set_remote_ice(ice, hub.now).unwrap();
        hub.peers[peer]
            .set_remote_candidate(&candidate(address_a()), hub.now)
            .unwrap();
        let back = hub.peers[peer].restart_ice(hub.now).unwrap();
        hub.ours
            .get_mut(&id)
            .unwrap()
            .set_remote_ice(back, hub.now)
            .unwrap();
        hub.run(ms(500));
        assert!(hub.ours[&id].is_connected() && hub.peers[peer].is_connected());
    }
    // The connection that restarted was the first on the shared credentials: the others still
    // take checks for them.
    let second = hub.peer(other);
    hub.run(ms(50));
    hub.answer(other, second);
    hub.run(ms(2_000));
    assert!(hub.ours[&other].is_connected());

    hub.ours.get_mut(&id).unwrap().close(hub.now);
    hub.settle();
    let restarted = peer_address(peer);
    let checks = core::mem::take(&mut hub.checks);
    assert!(checks.len() > 80);
    for (path, check) in checks.iter().filter(|(path, _)| path.remote == restarted) {
        let route = hub.socket.handle_datagram(*path, check, hub.now);
        assert_eq!(
            route,
            Route::Unknown,
            "nothing leads to a closed connection"
        );
    }
}

/// A peer that signals more candidates than a connection may claim paths is still found where its
/// checks come from.
#[test]
fn rtc_socket_follows_a_check_though_all_claims_are_used() {
    let mut hub = Hub::new();
    let place = hub.socket.admit().unwrap();
    let id = place.id();
    let many = Config::default().max_remote_candidates(1_000).unwrap();
    let options = RTCConnectionOptions::new([9; 32]).socket(place).ice(many);
    let mut ours = RTCConnection::new(at_once(options), hub.now).unwrap();
    for port in 1_000..1_300 {
        let nowhere = candidate(core::net::SocketAddr::from(([10, 9, 9, 9], port)));
        ours.set_remote_candidate(&nowhere, hub.now).unwrap();
    }
    hub.ours.insert(id, ours);
    let peer = hub.peer(id);
    hub.answer(id, peer);
    hub.run(ms(1_000));
    let path = Path::udp(address_a(), peer_address(peer));
    let route = hub.socket.handle_datagram(path, &[0x80, 96, 0, 0], hub.now);
    assert_eq!(route, Route::Connection(id));
}

/// A page that signals the same credentials again and again is no restart.
#[test]
fn rtc_socket_keeps_the_former_credentials_when_the_new_ones_are_told_again() {
    let mut hub = Hub::new();
    let (id, _) = (hub.add(true), hub.add(true));
    let peer = hub.peer(id);
    hub.answer(id, peer);
    hub.run(ms(1_000));
    let (path, check) = hub.checks[0].clone();
    let back = hub.peers[peer].restart_ice(hub.now).unwrap();
    for _ in 0..5 {
        let ours = hub.ours.get_mut(&id).unwrap();
        ours.set_remote_ice(back.clone(), hub.now).unwrap();
        hub.settle();
    }
    let route = hub.socket.handle_datagram(path, &check, hub.now);
    assert_eq!(route, Route::Connection(id));
}

/// Addresses of the socket are those of all its connections, of the ones that are there as well.
#[test]
fn rtc_socket_tells_its_connections_of_new_addresses_and_of_lost_ones() {
    let mut hub = Hub::new();
    let id = hub.add(false);
    let new = "10.0.0.99:5000".parse().unwrap();
    assert_eq!(hub.socket.poll_event(), None);
    hub.socket.add_local_address(new);
    hub.socket.remove_local_address(address_a());
    hub.socket.update(hub.now).unwrap();
    let Some(SocketEvent::Candidates(candidates)) = hub.socket.poll_event() else {
        panic!("nothing was told");
    };
    let ours = hub.ours.get_mut(&id).unwrap();
    while ours.poll_event().is_some() {}
    ours.handle_socket_candidates(&candidates, hub.now);
    let Some(Event::Candidate(found)) = ours.poll_event() else {
        panic!("no candidate");
    };
    assert_eq!(found.connection_address, "10.0.0.99");
    assert_eq!(ours.poll_event(), None);
    ours.update(hub.now).unwrap();
    assert!(matches!(ours.poll_event(), Some(Event::Candidate(again)) if again == found));
    assert_eq!(ours.poll_event(), Some(Event::EndOfCandidates));

    hub.socket.add_local_address("0.0.0.0:1".parse().unwrap());
    assert!(hub.socket.update(hub.now).is_err());
}

#[test]
fn rtc_socket_is_taken_from_its_connection_once() {
    let mut pair = call(800);
    pair.signal();
    pair.vouch();
    assert!(pair.run_until_connected(ms(5_000)));
    let mut socket = pair.a().connection.get_local_socket().unwrap();
    assert_eq!(
        pair.a().connection.get_local_socket().unwrap_err(),
        ConnectionError::SocketTaken
    );
    let now = pair.net.now();
    while let Some(update) = pair.a().connection.poll_socket_update() {
        socket.handle_update(update, now);
    }
    assert_eq!(socket.connections(), 1);
    assert_eq!(socket.local_addresses(), [address_a()]);
    let path = Path::udp(address_a(), ortc_testkit::call::address_b());
    let route = socket.handle_datagram(path, &[0x80, 96, 0, 0], now);
    assert!(
        matches!(route, Route::Connection(_)),
        "an established path is known at once"
    );
    let fork = socket.fork().unwrap();
    let options = RTCConnectionOptions::new([77; 32]).socket(fork);
    let mut other = RTCConnection::new(options, now).unwrap();
    assert_eq!(other.local(), pair.a().connection.local());
    assert!(matches!(other.poll_event(), Some(Event::Candidate(_))));
    assert_eq!(
        other.get_local_socket().unwrap_err(),
        ConnectionError::SocketTaken
    );
}

/// What strangers send is not kept, and what a peer sends too early is kept within a bound.
#[test]
fn rtc_socket_holds_a_bounded_number_of_authentic_checks() {
    let mut hub = Hub::new();
    let ids = [hub.add(true), hub.add(true)];
    let garbage = hub.socket.handle_datagram(
        Path::udp(address_a(), peer_address(3)),
        &[
            0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
        hub.now,
    );
    assert_eq!(garbage, Route::Unknown);
    let peer = hub.peer(ids[0]);
    let mut buf = Vec::new();
    let sent = hub.peers[peer].poll_transmit(&mut buf, hub.now).unwrap();
    let arrival = Path::udp(sent.path.remote, sent.path.local);
    for _ in 0..1_000 {
        let route = hub.socket.handle_datagram(arrival, &buf, hub.now);
        assert_eq!(route, Route::Held);
    }
    let mut forged = buf.clone();
    let last = forged.len() - 20;
    forged[last] ^= 1;
    assert_eq!(
        hub.socket.handle_datagram(arrival, &forged, hub.now),
        Route::Unknown
    );
    hub.answer(ids[0], peer);
    while let Some(update) = hub.ours.get_mut(&ids[0]).unwrap().poll_socket_update() {
        hub.socket.handle_update(update, hub.now);
    }
    let pending = core::iter::from_fn(|| hub.socket.poll_pending()).count();
    assert_eq!(pending, ortc_core::MAX_HELD_CHECKS);
}

#[test]
fn rtc_socket_refuses_more_connections_than_its_bound() {
    let mut hub = Hub::new();
    for _ in 0..ortc_core::MAX_CONNECTIONS {
        hub.socket.fork().unwrap();
    }
    assert_eq!(hub.socket.admit().unwrap_err(), SocketError::Full);
}
