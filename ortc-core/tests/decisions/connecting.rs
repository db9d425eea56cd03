//! Addresses, candidates, roles, and the ways in which a connection ends and comes back.

use core::time::Duration;

use ortc_core::ice::{Config, RolePolicy};
use ortc_core::{
    ConnectionError, DisconnectReason, DtlsRole, Event, RTCConnection, RTCConnectionOptions,
    RTCIceCandidateDescription, RTCIceConnectionInfo, RTCIceServer, ServerScheme, ServerTransport,
};
use ortc_testkit::call::{Call, address_a, address_b};
use ortc_testkit::link::Link;
use ortc_testkit::net::Machine;

use super::{at_once, call, call_with, connected, frames, ms, talk};

pub(super) fn disconnects(call: &mut Call) -> [Vec<DisconnectReason>; 2] {
    let reasons = |events: &[Event]| {
        let reason = |event: &Event| match event {
            Event::Disconnected(reason) => Some(*reason),
            _ => None,
        };
        events.iter().filter_map(reason).collect()
    };
    let a = reasons(&call.a().events);
    [a, reasons(&call.b().events)]
}

#[test]
fn local_addresses_are_gathered_at_construction_and_anew_by_update() {
    let now = call(1).net.now();
    let options = RTCConnectionOptions::new([1; 32]).local_address(address_a());
    let mut connection = RTCConnection::new(options, now).unwrap();
    let gathered = |connection: &mut RTCConnection| {
        let mut ports = Vec::new();
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Candidate(candidate) => ports.push(candidate.connection_port),
                Event::EndOfCandidates => return ports,
                other => panic!("{other:?}"),
            }
        }
        panic!("gathering did not end")
    };
    assert_eq!(gathered(&mut connection), [5000]);

    connection
        .add_local_address("192.0.2.9:6000".parse().unwrap())
        .unwrap();
    assert_eq!(
        connection.poll_event(),
        None,
        "update gathers, listing does not"
    );
    connection.update(now).unwrap();
    assert_eq!(gathered(&mut connection), [5000, 6000]);

    connection.remove_local_address(address_a());
    connection.update(now).unwrap();
    assert_eq!(gathered(&mut connection), [6000]);
}

#[test]
fn update_beyond_what_the_agent_holds_tells_nothing() {
    let now = call(1).net.now();
    let options = RTCConnectionOptions::new([1; 32])
        .ice(Config::default().max_pairs(1).unwrap())
        .local_address(address_a());
    let mut connection = RTCConnection::new(at_once(options), now).unwrap();
    while connection.poll_event().is_some() {}
    let second = "192.0.2.9:6000".parse().unwrap();
    connection.add_local_address(second).unwrap();
    assert!(matches!(
        connection.update(now),
        Err(ConnectionError::Ice(_))
    ));
    assert_eq!(connection.poll_event(), None);
    connection.remove_local_address(second);
    assert_eq!(connection.update(now), Ok(()));
}

#[test]
fn a_new_address_that_update_gathers_carries_the_connection_when_the_old_one_dies() {
    let (mut call, mic, _) = connected(40);
    let wifi = "10.0.0.9:5009".parse().unwrap();
    let now = call.net.now();
    call.a().connection.add_local_address(wifi).unwrap();
    call.a().connection.update(now).unwrap();
    call.a().drain(now);
    call.net.attach(call.a, wifi);
    call.net.run_for(ms(500));
    call.net.block(address_a(), address_b());
    call.net.run_for(ms(8_000));

    let before = frames(&mut call);
    talk(&mut call, mic, 0, 10);
    assert_eq!(frames(&mut call), before + 10);
}

#[test]
fn ice_servers_are_a_string_or_a_list_with_the_user_in_the_uri_or_beside_it() {
    let draft = r#"[ { "url":"stun:stun.example.net" } ,
        { "url":"turn:user@turn.example.org", "credential":"myPassword"},
        { "url":["turns:t.example.org:443?transport=tcp", "turn:[2001:db8::1]:99"],
          "credential":"x", "username":"other" } ]"#;
    let servers: Vec<RTCIceServer> = serde_json::from_str(draft).unwrap();
    let uris = |index: usize| servers[index].uris().unwrap();
    let stun = &uris(0)[0];
    assert_eq!((stun.scheme, stun.port), (ServerScheme::Stun, 3478));
    assert_eq!(servers[1].user(&uris(1)[0]), Some("user"));
    assert_eq!(servers[1].credential.as_deref(), Some("myPassword"));
    let turns = &uris(2)[0];
    assert_eq!((turns.scheme, turns.port), (ServerScheme::Turns, 443));
    assert_eq!(turns.transport, Some(ServerTransport::Tcp));
    assert_eq!(uris(2)[1].host, "2001:db8::1");
    let mut named = RTCIceServer::new("turn:a%40b@h");
    named.username = Some("wins".to_owned());
    let uri = &named.uris().unwrap()[0];
    assert_eq!(uri.user.as_deref(), Some("a@b"));
    assert_eq!(named.user(uri), Some("wins"));
    assert!(!format!("{servers:?}").contains("myPassword"));
}

#[test]
fn set_local_candidate_is_what_lets_a_candidate_take_part() {
    let mut pair = call(2);
    pair.signal();
    pair.net.run_for(ms(1_000));
    assert!(
        pair.a()
            .saw(|event| matches!(event, Event::ActiveCandidate(_)))
    );

    // The same without applying: nothing is sent at all.
    let now = pair.net.now();
    let options = RTCConnectionOptions::new([9; 32]).local_address(address_a());
    let mut silent = RTCConnection::new(options.clone(), now).unwrap();
    let mut eager = RTCConnection::new(at_once(options), now).unwrap();
    let remote = pair.b().connection.local().ice.clone().unwrap();
    let candidate = RTCIceCandidateDescription {
        foundation: "1".to_owned(),
        component: 1,
        transport: "udp".to_owned(),
        tcp_type: None,
        priority: 5,
        connection_address: "10.0.0.2".to_owned(),
        connection_port: 5000,
        kind: "host".to_owned(),
        rel_address: None,
        rel_port: None,
        dtls: None,
    };
    eager.set_remote_ice(remote.clone(), now).unwrap();
    eager.set_remote_candidate(&candidate, now).unwrap();
    eager.connect(now).unwrap();
    assert!(eager.poll_transmit(&mut Vec::new(), now).is_some());
    silent.set_remote_ice(remote, now).unwrap();
    silent.set_remote_candidate(&candidate, now).unwrap();
    silent.connect(now).unwrap();
    assert!(silent.poll_transmit(&mut Vec::new(), now).is_none());
    let Some(Event::Candidate(found)) = silent.poll_event() else {
        panic!("gathering tells first")
    };
    silent.set_local_candidate(&found, now).unwrap();
    assert!(silent.poll_transmit(&mut Vec::new(), now).is_some());
}

#[test]
fn connect_needs_the_remote_ice_and_keeps_what_was_given_before() {
    let mut call = call(3);
    let now = call.net.now();
    assert_eq!(
        call.a().connection.connect(now),
        Err(ConnectionError::NoRemoteIce)
    );
    // The other way round than `signal`: candidates and tracks first, credentials last.
    let mut texts = call.b().signals();
    texts.rotate_left(1);
    let ours = call.a().signals();
    for text in texts {
        call.a().handle_signal(&text, now);
    }
    for text in ours {
        call.b().handle_signal(&text, now);
    }
    assert!(call.run_until_connected(ms(5_000)));
}

#[test]
fn end_of_remote_candidates_makes_failure_known_before_patience_is_over() {
    let failed_after = |end: bool| {
        let mut call = call(4);
        call.net.block(address_a(), address_b());
        call.signal();
        let now = call.net.now();
        if end {
            call.a().connection.end_of_remote_candidates(now).unwrap();
        }
        let a = call.a;
        assert!(call.net.run_until(now + ms(120_000), |net| {
            net.node(a)
                .saw(|event| *event == Event::Disconnected(DisconnectReason::IceFailed))
        }));
        assert!(call.a().connection.is_closed(), "final");
        call.net.elapsed()
    };
    let (told, untold) = (failed_after(true), failed_after(false));
    assert!(told < untold, "{told:?} {untold:?}");
    assert!(untold >= Duration::from_secs(39), "RFC 8863: {untold:?}");
}

#[test]
fn ice_role_is_decided_by_the_credentials_and_conflicts_are_repaired() {
    let policies = [
        (RolePolicy::ByCredentials, RolePolicy::ByCredentials),
        (RolePolicy::Controlling, RolePolicy::Controlling),
        (RolePolicy::Controlled, RolePolicy::Controlled),
        (RolePolicy::Controlling, RolePolicy::Controlled),
    ];
    for (number, (first, second)) in (50..).zip(policies) {
        let mut call = call_with(number, |index, options| {
            let role = if index == 0 { first } else { second };
            options.ice(Config::default().role(role))
        });
        call.signal();
        assert!(call.run_until_connected(ms(5_000)), "{first:?} {second:?}");
    }
}

#[test]
fn dtls_role_combinations_all_connect_but_two_equal_explicit_ones() {
    use DtlsRole::{Auto, Client, Server};
    let combinations = [
        (Auto, Auto, true),
        (Auto, Client, true),
        (Auto, Server, true),
        (Client, Auto, true),
        (Server, Auto, true),
        (Client, Server, true),
        (Server, Client, true),
        (Client, Client, false),
        (Server, Server, false),
    ];
    let ice = [
        (RolePolicy::Controlling, RolePolicy::Controlled),
        (RolePolicy::Controlled, RolePolicy::Controlling),
    ];
    for (first, second, works) in combinations {
        for (index, (a, b)) in (0..).zip(ice) {
            for mtu in [256, 1_200] {
                let mut call = call_with(60 + index, |end, options| {
                    let (role, policy) = if end == 0 { (first, a) } else { (second, b) };
                    options
                        .dtls_role(role)
                        .mtu(mtu)
                        .ice(Config::default().role(policy))
                });
                call.signal();
                call.vouch();
                let connected = call.run_until_connected(ms(20_000));
                assert_eq!(connected, works, "{first:?} {second:?} {a:?} {mtu}");
                if works {
                    let roles = [0, 1].map(|end| {
                        let now = call.net.now();
                        let peer = if end == 0 { call.a() } else { call.b() };
                        peer.connection.stats(now).dtls.unwrap().role
                    });
                    assert_ne!(roles[0], roles[1]);
                } else {
                    let conflict = vec![DisconnectReason::DtlsRoleConflict];
                    assert_eq!(disconnects(&mut call), [conflict.clone(), conflict]);
                }
            }
        }
    }
}

#[test]
fn dtls_starts_with_the_first_valid_pair_and_not_after_nomination() {
    let mut call = call(5);
    call.signal();
    assert!(call.run_until_connected(ms(5_000)));
    // 20 ms round trip: a check, the handshake of two round trips, and nothing waited for.
    assert!(call.net.elapsed() <= ms(120), "{:?}", call.net.elapsed());
}

#[test]
fn connected_and_disconnected_are_told_once_with_the_reason() {
    let (mut call, mic, _) = connected(6);
    for end in [call.a, call.b] {
        let peer = call.net.node(end);
        assert_eq!(peer.count(|event| matches!(event, Event::Connected)), 1);
    }
    call.net.block(address_a(), address_b());
    call.net.run_for(ms(35_000));
    let expired = DisconnectReason::ConsentExpired;
    assert_eq!(disconnects(&mut call), [vec![expired], vec![expired]]);
    assert!(!call.a().connection.is_connected());

    call.net.unblock(address_a(), address_b());
    call.net.run_for(ms(20_000));
    assert!(call.a().connection.is_connected(), "it came back");
    assert_eq!(call.a().count(|event| matches!(event, Event::Connected)), 2);
    talk(&mut call, mic, 5_000, 5);
    assert!(frames(&mut call) >= 5);

    let now = call.net.now();
    call.b().connection.close(now);
    call.net.run_for(ms(100));
    let [a, b] = disconnects(&mut call);
    assert_eq!(b, [expired, DisconnectReason::Closed]);
    assert_eq!(
        a.last(),
        Some(&DisconnectReason::Dtls(
            ortc_core::dtls::CloseReason::PeerClosed
        ))
    );
}

#[test]
fn path_failure_sends_nothing_but_checks_after_consent_expired() {
    let (mut call, mic, _) = connected(7);
    talk(&mut call, mic, 0, 5);
    call.net.block(address_a(), address_b());
    call.net.run_for(ms(31_000));
    let sent = call.net.log.len();
    call.net.run_for(ms(60_000));
    let stray = call.net.log[sent..]
        .iter()
        .filter(|sent| sent.contents.first().is_some_and(|first| *first > 3));
    assert_eq!(stray.count(), 0);
    let now = call.net.now();
    let frame = ortc_core::Frame::new(vec![1], 0);
    assert_eq!(
        call.a().connection.send_frame(mic, &frame, now),
        Err(ortc_core::SendError::NotConnected)
    );
}

#[test]
fn restart_keeps_the_old_path_until_the_new_pair_is_valid() {
    let (mut call, mic, _) = connected(8);
    let now = call.net.now();
    let before = call.a().connection.local().ice.clone().unwrap();
    let ice = call.a().connection.restart_ice(now).unwrap();
    assert_ne!(ice, before);
    assert_eq!(call.a().connection.local().ice.as_ref(), Some(&ice));
    // Signalling takes a while: media goes on meanwhile.
    talk(&mut call, mic, 0, 50);
    assert_eq!(frames(&mut call), 50);

    let now = call.net.now();
    call.b().connection.set_remote_ice(ice, now).unwrap();
    let answer: RTCIceConnectionInfo = call.b().connection.restart_ice(now).unwrap();
    call.a().connection.set_remote_ice(answer, now).unwrap();
    for (end, address) in [(call.a, "10.0.0.2"), (call.b, "10.0.0.1")] {
        let candidate = RTCIceCandidateDescription {
            foundation: "1".to_owned(),
            component: 1,
            transport: "udp".to_owned(),
            tcp_type: None,
            priority: 2_130_706_431,
            connection_address: address.to_owned(),
            connection_port: 5000,
            kind: "host".to_owned(),
            rel_address: None,
            rel_port: None,
            dtls: None,
        };
        let peer = call.net.node_mut(end);
        peer.connection
            .set_remote_candidate(&candidate, now)
            .unwrap();
    }
    talk(&mut call, mic, 50, 100);
    assert_eq!(frames(&mut call), 150);
    assert_eq!(disconnects(&mut call), [vec![], vec![]]);
    let [a, b] = [call.a, call.b].map(|end| {
        let peer = call.net.node(end);
        peer.count(|event| matches!(event, Event::ActiveCandidate(_)))
    });
    assert!(a >= 2 && b >= 2, "the new generation has a pair of its own");
}

#[test]
fn close_still_says_goodbye_and_then_nothing_is_due() {
    let (mut call, mic, _) = connected(9);
    talk(&mut call, mic, 0, 3);
    let now = call.net.now();
    call.a().connection.close(now);
    call.a().connection.close(now);
    assert!(call.a().poll_timeout().is_some_and(|at| at <= now), "due");
    let mut kinds = Vec::new();
    let mut buf = Vec::new();
    while call.a().connection.poll_transmit(&mut buf, now).is_some() {
        kinds.push(buf[0]);
        buf.clear();
    }
    assert!(
        matches!(kinds[..], [128..=191, 20..=63]),
        "BYE, then close_notify: {kinds:?}"
    );
    assert!(call.a().connection.is_closed());
    assert_eq!(call.a().connection.poll_timeout(), None);
    call.a().drain(now);
    assert_eq!(
        call.a().events.last(),
        Some(&Event::Disconnected(DisconnectReason::Closed))
    );
    call.net.run_for(ms(60_000));
    let [a, _] = disconnects(&mut call);
    assert_eq!(a, [DisconnectReason::Closed], "one final event");
}

#[test]
fn a_lossy_jittery_link_connects_all_the_same() {
    for number in 100..110 {
        let link = Link::perfect(ms(30))
            .with_loss(0.2)
            .with_jitter(ms(40))
            .with_duplicate(0.1);
        let mut call = Call::new(number, link, |_, options| options);
        call.signal();
        call.vouch();
        assert!(call.run_until_connected(ms(15_000)), "seed {number}");
    }
}

#[test]
fn a_lite_end_is_found_and_its_peer_controls() {
    let mut call = call_with(910, |end, options| match end {
        0 => options.ice(Config::lite()),
        _ => options,
    });
    let now = call.net.now();
    call.b().connection.set_remote_lite(true, now);
    call.signal();
    call.vouch();
    assert!(call.run_until_connected(ms(5_000)));
    call.net.run_for(ms(60_000));
    let now = call.net.now();
    assert!(call.a().connection.is_connected() && call.b().connection.is_connected());
    let sent = call.a().connection.stats(now).ice.counters.requests_sent;
    assert_eq!(sent, 0, "a lite agent sends no checks");
}
