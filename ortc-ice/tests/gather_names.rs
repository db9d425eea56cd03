//! Servers that have a name: who resolves it, how often, and what happens when nobody can.

mod gathering;

use core::time::Duration;

use gathering::{Story, a};
use ortc_ice::{CandidateKind, GatherConfig, ServerError};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_name_is_resolved_by_the_embedder_once_for_all_servers_of_a_host() {
    let mut story = Story::new(
        GatherConfig::default(),
        &["10.0.0.1:5000", "[fd00::1]:5000"],
    );
    story.stun_server("192.0.2.1:3478");
    story.stun_server("192.0.2.1:4000");
    story.stun_server("[2001:db8::1]:3478");
    story.add_server("stun:stun.example.org");
    story.add_server("stun:stun.example.org:4000");
    story.gather();
    let queries = story.queries();
    assert_eq!(queries.len(), 1);
    assert_eq!(queries[0].1, "stun.example.org");
    assert_eq!(story.sent(), []);

    story.resolve(queries[0].0, &["192.0.2.1", "2001:db8::1"]);
    story.run_for(SECOND);
    assert_eq!(story.addresses(CandidateKind::ServerReflexive).len(), 2);
    let asked: Vec<_> = story.sent().iter().map(|sent| sent.remote.port()).collect();
    assert!(asked.contains(&3478) && asked.contains(&4000));
}

#[test]
fn a_name_that_nobody_knows_fails_its_server_at_once() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let server = story.add_server("stun:nobody.example");
    story.gather();
    let query = story.queries()[0].0;
    story.resolve_failed(query);

    assert_eq!(story.failures(), [(server, ServerError::Unresolved)]);
    assert!(story.is_complete());
}

#[test]
fn a_silent_resolver_fails_its_server_in_time_and_its_late_answer_does_nothing() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let server = story.add_server("stun:slow.example");
    story.gather();
    let query = story.queries()[0].0;
    story.run_for(11 * SECOND);
    assert_eq!(story.failures(), [(server, ServerError::ResolverSilent)]);
    assert_eq!(story.completed_at(), [10_000]);

    story.resolve(query, &["192.0.2.1"]);
    story.run_for(SECOND);
    assert_eq!(story.sent(), []);
    assert_eq!(story.completed_at(), [10_000]);
}

#[test]
fn a_server_with_a_dead_address_answers_at_the_next_one_a_second_later() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    story.stun_server("192.0.2.2:3478");
    story.add_server("stun:stun.example.org");
    story.gather();
    let query = story.queries()[0].0;
    story.resolve(query, &["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    story.run_for(2 * SECOND);

    assert!(story.is_complete());
    assert_eq!(
        story.candidate(CandidateKind::ServerReflexive).rtt,
        Some(Duration::from_millis(50))
    );
    // The others are left in peace once one has answered.
    let remotes: Vec<_> = story.sent().iter().map(|sent| sent.remote).collect();
    assert_eq!(
        remotes,
        [
            a("192.0.2.1:3478"),
            a("192.0.2.1:3478"),
            a("192.0.2.2:3478")
        ]
    );
}

#[test]
fn a_resolver_that_never_ends_is_listened_to_for_four_addresses_a_family() {
    let config = GatherConfig::default().transmissions(1).unwrap();
    let mut story = Story::new(config, &["10.0.0.1:5000", "[fd00::1]:5000"]);
    story.add_server("stun:many.example");
    story.gather();
    let query = story.queries()[0].0;
    let many: Vec<String> = (1..=200)
        .flat_map(|n| [format!("192.0.2.{n}"), format!("2001:db8::{n}")])
        .chain(["0.0.0.0".into(), "224.0.0.1".into()])
        .collect();
    story.resolve(query, &many.iter().map(String::as_str).collect::<Vec<_>>());
    story.run_for(60 * SECOND);

    assert_eq!(story.sent().len(), 8);
    assert_eq!(story.failures().len(), 1);
}

#[test]
fn a_round_does_not_wait_for_the_name_of_a_server_that_was_removed() {
    let mut story = Story::new(GatherConfig::default(), &["10.0.0.1:5000"]);
    let server = story.add_server("stun:stun.example.org");
    story.gather();
    assert!(story.gatherer().is_pending(server));
    let now = story.net.now();
    story.gatherer_mut().remove_server(server, now);
    story.drain();
    assert!(story.is_complete());
    assert_eq!(story.gatherer().poll_timeout(), None);
}
