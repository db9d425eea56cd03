//! Hellos in fragments at the gate of a server on an open port.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use allocation_counter::measure;
use ortc_dtls::wire::NamedGroup;
use ortc_dtls::{Certificate, Config, CookieGate, Endpoint, GateDrop, Role, Verdict, Version};
use pair::{hello_of, provider};

const ADDRESS: &[u8] = b"192.0.2.1:4433";

/// A configuration whose ClientHello is longer than a datagram.
fn config() -> Config {
    let provider = provider();
    let certificate = Certificate::generate(&provider).unwrap();
    let groups = vec![NamedGroup::X25519MLKEM768, NamedGroup::X25519];
    let config = Config::new(certificate, provider).groups(groups).unwrap();
    config.versions(&[Version::DTLS13]).unwrap()
}

/// What leaves a client, handed to the gate; the last verdict and what leaves the gate.
fn flight(
    client: &mut Endpoint,
    gate: &mut CookieGate,
    from: &[u8],
    now: Instant,
) -> (Vec<Verdict>, Vec<u8>) {
    let mut verdicts = Vec::new();
    let mut answer = Vec::new();
    let mut came = 0;
    let mut datagram = Vec::new();
    while let Some(len) = client.poll_transmit(&mut datagram, now) {
        came += len;
        verdicts.push(gate.admit(from, &datagram, now, &mut answer));
        datagram.clear();
    }
    assert!(answer.len() <= 3 * came);
    (verdicts, answer)
}

/// As of a browser: 1200 octets and the rest.
#[test]
fn a_hello_in_two_fragments_is_let_in_where_some_may_wait() {
    let now = pair::origin();
    let config = Arc::new(config());
    let gate = || CookieGate::new(config.clone(), now).unwrap();
    let client = || Endpoint::new(config.clone(), Role::Client, now);

    let (verdicts, answer) = flight(&mut client(), &mut gate(), ADDRESS, now);
    let dropped = |verdict: &Verdict| matches!(verdict, Verdict::Drop(GateDrop::Fragmented));
    assert!(verdicts.len() == 2 && verdicts.iter().all(dropped) && answer.is_empty());

    let mut gate = gate().reassemble(2);
    let mut client = client();
    let (verdicts, mut answer) = flight(&mut client, &mut gate, ADDRESS, now);
    assert!(matches!(verdicts[..], [Verdict::Wait, Verdict::Ask(_)]));
    client.handle_datagram(&mut answer, now);
    let (mut verdicts, _) = flight(&mut client, &mut gate, ADDRESS, now);
    let Some(Verdict::Admit(admission)) = verdicts.pop() else {
        panic!("{verdicts:?}");
    };
    let mut server = Endpoint::accept(config, admission, now);
    let mut datagram = Vec::new();
    while server.poll_transmit(&mut datagram, now).is_some() {
        client.handle_datagram(&mut datagram, now);
        datagram.clear();
    }
    assert_eq!(client.group(), Some(NamedGroup::X25519MLKEM768));
}

#[test]
fn fragments_wait_for_a_second_and_for_so_many_clients() {
    let now = pair::origin();
    let config = Arc::new(config());
    let mut client = Endpoint::new(config.clone(), Role::Client, now);
    let first = hello_of(&mut client, now);
    let rest = hello_of(&mut client, now);
    let second = Duration::from_secs(1);
    for (others, wait, expected) in [
        (0, Duration::ZERO, true),
        (1, Duration::ZERO, true),
        (2, Duration::ZERO, false),
        (0, second - Duration::from_millis(1), true),
        (0, second, false),
    ] {
        let gate = CookieGate::new(config.clone(), now);
        let mut gate = gate.unwrap().reassemble(2);
        let mut out = Vec::new();
        assert!(matches!(
            gate.admit(ADDRESS, &first, now, &mut out),
            Verdict::Wait
        ));
        for other in 0..others {
            let verdict = gate.admit(&[other], &first, now, &mut out);
            assert!(matches!(verdict, Verdict::Wait));
        }
        let verdict = gate.admit(ADDRESS, &rest, now + wait, &mut out);
        assert_eq!(
            matches!(verdict, Verdict::Ask(_)),
            expected,
            "{others} {wait:?}"
        );
    }
}

#[test]
fn a_flood_of_fragments_is_held_to_its_bound() {
    const CLIENTS: usize = 16;
    let now = pair::origin();
    let gate = CookieGate::new(Arc::new(config()), now);
    let mut gate = gate.unwrap().reassemble(CLIENTS);
    let mut out = Vec::new();
    let mut admit = |peer: u32, offset: usize, len: usize| {
        let [.., r0, r1] = (len + 12).to_be_bytes();
        let [.., o0, o1] = offset.to_be_bytes();
        let [.., l0, l1] = len.to_be_bytes();
        let mut datagram = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, r0, r1];
        datagram.extend_from_slice(&[1, 0, 0x10, 0, 0, 0, 0, o0, o1, 0, l0, l1]);
        datagram.resize(datagram.len() + len, 0);
        let verdict = gate.admit(&peer.to_be_bytes(), &datagram, now, &mut out);
        assert!(matches!(verdict, Verdict::Wait), "{verdict:?}");
    };
    // As many pieces as can be, and all octets but one.
    let mut flood = |clients: u32| {
        measure(|| {
            for peer in 0..clients {
                for piece in 0..100 {
                    admit(peer, 2 * piece, 1);
                }
                admit(peer, 300, 2000);
                admit(peer, 2300, 4096 - 2301);
            }
        })
    };
    let bound = u64::try_from((CLIENTS + 1) * 12 * 1024).unwrap();
    let taken = flood(1000);
    assert!(taken.bytes_max < bound, "{taken:?}");
    assert!(taken.bytes_current.unsigned_abs() < bound, "{taken:?}");
    let taken = flood(1000);
    assert_eq!(taken.bytes_current, 0, "{taken:?}");
    assert!(out.is_empty());
}
