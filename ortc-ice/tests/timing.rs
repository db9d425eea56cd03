//! How long it takes to connect, in virtual time at a round trip of 50 ms: from `connect` on both
//! sides until both can send on the pair that both keep. The controlled side has received the
//! nomination by then, and the controlling side has a valid pair and has sent USE-CANDIDATE.
//!
//! `cargo test -p ortc-ice --test timing -- --nocapture --test-threads 1` prints the table of the
//! crate's documentation, for the default and for the letter of RFC 8445.

use core::net::SocketAddr;
use core::time::Duration;

use ortc_ice::stun::Message;
use ortc_ice::{Config, Event, RolePolicy};
use ortc_testkit::link::Link;
use ortc_testkit::net::{Net, NodeId};
use ortc_testkit::props::ice::{
    Node, address, connect, signal_candidates, signal_credentials, two_agents,
};

const DELAY: Duration = Duration::from_millis(25);
const SECOND: Duration = Duration::from_secs(1);

/// Runs until both sides send on the pair that both keep; `None` after a minute.
fn time_to_agree(net: &mut Net<Node>, a: NodeId, b: NodeId) -> Option<Duration> {
    let start = net.elapsed();
    let agreed = |net: &mut Net<Node>| {
        let (first, second) = (&net.node(a).agent, &net.node(b).agent);
        let same = match (first.data_path(), second.data_path()) {
            (Some(ours), Some(theirs)) => {
                (ours.local, ours.remote) == (theirs.remote, theirs.local)
            }
            _ => false,
        };
        same && first.role() != second.role()
            && [a, b].into_iter().all(|node| is_nominated(net, node))
    };
    if !net.run_until(net.now() + 60 * SECOND, agreed) {
        return None;
    }
    let time = net.elapsed() - start;
    let kept = [a, b].map(|node| net.node(node).agent.data_path());
    net.run_for(2 * SECOND);
    assert_eq!(
        [a, b].map(|node| net.node(node).agent.data_path()),
        kept,
        "both keep it"
    );
    Some(time)
}

/// The controlling side has sent USE-CANDIDATE on the pair that it uses; the controlled side has
/// received it there.
fn is_nominated(net: &Net<Node>, node: NodeId) -> bool {
    let agent = &net.node(node).agent;
    if !agent.is_controlling() {
        return agent
            .stats()
            .pairs
            .iter()
            .any(|pair| pair.active && pair.nominated);
    }
    let path = agent.data_path();
    net.log.iter().rev().any(|sent| {
        sent.by == node
            && path.is_some_and(|path| (path.local, path.remote) == (sent.local, sent.remote))
            && Message::parse(&sent.contents).is_ok_and(|check| check.use_candidate())
    })
}

fn one_pair(config: &Config, policies: [RolePolicy; 2]) -> Duration {
    let configs = policies.map(|policy| config.clone().role(policy));
    let (mut net, a, b) = two_agents(7, configs, [1, 1]);
    connect(&mut net, a, b, [1, 1]);
    time_to_agree(&mut net, a, b).expect("the pair works")
}

/// Of `count` by `count` pairs only that of the last candidates, the lowest, works.
fn only_the_lowest_of(config: &Config, count: usize) -> Duration {
    let (mut net, a, b) = two_agents(7, [config.clone(), config.clone()], [count, count]);
    for i in 0..count {
        for j in 0..count {
            if (i, j) != (count - 1, count - 1) {
                net.block(address(1, i), address(2, j));
            }
        }
    }
    connect(&mut net, a, b, [count, count]);
    time_to_agree(&mut net, a, b).expect("the lowest pair works")
}

/// Median, 95th percentile and worst of 1000 networks that lose a fifth of all datagrams.
fn with_loss(config: &Config) -> [Duration; 3] {
    let run = |seed| {
        let (net, a, b) = two_agents(seed, [config.clone(), config.clone()], [1, 1]);
        let mut net = net.link(Link::perfect(DELAY).with_loss(0.2));
        connect(&mut net, a, b, [1, 1]);
        let time = time_to_agree(&mut net, a, b);
        for node in [a, b] {
            let failed = net.node(node).saw(|event| *event == Event::Failed);
            assert!(!failed, "seed {seed}");
        }
        assert!(time.is_some(), "seed {seed} never connects");
        time.unwrap_or_default()
    };
    let mut times: Vec<_> = (0..1000).map(run).collect();
    times.sort_unstable();
    [499, 949, 999].map(|place| times.get(place).copied().unwrap_or_default())
}

/// Datagrams to a peer that never answers, in the first second, in the first five, and in the
/// thirty after which the default gives the pair up.
fn unanswered(config: &Config, candidates: usize) -> [usize; 3] {
    let (net, a, b) = two_agents(7, [config.clone(), config.clone()], [1, candidates]);
    let mut net = net.link(Link::black_hole());
    connect(&mut net, a, b, [1, candidates]);
    let start = net.now();
    net.run_for(30 * SECOND);
    [1, 5, 30].map(|seconds| {
        let until = start + seconds * SECOND;
        net.log
            .iter()
            .filter(|sent| sent.by == a && sent.at < until)
            .count()
    })
}

const BY_CREDENTIALS: [RolePolicy; 2] = [RolePolicy::ByCredentials; 2];
const CONTROLLING: [RolePolicy; 2] = [RolePolicy::Controlling; 2];
const CONTROLLED: [RolePolicy; 2] = [RolePolicy::Controlled; 2];

/// Prints a row; both profiles.
fn row<T: core::fmt::Debug>(name: &str, measured: [T; 2]) {
    let [default, strict] = measured;
    println!("| {name} | {default:?} | {strict:?} |");
}

fn profiles() -> [Config; 2] {
    [Config::default(), Config::rfc8445()]
}

#[test]
fn one_pair_takes_75_ms_whatever_the_roles_begin_with() {
    let rows = [
        ("one pair", BY_CREDENTIALS),
        ("one pair, both start controlling", CONTROLLING),
        ("one pair, both start controlled", CONTROLLED),
    ];
    for (name, policies) in rows {
        let times = profiles().map(|config| one_pair(&config, policies));
        assert!(times[0] <= Duration::from_millis(75), "{name}: {times:?}");
        row(name, times);
    }
}

#[test]
fn the_lowest_of_9_pairs_takes_125_ms_and_of_36_pairs_260_ms() {
    for (name, count, most) in [("9 pairs", 3, 125), ("36 pairs", 6, 260)] {
        let times = profiles().map(|config| only_the_lowest_of(&config, count));
        row(&format!("{name}, only the lowest works"), times);
        assert!(times[0] <= Duration::from_millis(most), "{name}: {times:?}");
    }
}

#[test]
fn with_20_percent_loss_half_take_150_ms_19_of_20_half_a_second_and_the_worst_of_1000_below_3_s() {
    let times = profiles().map(|config| with_loss(&config));
    row(
        "one pair, 20 % loss: median, 95th percentile, worst of 1000",
        times,
    );
    let [median, p95, worst] = times[0];
    assert!(median <= Duration::from_millis(150), "{median:?}");
    assert!(p95 <= Duration::from_millis(500), "{p95:?}");
    assert!(worst < Duration::from_secs(3), "{worst:?}");
}

/// What the departures from RFC 8445 §14 cost the network; the documentation quotes these.
#[test]
fn an_unanswered_pair_is_asked_as_often_as_the_documentation_says() {
    let one = profiles().map(|config| unanswered(&config, 1));
    row(
        "one unanswered pair: datagrams in the first 1, 5, 30 s",
        one,
    );
    assert_eq!(one, [[9, 14, 26], [2, 4, 6]]);
    let many = profiles().map(|config| unanswered(&config, 36));
    row("36 unanswered pairs: the same", many);
    assert_eq!(many, [[200, 468, 936], [20, 72, 180]]);
}

/// Nobody answers on the better pair: it takes its slots, and nothing else.
#[test]
fn a_dead_candidate_delays_a_live_one_by_a_slot() {
    let (mut net, a, b) = two_agents(7, [Config::default(), Config::default()], [1, 2]);
    net.block(address(1, 0), address(2, 0));
    connect(&mut net, a, b, [1, 2]);
    let time = time_to_agree(&mut net, a, b).expect("one pair works");
    assert!(time <= Duration::from_millis(85), "{time:?}");
}

/// Datagrams that cannot be sent are datagrams that are lost: a network that is down when the
/// session begins fails nothing, and is found soon after it comes up.
#[test]
fn a_network_that_comes_up_late_is_found_within_two_seconds() {
    for seconds in [1, 5, 20] {
        let (net, a, b) = two_agents(7, [Config::default(), Config::default()], [1, 1]);
        let mut net = net.link(Link::black_hole());
        connect(&mut net, a, b, [1, 1]);
        net.run_for(seconds * SECOND);
        net.set_link(Link::perfect(DELAY));
        let time = time_to_agree(&mut net, a, b).expect("it works now");
        assert!(time <= 2 * SECOND + 3 * DELAY, "{time:?}");
        let failed = |node| net.node(node).saw(|event| *event == Event::Failed);
        assert!(!failed(a) && !failed(b));
    }
}

/// Candidates of one address share a foundation, and such pairs wait for each other in RFC 8445
/// §6.1.2.6; here only while there is something else to check.
#[test]
fn the_lowest_of_9_pairs_of_one_foundation_takes_125_ms_at_most() {
    let port = |side: u8, index: u16| SocketAddr::from(([10, side, 0, 1], 5000 + index));
    let mut net = Net::new(7).link(Link::perfect(DELAY));
    let now = net.now();
    let sockets = [1, 2].map(|side| [0, 1, 2].map(|index| port(side, index)));
    let [a, b] = [0, 1].map(|side: u8| {
        let sockets = sockets[usize::from(side)];
        net.add(Node::new(Config::default(), side, &sockets, now), &sockets)
    });
    for (i, j) in (0..9)
        .map(|pair| (pair / 3, pair % 3))
        .filter(|pair| *pair != (2, 2))
    {
        net.block(port(1, i), port(2, j));
    }
    signal_credentials(&mut net, a, b);
    signal_credentials(&mut net, b, a);
    signal_candidates(&mut net, a, b, &sockets[0]);
    signal_candidates(&mut net, b, a, &sockets[1]);
    for node in [a, b] {
        net.node_mut(node).agent.connect(now).unwrap();
    }
    let time = time_to_agree(&mut net, a, b).unwrap();
    println!("lowest of 9, one foundation: {time:?}");
    assert!(time <= Duration::from_millis(125));
}
