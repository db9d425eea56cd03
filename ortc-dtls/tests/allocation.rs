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
use ortc_dtls::{Certificate, Config, Endpoint, Event, HashAlgorithm, Role, Version};
use pair::origin;

const DATAGRAM: usize = 1200;
const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

/// Two configurations, each of which expects the other's certificate.
fn configs(provider: &Arc<dyn Provider>, version: Version) -> [Arc<Config>; 2] {
    let certificates = [(); 2].map(|()| Certificate::generate(provider).unwrap());
    [0, 1].map(|me: usize| {
        let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificates[me].clone(), provider.clone());
        let config = config.versions(&[version]).unwrap();
        Arc::new(config.expected_fingerprints(vec![peer]))
    })
}

/// Connects; what each side took on the way, its construction included.
fn connect(version: Version, now: Instant) -> ([Endpoint; 2], [AllocationInfo; 2]) {
    let configs = configs(&ring_provider(), version);
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
                taken[to] += measure(|| {
                    sides[to].handle_datagram(&mut datagram, now);
                });
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

/// What happens once per process is not counted.
fn connect_again(version: Version) -> ([Endpoint; 2], [AllocationInfo; 2]) {
    let now = origin();
    connect(version, now);
    connect(version, now)
}

#[test]
fn a_handshake_of_dtls_1_2_takes_at_most_40_allocations_on_each_side() {
    let (_, taken) = connect_again(Version::DTLS12);
    println!("client {:?}\nserver {:?}", taken[0], taken[1]);
    for side in taken {
        assert!(side.count_total <= 40, "{side:?}");
    }
}

/// Two more secrets, three more key schedules, and a share before the version is known.
#[test]
fn a_handshake_of_dtls_1_3_takes_at_most_80_allocations_on_each_side() {
    let (_, taken) = connect_again(Version::DTLS13);
    println!("client {:?}\nserver {:?}", taken[0], taken[1]);
    for side in taken {
        assert!(side.count_total <= 80, "{side:?}");
    }
}

#[test]
fn an_established_endpoint_holds_less_than_4_kib_on_the_heap() {
    for version in VERSIONS {
        let (sides, taken) = connect_again(version);
        for (side, taken) in sides.iter().zip(taken) {
            let (role, inline) = (side.role(), size_of_val(side));
            let heap = taken.bytes_current;
            println!("{version} {role:?}: {heap} on the heap, {inline} in itself");
            assert!(heap < 4096, "{version} {role:?}: {heap}");
        }
    }
}

#[test]
fn records_are_sealed_and_opened_without_allocation() {
    for version in VERSIONS {
        let ([mut client, mut server], _) = connect_again(version);
        let now = origin();
        let payload = [7; DATAGRAM - 13 - 8 - 16];
        let mut datagram = Vec::with_capacity(DATAGRAM);
        let mut packet = |client: &mut Endpoint, server: &mut Endpoint| {
            datagram.clear();
            client.send(&payload, now).unwrap();
            let len = client.poll_transmit(&mut datagram, now).unwrap();
            assert!((DATAGRAM - 20..=DATAGRAM).contains(&len));
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
        assert_eq!(taken.count_total, 0, "{version} {taken:?}");
    }
}
