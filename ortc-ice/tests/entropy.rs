//! What strangers must not be able to guess comes from the seed, and never twice.

use core::time::Duration;
use std::collections::BTreeSet;

use ortc_ice::stun::Message;
use ortc_ice::{Agent, Candidate, CandidateKind, Config, RolePolicy};
use ortc_testkit::net::Net;
use ortc_testkit::props::ice::{Node, address, puppet, run_alone};

/// Two hundred agents whose seeds differ in a single bit or two, each of which asks a peer that is
/// not there.
#[test]
fn credentials_transaction_ids_and_tie_breakers_never_repeat() {
    let start = Net::<Node>::new(0).now();
    let (mut secrets, mut ids, mut ties) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for number in 0..200 {
        let mut seed = [0; 32];
        seed[31] = number;
        let config = Config::default().role(RolePolicy::Controlling);
        let mut agent = Agent::new(config, seed, start);
        let own = agent.local_credentials().clone();
        assert!(
            own.ufrag().len() * 6 >= 24 && own.password().len() * 6 >= 128,
            "RFC 8839 §5.4"
        );
        assert!(
            secrets.insert(own.ufrag().to_owned()) && secrets.insert(own.password().to_owned())
        );
        agent
            .add_local_candidate(Candidate::host(address(1, 0)).unwrap(), start)
            .unwrap();
        agent.set_remote_credentials(puppet(), start).unwrap();
        let remote = Candidate::remote("1", 1, 99, address(2, 0), CandidateKind::Host, None);
        agent.add_remote_candidate(remote.unwrap(), start).unwrap();
        agent.connect(start).unwrap();
        let (mut now, end) = (start, start + Duration::from_secs(30));
        let mut own_ties = BTreeSet::new();
        while now < end {
            let (next, out) = run_alone(&mut agent, now, end);
            for (_, check) in out {
                let check = Message::parse(&check).unwrap();
                assert!(
                    ids.insert(check.transaction_id()),
                    "each check is a transaction of its own"
                );
                own_ties.insert(check.controlling().unwrap());
            }
            now = next;
        }
        assert_eq!(own_ties.len(), 1);
        ties.extend(own_ties);
        let renewed = agent.restart(now);
        assert!(secrets.insert(renewed.ufrag().to_owned()));
    }
    assert_eq!(ties.len(), 200);
    assert!(ids.len() > 200 * 20);
    // The characters are equally likely: 200 passwords have each of the 64 about 75 times.
    let drawn: String = secrets.into_iter().collect();
    let least = drawn
        .chars()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|wanted| drawn.chars().filter(|drawn| *drawn == wanted).count());
    let counts: Vec<_> = least.collect();
    let mean = drawn.len() / 64;
    assert_eq!(counts.len(), 64);
    assert!(
        counts
            .iter()
            .all(|count| (mean / 2..mean * 2).contains(count)),
        "{counts:?}"
    );
}
