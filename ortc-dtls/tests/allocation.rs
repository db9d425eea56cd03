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
use ortc_dtls::crypto::{NamedGroup, ring_provider};
use ortc_dtls::{
    Certificate, CipherSuite, Config, Endpoint, Event, HashAlgorithm, KeyUpdate, Role, Version,
};
use pair::origin;

const DATAGRAM: usize = 1200;
const VERSIONS: [Version; 2] = [Version::DTLS12, Version::DTLS13];

/// Two configurations, each of which expects the other's certificate, and is changed in no other
/// way but this.
fn configs(change: impl Fn(Config) -> Config) -> [Arc<Config>; 2] {
    let provider = &ring_provider();
    let certificates = [(); 2].map(|()| Certificate::generate(provider).unwrap());
    [0, 1].map(|me: usize| {
        let peer = certificates[1 - me].fingerprint(HashAlgorithm::Sha256);
        let config = Config::new(certificates[me].clone(), provider.clone());
        Arc::new(change(config.expected_fingerprints(vec![peer])))
    })
}

fn only(version: Version) -> [Arc<Config>; 2] {
    configs(|config| config.versions(&[version]).unwrap())
}

/// Hands over all that one side has to send.
fn carry(
    sides: &mut [Endpoint; 2],
    [from, to]: [usize; 2],
    datagram: &mut Vec<u8>,
    now: Instant,
    taken: &mut [AllocationInfo; 2],
) {
    loop {
        datagram.clear();
        let mut sent = None;
        taken[from] += measure(|| sent = sides[from].poll_transmit(datagram, now));
        if sent.is_none() {
            return;
        }
        taken[to] += measure(|| {
            sides[to].handle_datagram(datagram, now);
        });
    }
}

/// Connects; what each side took on the way, its construction included.
fn connect(configs: &[Arc<Config>; 2], now: Instant) -> ([Endpoint; 2], [AllocationInfo; 2]) {
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
            carry(&mut sides, [from, to], &mut datagram, now, &mut taken);
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
fn connect_again(configs: &[Arc<Config>; 2]) -> ([Endpoint; 2], [AllocationInfo; 2]) {
    let now = origin();
    connect(configs, now);
    connect(configs, now)
}

fn assert_few(name: &str, configs: &[Arc<Config>; 2]) {
    let (_, taken) = connect_again(configs);
    println!("{name}\nclient {:?}\nserver {:?}", taken[0], taken[1]);
    for side in taken {
        assert!(side.count_total <= 40, "{name}: {side:?}");
    }
}

#[test]
fn a_handshake_takes_at_most_40_allocations_on_each_side() {
    assert_few("default", &configs(|config| config));
    for version in VERSIONS {
        assert_few(&version.to_string(), &only(version));
    }
}

#[test]
fn whatever_the_group_or_the_cipher_suite() {
    for group in [
        NamedGroup::X25519MLKEM768,
        NamedGroup::X25519,
        NamedGroup::SECP256R1,
        NamedGroup::SECP384R1,
    ] {
        // In DTLS 1.3 the first has two shares.
        let groups = [group, NamedGroup::SECP256R1];
        let groups = &groups[..if group == NamedGroup::SECP256R1 { 1 } else { 2 }];
        assert_few(
            &group.to_string(),
            &configs(|config| config.groups(groups.to_vec()).unwrap()),
        );
    }
    for suite in [
        CipherSuite::AES_256_GCM_SHA384,
        CipherSuite::CHACHA20_POLY1305_SHA256,
        CipherSuite::ECDHE_ECDSA_AES_256_GCM,
        CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305,
    ] {
        let version = match suite.0 >> 8 {
            0x13 => Version::DTLS13,
            _ => Version::DTLS12,
        };
        let suites = configs(|config| {
            let config = config.versions(&[version]).unwrap();
            config.cipher_suites(vec![suite]).unwrap()
        });
        assert_few(&suite.to_string(), &suites);
    }
}

/// Where the client is asked for a cookie or for another share, in the smallest datagrams, and with
/// connection ids.
#[test]
fn whatever_else_a_handshake_is_made_to_do() {
    let only = |config: Config| config.versions(&[Version::DTLS13]).unwrap();
    for version in VERSIONS {
        let only = |config: Config| config.versions(&[version]).unwrap();
        assert_few("cookie", &configs(|c| only(c).cookie_exchange(true)));
    }
    for cookie in [false, true] {
        let mut pair = configs(|config| {
            let groups = vec![NamedGroup::X25519, NamedGroup::SECP384R1];
            let config = only(config).cookie_exchange(cookie);
            config.groups(groups).unwrap()
        });
        let groups = vec![NamedGroup::SECP384R1];
        pair[1] = Arc::new(Config::clone(&pair[1]).groups(groups).unwrap());
        assert_few("another group", &pair);
    }
    for version in VERSIONS {
        let change = |config: Config| {
            let config = config.versions(&[version]).unwrap();
            config.mtu(256).unwrap().connection_id_length(Some(8))
        };
        assert_few(&format!("{version} in pieces"), &configs(change));
    }
}

/// Every flight that has a timer, repeated again and again into the void.
#[test]
fn a_repetition_of_a_flight_takes_nothing_from_the_heap() {
    for version in VERSIONS {
        let configs = configs(|config| {
            let config = config.versions(&[version]).unwrap();
            config.handshake_timeout(None)
        });
        for flights in 0..3 {
            let now = origin();
            let mut sides = [Role::Client, Role::Server]
                .map(|role| Endpoint::new(configs[role as usize].clone(), role, now));
            let mut datagram = Vec::with_capacity(2 * DATAGRAM);
            for flight in 0..flights {
                let (from, to) = (flight % 2, 1 - flight % 2);
                datagram.clear();
                while sides[from].poll_transmit(&mut datagram, now).is_some() {
                    sides[to].handle_datagram(&mut datagram, now);
                    datagram.clear();
                }
            }
            let side = &mut sides[flights % 2];
            drain(side, &mut datagram, now);
            for _ in 0..12 {
                let now = side.poll_timeout().unwrap();
                let mut repeated = 0;
                let taken = measure(|| {
                    side.handle_timeout(now);
                    repeated = drain(side, &mut datagram, now);
                });
                assert!(repeated > 0, "{version}, flight {flights}");
                let none = (taken.count_total, taken.bytes_current) == (0, 0);
                assert!(none, "{version}, flight {flights}: {taken:?}");
            }
            assert_eq!(side.stats().retransmissions, 12);
        }
    }
}

/// Takes out what there is; how many datagrams.
fn drain(side: &mut Endpoint, datagram: &mut Vec<u8>, now: Instant) -> u32 {
    let mut count = 0;
    datagram.clear();
    while side.poll_transmit(datagram, now).is_some() {
        count += 1;
        datagram.clear();
    }
    count
}

#[test]
fn an_established_endpoint_holds_less_than_4_kib_on_the_heap() {
    for version in VERSIONS {
        let (sides, taken) = connect_again(&only(version));
        for (side, taken) in sides.iter().zip(taken) {
            let (role, inline) = (side.role(), size_of_val(side));
            let heap = taken.bytes_current;
            println!("{version} {role:?}: {heap} on the heap, {inline} in itself");
            assert!(heap < 4096, "{version} {role:?}: {heap}");
        }
    }
}

/// Whoever comes late with keys of before the last ones is not waited for.
#[test]
fn an_endpoint_that_has_changed_its_keys_holds_no_more() {
    let (mut sides, mut taken) = connect_again(&only(Version::DTLS13));
    let now = origin();
    let mut datagram = Vec::with_capacity(2 * DATAGRAM);
    for _ in 0..5 {
        for (from, to) in [(0, 1), (1, 0)] {
            taken[from] += measure(|| sides[from].update_keys(KeyUpdate::Own, now).unwrap());
            // The change, its acknowledgement, and something under the new key.
            for (from, to) in [(from, to), (to, from), (from, to)] {
                taken[from] += measure(|| sides[from].send(b"data", now).unwrap());
                carry(&mut sides, [from, to], &mut datagram, now, &mut taken);
                taken[to] += measure(|| while sides[to].poll_event().is_some() {});
            }
        }
    }
    for (side, taken) in sides.iter().zip(taken) {
        let heap = taken.bytes_current;
        println!("{:?} after KeyUpdates: {heap} on the heap", side.role());
        assert!(heap < 4096, "{:?}: {heap}", side.role());
    }
}

/// What it takes besides is what it received last, and has to hand on.
#[test]
fn an_endpoint_that_received_a_little_has_not_grown_by_much() {
    for version in VERSIONS {
        let (mut sides, _) = connect_again(&only(version));
        let now = origin();
        let mut datagram = Vec::with_capacity(DATAGRAM);
        for (from, to) in [(0, 1), (1, 0), (0, 1), (1, 0)] {
            datagram.clear();
            sides[from].send(&[7; 100], now).unwrap();
            sides[from].poll_transmit(&mut datagram, now).unwrap();
            let taken = measure(|| {
                sides[to].handle_datagram(&mut datagram, now);
                assert!(matches!(
                    sides[to].poll_event(),
                    Some(Event::ApplicationData(_))
                ));
            });
            assert!(taken.bytes_current <= 100 + 64, "{version}: {taken:?}");
        }
    }
}

/// What nobody takes out is in few pieces, none of them longer than 16 KiB.
#[test]
fn an_endpoint_whose_data_is_left_lying_takes_few_allocations() {
    const RECORDS: usize = 1000;
    let (mut sides, _) = connect_again(&only(Version::DTLS13));
    let now = origin();
    let mut datagram = Vec::with_capacity(DATAGRAM);
    let mut taken = AllocationInfo::default();
    for _ in 0..RECORDS {
        datagram.clear();
        sides[0].send(&[7; 100], now).unwrap();
        sides[0].poll_transmit(&mut datagram, now).unwrap();
        taken += measure(|| {
            sides[1].handle_datagram(&mut datagram, now);
        });
    }
    let events = RECORDS.next_power_of_two() * size_of::<Event>();
    let held = usize::try_from(taken.bytes_current).unwrap() - events;
    assert!(held < 100 * RECORDS + 16 * 1024 + 1024, "{taken:?}");
    assert!(taken.count_total <= 40, "{taken:?}");
}

#[test]
fn records_are_sealed_and_opened_without_allocation() {
    for version in VERSIONS {
        let ([mut client, mut server], _) = connect_again(&only(version));
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
