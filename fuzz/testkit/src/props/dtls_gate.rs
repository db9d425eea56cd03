//! Properties of the gate before endpoints of dtls.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use ortc_dtls::{Certificate, Config, CookieGate, Endpoint, Event, Role, Verdict, Version};

use crate::provider::Deterministic;

const VERSIONS: [&[Version]; 3] = [
    &[Version::DTLS13, Version::DTLS12],
    &[Version::DTLS13],
    &[Version::DTLS12],
];

/// How long a cookie counts unless the gate is told otherwise.
const LIFETIME: Duration = Duration::from_secs(30);

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of virtual time"
)]
fn origin() -> Instant {
    Instant::now()
}

/// Whatever is sent to a gate from two addresses, at most three octets leave for each that came.
/// Who is let in has returned what went to the same address, in time; the endpoint that follows
/// does not close for a hello that nobody changed. And the same script has the same outcome.
///
/// The first octet of the data picks the versions, the size of datagrams, and whether fragments
/// are kept; what follows are steps: hellos of two clients,
/// their answers lost or returned, octets changed, datagrams made up, time.
///
/// # Panics
///
/// When it does not hold.
pub fn gate(data: &[u8]) {
    let now = origin();
    assert_eq!(run(data, now), run(data, now));
}

struct Client {
    endpoint: Endpoint,
    /// When it was asked by a gate, at most, to come again.
    asked: Vec<Instant>,
    /// Its last hello.
    hello: Vec<u8>,
    answer: Vec<u8>,
}

fn run(data: &[u8], origin: Instant) -> Vec<u8> {
    let provider = Deterministic::new(data.len() as u64);
    let (choice, script) = data.split_first().unwrap_or((&0, &[]));
    let versions = VERSIONS[usize::from(*choice) % VERSIONS.len()];
    let certificate = Certificate::generate(&provider).unwrap();
    let config = Config::new(certificate, provider).versions(versions);
    // With small datagrams a hello is in fragments, which the gate may keep.
    let fragments = choice & 64 != 0;
    let mtu = if fragments { 256 } else { 1200 };
    let config = Arc::new(config.unwrap().mtu(mtu).unwrap());
    let mut now = origin;
    let clients_at_once = usize::from(*choice >> 7) * 2;
    let mut gate = CookieGate::new(config.clone(), now).unwrap();
    gate = gate.reassemble(clients_at_once);
    // Fragments of several hellos may have become one.
    let mut mixed = false;
    // Octets from each address, and octets to it.
    let mut came = [0; 2];
    let mut left = [0; 2];
    let mut clients = [(); 2].map(|()| Client {
        endpoint: Endpoint::new(config.clone(), Role::Client, now),
        asked: Vec::new(),
        hello: Vec::new(),
        answer: Vec::new(),
    });
    let mut log = Vec::new();
    let mut script = script.iter().copied();
    while let Some(step) = script.next() {
        let argument = script.next().unwrap_or_default();
        let me = usize::from(step >> 7);
        let mut bent = false;
        let mut from = me;
        let client = &mut clients[me];
        let mut sent = Vec::new();
        match step % 6 {
            // Whatever the client has to say.
            0 => {
                client.endpoint.handle_timeout(now);
                if client.endpoint.poll_transmit(&mut sent, now).is_some() {
                    client.hello.clone_from(&sent);
                }
            }
            // The last answer arrives.
            1 => {
                let mut answer = core::mem::take(&mut client.answer);
                client.endpoint.handle_datagram(&mut answer, now);
            }
            // Its last hello comes again, maybe from the other address.
            2 => {
                sent.clone_from(&client.hello);
                from = if argument < 128 { me } else { 1 - me };
            }
            // Or changed.
            3 => {
                sent.clone_from(&client.hello);
                let at = usize::from(script.next().unwrap_or_default()) * 2;
                if let Some(len) = sent.len().checked_sub(1) {
                    sent[at.min(len)] ^= argument | 1;
                    bent = true;
                }
            }
            // Or something else.
            4 => {
                sent.extend(script.by_ref().take(argument.into()));
                bent = true;
            }
            _ => now += Duration::from_millis(u64::from(argument) * 100),
        }
        if sent.is_empty() {
            continue;
        }
        let address = [u8::try_from(from).unwrap()];
        came[from] += sent.len();
        mixed |= clients_at_once > 0 && (bent || from != me);
        let mut answer = vec![0x55];
        let verdict = gate.admit(&address, &sent, now, &mut answer);
        answer.remove(0);
        left[from] += answer.len();
        assert!(left[from] <= 3 * came[from], "amplified");
        if clients_at_once == 0 {
            assert!(answer.len() <= 3 * sent.len(), "amplified");
        }
        log.extend_from_slice(&answer);
        let client = &mut clients[from];
        match verdict {
            Verdict::Ask(len) => {
                assert_eq!(len, answer.len());
                assert!(len > 0);
                client.asked.push(now);
                if from == me {
                    client.answer = answer;
                }
            }
            Verdict::Refuse(len, alert) => {
                assert_eq!(len, answer.len());
                assert_eq!(answer[13..], [2, alert.0]);
            }
            Verdict::Drop(_) => assert!(answer.is_empty()),
            Verdict::Wait => assert!(answer.is_empty() && clients_at_once > 0),
            Verdict::Admit(admission) => {
                assert!(answer.is_empty());
                let fresh = |&at: &Instant| now <= at + LIFETIME;
                assert!(client.asked.iter().any(fresh), "nobody asked this address");
                assert!(from == me || mixed, "the cookie went to the other address");
                let mut server = Endpoint::accept(config.clone(), admission, now);
                let len = server.poll_transmit(&mut log, now);
                assert!(len.is_some(), "an answer or an alert");
                if !bent && !mixed {
                    let closed = server.poll_event();
                    assert!(!matches!(closed, Some(Event::Closed(_))), "{closed:?}");
                }
            }
        }
    }
    log
}
