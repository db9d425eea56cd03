//! Restarts of either side (RFC 8445 §9): the old pair carries data until a new one is valid.

use core::time::Duration;

use ortc_ice::{Config, Event, PathState};
use ortc_testkit::net::{Net, NodeId};
use ortc_testkit::props::ice::{
    Node, address, connect, run_until_usable, signal_candidates, signal_credentials, two_agents,
};

const SECOND: Duration = Duration::from_secs(1);

fn connected() -> (Net<Node>, NodeId, NodeId) {
    let (mut net, a, b) = two_agents(4, [Config::default(), Config::default()], [1, 1]);
    connect(&mut net, a, b, [1, 1]);
    assert!(run_until_usable(&mut net, a, b, SECOND));
    net.run_for(SECOND);
    (net, a, b)
}

fn restart(net: &mut Net<Node>, node: NodeId) {
    let now = net.now();
    let old = net.node(node).agent.local_credentials().clone();
    let new = net.node_mut(node).agent.restart(now);
    assert!(new.ufrag() != old.ufrag() && new.password() != old.password());
    assert_eq!(net.node(node).agent.local_credentials(), &new);
    net.node_mut(node).drain(now);
}

fn exchange(net: &mut Net<Node>, from: NodeId, to: NodeId, address: core::net::SocketAddr) {
    signal_credentials(net, from, to);
    signal_candidates(net, from, to, &[address]);
}

/// Asserts at every step that data can be sent, and that consent and role do not move.
fn run_with_data(net: &mut Net<Node>, a: NodeId, b: NodeId, span: Duration) {
    let end = net.now() + span;
    let broken = net.run_until(end, |net| {
        net.node(a).agent.data_path().is_none() || net.node(b).agent.data_path().is_none()
    });
    assert!(!broken, "data may flow all the time");
}

#[test]
fn both_restart_and_move_to_new_pairs_without_a_gap() {
    let (mut net, a, b) = connected();
    let roles = [a, b].map(|node| net.node(node).agent.role());
    restart(&mut net, a);
    assert_eq!(net.node(a).agent.remote_credentials(), None);
    run_with_data(&mut net, a, b, 60 * SECOND); // the old pair keeps its consent meanwhile
    let path = net.node(a).agent.data_path().unwrap();
    assert_eq!(net.node(a).agent.path_state(&path), PathState::Valid);

    exchange(&mut net, a, b, address(1, 0));
    restart(&mut net, b);
    exchange(&mut net, b, a, address(2, 0));
    run_with_data(&mut net, a, b, 60 * SECOND);

    assert_eq!(roles, [a, b].map(|node| net.node(node).agent.role()));
    for node in [a, b] {
        let node = net.node(node);
        let active = |event: &Event| matches!(event, Event::ActivePair { .. });
        assert_eq!(
            node.events
                .iter()
                .filter(|(_, event)| active(event))
                .count(),
            2
        );
        assert_eq!(node.agent.stats().pairs.len(), 1);
        assert!(node.agent.stats().pairs[0].nominated);
        assert!(!node.saw(|event| *event == Event::ConsentExpired || *event == Event::Failed));
    }
}

#[test]
fn the_order_of_restart_and_remote_credentials_does_not_matter() {
    for b_first in [false, true] {
        let (mut net, a, b) = connected();
        restart(&mut net, a);
        if b_first {
            restart(&mut net, b);
            exchange(&mut net, a, b, address(1, 0));
        } else {
            exchange(&mut net, a, b, address(1, 0));
            net.run_for(Duration::from_millis(30));
            restart(&mut net, b);
            assert_eq!(
                net.node(b).agent.remote_credentials(),
                Some(net.node(a).agent.local_credentials())
            );
        }
        exchange(&mut net, b, a, address(2, 0));
        run_with_data(&mut net, a, b, 40 * SECOND);
        for node in [a, b] {
            let old_pair_is_gone = net.node(node).agent.stats().pairs.len() == 1;
            assert!(old_pair_is_gone, "b_first {b_first}");
        }
    }
}

#[test]
fn one_side_may_restart_alone() {
    let (mut net, a, b) = connected();
    restart(&mut net, a);
    exchange(&mut net, a, b, address(1, 0));
    exchange(&mut net, b, a, address(2, 0)); // the same credentials as before
    run_with_data(&mut net, a, b, 40 * SECOND);
    for node in [a, b] {
        assert_eq!(net.node(node).agent.stats().pairs.len(), 1);
        assert!(net.node(node).agent.stats().pairs[0].nominated);
    }
}

#[test]
fn a_restart_onto_a_path_that_does_not_work_keeps_the_old_one() {
    let (mut net, a, b) = connected();
    restart(&mut net, a);
    restart(&mut net, b);
    signal_credentials(&mut net, a, b);
    signal_credentials(&mut net, b, a);
    // No candidates: nothing new can become valid.
    run_with_data(&mut net, a, b, 120 * SECOND);
    for node in [a, b] {
        assert!(!net.node(node).saw(|event| *event == Event::Failed));
    }
}

#[test]
fn a_restart_brings_a_failed_session_back() {
    let (mut net, a, b) = connected();
    net.block(address(1, 0), address(2, 0));
    net.run_for(120 * SECOND);
    for node in [a, b] {
        let events: Vec<_> = net
            .node(node)
            .events
            .iter()
            .map(|(_, event)| event)
            .collect();
        assert!(events.contains(&&Event::ConsentExpired) && events.contains(&&Event::Failed));
    }
    net.unblock(address(1, 0), address(2, 0));
    restart(&mut net, a);
    restart(&mut net, b);
    exchange(&mut net, a, b, address(1, 0));
    exchange(&mut net, b, a, address(2, 0));
    assert!(run_until_usable(&mut net, a, b, SECOND));
}

/// No restart, the same credentials: a network is added, and the one in use goes away later.
#[test]
fn a_new_network_takes_over_without_a_restart_and_without_a_gap() {
    let (mut net, a, b) = connected();
    run_with_data(&mut net, a, b, 60 * SECOND);
    let credentials = net.node(a).agent.local_credentials().clone();
    for (node, peer, side) in [(a, b, 1), (b, a, 2)] {
        net.attach(node, address(side, 1));
        signal_candidates(&mut net, node, peer, &[address(side, 1)]);
    }
    run_with_data(&mut net, a, b, 20 * SECOND);
    let old = [address(1, 0), address(2, 0)];
    let paths = |net: &Net<Node>| [a, b].map(|node| net.node(node).agent.data_path().unwrap());
    assert_eq!(paths(&net).map(|path| path.local), old, "it was first");
    for other in [0, 1] {
        net.block(address(1, 0), address(2, other));
        net.block(address(1, other), address(2, 0));
    }
    run_with_data(&mut net, a, b, 20 * SECOND);
    assert_eq!(
        paths(&net).map(|path| path.local),
        [address(1, 1), address(2, 1)]
    );
    assert_eq!(net.node(a).agent.local_credentials(), &credentials);
    for node in [a, b] {
        assert!(!net.node(node).saw(|event| *event == Event::ConsentExpired));
    }
}
