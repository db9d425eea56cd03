//! Pairs over TCP (RFC 6544): which are formed, how their streams are opened, used and lost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use core::time::Duration;

use ortc_ice::stun::{Class, Message};
use ortc_ice::{
    Agent, Candidate, CandidateKind, Config, Credentials, Datagram, Deframer, DropReason, Event,
    OpenStream, PairState, Path, PathState, Security, StreamId, TcpType, Transport,
};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Check, Node, answer, puppet};
use ortc_testkit::props::ice_candidates::{DELAY, World, host};

use TcpType::{Active, Passive, SimultaneousOpen};

const SECOND: Duration = Duration::from_secs(1);

fn tcp(side: usize, kind: TcpType) -> Candidate {
    Candidate::host_tcp(host(side, 0), kind).unwrap()
}

/// Two sides with these TCP candidates and nothing else, connecting.
fn over_tcp(a: &[TcpType], b: &[TcpType]) -> World {
    let mut world = World::new([Config::default(), Config::default()], 5);
    for (side, kinds) in [a, b].into_iter().enumerate() {
        for kind in kinds {
            world.add(side, tcp(side, *kind));
        }
    }
    world.connect();
    world
}

fn stream_of(path: Option<Path>) -> StreamId {
    let stream = path.and_then(|path| match path.transport {
        Transport::Stream(stream) => Some(stream),
        Transport::Udp | Transport::Unopened | _ => None,
    });
    stream.expect("a path over a stream")
}

fn saw(world: &World, side: usize, is: impl Fn(&Event) -> bool) -> bool {
    world.sides[side].events.iter().any(is)
}

#[test]
fn active_and_passive_connect_over_one_stream() {
    let mut world = over_tcp(&[Active], &[Passive]);
    assert!(world.run_until(SECOND, World::is_usable));
    // Two trips for the connection, two for the check.
    assert!(world.elapsed() <= 5 * DELAY, "{:?}", world.elapsed());
    let [a, b] = world.data_paths();
    assert_eq!(stream_of(a), stream_of(b));
    assert_eq!(b.unwrap().local, host(1, 0));
    world.run_for(60 * SECOND);
    assert_eq!(world.data_paths(), [a, b], "consent is kept up");
    assert_eq!(world.connects, 1);
    let remote = world.sides[1].events.iter().find_map(|event| {
        let Event::ActivePair { remote, .. } = event else {
            return None;
        };
        Some(remote.clone())
    });
    let remote = remote.unwrap();
    assert_eq!(
        remote.kind(),
        CandidateKind::PeerReflexive,
        "of a port of the moment"
    );
    assert_eq!(remote.tcp_type(), Some(Active));
}

#[test]
fn active_candidates_are_signalled_with_the_discard_port() {
    let mut world = over_tcp(&[], &[]);
    let active = world.add(0, tcp(0, Active));
    assert_eq!(active.address().port(), 9);
    assert_eq!(active.base().port(), 0);
    let line = active.to_sdp_attribute();
    assert!(
        line.contains(" tcp ") && line.ends_with(" 9 typ host tcptype active"),
        "{line}"
    );
}

#[test]
fn types_pair_as_the_table_says() {
    // RFC 6544 §6.2, without the rows that a passive side never checks.
    for (ours, theirs, pairs) in [
        (Active, Passive, 1),
        (SimultaneousOpen, SimultaneousOpen, 1),
        (Passive, Active, 0),
        (Active, Active, 0),
        (Passive, Passive, 0),
        (Active, SimultaneousOpen, 0),
        (SimultaneousOpen, Passive, 0),
        (SimultaneousOpen, Active, 0),
    ] {
        let mut world = World::new([Config::default(), Config::default()], 5);
        world.connect();
        world.add(0, tcp(0, ours));
        let theirs_placed = world.add_silently(1, tcp(1, theirs));
        world.signal(1, &theirs_placed);
        let formed = world.sides[0].agent.stats().pairs;
        assert_eq!(formed.len(), pairs, "{ours:?} with {theirs:?}");
        for pair in formed {
            assert_eq!(pair.path.transport, Transport::Unopened);
        }
    }
}

#[test]
fn streams_of_udp_and_tcp_hosts_never_mix() {
    let mut world = World::new([Config::default(), Config::default()], 5);
    for side in [0, 1] {
        // One port for both transports, as servers do.
        world.add(side, Candidate::host(host(side, 0)).unwrap());
        world.add(side, tcp(side, Passive));
    }
    world.add(0, tcp(0, Active));
    world.connect();
    world.run_for(2 * SECOND);
    let pairs = world.sides[0].agent.stats().pairs;
    assert_eq!(pairs.len(), 2);
    assert!(pairs.iter().all(|pair| pair.state == PairState::Succeeded));
    assert_eq!(
        world.data_paths()[0],
        Some(Path::udp(host(0, 0), host(1, 0))),
        "udp is preferred"
    );
    assert_eq!(
        world.data_paths()[1],
        Some(Path::udp(host(1, 0), host(0, 0)))
    );
}

#[test]
fn tcp_carries_when_udp_is_blocked() {
    let mut world = World::new([Config::default(), Config::default()], 5);
    for side in [0, 1] {
        world.dark.insert(host(side, 0));
        world.add(side, Candidate::host(host(side, 0)).unwrap());
        world.add(side, tcp(side, Active));
        world.add(side, tcp(side, Passive));
    }
    world.connect();
    assert!(world.run_until(SECOND, World::is_usable));
    println!("tcp instead of blocked udp: {:?}", world.elapsed());
    assert!(world.elapsed() <= Duration::from_millis(200));
    world.run_for(40 * SECOND);
    let [a, b] = world.data_paths();
    assert_eq!(
        stream_of(a),
        stream_of(b),
        "both agree on one of the two streams"
    );
}

#[test]
fn simultaneous_open_connects() {
    let mut world = over_tcp(&[SimultaneousOpen], &[SimultaneousOpen]);
    assert!(world.run_until(SECOND, World::is_usable));
    world.run_for(5 * SECOND);
    let [a, b] = world.data_paths();
    assert_eq!(stream_of(a), stream_of(b));
}

#[test]
fn a_stream_that_cannot_be_opened_fails_its_pair_and_no_other() {
    let mut world = over_tcp(&[Active], &[Passive]);
    world.refusing = true;
    world.add(0, Candidate::host(host(0, 1)).unwrap());
    world.add(1, Candidate::host(host(1, 1)).unwrap());
    assert!(world.run_until(SECOND, World::is_usable));
    let pairs = world.sides[0].agent.stats().pairs;
    let of_stream = pairs
        .iter()
        .find(|pair| pair.path.transport == Transport::Unopened);
    assert_eq!(of_stream.unwrap().state, PairState::Failed);
}

#[test]
fn when_every_stream_is_refused_the_agent_fails() {
    let mut world = over_tcp(&[Active], &[Passive]);
    world.refusing = true;
    let now = world.now;
    world.sides[0].agent.end_of_remote_candidates(now);
    assert!(world.run_until(SECOND, |world| saw(world, 0, |event| *event
        == Event::Failed)));
    assert_eq!(world.connects, 1);
}

#[test]
fn a_stream_that_breaks_is_opened_again_by_the_active_side() {
    let mut world = over_tcp(&[Active], &[Passive]);
    assert!(world.run_until(SECOND, World::is_usable));
    let first = stream_of(world.data_paths()[0]);
    world.cut(first);
    world.run_until(Duration::from_millis(1), |_| false);
    assert_eq!(world.data_paths(), [None, None], "at once, on both sides");
    assert!(world.run_until(SECOND, World::is_usable));
    assert_ne!(stream_of(world.data_paths()[0]), first);
    for side in [0, 1] {
        assert_eq!(world.sides[side].agent.stats().pairs.len(), 1);
        assert!(saw(&world, side, |event| *event == Event::ConsentExpired));
    }
}

#[test]
fn a_stream_that_breaks_again_and_again_is_opened_five_times_in_half_a_minute() {
    let mut world = over_tcp(&[Active], &[Passive]);
    for _ in 0..40 {
        if let Some(path) = world.data_paths()[0] {
            world.cut(stream_of(Some(path)));
        }
        world.run_for(Duration::from_millis(500));
    }
    assert_eq!(world.connects, 5);
}

#[test]
fn data_moves_to_udp_when_the_stream_in_use_breaks() {
    let mut world = over_tcp(&[Active], &[Passive]);
    assert!(world.run_until(SECOND, World::is_usable));
    let stream = stream_of(world.data_paths()[0]);
    for side in [0, 1] {
        let slow = Candidate::host(host(side, 1))
            .unwrap()
            .with_local_preference(0);
        world.add(side, slow);
    }
    world.run_for(SECOND);
    world.cut(stream);
    world.run_until(Duration::from_millis(1), |world| {
        assert!(world.is_usable());
        false
    });
    assert!(!saw(&world, 0, |event| *event == Event::ConsentExpired));
}

/// An active agent that has asked for its first stream, at this instant.
fn asking() -> (Agent, OpenStream, std::time::Instant) {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::default(), [1; 32], now);
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.add_local_candidate(tcp(0, Active), now).unwrap();
    agent.connect(now).unwrap();
    let theirs = Candidate::remote("1", 1, 99, host(1, 0), CandidateKind::Host, None).unwrap();
    agent
        .add_remote_candidate(theirs.with_tcp_type(Passive), now)
        .unwrap();
    let wish = core::iter::from_fn(|| agent.poll_event()).find_map(|event| {
        let Event::OpenStream(wish) = event else {
            return None;
        };
        Some(wish)
    });
    (agent, wish.unwrap(), now)
}

fn frames(agent: &mut Agent, now: std::time::Instant) -> Vec<(Path, Vec<u8>)> {
    let (mut out, mut buf) = (Vec::new(), Vec::new());
    while let Some(transmit) = agent.poll_transmit(&mut buf, now) {
        let (mut deframer, mut octets) = (Deframer::default(), buf.as_slice());
        let frame = deframer.next(&mut octets).unwrap().to_vec();
        assert!(octets.is_empty(), "one frame at a time");
        out.push((transmit.path, frame));
        buf.clear();
    }
    out
}

#[test]
fn a_check_over_a_stream_is_framed_sent_once_and_given_39_and_a_half_seconds() {
    let (mut agent, wish, start) = asking();
    let local = core::net::SocketAddr::new(host(0, 0).ip(), 0);
    assert_eq!(
        wish,
        OpenStream {
            local,
            remote: host(1, 0),
            security: Security::Plain
        }
    );
    assert!(
        frames(&mut agent, start).is_empty(),
        "nothing leaves before it is open"
    );
    let stream = StreamId(7);
    let mut actual = local;
    actual.set_port(40_000);
    let opened = start + DELAY;
    agent.stream_opened(wish.local, wish.remote, stream, actual, opened);
    let mut sent = Vec::new();
    let (mut now, mut failed) = (opened, None);
    while failed.is_none() && now < start + 60 * SECOND {
        agent.handle_timeout(now);
        sent.extend(frames(&mut agent, now));
        while let Some(event) = agent.poll_event() {
            if event == Event::CloseStream(stream) {
                failed = Some(now - opened);
            }
        }
        match agent.poll_timeout() {
            Some(timeout) => now = timeout.at,
            None => break,
        }
    }
    assert_eq!(sent.len(), 1, "the stream repeats what is lost");
    assert_eq!(sent[0].0, Path::stream(stream, actual, host(1, 0)));
    assert_eq!(Message::parse(&sent[0].1).unwrap().class(), Class::Request);
    let failed = failed.unwrap();
    assert!((39_500..39_600).contains(&failed.as_millis()), "{failed:?}");
}

#[test]
fn a_stream_that_never_opens_fails_its_pair() {
    let (mut agent, wish, now) = asking();
    let late = now + 15 * SECOND;
    agent.handle_timeout(late);
    assert_eq!(agent.stats().pairs[0].state, PairState::Failed);
    // It opens after all: nobody wants it.
    agent.stream_opened(wish.local, wish.remote, StreamId(7), wish.local, late);
    assert_eq!(agent.poll_event(), Some(Event::CloseStream(StreamId(7))));
    assert!(frames(&mut agent, late).is_empty());
}

#[test]
fn a_second_answer_to_one_wish_is_closed() {
    let (mut agent, wish, now) = asking();
    let mut actual = wish.local;
    actual.set_port(40_000);
    agent.stream_opened(wish.local, wish.remote, StreamId(7), actual, now);
    agent.stream_opened(wish.local, wish.remote, StreamId(8), actual, now);
    agent.stream_failed(wish.local, wish.remote, now);
    assert_eq!(agent.poll_event(), Some(Event::CloseStream(StreamId(8))));
    assert_eq!(
        agent.stats().pairs[0].path.transport,
        Transport::Stream(StreamId(7))
    );
}

#[test]
fn a_candidate_that_goes_closes_its_streams() {
    let mut world = over_tcp(&[Active], &[Passive]);
    assert!(world.run_until(SECOND, World::is_usable));
    let stream = stream_of(world.data_paths()[0]);
    let base = tcp(0, Active).base();
    world.unplug(0, base);
    world.run_for(SECOND);
    assert!(saw(&world, 0, |event| *event == Event::CloseStream(stream)));
    assert_eq!(world.data_paths(), [None, None]);
}

/// A passive agent, and a stranger who has opened this stream to it.
fn passive() -> (Agent, Path, std::time::Instant) {
    let now = Net::<Node>::new(0).now();
    let mut agent = Agent::new(Config::default(), [1; 32], now);
    agent.set_remote_credentials(puppet(), now).unwrap();
    agent.add_local_candidate(tcp(0, Passive), now).unwrap();
    agent.connect(now).unwrap();
    (
        agent,
        Path::stream(StreamId(3), host(0, 0), host(1, 0)),
        now,
    )
}

fn handle(
    agent: &mut Agent,
    path: Path,
    mut contents: Vec<u8>,
    now: std::time::Instant,
) -> Result<(), DropReason> {
    let datagram = Datagram {
        path,
        contents: &mut contents,
        ecn: Default::default(),
    };
    agent.handle_datagram(datagram, now)
}

#[test]
fn streams_of_strangers_leave_no_trace() {
    let (mut agent, path, now) = passive();
    let wrong = Credentials::new(agent.local_credentials().ufrag(), "x".repeat(24)).unwrap();
    for number in 0..200 {
        let path = Path {
            transport: Transport::Stream(StreamId(number.into())),
            ..path
        };
        let forged = Check::new(&wrong, puppet().ufrag(), number).encode();
        assert_eq!(
            handle(&mut agent, path, forged, now),
            Err(DropReason::BadIntegrity)
        );
        assert_eq!(
            handle(&mut agent, path, vec![0; 40], now),
            Err(DropReason::Malformed)
        );
        agent.stream_closed(StreamId(number.into()), now);
    }
    assert!(agent.stats().pairs.is_empty());
    assert!(agent.poll_transmit(&mut Vec::new(), now).is_none());
    assert_eq!(agent.path_state(&path), PathState::Unknown);
}

#[test]
fn nothing_is_written_to_a_stream_that_was_closed() {
    let (mut agent, path, now) = passive();
    let credentials = agent.local_credentials().clone();
    let check = Check::new(&credentials, puppet().ufrag(), 1).encode();
    handle(&mut agent, path, check, now).unwrap();
    agent.stream_closed(StreamId(3), now);
    assert!(frames(&mut agent, now).is_empty());
    agent.handle_timeout(now + 60 * SECOND);
    assert!(frames(&mut agent, now + 60 * SECOND).is_empty());
}

#[test]
fn a_check_over_an_accepted_stream_is_answered_and_checked_back_on_it() {
    let (mut agent, path, now) = passive();
    let credentials = agent.local_credentials().clone();
    let check = Check::new(&credentials, puppet().ufrag(), 1).encode();
    // At an address where nothing listens it is dropped, and UDP is another thing than TCP.
    let elsewhere = Path {
        local: host(0, 5),
        ..path
    };
    for path in [elsewhere, Path::udp(host(0, 0), host(1, 0))] {
        let dropped = handle(&mut agent, path, check.clone(), now);
        assert_eq!(dropped, Err(DropReason::UnknownLocal));
    }
    handle(&mut agent, path, check, now).unwrap();
    let out = frames(&mut agent, now);
    assert_eq!(out.len(), 2, "the answer and the triggered check");
    assert!(out.iter().all(|(on, _)| *on == path));
    let success = answer(&out[1].1, &puppet(), path.local, None);
    handle(&mut agent, path, success, now).unwrap();
    assert_eq!(agent.data_path(), Some(path));

    // The peer closes: the pair is gone, as only the peer can open another.
    agent.stream_closed(StreamId(3), now);
    assert_eq!(agent.data_path(), None);
    assert!(agent.stats().pairs.is_empty());
    let again = Check::new(&credentials, puppet().ufrag(), 2).encode();
    let path = Path::stream(StreamId(4), path.local, path.remote);
    handle(&mut agent, path, again, now).unwrap();
    assert_eq!(agent.stats().pairs[0].path, path);
}

#[test]
fn a_restart_keeps_the_stream_in_use_until_the_new_one_works() {
    let mut world = over_tcp(&[Active], &[Passive]);
    assert!(world.run_until(SECOND, World::is_usable));
    let old = stream_of(world.data_paths()[0]);
    let now = world.now;
    world.sides[0].agent.restart(now);
    world.sides[1].agent.restart(now);
    world.introduce();
    for (side, kind) in [(0, Active), (1, Passive)] {
        world.add(side, tcp(side, kind));
    }
    world.run_until(2 * SECOND, |world| {
        assert!(world.is_usable(), "never without a path");
        false
    });
    assert_ne!(stream_of(world.data_paths()[0]), old);
    assert!(saw(&world, 0, |event| *event == Event::CloseStream(old)));
}
