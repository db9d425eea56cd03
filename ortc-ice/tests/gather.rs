//! Gathering on the virtual network: names, server-reflexive candidates, their pacing and their end.

mod gathering;

use core::time::Duration;

use gathering::{Story, a, ips};
use ortc_ice::{
    CandidateKind, GatherConfig, GatherError, GatherEvent, Gathered, ServerError, ServerState,
    ServerUri,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_base_without_servers_gives_its_host_candidate_and_is_complete_at_once() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.gather();

    assert_eq!(story.addresses(CandidateKind::Host), [a("10.0.0.1:5000")]);
    assert!(story.is_complete());
    assert_eq!(story.gatherer().poll_timeout(), None);
}

#[test]
fn each_base_asks_each_server_of_its_family() {
    let bases = ["10.0.0.1:5000", "10.0.1.1:5000", "[fd00::1]:5000"];
    let mut story = Story::new(GatherConfig::default(), &bases);
    story.stun_server("192.0.2.1:3478");
    story.stun_server("192.0.2.2:3478");
    story.stun_server("[2001:db8::1]:3478");
    for server in ["stun:192.0.2.1", "stun:192.0.2.2", "stun:[2001:db8::1]"] {
        story.add_server(server);
    }
    story.gather();
    story.run_for(SECOND);

    let sent = story.sent();
    let v4 = sent.iter().filter(|sent| sent.local.is_ipv4()).count();
    assert_eq!((v4, sent.len()), (4, 5));
    // Two servers see the same: one candidate a base (RFC 8445 §5.1.3).
    let reflexive = story.addresses(CandidateKind::ServerReflexive);
    assert_eq!(
        reflexive,
        [
            a("203.0.113.1:5000"),
            a("203.0.113.1:5001"),
            a("[2001:db8:ffff::1]:5000")
        ]
    );
    assert!(story.is_complete());
}

#[test]
fn a_candidate_says_which_server_it_comes_from_and_how_long_that_took() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    let server = story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);

    let found = story.candidate(CandidateKind::ServerReflexive);
    assert_eq!(found.base, a("10.0.0.1:5000"));
    assert_eq!(found.related, Some(a("10.0.0.1:5000")));
    assert_eq!(found.server, Some((server, "192.0.2.1".parse().unwrap())));
    assert_eq!(found.rtt, Some(Duration::from_millis(50)));
}

#[test]
fn an_address_that_no_nat_changed_is_no_second_candidate() {
    let mut story = Story::new(GatherConfig::default(), &["198.51.100.7:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);

    assert_eq!(story.addresses(CandidateKind::ServerReflexive), []);
    assert!(story.is_complete());
    assert_eq!(story.failures(), []);
}

#[test]
fn the_statistics_tell_what_each_server_said_even_if_it_gives_no_candidate() {
    let mut story = Story::new(GatherConfig::default(), &["198.51.100.7:5000"]);
    story.stun_server("192.0.2.1:3478");
    let works = story.add_server("stun:192.0.2.1");
    let silent = story.add_server("stun:192.0.2.9");
    story.gather();
    assert!(story.gatherer().is_pending(works));
    story.run_for(SECOND);
    let [first, second] = &story.gatherer().server_stats()[..] else {
        panic!("two servers, one base")
    };
    assert_eq!((first.server, first.state), (works, ServerState::Working));
    assert_eq!(first.mapped, Some(a("198.51.100.7:5000")));
    assert_eq!(first.rtt, Some(Duration::from_millis(50)));
    assert_eq!((second.server, second.state), (silent, ServerState::Asking));
    assert_eq!((second.mapped, second.rtt), (None, None));
    assert!(!story.gatherer().is_pending(works) && story.gatherer().is_pending(silent));
    story.run_for(40 * SECOND);
    let stats = story.gatherer().server_stats();
    assert_eq!(stats[1].state, ServerState::Failed);
}

/// RFC 8445 §14.2.
#[test]
fn requests_leave_ta_apart_however_often_the_embedder_calls() {
    let ta = Duration::from_millis(50);
    let config = GatherConfig::default().ta(ta).unwrap();
    let mut story = Story::new(config, &["10.0.0.1:5000", "10.0.1.1:5000", "10.0.2.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    for _ in 0..200 {
        let now = story.net.now();
        story.gatherer_mut().handle_timeout(now);
        story.run_for(Duration::from_millis(1));
    }

    assert_eq!(story.sent_at(), [0, 50, 100]);
}

/// A request to a STUN server: RFC 8489 §6.2.1 with RTO = 500 ms, Rc = 7, Rm = 16.
#[test]
fn an_unanswered_request_is_sent_seven_times_then_the_server_has_failed() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let server = story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(60 * SECOND);

    assert_eq!(
        story.sent_at(),
        [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]
    );
    assert_eq!(story.failures(), [(server, ServerError::Timeout)]);
    assert_eq!(story.completed_at(), [39_500]);
    let sent = story.sent();
    assert!(sent.iter().all(|copy| copy.contents == sent[0].contents));
}

/// RFC 8445 §14.3: RTO = max(500 ms, Ta * N).
#[test]
fn many_requests_at_once_wait_longer_for_their_repetition() {
    let config = GatherConfig::default()
        .ta(Duration::from_millis(100))
        .unwrap();
    let bases: Vec<String> = (1..=10).map(|n| format!("10.0.{n}.1:5000")).collect();
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    let mut story = Story::new(config, &bases);
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND + Duration::from_millis(50));

    let first: Vec<_> = (0..10).map(|n| n * 100).chain([1_000]).collect();
    assert_eq!(story.sent_at(), first);
}

#[test]
fn a_dead_server_does_not_delay_the_candidates_of_the_others() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.2:3478");
    story.add_server("stun:192.0.2.1");
    story.add_server("stun:nobody.example");
    story.add_server("stun:192.0.2.2");
    story.gather();
    story.run_for(Duration::from_millis(60));

    assert_eq!(
        story.addresses(CandidateKind::ServerReflexive),
        [a("203.0.113.1:5000")]
    );
    assert!(!story.is_complete());
}

#[test]
fn loopback_and_link_local_bases_ask_only_their_like() {
    let bases = [
        "127.0.0.1:5000",
        "169.254.1.1:5000",
        "[fe80::1]:5000",
        "[::1]:5000",
    ];
    let mut story = Story::new(GatherConfig::default(), &bases);
    let public = story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    assert_eq!(story.sent(), []);
    assert_eq!(story.failures(), [(public, ServerError::NoBase)]);

    story.stun_server("127.0.0.1:3478");
    story.add_server("stun:127.0.0.1");
    story.gather();
    story.run_for(SECOND);
    let locals: Vec<_> = story.sent().iter().map(|sent| sent.local).collect();
    assert_eq!(locals, [a("127.0.0.1:5000")]);
}

#[test]
fn only_the_server_that_was_asked_can_answer_and_only_with_the_right_id() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(Duration::from_millis(10));
    let request = story.sent()[0].contents.clone();
    let forged = |id: &[u8]| gathering::success(id, a("6.6.6.6:666"));

    let right = forged(&request[8..20]);
    let wrong_id = forged(&[7; 12]);
    for (local, remote, contents) in [
        ("10.0.0.1:5000", "192.0.2.2:3478", &right),
        ("10.0.0.1:5000", "192.0.2.1:3479", &right),
        ("10.0.0.9:5000", "192.0.2.1:3478", &right),
        ("10.0.0.1:5000", "192.0.2.1:3478", &wrong_id),
        ("10.0.0.1:5000", "192.0.2.1:3478", &request),
        ("10.0.0.1:5000", "192.0.2.1:3478", &vec![0x80; 100]),
    ] {
        let gathered = story.inject(a(local), a(remote), contents);
        assert_eq!(gathered, Gathered::NotMine, "{local} {remote}");
    }
    assert_eq!(story.addresses(CandidateKind::ServerReflexive), []);

    let gathered = story.inject(a("10.0.0.1:5000"), a("192.0.2.1:3478"), &right);
    assert_eq!(gathered, Gathered::Consumed);
    assert_eq!(
        story.addresses(CandidateKind::ServerReflexive),
        [a("6.6.6.6:666")]
    );
    // An answer counts once.
    let again = story.inject(a("10.0.0.1:5000"), a("192.0.2.1:3478"), &right);
    assert_eq!(again, Gathered::NotMine);
}

#[test]
fn an_answer_with_an_address_that_nobody_has_is_none() {
    for (mapped, usable) in [
        ("0.0.0.0:1", false),
        ("224.0.0.1:5000", false),
        ("255.255.255.255:5000", false),
        ("203.0.113.1:0", false),
        ("[2001:db8::5]:5000", false),
        ("203.0.113.1:1", true),
    ] {
        let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
        let server = story.add_server("stun:192.0.2.1");
        story.gather();
        story.run_for(Duration::from_millis(10));
        let id = story.sent()[0].contents[8..20].to_vec();
        let answer = gathering::success(&id, a(mapped));
        assert_eq!(
            story.inject(a("10.0.0.1:5000"), a("192.0.2.1:3478"), &answer),
            Gathered::Consumed
        );
        let failures = story.failures();
        if usable {
            assert_eq!(failures, []);
        } else {
            assert_eq!(failures, [(server, ServerError::BadAnswer)], "{mapped}");
        }
    }
}

#[test]
fn a_refusal_fails_the_server_with_its_code() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.server_mut().refuse = Some(403);
    let server = story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    assert_eq!(story.failures(), [(server, ServerError::Refused(403))]);
}

/// A server of RFC 3489 (RFC 8489 §11.2).
#[test]
fn an_old_server_answers_with_mapped_address() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.server_mut().classic = true;
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    assert_eq!(
        story.addresses(CandidateKind::ServerReflexive),
        [a("203.0.113.1:5000")]
    );
}

/// RFC 8445 §11: Tr.
#[test]
fn the_binding_is_kept_alive_while_it_is_wanted() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(50 * SECOND);
    assert_eq!(story.sent_at(), [0, 15_050, 30_100, 45_150]);
    assert_eq!(story.addresses(CandidateKind::ServerReflexive).len(), 1);

    let now = story.net.now();
    story.gatherer_mut().set_keepalive(None, now).unwrap();
    story.run_for(60 * SECOND);
    assert_eq!(story.sent().len(), 4);
    assert_eq!(story.gatherer().poll_timeout(), None);
}

#[test]
fn a_nat_that_gives_another_address_ends_one_candidate_and_begins_another() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    story.server_mut().shift = 7;
    story.run_for(20 * SECOND);

    assert_eq!(story.gone(), [a("203.0.113.1:5000")]);
    let reflexive = story.addresses(CandidateKind::ServerReflexive);
    assert_eq!(reflexive, [a("203.0.113.1:5000"), a("203.0.113.1:5007")]);
    assert_eq!(story.gatherer().candidates().count(), 2);
}

#[test]
fn a_server_that_falls_silent_does_not_end_the_candidate() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    story.net.block(a("10.0.0.1:5000"), a("192.0.2.1:3478"));
    story.run_for(100 * SECOND);
    assert_eq!(story.gone(), []);
    assert_eq!(story.failures(), []);
    story.net.unblock(a("10.0.0.1:5000"), a("192.0.2.1:3478"));
    story.run_for(100 * SECOND);
    assert_eq!(story.addresses(CandidateKind::ServerReflexive).len(), 1);
}

#[test]
fn gathering_again_asks_for_new_bases_and_repeats_no_event() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    let before = story.events.len();
    story.gather();
    assert_eq!(story.events.len(), before + 1, "Complete, and nothing else");
    assert_eq!(story.sent().len(), 1);

    story.attach("10.0.1.1:5000");
    story.gatherer_mut().add_base(a("10.0.1.1:5000")).unwrap();
    story.gather();
    story.run_for(SECOND);
    assert_eq!(story.sent().len(), 2);
    assert_eq!(story.addresses(CandidateKind::Host).len(), 2);
    assert_eq!(story.addresses(CandidateKind::ServerReflexive).len(), 2);
    assert_eq!(story.completed_at().len(), 3);
}

#[test]
fn gathering_again_asks_a_server_that_failed_and_resolves_its_name_anew() {
    let config = GatherConfig::default().transmissions(1).unwrap();
    let mut story = Story::new(config, &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.9:3478");
    let server = story.add_server("stun:stun.example.org");
    story.gather();
    let query = story.queries()[0].0;
    story.resolve(query, &["192.0.2.1"]);
    story.run_for(20 * SECOND);
    assert_eq!(story.failures(), [(server, ServerError::Timeout)]);

    story.gather();
    let again = story.queries()[1].0;
    assert_ne!(again, query);
    story.resolve(again, &["192.0.2.9"]);
    story.run_for(SECOND);
    assert_eq!(story.addresses(CandidateKind::ServerReflexive).len(), 1);
    assert_eq!(story.completed_at().len(), 2);
}

#[test]
fn a_base_that_goes_takes_its_candidates_with_it() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000", "10.0.1.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    let now = story.net.now();
    story.gatherer_mut().remove_base(a("10.0.0.1:5000"), now);
    story.drain();

    let mut gone = story.gone();
    gone.sort_unstable();
    assert_eq!(gone, [a("10.0.0.1:5000"), a("203.0.113.1:5000")]);
    assert_eq!(story.gatherer().candidates().count(), 2);
    let sent = story.sent().len();
    story.run_for(20 * SECOND);
    let later = &story.sent()[sent..];
    assert!(later.iter().all(|sent| sent.local == a("10.0.1.1:5000")));
    assert!(!later.is_empty());
}

#[test]
fn removing_a_base_while_it_asks_completes_the_round() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(SECOND);
    let now = story.net.now();
    story.gatherer_mut().remove_base(a("10.0.0.1:5000"), now);
    story.drain();
    assert!(story.is_complete());
    assert_eq!(story.gatherer().poll_timeout(), None);
}

#[test]
fn a_candidate_that_two_servers_gave_outlives_the_first() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.stun_server("192.0.2.2:3478");
    let first = story.add_server("stun:192.0.2.1");
    let second = story.add_server("stun:192.0.2.2");
    story.gather();
    story.run_for(SECOND);
    let now = story.net.now();
    story.gatherer_mut().remove_server(first, now);
    story.drain();
    assert_eq!(story.gone(), []);
    story.gatherer_mut().remove_server(second, now);
    story.drain();
    assert_eq!(story.gone(), [a("203.0.113.1:5000")]);
}

#[test]
fn what_cannot_be_asked_says_so_at_once() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let relay = story.add_server("turn:192.0.2.1");
    let dtls = story.add_server("turns:192.0.2.1?transport=udp");
    story.gather();
    assert_eq!(
        story.failures(),
        [
            (relay, ServerError::NoCredentials),
            (dtls, ServerError::Unsupported)
        ]
    );
    assert!(story.is_complete());
}

#[test]
fn bases_and_servers_are_bounded() {
    let mut story = Story::new(GatherConfig::default(), &[]);
    let gatherer = story.gatherer_mut();
    for bad in ["0.0.0.0:5000", "[::]:5000", "10.0.0.1:0", "224.0.0.1:5"] {
        let refused = gatherer.add_base(a(bad));
        assert!(matches!(refused, Err(GatherError::Address(_))), "{bad}");
    }
    for port in 1..=64 {
        gatherer.add_base(a(&format!("10.0.0.1:{port}"))).unwrap();
    }
    assert_eq!(
        gatherer.add_base(a("10.0.0.1:65")),
        Err(GatherError::TooManyBases)
    );
    assert_eq!(gatherer.add_base(a("10.0.0.1:64")), Ok(()));
    for n in 0..16 {
        let uri = ServerUri::parse(&format!("stun:192.0.2.{n}")).unwrap();
        let id = gatherer.add_server(uri.clone(), None).unwrap();
        assert_eq!(gatherer.add_server(uri, None), Ok(id));
    }
    let uri = ServerUri::parse("stun:192.0.2.99").unwrap();
    assert_eq!(
        gatherer.add_server(uri, None),
        Err(GatherError::TooManyServers)
    );
}

#[test]
fn a_closed_gatherer_is_silent() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.1:3478");
    story.add_server("stun:192.0.2.1");
    story.gather();
    story.run_for(Duration::from_millis(10));
    let now = story.net.now();
    story.gatherer_mut().close(now);
    let events = story.events.len();
    story.run_for(20 * SECOND);
    assert_eq!((story.sent().len(), story.events.len()), (1, events));
    assert_eq!(story.gatherer().poll_timeout(), None);
    assert_eq!(story.gatherer_mut().gather(now), Err(GatherError::Closed));
}

/// RFC 4007 §6: the zone is the base's, and nobody else knows it.
#[test]
fn a_link_local_server_is_asked_in_the_zone_of_the_base() {
    let mut story = Story::new(GatherConfig::default(), &["[fe80::1%7]:5000"]);
    story.add_server("stun:[fe80::2]");
    story.gather();
    story.run_for(Duration::from_millis(10));
    assert_eq!(story.sent()[0].remote, a("[fe80::2%7]:3478"));
    let id = story.sent()[0].contents[8..20].to_vec();
    let answer = gathering::success(&id, a("[fe80::1]:5000"));
    let gathered = story.inject(a("[fe80::1%7]:5000"), a("[fe80::2%7]:3478"), &answer);
    assert_eq!(gathered, Gathered::Consumed);
    assert_eq!(story.addresses(CandidateKind::ServerReflexive), []);
    assert!(story.is_complete());
}

#[test]
fn a_machine_can_move_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(Story::new(GatherConfig::default(), &[]).gatherer());
    let _ = ips(&["10.0.0.1"]);
    assert!(!matches!(
        GatherEvent::Complete,
        GatherEvent::Resolve { .. }
    ));
}
