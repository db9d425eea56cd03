//! What a handshake and an endpoint take from the heap.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the report"
)]

mod pair;

use std::sync::Arc;
use std::time::Instant;

use allocation_counter::{AllocationInfo, measure};
use ortc_dtls::crypto::{Provider, ring_provider};
use ortc_dtls::{Certificate, Config, Endpoint, Event, HashAlgorithm, Role};
use pair::origin;

const DATAGRAM: usize = 1200;

/// Two configurations, each of which expects the other's certificate.
fn configs(provider: &Arc<dyn Provider>) -> [Arc<Config>; 2] {
    let certificates = [(); 2].map(|()| Certificate::generate(provider).unwrap());
    [0, 1].map(|me: usize| {
        let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificates[me].clone(), provider.clone());
        Arc::new(config.expected_fingerprints(vec![peer]))
    })
}

/// Connects; what each side took on the way, its construction included.
fn connect(now: Instant) -> ([Endpoint; 2], [AllocationInfo; 2]) {
    let configs = configs(&ring_provider());
    let mut taken = [AllocationInfo::default(); 2];
    let mut sides = [Role::Client, Role::Server].map(|role| {
        let config = configs[role as usize].clone();
        let mut endpoint = None;
        taken[role as usize] += measure(|| endpoint = Some(Endpoint::new(config, role, now)));
        endpoint.unwrap()
    });
    let mut datagram = Vec::with_capacity(2 * DATAGRAM);
    let mut connected = 0;
    while connected < 2 {
        for (from, to) in [(0, 1), (1, 0)] {
            loop {
                datagram.clear();
                let mut sent = None;
                taken[from] += measure(|| sent = sides[from].poll_transmit(&mut datagram, now));
                if sent.is_none() {
                    break;
                }
                taken[to] += measure(|| sides[to].handle_datagram(&mut datagram, now));
            }
            taken[from] += measure(|| {
                while let Some(event) = sides[from].poll_event() {
                    assert_eq!(event, Event::Connected);
                    connected += 1;
                }
            });
        }
    }
    (sides, taken)
}

#[test]
fn a_handshake_takes_at_most_40_allocations_on_each_side() {
    let now = origin();
    connect(now); // what happens once per process is not counted
    let (_, taken) = connect(now);
    println!("client {:?}", taken[0]);
    println!("server {:?}", taken[1]);
    for side in taken {
        assert!(side.count_total <= 40, "{side:?}");
    }
}

#[test]
fn an_established_endpoint_holds_less_than_4_kib() {
    let now = origin();
    connect(now);
    let (sides, taken) = connect(now);
    for (side, taken) in sides.iter().zip(taken) {
        let inline = size_of_val(side);
        let heap = usize::try_from(taken.bytes_current).unwrap();
        println!("{:?}: {heap} on the heap, {inline} in itself", side.role());
        assert!(heap + inline < 4096, "{heap} + {inline}");
    }
}

#[test]
fn records_are_sealed_and_opened_without_allocation() {
    let now = origin();
    let ([mut client, mut server], _) = connect(now);
    let payload = [7; DATAGRAM - 13 - 8 - 16];
    let mut datagram = Vec::with_capacity(DATAGRAM);
    let mut packet = |client: &mut Endpoint, server: &mut Endpoint| {
        datagram.clear();
        client.send(&payload, now).unwrap();
        assert_eq!(client.poll_transmit(&mut datagram, now), Some(DATAGRAM));
        server.handle_datagram(&mut datagram, now);
        let Some(Event::ApplicationData(data)) = server.poll_event() else {
            panic!("no data came");
        };
        assert_eq!(data[..], payload);
    };
    for _ in 0..64 {
        packet(&mut client, &mut server);
    }
    let taken = measure(|| {
        for _ in 0..1000 {
            packet(&mut client, &mut server);
        }
    });
    assert_eq!(taken.count_total, 0, "{taken:?}");
}
