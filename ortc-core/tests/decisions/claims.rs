//! One pair of addresses carries one connection at a time, and its owner has proved to be there.

use ortc_core::ice::{Config, Credentials};
use ortc_core::{DisconnectReason, Event, Path, RTCConnection, Route};
use ortc_testkit::call::address_a;

use super::hub::{Hub, candidate, hand, peer_address};
use super::ms;

/// An answer to a STUN request, as far as a socket reads it.
fn answer_to(request: &[u8]) -> Vec<u8> {
    let mut answer = vec![1, 1, 0, 0];
    answer.extend_from_slice(&request[4..20]);
    answer
}

fn is_request(datagram: &[u8]) -> bool {
    datagram.starts_with(&[0, 1])
}

/// The next check that a connection wants to send.
fn check_of(connection: &mut RTCConnection, now: std::time::Instant) -> Vec<u8> {
    let mut buf = Vec::new();
    let next = || {
        buf.clear();
        let _ = connection.poll_transmit(&mut buf, now)?;
        Some(buf.clone())
    };
    core::iter::from_fn(next)
        .find(|sent| is_request(sent))
        .unwrap()
}

fn expired(connection: &mut RTCConnection) -> bool {
    let mut events = core::iter::from_fn(|| connection.poll_event());
    let reason = DisconnectReason::ConsentExpired;
    events.any(|event| matches!(event, Event::Disconnected(seen) if seen == reason))
}

#[test]
fn a_client_that_comes_back_from_its_address_with_new_credentials_takes_it_over() {
    let mut hub = Hub::new();
    let (old, address) = (hub.add(false), peer_address(0));
    let first = hub.peer(old);
    hub.answer(old, first);
    hub.run(ms(1_000));
    assert_eq!(hub.owner(address), Route::Connection(old));

    // The page was loaded again: same NAT binding, another connection.
    hub.at[first] = None;
    let new = hub.add(false);
    let second = hub.peer_at(new, address, Config::default());
    hub.answer(new, second);
    hub.run(ms(1_000));
    assert!(hub.ours[&new].is_connected() && hub.peers[second].is_connected());
    assert_eq!(hub.owner(address), Route::Connection(new));

    hub.run(ms(40_000));
    assert!(expired(hub.ours.get_mut(&old).unwrap()));
    assert!(hub.ours[&new].is_connected());
    assert_eq!(hub.owner(address), Route::Connection(new));
    // Closing the old one takes nothing from the new one.
    hub.ours.get_mut(&old).unwrap().close(hub.now);
    hub.run(ms(10));
    assert_eq!(hub.owner(address), Route::Connection(new));
}

#[test]
fn who_knows_credentials_takes_no_address_that_he_does_not_receive_at() {
    let mut hub = Hub::new();
    let victim = hub.add(false);
    let client = hub.peer(victim);
    hub.answer(victim, client);
    hub.run(ms(1_000));
    let address = peer_address(client);

    // Somebody has a connection of his own here, and sends its checks with the client's address
    // as their source.
    let own = hub.add(false);
    let attacker = hub.peer_at(own, peer_address(9), Config::default());
    hub.at[attacker] = None;
    hub.answer(own, attacker);
    let forged = check_of(&mut hub.peers[attacker], hub.now);
    for _ in 0..600 {
        hub.run(ms(100));
        let path = Path::udp(address_a(), address);
        let route = hub.socket.handle_datagram(path, &forged, hub.now);
        assert_eq!(route, Route::Connection(own));
        hand(
            hub.ours.get_mut(&own).unwrap(),
            path,
            forged.clone(),
            hub.now,
        );
        assert_eq!(hub.owner(address), Route::Connection(victim));
    }
    assert!(hub.ours[&victim].is_connected() && hub.peers[client].is_connected());
    assert!(!expired(hub.ours.get_mut(&victim).unwrap()));
}

#[test]
fn an_address_that_was_claimed_with_forged_checks_goes_to_who_answers_there() {
    let mut hub = Hub::new();
    let (own, victim) = (hub.add(false), hub.add(false));
    let attacker = hub.peer_at(own, peer_address(9), Config::default());
    hub.at[attacker] = None;
    hub.answer(own, attacker);
    let address = peer_address(1);
    let forged = check_of(&mut hub.peers[attacker], hub.now);
    let path = Path::udp(address_a(), address);
    hub.socket.handle_datagram(path, &forged, hub.now);
    hub.run(ms(10));
    assert_eq!(hub.owner(address), Route::Connection(own));

    let client = hub.peer_at(victim, address, Config::default());
    hub.answer(victim, client);
    hub.run(ms(2_000));
    assert!(hub.ours[&victim].is_connected() && hub.peers[client].is_connected());
    assert_eq!(hub.owner(address), Route::Connection(victim));
    // Not even for the checks of the one who was not there.
    let route = hub.socket.handle_datagram(path, &forged, hub.now);
    assert_eq!(route, Route::Unknown);
}

#[test]
fn a_forged_check_that_fails_authentication_claims_nothing() {
    let mut hub = Hub::new();
    let id = hub.add(false);
    let peer = hub.peer(id);
    let mut forged = check_of(&mut hub.peers[peer], hub.now);
    let last = forged.len() - 20;
    forged[last] ^= 1;
    let elsewhere = peer_address(7);
    let path = Path::udp(address_a(), elsewhere);
    hub.socket.handle_datagram(path, &forged, hub.now);
    assert_eq!(hub.owner(elsewhere), Route::Unknown);
}

#[test]
fn answers_find_their_connection_though_many_ask_one_address() {
    let mut hub = Hub::new();
    let address = peer_address(40);
    let ids: Vec<_> = (0..50).map(|number| hub.add(number % 2 == 0)).collect();
    let ice = hub.ours[&ids[1]].local().ice.clone().unwrap();
    for id in &ids {
        let now = hub.now;
        let ours = hub.ours.get_mut(id).unwrap();
        let mut remote = ice.clone();
        remote.username_frag = format!("peer{}", remote.username_frag);
        ours.set_remote_ice(remote, now).unwrap();
        ours.set_remote_candidate(&candidate(address), now).unwrap();
        ours.connect(now).unwrap();
        while let Some(update) = ours.poll_socket_update() {
            hub.socket.handle_update(update, now);
        }
    }
    let path = Path::udp(address_a(), address);
    for id in ids {
        let now = hub.now + ms(300);
        let ours = hub.ours.get_mut(&id).unwrap();
        ours.handle_timeout(now);
        let answer = answer_to(&check_of(ours, now));
        let route = hub.socket.handle_datagram(path, &answer, now);
        assert_eq!(route, Route::Connection(id));
    }
}

#[test]
fn a_connection_that_lost_its_address_may_come_back_with_new_credentials() {
    let mut hub = Hub::new();
    let (old, address) = (hub.add(false), peer_address(0));
    let first = hub.peer(old);
    hub.answer(old, first);
    hub.run(ms(1_000));
    let new = hub.add(false);
    hub.at[first] = None;
    let second = hub.peer_at(new, address, Config::default());
    hub.answer(new, second);
    hub.run(ms(1_000));
    assert_eq!(hub.owner(address), Route::Connection(new));

    // Now the first is there again, and restarts.
    (hub.at[first], hub.at[second]) = (Some(address), None);
    hub.run(ms(1_000));
    assert_eq!(
        hub.owner(address),
        Route::Connection(new),
        "old checks say nothing"
    );
    let ice = hub
        .ours
        .get_mut(&old)
        .unwrap()
        .restart_ice(hub.now)
        .unwrap();
    hub.peers[first].set_remote_ice(ice, hub.now).unwrap();
    let candidate = candidate(address_a());
    hub.peers[first]
        .set_remote_candidate(&candidate, hub.now)
        .unwrap();
    let back = hub.peers[first].restart_ice(hub.now).unwrap();
    let ours = hub.ours.get_mut(&old).unwrap();
    ours.set_remote_ice(back, hub.now).unwrap();
    hub.run(ms(1_000));
    assert_eq!(hub.owner(address), Route::Connection(old));
    assert!(hub.ours[&old].is_connected() && hub.peers[first].is_connected());
}

/// Forks share a password, so that two peers who drew the same user name are told apart by where
/// they are, or not at all.
#[test]
fn forks_whose_peers_have_the_same_user_name_are_not_mixed_up() {
    let mut hub = Hub::new();
    let ids = [hub.add(true), hub.add(true)];
    let peers = ids.map(|id| {
        let number = u8::try_from(hub.peers.len()).unwrap();
        let password = format!("passwordOf22octetsOr{number}{number}");
        let same = Credentials::new("same", password).unwrap();
        let ice = Config::default().local_credentials(same);
        hub.peer_at(id, peer_address(usize::from(number)), ice)
    });
    for (id, peer) in ids.into_iter().zip(peers) {
        hub.answer(id, peer);
        let ours = hub.ours.get_mut(&id).unwrap();
        let candidate = candidate(peer_address(peer));
        ours.set_remote_candidate(&candidate, hub.now).unwrap();
    }
    hub.run(ms(2_000));
    for (id, peer) in ids.into_iter().zip(peers) {
        assert!(hub.ours[&id].is_connected() && hub.peers[peer].is_connected());
        assert_eq!(hub.owner(peer_address(peer)), Route::Connection(id));
    }
    let (_, check) = hub.checks[0].clone();
    let elsewhere = Path::udp(address_a(), peer_address(8));
    let route = hub.socket.handle_datagram(elsewhere, &check, hub.now);
    assert_eq!(route, Route::Unknown);
}

/// What a peer may signal or forge does not keep its own connection from the path that works.
#[test]
fn a_valid_path_is_claimed_though_every_claim_is_used() {
    let mut hub = Hub::new();
    let id = hub.add(false);
    let peer = hub.peer(id);
    hub.answer(id, peer);
    let check = check_of(&mut hub.peers[peer], hub.now);
    for port in 1_000..1_400 {
        let forged = Path::udp(address_a(), ([10, 9, 9, 9], port).into());
        hub.socket.handle_datagram(forged, &check, hub.now);
    }
    let now = hub.now + ms(100);
    hub.now = now;
    hub.peers[peer].handle_timeout(now);
    hub.run(ms(1_000));
    assert!(hub.ours[&id].is_connected());
    assert_eq!(hub.owner(peer_address(peer)), Route::Connection(id));
    let kept = (1_000..1_400).filter(|port| {
        let forged = ([10, 9, 9, 9], *port).into();
        hub.owner(forged) == Route::Connection(id)
    });
    assert!(kept.count() < 256);
}
