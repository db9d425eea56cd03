//! What becomes of relays when the network goes away for longer than any request waits.

mod gathering;

use core::time::Duration;

use ortc_ice::{CandidateKind, GatherConfig, ServerError};

use gathering::{Story, a};

const SECOND: Duration = Duration::from_secs(1);
const BASE: &str = "10.0.0.1:5000";
const SERVER: &str = "192.0.2.1:3478";

/// Allocated, and then the network goes away for so long; what is asked at once finds nobody.
fn outage(seconds: u32) -> Story {
    let mut story = Story::new(GatherConfig::default(), &[BASE]);
    story.turn_server(SERVER, &["192.0.2.100"]);
    story.add_turn("turn:192.0.2.1", "secret");
    story.gather();
    story.run_for(SECOND);
    let relayed = story.candidate(CandidateKind::Relayed).address;
    story.net.block(a(BASE), a(SERVER));
    let now = story.net.now();
    story.gatherer_mut().probe(relayed, now);
    story.run_for(seconds * SECOND);
    assert_eq!(story.gone().last(), Some(&relayed));
    story
}

#[test]
fn a_relay_comes_back_after_an_outage_that_outlasts_every_request() {
    for seconds in [60, 200, 2_000] {
        let mut story = outage(seconds);
        story.net.unblock(a(BASE), a(SERVER));
        // While the server still has the old allocation, of ten minutes, it grants no other.
        story.run_for(800 * SECOND);
        assert_eq!(
            story.addresses(CandidateKind::Relayed).len(),
            2,
            "{seconds}"
        );
        assert_eq!(story.failures(), [], "{seconds}");
        assert_eq!(story.completed_at().len(), 1, "the round was over");
    }
}

#[test]
fn a_server_out_of_reach_is_asked_less_and_less_often() {
    let mut story = outage(600);
    let sent = story.sent().len();
    story.run_for(600 * SECOND);
    // One ladder of seven requests in 39.5 s, then 64 s of silence.
    let more = story.sent().len() - sent;
    assert!((28..=49).contains(&more), "{more}");
}

#[test]
fn a_round_during_an_outage_ends_and_says_that_the_server_is_silent() {
    let mut story = outage(100);
    story.gather();
    story.run_for(100 * SECOND);
    assert_eq!(story.completed_at().len(), 2);
    let failures: Vec<_> = story.failures().into_iter().map(|(_, why)| why).collect();
    assert_eq!(failures, [ServerError::Timeout]);
    story.net.unblock(a(BASE), a(SERVER));
    story.run_for(800 * SECOND);
    assert_eq!(story.addresses(CandidateKind::Relayed).len(), 2);
}
