//! Two peers wherever two peers can be, and what holds there: they connect whenever a path exists,
//! and say so when none does.

mod layout;
mod oracle;
mod peer;
mod run;
mod scenario;

use core::time::Duration;

use ortc_ice::Event;

pub use self::layout::Layout;
pub use self::oracle::{hole_punching_works, path_exists};
pub use self::peer::{DATA, Host, Peer, Signal};
pub use self::run::Run;
pub use self::scenario::{
    AccessV4, AccessV6, LENGTH, Manners, Place, ROLES, Roles, SERVERS, STORIES, Scenario, Servers,
    Site, Story, WEATHERS, Weather,
};

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether they connected, as the oracle said.
    pub connected: bool,
    /// From the beginning to data in both directions.
    pub took: Duration,
    /// Datagrams of everybody.
    pub sent: usize,
    /// The most datagrams in one second.
    pub peak: usize,
}

/// How long connecting may take beyond skew and trickle. In fair weather a gathering, a check and
/// an answer; in a storm the last of seven requests to a server leaves after 31.5 s.
const PATIENCE: Duration = Duration::from_secs(45);
/// When everything is quiet: the AGGRESSIVE time and a few repetitions of checks have passed.
const QUIET: Duration = Duration::from_secs(5);
/// RFC 8863 §4, with the schedule of the last checks and a STUN server that never answers.
const HOPELESS: Duration = Duration::from_secs(200);
/// The same by the letter of RFC 8445 §14.3, which stretches the RTO with the number of pairs.
const HOPELESS_STRICT: Duration = Duration::from_secs(1_800);
/// How soon a gatherer asks its servers again, with all repetitions.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// RFC 7675 §5.1.
const CONSENT: Duration = Duration::from_secs(30);
/// A round trip of the slowest weather.
const SLACK: Duration = Duration::from_secs(1);

/// Runs the scenario that the octets say; any do.
pub fn property(data: &[u8]) {
    let _ = run(&Scenario::from_bytes(data));
}

/// Runs a scenario; a failure prints it, and how to run it again.
#[must_use]
pub fn run(scenario: &Scenario) -> Outcome {
    let _on_failure = Told(*scenario);
    let mut run = Run::new(scenario);
    let expected = path_exists(scenario, run.net.now());
    run.begin();
    if !expected {
        return hopeless(&mut run);
    }
    let begin = run.net.now();
    let patience = PATIENCE + scenario.skew + 6 * scenario.trickle;
    run.run_for(Duration::from_millis(20));
    run.forge();
    let connected = run.run_until(patience, |run| run.is_connected());
    // By the letter of RFC 8445 §14.3 a few requests, ever further apart, decide about a pair; in a
    // storm all of them can be lost. The default profile knows no such excuse.
    if !connected && scenario.strict && scenario.weather == Weather::Storm {
        return quit(&mut run, connected, patience);
    }
    assert!(connected, "a path exists and is not found");
    let took = run.net.now();
    run.forge();
    settle(&mut run);
    story(&mut run);
    quit(&mut run, connected, took - begin)
}

/// The end of a run, whatever came before it.
fn quit(run: &mut Run, connected: bool, took: Duration) -> Outcome {
    let outcome = Outcome {
        connected,
        took,
        sent: run.net.sent,
        peak: run.peak(),
    };
    run.forge();
    close(run);
    outcome
}

/// No path, no relay: both say so, and nobody is ever told that data may flow.
fn hopeless(run: &mut Run) -> Outcome {
    let hopeless = if run.scenario.strict {
        HOPELESS_STRICT
    } else {
        HOPELESS
    };
    let most = hopeless + run.scenario.skew + 6 * run.scenario.trickle;
    let begin = run.net.now();
    let mut steps = 0;
    let failed = run.run_until(most, |run| {
        steps += 1;
        if steps % 50 == 0 {
            run.forge();
        }
        [0, 1].iter().all(|side| {
            let peer = run.peer(*side);
            peer.last(|event| *event == Event::Failed).is_some()
        })
    });
    for side in [0, 1] {
        let peer = run.peer(side);
        assert_eq!(peer.agent.data_path(), None, "there is no path");
        assert_eq!(peer.last(|event| *event == Event::Connected), None);
        assert_eq!(peer.data, [None, None], "data without consent");
    }
    assert!(failed, "no path exists, and somebody still hopes");
    let took = run.net.now() - begin;
    close(run);
    Outcome {
        connected: false,
        took,
        sent: run.net.sent,
        peak: run.peak(),
    }
}

/// Both use one pair, and data flows both ways on it.
fn settle(run: &mut Run) {
    let agree = run.run_until(PATIENCE, |run| run.is_connected() && run.agrees());
    assert!(agree, "they never agree: {}", paths(run));
    run.run_for(QUIET);
    let agree = run.run_until(PATIENCE, |run| run.is_connected() && run.agrees());
    assert!(agree, "they agree no more: {}", paths(run));
    let since = run.net.now();
    let flows = run.run_until(PATIENCE, |run| {
        [0, 1]
            .iter()
            .all(|side| run.peer(*side).data[1].is_some_and(|at| at >= since))
    });
    assert!(flows, "data does not arrive: {}", paths(run));
}

fn story(run: &mut Run) {
    match run.scenario.story {
        Story::Plain => {}
        Story::Idle => idle(run),
        Story::Dies => dies(run),
        Story::Returns => returns(run),
        Story::Restart => restart(run, &[0]),
        Story::RestartBoth => restart(run, &[0, 1]),
        Story::Roams => roams(run),
        Story::Reboots => reboots(run),
    }
}

/// What a NAT remembers is kept alive by consent checks (RFC 7675, RFC 8445 §11).
fn idle(run: &mut Run) {
    let told = run.peer(0).events.len() + run.peer(1).events.len();
    run.run_for(Duration::from_secs(300));
    if run.scenario.weather == Weather::Fair {
        let now = run.peer(0).events.len() + run.peer(1).events.len();
        assert_eq!(now, told, "something happened: {:?}", run.peer(0).events);
    }
    settle(run);
}

/// RFC 7675 §5.1: data stops within 30 s of the last answer.
fn dies(run: &mut Run) {
    let died = run.net.now();
    for ip in run.layout.identities.clone() {
        run.net.topology.cut(ip);
    }
    run.run_for(CONSENT + SLACK);
    for side in [0, 1] {
        let peer = run.peer(side);
        assert_eq!(peer.agent.data_path(), None, "consent is over");
        let expired = peer.last(|event| *event == Event::ConsentExpired);
        assert!(expired.is_some_and(|at| at >= died), "nobody was told");
        let last = peer.data[0].expect("data was sent");
        assert!(last <= died + CONSENT + SLACK, "data without consent");
    }
    run.run_for(Duration::from_secs(60));
    for side in [0, 1] {
        let last = run.peer(side).data[0].expect("data was sent");
        assert!(last <= died + CONSENT + SLACK, "data without consent");
    }
}

/// A network that comes back gets its session back, without signalling; in the strict profile it takes
/// a restart, as RFC 7675 §5.1 has it.
fn returns(run: &mut Run) {
    let identities = run.layout.identities.clone();
    for ip in &identities {
        run.net.topology.cut(*ip);
    }
    run.run_for(Duration::from_secs(45));
    for ip in &identities {
        run.net.topology.mend(*ip);
    }
    if run.scenario.strict {
        restart_both(run);
    }
    let back = run.run_until(2 * PATIENCE + run.scenario.skew, |run| run.is_connected());
    assert!(back, "the network is back, the session is not");
    settle(run);
}

/// RFC 8445 §9: the pair in use stays until another is valid.
fn restart(run: &mut Run, sides: &[usize]) {
    let now = run.net.now();
    for side in sides {
        let peer = run.peer_mut(*side);
        peer.agent.restart(now);
        peer.tell_again();
    }
    if let [side] = sides {
        // The other answers with what it has (RFC 8839 §4.4.3.1), once it has heard of it.
        let other = 1 - side;
        let fragment = run.peer(*side).agent.local_credentials().clone();
        let heard = run.run_until(PATIENCE, |run| {
            assert!(run.is_connected(), "the old path is lost early");
            run.peer(other).agent.remote_credentials() == Some(&fragment)
        });
        assert!(heard, "signalling is slow, not lost");
        run.peer_mut(other).tell_again();
    }
    let lasts = run.scenario.weather == Weather::Fair;
    let fresh = run.run_until(PATIENCE + run.scenario.skew, |run| {
        assert!(!lasts || run.is_connected(), "the old path is lost early");
        run.is_connected() && is_restarted(run) && run.agrees()
    });
    assert!(fresh, "the new session finds no pair: {}", paths(run));
    settle(run);
}

/// Whether both use a pair of the newest session: each accepted an answer to a check since then.
fn is_restarted(run: &Run) -> bool {
    [0, 1].iter().all(|side| {
        let other = run.peer(1 - side).agent.local_credentials();
        let peer = run.peer(*side);
        peer.agent.remote_credentials() == Some(other)
    })
}

/// Another network first, the old one gone later: the session stays.
fn roams(run: &mut Run) {
    let now = run.net.now();
    let node = run.peers[0];
    for address in run.layout.elsewhere() {
        run.net.attach(node, address);
        run.peer_mut(0).gain(address, now);
    }
    run.run_for(Duration::from_secs(10) + run.scenario.skew + 2 * run.scenario.trickle);
    assert!(run.is_connected(), "a network more breaks nothing");
    let now = run.net.now();
    for (_, address) in core::mem::take(&mut run.layout.sockets[0]) {
        run.net.detach(node, address);
        run.peer_mut(0).lose(address, now);
    }
    let kept = run.run_until(PATIENCE, |run| run.is_connected() && run.agrees());
    assert!(kept, "the new network is not used: {}", paths(run));
    settle(run);
    for side in [0, 1] {
        let peer = run.peer(side);
        assert_eq!(peer.last(|event| *event == Event::Failed), None);
        let expired = peer.last(|event| *event == Event::ConsentExpired);
        assert!(expired.is_none_or(|at| at < now), "consent was lost");
    }
}

/// The NATs lose their bindings: what can be found again is.
fn reboots(run: &mut Run) {
    for (realm, is_ipv4) in run.layout.gateways.clone() {
        if let Some(nat) = run.net.topology.gateway_mut(realm, is_ipv4) {
            nat.reboot();
        }
    }
    // The gatherers notice, and what they find anew is signalled; the strict profile takes a restart.
    run.run_for(KEEPALIVE);
    // A relay's client learns of its new address with the next Refresh, minutes later.
    let mut direct = run.scenario;
    for site in &mut direct.sites {
        site.servers = match site.servers.has() {
            (true, _) => Servers::Stun,
            (false, _) => Servers::None,
        };
    }
    if !path_exists(&direct, run.net.now()) {
        return;
    }
    if run.scenario.strict {
        restart_both(run);
    }
    let most = 2 * PATIENCE + CONSENT + run.scenario.skew;
    let back = run.run_until(most, |run| run.is_connected() && run.agrees());
    assert!(back, "what is there is not found again: {}", paths(run));
    settle(run);
}

fn restart_both(run: &mut Run) {
    let now = run.net.now();
    for side in [0, 1] {
        let peer = run.peer_mut(side);
        peer.agent.restart(now);
        peer.tell_again();
    }
}

/// Closed is final.
fn close(run: &mut Run) {
    let now = run.net.now();
    run.hush();
    for side in [0, 1] {
        let peer = run.peer_mut(side);
        peer.agent.close();
        assert_eq!(peer.agent.poll_timeout(), None);
        peer.gatherer.close(now);
    }
    run.run_for(Duration::from_secs(2));
    for side in [0, 1] {
        let peer = run.peer(side);
        assert_eq!(peer.gatherer.poll_timeout(), None, "closed is final");
    }
}

fn paths(run: &Run) -> String {
    let told = |side: usize| {
        let peer = run.peer(side);
        let pairs: Vec<_> = peer
            .agent
            .stats()
            .pairs
            .iter()
            .map(|pair| format!("\n  {pair:?}"))
            .collect();
        format!(
            "\n{:?} {:?} {}",
            peer.agent.role(),
            peer.agent.data_path(),
            pairs.concat()
        )
    };
    told(0) + &told(1)
}

/// Says the scenario when a panic passes.
struct Told(Scenario);

impl Drop for Told {
    #[expect(clippy::print_stderr, reason = "the report of a failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}
