//! Nominations for the life of a session: with a value towards a peer that reads it
//! (draft-thatcher-ice-renomination as libwebrtc speaks it), plain with everyone else.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use core::time::Duration;
use std::time::Instant;

use ortc_ice::stun::{AttributeType, Class, Message};
use ortc_ice::{Agent, Candidate, CandidateKind, Config, DropReason, Path, RolePolicy};
use ortc_testkit::net::{Net, NodeId};
use ortc_testkit::props::ice::{
    Check, Node, address, answer, connect, deliver, puppet, run_alone, run_until_usable, sent,
    two_agents,
};

const SECOND: Duration = Duration::from_secs(1);

/// Two agents, the first of which controls; they offer the option or not.
fn offering(offers: [bool; 2], candidates: usize) -> (Net<Node>, NodeId, NodeId) {
    let [first, second] = offers;
    let configs = [
        Config::default()
            .role(RolePolicy::Controlling)
            .renomination(first),
        Config::default()
            .role(RolePolicy::Controlled)
            .renomination(second),
    ];
    let (mut net, a, b) = two_agents(9, configs, [candidates, candidates]);
    net.node_mut(a).agent.set_remote_renomination(second);
    net.node_mut(b).agent.set_remote_renomination(first);
    (net, a, b)
}

/// The values of NOMINATION in the checks of a side, 0 for a plain USE-CANDIDATE.
fn nominations(net: &Net<Node>, node: NodeId) -> Vec<u32> {
    let of = |contents: &[u8]| {
        let message = Message::parse(contents).unwrap();
        assert!(message.nomination().is_none() || message.use_candidate());
        message
            .use_candidate()
            .then(|| message.nomination().unwrap_or_default())
    };
    let ours = net.log.iter().filter(|sent| sent.by == node);
    ours.filter_map(|sent| of(&sent.contents)).collect()
}

#[test]
fn values_are_sent_only_when_both_sides_offer_it() {
    for offers in [[true, true], [true, false], [false, true], [false, false]] {
        let (mut net, a, b) = offering(offers, 1);
        connect(&mut net, a, b, [1, 1]);
        assert!(run_until_usable(&mut net, a, b, SECOND));
        net.run_for(20 * SECOND);
        let expected = u32::from(offers == [true, true]);
        let sent = nominations(&net, a);
        assert!(sent.len() > 2, "consent checks nominate too");
        assert!(
            sent.iter().all(|value| *value == expected),
            "{offers:?} {sent:?}"
        );
        assert!(
            nominations(&net, b).is_empty(),
            "the controlled side nominates nothing"
        );
        assert!(net.node(b).agent.stats().pairs[0].nominated);
    }
}

#[test]
fn the_strict_profile_offers_none() {
    let now = Net::<Node>::new(0).now();
    let mut agent = controlled(Config::rfc8445().role(RolePolicy::Controlled), now);
    assert_eq!(agent.nominate(0, None), agent.path(0));
    assert_eq!(
        agent.nominate(1, Some(9)),
        agent.path(0),
        "the value is not read"
    );
}

#[test]
fn a_peer_whose_offer_comes_late_is_nominated_to_again_with_a_value() {
    let (mut net, a, b) = offering([true, false], 1);
    connect(&mut net, a, b, [1, 1]);
    assert!(run_until_usable(&mut net, a, b, SECOND));
    net.run_for(SECOND);
    net.log.clear();
    net.node_mut(a).agent.set_remote_renomination(true);
    net.run_for(SECOND);
    assert_eq!(nominations(&net, a), [1]);
}

/// Each move of the controlling side has a value of its own, and the peer comes along: away from a
/// path that breaks, and back to it once it has worked for a while.
#[test]
fn the_value_rises_with_every_move_and_the_peer_comes_along() {
    let (mut net, a, b) = offering([true, true], 2);
    connect(&mut net, a, b, [2, 2]);
    assert!(run_until_usable(&mut net, a, b, SECOND));
    net.run_for(SECOND);
    let first = net.node(a).agent.data_path().unwrap();
    let before = *nominations(&net, a).last().unwrap();
    net.block(first.local, first.remote);
    net.run_for(20 * SECOND);
    let second = net.node(a).agent.data_path().unwrap();
    assert_ne!(second, first);
    assert_eq!(net.node(b).agent.data_path(), Some(mirror(second)));
    net.unblock(first.local, first.remote);
    net.run_for(60 * SECOND);
    assert_eq!(net.node(a).agent.data_path(), Some(first));
    assert_eq!(net.node(b).agent.data_path(), Some(mirror(first)));
    let values = nominations(&net, a);
    assert!(values.is_sorted(), "{values:?}");
    assert!(*values.last().unwrap() >= before + 2);
}

#[test]
fn the_highest_value_wins_whatever_the_priority_and_the_order() {
    let now = Net::<Node>::new(0).now();
    let mut agent = controlled(config(), now);
    // Pair 0 has the highest priority, pair 2 the lowest.
    assert_eq!(agent.nominate(0, Some(1)), agent.path(0));
    assert_eq!(
        agent.nominate(2, Some(5)),
        agent.path(2),
        "a lower pair, a higher value"
    );
    assert_eq!(
        agent.nominate(1, Some(4)),
        agent.path(2),
        "reordered on its way"
    );
    assert_eq!(agent.nominate(0, Some(1)), agent.path(2), "from long ago");
    assert_eq!(
        agent.nominate(0, Some(5)),
        agent.path(2),
        "the same value elsewhere"
    );
    assert_eq!(
        agent.nominate(0, None),
        agent.path(2),
        "none counts less than any"
    );
    assert_eq!(agent.nominate(0, Some(0)), agent.path(2), "0 is none");
    assert_eq!(agent.nominate(1, Some(6)), agent.path(1));
    assert_eq!(
        agent.nominate(2, Some(u32::MAX)),
        agent.path(2),
        "the last value there is"
    );
    assert_eq!(
        agent.nominate(0, Some(1)),
        agent.path(2),
        "it does not wrap"
    );
}

#[test]
fn a_nomination_that_is_not_authenticated_or_of_another_session_moves_nothing() {
    let now = Net::<Node>::new(0).now();
    let mut agent = controlled(config(), now);
    assert_eq!(agent.nominate(0, Some(3)), agent.path(0));
    let mut forged = agent.check(1, Some(9));
    let place = forged.len() - 32 - 4; // the last octets that integrity covers
    forged[place + 3] ^= 1;
    let outcome = agent.deliver(1, &forged);
    assert!(
        matches!(
            outcome,
            Err(DropReason::BadFingerprint | DropReason::BadIntegrity)
        ),
        "{outcome:?}"
    );
    assert_eq!(agent.agent.data_path(), agent.path(0));
    // A check with the credentials from before a restart is answered, and nominates nothing.
    let old = agent.check(1, Some(9));
    agent.agent.restart(agent.now);
    agent.deliver(1, &old).unwrap();
    assert_eq!(agent.agent.data_path(), agent.path(0));
}

/// A value for a pair that we have no answer on yet is remembered, and newer ones are not forgotten
/// over it.
#[test]
fn a_pair_that_is_not_valid_yet_is_followed_to_when_it_is() {
    let now = Net::<Node>::new(0).now();
    let mut agent = controlled(config(), now);
    assert_eq!(agent.nominate(0, Some(1)), agent.path(0));
    assert_eq!(
        agent.nominate(3, Some(2)),
        agent.path(0),
        "no answer there yet"
    );
    assert_eq!(agent.nominate(1, Some(1)), agent.path(0));
    agent.answer_all();
    assert_eq!(agent.agent.data_path(), agent.path(3));
    let nominated: Vec<_> = agent
        .agent
        .stats()
        .pairs
        .into_iter()
        .filter(|pair| pair.nominated)
        .collect();
    assert_eq!(nominated.len(), 1);
}

#[test]
fn a_restart_begins_with_any_value() {
    let now = Net::<Node>::new(0).now();
    let mut agent = controlled(config(), now);
    assert_eq!(agent.nominate(2, Some(1000)), agent.path(2));
    agent.agent.restart(agent.now);
    agent.begin();
    assert_eq!(agent.nominate(1, Some(1)), agent.path(1));
}

fn config() -> Config {
    Config::default().role(RolePolicy::Controlled)
}

fn mirror(path: Path) -> Path {
    Path::udp(path.remote, path.local)
}

/// An agent and a controlling peer played by hand, which has three candidates and a fourth that
/// does not answer by itself.
struct Controlled {
    agent: Agent,
    now: Instant,
    numbers: u32,
}

const SILENT: usize = 3;

fn controlled(config: Config, now: Instant) -> Controlled {
    let agent = Node::new(config, 1, &[address(1, 0)], now).agent;
    let mut peer = Controlled {
        agent,
        now,
        numbers: 0,
    };
    peer.begin();
    peer
}

impl Controlled {
    /// Signals and connects; the first three pairs become valid.
    fn begin(&mut self) {
        self.agent
            .set_remote_credentials(puppet(), self.now)
            .unwrap();
        for (index, priority) in (0..=SILENT).zip([900, 800, 700, 600]) {
            let remote = address(2, index);
            let candidate =
                Candidate::remote("1", 1, priority, remote, CandidateKind::Host, None).unwrap();
            self.agent
                .add_remote_candidate(candidate, self.now)
                .unwrap();
        }
        self.agent.connect(self.now).unwrap();
        self.run(true);
    }

    fn run(&mut self, silent: bool) {
        let end = self.now + SECOND * 3;
        while self.now < end {
            let (now, out) = run_alone(&mut self.agent, self.now, end);
            self.now = now;
            for (remote, request) in out {
                let is_check = Message::parse(&request).unwrap().class() == Class::Request;
                if is_check && !(silent && remote == address(2, SILENT)) {
                    let good = answer(&request, &puppet(), address(1, 0), None);
                    deliver(&mut self.agent, address(1, 0), remote, &good, now).unwrap();
                }
            }
        }
    }

    fn answer_all(&mut self) {
        self.run(false);
    }

    fn check(&mut self, index: usize, value: Option<u32>) -> Vec<u8> {
        self.numbers += 1;
        let mut check = Check::new(self.agent.local_credentials(), "puppet", self.numbers);
        check.use_candidate = value.is_none();
        check.nomination = value;
        // libwebrtc pads with others; that they stand after it does not matter.
        check.extra = vec![(AttributeType(0xC057), vec![index.to_le_bytes()[0], 0, 0, 7])];
        check.encode()
    }

    fn deliver(&mut self, index: usize, check: &[u8]) -> Result<(), DropReason> {
        let now = self.now;
        let outcome = deliver(
            &mut self.agent,
            address(1, 0),
            address(2, index),
            check,
            now,
        );
        sent(&mut self.agent, now);
        outcome
    }

    /// The peer nominates a pair, as libwebrtc does, or plainly; what data leaves on then.
    fn nominate(&mut self, index: usize, value: Option<u32>) -> Option<Path> {
        let check = self.check(index, value);
        self.deliver(index, &check).unwrap();
        self.agent.data_path()
    }

    fn path(&self, index: usize) -> Option<Path> {
        Some(Path::udp(address(1, 0), address(2, index)))
    }
}
